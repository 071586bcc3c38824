//! Token generation: one operating point, and the largest batch under a TPOT limit.

use super::batch::{BelowFloor, Floor, below_floor, highest_rate, largest_within};
use super::infeasible::Infeasible;
use super::operating_point::{OperatingPoint, Rough};
use crate::execution::Mapping;
use crate::execution::draft;
use crate::execution::{Machine, StepShape};
use crate::execution::{cache_room, expert_rank_bytes, weight_bytes};
use crate::execution::{step, step_time};
use crate::input::document::{DecodePhase, Speculation};
use crate::units::{Bytes, Seconds, TokensPerSecond};
use crate::workload::{AttentionBatch, sequence_cache};

/// Decodes `sequences` sequences in each attention group.
#[must_use]
pub fn decode_at(machine: &Machine<'_>, phase: &DecodePhase, mapping: Mapping, sequences: u32, micro_batches: u32) -> OperatingPoint {
    let step = step(machine, &shape(phase, mapping, sequences, micro_batches));
    let (tpot, rate) = pace(machine, phase, mapping, sequences, step.time);
    OperatingPoint {
        mapping,
        batch: f64::from(sequences),
        micro_batches,
        tpot: Some(tpot),
        ttft: None,
        rate,
        fills_memory: false,
        prefixes: None,
        kv_transfer: None,
        requests: None,
        step,
    }
}

fn shape(phase: &DecodePhase, mapping: Mapping, sequences: u32, micro_batches: u32) -> StepShape {
    let drafts = phase.speculation.as_ref().map_or(0, |speculation| speculation.draft_tokens);
    let new_tokens = f64::from(1 + drafts);
    let batch = AttentionBatch { sequences: f64::from(sequences), new_tokens, context: f64::from(*phase.context), prefill: false };
    StepShape { mapping, batch, chunk: None, micro_batches, sampled: batch.tokens(), evenness: 1.0, drafts }
}

/// Time per output token, and tokens per second of the instance, from the time of a step.
fn pace(machine: &Machine<'_>, phase: &DecodePhase, mapping: Mapping, sequences: u32, step: Seconds) -> (Seconds, TokensPerSecond) {
    let tpot = step / tokens_per_step(phase);
    // Each pipeline stage has a batch of its own in work; the fullest stage sets the beat.
    let batches = 1.0 / mapping.fullest_stage(machine.workload.model.layers());
    (tpot, TokensPerSecond::new(f64::from(sequences) * f64::from(mapping.dp) * batches / tpot.get()))
}

fn tokens_per_step(phase: &DecodePhase) -> f64 {
    phase.speculation.as_ref().map_or(1.0, Speculation::tokens_per_step)
}

/// The batch with the most tokens per second whose TPOT and memory hold, for one mapping and number of micro-batches. Micro-batches are
/// whole sequences, so a batch is `micro_batches` times their number.
///
/// # Errors
/// Why not even the smallest batch works.
pub fn best_batch(machine: &Machine<'_>, phase: &DecodePhase, mapping: Mapping, micro_batches: u32) -> Result<OperatingPoint, Infeasible> {
    largest(machine, phase, mapping, micro_batches, Floor::NONE)
        .map(|found| described(machine, phase, &at_highest_rate(machine, phase, found, TokensPerSecond::ZERO)))
}

/// The batch of a point that a search has found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    sequences: u32,
    micro_batches: u32,
    /// The most sequences within the limits.
    largest: u32,
}

/// The point that was found, with the pass behind it.
pub(super) fn described(machine: &Machine<'_>, phase: &DecodePhase, found: &Rough<Batch>) -> OperatingPoint {
    let Batch { sequences, micro_batches, .. } = found.of;
    OperatingPoint { fills_memory: found.fills_memory, ..decode_at(machine, phase, found.mapping, sequences, micro_batches) }
}

