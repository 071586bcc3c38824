//! A study for people: what was tried, the designs side by side, what they show.

use serde_json::{Value as Json, json};

use super::bars::{bars, cell};
use super::chart::{ChartLine, LineChart};
use super::format::{Report, Section, Table};
use crate::input::document::{At, Chart};
use crate::study::{Claim, Demands, Probability, Space, SweptRow, Validity, chosen, columns};
use crate::units::{counted, si};

/// A longer table shows nothing.
const MOST_SHOWN: usize = 60;

/// Columns of a report whose study does not choose its own.
const SHOWN: [&str; 5] =
    ["prefill_per_chip_tokens_per_s", "decode_per_chip_tokens_per_s", "served_per_chip_tokens_per_s", "served_per_kilowatt_tokens_per_s", "racks_w"];

/// A study's results.
pub struct SweepReport<'a> {
    /// The study.
    pub space: &'a Space,
    /// What it asks of designs.
    pub demands: &'a Demands,
    /// Its rows, in order.
    pub rows: &'a [SweptRow],
    /// What they show.
    pub findings: Vec<Claim>,
    /// Pictures: title and file name, for documents.
    pub pictures: Vec<(String, String)>,
}

/// A column of figures: its number, header and scale.
fn heading(space: &Space, key: &str) -> Option<(usize, String, f64)> {
    let at = space.figures().iter().position(|known| known == key)?;
    Some(columns().nth(at).map_or((at, format!("{}, µs", key.trim_end_matches("_s")), 1e-6), |column| (at, column.name.to_owned(), column.scale)))
}

impl SweepReport<'_> {
    fn feasible(&self) -> usize {
        self.rows.iter().filter(|row| self.demands.met(&row.outcome)).count()
    }

    /// Designs that differ, and the rows to show: all, or the best of a long list.
    fn table(&self) -> (Table, bool) {
        let names = self.space.label_names();
        let varying: Vec<usize> = (0..names.len()).filter(|at| self.space.sizes()[*at] != 1).collect();
        let own = &self.space.spec.study.show;
        let shown: Vec<&str> = if own.is_empty() { SHOWN.to_vec() } else { own.iter().map(|key| key.as_str()).collect() };
        let figures: Vec<_> = shown.iter().filter_map(|key| heading(self.space, key)).collect();
        let marks = !self.demands.objectives.is_empty();
        let with_notes = self.rows.iter().any(|row| !row.outcome.note.is_empty());
        let mut headers: Vec<String> = varying.iter().map(|at| format!("<{}", names[*at])).collect();
        headers.extend(figures.iter().map(|(_, name, _)| name.clone()));
        headers.extend(marks.then(|| "front".to_owned()));
        headers.extend(with_notes.then(|| "<why not".to_owned()));
        let mut table = Table::new(&headers.iter().map(String::as_str).collect::<Vec<_>>());
        let front = self.demands.front(self.rows);
        let all = self.rows.len() <= MOST_SHOWN;
        let chosen = self.rows.iter().zip(&front).filter(|(row, front)| all || if marks { **front } else { self.demands.met(&row.outcome) });
        for (row, front) in chosen.take(MOST_SHOWN) {
            let labels = self.space.labels(&self.space.point(row.index));
            let mut cells: Vec<String> = varying.iter().map(|at| labels[*at].clone()).collect();
            if let Some(standing) = self.space.standing(&labels[0]) {
                cells.iter_mut().filter(|cell| **cell == labels[0]).for_each(|cell| *cell = format!("{cell} ({standing})"));
            }
            cells.extend(figures.iter().map(|(at, _, scale)| row.outcome.figures[*at].map_or("-".to_owned(), |value| cell(value / scale))));
            cells.extend(marks.then(|| if *front { "*".to_owned() } else { String::new() }));
            cells.extend(with_notes.then(|| row.outcome.note.clone()));
            table.row(cells);
        }
        (table, all)
    }
}

