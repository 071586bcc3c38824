//! What each hardware parameter gains.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use crate::study::{Case, Gain};

/// Gains of a design.
pub struct SensitivityReport {
    /// What was asked about.
    pub case: Case,
    /// Name people use.
    pub name: String,
    /// Largest first.
    pub gains: Vec<Gain>,
    /// Why nothing is served before any change, where nothing is.
    pub refusal: Option<String>,
}

impl Report for SensitivityReport {
    fn output(&self) -> &'static str {
        "sensitivity"
    }

    fn json(&self) -> Json {
        let gains: Vec<Json> = self
            .gains
            .iter()
            .map(|gain| {
                json!({
                    "parameter": gain.name, "change": gain.change, "values": gain.values, "tokens_per_s_gain": gain.tokens,
                    "tokens_per_joule_gain": gain.per_joule, "note": gain.note,
                })
            })
            .collect();
        json!({ "supernode": self.case.supernode, "workload": self.case.serves.workload, "target": self.case.target, "gains": gains, "refusal": self.refusal })
    }

    fn sections(&self) -> Vec<Section> {
        let mut table = Table::new(&["<parameter", "change", "values", "tokens/s a chip", "tokens/J", "<"]);
        let share = |gain: Option<f64>| gain.map_or("-".to_owned(), |gain| format!("{:+.2} %", gain * 100.0));
        for gain in &self.gains {
            let values = if gain.values == 0 { String::new() } else { gain.values.to_string() };
            table.row([gain.name.clone(), gain.change.clone(), values, share(gain.tokens), share(gain.per_joule), gain.note.clone()]);
        }
        let refusal =
            self.refusal.as_ref().map(|reason| Section::Note(format!("As it is it serves nothing, so there is nothing to compare with: {reason}.")));
        let title = Section::Title(format!("{}: what 10 % better parts gain", self.name));
        let sections = [title].into_iter().chain(refusal).chain([
            Section::Table(table),
            Section::Note(
                "Each row changes one parameter alone and searches the best mapping anew; rates go up by 10 %, times and energies down by a factor of 1.1. \
                 Tokens are those served of the target's mix."
                    .into(),
            ),
        ]);
        sections.collect()
    }
}
