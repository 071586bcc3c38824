//! `supernode frontier`: tokens for one user against tokens of a chip.

use serde_json::{Value as Json, json};

use super::chart::{ChartLine, LineChart};
use super::format::{Report, Section, Table};
use super::money::dollars_text;
use crate::study::{Curve, FrontierPoint};

/// What stands upwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpAxis {
    /// Tokens a second and chip.
    #[default]
    TokensPerChip,
    /// Dollars for a million tokens.
    Dollars,
    /// Joules for a million tokens.
    Joules,
}

impl UpAxis {
    fn of(self, point: &FrontierPoint) -> Option<f64> {
        Some(match self {
            Self::TokensPerChip => point.per_chip,
            // A machine without a price has no points on this axis.
            Self::Dollars => point.dollars_per_million.and_then(|dollars| Some(dollars.owned().or(dollars.rent)?.value))?,
            Self::Joules => point.joules_per_million,
        })
    }

    fn title(self) -> &'static str {
        match self {
            Self::TokensPerChip => "output tokens/s per chip",
            Self::Dollars => "USD per million output tokens",
            Self::Joules => "J per million output tokens",
        }
    }
}

/// Frontiers of several machines.
#[derive(Clone, Debug)]
pub struct FrontierReport {
    /// Workload's name.
    pub workload: (String, String),
    /// Mean tokens of prompts and answers.
    pub lengths: [u32; 2],
    /// The frontiers.
    pub curves: Vec<Curve>,
    /// What stands upwards in the picture.
    pub up: UpAxis,
}

impl FrontierReport {
    /// The picture.
    #[must_use]
    pub fn svg(&self) -> String {
        let lines: Vec<ChartLine> = self
            .curves
            .iter()
            .map(|curve| ChartLine {
                name: format!("{}, {}", curve.supernode, curve.mode.name()),
                points: curve.points.iter().rev().filter_map(|point| Some((point.per_user.log2(), self.up.of(point)?))).collect(),
            })
            .collect();
        let all = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
        let (low, high) = (all().fold(f64::INFINITY, f64::min).floor(), all().fold(f64::NEG_INFINITY, f64::max).ceil());
        let ticks = if low.is_finite() {
            #[expect(clippy::cast_possible_truncation, reason = "a few octaves")]
            (low as i32..=high as i32).map(|octave| (f64::from(octave), format!("{}", 2_f64.powi(octave)))).collect()
        } else {
            Vec::new()
        };
        let title = format!("{}, {} tokens in, {} out", self.workload.1, self.lengths[0], self.lengths[1]);
        LineChart { title, x: "output tokens/s per user".to_owned(), y: self.up.title().to_owned(), ticks, lines, log: true }.svg()
    }
}

impl Report for FrontierReport {
    fn output(&self) -> &'static str {
        "frontier"
    }

    fn json(&self) -> Json {
        let curves: Vec<Json> = self
            .curves
            .iter()
            .map(|curve| {
                let points: Vec<Json> = curve
                    .points
                    .iter()
                    .map(|point| {
                        json!({ "tokens_per_s_per_user": point.per_user, "tokens_per_s_per_chip": point.per_chip, "mapping": point.mapping,
                            "prefill_mapping": point.prefill, "joules_per_million_tokens": point.joules_per_million,
                            "usd_per_million_tokens": point.dollars_per_million.and_then(|dollars| Some(dollars.owned()?.value)),
                            "rent_usd_per_million_tokens": point.dollars_per_million.and_then(|dollars| Some(dollars.rent?.value)) })
                    })
                    .collect();
                json!({ "supernode": curve.supernode, "engine": curve.engine, "mode": curve.mode.name(), "points": points })
            })
            .collect();
        json!({ "workload": self.workload.0, "input_tokens": self.lengths[0], "output_tokens": self.lengths[1], "curves": curves })
    }

    fn sections(&self) -> Vec<Section> {
        let mut table = Table::new(&[
            "<supernode",
            "<engine",
            "<mode",
            "tokens/s per user",
            "output tokens/s per chip",
            "J/10^6 tokens",
            "$/10^6 tokens (bought; rented)",
            "<mapping",
        ]);
        for curve in &self.curves {
            for point in &curve.points {
                table.row([
                    curve.supernode.clone(),
                    curve.engine.clone().unwrap_or_else(|| "none".to_owned()),
                    curve.mode.name().to_owned(),
                    format!("{:.1}", point.per_user),
                    format!("{:.1}", point.per_chip),
                    format!("{:.0}", point.joules_per_million),
                    point.dollars_per_million.map_or_else(|| "not priced".to_owned(), dollars_text),
                    point.prefill.map_or_else(|| point.mapping.to_string(), |prefill| format!("{}; prompts {prefill}", point.mapping)),
                ]);
            }
        }
        let mut sections = vec![
            Section::Title(format!("{}, {} tokens in, {} out", self.workload.1, self.lengths[0], self.lengths[1])),
            Section::Table(table),
            Section::Note(
                "together: the chips that read a prompt answer it; apart: others do. Tokens are those of answers; steady state of the closed form."
                    .into(),
            ),
        ];
        for curve in self.curves.iter().filter(|curve| curve.points.is_empty()) {
            sections.push(Section::Note(format!("{}, {}: no mapping keeps the limits.", curve.supernode, curve.mode.name())));
        }
        sections
    }
}
