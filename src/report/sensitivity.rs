//! What each hardware parameter gains.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use crate::study::{Gain, SensitivityCase, Weakness};
use crate::units::measured;

/// Gains of a design.
pub struct SensitivityReport {
    /// What was asked about.
    pub case: SensitivityCase,
    /// Name people use.
    pub name: String,
    /// Largest first.
    pub gains: Vec<Gain>,
    /// Figures by how far their ranges move the result, in place of gains where they were asked for.
    pub sources: Option<Vec<Weakness>>,
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
                    "parameter": gain.name, "change": gain.change, "factor": gain.factor, "values": gain.values, "tokens_per_s_gain": gain.tokens,
                    "tokens_per_joule_gain": gain.per_joule, "note": gain.note,
                })
            })
            .collect();
        let mut keys = json!({
            "supernode": self.case.supernode, "workload": self.case.serves.workload, "target": self.case.target, "refusal": self.refusal,
        });
        match &self.sources {
            Some(sources) => keys["sources"] = sources.iter().map(weakness_json).collect(),
            None => keys["gains"] = gains.into(),
        }
        keys
    }

    fn sections(&self) -> Vec<Section> {
        if let Some(sources) = &self.sources {
            return self.source_sections(sources);
        }
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

/// Figures shown as text; JSON and tables have all.
const SHOWN: usize = 25;

fn weakness_json(weakness: &Weakness) -> Json {
    let [low, high] = weakness.ends.each_ref().map(|end| measured(end.trim_matches('"')));
    let unit = low.map(|(_, dimension)| dimension.base_unit()).filter(|unit| !unit.is_empty());
    let [low, high] = [low, high].map(|end| end.map(|(value, _)| value));
    json!({
        "value": weakness.path, "low_si": low, "high_si": high, "unit": unit, "confidence": weakness.confidence, "source": weakness.source,
        "tokens_per_s_low": weakness.tokens[0], "tokens_per_s_high": weakness.tokens[1],
        "tokens_per_joule_low": weakness.per_joule[0], "tokens_per_joule_high": weakness.per_joule[1], "swing": weakness.swing(),
    })
}

impl SensitivityReport {
    fn source_sections(&self, sources: &[Weakness]) -> Vec<Section> {
        let mut table = Table::new(&["<figure", "<range", "<confidence", "tokens/s a chip", "tokens/J", "<source"]);
        let change = |end: Option<f64>| end.map_or("nothing".to_owned(), |change| format!("{:+.1} %", change * 100.0));
        let both = |ends: [Option<f64>; 2]| format!("{} to {}", change(ends[0]), change(ends[1]));
        for weakness in sources.iter().filter(|weakness| weakness.swing() >= 0.0005).take(SHOWN) {
            let [low, high] = weakness.ends.each_ref().map(|end| end.trim_matches('"'));
            let source = weakness.source.clone().unwrap_or_else(|| "-".to_owned());
            table.row([
                weakness.path.clone(),
                format!("{low} to {high}"),
                weakness.confidence.clone(),
                both(weakness.tokens),
                both(weakness.per_joule),
                source,
            ]);
        }
        let idle = sources.iter().filter(|weakness| weakness.swing() < 0.0005).count();
        let refusal = self.refusal.as_ref().map(|reason| Section::Note(format!("As it is it serves nothing: {reason}.")));
        let title = Section::Title(format!("{}: whose sources move the result most", self.name));
        let note = format!(
            "Each of {} figures with a range stands at both ends of it, alone, and the best mapping is searched anew; {idle} move nothing by 0.05 %. Tokens are \
             those served of the target's mix.",
            sources.len()
        );
        [title].into_iter().chain(refusal).chain([Section::Table(table), Section::Note(note)]).collect()
    }
}
