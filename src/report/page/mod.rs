//! A result as one page for a browser: verdict, chart, drawing, timeline, power, everything else, inputs. It carries its styles, its script and
//! the chart library inside and fetches nothing. Without scripts everything is there but the chart.

mod timeline;

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::chart::escaped;
use super::document::Document;
use super::format::{Align, Report, Section, Table};
use super::records::{Cells, Records};
use crate::input::catalog::InputFile;
use crate::units::counted;

pub use timeline::timeline_svg;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// uPlot, by Leon Sorokin, MIT licence.
const LIBRARY: [&str; 3] = [include_str!("uplot/uPlot.iife.min.js"), include_str!("uplot/uPlot.min.css"), include_str!("uplot/LICENSE")];

/// Nothing is fetched from anywhere, whatever a name in a file contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// A picture with its title and what a reader should know of it.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Title.
    pub title: &'static str,
    /// A sentence.
    pub note: String,
    /// The picture.
    pub svg: String,
}

/// What the chart shows at first: a table, and columns of it.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Table.
    pub table: &'static str,
    /// Along.
    pub x: &'static str,
    /// Upwards.
    pub y: &'static str,
    /// Colour.
    pub by: &'static str,
    /// Whether the rows of one colour are joined.
    pub lines: bool,
}

/// A page.
pub struct Page<'a> {
    /// The result for people.
    pub report: &'a dyn Report,
    /// The result for programs.
    pub document: Document,
    /// Pictures.
    pub pictures: Vec<Picture>,
    /// The chart's first view, where there is a chart.
    pub view: Option<View>,
    /// The files read.
    pub inputs: &'a [InputFile],
}

impl Page<'_> {
    /// As HTML.
    #[must_use]
    pub fn html(&self) -> String {
        let sections = self.report.sections();
        let (verdict, rest) = split(&sections);
        let title = sections.iter().find_map(|section| if let Section::Title(title) = section { Some(title.as_str()) } else { None });
        let title = escaped(title.unwrap_or(self.document.output));
        let made = format!("supernode {} {}", env!("CARGO_PKG_VERSION"), self.document.output);
        let [library, library_style, licence] = LIBRARY;
        let tables = self.document.tables();
        let mut body = format!("<header>\n<h1>{title}</h1>\n<p class=\"made\">{made}</p>\n</header>\n<main>\n");
        body += &section("verdict", "Result", &verdict.iter().map(|part| prose(part)).collect::<String>());
        body += &self.view.map_or_else(String::new, chart);
        for Picture { title, note, svg } in &self.pictures {
            body += &section("picture", title, &format!("<p class=\"note\">{}</p>\n<div class=\"figure\">\n{svg}</div>\n", escaped(note)));
        }
        body += &power(&tables);
        body += &section("details", "Details", &rest.iter().map(|part| prose(part)).collect::<String>());
        body += &section("tables", "Data", &format!("<p class=\"note\">Raw figures in SI units, as --format csv writes them.</p>\n{}", raw(&tables)));
        body += &section("inputs", "Inputs and their sources", &self.inputs_html());
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<meta name=\"generator\" content=\"{made}\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{library_style}\n{STYLE}</style>\n</head>\n<body>\n{body}</main>\n\
             <!-- The chart library is uPlot.\n{licence}-->\n<script>\n{library}\n{SCRIPT}</script>\n</body>\n</html>\n"
        )
    }

    /// Every file with its hash, and the addresses that it gives for its figures.
    fn inputs_html(&self) -> String {
        let mut out = String::from(
            "<div class=\"scroll\"><table>\n<thead><tr><th class=\"left\">file</th><th class=\"left\">SHA-256</th><th class=\"left\">sources</th></tr></thead>\n<tbody>\n",
        );
        for file in self.inputs {
            let sources: Vec<String> = file.sources().iter().map(|(key, address)| source(key, address)).collect();
            let hash = file.hash.trim_start_matches("sha256:");
            let _ = writeln!(
                out,
                "<tr><td class=\"left\">{}</td><td class=\"left\"><code title=\"{hash}\">{}</code></td><td class=\"left wide\">{}</td></tr>",
                escaped(&file.path),
                &hash[..16.min(hash.len())],
                sources.join("<br>")
            );
        }
        out + "</tbody></table></div>\n"
    }
}

