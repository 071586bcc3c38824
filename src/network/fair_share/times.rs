//! The answer of a run: when each flow starts and ends.

/// When flows start and end.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// By flow, seconds.
    pub start_s: Vec<f64>,
    /// By flow, seconds.
    pub end_s: Vec<f64>,
    /// How often rates were put right.
    pub reshares: usize,
    /// Certain: rates are exact for flows whose bytes differ from those asked for by no more than this fraction.
    pub size_error: f64,
    /// Checked: largest relative difference of any end from a run with windows twice as wide; 0 for an exact answer.
    pub end_difference: f64,
}

impl Completion {
    /// When the last flow ends; 0 without flows.
    pub fn makespan_s(&self) -> f64 {
        self.end_s.iter().copied().fold(0.0, f64::max)
    }

    pub(super) fn end_difference_from(&self, other: &Self) -> f64 {
        let relative = |(&a, &b): (&f64, &f64)| if a == b { 0.0 } else { (a - b).abs() / a.max(b) };
        self.end_s.iter().zip(&other.end_s).map(relative).fold(0.0, f64::max)
    }
}
