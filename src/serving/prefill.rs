//! Prompt processing: one operating point.

use super::batch::Floor;
use super::infeasible::Infeasible;
use super::kv_transfer::KvTransfer;
use super::operating_point::{OperatingPoint, Rough};
use super::prefix_cache::{PrefixUse, SharedPrefixes};
use crate::execution::Mapping;
use crate::execution::draft;
use crate::execution::{Machine, StepShape, front_end};
use crate::execution::{cache_room, weight_bytes};
use crate::execution::{step, step_time};
use crate::input::document::PrefillPhase;
use crate::units::{Seconds, TokensPerSecond};
use crate::workload::{AttentionBatch, sequence_cache};

/// One pass over prompts, before anybody has timed it.
#[derive(Debug)]
pub(super) struct PromptReading<'a> {
    machine: &'a Machine<'a>,
    phase: &'a PrefillPhase,
    mapping: Mapping,
    prompts: f64,
    prefixes: PrefixUse,
    /// Fresh tokens that count over those that are read.
    counted: f64,
    shape: StepShape,
}

impl<'a> PromptReading<'a> {
    fn new(machine: &'a Machine<'a>, phase: &'a PrefillPhase, mapping: Mapping, prompts: f64, micro_batches: u32) -> Result<Self, Infeasible> {
        let workload = &machine.workload.workload;
        let model = &machine.workload.model;
        let prompt = f64::from(*phase.prompt);
        let weights = weight_bytes(model, &workload.precision, workload.experts.as_ref(), &mapping) + draft::weights(machine.workload, &mapping);
        let room = cache_room(&machine.device, weights).ok_or(Infeasible::Weights { mapping, weights, memory: machine.device.usable_memory })?;
        let running = sequence_cache(model, &workload.precision, mapping.tp, prompt) * (prompts.max(1.0) / f64::from(mapping.sp))
            + draft::sequence_cache(machine.workload, &mapping, prompt) * prompts.max(1.0);
        if running > room {
            return Err(Infeasible::Cache { mapping, sequences: 0 });
        }
        let cache = phase.prefix_cache.as_ref();
        let known = SharedPrefixes { machine, mapping, cache, unbounded: phase.cache_hit, prompt, variation: phase.variation };
        let found = known.found(room - running)?;
        let fresh = known.fresh(found.hit);
        let batch =
            AttentionBatch { sequences: prompts.max(1.0), new_tokens: fresh * prompts.min(1.0), context: known.seen(found.hit), prefill: true };
        let shape = StepShape { mapping, batch, chunk: None, micro_batches, sampled: prompts, evenness: 1.0, drafts: 0 };
        let mut reading = Self { machine, phase, mapping, prompts, prefixes: found, counted: known.fresh(known.unbounded) / fresh, shape };
        reading.prefixes = known.times(found, reading.prompts_of_instance());
        Ok(reading)
    }

    /// Batches in work: each pipeline stage has one of its own; the fullest stage sets the beat.
    fn batches(&self) -> f64 {
        1.0 / self.mapping.fullest_stage(self.machine.workload.model.layers())
    }

    /// Prompts that the instance reads in a pass.
    fn prompts_of_instance(&self) -> f64 {
        self.prompts * f64::from(self.mapping.dp) * self.batches()
    }

    /// The caches of a pass go to other chips where answers are made on chips of their own; a machine of one chip has no others.
    fn kv_transfer(&self) -> Option<KvTransfer> {
        let others = self.machine.communication.network().fabric().chips > 1;
        let transferred = || KvTransfer::new(self.machine, &self.mapping, f64::from(*self.phase.prompt), self.prompts_of_instance());
        (others && self.machine.workload.workload.decode.is_some()).then(transferred)
    }

    /// Time to first token and tokens per second of the instance, from the time of a step. Layer by layer the prefix cache comes and the
    /// prompts' caches go beside the pass: only what takes longer than the pass is waited for.
    fn pace(&self, step: Seconds) -> (Seconds, TokensPerSecond) {
        let transfer = self.kv_transfer();
        let pass = step.max(self.prefixes.time).max(transfer.map_or(Seconds::ZERO, |transfer| transfer.time));
        let passes = (1.0 / self.prompts).ceil().max(1.0);
        let rate = self.shape.batch.tokens() * self.counted * f64::from(self.mapping.dp) * self.batches() / pass.get();
        let waited = self.prefixes.exposed + transfer.map_or(Seconds::ZERO, |transfer| transfer.exposed);
        (pass * (0.5 + passes) + waited + front_end(self.machine.workload), TokensPerSecond::new(rate))
    }

