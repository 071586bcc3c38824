//! Something that can be measured: its name in files of cases, its meaning, and the function that predicts it.

use super::bench::Bench;
use crate::input::cases::Case;
use crate::network::Pricing;

/// Predicts one measurement.
type Predict = fn(&mut Bench<'_>, &mut Pricing<'_>, &Case) -> Result<f64, String>;

/// Something that can be measured.
pub struct MeasuredQuantity {
    /// Name in files of cases.
    pub name: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// What predicts it.
    pub predict: Predict,
}
