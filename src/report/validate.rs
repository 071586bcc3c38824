//! `supernode validate`: every case, then the errors by quantity and by machine.

use serde_json::{Value as Json, json};

use super::comparison::{comparison_json, comparison_sections, not_predicted};
use super::format::{Report, Section, Table};
use crate::validation::{Comparison, MedianBound, Score, Summary};

/// Predictions beside measurements.
#[derive(Clone, Debug)]
pub struct ValidateReport {
    /// In the order of the files.
    pub cases: Vec<Comparison>,
    /// By quantity, by machine and quantity, and all.
    pub scores: Vec<Score>,
    /// Errors inside and outside the fit, by quantity and by machine and quantity.
    pub summaries: Vec<Summary>,
    /// Scores that are worse than their committed bound; nothing where they were not compared with bounds.
    pub exceeded: Option<Vec<(Score, MedianBound)>>,
    /// Whether the cases themselves are left out of tables; JSON has them always.
    pub summary: bool,
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The figures of a score; nothing where nothing was scored.
fn figures_json(score: &Score) -> Json {
    let known = |figure: f64| (score.count > 0).then_some(figure);
    json!({ "count": score.count, "median": known(score.median), "p90": known(score.ninetieth), "bias": known(score.bias) })
}

fn summary_json(summary: &Summary) -> Json {
    json!({
        "quantity": summary.quantity,
        "system": summary.system,
        "in_fit": figures_json(&summary.in_fit),
        "out_of_fit": figures_json(&summary.out_of_fit),
        "from_relative": figures_json(&summary.from_relative),
    })
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

/// Errors by group.
fn score_table<'a>(first: &str, scores: impl Iterator<Item = &'a Score>) -> Section {
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

impl ValidateReport {
    fn summary_table(&self) -> Section {
        let mut table = Table::new(&[
            "<quantity",
            "<system",
            "cases",
            "median in fit",
            "p90 in fit",
            "median outside",
            "p90 outside",
            "bias outside",
            "median from relative",
            "p90 from relative",
        ]);
        for summary in &self.summaries {
            let Summary { in_fit, out_of_fit, from_relative, .. } = summary;
            let [inside, outside, relative] = [in_fit, out_of_fit, from_relative].map(|score| {
                let figure = |text: String| if score.count > 0 { text } else { "-".to_owned() };
                [figure(percent(score.median)), figure(percent(score.ninetieth)), figure(format!("{:+.1} %", 100.0 * score.bias))]
            });
            let [[median, ninetieth, _], [outside_median, outside_ninetieth, bias], [relative_median, relative_ninetieth, _]] =
                [inside, outside, relative];
            table.row([
                summary.quantity.clone(),
                summary.system.clone().unwrap_or_else(|| "all".into()),
                in_fit.count.to_string(),
                median,
                ninetieth,
                outside_median,
                outside_ninetieth,
                bias,
                relative_median,
                relative_ninetieth,
            ]);
        }
        Section::Table(table)
    }
}

impl Report for ValidateReport {
    fn output(&self) -> &'static str {
        "validate"
    }

    fn json(&self) -> Json {
        let mut keys = json!({
            "cases": self.cases.iter().map(comparison_json).collect::<Vec<_>>(),
            "summary": self.summaries.iter().map(summary_json).collect::<Vec<_>>(),
            "scores": self.scores.iter().map(score_json).collect::<Vec<_>>(),
        });
        if let Some(exceeded) = &self.exceeded {
            let worse = |(score, bound): &(Score, MedianBound)| json!({ "system": bound.system, "quantity": bound.quantity, "median_absolute_error": score.median, "bound": bound.median });
            keys["exceeded"] = exceeded.iter().map(worse).collect();
        }
        keys
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections = Vec::new();
        if !self.summary {
            sections.push(Section::Title("Predicted beside measured".into()));
            sections.extend(comparison_sections(&self.cases));
        }
        sections.push(Section::Title("Errors by machine and quantity".into()));
        sections.push(score_table("<quantity", self.scores.iter().filter(|score| score.system.is_some())));
        sections.push(Section::Title("Errors by quantity".into()));
        sections.push(score_table("<quantity", self.scores.iter().filter(|score| score.system.is_none())));
        if !self.summaries.is_empty() {
            sections.push(Section::Title("Inside the fit, outside it, and from the chip's nearest measured relative".into()));
            sections.push(self.summary_table());
        }
        let left_out = not_predicted(&self.cases);
        if self.summary && !left_out.is_empty() {
            sections.push(Section::Title("Not predicted, and why".into()));
            sections.push(Section::Facts(left_out));
        }
        for (score, bound) in self.exceeded.iter().flatten() {
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
