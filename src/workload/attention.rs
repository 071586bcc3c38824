//! Attention blocks as operators.

use super::operator::{Operator, Work};
use crate::input::document::{Attention, Model, Precisions};
use crate::units::Bytes;

/// What one attention group (the ranks of one TP group) works on in one pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionBatch {
    /// Sequences.
    pub sequences: f64,
    /// New tokens of each sequence.
    pub new_tokens: f64,
    /// Tokens that each new one sees, on average.
    pub context: f64,
    /// Whether many new tokens of one sequence are read at once: then latent caches are expanded instead of absorbed.
    pub prefill: bool,
}

impl AttentionBatch {
    /// New tokens of all sequences.
    #[must_use]
    pub fn tokens(&self) -> f64 {
        self.sequences * self.new_tokens
    }
}

/// Cache elements a token and layer.
fn cache_elements(attention: &Attention) -> f64 {
    match *attention {
        Attention::Mla { kv_rank, rope_dim, .. } => f64::from(kv_rank + rope_dim),
        Attention::Gqa { kv_heads, head_dim, .. } => 2.0 * f64::from(kv_heads) * f64::from(head_dim),
    }
}

/// Cache bytes of one token in all layers, on one rank of a TP group: a latent cache is whole on every rank, heads are divided.
#[must_use]
pub fn cache_bytes_per_token(model: &Model, precisions: &Precisions, tensor_parallel: u32) -> Bytes {
    let divided = match *model.attention {
        Attention::Mla { .. } => 1.0,
        Attention::Gqa { kv_heads, .. } => f64::from(tensor_parallel.min(kv_heads)),
    };
    let layers = f64::from(model.layers + model.mtp_layers);
    Bytes::new(cache_elements(&model.attention) * precisions.kv_cache.bytes() * layers / divided)
}

/// Whether all heads share one latent cache entry a token.
#[must_use]
pub fn latent_cache(model: &Model) -> bool {
    matches!(*model.attention, Attention::Mla { .. })
}

/// The attention block of one layer on one rank of a TP group, norm first, output projection last; the all-reduce is not in it.
#[must_use]
pub fn attention_block(model: &Model, precisions: &Precisions, tensor_parallel: u32, batch: &AttentionBatch) -> Vec<Operator> {
    let tokens = batch.tokens();
    let hidden = f64::from(model.hidden);
    let divide = |heads: u32| f64::from(heads) / f64::from(tensor_parallel);
    let gemm = |name, columns: f64, depth: f64| Operator {
        name,
        work: Work::Gemm { batch: 1.0, rows: tokens, columns, depth, precision: precisions.weights },
    };
    let mut operators = vec![norm(hidden, tokens)];
    match *model.attention {
        Attention::Mla { heads, query_rank, kv_rank, nope_dim, rope_dim, value_dim } => {
            let heads = divide(heads);
            let [query, latent, nope, rope, value] = [query_rank, kv_rank, nope_dim, rope_dim, value_dim].map(f64::from);
            let absorbed = |name, columns, depth| Operator {
                name,
                work: Work::Gemm { batch: heads, rows: tokens, columns, depth, precision: crate::input::document::Precision::Bf16 },
            };
            if query > 0.0 {
                operators.push(gemm("compress query, key, value", query + latent + rope, hidden));
                operators.push(gemm("expand query", heads * (nope + rope), query));
            } else {
                operators.push(gemm("project query, compress key, value", heads * (nope + rope) + latent + rope, hidden));
            }
            if batch.prefill {
                operators.push(gemm("expand key, value", heads * (nope + value), latent));
                operators.push(heads_attention(batch, heads, heads, nope + rope, value, precisions));
            } else {
                operators.push(absorbed("absorb key", latent, nope));
                operators.push(latent_attention(batch, heads, latent, rope, precisions));
                operators.push(absorbed("absorb value", value, latent));
            }
            operators.push(gemm("project output", hidden, heads * value));
        }
        Attention::Gqa { heads, kv_heads, head_dim } => {
            let dim = f64::from(head_dim);
            let kv_heads = divide(kv_heads).max(1.0);
            let heads = divide(heads);
            operators.push(gemm("project query, key, value", (heads + 2.0 * kv_heads) * dim, hidden));
            operators.push(heads_attention(batch, heads, kv_heads, dim, dim, precisions));
            operators.push(gemm("project output", hidden, heads * dim));
        }
    }
    operators
}

/// All heads of a sequence against its latent cache: 2 (latent + rope) for the scores and 2 latent for the values, per row and token.
fn latent_attention(batch: &AttentionBatch, heads: f64, latent: f64, rope: f64, precisions: &Precisions) -> Operator {
    let rows = heads * batch.new_tokens;
    let entry = Bytes::new((latent + rope) * precisions.kv_cache.bytes());
    let work = Work::Attention {
        sequences: batch.sequences,
        context: batch.context,
        units: (rows / 128.0).ceil(),
        rows: rows.min(128.0),
        flop_per_row: 2.0 * (2.0 * latent + rope),
        unit_bytes: entry,
        sequence_bytes: entry,
        // Query in, output out (BF16), partial results written and read once (FP32).
        query_bytes: Bytes::new(rows * (2.0 * (latent + rope) + 2.0 * latent + 8.0 * latent)),
        latent: true,
        precision: precisions.attention,
    };
    Operator { name: "attention", work }
}

/// Heads against keys and values of their group. In prefill every query row of a group shares what one core reads.
fn heads_attention(batch: &AttentionBatch, heads: f64, kv_heads: f64, key: f64, value: f64, precisions: &Precisions) -> Operator {
    let element = precisions.kv_cache.bytes();
    let group = heads / kv_heads;
    let rows = group * batch.new_tokens;
    let blocks = (rows / 128.0).ceil();
    let entry = Bytes::new((key + value) * element);
    // Keys and values stay in the cores' caches between the row blocks of one head: memory sees them once.
    let work = Work::Attention {
        sequences: batch.sequences,
        context: batch.context,
        units: kv_heads * blocks,
        rows: rows / blocks,
        flop_per_row: 2.0 * (key + value),
        unit_bytes: if batch.prefill { Bytes::ZERO } else { entry },
        sequence_bytes: entry * kv_heads,
        query_bytes: Bytes::new(heads * batch.new_tokens * (2.0 * key + 2.0 * value + if batch.prefill { 0.0 } else { 8.0 * value })),
        latent: false,
        precision: precisions.attention,
    };
    Operator { name: "attention", work }
}

/// Normalisation with its residual: reads and writes both streams in 16 bit.
pub(super) fn norm(hidden: f64, tokens: f64) -> Operator {
    Operator { name: "norm", work: Work::Stream { bytes: Bytes::new(4.0 * 2.0 * hidden * tokens) } }
}
