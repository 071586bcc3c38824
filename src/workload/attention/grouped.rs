//! Grouped-query and multi-matrix-factorisation attention: heads against keys and values of their group.

use super::{AttentionBatch, Operator, Rank, Work, index};
use crate::input::document::{Gqa, Index, Mfa, Precisions};
use crate::units::Bytes;
use crate::workload::kernel::AttentionWork;

pub(super) fn block(rank: &Rank<'_>, gqa: &Gqa, operators: &mut Vec<Operator>) {
    let [key, value] = [gqa.head_dim, gqa.value_dim()].map(f64::from);
    let (heads, kv_heads) = (rank.share(gqa.heads), rank.kv_share(gqa.kv_heads));
    let stored = f64::from(gqa.stored_dim());
    let gate = if gqa.output_gate { heads * value } else { 0.0 };
    let name = if gqa.shares_cache { "project query" } else { "project query, key, value" };
    operators.push(rank.project(name, heads * key + gate + kv_heads * stored, rank.hidden));
    if let Some(chooser) = &Index::own(gqa.index) {
        index::project(rank, chooser, rank.hidden, operators);
    }
    for batch in rank.batches {
        let mut whole = *batch;
        if let Some(window) = gqa.window {
            whole.context = whole.context.min(f64::from(window));
        }
        let (mut seen, heads) = rank.part(&whole, heads);
        let kv_heads = rank.part(&whole, kv_heads).1.max(1.0);
        if let Some(chooser) = &gqa.index {
            if !chooser.shared {
                let indexed = rank.indexed(&whole);
                index::score(rank, chooser, &indexed, indexed.context, operators);
            }
            seen.context = seen.context.min(f64::from(chooser.top));
        }
        let mut attention = heads_attention(&seen, heads, kv_heads, [key, value], rank.precisions);
        if gqa.value_is_key {
            read_once(&mut attention, key / (key + value));
        }
        if let Work::Attention(AttentionWork { sparse, .. }) = &mut attention.work {
            *sparse = seen.context < rank.part(&whole, heads).0.context;
        }
        operators.push(attention);
    }
    operators.push(rank.project("project output", rank.hidden, heads * value));
}

pub(super) fn factorised_block(rank: &Rank<'_>, mfa: &Mfa, operators: &mut Vec<Operator>) {
    let [query, dim] = [mfa.query_rank, mfa.head_dim].map(f64::from);
    let heads = rank.share(mfa.heads);
    operators.push(rank.project("compress query, project key, value", query + 2.0 * dim, rank.hidden));
    operators.push(rank.project("expand query", heads * dim, query));
    for batch in rank.batches {
        let (batch, heads) = rank.part(batch, heads);
        operators.push(heads_attention(&batch, heads, 1.0, [dim, dim], rank.precisions));
    }
    operators.push(rank.project("project output", rank.hidden, heads * dim));
}

/// A value that is the key is not read a second time.
fn read_once(attention: &mut Operator, share: f64) {
    if let Work::Attention(AttentionWork { unit_bytes, sequence_bytes, .. }) = &mut attention.work {
        *unit_bytes = *unit_bytes * share;
        *sequence_bytes = *sequence_bytes * share;
    }
}

/// Heads against keys and values of their group. In prefill every query row of a group shares what one core reads.
pub(in crate::workload) fn heads_attention(
    batch: &AttentionBatch,
    heads: f64,
    kv_heads: f64,
    [key, value]: [f64; 2],
    precisions: &Precisions,
) -> Operator {
    let element = precisions.kv_cache.bytes();
    let group = heads / kv_heads;
    let rows = group * batch.new_tokens;
    let blocks = (rows / 128.0).ceil();
    let entry = Bytes::new((key + value) * element);
    // Read in 16 bit as the projection left them, written in the formats of the kernel and of the cache.
    let prepared = heads * key * (2.0 + precisions.attention.bytes()) + kv_heads * (key + value) * (2.0 + element);
    // Keys and values stay in the cores' caches between the row blocks of one head: memory sees them once.
    let work = Work::Attention(AttentionWork {
        sequences: batch.sequences,
        context: batch.context,
        units: kv_heads * blocks,
        rows: rows / blocks,
        flop_per_row: 2.0 * (key + value),
        unit_bytes: if batch.prefill { Bytes::ZERO } else { entry },
        sequence_bytes: entry * kv_heads,
        query_bytes: Bytes::new(heads * batch.new_tokens * (2.0 * key + 2.0 * value + if batch.prefill { 0.0 } else { 8.0 * value })),
        prepared_bytes: Bytes::new(if batch.prefill { batch.new_tokens * prepared } else { 0.0 }),
        latent: false,
        chosen: None,
        sparse: false,
        precision: precisions.attention,
    });
    Operator::new("attention", work)
}
