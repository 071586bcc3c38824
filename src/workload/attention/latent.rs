//! Latent attention. Decode works on the cache as it is, with the key and value projections absorbed into query and output; prefill
//! expands the cache to heads, which costs less arithmetic when many rows see each entry.

use super::{AttentionBatch, Operator, Rank, Work, grouped, index};
use crate::input::document::{Index, Mla, Precision, Precisions};
use crate::units::Bytes;
use crate::workload::kernel::{AttentionWork, Chosen, GemmWork};

pub(super) fn block(rank: &Rank<'_>, mla: &Mla, operators: &mut Vec<Operator>) {
    let heads = rank.share(mla.heads);
    let [query, latent, nope, rope, value] = [mla.query_rank, mla.kv_rank, mla.nope_dim, mla.rope_dim, mla.value_dim].map(f64::from);
    let gate = if mla.output_gate { heads * value } else { 0.0 };
    if query > 0.0 {
        operators.push(rank.project("compress query, key, value", query + latent + rope + gate, rank.hidden).in_prolog());
        operators.push(rank.project("expand query", heads * (nope + rope), query).in_prolog());
    } else {
        operators.push(rank.project("project query, compress key, value", heads * (nope + rope) + latent + rope + gate, rank.hidden).in_prolog());
    }
    if let Some(chooser) = &Index::own(mla.index) {
        index::project(rank, chooser, if query > 0.0 { query } else { rank.hidden }, operators);
    }
    for batch in rank.batches {
        if let Some(chooser) = &Index::own(mla.index) {
            let indexed = rank.indexed(batch);
            index::score(rank, chooser, &indexed, indexed.context, operators);
        }
        let (batch, heads) = &rank.part(batch, heads);
        let heads = *heads;
        let read = mla.index.map_or(batch.context, |chooser| batch.context.min(f64::from(chooser.top)));
        let chosen = mla.index.filter(|_| batch.prefill).map(|chooser| Chosen { tokens: batch.tokens(), heads, entries: f64::from(chooser.top) });
        if batch.prefill && chosen.is_none_or(|chosen| batch.last_context() <= chosen.entries) {
            operators.push(Rank::expand(rank, batch, heads * (nope + value), latent));
            let mut attention = grouped::heads_attention(batch, heads, heads, [nope + rope, value], rank.precisions);
            // In 16 bit only the rotated part of queries and keys passes the kernel ahead; products write the rest in place. In 8 bit all is cast.
            if let Work::Attention(AttentionWork { prepared_bytes, chosen: of_prompts, .. }) = &mut attention.work {
                *of_prompts = chosen;
                if rank.precisions.attention == Precision::Bf16 {
                    *prepared_bytes = Bytes::new(batch.new_tokens * heads * rope * 2.0 * 4.0);
                }
            }
            operators.push(attention);
        } else {
            operators.push(Rank::product("absorb key", heads, batch.tokens(), latent, nope).in_prolog());
            let mut attention = shared_entries(batch, read, heads, [latent + rope, latent], latent + rope, rank.precisions);
            if let Work::Attention(AttentionWork { chosen: of_prompts, sparse, .. }) = &mut attention.work {
                *of_prompts = chosen;
                *sparse |= chosen.is_some();
            }
            operators.push(attention);
            operators.push(Rank::product("absorb value", heads, batch.tokens(), value, latent));
        }
    }
    operators.push(rank.project("project output", rank.hidden, heads * value));
}

impl Rank<'_> {
    /// Cache entries that a batch's new tokens see, expanded to keys and values: those of a found prefix and of earlier chunks too, since the cache
    /// keeps them compressed.
    fn expand(&self, batch: &AttentionBatch, columns: f64, depth: f64) -> Operator {
        let seen = if self.cached { batch.last_context() } else { batch.new_tokens };
        let work = Work::Gemm(GemmWork { batch: 1.0, rows: batch.sequences * seen, columns, depth, precision: self.precisions.weights });
        Operator::new("expand key, value", work)
    }
}

/// All heads of a token against `read` entries that they share: 2 x key width for the scores and 2 x value width for the values, per
/// head and entry. In prefill rows choose entries of their own, but memory sees each entry of the context once.
pub(super) fn shared_entries(
    batch: &AttentionBatch,
    read: f64,
    heads: f64,
    [key, value]: [f64; 2],
    entry_elements: f64,
    precisions: &Precisions,
) -> Operator {
    let (sequences, new_tokens) = if batch.prefill { (batch.tokens(), 1.0) } else { (batch.sequences, batch.new_tokens) };
    let rows = heads * new_tokens;
    let entry = Bytes::new(entry_elements * precisions.kv_cache.bytes());
    let from_memory = if batch.prefill { entry * (batch.context / (read * batch.new_tokens)).min(1.0) } else { entry };
    let work = Work::Attention(AttentionWork {
        sequences,
        context: read,
        units: (rows / 128.0).ceil(),
        rows: rows.min(128.0),
        flop_per_row: 2.0 * (key + value),
        unit_bytes: from_memory,
        sequence_bytes: from_memory,
        // Query in, output out (BF16), partial results written and read once (FP32).
        query_bytes: Bytes::new(rows * (2.0 * key + 2.0 * value + 8.0 * value)),
        prepared_bytes: Bytes::ZERO,
        latent: true,
        chosen: None,
        sparse: read < batch.context,
        precision: precisions.attention,
    });
    Operator::new("attention", work)
}
