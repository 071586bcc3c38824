//! Constants of chips and communication libraries from measurements.
//!
//! | question | file |
//! | --- | --- |
//! | which constants belong together? | `family.rs` |
//! | which values fit best, and how surely? | `fit.rs` |
//! | how well do they predict what was left out? | `left_out.rs` |
//! | how are they written down? | `part.rs` |

mod family;
mod fit;
mod left_out;
mod part;

pub use family::{ConstantFamily, PartKind};
pub use fit::{Fitted, fit};
pub use left_out::outside;
pub use part::with_constants;

use super::{Bench, FittedParts};
use crate::input::cases::Case;
use crate::input::spec::Spec;
use crate::network::Network;
use crate::units::quantile;

/// A constant before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedConstant {
    /// Its key.
    pub name: &'static str,
    /// Unit in the part file; empty for a pure number.
    pub unit: &'static str,
    /// In that unit.
    pub before: f64,
    /// In that unit, four significant digits.
    pub value: f64,
    /// Relative standard error. Infinite if the measurements do not determine the constant, which then keeps its start value.
    pub relative_error: f64,
    /// In that unit; nothing above makes sense.
    pub highest: f64,
}

/// How well constants predict measurements that they were not fitted to.
#[derive(Clone, Debug, PartialEq)]
pub struct HoldOut {
    /// What was left out of the fit.
    pub left_out: String,
    /// Measurements left out.
    pub count: usize,
    /// Median of their absolute errors.
    pub median: f64,
    /// Nine in ten are below.
    pub ninetieth: f64,
}

/// One family, fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The family.
    pub family: ConstantFamily,
    /// Measurements that it was fitted to.
    pub count: usize,
    /// Median of the absolute errors of the fit.
    pub median: f64,
    /// Nine in ten are below.
    pub ninetieth: f64,
    /// Constants.
    pub constants: Vec<FittedConstant>,
    /// Fits on a part, tested on the rest.
    pub hold_outs: Vec<HoldOut>,
}

