//! Predictions beside measurements, and how far they are off.
//!
//! Uses `study` and everything below it. Must never hold: formulas: a case asks the functions that commands ask.
//!
//! | question | file |
//! | --- | --- |
//! | which quantities are there, and what predicts each? | `predict.rs` |
//! | what does a measurement need of its machine? | `bench.rs` |
//! | how long do transfers between chips take? | `transfer.rs` |
//! | how long do kernels take, and which constants does that fix? | `kernels/`, one family a file |
//! | how fast is a phase of a whole model? | `phase.rs` |
//! | how fast is a training step? | `training.rs` |
//! | what do clients of an engine see? | `serving.rs` |
//! | what do clients of several instances see? | `fleet.rs` |
//! | what does the fabric look like? | `fabric.rs` |
//! | what does the machine draw? | `power.rs` |
//! | how large are the errors? | `score.rs` |
//! | how large are they outside the fit? | `outside.rs` |
//! | are they larger than last time? | `bound.rs` |

mod bench;
mod bound;
pub mod calibrate;
mod constant;
mod fabric;
mod fleet;
mod kernels;
mod outside;
mod phase;
mod power;
mod predict;
mod quantity;
mod score;
mod serving;
mod training;
mod transfer;

use std::collections::BTreeMap;

pub use bench::{Bench, FittedParts};
pub use bound::{MedianBound, bounds_text, exceeded, load_bounds};
pub use outside::{OutsideError, OutsideErrors, load_outside, outside_text};
pub use predict::quantities;
pub use quantity::MeasuredQuantity;
use rayon::prelude::*;
pub use score::{Score, Summary, scores, summaries};

use crate::fabric::build;
use crate::input::cases::{Case, Unit};
use crate::input::spec::{Spec, load_supernode};
use crate::network::Network;
use crate::units::Confidence;

/// One measurement and what the model says.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Its id.
    pub id: String,
    /// The machine.
    pub system: String,
    /// What was measured.
    pub quantity: String,
    /// Its settings, as the file writes them.
    pub settings: String,
    /// Unit of both figures.
    pub unit: Unit,
    /// Measured; a range has two ends.
    pub measured: (f64, Option<f64>),
    /// Predicted, or why not.
    pub predicted: Result<f64, String>,
    /// Where the measurement comes from.
    pub source: String,
    /// How sure it is.
    pub confidence: Confidence,
}

impl Comparison {
    fn new(case: &Case, predicted: Result<f64, String>) -> Self {
        Self {
            id: case.id.clone(),
            system: case.system.clone(),
            quantity: case.quantity.clone(),
            settings: case.settings.to_string(),
            unit: case.unit,
            measured: case.value,
            predicted,
            source: case.source.clone(),
            confidence: case.confidence,
        }
    }

    /// Whether the figure is an upper limit: that it holds says nothing about the size of an error.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        self.measured.0 <= 0.0 && self.measured.1.is_some()
    }

    /// Predicted over measured, less one; from the nearer end of a published range, zero inside it. `None` if not predicted, or if nothing was measured to divide by.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        let predicted = *self.predicted.as_ref().ok()?;
        let (low, high) = (self.measured.0, self.measured.1.unwrap_or(self.measured.0));
        let end = predicted.clamp(low, high);
        if predicted == end {
            return Some(0.0);
        }
        (end > 0.0).then(|| predicted / end - 1.0)
    }
}

/// Predicts every case, each on its own machine; in the order of `cases`.
#[must_use]
pub fn validate(cases: &[Case]) -> Vec<Comparison> {
    let mut by_system: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, case) in cases.iter().enumerate() {
        by_system.entry(&case.system).or_default().push(index);
    }
    // Cases of one machine share its walked traffic patterns; parts of a machine's cases run side by side.
    let parts: Vec<(&str, &[usize])> = by_system.iter().flat_map(|(system, indices)| indices.chunks(256).map(|part| (*system, part))).collect();
    let predicted: Vec<Vec<(usize, Result<f64, String>)>> = parts
        .into_par_iter()
        .map(|(system, indices)| {
            let part: Vec<&Case> = indices.iter().map(|&index| &cases[index]).collect();
            indices.iter().copied().zip(on_system(system, &part)).collect()
        })
        .collect();
    let mut predicted: Vec<(usize, Result<f64, String>)> = predicted.into_iter().flatten().collect();
    predicted.sort_by_key(|entry| entry.0);
    cases.iter().zip(predicted).map(|(case, (_, predicted))| Comparison::new(case, predicted)).collect()
}

fn on_system(system: &str, cases: &[&Case]) -> Vec<Result<f64, String>> {
    let built = load_supernode(system).and_then(|spec| build(&spec).map(|fabric| (spec, fabric)));
    match built {
        Ok((spec, fabric)) => Bench::new(&spec, &Network::new(&fabric)).predict_all(cases),
        Err(problems) => {
            let reason = problems.list().first().map_or_else(String::new, |problem| problem.message.clone());
            cases.iter().map(|_| Err(reason.clone())).collect()
        }
    }
}

/// Predicts cases of a machine that is built already.
#[must_use]
pub fn compare_published(spec: &Spec, network: &Network<'_>, cases: &[Case]) -> Vec<Comparison> {
    let references: Vec<&Case> = cases.iter().collect();
    let predicted = Bench::new(spec, network).predict_all(&references);
    cases.iter().zip(predicted).map(|(case, predicted)| Comparison::new(case, predicted)).collect()
}
