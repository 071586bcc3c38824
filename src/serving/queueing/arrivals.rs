//! Synthetic requests: arrival times and lengths.
//!
//! Gaps and lengths have random streams of their own, and gaps are drawn with mean one before they are divided by the rate: two runs that
//! differ in the rate alone serve the same requests in the same order (common random numbers).

use super::clock::Picoseconds;
use super::trace::{ArrivingRequest, Trace};
use crate::input::document::Length;
use crate::input::trace::TraceFile;
use crate::units::{Seconds, SplitMix64};

/// How gaps between arrivals are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// Exponential gaps.
    Poisson,
    /// Gamma gaps with this standard deviation over their mean; 1 is Poisson, more comes in bursts.
    Gamma(f64),
    /// Equal gaps.
    Constant,
    /// Groups of this many requests at once, with exponential gaps between the groups.
    Burst(u32),
}

/// Prompts that begin with the earlier prompts of their session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sessions {
    /// Fraction of a prompt's tokens that an unbounded cache would find.
    pub shared: f64,
    /// Number of sessions, equally frequent. If absent, every shared token is found.
    pub count: Option<u32>,
}

/// Parameters of synthetic requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Made {
    /// Number of requests.
    pub requests: u32,
    /// Arrivals per second.
    pub rate: f64,
    /// Distribution of the gaps between arrivals.
    pub arrivals: Arrivals,
    /// Lengths of prompts: log-normal.
    pub input: Length,
    /// Lengths of answers: log-normal.
    pub output: Length,
    /// Which beginnings prompts share.
    pub sessions: Sessions,
    /// Seed of everything.
    pub seed: u64,
}

/// Tokens of one shared block of synthetic prompts.
const BLOCK: u32 = 256;

/// A standard normal number (Box and Muller).
fn normal(stream: &mut SplitMix64) -> f64 {
    let (radius, angle) = (stream.uniform(), stream.uniform());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// A gamma number of shape `shape` and mean one (G. Marsaglia, W. Tsang, ACM TOMS 26, 2000; below shape one by a power of a uniform number).
fn gamma(shape: f64, stream: &mut SplitMix64) -> f64 {
    if shape < 1.0 {
        let larger = gamma(shape + 1.0, stream) * (shape + 1.0);
        return larger * stream.uniform().powf(1.0 / shape) / shape;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(stream);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && stream.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v / shape;
        }
    }
}

/// A length with the mean and variation of `length`, log-normal; at least one token, at most twenty times the mean.
fn tokens(length: &Length, stream: &mut SplitMix64) -> u32 {
    if length.variation <= 0.0 {
        return length.mean.max(1);
    }
    let spread = length.variation.mul_add(length.variation, 1.0).ln();
    let drawn = f64::from(length.mean) * (normal(stream) * spread.sqrt() - spread / 2.0).exp();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32 first")]
    let tokens = drawn.round().clamp(1.0, (f64::from(length.mean) * 20.0).min(1e9)) as u32;
    tokens
}

impl Made {
    /// The requests.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let [mut gaps, mut lengths, mut sessions] = [0, 1, 2].map(|stream| SplitMix64::new(self.seed, stream));
        let mut trace = Trace { block_tokens: BLOCK, ..Trace::default() };
        let mut now = 0.0;
        // Blocks of a session are numbered from its own first one on.
        let most = (f64::from(self.input.mean) * 20.0 * self.sessions.shared / f64::from(BLOCK)).ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths are bounded")]
        let most = most as u32;
        for number in 0..self.requests {
            let gap = match self.arrivals {
                Arrivals::Poisson => -gaps.uniform().ln(),
                Arrivals::Gamma(variation) => gamma(1.0 / (variation * variation), &mut gaps),
                Arrivals::Constant => 1.0,
                Arrivals::Burst(size) => {
                    if number % size == 0 {
                        -gaps.uniform().ln() * f64::from(size)
                    } else {
                        0.0
                    }
                }
            };
            now += if number == 0 { 0.0 } else { gap };
            let (input, output) = (tokens(&self.input, &mut lengths), tokens(&self.output, &mut lengths));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a prompt")]
            let shared = (f64::from(input) * self.sessions.shared) as u32;
            let from = u32::try_from(trace.blocks.len()).unwrap_or(u32::MAX);
            let found = match self.sessions.count {
                Some(count) => {
                    let session = u32::try_from(sessions.below(count.max(1) as usize)).unwrap_or(0);
                    trace.blocks.extend((0..shared / BLOCK).map(|block| session * most + block));
                    0
                }
                None => shared,
            };
            let prefix = from..u32::try_from(trace.blocks.len()).unwrap_or(u32::MAX);
            trace.requests.push(ArrivingRequest {
                arrival: Picoseconds::of(Seconds::new(now / self.rate)),
                input,
                output,
                prefix,
                found,
                priority: 0,
            });
        }
        trace.distinct = trace.blocks.iter().max().map_or(0, |block| block + 1);
        trace
    }
}

impl Trace {
    /// The requests of a file.
    #[must_use]
    pub fn of(file: &TraceFile) -> Self {
        let requests = file.rows.iter().map(|row| ArrivingRequest {
            arrival: Picoseconds::of(Seconds::new(row.arrival)),
            input: row.input,
            output: row.output,
            prefix: row.prefix.clone(),
            found: 0,
            priority: row.priority,
        });
        Self { requests: requests.collect(), blocks: file.blocks.clone(), block_tokens: file.block_tokens, distinct: file.distinct }
    }

    /// Mean tokens of a prompt, and of an answer.
    #[must_use]
    pub fn mean_lengths(&self) -> [f64; 2] {
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let count = self.requests.len().max(1) as f64;
        let mean = |of: fn(&ArrivingRequest) -> u32| self.requests.iter().map(|request| f64::from(of(request))).sum::<f64>() / count;
        [mean(|request| request.input), mean(|request| request.output)]
    }
}
