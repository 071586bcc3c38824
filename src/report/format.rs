//! One report, four formats: aligned text, JSON, CSV, Markdown.

use std::fmt::Write as _;

use serde_json::Value as Json;
use unicode_width::UnicodeWidthStr;

/// How a report is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned tables for a terminal.
    Text,
    /// The contract's keys.
    Json,
    /// The tables, one after the other, each with its header.
    Csv,
    /// Tables for a document.
    Markdown,
}

/// Side on which a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column with its unit in its name.
#[derive(Clone, Debug)]
pub struct Column {
    /// Header.
    pub name: String,
    /// Side.
    pub align: Align,
}

/// Rows under columns.
#[derive(Clone, Debug)]
pub struct Table {
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows, each as long as the columns.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows; a header that starts with `<` stands left, all others right.
    #[must_use]
    pub fn new(headers: &[&str]) -> Self {
        let columns = headers
            .iter()
            .map(|header| match header.strip_prefix('<') {
                Some(name) => Column { name: name.to_owned(), align: Align::Left },
                None => Column { name: (*header).to_owned(), align: Align::Right },
            })
            .collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

/// A part of a report.
#[derive(Clone, Debug)]
pub enum Section {
    /// A heading.
    Title(String),
    /// What is what: name and value, aligned.
    Facts(Vec<(String, String)>),
    /// A table.
    Table(Table),
    /// A sentence or two.
    Note(String),
}

/// A result that can be printed.
pub trait Report {
    /// The contract's keys, without `schema`.
    fn json(&self) -> Json;
    /// Headings, facts and tables for people.
    fn sections(&self) -> Vec<Section>;
    /// The same for programs that read tables, where marks for people would stand in the cells.
    fn plain_sections(&self) -> Vec<Section> {
        self.sections()
    }
}

/// Lays a report out.
#[must_use]
pub fn render(report: &dyn Report, format: Format) -> String {
    match format {
        Format::Json => json(report.json()),
        Format::Text => report.sections().iter().map(text).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n"),
        Format::Markdown => report.sections().iter().map(markdown).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n"),
        Format::Csv => report.plain_sections().iter().filter_map(csv).collect::<Vec<_>>().join("\n"),
    }
}

fn json(value: Json) -> String {
    let mut object = serde_json::Map::new();
    object.insert("schema".into(), 1.into());
    match value {
        Json::Object(map) => object.extend(map),
        other => {
            object.insert("result".into(), other);
        }
    }
    let mut text = serde_json::to_string_pretty(&Json::Object(object)).unwrap_or_default();
    text.push('\n');
    text
}

/// Columns of a terminal that a text takes: two for a wide character.
fn width(text: &str) -> usize {
    text.width()
}

fn text(section: &Section) -> String {
    match section {
        Section::Title(title) => format!("{title}\n{}\n", "-".repeat(width(title))),
        Section::Note(note) => format!("{note}\n"),
        Section::Facts(facts) => {
            let widest = facts.iter().map(|fact| width(&fact.0)).max().unwrap_or(0);
            facts.iter().fold(String::new(), |mut out, (name, value)| {
                let _ = writeln!(out, "  {name}{}  {value}", " ".repeat(widest - width(name)));
                out
            })
        }
        Section::Table(table) if table.rows.is_empty() => String::new(),
        Section::Table(table) => text_table(table),
    }
}

fn text_table(table: &Table) -> String {
    let widths: Vec<usize> = (0..table.columns.len())
        .map(|column| {
            let cells = table.rows.iter().map(|row| width(&row[column]));
            cells.chain([width(&table.columns[column].name)]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).zip(&table.columns).map(|((cell, width_wanted), column)| {
            let padding = " ".repeat(width_wanted - width(cell));
            match column.align {
                Align::Left => format!("{cell}{padding}"),
                Align::Right => format!("{padding}{cell}"),
            }
        });
        format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    let header: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut out = line(&header);
    out += &line(&rule);
    for row in &table.rows {
        out += &line(row);
    }
    out
}

fn markdown(section: &Section) -> String {
    match section {
        Section::Title(title) => format!("## {title}\n"),
        Section::Note(note) => format!("{note}\n"),
        Section::Facts(facts) => facts.iter().fold(String::new(), |mut out, (name, value)| {
            let _ = writeln!(out, "- {name}: {value}");
            out
        }),
        Section::Table(table) if table.rows.is_empty() => String::new(),
        Section::Table(table) => {
            let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            let rule: Vec<&str> = table.columns.iter().map(|column| if column.align == Align::Left { ":--" } else { "--:" }).collect();
            let mut out = format!("| {} |\n| {} |\n", names.join(" | "), rule.join(" | "));
            for row in &table.rows {
                let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
            out
        }
    }
}

/// `12 345` without the space between its thousands; any other text as it is.
fn ungrouped(cell: &str) -> String {
    let cell = cell.trim();
    let mut groups = cell.trim_start_matches(['+', '-']).split(' ');
    let is_number = |group: &str, most: usize| (1..=most).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = groups.next().is_some_and(|first| is_number(first, 3)) && groups.all(|group| group.len() == 3 && is_number(group, 3));
    if grouped { cell.replace(' ', "") } else { cell.to_owned() }
}

fn csv(section: &Section) -> Option<String> {
    let quote = |cell: &str| if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() };
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    match section {
        Section::Table(table) => {
            let mut out = line(table.columns.iter().map(|column| quote(&column.name)).collect());
            for row in &table.rows {
                out += &line(row.iter().map(|cell| quote(&ungrouped(cell))).collect());
            }
            Some(out)
        }
        Section::Facts(facts) => {
            let rows = facts.iter().map(|(name, value)| line(vec![quote(name), quote(value)]));
            Some(rows.collect())
        }
        Section::Title(_) | Section::Note(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        let mut table = Table::new(&["<name", "GB"]);
        table.row(["机柜".to_owned(), "1".to_owned()]);
        table.row(["rack".to_owned(), "20".to_owned()]);
        assert_eq!(text(&Section::Table(table)), "  name  GB\n  ----  --\n  机柜   1\n  rack  20\n");
    }

    #[test]
    fn csv_has_numbers_without_spaces() {
        let cells = ["1 234 567", "-12 345", "123", "8 x H100", "2026 04", "1 MiB", "9.5"];
        assert_eq!(cells.map(ungrouped), ["1234567", "-12345", "123", "8 x H100", "2026 04", "1 MiB", "9.5"]);
    }
}
