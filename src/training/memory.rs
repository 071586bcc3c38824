//! Memory of a rank in training.

use super::layer::{Task, TrainingLayer};
use super::layout::{Recompute, TrainingLayout};
use crate::input::document::Training;
use crate::network::Reach;
use crate::units::Bytes;
use crate::workload::embedding_weights;

/// Bytes on the fullest rank, by part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrainingMemory {
    /// Weights.
    pub weights: Bytes,
    /// Gradients.
    pub gradients: Bytes,
    /// Master weights and moments.
    pub optimizer: Bytes,
    /// Kept from forward for backward, all micro-batches in flight.
    pub activations: Bytes,
}

impl TrainingMemory {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> Bytes {
        self.weights + self.gradients + self.optimizer + self.activations
    }
}

/// Parameters of the fullest rank: those that data-parallel ranks share, and those of routed experts.
pub(super) fn parameters(task: &Task<'_>, layers: &[TrainingLayer], layout: &TrainingLayout) -> [f64; 2] {
    let share = layout.mapping().fullest_stage(task.model.layers());
    let sum = |of: fn(&TrainingLayer) -> f64| layers.iter().map(|layer| of(layer) * f64::from(layer.count)).sum::<f64>() * share;
    // The first stage has the input embedding, the last the head; where one table is both, the two stages have a copy each.
    let table = f64::from(task.model.vocabulary) * f64::from(task.model.hidden);
    let embeddings = if layout.pp > 1 { table } else { embedding_weights(task.model) };
    [sum(|layer| layer.parameters) + embeddings / f64::from(layout.tp), sum(|layer| layer.expert_parameters)]
}

/// What a layer keeps of a micro-batch from forward for backward.
fn kept(layer: &TrainingLayer, layout: &TrainingLayout) -> Bytes {
    match layout.recompute {
        Recompute::Nothing => layer.kept[0],
        Recompute::Pointwise => layer.kept[1],
        Recompute::Layers => layer.input,
    }
}

/// What the layers of the fullest stage keep of a micro-batch.
pub(super) fn kept_on_stage(task: &Task<'_>, layers: &[TrainingLayer], layout: &TrainingLayout) -> Bytes {
    let share = layout.mapping().fullest_stage(task.model.layers());
    layers.iter().map(|layer| kept(layer, layout) * f64::from(layer.count)).sum::<Bytes>() * share
}

/// Share of what layers keep that waits in the hosts' memory; nothing on a machine without hosts.
pub(super) fn offloaded(task: &Task<'_>, training: &Training) -> f64 {
    if training.offload_layers == 0 || task.communication.far_memory(Reach::OwnHosts).is_err() {
        return 0.0;
    }
    (f64::from(training.offload_layers) / f64::from(task.model.layers())).min(1.0)
}

/// Bytes on the fullest rank.
///
/// Optimizer state is divided by the ranks that hold the same parameters (`ZeRO` stage 1, Rajbhandari et al. 2020), weights and gradients too
/// under stage 3. The first stage of a
/// 1F1B pipeline keeps the activations of `p` micro-batches, of `p + (p-1)/v` parts of `1/p` if every rank has `v` parts of the model
/// (Narayanan et al. 2021; Korthikanti et al. 2022, section 4.2.3); the last stage those of one and the logits, in BF16 and FP32.
#[must_use]
pub fn memory(task: &Task<'_>, training: &Training, layers: &[TrainingLayer], layout: &TrainingLayout) -> TrainingMemory {
    let [common, experts] = parameters(task, layers, layout);
    let state = &training.state;
    let sharded = training.shard_optimizer || training.shard_gradients || training.shard_weights;
    let [common_copies, expert_copies] = if sharded { layout.shards(training) } else { [1.0; 2] };
    let offloaded = offloaded(task, training);
    let stage = kept_on_stage(task, layers, layout) * (1.0 - offloaded);
    // The layer that goes backward has again what was not kept of it; of those in the hosts' memory one is on its way there or back.
    let again = layers.iter().map(|layer| layer.kept[0] - kept(layer, layout).min(layer.kept[0])).fold(Bytes::ZERO, Bytes::max);
    let on_its_way = if offloaded > 0.0 { layers.iter().map(|layer| kept(layer, layout)).fold(Bytes::ZERO, Bytes::max) } else { Bytes::ZERO };
    let (p, v) = (f64::from(layout.pp), f64::from(layout.interleave));
    let ahead = (p + if layout.interleave > 1 { (p - 1.0) / v } else { 0.0 }).min(f64::from(layout.micro_batches(training)));
    let beside = f64::from(layout.overlap - 1);
    let logits =
        Bytes::new(f64::from(layout.micro_batch) * task.sequence * f64::from(task.model.vocabulary) * 6.0 / f64::from(layout.tp * layout.cp));
    // Fully sharded, a rank has its part, and all of the largest layer at work and of the one that is fetched beside it.
    let [common_parts, expert_parts] = if training.shard_weights { layout.shards(training) } else { [1.0; 2] };
    let fetched =
        if training.shard_weights { 2.0 * layers.iter().map(|layer| layer.parameters + layer.expert_parameters).fold(0.0, f64::max) } else { 0.0 };
    let held = common / common_parts + experts / expert_parts + fetched;
    // A rank that keeps a part of the gradients alone has those of the largest layer on their way beside it.
    let gradients = if training.shard_gradients && !training.shard_weights {
        let largest = layers.iter().map(|layer| layer.parameters + layer.expert_parameters).fold(0.0, f64::max);
        common / common_copies + experts / expert_copies + largest
    } else {
        held
    };
    let first = stage * (ahead + beside);
    let last = stage * (1.0 + beside) + logits;
    TrainingMemory {
        weights: Bytes::new(held * state.weights),
        gradients: Bytes::new(gradients * state.gradients),
        optimizer: Bytes::new((common / common_copies + experts / expert_copies) * state.optimizer),
        activations: first.max(last) + again + on_its_way,
    }
}
