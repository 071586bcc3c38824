//! Errors of many comparisons in a few numbers.

use std::collections::BTreeMap;

use super::{Comparison, OutsideErrors};
use crate::units::quantile;

/// Errors of a group of comparisons.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The machine; `None` for all together.
    pub system: Option<String>,
    /// What was measured; `None` for all together.
    pub quantity: Option<String>,
    /// Comparisons with an error.
    pub count: usize,
    /// Median of the absolute errors.
    pub median: f64,
    /// Nine in ten absolute errors are below.
    pub ninetieth: f64,
    /// Median of the signed errors: below zero means predicted too small.
    pub bias: f64,
}

impl Score {
    fn of(system: Option<&str>, quantity: Option<&str>, errors: &[f64]) -> Self {
        let mut absolute: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
        let mut signed = errors.to_vec();
        absolute.sort_by(f64::total_cmp);
        signed.sort_by(f64::total_cmp);
        Self {
            system: system.map(str::to_owned),
            quantity: quantity.map(str::to_owned),
            count: errors.len(),
            median: quantile(&absolute, 0.5),
            ninetieth: quantile(&absolute, 0.9),
            bias: quantile(&signed, 0.5),
        }
    }
}

/// One score for each quantity, then one for each machine and quantity, then one for all; in the order of their names.
#[must_use]
pub fn scores(comparisons: &[Comparison]) -> Vec<Score> {
    let mut groups: BTreeMap<(Option<&str>, Option<&str>), Vec<f64>> = BTreeMap::new();
    let scored = comparisons.iter().filter_map(|comparison| Some((comparison, comparison.error()?)));
    // A limit that holds has no error to average; one that does not counts like any figure.
    for (comparison, error) in scored.filter(|(comparison, error)| *error != 0.0 || !comparison.is_limit()) {
        let (system, quantity) = (Some(comparison.system.as_str()), Some(comparison.quantity.as_str()));
        for group in [(None, None), (None, quantity), (system, quantity)] {
            groups.entry(group).or_default().push(error);
        }
    }
    groups.iter().map(|((system, quantity), errors)| Score::of(*system, *quantity, errors)).collect()
}

/// Errors of one quantity on one machine, inside and outside the fit of its constants.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What was measured.
    pub quantity: String,
    /// The machine; `None` for all together.
    pub system: Option<String>,
    /// With the shipped constants, on the measurements that they were fitted to.
    pub in_fit: Score,
    /// By fits that had left these measurements out, and on measurements that no fit uses.
    pub out_of_fit: Score,
    /// With the kernels of the chip's nearest measured relative.
    pub from_relative: Score,
}

/// One summary for each quantity of which errors outside the fit are known, then one for each machine that has it.
#[must_use]
pub fn summaries(comparisons: &[Comparison], outside: &OutsideErrors) -> Vec<Summary> {
    let mut groups: BTreeMap<(&str, Option<&str>), [Vec<f64>; 3]> = BTreeMap::new();
    for comparison in comparisons {
        let known = outside.get(&comparison.id);
        let (Some(error), false) = (comparison.error(), comparison.is_limit()) else { continue };
        for system in [None, Some(comparison.system.as_str())] {
            let [inside, left_out, relative] = groups.entry((comparison.quantity.as_str(), system)).or_default();
            match known {
                Some(known) => {
                    inside.push(error);
                    left_out.extend(known.left_out);
                    relative.extend(known.relative);
                }
                None => left_out.push(error),
            }
        }
    }
    let fitted: Vec<_> = groups.into_iter().filter(|(_, [inside, ..])| !inside.is_empty()).collect();
    let summary = |((quantity, system), errors): ((&str, Option<&str>), [Vec<f64>; 3])| {
        let [in_fit, out_of_fit, from_relative] = errors.map(|errors| Score::of(system, Some(quantity), &errors));
        Summary { quantity: quantity.to_owned(), system: system.map(str::to_owned), in_fit, out_of_fit, from_relative }
    };
    fitted.into_iter().map(summary).collect()
}
