//! Parameters, cache and operations of a whole model: what its publisher states, computed from its shape.

use super::attention::{TAPS, cache_bytes_per_token, compressor_columns, mixed_channels};
use crate::input::document::{Attention, Experts, Ffn, Index, LayerGroup, Model, Precisions, ffn_matrices};
use crate::units::{Bytes, Flop};

/// A model in few numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Totals {
    /// Parameters: attention, feed-forward, router, both embeddings, towers; without norms, biases and MTP layers.
    pub parameters: f64,
    /// Of them, those that one token uses, both embeddings included.
    pub active_parameters: f64,
    /// Of all parameters, those of each part.
    pub parts: ParameterParts,
    /// Parameters of MTP layers, which the other figures leave out.
    pub mtp_parameters: f64,
    /// Operations of the matrices for one token: 2 for each active parameter outside the input embedding. Attention over the context
    /// comes on top.
    pub flop_per_token: Flop,
    /// Bytes by which one more token of a long sequence lets the cache grow, MTP left out.
    pub cache_per_token: Bytes,
}

/// Parameters of the parts of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ParameterParts {
    /// Attention and other token mixing.
    pub attention: f64,
    /// Feed-forward blocks that every token passes: dense blocks, shared experts, routers.
    pub dense: f64,
    /// Routed experts.
    pub routed_experts: f64,
    /// Embeddings.
    pub embeddings: f64,
    /// What is outside the decoder.
    pub towers: f64,
}

impl ParameterParts {
    /// All parts.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.attention + self.dense + self.routed_experts + self.embeddings + self.towers
    }
}

/// Weights of an indexer whose queries come from a stream `query` wide: queries, the key, a weight for each head.
fn index_weights(index: Option<Index>, query: f64, hidden: f64) -> f64 {
    Index::own(index).map_or(0.0, |index| query * f64::from(index.heads * index.dim) + hidden * f64::from(index.dim + index.heads))
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
            let stored = f64::from(gqa.stored_dim());
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
            let (convolution, value_heads) = (TAPS * (2.0 * keys + values), f64::from(delta.value_heads));
            let gates = match delta.gate_rank.map(f64::from) {
                None => hidden * (values + 2.0 * value_heads),
                Some(narrow) => hidden * (2.0 * narrow + value_heads) + narrow * (keys + values),
            };
            hidden * (2.0 * keys + 2.0 * values) + gates + convolution
        }
        Attention::Lightning(lightning) => 5.0 * hidden * f64::from(lightning.heads) * f64::from(lightning.head_dim),
        Attention::Mamba2(mamba) => {
            let [heads, inner] = [mamba.heads, mamba.heads * mamba.head_dim].map(f64::from);
            let mixed = mixed_channels(mamba, 1.0);
            hidden * (mixed + inner + heads) + mixed * TAPS + inner * hidden
        }
        Attention::Mamba(mamba) => {
            let [inner, state, step] = [mamba.channels, mamba.state, mamba.step_rank].map(f64::from);
            // The last term: decay of each channel and state element.
            3.0 * hidden * inner + inner * TAPS + inner * (step + 2.0 * state) + step * inner + inner * state
        }
        Attention::Convolution(convolution) => f64::from(convolution.channels) * (4.0 * hidden + f64::from(convolution.taps)),
        Attention::None => 0.0,
    }
}

/// Weights of the feed-forward block of one layer: all of them, and those that one token uses.
#[must_use]
pub fn ffn_weights(ffn: &Ffn, hidden: u32) -> (f64, f64) {
    let stream = f64::from(hidden);
    match ffn {
        Ffn::None => (0.0, 0.0),
        Ffn::Dense(dense) => {
            let weights = f64::from(ffn_matrices(dense.gated)) * stream * f64::from(dense.width);
            (weights, weights)
        }
        Ffn::Experts(experts) => {
            let router = stream * f64::from(experts.routed);
            let narrowing = experts.latent.map_or(0.0, |latent| 2.0 * stream * f64::from(latent));
            let always = router + narrowing + shared_weights(experts, hidden);
            let expert = expert_weights(ffn, hidden);
            (always + f64::from(experts.routed) * expert, always + f64::from(experts.top_k) * expert)
        }
    }
}

/// Weights of one routed expert; zero in a dense block.
#[must_use]
pub fn expert_weights(ffn: &Ffn, hidden: u32) -> f64 {
    ffn.experts().map_or(0.0, |experts| f64::from(experts.matrices()) * f64::from(experts.stream(hidden)) * f64::from(experts.width))
}

/// Weights of all shared experts of one layer.
#[must_use]
pub fn shared_weights(experts: &Experts, hidden: u32) -> f64 {
    f64::from(experts.matrices()) * f64::from(hidden) * f64::from(experts.shared_width())
}

/// Parameters outside the decoder.
#[must_use]
pub fn tower_weights(model: &Model) -> f64 {
    model.tower.iter().map(|tower| tower.parameters as f64).sum()
}

/// Weights of both embeddings, or of the one that serves as both.
#[must_use]
pub fn embedding_weights(model: &Model) -> f64 {
    let table = f64::from(model.vocabulary) * f64::from(model.hidden);
    if model.tied_embeddings { table } else { 2.0 * table }
}

/// Parameters of a model's parts, MTP left out.
#[must_use]
pub fn parts(model: &Model) -> ParameterParts {
    let mut parts = ParameterParts { embeddings: embedding_weights(model), towers: tower_weights(model), ..ParameterParts::default() };
    for group in &model.layer {
        let count = f64::from(group.count);
        let routed = group.ffn.experts().map_or(0.0, |experts| f64::from(experts.routed)) * expert_weights(&group.ffn, model.hidden);
        parts.attention += attention_weights(&group.attention, model.hidden) * count;
        parts.dense += (ffn_weights(&group.ffn, model.hidden).0 - routed) * count;
        parts.routed_experts += routed * count;
    }
    parts
}

/// Adds a model up.
#[must_use]
pub fn totals(model: &Model, precisions: &Precisions) -> Totals {
    let parts = parts(model);
    let idle = |group: &LayerGroup| {
        let (stored, used) = ffn_weights(&group.ffn, model.hidden);
        (stored - used) * f64::from(group.count)
    };
    let used = parts.sum() - parts.towers - parts.embeddings - model.layer.iter().map(idle).sum::<f64>();
    let table = f64::from(model.vocabulary) * f64::from(model.hidden);
    // An MTP layer: one more layer of the last group, and a projection of two streams to one.
    let of_last = |group: &LayerGroup| attention_weights(&group.attention, model.hidden) + ffn_weights(&group.ffn, model.hidden).0;
    let mtp_layer = model.last().map_or(0.0, of_last) + 2.0 * f64::from(model.hidden) * f64::from(model.hidden);
    let without_drafts = Model { mtp_layers: 0, ..model.clone() };
    Totals {
        parameters: parts.sum(),
        active_parameters: used + parts.embeddings,
        parts,
        mtp_parameters: f64::from(model.mtp_layers) * mtp_layer,
        flop_per_token: Flop::new(2.0 * (used + table)),
        cache_per_token: cache_bytes_per_token(&without_drafts, precisions, 1),
    }
}
