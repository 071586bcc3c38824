//! Linear attention: the gated delta rule, and lightning attention with its fixed decay. Decode reads and writes each sequence's state once; prefill works on chunks of tokens with
//! matrix products, the chunk-parallel form of the rule (Yang et al., arXiv 2412.06464).

use super::{AttentionBatch, Operator, Rank, Work};
use crate::input::document::{GatedDelta, Lightning};
use crate::units::{Bytes, Flop};
use crate::workload::kernel::{RecurrenceWork, StreamWork};

/// Tokens of a chunk in prefill: what the public kernels use.
const CHUNK: f64 = 64.0;

/// Bytes of a state element: kept in FP32, because it is added to at every token.
pub(super) const STATE_BYTES: f64 = 4.0;

/// Taps of the short convolution in front of query, key and value.
pub(in crate::workload) const TAPS: f64 = 4.0;

pub(super) fn delta_block(rank: &Rank<'_>, delta: &GatedDelta, operators: &mut Vec<Operator>) {
    let (key_heads, value_heads) = (rank.kv_share(delta.key_heads), rank.share(delta.value_heads));
    let [key, value] = [delta.key_dim, delta.value_dim].map(f64::from);
    let mixed = 2.0 * key_heads * key + value_heads * value;
    match delta.gate_rank.map(f64::from) {
        // Query, key, value, output gate; decay and step size of each value head.
        None => operators.push(rank.project("project query, key, value, gates", mixed + value_heads * (value + 2.0), rank.hidden)),
        // Decay and output gate of each channel by way of `narrow` channels; step size of each value head.
        Some(narrow) => {
            operators.push(rank.project("project query, key, value, gates", mixed + 2.0 * narrow + value_heads, rank.hidden));
            operators.push(rank.project("expand gates", key_heads * key + value_heads * value, narrow));
        }
    }
    operators.push(Operator::new("short convolution", Work::Stream(StreamWork { bytes: Bytes::new(4.0 * mixed * rank.tokens) })));
    for batch in rank.batches {
        let inputs = Bytes::new(2.0 * mixed * batch.tokens());
        operators.push(delta_rule(batch, value_heads, [key, value], inputs));
    }
    operators.push(rank.project("project output", rank.hidden, value_heads * value));
}

/// The recurrence itself.
fn delta_rule(batch: &AttentionBatch, heads: f64, [key, value]: [f64; 2], inputs: Bytes) -> Operator {
    let states = batch.sequences * heads;
    let work = if batch.prefill {
        let chunks = (batch.new_tokens / CHUNK).ceil();
        // Per chunk of C tokens and head, multiply-adds: scores and their use C C (key + value), the triangular solve C C (key + value),
        // state out and state in 2 C key value.
        let flop = 2.0 * states * chunks * CHUNK * (2.0 * CHUNK * (key + value) + 2.0 * key * value);
        // Per token in 16 bit, unless a chunk's scores (C a token) are written in 32: keys read for scores, for their products with the inverse, for states and
        // for outputs, beside queries; the same number of values; what the products write and states read.
        let token = 14.0 * key + 12.0 * value + 12.0 * CHUNK;
        // Each chunk's state is written for the outputs and read there, in 16 bit.
        let bytes = states * (batch.new_tokens * token + chunks * 4.0 * key * value);
        Work::Recurrence(RecurrenceWork { states, chunks, flop: Flop::new(flop), inputs, bytes: Bytes::new(bytes) })
    } else {
        let state = states * batch.new_tokens * key * value;
        // Decay, the state's product with the key, its correction, its product with the query.
        Work::Recurrence(RecurrenceWork { states, chunks: 0.0, flop: Flop::new(7.0 * state), inputs, bytes: Bytes::new(2.0 * state * STATE_BYTES) })
    };
    Operator::new("delta rule", work)
}

pub(super) fn lightning_block(rank: &Rank<'_>, lightning: &Lightning, operators: &mut Vec<Operator>) {
    let heads = rank.share(lightning.heads);
    let dim = f64::from(lightning.head_dim);
    operators.push(rank.project("project query, key, value, gate", 4.0 * heads * dim, rank.hidden));
    for batch in rank.batches {
        if batch.prefill {
            // Per chunk of C tokens and head, multiply-adds: scores and their use 2 C C dim, state in and out 2 C dim dim.
            let chunks = (batch.new_tokens / CHUNK).ceil() * batch.sequences;
            operators.push(Rank::product("linear attention", chunks * heads, CHUNK, 2.0 * CHUNK + 2.0 * dim, dim));
        } else {
            let bytes = 2.0 * heads * dim * dim * STATE_BYTES * batch.tokens();
            operators.push(Operator::new("linear attention", Work::Stream(StreamWork { bytes: Bytes::new(bytes) })));
        }
    }
    operators.push(rank.project("project output", rank.hidden, heads * dim));
}
