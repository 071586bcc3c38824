//! Errors of fits on measurements that they have not seen: each group of measurements is left out in turn, and the whole chip is predicted from a
//! relative.

use std::collections::BTreeMap;

use super::{CalibrationJob, ConstantFamily};
use crate::input::cases::Case;
use crate::input::document::Kernels;
use crate::input::spec::Spec;
use crate::network::Network;
use crate::validation::{FittedParts, OutsideError, OutsideErrors};

/// Errors outside the fit of each measurement of `family`; none of a family that is not a kernel's.
///
/// Fits start from the kernels of the chip's nearest measured relative, or from `parts` if there is none. A constant that the remaining
/// measurements do not determine keeps its start value, so it does not come from a measurement that was left out.
///
/// # Errors
/// Why there is nothing to fit.
pub fn outside(
    family: &ConstantFamily,
    machines: &[(&Spec, &Network<'_>)],
    cases: &[Case],
    parts: &FittedParts,
    relative: Option<&Kernels>,
) -> Result<OutsideErrors, String> {
    let mut job = CalibrationJob::new(family, machines, cases, &mut parts.clone())?;
    if let Some(kernels) = relative {
        job.start_from(kernels);
    }
    let mut errors = OutsideErrors::new();
    for held in job.groups().values() {
        let left_out = job.left_out(held)?;
        let related = relative.map(|kernels| job.related(kernels, held)).transpose()?;
        for (place, &index) in held.iter().enumerate() {
            let error =
                OutsideError { left_out: left_out.as_ref().map(|errors| errors[place]), relative: related.as_ref().map(|errors| errors[place]) };
            errors.insert(job.cases[index].id.clone(), error);
        }
    }
    Ok(errors)
}

impl CalibrationJob<'_> {
    /// Starts from the constants of another chip's kernels, as far as that chip has this kernel.
    fn start_from(&mut self, kernels: &Kernels) {
        let mut parts = self.parts.clone();
        parts.chip.kernels = kernels.clone();
        for named in self.family.constants(&mut parts).into_iter().flatten() {
            let own = self.constants.iter_mut().find(|constant| constant.name == named.name);
            own.into_iter().for_each(|constant| constant.start = named.figure.get());
        }
    }

    /// Measurements that are left out together, by their common property.
    fn groups(&self) -> BTreeMap<String, Vec<usize>> {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, case) in self.cases.iter().enumerate() {
            if let Some(group) = self.family.group(case) {
                groups.entry(group).or_default().push(index);
            }
        }
        groups
    }

    /// Signed errors on some measurements of a fit to all others; `None` if too few others remain.
    fn left_out(&mut self, held: &[usize]) -> Result<Option<Vec<f64>>, String> {
        let rest: Vec<usize> = (0..self.cases.len()).filter(|index| !held.contains(index)).collect();
        if rest.len() < 2 * self.constants.len() {
            return Ok(None);
        }
        let before = self.constants.clone();
        let fitted = self.fit_what_is_told(&rest)?;
        self.constants = before;
        let predicted = self.predict(&fitted.values, held)?;
        Ok(Some(self.signed(&predicted, held)))
    }

    /// Signed errors with the kernels of another chip on this one's peaks.
    fn related(&mut self, kernels: &Kernels, held: &[usize]) -> Result<Vec<f64>, String> {
        let mut parts = self.parts.clone();
        parts.chip.kernels = kernels.clone();
        let predicted = self.predict_with(&parts, held)?;
        Ok(self.signed(&predicted, held))
    }

    fn signed(&self, predicted: &[f64], indices: &[usize]) -> Vec<f64> {
        predicted.iter().zip(self.measured(indices)).map(|(predicted, measured)| predicted / measured - 1.0).collect()
    }
}