/// A link is followed only if the reader asks for it.
fn source(key: &str, address: &str) -> String {
    let (key, shown) = (escaped(key), escaped(address));
    if address.starts_with("https://") || address.starts_with("http://") {
        format!("{key}: <a rel=\"noreferrer\" href=\"{}\">{shown}</a>", shown.replace('"', "%22"))
    } else {
        format!("{key}: {shown}")
    }
}

/// What answers the question, and the rest: the title of the page is taken out. Where only a question stands there, its answer has a title of its own.
fn split(sections: &[Section]) -> (Vec<&Section>, Vec<&Section>) {
    let mut rest = sections.iter().peekable();
    rest.next_if(|section| matches!(section, Section::Title(_)));
    let mut verdict = Vec::new();
    while let Some(section) = rest.next_if(|section| !matches!(section, Section::Title(_)) && verdict.len() < 2) {
        verdict.push(section);
    }
    if verdict.iter().all(|section| matches!(section, Section::Note(_))) {
        verdict.extend(rest.next());
        while let Some(section) = rest.next_if(|section| !matches!(section, Section::Title(_))) {
            verdict.push(section);
        }
    }
    (verdict, rest.collect())
}

fn section(class: &str, title: &str, inner: &str) -> String {
    if inner.trim().is_empty() { String::new() } else { format!("<section class=\"{class}\">\n<h2>{}</h2>\n{inner}</section>\n", escaped(title)) }
}

/// A part of the report for people.
fn prose(section: &Section) -> String {
    match section {
        Section::Title(title) => format!("<h3>{}</h3>\n", escaped(title)),
        Section::Note(note) => format!("<p class=\"note\">{}</p>\n", escaped(note).replace('\n', "<br>\n")),
        Section::Facts(facts) => {
            let facts = facts.iter().map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value)));
            format!("<dl>\n{}</dl>\n", facts.collect::<String>())
        }
        Section::Table(table) if table.rows.is_empty() => String::new(),
        Section::Table(table) => formatted(table),
    }
}

fn formatted(table: &Table) -> String {
    let class = |at: usize| if table.columns[at].align == Align::Left { " class=\"left\"" } else { "" };
    let head: String = table.columns.iter().enumerate().map(|(at, column)| format!("<th{}>{}</th>", class(at), escaped(&column.name))).collect();
    let rows: String = table
        .rows
        .iter()
        .map(|row| {
            let cells: String = row.iter().enumerate().map(|(at, cell)| format!("<td{}>{}</td>", class(at), escaped(cell))).collect();
            format!("<tr>{cells}</tr>\n")
        })
        .collect();
    format!("<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n")
}

/// Longer text wraps.
const LONG: usize = 60;

/// All tables of the result, as they are.
fn raw(tables: &[(String, Records)]) -> String {
    let mut out = String::new();
    for (name, records) in tables.iter().filter(|(name, records)| records.rows() > 0 && name != "inputs") {
        let kind = |cells: &Cells| match cells {
            Cells::Text(_) => "text\" class=\"left",
            Cells::Number(_) => "number",
            Cells::Whole(_) => "integer",
            Cells::Truth(_) => "boolean\" class=\"left",
        };
        let head: String = records.columns.iter().map(|(name, cells)| format!("<th data-kind=\"{}\">{}</th>", kind(cells), escaped(name))).collect();
        let _ = writeln!(
            out,
            "<details>\n<summary>{name}, {}</summary>\n<div class=\"scroll\"><table class=\"data\" data-name=\"{name}\">\n<thead><tr>{head}</tr></thead>\n<tbody>",
            counted(records.rows(), "row")
        );
        for row in records.objects() {
            let cells: String = row.as_object().into_iter().flatten().map(|(_, cell)| raw_cell(cell)).collect();
            let _ = writeln!(out, "<tr>{cells}</tr>");
        }
        out += "</tbody></table></div>\n</details>\n";
    }
    out
}

fn raw_cell(cell: &Json) -> String {
    match cell {
        Json::Null => "<td></td>".to_owned(),
        Json::String(text) if text.chars().count() > LONG => format!("<td class=\"left wide\">{}</td>", escaped(text)),
        Json::String(text) => format!("<td class=\"left\">{}</td>", escaped(text)),
        other => format!("<td>{other}</td>"),
    }
}

