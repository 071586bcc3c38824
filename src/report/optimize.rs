//! The best design that a search found.

use serde_json::{Value as Json, json};

use super::bars::cell;
use super::format::{Report, Section, Table};
use crate::study::{Better, Demands, Optimum, Space, Tried, columns};
use crate::units::counted;

/// A search and its study.
pub struct OptimizeReport<'a> {
    /// The study.
    pub space: &'a Space,
    /// What it asks.
    pub demands: &'a Demands,
    /// What was found.
    pub found: Optimum,
}

impl OptimizeReport<'_> {
    fn named<'t>(&self, tried: &'t Tried) -> impl Iterator<Item = (String, &'t String)> + use<'t> {
        self.space.label_names().into_iter().zip(&tried.labels)
    }
}

impl Report for OptimizeReport<'_> {
    fn output(&self) -> &'static str {
        "optimize"
    }

    fn json(&self) -> Json {
        let best = self.found.best.map(|at| {
            let tried = &self.found.tried[at];
            let labels: serde_json::Map<String, Json> = self.named(tried).map(|(name, label)| (name, json!(label))).collect();
            let figures: serde_json::Map<String, Json> =
                self.space.figures().into_iter().zip(&tried.outcome.figures).map(|(key, value)| (key, json!(value))).collect();
            json!({ "design": labels, "figures": figures })
        });
        json!({ "study": self.space.spec.id, "tried": self.found.tried.len(), "exhausted": self.found.exhausted, "best": best })
    }

    fn sections(&self) -> Vec<Section> {
        let tried = self.found.tried.len();
        let how = if self.found.exhausted { "every design of the space" } else { "by differential evolution and steps to neighbours" };
        let mut sections =
            vec![Section::Title(self.space.spec.study.name.clone()), Section::Note(format!("{} tried: {how}.", counted(tried, "design")))];
        let Some(best) = self.found.best else {
            sections.push(Section::Note("None of them runs and keeps to the constraints.".into()));
            return sections;
        };
        let best = &self.found.tried[best];
        sections.push(Section::Facts(self.named(best).map(|(name, label)| (name, label.clone())).collect()));
        let mut table = Table::new(&["<figure", "best design"]);
        for (column, value) in columns().zip(&best.outcome.figures) {
            if column.better != Better::Neither {
                table.row([column.name.to_owned(), value.map_or("-".to_owned(), |value| cell(value / column.scale))]);
            }
        }
        sections.push(Section::Table(table));
        if self.demands.objectives.len() > 1 {
            sections.push(Section::Note("The search follows the first objective; sweep the study for the Pareto front of all.".into()));
        }
        sections
    }
}
