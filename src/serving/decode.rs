//! Token generation: one operating point, and the largest batch under a TPOT limit.

use super::mapping::Mapping;
use super::memory::{cache_room, weight_bytes};
use super::search::No;
use super::step::{Machine, Step, StepShape, step};
use crate::input::document::{DecodePhase, Speculation};
use crate::units::{Bytes, Seconds, TokensPerSecond};
use crate::workload::{AttentionBatch, sequence_cache};

/// Decode at one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodePoint {
    /// Degrees.
    pub mapping: Mapping,
    /// Sequences of one attention group and pipeline stage.
    pub sequences: u32,
    /// Micro-batches.
    pub micro_batches: u32,
    /// Time per output token of a sequence.
    pub tpot: Seconds,
    /// Tokens per second of one instance.
    pub rate: TokensPerSecond,
    /// Whether memory, not time, keeps the batch from growing.
    pub fills_memory: bool,
    /// The pass behind it.
    pub step: Step,
}

impl DecodePoint {
    /// Sequences in flight on one chip.
    #[must_use]
    pub fn batch_per_chip(&self, ranks_per_chip: u32) -> f64 {
        f64::from(self.sequences) * f64::from(self.mapping.dp * self.mapping.pp) / f64::from(self.mapping.chips(ranks_per_chip))
    }
}

/// Decodes `sequences` sequences in each attention group.
#[must_use]
pub fn decode_at(machine: &Machine<'_>, phase: &DecodePhase, mapping: Mapping, sequences: u32, micro_batches: u32) -> DecodePoint {
    let drafts = phase.speculation.as_ref().map_or(0, |speculation| speculation.draft_tokens);
    let new_tokens = f64::from(1 + drafts);
    let batch = AttentionBatch { sequences: f64::from(sequences), new_tokens, context: f64::from(*phase.context), prefill: false };
    let sampled = batch.tokens();
    let step = step(machine, &StepShape { mapping, batch, chunk: None, micro_batches, sampled, drafts });
    let tokens = phase.speculation.as_ref().map_or(1.0, Speculation::tokens_per_step);
    let tpot = step.time / tokens;
    // Each pipeline stage has a batch of its own in work; the fullest stage sets the beat.
    let batches = 1.0 / mapping.fullest_stage(machine.workload.model.layers());
    let rate = TokensPerSecond::new(f64::from(sequences) * f64::from(mapping.dp) * batches / tpot.get());
    DecodePoint { mapping, sequences, micro_batches, tpot, rate, fills_memory: false, step }
}

/// The largest batch whose TPOT and memory hold, for one mapping and number of micro-batches.
///
/// # Errors
/// Why not even the smallest batch works.
pub fn largest_batch(machine: &Machine<'_>, phase: &DecodePhase, mapping: Mapping, micro_batches: u32) -> Result<DecodePoint, No> {
    let most = memory_limit(machine, phase, &mapping)?;
    let least = micro_batches;
    if most < least {
        return Err(No::Cache { mapping, sequences: most });
    }
    let limit = phase.tpot_limit.value;
    let at = |sequences: u32| decode_at(machine, phase, mapping, sequences / micro_batches * micro_batches, micro_batches);
    let smallest = at(least);
    if smallest.tpot > limit {
        return Err(No::TooSlow { mapping, time: smallest.tpot, limit });
    }
    let (mut good, mut bad) = (least, most + 1);
    let mut point = smallest;
    // Grow geometrically, then bisect; time grows with the batch.
    let mut next = least * 2;
    while bad - good > micro_batches.max(good / 64) {
        let candidate = next.clamp(good + 1, bad - 1);
        let found = at(candidate);
        if found.tpot <= limit {
            good = candidate;
            if found.rate > point.rate {
                point = found;
            }
            next = if bad > most { good * 2 } else { good.midpoint(bad) };
        } else {
            bad = candidate;
            next = good.midpoint(bad);
        }
    }
    point.fills_memory = bad > most;
    Ok(point)
}

/// Sequences of one attention group whose caches fit beside the weights.
fn memory_limit(machine: &Machine<'_>, phase: &DecodePhase, mapping: &Mapping) -> Result<u32, No> {
    let workload = &machine.workload.workload;
    let model = &machine.workload.model;
    let weights = weight_bytes(model, &workload.precision, workload.experts.as_ref(), mapping);
    let room = cache_room(&machine.device, weights).ok_or(No::Weights { mapping: *mapping, weights, memory: machine.device.usable_memory })?;
    let sequence: Bytes = sequence_cache(model, &workload.precision, mapping.tp, f64::from(*phase.context));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32 first")]
    Ok((room / sequence).floor().clamp(0.0, 1e6) as u32)
}
