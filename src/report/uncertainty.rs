//! How sure results are, and why they are not surer.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use crate::study::{Uncertainty, digits};
use crate::units::counted;

/// One design, or two against each other.
pub struct UncertaintyReport {
    /// In the order given.
    pub designs: Vec<Uncertainty>,
    /// By figure: share of the draws in which the first is better.
    pub beats: Vec<(&'static str, Option<f64>)>,
    /// Draws of each.
    pub draws: u64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Report for UncertaintyReport {
    fn output(&self) -> &'static str {
        "uncertainty"
    }

    fn json(&self) -> Json {
        let design = |design: &Uncertainty| {
            let figures: serde_json::Map<String, Json> = design
                .figures
                .iter()
                .map(|figure| {
                    let drivers: Vec<Json> = figure
                        .drivers
                        .iter()
                        .map(|(path, confidence, correlation)| json!({ "value": path, "confidence": confidence, "rank_correlation": correlation }))
                        .collect();
                    let [low, median, high] = figure.quantiles.map_or([None; 3], |quantiles| quantiles.map(Some));
                    (figure.key.to_owned(), json!({ "nominal": figure.nominal, "p05": low, "median": median, "p95": high, "drivers": drivers }))
                })
                .collect();
            json!({ "supernode": design.supernode, "assumptions": design.assumptions, "figures": figures, "refusal": design.refusal })
        };
        let beats: serde_json::Map<String, Json> = self.beats.iter().map(|(key, chance)| ((*key).to_owned(), json!(chance))).collect();
        let mut keys = json!({ "draws": self.draws, "seed": self.seed, "designs": self.designs.iter().map(design).collect::<Vec<_>>() });
        if self.designs.len() > 1 {
            keys["first_beats_second"] = beats.into();
        }
        keys
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections = Vec::new();
        for design in &self.designs {
            sections.push(Section::Title(format!(
                "{}: {} with a range, {} draws, seed {}",
                design.supernode,
                counted(design.assumptions, "value"),
                self.draws,
                self.seed
            )));
            let mut table = Table::new(&["<figure", "as written", "5 %", "median", "95 %", "<driven by (rank correlation)"]);
            for figure in &design.figures {
                let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| digits(value / figure.scale));
                let quantile = |at: usize| shown(figure.quantiles.map(|quantiles| quantiles[at]));
                let driver = |(path, confidence, correlation): &(String, Option<String>, f64)| {
                    let confidence = confidence.as_ref().map_or(String::new(), |confidence| format!(", {confidence}"));
                    format!("{path} ({correlation:+.2}{confidence})")
                };
                let mut drivers = figure.drivers.iter().map(driver);
                let first = drivers.next().unwrap_or_default();
                table.row([figure.name.to_owned(), shown(figure.nominal), quantile(0), quantile(1), quantile(2), first]);
                for more in drivers.take(2) {
                    table.row(["", "", "", "", "", &more].map(str::to_owned));
                }
            }
            sections.push(Section::Table(table));
            sections.extend(design.refusal.as_ref().map(|reason| Section::Note(format!("As written it serves nothing: {reason}."))));
        }
        if let [first, second] = self.designs.as_slice() {
            sections.push(Section::Title(format!("How often {} beats {}", first.supernode, second.supernode)));
            let mut table = Table::new(&["<figure", "share of draws"]);
            for ((_, chance), figure) in self.beats.iter().zip(&first.figures) {
                table.row([figure.name.to_owned(), chance.map_or("-".to_owned(), |chance| format!("{:.0} %", chance * 100.0))]);
            }
            sections.push(Section::Table(table));
        }
        sections.push(Section::Note(
            "Every value of the parts and of the workload that has a range is drawn from a triangle over its range with its peak at the value; parts that both designs use are drawn alike. \
             The mapping is searched anew in every draw."
                .into(),
        ));
        sections
    }
}
