//! `supernode compare`: a column a design, the best marked, ratios to the first.

use serde_json::{Value as Json, json};

use super::drawn_ranges::{ranges_rows, ranges_section};
use super::format::{Report, Section, Table};
use super::records::{Cells, Records, figures};
use super::standing::{standing_note, standing_words};
use crate::input::document::Standing;
use crate::study::{ComparedRow, DrawnRanges, grouped};

/// Designs side by side.
#[derive(Clone, Debug)]
pub struct CompareReport {
    /// Shipped names or paths, in the order given.
    pub supernodes: Vec<String>,
    /// Workload's name.
    pub workload: (String, String),
    /// Target's name.
    pub target: (String, String),
    /// The chip that all have, where they do.
    pub same_chip: Option<String>,
    /// By design: why it serves nothing, where it does not.
    pub refusals: Vec<Option<String>>,
    /// By design: name of the serving engine in force.
    pub engines: Vec<Option<String>>,
    /// By design: what its prices are of, and what has none.
    pub prices: Vec<String>,
    /// Power of the hall over power of the racks, by design.
    pub pue: Vec<f64>,
    /// By design: what its description is of, where it is not of a machine that runs.
    pub standing: Vec<Option<Standing>>,
    /// Figures.
    pub rows: Vec<ComparedRow>,
    /// By design: how far values with a range move it; empty if that was not asked for, or cannot be drawn.
    pub ranges: Vec<DrawnRanges>,
}

impl Report for CompareReport {
    fn output(&self) -> &'static str {
        "compare"
    }

    fn json(&self) -> Json {
        let figures: serde_json::Map<String, Json> =
            self.rows.iter().map(|row| (row.key.to_owned(), json!({ "values": row.values, "bands": row.bands, "best": row.best() }))).collect();
        json!({
            "supernodes": self.supernodes, "workload": self.workload.0, "target": self.target.0, "same_chip": self.same_chip, "figures": figures,
            "refusals": self.refusals, "pue": self.pue, "engines": self.engines, "prices": self.prices,
            "standing": self.standing.iter().map(|standing| standing_words(standing.as_ref())[0]).collect::<Vec<_>>(),
            "draws": self.ranges.first().map(|ranges| ranges.draws),
            "uncertainty": self.ranges.first().map(|_| ranges_rows(&self.supernodes, &self.ranges)),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let held = self.same_chip.as_ref().map_or(String::new(), |chip| format!(", all with the chip {chip}"));
        let mut sections = vec![
            Section::Title(format!("{} against {}{held}", self.workload.1, self.target.1)),
            Section::Table(self.table()),
            Section::Note("* is the best of its row; (x) is relative to the first design; - has no such figure.".into()),
        ];
        for (supernode, standing) in self.supernodes.iter().zip(&self.standing) {
            sections.extend(standing.as_ref().map(|standing| Section::Note(format!("{supernode} is {}.", standing_note(standing)))));
        }
        if self.rows.iter().any(|row| row.bands.iter().any(Option::is_some)) {
            let how = "[low..high] has all guessed figures of chip and links at the worst and at the best end of their ranges; * then marks every design that may be best";
            sections.push(Section::Note(format!("{how}.")));
        }
        sections.extend(ranges_section(&self.supernodes, &self.ranges));
        let named: Vec<String> =
            self.supernodes.iter().zip(&self.engines).map(|(name, engine)| format!("{name} {}", engine.as_deref().unwrap_or("none"))).collect();
        sections.push(Section::Note(format!("Serving engines: {}.", named.join(", "))));
        for (supernode, reason) in self.supernodes.iter().zip(&self.refusals) {
            sections.extend(reason.as_ref().map(|reason| Section::Note(format!("{supernode} serves nothing: {reason}."))));
        }
        let same = self.pue.windows(2).all(|pair| pair[0] == pair[1]);
        let hall = if same { format!("one hall with PUE {}", self.pue.first().copied().unwrap_or(1.0)) } else { "halls of their own".to_owned() };
        sections.push(Section::Note(format!("All stand in {hall}; `--pue` sets another, `--pue own` each machine's.")));
        for (supernode, prices) in self.supernodes.iter().zip(&self.prices) {
            sections.push(Section::Note(format!("{supernode}: {prices}.")));
        }
        sections
    }
}

impl CompareReport {
    /// One row a design, one column a figure.
    #[must_use]
    pub fn records(&self) -> Records {
        let mut columns = vec![("supernode".to_owned(), Cells::Text(self.supernodes.iter().cloned().map(Some).collect()))];
        columns.extend(self.rows.iter().map(|row| (row.key.to_owned(), figures(row.key, row.values.iter().copied()))));
        Records { columns, about: Vec::new() }
    }

    /// Figures by design, with ratios to the first and the best marked.
    fn table(&self) -> Table {
        let headers: Vec<&str> = std::iter::once("<figure").chain(self.supernodes.iter().map(String::as_str)).collect();
        let mut table = Table::new(&headers);
        for row in &self.rows {
            let best = row.best();
            let cells = row.values.iter().enumerate().map(|(index, value)| {
                let Some(value) = value else { return "- ".to_owned() };
                let mark = if best.contains(&index) { "*" } else { " " };
                let ratio = match row.values[0] {
                    Some(first) if index > 0 && first > 0.0 => format!(" ({:.2}x)", value / first),
                    _ => String::new(),
                };
                let band =
                    row.bands[index].map_or(String::new(), |[low, high]| format!(" [{}..{}]", digits(low / row.scale), digits(high / row.scale)));
                format!("{}{band}{ratio}{mark}", digits(value / row.scale))
            });
            table.row(std::iter::once(row.name.to_owned()).chain(cells));
        }
        table
    }
}

/// Three significant digits, or all digits before the point; a count stays whole.
fn digits(value: f64) -> String {
    match value.abs() {
        whole if whole.fract() == 0.0 => grouped(value),
        large if large >= 100.0 => grouped(value),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.5}"),
    }
}