impl Report for SweepReport<'_> {
    fn output(&self) -> &'static str {
        "sweep"
    }

    fn json(&self) -> Json {
        let front = self.demands.front(self.rows);
        let on_front: Vec<u64> = self.rows.iter().zip(&front).filter(|(_, front)| **front).map(|(row, _)| row.index).collect();
        let findings: Vec<Json> = self.findings.iter().map(finding).collect();
        json!({
            "study": self.space.spec.id, "name": self.space.spec.study.name, "designs": self.rows.len(), "feasible": self.feasible(),
            "pareto": on_front, "findings": findings,
        })
    }

    fn sections(&self) -> Vec<Section> {
        let study = &self.space.spec.study;
        let mut sections = vec![Section::Title(study.name.clone())];
        sections.extend(study.question.iter().cloned().map(Section::Note));
        let (answer, others): (Vec<&Claim>, Vec<&Claim>) = self.findings.iter().partition(|told| told.answer);
        // A study that marks no answer lists its findings under its question.
        let has_answer = !answer.is_empty();
        let heading = |words: &str| has_answer.then(|| Section::Title(words.to_owned()));
        if has_answer {
            sections.extend(heading("Answer"));
            let short = |told: &&Claim| said(told, Probability::short, Validity::short);
            sections.push(Section::Note(answer.iter().map(short).collect::<Vec<_>>().join(" ")));
            sections.extend(self.shown_pictures());
            let limited = answer.into_iter().filter(|told| told.probability.is_some() || told.validity.is_some());
            let lines: Vec<String> = limited.map(in_full).collect();
            if !lines.is_empty() {
                sections.extend(heading("How sure"));
                sections.push(Section::Note(lines.join("\n")));
            }
        }
        if !others.is_empty() {
            sections.extend(heading("What the designs show"));
            sections.push(Section::Note(others.into_iter().map(in_full).collect::<Vec<_>>().join("\n")));
        }
        if !has_answer {
            sections.extend(self.shown_pictures());
        }
        let (table, all) = self.table();
        sections.push(Section::Table(table));
        let count = format!("{}, {} that run and keep to the constraints.", counted(self.rows.len(), "design"), self.feasible());
        let listed = match (all, self.demands.objectives.is_empty()) {
            (true, _) => "",
            (false, true) => " The first of them are shown; --out writes all.",
            (false, false) => " The Pareto front is shown; --out writes all.",
        };
        let mark = if self.demands.objectives.is_empty() { "" } else { " * no other design is as good in every objective and better in one." };
        sections.push(Section::Note(format!("{count}{listed}{mark}")));
        sections.extend(self.changes());
        sections.extend(heading("What is held equal, and what is left out").filter(|_| !study.notes.is_empty()));
        sections.extend(study.notes.iter().cloned().map(Section::Note));
        sections
    }
}

impl SweepReport<'_> {
    fn shown_pictures(&self) -> impl Iterator<Item = Section> + use<'_> {
        self.pictures.iter().map(|(title, file)| Section::Note(format!("![{title}]({file})")))
    }

    /// What would change the answer: in words, where findings flip along an axis, and which figures move them most.
    fn changes(&self) -> Vec<Section> {
        let written = self.space.spec.study.changes.iter().map(|change| format!("- {change}"));
        let moved = self.findings.iter().filter_map(|told| {
            let figures = &told.probability.as_ref()?.rests_on;
            let named = figures.iter().map(|(path, confidence, correlation)| {
                let confidence = confidence.as_deref().map_or(String::new(), |word| format!("{word}, "));
                format!("`{path}` ({confidence}{correlation:+.2})")
            });
            (!figures.is_empty()).then(|| format!("- \"{}\" moves with {}.", plain(&told.text), named.collect::<Vec<_>>().join(", ")))
        });
        let lines: Vec<String> = written.chain(moved).collect();
        if lines.is_empty() {
            return Vec::new();
        }
        let legend = self.findings.iter().any(|told| told.probability.as_ref().is_some_and(|chance| !chance.rests_on.is_empty()));
        let legend = legend
            .then(|| Section::Note("Figures stand with their confidence and their rank correlation with the finding over the draws.".to_owned()));
        [Section::Title("What would change the answer".to_owned()), Section::Note(lines.join("\n"))].into_iter().chain(legend).collect()
    }
}

/// A sentence without what ends it.
fn plain(text: &str) -> &str {
    text.trim_end_matches(['.', ',', ';', ':'])
}

/// A finding as an entry of a list, with everything that limits it.
fn in_full(told: &Claim) -> String {
    format!("- {}", said(told, Probability::sentence, Validity::sentence))
}

