//! Parameters, cache and operations of a whole model: what its publisher states, computed from its shape.

use super::attention::cache_bytes_per_token;
use crate::input::document::{Attention, Model, Precisions};
use crate::units::Bytes;

/// A model in three numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Totals {
    /// Parameters: attention, feed-forward, router, both embeddings; without norms, biases and MTP layers.
    pub parameters: f64,
    /// Of them, those that one token uses.
    pub active_parameters: f64,
    /// Cache of one token in all layers, MTP left out.
    pub cache_per_token: Bytes,
}

/// Weights of one layer's attention.
#[must_use]
pub fn attention_weights(model: &Model) -> f64 {
    let hidden = f64::from(model.hidden);
    match *model.attention {
        Attention::Mla { heads, query_rank, kv_rank, nope_dim, rope_dim, value_dim } => {
            let heads = f64::from(heads);
            let [query, latent, nope, rope, value] = [query_rank, kv_rank, nope_dim, rope_dim, value_dim].map(f64::from);
            let queries = if query > 0.0 { hidden * query + query * heads * (nope + rope) } else { hidden * heads * (nope + rope) };
            queries + hidden * (latent + rope) + latent * heads * (nope + value) + heads * value * hidden
        }
        Attention::Gqa { heads, kv_heads, head_dim } => hidden * f64::from(head_dim) * (2.0 * f64::from(heads) + 2.0 * f64::from(kv_heads)),
    }
}

/// Weights of one dense feed-forward block.
#[must_use]
pub fn dense_weights(model: &Model) -> f64 {
    3.0 * f64::from(model.hidden) * f64::from(model.ffn.dense_width)
}

/// Weights of one expert; zero in a dense model.
#[must_use]
pub fn expert_weights(model: &Model) -> f64 {
    model.ffn.experts.as_ref().map_or(0.0, |experts| 3.0 * f64::from(model.hidden) * f64::from(experts.width))
}

/// Adds a model up.
#[must_use]
pub fn totals(model: &Model, precisions: &Precisions) -> Totals {
    let layers = f64::from(model.layers);
    let dense_layers = f64::from(model.ffn.dense_layers.min(model.layers));
    let sparse_layers = layers - dense_layers;
    let embeddings = 2.0 * f64::from(model.vocabulary) * f64::from(model.hidden);
    let always = layers * attention_weights(model) + dense_layers * dense_weights(model) + embeddings;
    let (stored, used) = model.ffn.experts.as_ref().map_or((0.0, 0.0), |experts| {
        let router = f64::from(model.hidden) * f64::from(experts.routed);
        let expert = expert_weights(model);
        (f64::from(experts.routed + experts.shared) * expert + router, f64::from(experts.top_k + experts.shared) * expert + router)
    });
    let whole = cache_bytes_per_token(model, precisions, 1);
    Totals {
        parameters: always + sparse_layers * stored,
        active_parameters: always + sparse_layers * used,
        cache_per_token: whole * (layers / f64::from(model.layers + model.mtp_layers)),
    }
}