/// Fits one family on machines that share the part; `parts` hold the constants to start from and get the new ones.
///
/// # Errors
/// Why there is nothing to fit.
pub fn calibrate(
    family: &ConstantFamily,
    machines: &[(&Spec, &Network<'_>)],
    cases: &[Case],
    parts: &mut FittedParts,
) -> Result<Calibration, String> {
    let mut job = CalibrationJob::new(family, machines, cases, parts)?;
    let all: Vec<usize> = (0..job.cases.len()).collect();
    let fitted = job.fit_what_is_told(&all)?;
    let hold_outs = splits(&job.cases).into_iter().map(|(left_out, held)| job.hold_out(left_out, &held)).collect::<Result<Vec<_>, _>>()?;
    let before = job.constants.clone();
    let constants: Vec<FittedConstant> = before
        .iter()
        .zip(fitted.values.iter().zip(&fitted.relative_errors))
        .map(|(constant, (value, error))| FittedConstant {
            name: constant.name,
            unit: constant.unit.0,
            before: constant.start / constant.unit.1,
            value: four_digits(value / constant.unit.1),
            relative_error: *error,
            highest: constant.highest / constant.unit.1,
        })
        .collect();
    // What is reported and used is what the part file says: the rounded values.
    let rounded: Vec<f64> = constants.iter().zip(&before).map(|(constant, kept)| constant.value * kept.unit.1).collect();
    let (median, ninetieth) = job.errors(&rounded, &all)?;
    for (named, value) in family.constants(parts)?.into_iter().zip(&rounded) {
        named.figure.set(*value);
    }
    Ok(Calibration { family: family.clone(), count: all.len(), median, ninetieth, constants, hold_outs })
}

fn four_digits(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// A constant whose standard error exceeds its value is not determined by the measurements. Most often only a combination of two constants is.
const UNTOLD: f64 = 1.0;

/// A constant's name, unit, bound and starting value.
#[derive(Clone, Debug)]
struct Start {
    name: &'static str,
    unit: (&'static str, f64),
    highest: f64,
    start: f64,
    /// Whether it stays where it starts.
    held: bool,
}

/// Everything that the fits of one family share.
struct CalibrationJob<'a> {
    family: &'a ConstantFamily,
    benches: Vec<(String, Bench<'a>)>,
    cases: Vec<&'a Case>,
    parts: FittedParts,
    constants: Vec<Start>,
}

impl<'a> CalibrationJob<'a> {
    fn new(family: &'a ConstantFamily, machines: &[(&'a Spec, &'a Network<'a>)], cases: &'a [Case], parts: &mut FittedParts) -> Result<Self, String> {
        match family.part() {
            PartKind::Library(named) => parts.library(named.as_deref()).map(|_| ()),
            PartKind::Engine(name) => parts.engine(&name).map(|_| ()),
            PartKind::Chip => Ok(()),
        }?;
        let mut parts = parts.clone();
        let constants = family
            .constants(&mut parts)?
            .into_iter()
            .map(|named| Start { name: named.name, unit: named.unit, highest: named.highest, start: named.figure.get(), held: false })
            .collect();
        let mut benches: Vec<(String, Bench<'a>)> = machines.iter().map(|(spec, network)| (spec.id.clone(), Bench::new(spec, network))).collect();
        let mut kept = Vec::new();
        for (system, bench) in &mut benches {
            bench.replace(&parts);
            let own: Vec<&Case> = cases.iter().filter(|case| case.system == *system && family.is_measured_by(case, &parts.chip)).collect();
            let predicted = bench.predict_all(&own);
            // Only what can be predicted and was measured above zero has a residual.
            kept.extend(own.into_iter().zip(predicted).filter(|(case, predicted)| predicted.is_ok() && case.value.0 > 0.0).map(|(case, _)| case));
        }
        let job = Self { family, benches, cases: kept, parts, constants };
        let (have, need) = (job.cases.len(), 2 * job.constants.len());
        if have < need {
            Err(format!("{family}: {have} measurements cannot fix {} constants; at least {need} are needed", job.constants.len()))
        } else {
            Ok(job)
        }
    }

    /// Predictions of some cases with the given constants.
    fn predict(&mut self, values: &[f64], indices: &[usize]) -> Result<Vec<f64>, String> {
        for (named, value) in self.family.constants(&mut self.parts)?.into_iter().zip(values) {
            named.figure.set(*value);
        }
        let parts = self.parts.clone();
        self.predict_with(&parts, indices)
    }

    /// Predictions of some cases with the given parts.
    fn predict_with(&mut self, parts: &FittedParts, indices: &[usize]) -> Result<Vec<f64>, String> {
        let mut predicted = vec![0.0; indices.len()];
        for (system, bench) in &mut self.benches {
            bench.replace(parts);
            let own: Vec<usize> = (0..indices.len()).filter(|&place| self.cases[indices[place]].system == *system).collect();
            let cases: Vec<&Case> = own.iter().map(|&place| self.cases[indices[place]]).collect();
            for (place, value) in own.into_iter().zip(bench.predict_all(&cases)) {
                predicted[place] = value?;
            }
        }
        Ok(predicted)
    }

    /// How often each measurement counts: every kind of them as much as the others, so that a few settled products weigh as much as many runs of an
    /// engine, from which they differ in what they tell.
    fn shares(&self, indices: &[usize]) -> Vec<f64> {
        let kinds: Vec<&str> = indices.iter().map(|&index| self.family.kind(self.cases[index])).collect();
        let of = |kind: &str| kinds.iter().filter(|other| **other == kind).count();
        let different: std::collections::BTreeSet<&str> = kinds.iter().copied().collect();
        kinds.iter().map(|kind| kinds.len() as f64 / (different.len() * of(kind)) as f64).collect()
    }

    fn measured(&self, indices: &[usize]) -> Vec<f64> {
        indices.iter().map(|&index| self.cases[index].value.0).collect()
    }

    /// Fits all constants. While the standard error of a constant exceeds its value, this constant is held at its start value and the fit is
    /// repeated.
    fn fit_what_is_told(&mut self, indices: &[usize]) -> Result<Fitted, String> {
        loop {
            let fitted = self.fit(indices)?;
            let untold = |at: &usize| !self.constants[*at].held && fitted.relative_errors[*at] > UNTOLD;
            let without_effect = |at: &usize| untold(at) && fitted.relative_errors[*at].is_infinite();
            let places = 0..self.constants.len();
            match places.clone().find(without_effect).or_else(|| places.clone().find(untold)) {
                Some(constant) => self.constants[constant].held = true,
                None => return Ok(fitted),
            }
        }
    }

    fn fit(&mut self, indices: &[usize]) -> Result<Fitted, String> {
        let starts: Vec<f64> = self.constants.iter().map(|constant| constant.start).collect();
        let free: Vec<usize> = (0..starts.len()).filter(|&at| !self.constants[at].held).collect();
        let all = |moved: &[f64], mut values: Vec<f64>| {
            free.iter().zip(moved).for_each(|(&at, value)| values[at] = *value);
            values
        };
        let start: Vec<f64> = free.iter().map(|&at| starts[at]).collect();
        let highest: Vec<f64> = free.iter().map(|&at| self.constants[at].highest).collect();
        let measured = self.measured(indices);
        let mut failure = None;
        let shares = self.shares(indices);
        let fitted = fit(&start, &highest, &measured, &shares, |moved| {
            self.predict(&all(moved, starts.clone()), indices).unwrap_or_else(|reason| {
                failure = Some(reason);
                measured.clone()
            })
        });
        let values = all(&fitted.values, starts.clone());
        let relative_errors = all(&fitted.relative_errors, vec![f64::INFINITY; starts.len()]);
        failure.map_or(Ok(Fitted { values, relative_errors }), Err)
    }

    /// Median and 90th percentile of the absolute errors.
    fn errors(&mut self, values: &[f64], indices: &[usize]) -> Result<(f64, f64), String> {
        let predicted = self.predict(values, indices)?;
        let mut errors: Vec<f64> =
            predicted.iter().zip(self.measured(indices)).map(|(predicted, measured)| (predicted / measured - 1.0).abs()).collect();
        errors.sort_by(f64::total_cmp);
        Ok((quantile(&errors, 0.5), quantile(&errors, 0.9)))
    }

    fn hold_out(&mut self, left_out: String, held: &[usize]) -> Result<HoldOut, String> {
        let rest: Vec<usize> = (0..self.cases.len()).filter(|index| !held.contains(index)).collect();
        let fitted = self.fit(&rest)?;
        let (median, ninetieth) = self.errors(&fitted.values, held)?;
        Ok(HoldOut { left_out, count: held.len(), median, ninetieth })
    }
}

/// Ways to leave measurements out: every other one, each machine, each workload, each release of an engine, and the largest group of ranks.
fn splits(cases: &[&Case]) -> Vec<(String, Vec<usize>)> {
    let chosen = |keep: &dyn Fn(usize, &Case) -> bool| (0..cases.len()).filter(|&index| keep(index, cases[index])).collect::<Vec<usize>>();
    let mut found = vec![("every other measurement".to_owned(), chosen(&|index, _| index % 2 == 1))];
    let mut systems: Vec<&str> = cases.iter().map(|case| case.system.as_str()).collect();
    systems.dedup();
    if systems.len() > 1 {
        found.extend(systems.iter().map(|system| (format!("all of {system}"), chosen(&|_, case| case.system == *system))));
    }
    let workload = |case: &Case| case.settings.optional("workload").map(str::to_owned);
    let workloads: std::collections::BTreeSet<String> = cases.iter().filter_map(|case| workload(case)).collect();
    if workloads.len() > 1 {
        found.extend(workloads.into_iter().map(|name| (format!("all of {name}"), chosen(&|_, case| workload(case).as_ref() == Some(&name)))));
    }
    let release = |case: &Case| case.settings.optional("release").map(str::to_owned);
    let releases: std::collections::BTreeSet<String> = cases.iter().filter_map(|case| release(case)).collect();
    found.extend(releases.into_iter().map(|name| (format!("all of release {name}"), chosen(&|_, case| release(case).as_ref() == Some(&name)))));
    let ranks = |case: &Case| case.settings.count("ranks").unwrap_or(0);
    let most = cases.iter().map(|case| ranks(case)).max().unwrap_or(0);
    if cases.iter().any(|case| ranks(case) < most) {
        found.push((format!("all with {most} ranks"), chosen(&|_, case| ranks(case) == most)));
    }
    // A split that leaves fewer to fit than it tests twice over says little, but it is said; one that leaves nothing is not.
    found.retain(|(_, held)| !held.is_empty() && held.len() < cases.len());
    found
}
