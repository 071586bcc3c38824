//! Prompt processing: one operating point.

use super::mapping::Mapping;
use super::memory::{cache_room, weight_bytes};
use super::search::No;
use super::step::{Machine, Step, StepShape, step};
use crate::input::document::PrefillPhase;
use crate::units::{Seconds, TokensPerSecond};
use crate::workload::{AttentionBatch, prompt_cache_per_token, sequence_cache};

/// Prefill at one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct PrefillPoint {
    /// Degrees.
    pub mapping: Mapping,
    /// Prompts (or, below one, the share of a prompt) that an attention group reads in one pass.
    pub prompts: f64,
    /// Micro-batches.
    pub micro_batches: u32,
    /// Time to first token: half a pass of waiting, then as many passes as the prompt needs.
    pub ttft: Seconds,
    /// Prompt tokens per second of one instance, cached ones not counted.
    pub rate: TokensPerSecond,
    /// Of a pass, the time in which the prefix cache is read from outside the chip; it runs beside the pass.
    pub cache_load: Seconds,
    /// The pass behind it.
    pub step: Step,
}

impl PrefillPoint {
    /// Prompts in flight on one chip.
    #[must_use]
    pub fn batch_per_chip(&self, ranks_per_chip: u32) -> f64 {
        self.prompts * f64::from(self.mapping.dp * self.mapping.pp) / f64::from(self.mapping.chips(ranks_per_chip))
    }
}

/// Reads `prompts` prompts in each attention group in one pass.
///
/// # Errors
/// Weights or caches that do not fit.
pub fn prefill_at(machine: &Machine<'_>, phase: &PrefillPhase, mapping: Mapping, prompts: f64, micro_batches: u32) -> Result<PrefillPoint, No> {
    let workload = &machine.workload.workload;
    let model = &machine.workload.model;
    let prompt = f64::from(*phase.prompt);
    let fresh = prompt * (1.0 - phase.cache_hit);
    let weights = weight_bytes(model, &workload.precision, workload.experts.as_ref(), &mapping);
    let room = cache_room(&machine.device, weights).ok_or(No::Weights { mapping, weights, memory: machine.device.usable_memory })?;
    if sequence_cache(model, &workload.precision, mapping.tp, prompt) * prompts.max(1.0) > room {
        return Err(No::Cache { mapping, sequences: 0 });
    }
    // A fresh token sees the cached prefix and, on average, half of the fresh ones, of which long prompts have more.
    let context = prompt * phase.cache_hit + fresh / 2.0 * (1.0 + phase.variation * phase.variation);
    let batch = AttentionBatch { sequences: prompts.max(1.0), new_tokens: fresh * prompts.min(1.0), context, prefill: true };
    let tokens = batch.tokens();
    let step = step(machine, &StepShape { mapping, batch, chunk: None, micro_batches, sampled: prompts, drafts: 0 });
    // Each pipeline stage has a batch of its own in work; the fullest stage sets the beat.
    let batches = 1.0 / mapping.fullest_stage(model.layers());
    let cached = prompts * f64::from(mapping.dp) * batches * prompt * phase.cache_hit;
    let cache_load = phase.prefix_cache.as_ref().map_or(Seconds::ZERO, |cache| {
        let chips = mapping.chips(machine.communication.network().fabric().chip.ranks);
        prompt_cache_per_token(model, &workload.precision, prompt) * cached / (cache.bandwidth.value * f64::from(chips))
    });
    // Layer by layer beside the pass: only what takes longer than the pass is waited for.
    let pass = step.time.max(cache_load);
    let passes = (1.0 / prompts).ceil().max(1.0);
    let ttft = pass * (0.5 + passes);
    let rate = TokensPerSecond::new(tokens * f64::from(mapping.dp) * batches / pass.get());
    Ok(PrefillPoint { mapping, prompts, micro_batches, ttft, rate, cache_load, step })
}