/// Watts by part and by place, as bars.
fn power(tables: &[(String, Records)]) -> String {
    let mut inner = String::new();
    for (name, title) in [("power_by_part", "By part"), ("power_by_level", "By place"), ("power_by_operator", "By what it is drawn for")] {
        let Some((_, records)) = tables.iter().find(|(known, records)| known == name && records.rows() > 0) else { continue };
        let words = records.columns.iter().find_map(|(_, cells)| if let Cells::Text(words) = cells { Some(words) } else { None });
        let column = |name: &str| records.columns.iter().find(|(known, _)| known == name).map(|(_, cells)| cells);
        let label = ["part", "level", "operator"].iter().find_map(|label| column(label));
        let (Some(Cells::Text(names)), Some(Cells::Number(watts))) = (label.or(words.map(|_| &records.columns[0].1)), column("power_w")) else {
            continue;
        };
        let mut rows: Vec<(&str, f64)> = names.iter().zip(watts).filter_map(|(name, watts)| Some((name.as_deref()?, (*watts)?))).collect();
        rows.sort_by(|a, b| b.1.total_cmp(&a.1));
        let total: f64 = rows.iter().map(|row| row.1).sum();
        let most = rows.first().map_or(1.0, |row| row.1).max(f64::MIN_POSITIVE);
        let bars: String = rows
            .iter()
            .map(|(name, watts)| {
                let (width, share) = ((100.0 * watts / most).max(0.0), 100.0 * watts / total.max(f64::MIN_POSITIVE));
                format!("<span>{}</span><i style=\"width: {width:.1}%\"></i><b>{watts:.0} W, {share:.1} %</b>\n", escaped(name))
            })
            .collect();
        let _ = writeln!(inner, "<h3>{title}</h3>\n<div class=\"bars\">\n{bars}</div>");
    }
    section("power", "Power", &inner)
}

/// The chart's place and its controls; the script shows it.
fn chart(view: View) -> String {
    let View { table, x, y, by, lines } = view;
    let select = |name: &str, words: &str| format!("<label>{words} <select name=\"{name}\"></select></label>\n");
    let check = |name: &str, words: &str| format!("<label><input type=\"checkbox\" name=\"{name}\"> {words}</label>\n");
    format!(
        "<section id=\"explore\" class=\"explore\" hidden data-table=\"{table}\" data-x=\"{x}\" data-y=\"{y}\" data-by=\"{by}\" data-lines=\"{lines}\">\n<h2>Chart</h2>\n\
         <div class=\"controls\">\n{}{}{}{}{}{}{}<label>filter <input type=\"search\" name=\"filter\"></label>\n<button name=\"reset\" type=\"button\">all rows</button>\n</div>\n\
         <div id=\"chart\"><div id=\"tip\"></div></div>\n<p class=\"note\"><output name=\"count\"></output>. Point at a row for its figures, click to hold them; drag to brush; \
         click a name below to hide it.</p>\n</section>\n<noscript><p class=\"note\">The chart needs scripts; its figures stand in the tables below.</p></noscript>\n",
        select("table", "table"),
        select("x", "along"),
        select("y", "upwards"),
        select("by", "colour"),
        check("logx", "log along"),
        check("logy", "log upwards"),
        check("lines", "join"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_with_the_answer() {
        let title = |words: &str| Section::Title(words.to_owned());
        let note = |words: &str| Section::Note(words.to_owned());
        let table = || Section::Table(Table::new(&["a"]));
        // A question alone is no answer: what stands below the next title is.
        let asked = [title("study"), note("which?"), title("Answer"), note("this"), note("surely"), title("Designs"), table()];
        let (verdict, rest) = split(&asked);
        assert_eq!((verdict.len(), rest.len()), (4, 2));
        let plain = [title("machine"), table(), note("mark"), title("More"), note("rest")];
        let (verdict, rest) = split(&plain);
        assert_eq!((verdict.len(), rest.len()), (2, 2));
        let short = [title("study"), note("which?")];
        assert_eq!(split(&short).0.len(), 1);
    }
}
