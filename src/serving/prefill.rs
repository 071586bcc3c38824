//! Prompt processing: one operating point.

use super::mapping::Mapping;
use super::memory::{cache_room, weight_bytes};
use super::search::No;
use super::step::{Machine, Step, StepShape, step};
use crate::input::document::PrefillPhase;
use crate::units::{Seconds, TokensPerSecond};
use crate::workload::{AttentionBatch, cache_bytes_per_token};

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
    /// The pass behind it.
    pub step: Step,
}

impl PrefillPoint {
    /// Prompts in flight on one chip.
    #[must_use]
    pub fn batch_per_chip(&self, ranks_per_chip: u32) -> f64 {
        self.prompts * f64::from(self.mapping.dp) / f64::from(self.mapping.chips(ranks_per_chip))
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
    if cache_bytes_per_token(model, &workload.precision, mapping.tp) * (prompt * prompts.max(1.0)) > room {
        return Err(No::Cache { mapping, sequences: 0 });
    }
    // A fresh token sees the cached prefix and, on average, half of the fresh ones.
    let context = prompt * phase.cache_hit + fresh / 2.0;
    let batch = AttentionBatch { sequences: prompts.max(1.0), new_tokens: fresh * prompts.min(1.0), context, prefill: true };
    let tokens = batch.tokens();
    let step = step(machine, &StepShape { mapping, batch, micro_batches, sampled: prompts, drafts: 0 });
    let passes = (1.0 / prompts).ceil().max(1.0);
    let ttft = step.time * (0.5 + passes);
    let rate = TokensPerSecond::new(tokens * f64::from(mapping.dp) / step.time.get());
    Ok(PrefillPoint { mapping, prompts, micro_batches, ttft, rate, step })
}
