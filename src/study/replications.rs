//! A served run repeated with other draws: how much of each figure is chance.
//!
//! A replication has a seed of its own for gaps, lengths, shared prefixes and accepted drafts. Replications are independent runs, so the
//! standard error of a mean over n of them is s / sqrt(n) (Law, Simulation Modeling and Analysis, 5th ed., section 9.4.1).

use rayon::prelude::*;

use super::metric::Metric;
use super::serve::{ServePlan, ServeResult};
use crate::serving::queueing::{Made, Percentiles};

/// A mean over replications and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Mean.
    pub mean: f64,
    /// Standard error of the mean; absent for one replication, which does not tell its own.
    pub error: Option<f64>,
}

impl Estimate {
    /// The estimate from one value a replication; `None` without values.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of replications")]
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Some(Self { mean, error: (values.len() > 1).then(|| (squares / (count - 1.0) / count).sqrt()) })
    }
}

/// What one replication says.
#[derive(Clone, Debug)]
struct Replication {
    times: [Option<Percentiles>; Metric::ALL.len()],
    output_rate: f64,
    goodput: Option<f64>,
    overloaded: bool,
}

impl Replication {
    fn of(served: &ServeResult) -> Self {
        Self {
            times: Metric::ALL.map(|(metric, _)| metric.of(served)),
            output_rate: served.output_rate,
            goodput: served.goodput,
            overloaded: served.overloaded,
        }
    }
}

/// Runs of one deployment that differ in their seeds alone.
#[derive(Clone, Debug)]
pub struct Replications(Vec<Replication>);

impl Replications {
    /// Runs.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// A percentile of a time, over the replications that have it.
    #[must_use]
    pub fn time(&self, metric: Metric, percentile: &str) -> Option<Estimate> {
        let place = Metric::ALL.iter().position(|entry| entry.0 == metric)?;
        Estimate::of(&self.0.iter().filter_map(|one| one.times[place]?.named(percentile)).collect::<Vec<_>>())
    }

    /// Tokens of answers a second.
    #[must_use]
    pub fn output_rate(&self) -> Option<Estimate> {
        Estimate::of(&self.0.iter().map(|one| one.output_rate).collect::<Vec<_>>())
    }

    /// Requests a second that keep both limits.
    #[must_use]
    pub fn goodput(&self) -> Option<Estimate> {
        Estimate::of(&self.0.iter().filter_map(|one| one.goodput).collect::<Vec<_>>())
    }

    /// Replications in which requests came faster than they were served.
    #[must_use]
    pub fn overloaded(&self) -> usize {
        self.0.iter().filter(|one| one.overloaded).count()
    }
}

/// The seeds of `count` replications, that of `made` first.
pub(super) fn seeds(made: &Made, count: u32) -> impl IndexedParallelIterator<Item = Made> {
    let made = *made;
    (0..count).into_par_iter().map(move |replication| Made { seed: made.seed.wrapping_add(u64::from(replication)), ..made })
}

/// Serves requests like `made` `count` times, each with a seed of its own: the first run whole, and what all of them say.
#[must_use]
pub fn replicate(plan: &ServePlan<'_>, made: &Made, count: u32) -> (ServeResult, Replications) {
    let first = plan.serve(&made.trace());
    let others: Vec<Replication> = seeds(made, count).skip(1).map(|made| Replication::of(&plan.serve_with_seed(&made.trace(), made.seed))).collect();
    let all = std::iter::once(Replication::of(&first)).chain(others).collect();
    (first, Replications(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 1, 2 and 6 have mean 3 and variance (4 + 1 + 9) / 2 = 7; the mean of three has the error sqrt(7 / 3).
    #[test]
    fn the_error_of_a_mean() {
        let estimate = Estimate::of(&[1.0, 2.0, 6.0]).expect("three values");
        assert!((estimate.mean - 3.0).abs() < 1e-12);
        assert!((estimate.error.expect("more than one") - (7.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Estimate::of(&[5.0]).map(|one| (one.mean, one.error)), Some((5.0, None)));
        assert_eq!(Estimate::of(&[]), None);
    }
}
