//! A study for people: what was tried, the designs side by side, what they show.

use serde_json::{Value as Json, json};

use super::chart::{Line, LineChart};
use super::format::{Report, Section, Table};
use crate::input::document::Chart;
use crate::study::{Claim, Demands, Space, SweptRow, chosen, columns, digits};
use crate::units::si;

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
        let findings: Vec<Json> = self.findings.iter().map(|told| json!({ "says": told.text, "value": told.value, "holds": told.holds })).collect();
        json!({
            "study": self.space.spec.id, "name": self.space.spec.study.name, "designs": self.rows.len(), "feasible": self.feasible(),
            "pareto": on_front, "findings": findings,
        })
    }

    fn sections(&self) -> Vec<Section> {
        let study = &self.space.spec.study;
        let mut sections = vec![Section::Title(study.name.clone())];
        sections.extend(study.question.iter().cloned().map(Section::Note));
        if !self.findings.is_empty() {
            let lines =
                self.findings.iter().map(|told| if told.holds { format!("- {}", told.text) } else { format!("- NO LONGER TRUE: {}", told.text) });
            sections.push(Section::Note(lines.collect::<Vec<_>>().join("\n")));
        }
        sections.extend(self.pictures.iter().map(|(title, file)| Section::Note(format!("![{title}]({file})"))));
        let (table, all) = self.table();
        sections.push(Section::Table(table));
        let count = format!("{} designs, {} that run and keep to the constraints.", self.rows.len(), self.feasible());
        let listed = match (all, self.demands.objectives.is_empty()) {
            (true, _) => "",
            (false, true) => " The first of them are shown; --out writes all.",
            (false, false) => " The Pareto front is shown; --out writes all.",
        };
        let mark = if self.demands.objectives.is_empty() { "" } else { " * no other design is as good in every objective and better in one." };
        sections.push(Section::Note(format!("{count}{listed}{mark}")));
        sections.extend(study.notes.iter().cloned().map(Section::Note));
        sections
    }
}

/// A count without decimals, anything else with three digits.
pub(super) fn cell(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 100.0 { format!("{value}") } else { digits(value) }
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

/// The rows of a study as a picture.
#[must_use]
pub fn chart_of(space: &Space, demands: &Demands, rows: &[SweptRow], chart: &Chart) -> LineChart {
    let names = space.label_names();
    let at = |name: &str| names.iter().position(|known| known == name);
    let along = at(&chart.x).unwrap_or(0);
    let by = chart.by.as_ref().and_then(|by| at(by));
    let figures: Vec<_> = chart.y.iter().filter_map(|key| heading(space, key)).collect();
    let mut ticks: Vec<(f64, String)> = Vec::new();
    let mut lines: Vec<Line> = Vec::new();
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
            let own = by.map(|by| labels[by].clone());
            let name = match (own, figures.len()) {
                (Some(own), 1) => own,
                (Some(own), _) => format!("{own}: {header}"),
                (None, _) => header.clone(),
            };
            let line = lines.iter().position(|line| line.name == name).unwrap_or_else(|| {
                lines.push(Line { name, points: Vec::new() });
                lines.len() - 1
            });
            lines[line].points.push((position, value / scale));
        }
    }
    ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
    lines.iter_mut().for_each(|line| line.points.sort_by(|a, b| a.0.total_cmp(&b.0)));
    let y = figures.iter().map(|(_, header, _)| header.clone()).collect::<Vec<_>>();
    LineChart {
        title: chart.title.clone(),
        x: chart.x.to_string(),
        y: if y.len() == 1 { y.concat() } else { String::new() },
        ticks,
        lines,
        log: chart.log,
    }
}

#[cfg(test)]
mod tests {
    use super::{in_order, shortened};

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
