//! What a rank must hold.

use super::mapping::Mapping;
use crate::input::document::{ExpertPlacement, Model, Precisions};
use crate::units::Bytes;
use crate::workload::{Device, attention_weights, dense_weights, expert_slots, expert_weights};

/// Weights on one rank: attention and dense blocks divided by TP, its share of the experts, both embeddings in BF16 divided by TP.
#[must_use]
pub fn weight_bytes(model: &Model, precisions: &Precisions, placement: Option<&ExpertPlacement>, mapping: &Mapping) -> Bytes {
    let tp = f64::from(mapping.tp);
    let element = precisions.weights.bytes();
    let layers = f64::from(model.layers + model.mtp_layers);
    let dense_layers = f64::from(model.ffn.dense_layers.min(model.layers));
    let embeddings = 2.0 * f64::from(model.vocabulary) * f64::from(model.hidden) * 2.0 / tp;
    let mut divided = layers * attention_weights(model) + dense_layers * dense_weights(model);
    divided /= tp;
    let experts = model.ffn.experts.as_ref().zip(placement).map_or(0.0, |(experts, placement)| {
        let slots = expert_slots(experts, placement, mapping.ep);
        let shared = if slots.shared_on_own_ranks { 0.0 } else { f64::from(experts.shared) };
        (layers - dense_layers) * expert_weights(model) * (slots.per_rank + shared)
    });
    Bytes::new((divided + experts) * element + embeddings)
}

/// What is left for the KV cache; `None` if the weights alone do not fit.
#[must_use]
pub fn cache_room(device: &Device, weights: Bytes) -> Option<Bytes> {
    (weights < device.usable_memory).then(|| device.usable_memory - weights)
}
