//! A draft model beside the one that is served, on the same chips: how it is laid out, what it holds, and the passes that it adds.
//!
//! Y. Leviathan, M. Kalman, Y. Matias (arXiv 2211.17192): a step is `k` passes of the draft, one token each, and one pass of the model over
//! the `k + 1` tokens that follow from them; with acceptance `a` it yields `1 + a + ... + a^k = (1 - a^(k+1)) / (1 - a)` tokens. The draft
//! reads prompts too, since it needs a cache of its own.

use super::mapping::Mapping;
use super::memory::weight_bytes;
use super::shape::StepShape;
use crate::input::document::Model;
use crate::input::spec::WorkloadSpec;
use crate::units::Bytes;
use crate::workload::{self, AttentionBatch, prompt_cache_per_token};

/// How a draft is laid over the ranks of one pipeline stage's attention groups, or over all stages where it has as many layers: as many
/// ranks share a copy as share the model's attention blocks, or, where the draft's heads do not divide so, the most that divide them.
#[must_use]
pub fn draft_mapping(draft: &Model, mapping: &Mapping) -> Mapping {
    let divides = |tp: &u32| mapping.tp.is_multiple_of(*tp) && draft.layer.iter().all(|group| group.attention.heads().is_multiple_of(*tp));
    let tp = (1..=mapping.tp).rev().find(divides).unwrap_or(1);
    let ranks = mapping.group() * mapping.dp;
    let pp = if mapping.pp <= draft.layers() { mapping.pp } else { 1 };
    Mapping { tp, ep: if draft.experts().is_some() { ranks } else { 1 }, dp: ranks / tp, pp, ..Mapping::ONE }
}

/// Of an attention group's sequences, those of one copy of the draft.
fn share(own: &Mapping, mapping: &Mapping) -> f64 {
    f64::from(mapping.dp) / f64::from(own.dp)
}

/// The draft's weights on a rank; none without one.
pub(crate) fn weights(spec: &WorkloadSpec, mapping: &Mapping) -> Bytes {
    let of = |draft: &WorkloadSpec| {
        weight_bytes(&draft.model, &draft.workload.precision, draft.workload.experts.as_ref(), &draft_mapping(&draft.model, mapping))
    };
    spec.draft.as_deref().map_or(Bytes::ZERO, of)
}

/// The draft's cache on a rank for a sequence of `context` tokens in its attention group.
pub(crate) fn sequence_cache(spec: &WorkloadSpec, mapping: &Mapping, context: f64) -> Bytes {
    spec.draft.as_deref().map_or(Bytes::ZERO, |draft| {
        let own = draft_mapping(&draft.model, mapping);
        workload::sequence_cache(&draft.model, &draft.workload.precision, own.tp, context) * share(&own, mapping)
    })
}

/// The draft's cache of a token of a prompt of `tokens` tokens, all its ranks together.
pub(crate) fn cache_per_token(spec: &WorkloadSpec, tokens: f64) -> Bytes {
    spec.draft.as_deref().map_or(Bytes::ZERO, |draft| prompt_cache_per_token(&draft.model, &draft.workload.precision, tokens))
}

/// The passes of the draft that go with a pass of the model, and how often each runs: for `k` tokens `k`, the first of them with the chunk
/// of prompts that the model reads; for prompts alone one.
pub(crate) fn passes<'a>(spec: &'a WorkloadSpec, shape: &StepShape) -> impl Iterator<Item = (&'a WorkloadSpec, StepShape, f64)> {
    let of = |draft: &'a WorkloadSpec| {
        let mapping = draft_mapping(&draft.model, &shape.mapping);
        let share = share(&mapping, &shape.mapping);
        // Where a copy has less than a sequence on average, some copies have one and set the pace.
        let part = |batch: AttentionBatch| AttentionBatch { sequences: (batch.sequences * share).max(1.0), ..batch };
        let one = |batch: AttentionBatch| if batch.prefill { batch } else { AttentionBatch { new_tokens: 1.0, ..batch } };
        let batch = part(one(shape.batch));
        let sampled = if shape.batch.prefill { shape.sampled * share } else { batch.sequences };
        let reading = StepShape {
            mapping,
            batch,
            chunk: shape.chunk.map(part),
            micro_batches: shape.micro_batches,
            sampled,
            evenness: shape.evenness,
            drafts: 0,
        };
        let more = StepShape { chunk: None, ..reading };
        [(draft, reading, 1.0), (draft, more, f64::from(shape.drafts) - 1.0)].into_iter().filter(|(_, _, times)| *times > 0.0)
    };
    spec.draft.as_deref().into_iter().flat_map(of)
}
