//! Results of a simulation in time: distributions of times, and time series.

use super::clock::Picoseconds;
use crate::units::quantile;

/// Mean and percentiles of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles {
    /// Seconds.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th.
    pub p90: f64,
    /// 95th.
    pub p95: f64,
    /// 99th.
    pub p99: f64,
}

impl Percentiles {
    /// Those of `values`, in seconds; linear between neighbours, at position `(n - 1) q` (numpy's default). `None` without values.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let at = |share: f64| quantile(&values, share);
        Some(Self { mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) })
    }

    /// The percentile called so.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<f64> {
        Some(match name {
            "mean" => self.mean,
            "p50" => self.p50,
            "p90" => self.p90,
            "p95" => self.p95,
            "p99" => self.p99,
            _ => return None,
        })
    }
}

/// Steps of a [`Histogram`] in every octave: a value is known to one part in 1 024.
const STEPS: u32 = 10;

/// Histogram with steps of one part in 1 024: percentiles of any number of gaps in little memory.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: f64,
}

impl Histogram {
    /// Adds `time` as often as `times` says.
    pub fn add(&mut self, time: Picoseconds, times: u64) {
        let step = Self::step(time.0);
        if step >= self.counts.len() {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += times;
        self.total += times;
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let weight = times as f64;
        self.sum += time.seconds() * weight;
    }

    /// Values below 1 024 have a step each; above, as many to an octave.
    fn step(value: u64) -> usize {
        let octave = (64 - STEPS).saturating_sub(value.leading_zeros() + 1);
        ((u64::from(octave) << STEPS) + (value >> octave)) as usize
    }

    /// The lowest value of a step.
    fn lowest(step: usize) -> f64 {
        let size = 1usize << STEPS;
        let octave = (step / size).saturating_sub(1);
        let place = step - octave * size;
        #[expect(clippy::cast_precision_loss, reason = "an estimate to one part in 1 024")]
        let value = place as f64 * (1u64 << octave.min(63)) as f64;
        value / 1e12
    }

    /// Mean and percentiles; `None` without values.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        if self.total == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among counts")]
        let at = |share: f64| {
            let place = ((self.total - 1) as f64 * share).round() as u64;
            let mut below = 0;
            let found = self.counts.iter().position(|count| {
                below += count;
                below > place
            });
            found.map_or(0.0, |step| f64::midpoint(Self::lowest(step), Self::lowest(step + 1)))
        };
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let mean = self.sum / self.total as f64;
        Some(Percentiles { mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) })
    }
}

/// Spans of time that a [`OverTime`] keeps at most; when they are full, two become one.
const SPANS: usize = 512;

/// Integrals over one span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OverTimeSpan {
    /// Waiting requests times seconds.
    pub waiting: f64,
    /// Running requests times seconds.
    pub running: f64,
    /// Seconds that instances had a pass to run.
    pub busy: f64,
    /// Share of the cache blocks in use times seconds.
    pub blocks: f64,
    /// Share of the ports' rate in use times seconds.
    pub wire: f64,
    /// Energy of the chips above their idle power, in joules.
    pub energy: f64,
    /// Tokens made.
    pub tokens: f64,
    /// Sum of the times to first token of requests whose first token came, and their number.
    pub first_token: [f64; 2],
}

impl OverTimeSpan {
    fn add(&mut self, other: &Self, share: f64) {
        self.waiting += other.waiting * share;
        self.running += other.running * share;
        self.busy += other.busy * share;
        self.blocks += other.blocks * share;
        self.wire += other.wire * share;
        self.energy += other.energy * share;
        self.tokens += other.tokens * share;
        self.first_token[0] += other.first_token[0] * share;
        self.first_token[1] += other.first_token[1] * share;
    }
}

/// Time series in spans of equal length.
#[derive(Clone, Debug)]
pub struct OverTime {
    /// Length of a span.
    pub length: Picoseconds,
    /// The spans, from the start on.
    pub spans: Vec<OverTimeSpan>,
}

impl Default for OverTime {
    fn default() -> Self {
        Self { length: Picoseconds(1_000_000_000), spans: Vec::new() }
    }
}

impl OverTime {
    /// Adds the change between two moments, spread evenly over the time between them.
    pub fn add(&mut self, from: Picoseconds, to: Picoseconds, what: &OverTimeSpan) {
        while to.0 / self.length.0 >= SPANS as u64 {
            self.length.0 *= 2;
            self.spans = self
                .spans
                .chunks(2)
                .map(|pair| {
                    let mut sum = pair[0];
                    pair.get(1).into_iter().for_each(|other| sum.add(other, 1.0));
                    sum
                })
                .collect();
        }
        #[expect(clippy::cast_possible_truncation, reason = "fewer than SPANS")]
        let (first, last) = ((from.0 / self.length.0) as usize, (to.0 / self.length.0) as usize);
        if last >= self.spans.len() {
            self.spans.resize(last + 1, OverTimeSpan::default());
        }
        if first == last {
            self.spans[first].add(what, 1.0);
            return;
        }
        for index in first..=last {
            let (start, end) = (self.length.0 * index as u64, self.length.0 * (index as u64 + 1));
            #[expect(clippy::cast_precision_loss, reason = "a share of a span")]
            let share = (end.min(to.0) - start.max(from.0)) as f64 / (to.0 - from.0) as f64;
            self.spans[index].add(what, share);
        }
    }
}
