//! What is left of a month of training when parts fail: checkpoints, work that is done again, and restarts.
//!
//! ```text
//! M     = 1 / sum of the failure rates of all parts         mean time between failures
//! C     = what a rank keeps of the state / write rate        a checkpoint
//! tau   = sqrt(2 C M)                                        time between two checkpoints
//! share = tau / (tau + C) / (1 + (R + (tau + C) / 2) / M)
//! ```
//!
//! J. W. Young 1974, "A first order approximation to the optimum checkpoint interval": a failure costs the restart `R` and on average half of
//! what lies between two checkpoints. In `M` of progress there is one failure.

use crate::fabric::Fabric;
use crate::footprint::{failures, part_classes};
use crate::input::document::{Checkpoint, Reliability};
use crate::training::TrainingStep;
use crate::units::Seconds;

/// A month: a twelfth of a Julian year.
pub const MONTH: Seconds = Seconds::new(365.25 * 86_400.0 / 12.0);

/// A month of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goodput {
    /// Share of the month that ends up in the model.
    pub share: f64,
    /// Failures that stop the job.
    pub failures: f64,
    /// Between two checkpoints.
    pub interval: Seconds,
    /// Writing one.
    pub checkpoint: Seconds,
}

/// A month of steps on a machine whose parts fail at their own rates. Every failure stops the job: one part in a synchronous step is needed by
/// all.
#[must_use]
pub fn goodput(fabric: &Fabric, reliability: &Reliability, checkpoint: &Checkpoint, step: &TrainingStep) -> Goodput {
    let (classes, _) = part_classes(fabric);
    #[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
    let per_year: f64 = classes.iter().map(|class| failures(reliability, fabric, class.example).per_year * class.count as f64).sum();
    let between = MONTH * (12.0 / per_year);
    let write = (step.memory.weights + step.memory.optimizer) / checkpoint.write.value;
    at(between, write, checkpoint.restart.value)
}

fn at(between: Seconds, write: Seconds, restart: Seconds) -> Goodput {
    // Without failures one checkpoint at the end of the month is enough.
    let interval = Seconds::new((2.0 * write.get() * between.get()).sqrt()).min(MONTH);
    let cycle = interval + write;
    let lost = if between.get().is_finite() { (restart + cycle * 0.5) / between } else { 0.0 };
    let share = interval / cycle / (1.0 + lost);
    Goodput { share, failures: MONTH * share / between, interval, checkpoint: write }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure every 50 000 s, checkpoints of 16 s: one every sqrt(2 x 16 x 50 000) = 1 264.9 s. Of that cycle 98.75 % is work; a failure costs
    /// 600 s and half of 1 280.9 s, 2.48 % of what lies between two: 96.36 %.
    #[test]
    fn a_month_by_hand() {
        let month = at(Seconds::new(50_000.0), Seconds::new(16.0), Seconds::new(600.0));
        assert!((month.interval.get() - 1264.911).abs() < 1e-3, "{month:?}");
        assert!((month.share - 0.987_509 / 1.024_809).abs() < 1e-5, "{month:?}");
    }

    /// Nothing fails: all of the month but one checkpoint.
    #[test]
    fn a_month_without_failures() {
        let month = at(Seconds::new(f64::INFINITY), Seconds::new(16.0), Seconds::new(600.0));
        assert_eq!((month.failures, month.interval), (0.0, MONTH));
        assert!(month.share > 0.99999);
    }
}