/// A finding with what limits it in brackets.
fn said(told: &Claim, sure: fn(&Probability) -> String, valid: fn(&Validity) -> String) -> String {
    let limits: Vec<String> = told.probability.iter().map(sure).chain(told.validity.iter().map(valid)).collect();
    let mark = if told.holds { "" } else { "NO LONGER TRUE: " };
    if limits.is_empty() {
        return format!("{mark}{}", told.text);
    }
    let words = plain(&told.text);
    format!("{mark}{words} ({}){}", limits.join("; "), &told.text[words.len()..])
}

fn finding(told: &Claim) -> Json {
    let chance = told.probability.as_ref();
    let rests_on = chance.iter().flat_map(|chance| &chance.rests_on);
    let rests_on: Vec<Json> =
        rests_on.map(|(path, confidence, correlation)| json!({ "path": path, "confidence": confidence, "correlation": correlation })).collect();
    let validity = told.validity.iter().flat_map(|validity| {
        validity.entries.iter().map(|(entry, told)| {
            json!({ "axis": validity.axis, "entry": entry, "shows": told.as_ref().map(|told| &told.0), "holds": told.as_ref().map(|told| told.1) })
        })
    });
    json!({
        "says": told.text, "value": told.value, "holds": told.holds, "answer": told.answer,
        "probability": chance.map(|chance| chance.share), "low": chance.and_then(|chance| Some(chance.between?[0])),
        "high": chance.and_then(|chance| Some(chance.between?[1])), "assumed_share": chance.map(|chance| chance.assumed),
        "rests_on": rests_on, "along": validity.collect::<Vec<_>>(), "verdict": told.validity.as_ref().map(Validity::verdict),
    })
}

/// Different labels: numbers by their size, words in the order in which the designs have them.
fn in_order<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut order: Vec<&str> = Vec::new();
    for label in labels {
        if !order.contains(&label) {
            order.push(label);
        }
    }
    let number = |label: &str| label.parse::<f64>().ok().or_else(|| si(label));
    if order.iter().all(|label| number(label).is_some()) {
        order.sort_by(|a, b| number(a).unwrap_or(0.0).total_cmp(&number(b).unwrap_or(0.0)));
    }
    order
}

/// A label with a number of at most four digits: drawn values have more than anyone reads.
fn shortened(label: &str) -> String {
    let (number, unit) = label.split_once(' ').map_or((label, None), |(number, unit)| (number, Some(unit)));
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let Some(value) = number.parse::<f64>().ok().filter(|_| digits > 4) else { return label.to_owned() };
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    unit.map_or_else(|| rounded.to_string(), |unit| format!("{rounded} {unit}"))
}

/// The unit that all labels of an axis have, and the labels without it; the labels as they are where units differ.
fn common_unit(labels: Vec<String>) -> (String, Vec<String>) {
    let split = |label: &str| {
        let (number, unit) = label.split_once(' ')?;
        number.parse::<f64>().ok().map(|_| (number.to_owned(), unit.to_owned()))
    };
    let parts: Option<Vec<(String, String)>> = labels.iter().map(|label| split(label)).collect();
    match parts.as_deref() {
        Some([first, rest @ ..]) if rest.iter().all(|part| part.1 == first.1) => {
            (format!(", {}", first.1), parts.iter().flatten().map(|part| part.0.clone()).collect())
        }
        _ => (String::new(), labels),
    }
}

/// A figure's name with its unit, which the names of rates leave out where a table has many of them; a count or a share has none.
fn with_unit(key: &str, name: &str) -> String {
    let is_rate = key.ends_with("tokens_per_s") && !name.contains("tokens/s");
    if is_rate { format!("{name}, tokens/s") } else { name.to_owned() }
}

/// What several figures are of: their name if they are one, the unit if they have the same.
fn upwards(headers: &[String]) -> String {
    let unit = |header: &String| header.rsplit_once(", ").map(|(_, unit)| unit.to_owned());
    match headers {
        [one] => one.clone(),
        [first, rest @ ..] if unit(first).is_some() && rest.iter().all(|header| unit(header) == unit(first)) => unit(first).unwrap_or_default(),
        _ => "each line in the unit of its name".to_owned(),
    }
}

/// The rows of a study as a picture in SVG: lines along an axis, or bars.
#[must_use]
pub fn picture_of(space: &Space, demands: &Demands, rows: &[SweptRow], chart: &Chart) -> String {
    let lines = chart_of(space, demands, rows, chart);
    if chart.bars { bars(&lines, &|name| space.standing(name)) } else { lines.svg() }
}