    fn point(&self) -> OperatingPoint {
        let step = step(self.machine, &self.shape);
        let (ttft, rate) = self.pace(step.time);
        let Self { mapping, prompts, .. } = *self;
        OperatingPoint {
            mapping,
            batch: prompts,
            micro_batches: self.shape.micro_batches,
            tpot: None,
            ttft: Some(ttft),
            rate,
            fills_memory: false,
            prefixes: Some(self.prefixes),
            kv_transfer: self.kv_transfer(),
            requests: None,
            step,
        }
    }
}

/// Reads `prompts` prompts in each attention group in one pass.
///
/// # Errors
/// Weights or caches that do not fit.
pub fn prefill_at(
    machine: &Machine<'_>,
    phase: &PrefillPhase,
    mapping: Mapping,
    prompts: f64,
    micro_batches: u32,
) -> Result<OperatingPoint, Infeasible> {
    Ok(PromptReading::new(machine, phase, mapping, prompts, micro_batches)?.point())
}

/// Whole prompts that are tried as the batch of an attention group, and shares of one for where a whole one takes too long.
const PROMPTS: [f64; 5] = [1.0, 2.0, 4.0, 8.0, 16.0];
const SHARES: [f64; 2] = [0.5, 0.25];

/// The batch with the most tokens per second whose TTFT and memory hold, for one mapping and number of micro-batches.
///
/// # Errors
/// Why no batch works: of those that are too slow, the fastest.
pub fn most_prompts(machine: &Machine<'_>, phase: &PrefillPhase, mapping: Mapping, micro_batches: u32) -> Result<OperatingPoint, Infeasible> {
    most(machine, phase, mapping, micro_batches, Floor::NONE).map(|found| described(&found))
}

/// The point that was found, with the pass behind it.
pub(super) fn described(found: &Rough<PromptReading<'_>>) -> OperatingPoint {
    OperatingPoint { fills_memory: found.fills_memory, ..found.of.point() }
}

/// As [`most_prompts`], without the pass behind it; a point that stays below `floor` is given without its rate.
pub(super) fn most<'a>(
    machine: &'a Machine<'a>,
    phase: &'a PrefillPhase,
    mapping: Mapping,
    micro_batches: u32,
    floor: Floor,
) -> Result<Rough<PromptReading<'a>>, Infeasible> {
    let limit = phase.ttft_limit.value;
    let timed = |prompts: f64| {
        let reading = PromptReading::new(machine, phase, mapping, prompts, micro_batches)?;
        let (ttft, rate) = reading.pace(step_time(machine, &reading.shape));
        Ok((reading, ttft, rate))
    };
    let at = |prompts: f64| {
        let (reading, ttft, rate) = timed(prompts)?;
        if ttft > limit { Err(Infeasible::TooSlow { mapping, time: ttft, limit }) } else { Ok((reading, rate)) }
    };
    // A rate grows with the batch: what the largest misses, late or not, all others miss.
    let below = || timed(PROMPTS[PROMPTS.len() - 1]).ok().filter(|(_, _, rate)| *rate < floor.rate).map(|(reading, ..)| reading);
    let stays_below = |reading| Rough { mapping, rate: TokensPerSecond::ZERO, fills_memory: false, of: reading };
    if floor.rate > TokensPerSecond::ZERO
        && !floor.must_tell
        && let Some(reading) = below()
    {
        return Ok(stays_below(reading));
    }
    let mut best = at(PROMPTS[0]);
    for share in SHARES {
        let Err(Infeasible::TooSlow { time, .. }) = &best else { break };
        let time = *time;
        match at(share) {
            Err(Infeasible::TooSlow { time: shorter, .. }) if shorter >= time => {}
            found => best = found,
        }
    }
    let (mut best, mut most) = best?;
    if floor.must_tell && most < floor.rate && below().is_some() {
        return Ok(stays_below(best));
    }
    let mut fills_memory = false;
    for prompts in &PROMPTS[1..] {
        // More prompts take more time and more room.
        match at(*prompts) {
            Ok((reading, rate)) if rate > most => (best, most) = (reading, rate),
            Ok(_) => {}
            Err(no) => {
                fills_memory = matches!(no, Infeasible::Cache { .. });
                break;
            }
        }
    }
    Ok(Rough { mapping, rate: most, fills_memory, of: best })
}
