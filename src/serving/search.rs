//! The best mapping and batch: every legal one is tried, in parallel.

use std::fmt;

use rayon::prelude::*;

use super::decode::{DecodePoint, largest_batch};
use super::mapping::Mapping;
use super::prefill::{PrefillPoint, prefill_at};
use super::step::Machine;
use crate::input::document::{DecodePhase, PrefillPhase};
use crate::units::{Bytes, Seconds, TokensPerSecond, render};

/// Why a mapping does not work.
#[derive(Clone, Debug, PartialEq)]
pub enum No {
    /// The weights do not fit.
    Weights {
        /// Degrees.
        mapping: Mapping,
        /// Needed on one rank.
        weights: Bytes,
        /// Usable on one rank.
        memory: Bytes,
    },
    /// The caches do not fit beside the weights.
    Cache {
        /// Degrees.
        mapping: Mapping,
        /// Sequences that would fit in one attention group.
        sequences: u32,
    },
    /// Even the smallest batch takes longer than the service level allows.
    TooSlow {
        /// Degrees.
        mapping: Mapping,
        /// Best time.
        time: Seconds,
        /// Allowed.
        limit: Seconds,
    },
}

impl fmt::Display for No {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights { weights, memory, .. } => {
                write!(out, "does not fit: the weights take {} on each rank, {} is usable", render(*weights), render(*memory))
            }
            Self::Cache { .. } => write!(out, "does not fit: no room for the KV cache beside the weights"),
            Self::TooSlow { time, limit, .. } => write!(out, "too slow: {} at best, {} allowed", render(*time), render(*limit)),
        }
    }
}

/// The best of one phase, scaled to the whole supernode.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase<P> {
    /// The operating point of one instance.
    pub point: P,
    /// Instances on the supernode.
    pub instances: u32,
    /// Tokens per second of the whole supernode when all its chips do this.
    pub rate: TokensPerSecond,
    /// Mappings tried.
    pub tried: usize,
}

/// The decode mapping with the most tokens per second under the TPOT limit.
///
/// # Errors
/// Why the mapping that comes nearest does not work.
pub fn best_decode(machine: &Machine<'_>, phase: &DecodePhase, candidates: &[Mapping]) -> Result<Phase<DecodePoint>, No> {
    best(
        machine,
        candidates,
        |point: &DecodePoint| point.rate,
        |mapping| [1, 2].into_iter().map(|micro_batches| largest_batch(machine, phase, mapping, micro_batches)).collect(),
    )
}

/// The prefill mapping with the most tokens per second under the TTFT limit.
///
/// # Errors
/// Why the mapping that comes nearest does not work.
pub fn best_prefill(machine: &Machine<'_>, phase: &PrefillPhase, candidates: &[Mapping]) -> Result<Phase<PrefillPoint>, No> {
    best(
        machine,
        candidates,
        |point: &PrefillPoint| point.rate,
        |mapping| {
            let batches = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
            let points = batches.into_iter().flat_map(|prompts| [1, 2].map(|micro_batches| (prompts, micro_batches)));
            points
                .map(|(prompts, micro_batches)| {
                    let point = prefill_at(machine, phase, mapping, prompts, micro_batches)?;
                    let limit = phase.ttft_limit.value;
                    if point.ttft > limit { Err(No::TooSlow { mapping, time: point.ttft, limit }) } else { Ok(point) }
                })
                .collect()
        },
    )
}

fn best<P, F, R>(machine: &Machine<'_>, candidates: &[Mapping], rate: R, points: F) -> Result<Phase<P>, No>
where
    P: Send + Clone,
    F: Fn(Mapping) -> Vec<Result<P, No>> + Sync,
    R: Fn(&P) -> TokensPerSecond,
{
    let fabric = machine.communication.network().fabric();
    let found: Vec<(Mapping, Vec<Result<P, No>>)> = candidates.par_iter().map(|&mapping| (mapping, points(mapping))).collect();
    let tried = found.iter().map(|(_, points)| points.len()).sum();
    let mut best: Option<Phase<P>> = None;
    let mut nearest: Option<No> = None;
    for (mapping, points) in found {
        let instances = fabric.chips / mapping.chips(fabric.chip.ranks);
        for point in points {
            match point {
                Ok(point) => {
                    let total = rate(&point) * f64::from(instances);
                    // Ties keep the first, which has the smallest instance.
                    if best.as_ref().is_none_or(|best| total > best.rate) {
                        best = Some(Phase { point, instances, rate: total, tried });
                    }
                }
                Err(no) => nearest = Some(nearer(nearest, no)),
            }
        }
    }
    best.ok_or_else(|| nearest.unwrap_or(No::Cache { mapping: Mapping { tp: 1, ep: 1, dp: 1, pp: 1 }, sequences: 0 }))
}

/// Of two refusals the one that was nearer to working: too slow before no room before too heavy, and the smaller excess.
fn nearer(a: Option<No>, b: No) -> No {
    let excess = |no: &No| match no {
        No::TooSlow { time, limit, .. } => (0, *time / *limit),
        No::Cache { .. } => (1, 0.0),
        No::Weights { weights, memory, .. } => (2, *weights / *memory),
    };
    match a {
        Some(a) if excess(&a) <= excess(&b) => a,
        _ => b,
    }
}
