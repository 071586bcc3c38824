//! `supernode fan-in`: efficiency against ranks, and the lines of the switch's file.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use crate::network::{FanInCurve, FanInPoint};

/// Fan-in on one machine.
#[derive(Clone, Debug)]
pub struct FanInReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Names of the machine's switches.
    pub switches: Vec<String>,
    /// What packets found.
    pub found: FanInCurve,
    /// What the packet level assumed.
    pub notes: Vec<String>,
}

impl Report for FanInReport {
    fn output(&self) -> &'static str {
        "fan-in"
    }

    fn json(&self) -> Json {
        let point =
            |point: &FanInPoint| json!({ "ranks": point.ranks, "efficiency": point.efficiency, "spread": point.spread, "fitted": point.fitted });
        json!({
            "supernode": self.supernode,
            "switches": self.switches,
            "points": self.found.points.iter().map(point).collect::<Vec<_>>(),
            "limit": self.found.limit,
            "rest": self.found.rest,
            "error": self.found.error,
            "notes": self.notes,
        })
    }

    fn sections(&self) -> Vec<Section> {
        let FanInCurve { points, limit, rest, error } = &self.found;
        let mut table = Table::new(&["ranks", "efficiency", "spread of draws", "fitted"]);
        for point in points {
            let digits = |share: f64| format!("{share:.3}");
            table.row([point.ranks.to_string(), digits(point.efficiency), format!("± {:.3}", point.spread), digits(point.fitted)]);
        }
        let mut sections = vec![
            Section::Title(format!("fan-in on {}, {}", self.supernode, self.switches.join(", "))),
            Section::Note("All-to-all, every chip with an order of its own: fair time over time with packets, in steady state.".to_owned()),
            Section::Table(table),
            Section::Note(format!("Form: limit + rest / senders, at most 1; largest error {:.1} %. For the switch's file:", 100.0 * error)),
            Section::Note(format!("fan_in = {{ limit = {limit:.3}, rest = {rest:.3} }}")),
        ];
        sections.extend(self.notes.iter().map(|note| Section::Note(format!("{note}."))));
        sections
    }
}
