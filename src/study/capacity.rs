//! The highest rate of requests at which a deployment keeps a service level.

use rayon::prelude::*;

use super::metric::Metric;
use super::replications::{Estimate, seeds};
use super::serve::{Limits, ServePlan, ServeResult};
use crate::serving::queueing::{Arrivals, Made, Percentiles};
use crate::units::{Seconds, parse};

/// One promise: a percentile of a metric is at most so long.
#[derive(Clone, Debug, PartialEq)]
pub struct Promise {
    /// What.
    pub metric: Metric,
    /// `mean`, `p50`, `p90`, `p95` or `p99`.
    pub percentile: String,
    /// At most.
    pub limit: Seconds,
}

impl Promise {
    /// Over its limit: 1 is the limit; without any request that has the metric it is kept.
    #[must_use]
    pub fn strain(&self, served: &ServeResult) -> f64 {
        self.metric.of(served).and_then(|percentiles| percentiles.named(&self.percentile)).map_or(0.0, |time| time / self.limit.get())
    }
}

impl std::fmt::Display for Promise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = Metric::ALL.iter().find(|entry| entry.0 == self.metric).map_or("", |entry| entry.1);
        write!(f, "{name} {} {}", self.percentile, crate::units::render(self.limit))
    }
}

impl Limits {
    /// Both limits for nine requests in ten, as DistServe counts goodput.
    #[must_use]
    pub fn promises(&self) -> Vec<Promise> {
        let promise = |metric, limit| Promise { metric, percentile: "p90".to_owned(), limit };
        vec![promise(Metric::Ttft, self.ttft), promise(Metric::Tpot, self.tpot)]
    }
}

/// Reads `ttft p99 2 s, tpot p99 50 ms`.
///
/// # Errors
/// What is expected.
pub fn promises(text: &str) -> Result<Vec<Promise>, String> {
    text.split(',')
        .map(|part| {
            let expected = || format!("`{}` is not a promise such as `ttft p99 2 s`: a metric (queue, ttft, tpot, itl, e2e), a percentile (mean, p50, p90, p95, p99) and a time", part.trim());
            let mut words = part.split_whitespace();
            let (metric, percentile) = (words.next().ok_or_else(expected)?, words.next().ok_or_else(expected)?);
            let &(metric, _) = Metric::ALL.iter().find(|entry| entry.1 == metric).ok_or_else(expected)?;
            Percentiles::default().named(percentile).ok_or_else(expected)?;
            let limit: Seconds = parse(&words.collect::<Vec<_>>().join(" ")).map_err(|reason| format!("{}: {reason}", expected()))?;
            if limit <= Seconds::ZERO {
                return Err(expected());
            }
            Ok(Promise { metric, percentile: percentile.to_owned(), limit })
        })
        .collect()
}

/// The highest rate, and what it looks like.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// Spread of the gaps.
    pub arrivals: Arrivals,
    /// Requests a second; 0 if even a single request misses a promise.
    pub rate: f64,
    /// The promise that a higher rate breaks first; absent where nothing breaks.
    pub binding: Option<Promise>,
    /// The run at that rate.
    pub served: Option<ServeResult>,
    /// Runs that it took.
    pub runs: u32,
    /// The rate over all replications; absent where there is one.
    pub replicated: Option<Estimate>,
}

/// Rates are told apart to this part.
const PRECISION: f64 = 0.01;
/// Doublings of the first guess that are tried in either direction.
const DOUBLINGS: u32 = 40;

/// Requests of a run at most: where they stay longer than so many come, the last run is taken as it is.
const MOST_REQUESTS: u32 = 1 << 20;

/// Requests come for so many times as long as one stays, so that the start, when nothing waits yet, weighs little.
const STEADY_STAYS: f64 = 10.0;

/// A run of `made`, with twice as many requests until they come for long enough to show a steady state.
fn steady(plan: &ServePlan<'_>, made: &Made) -> ServeResult {
    let mut made = *made;
    loop {
        let served = plan.serve_with_seed(&made.trace(), made.seed);
        let ended = served.counts[1] > 0;
        if served.stays >= STEADY_STAYS || served.overloaded || !ended || made.requests >= MOST_REQUESTS {
            return served;
        }
        made.requests *= 2;
    }
}

/// The highest rate at which `plan` keeps all promises with requests like `made`: bisection over runs that differ in the rate alone.
#[must_use]
pub fn capacity(plan: &ServePlan<'_>, made: &Made, promises: &[Promise]) -> Capacity {
    let mut runs = 0;
    let mut at = |rate: f64| {
        runs += 1;
        let served = steady(plan, &Made { rate, ..*made });
        let worst = promises.iter().max_by(|a, b| a.strain(&served).total_cmp(&b.strain(&served))).cloned();
        let strain = worst.as_ref().map_or(0.0, |promise| promise.strain(&served));
        let unserved = served.counts[1] < served.counts[0];
        let holds = strain <= 1.0 && !unserved && !served.overloaded && !served.too_short;
        // Where no promise is broken, the queue grows.
        (holds, worst.filter(|_| strain > 1.0), served)
    };
    let mut good: Option<(f64, ServeResult)> = None;
    let mut bad: Option<(f64, Option<Promise>)> = None;
    let mut rate = made.rate;
    for _ in 0..DOUBLINGS {
        let (kept, worst, served) = at(rate);
        if kept {
            good = Some((rate, served));
            rate *= 2.0;
        } else {
            bad = Some((rate, worst));
            rate /= 2.0;
        }
        if good.is_some() && bad.is_some() {
            break;
        }
    }
    while let (Some((low, _)), Some((high, _))) = (&good, &bad) {
        if high / low <= 1.0 + PRECISION {
            break;
        }
        let middle = (low * high).sqrt();
        let (kept, worst, served) = at(middle);
        if kept {
            good = Some((middle, served));
        } else {
            bad = Some((middle, worst));
        }
    }
    let binding = bad.and_then(|(_, worst)| worst);
    let (rate, served) = good.map_or((0.0, None), |(rate, served)| (rate, Some(served)));
    Capacity { arrivals: made.arrivals, rate, binding, served, runs, replicated: None }
}

/// The capacity for every spread of gaps, side by side, each found `replications` times with other seeds: the first of them, and the mean.
#[must_use]
pub fn capacities(plan: &ServePlan<'_>, made: &Made, spreads: &[Arrivals], promises: &[Promise], replications: u32) -> Vec<Capacity> {
    let replicated = |arrivals: &Arrivals| {
        let made = Made { arrivals: *arrivals, ..*made };
        let mut found: Vec<Capacity> = seeds(&made, replications).map(|made| capacity(plan, &made, promises)).collect();
        let rates: Vec<f64> = found.iter().map(|one| one.rate).collect();
        let mut first = found.swap_remove(0);
        first.runs += found.iter().map(|one| one.runs).sum::<u32>();
        first.replicated = if rates.len() > 1 { Estimate::of(&rates) } else { None };
        first
    };
    spreads.par_iter().map(replicated).collect()
}
