//! Parameters, cache and operations of a whole model: what its publisher states, computed from its shape.

use super::attention::{cache_bytes_per_token, compressor_columns};
use crate::input::document::{Attention, Ffn, Index, LayerGroup, Model, Precisions};
use crate::units::{Bytes, Flop};

/// A model in few numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Totals {
    /// Parameters: attention, feed-forward, router, both embeddings; without norms, biases and MTP layers.
    pub parameters: f64,
    /// Of them, those that one token uses.
    pub active_parameters: f64,
    /// Operations of the matrices for one token: 2 for each active parameter outside the input embedding. Attention over the context
    /// comes on top.
    pub flop_per_token: Flop,
    /// Bytes by which one more token of a long sequence lets the cache grow, MTP left out.
    pub cache_per_token: Bytes,
}

/// Weights of an indexer whose queries come from a stream `query` wide: queries, the key, a weight for each head.
fn index_weights(index: Option<Index>, query: f64, hidden: f64) -> f64 {
    index.map_or(0.0, |index| query * f64::from(index.heads * index.dim) + hidden * f64::from(index.dim + index.heads))
}

/// Weights of one layer's attention in a model whose residual stream is `hidden` wide.
#[must_use]
pub fn attention_weights(attention: &Attention, hidden: u32) -> f64 {
    let hidden = f64::from(hidden);
    match attention {
        Attention::Mla(mla) => {
            let [heads, query, latent, nope, rope, value] =
                [mla.heads, mla.query_rank, mla.kv_rank, mla.nope_dim, mla.rope_dim, mla.value_dim].map(f64::from);
            let queries = if query > 0.0 { hidden * query + query * heads * (nope + rope) } else { hidden * heads * (nope + rope) };
            let output = heads * value * hidden * if mla.output_gate { 2.0 } else { 1.0 };
            let index = index_weights(mla.index, if query > 0.0 { query } else { hidden }, hidden);
            queries + hidden * (latent + rope) + latent * heads * (nope + value) + output + index
        }
        Attention::Gqa(gqa) => {
            let [heads, kv_heads, key, value] = [gqa.heads, gqa.kv_heads, gqa.head_dim, gqa.value_dim()].map(f64::from);
            let stored = if gqa.value_is_key { key } else { key + value };
            let output = heads * value * if gqa.output_gate { 2.0 } else { 1.0 };
            hidden * (heads * key + kv_heads * stored + output) + index_weights(gqa.index, hidden, hidden)
        }
        Attention::Mfa(mfa) => {
            let [heads, query, dim] = [mfa.heads, mfa.query_rank, mfa.head_dim].map(f64::from);
            hidden * (query + 2.0 * dim) + query * heads * dim + heads * dim * hidden
        }
        Attention::Compressed(compressed) => {
            let [heads, dim, query, groups, output] =
                [compressed.heads, compressed.head_dim, compressed.query_rank, compressed.output_groups, compressed.output_rank].map(f64::from);
            let queries = hidden * query + query * heads * dim;
            let entries = hidden * (dim + compressor_columns(compressed));
            queries + entries + heads * dim * output + groups * output * hidden + index_weights(compressed.index, query, hidden)
        }
        Attention::GatedDelta(delta) => {
            let [keys, values] = [delta.key_heads * delta.key_dim, delta.value_heads * delta.value_dim].map(f64::from);
            hidden * (2.0 * keys + 3.0 * values + 2.0 * f64::from(delta.value_heads))
        }
    }
}

/// Weights of the feed-forward block of one layer: all of them, and those that one token uses.
#[must_use]
pub fn ffn_weights(ffn: &Ffn, hidden: u32) -> (f64, f64) {
    let stream = f64::from(hidden);
    match ffn {
        Ffn::Dense { width } => {
            let weights = 3.0 * stream * f64::from(*width);
            (weights, weights)
        }
        Ffn::Experts(experts) => {
            let router = stream * f64::from(experts.routed);
            let narrowing = experts.latent.map_or(0.0, |latent| 2.0 * stream * f64::from(latent));
            let shared = f64::from(experts.shared) * 3.0 * stream * f64::from(experts.width);
            let always = router + narrowing + shared;
            let expert = expert_weights(ffn, hidden);
            (always + f64::from(experts.routed) * expert, always + f64::from(experts.top_k) * expert)
        }
    }
}

/// Weights of one routed expert; zero in a dense block.
#[must_use]
pub fn expert_weights(ffn: &Ffn, hidden: u32) -> f64 {
    ffn.experts().map_or(0.0, |experts| 3.0 * f64::from(experts.stream(hidden)) * f64::from(experts.width))
}

/// Weights of both embeddings, or of the one that serves as both.
#[must_use]
pub fn embedding_weights(model: &Model) -> f64 {
    let table = f64::from(model.vocabulary) * f64::from(model.hidden);
    if model.tied_embeddings { table } else { 2.0 * table }
}

/// Adds a model up.
#[must_use]
pub fn totals(model: &Model, precisions: &Precisions) -> Totals {
    let layer = |group: &LayerGroup| {
        let attention = attention_weights(&group.attention, model.hidden);
        let (stored, used) = ffn_weights(&group.ffn, model.hidden);
        [attention + stored, attention + used].map(|weights| weights * f64::from(group.count))
    };
    let [stored, used] = model.layer.iter().map(layer).fold([0.0; 2], |sum, part| [sum[0] + part[0], sum[1] + part[1]]);
    let embeddings = embedding_weights(model);
    let table = f64::from(model.vocabulary) * f64::from(model.hidden);
    let without_drafts = Model { mtp_layers: 0, ..model.clone() };
    Totals {
        parameters: stored + embeddings,
        active_parameters: used + embeddings,
        flop_per_token: Flop::new(2.0 * (used + table)),
        cache_per_token: cache_bytes_per_token(&without_drafts, precisions, 1),
    }
}