fn chart_of(space: &Space, demands: &Demands, rows: &[SweptRow], chart: &Chart) -> LineChart {
    let names = space.label_names();
    let at = |name: &str| names.iter().position(|known| known == name);
    let along = at(&chart.x).unwrap_or(0);
    let by: Vec<usize> = chart.by.iter().chain(&chart.and).filter_map(|by| at(by)).collect();
    let figure = |key: &At<String>| heading(space, key).map(|(figure, header, scale)| (figure, with_unit(key, &header), scale));
    let figures: Vec<_> = chart.y.iter().filter_map(figure).collect();
    let mut ticks: Vec<(f64, String)> = Vec::new();
    let mut lines: Vec<ChartLine> = Vec::new();
    let drawn: Vec<(&SweptRow, Vec<String>)> =
        rows.iter().map(|row| (row, space.labels(&space.point(row.index)))).filter(|(_, labels)| chosen(&names, labels, &chart.of)).collect();
    let order = in_order(drawn.iter().map(|(_, labels)| labels[along].as_str()));
    for (row, labels) in drawn.iter().filter(|(row, _)| demands.met(&row.outcome)) {
        // Entries of an axis stand at equal distances, in their order, those without a feasible design too.
        let position = order.iter().position(|label| *label == labels[along]).unwrap_or(0) as f64;
        if !ticks.iter().any(|tick| tick.0 == position) {
            ticks.push((position, shortened(&labels[along])));
        }
        for (figure, header, scale) in &figures {
            let Some(value) = row.outcome.figures[*figure] else { continue };
            let own = (!by.is_empty()).then(|| by.iter().map(|by| labels[*by].as_str()).collect::<Vec<_>>().join(", "));
            let name = match (own, figures.len()) {
                (Some(own), 1) => own,
                (Some(own), _) => format!("{own}: {header}"),
                (None, _) => header.clone(),
            };
            let line = lines.iter().position(|line| line.name == name).unwrap_or_else(|| {
                lines.push(ChartLine { name, points: Vec::new() });
                lines.len() - 1
            });
            lines[line].points.push((position, value / scale));
        }
    }
    ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
    lines.iter_mut().for_each(|line| line.points.sort_by(|a, b| a.0.total_cmp(&b.0)));
    let headers: Vec<String> = figures.iter().map(|(_, header, _)| header.clone()).collect();
    let (positions, labels): (Vec<f64>, Vec<String>) = ticks.into_iter().unzip();
    let (unit, labels) = common_unit(labels);
    LineChart {
        title: chart.title.clone(),
        x: format!("{}{unit}", *chart.x),
        y: upwards(&headers),
        ticks: positions.into_iter().zip(labels).collect(),
        lines,
        log: chart.log,
    }
}

#[cfg(test)]
mod tests {
    use super::{common_unit, in_order, shortened, upwards};

    #[test]
    fn axes_have_units() {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(common_unit(owned(&["2 TB/s", "4 TB/s"])), (", TB/s".to_owned(), owned(&["2", "4"])));
        assert_eq!(common_unit(owned(&["800 Gbit/s", "1.6 Tbit/s"])), (String::new(), owned(&["800 Gbit/s", "1.6 Tbit/s"])));
        assert_eq!(upwards(&owned(&["racks, kW"])), "racks, kW");
        assert_eq!(upwards(&owned(&["racks, kW", "rated, kW"])), "kW");
        assert_eq!(upwards(&owned(&["racks, kW", "TPOT, ms"])), "each line in the unit of its name");
    }

    #[test]
    fn an_axis_runs_forward() {
        assert_eq!(in_order(["b", "a", "b"].into_iter()), ["b", "a"]);
        assert_eq!(in_order(["400 Gbit/s", "1.6 Tbit/s", "800 Gbit/s"].into_iter()), ["400 Gbit/s", "800 Gbit/s", "1.6 Tbit/s"]);
        assert_eq!(in_order(["16", "2", "128"].into_iter()), ["2", "16", "128"]);
        assert_eq!(
            [shortened("1.2345678901234"), shortened("123.456789 GB/s"), shortened("1024"), shortened("tp=8")],
            ["1.235", "123.5 GB/s", "1024", "tp=8"]
        );
    }
}
