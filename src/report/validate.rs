//! `supernode validate`: every case, then the errors by quantity and by machine.

use serde_json::{Value as Json, json};

use super::comparison::{comparison_json, comparison_sections, not_predicted};
use super::format::{Report, Section, Table};
use crate::validation::{Comparison, MedianBound, Score};

/// Predictions beside measurements.
#[derive(Clone, Debug)]
pub struct ValidateReport {
    /// In the order of the files.
    pub cases: Vec<Comparison>,
    /// By quantity, by machine and quantity, and all.
    pub scores: Vec<Score>,
    /// Scores that are worse than their committed bound.
    pub exceeded: Vec<(Score, MedianBound)>,
    /// Whether the cases themselves are left out of tables; JSON has them always.
    pub summary: bool,
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn score_json(score: &Score) -> Json {
    json!({
        "system": score.system,
        "quantity": score.quantity,
        "count": score.count,
        "median_absolute_error": score.median,
        "p90_absolute_error": score.ninetieth,
        "bias": score.bias,
    })
}

impl ValidateReport {
    fn table<'a>(&self, first: &str, scores: impl Iterator<Item = &'a Score>) -> Section {
        let mut table = Table::new(&[first, "<system", "cases", "median error", "p90 error", "bias"]);
        for score in scores {
            table.row([
                score.quantity.clone().unwrap_or_else(|| "all".into()),
                score.system.clone().unwrap_or_else(|| "all".into()),
                score.count.to_string(),
                percent(score.median),
                percent(score.ninetieth),
                format!("{:+.1} %", 100.0 * score.bias),
            ]);
        }
        Section::Table(table)
    }
}

impl Report for ValidateReport {
    fn json(&self) -> Json {
        json!({
            "cases": self.cases.iter().map(comparison_json).collect::<Vec<_>>(),
            "scores": self.scores.iter().map(score_json).collect::<Vec<_>>(),
            "exceeded": self.exceeded.iter().map(|(score, bound)| json!({
                "system": bound.system, "quantity": bound.quantity, "median_absolute_error": score.median, "bound": bound.median,
            })).collect::<Vec<_>>(),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections = Vec::new();
        if !self.summary {
            sections.push(Section::Title("Predicted beside measured".into()));
            sections.extend(comparison_sections(&self.cases));
        }
        sections.push(Section::Title("Errors by machine and quantity".into()));
        sections.push(self.table("<quantity", self.scores.iter().filter(|score| score.system.is_some())));
        sections.push(Section::Title("Errors by quantity".into()));
        sections.push(self.table("<quantity", self.scores.iter().filter(|score| score.system.is_none())));
        let left_out = not_predicted(&self.cases);
        if self.summary && !left_out.is_empty() {
            sections.push(Section::Title("Not predicted, and why".into()));
            sections.push(Section::Facts(left_out));
        }
        for (score, bound) in &self.exceeded {
            sections.push(Section::Note(format!(
                "{} on {}: the median error is {}, committed is {}.",
                bound.quantity,
                bound.system,
                percent(score.median),
                percent(bound.median)
            )));
        }
        sections
    }
}
