//! What a sequence keeps in memory.

use super::linear::{STATE_BYTES, TAPS};
use super::state_space::{convolution_state, mamba_state, mamba2_state};
use crate::input::document::{Attention, Index, Model, Precisions};
use crate::units::Bytes;

/// Cache of one layer on one rank: so much, whatever the length, and so much for each token as far as it looks back.
#[derive(Clone, Debug, Default)]
struct LayerCache {
    fixed: f64,
    /// Bytes a token, and the tokens after which it grows no more.
    growing: Vec<(f64, Option<f64>)>,
}

impl LayerCache {
    fn fixed(bytes: f64) -> Self {
        Self { fixed: bytes, growing: Vec::new() }
    }

    fn bytes(&self, context: f64) -> f64 {
        self.fixed + self.growing.iter().map(|(bytes, most)| bytes * most.map_or(context, |most| context.min(most))).sum::<f64>()
    }

    fn growth(&self) -> f64 {
        // The sum of nothing is -0.
        self.growing.iter().filter(|(_, most)| most.is_none()).fold(0.0, |sum, (bytes, _)| sum + bytes)
    }
}

fn layer_cache(attention: &Attention, precisions: &Precisions, tensor_parallel: u32) -> LayerCache {
    let element = precisions.kv_cache.bytes();
    let ranks = f64::from(tensor_parallel);
    // Index keys are kept in 8 bit, with a scale each.
    let index_key = |index: Option<Index>| Index::own(index).map_or(0.0, |index| f64::from(index.dim) + 4.0);
    match attention {
        Attention::Mla(mla) => {
            let entry = f64::from(mla.kv_rank + mla.rope_dim) * element + index_key(mla.index);
            LayerCache { fixed: 0.0, growing: vec![(entry, None)] }
        }
        Attention::Gqa(gqa) => {
            let heads = (f64::from(gqa.kv_heads) / ranks).max(1.0);
            LayerCache {
                fixed: 0.0,
                growing: vec![(heads * f64::from(gqa.stored_dim()) * element + index_key(gqa.index), gqa.window.map(f64::from))],
            }
        }
        Attention::Mfa(mfa) => LayerCache { fixed: 0.0, growing: vec![(2.0 * f64::from(mfa.head_dim) * element, None)] },
        Attention::Compressed(compressed) => {
            let entry = f64::from(compressed.head_dim) * element;
            let beyond = compressed.ratio.map(|ratio| ((entry + index_key(compressed.index)) / f64::from(ratio), None));
            let growing = std::iter::once((entry, Some(f64::from(compressed.window)))).chain(beyond).collect();
            LayerCache { fixed: 0.0, growing }
        }
        Attention::GatedDelta(delta) => {
            let [key, value] = [delta.key_dim, delta.value_dim].map(f64::from);
            let (key_heads, value_heads) = ((f64::from(delta.key_heads) / ranks).max(1.0), f64::from(delta.value_heads) / ranks);
            let convolution = (TAPS - 1.0) * (2.0 * key_heads * key + value_heads * value) * 2.0;
            LayerCache::fixed(value_heads * key * value * STATE_BYTES + convolution)
        }
        Attention::Lightning(lightning) => {
            let dim = f64::from(lightning.head_dim);
            LayerCache::fixed(f64::from(lightning.heads) / ranks * dim * dim * STATE_BYTES)
        }
        Attention::Mamba2(mamba) => LayerCache::fixed(mamba2_state(mamba, ranks)),
        Attention::Mamba(mamba) => LayerCache::fixed(mamba_state(mamba, ranks)),
        Attention::Convolution(convolution) => LayerCache::fixed(convolution_state(convolution, ranks)),
        Attention::None => LayerCache::default(),
    }
}

/// Layers with their number, MTP layers counted with the last group.
fn layers(model: &Model) -> impl Iterator<Item = (&Attention, f64)> {
    let last = model.layer.len().saturating_sub(1);
    model.layer.iter().enumerate().map(move |(index, group)| {
        let drafts = if index == last { model.mtp_layers } else { 0 };
        (&*group.attention, f64::from(group.count + drafts))
    })
}

/// Cache of one sequence of `context` tokens in all layers, on one rank of a TP group: a latent cache is whole on every rank, heads are
/// divided.
#[must_use]
pub fn sequence_cache(model: &Model, precisions: &Precisions, tensor_parallel: u32, context: f64) -> Bytes {
    Bytes::new(layers(model).map(|(attention, count)| layer_cache(attention, precisions, tensor_parallel).bytes(context) * count).sum())
}

/// Bytes by which one more token of a long sequence lets that grow.
#[must_use]
pub fn cache_bytes_per_token(model: &Model, precisions: &Precisions, tensor_parallel: u32) -> Bytes {
    Bytes::new(layers(model).fold(0.0, |sum, (attention, count)| sum + layer_cache(attention, precisions, tensor_parallel).growth() * count))
}

/// Mean cache bytes a token that a whole sequence of `context` tokens takes, all ranks' parts together, without MTP layers: what moves
/// when a prompt's cache goes from one chip to another.
#[must_use]
pub fn prompt_cache_per_token(model: &Model, precisions: &Precisions, context: f64) -> Bytes {
    let bytes: f64 = model.layer.iter().map(|group| layer_cache(&group.attention, precisions, 1).bytes(context) * f64::from(group.count)).sum();
    Bytes::new(bytes / context.max(1.0))
}
