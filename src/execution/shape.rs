//! Input of one pass: sequences and tokens.

use super::mapping::Mapping;
use crate::input::spec::WorkloadSpec;
use crate::workload::AttentionBatch;

/// What one pass works on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepShape {
    /// Degrees.
    pub mapping: Mapping,
    /// All sequences of one attention group.
    pub batch: AttentionBatch,
    /// A chunk of prompts that is read in the same pass, where decode and prefill share chips.
    pub chunk: Option<AttentionBatch>,
    /// Parts that the batch is cut into, to overlap.
    pub micro_batches: u32,
    /// Tokens of one attention group whose next token is wanted.
    pub sampled: f64,
    /// Mean tokens of an attention group over those of the group with most, which `batch` and `chunk` describe: at most 1. Experts serve all groups.
    pub evenness: f64,
    /// Draft tokens: passes of a draft model or, without one, further passes through one more layer and the head, an MTP module.
    pub drafts: u32,
}

impl StepShape {
    /// Draft tokens that the model itself makes.
    pub(super) fn own_drafts(&self, workload: &WorkloadSpec) -> u32 {
        if workload.draft.is_some() { 0 } else { self.drafts }
    }

    /// Whether many tokens move at once, so that kernels for throughput are used.
    pub(super) fn bulk(&self) -> bool {
        self.batch.prefill || self.chunk.is_some()
    }
}
