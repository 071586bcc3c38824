//! Memory of a rank: weights and caches.

use super::mapping::Mapping;
use crate::input::document::{ExpertPlacement, Experts, Ffn, LayerGroup, Model, Precisions};
use crate::units::Bytes;
use crate::workload::{Device, attention_weights, embedding_weights, expert_slots, expert_weights, ffn_weights, shared_weights, tower_weights};

/// Weights on the fullest rank: attention and dense blocks divided by TP, its share of the experts, both embeddings and the towers in BF16 divided by
/// TP. A pipeline stage holds its part of the layers; the embeddings are on its first and last. Where experts have ranks of their own, a rank
/// of an attention group: see [`expert_rank_bytes`] for the others.
#[must_use]
pub fn weight_bytes(model: &Model, precisions: &Precisions, placement: Option<&ExpertPlacement>, mapping: &Mapping) -> Bytes {
    let tp = f64::from(mapping.tp);
    let mut layers = 0.0;
    for (group, count) in groups(model) {
        let attention = attention_weights(&group.attention, model.hidden) / tp * precisions.weights.bytes();
        let block = match &group.ffn {
            Ffn::Dense(_) | Ffn::None => ffn_weights(&group.ffn, model.hidden).0 / tp * precisions.weights.bytes(),
            Ffn::Experts(experts) if mapping.ffn.is_some() => narrowing_bytes(model, experts, precisions),
            Ffn::Experts(experts) => {
                let shares = [mapping.expert_shares(), mapping.shared_expert_shares()];
                expert_bytes(model, group, experts, precisions, placement, mapping.ep, shares) + narrowing_bytes(model, experts, precisions)
            }
        };
        layers += (attention + block) * count;
    }
    let embeddings = (embedding_weights(model) + tower_weights(model)) * 2.0 / tp / f64::from(mapping.pp.min(2));
    Bytes::new(layers * mapping.fullest_stage(model.layers()) + embeddings)
}

/// Weights of one layer's experts on one rank; shared ones stand beside the routed ones unless they have ranks of their own. `shares` are the
/// ranks that divide a routed and a shared expert.
fn expert_bytes(
    model: &Model,
    group: &LayerGroup,
    experts: &Experts,
    precisions: &Precisions,
    placement: Option<&ExpertPlacement>,
    ranks: u32,
    shares: [u32; 2],
) -> f64 {
    let [routed_shares, shared_shares] = shares.map(f64::from);
    let even = ExpertPlacement::even();
    let slots = expert_slots(experts, placement.unwrap_or(&even), ranks);
    let shared = if slots.shared_on_own_ranks { 0.0 } else { shared_weights(experts, model.hidden) * precisions.weights.bytes() };
    slots.per_rank * expert_weights(&group.ffn, model.hidden) * precisions.experts().bytes() / routed_shares + shared / shared_shares
}

/// Projections of one layer into and out of the narrower stream that experts work on.
fn narrowing_bytes(model: &Model, experts: &Experts, precisions: &Precisions) -> f64 {
    experts.latent.map_or(0.0, |latent| 2.0 * f64::from(model.hidden) * f64::from(latent) * precisions.weights.bytes())
}

/// Groups of layers with the number of each, those of an MTP module among the last.
fn groups(model: &Model) -> impl Iterator<Item = (&LayerGroup, f64)> {
    let last = model.layer.len().saturating_sub(1);
    model.layer.iter().enumerate().map(move |(index, group)| {
        let drafts = if index == last { model.mtp_layers } else { 0 };
        (group, f64::from(group.count + drafts))
    })
}

/// Weights on each of `ranks` ranks that hold experts and nothing else.
#[must_use]
pub fn expert_rank_bytes(model: &Model, precisions: &Precisions, placement: Option<&ExpertPlacement>, ranks: u32) -> Bytes {
    let layer =
        |group: &LayerGroup| group.ffn.experts().map_or(0.0, |experts| expert_bytes(model, group, experts, precisions, placement, ranks, [1; 2]));
    Bytes::new(groups(model).map(|(group, count)| layer(group) * count).sum())
}

/// Memory left for the KV cache; `None` if the weights do not fit.
#[must_use]
pub fn cache_room(device: &Device, weights: Bytes) -> Option<Bytes> {
    (weights < device.usable_memory).then(|| device.usable_memory - weights)
}