/// As [`best_batch`], without the pass behind it; a point that stays below `floor` is given without its rate.
pub(super) fn largest(
    machine: &Machine<'_>,
    phase: &DecodePhase,
    mapping: Mapping,
    micro_batches: u32,
    floor: Floor,
) -> Result<Rough<Batch>, Infeasible> {
    let fit = sequences_that_fit(machine, &mapping, f64::from(*phase.context))?;
    let most = fit / micro_batches;
    if most == 0 {
        return Err(Infeasible::Cache { mapping, sequences: fit });
    }
    let limit = phase.tpot_limit.value;
    let at = |number: u32| {
        let (strain, rate) = strain_and_rate(machine, phase, mapping, number * micro_batches, micro_batches);
        (strain, rate.get(), rate)
    };
    let too_slow = |strain| Infeasible::TooSlow { mapping, time: limit * strain, limit };
    // At the limit so many sequences make `floor`; if they miss it, all that keep it make less.
    let at_floor = floor.rate.get() / pace(machine, phase, mapping, 1, limit * tokens_per_step(phase)).1.get() / f64::from(micro_batches);
    let of_floor = |number: u32| {
        let (strain, rate, _) = at(number);
        (strain, rate)
    };
    let below = below_floor(floor.rate.get(), at_floor, most, of_floor);
    let fills_memory = below == Some(BelowFloor::FillsMemory);
    if below.is_some() && (fills_memory || !floor.must_tell || at(1).0 <= 1.0) {
        let of = Batch { sequences: micro_batches, micro_batches, largest: micro_batches };
        return Ok(Rough { mapping, rate: TokensPerSecond::ZERO, fills_memory, of });
    }
    let found = largest_within(most, at).map_err(too_slow)?;
    let of = Batch { sequences: found.best * micro_batches, micro_batches, largest: found.largest * micro_batches };
    Ok(Rough { mapping, rate: found.of_best, fills_memory: found.all, of })
}

/// TPOT over its limit, and tokens per second of the instance.
fn strain_and_rate(machine: &Machine<'_>, phase: &DecodePhase, mapping: Mapping, sequences: u32, micro_batches: u32) -> (f64, TokensPerSecond) {
    let step = step_time(machine, &shape(phase, mapping, sequences, micro_batches));
    let (tpot, rate) = pace(machine, phase, mapping, sequences, step);
    (tpot / phase.tpot_limit.value, rate)
}

/// The same point with the batch of the highest rate, or with any if none exceeds `least`.
pub(super) fn at_highest_rate(machine: &Machine<'_>, phase: &DecodePhase, found: Rough<Batch>, least: TokensPerSecond) -> Rough<Batch> {
    let Rough { mapping, of: Batch { micro_batches, largest, .. }, .. } = found;
    let (number, rate) = highest_rate(largest / micro_batches, least.get(), |number| {
        let (strain, rate) = strain_and_rate(machine, phase, mapping, number * micro_batches, micro_batches);
        (rate.get(), strain <= 1.0)
    });
    if rate <= found.rate.get() {
        return found;
    }
    Rough { rate: TokensPerSecond::new(rate), of: Batch { sequences: number * micro_batches, ..found.of }, ..found }
}

/// Sequences of one attention group whose caches of `context` tokens fit beside the weights.
pub(super) fn sequences_that_fit(machine: &Machine<'_>, mapping: &Mapping, context: f64) -> Result<u32, Infeasible> {
    let workload = &machine.workload.workload;
    let model = &machine.workload.model;
    let weights = weight_bytes(model, &workload.precision, workload.experts.as_ref(), mapping) + draft::weights(machine.workload, mapping);
    let too_heavy = |weights| Infeasible::Weights { mapping: *mapping, weights, memory: machine.device.usable_memory };
    let room = cache_room(&machine.device, weights).ok_or(too_heavy(weights))?;
    if let Some(ranks) = mapping.ffn {
        let experts = expert_rank_bytes(model, &workload.precision, workload.experts.as_ref(), ranks);
        cache_room(&machine.device, experts).ok_or(too_heavy(experts))?;
    }
    let sequence: Bytes = sequence_cache(model, &workload.precision, mapping.tp, context) / f64::from(mapping.sp)
        + draft::sequence_cache(machine.workload, mapping, context);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32 first")]
    Ok((room / sequence).floor().clamp(0.0, 1e6) as u32)
}
