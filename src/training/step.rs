//! One optimizer step: forward and backward of every micro-batch through a 1F1B pipeline, gradients, update.
//!
//! ```text
//! u       = t_forward + t_backward + 2 v t_hop        one micro-batch on the slowest stage
//! T       = (m + (p - 1) / v) u + exposed reduce-scatter + exposed all-gather + optimizer
//! bubble  = ((p - 1) / v) / (m + (p - 1) / v)         of the pipeline's time
//! ```
//!
//! Narayanan et al. 2021, section 2.2 (v = 1 gives (p-1)/(m+p-1)). Data-parallel ranks add up gradients layer by layer while the last
//! micro-batch goes backward, and fetch weights layer by layer while the first one goes forward; the last layer's part is always exposed,
//! and transfers of the layers themselves leave the fabric no room for it.

use std::fmt;

use super::layer::{Layer, Task, backward, busy};
use super::memory::{TrainingMemory, memory, parameters};
use crate::input::document::Training;
use crate::serving::{Activity, Mapping, Resource, makespan, slowdown, work_energy};
use crate::units::{Bytes, Seconds};
use crate::workload::{Operator, Work, head, kernel};

/// How a model is laid over ranks for training, tensor-parallel ranks next to each other, then data-parallel ones, then stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrainingLayout {
    /// Ranks that share one block.
    pub tp: u32,
    /// Ranks of a stage that share the experts of a layer; 1 for a dense model.
    pub ep: u32,
    /// Copies of the model.
    pub dp: u32,
    /// Pipeline stages.
    pub pp: u32,
    /// Sequences of a micro-batch.
    pub micro_batch: u32,
    /// Parts of the model on each stage: 1 is plain 1F1B.
    pub interleave: u32,
    /// Micro-batches that hide each other's transfers: 1 or 2.
    pub overlap: u32,
    /// Whether layers are computed again before they go backward.
    pub recompute: bool,
}

impl TrainingLayout {
    /// The four degrees.
    #[must_use]
    pub fn mapping(&self) -> Mapping {
        Mapping { tp: self.tp, ep: self.ep, dp: self.dp, pp: self.pp, ..Mapping::ONE }
    }

    /// Micro-batches of a step.
    #[must_use]
    pub fn micro_batches(&self, training: &Training) -> u32 {
        training.global_batch / (self.dp * self.micro_batch)
    }

    /// Ranks that hold the same common parameters, and the same experts.
    pub(super) fn copies(&self) -> [f64; 2] {
        [f64::from(self.dp), f64::from(self.tp * self.dp / self.ep)]
    }
}

impl fmt::Display for TrainingLayout {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tp, ep, dp, pp, micro_batch, interleave, overlap, recompute } = self;
        let recompute = u8::from(*recompute);
        write!(out, "tp={tp},ep={ep},dp={dp},pp={pp},micro_batch={micro_batch},interleave={interleave},overlap={overlap},recompute={recompute}")
    }
}

/// One optimizer step.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingStep {
    /// Layout.
    pub layout: TrainingLayout,
    /// Micro-batches of each data-parallel rank.
    pub micro_batches: u32,
    /// From start to end.
    pub time: Seconds,
    /// One micro-batch forward on the slowest stage.
    pub forward: Seconds,
    /// The same backward, recomputation included.
    pub backward: Seconds,
    /// Kernels alone, all micro-batches.
    pub kernels: Seconds,
    /// Waiting of a stage for others.
    pub bubble: Seconds,
    /// Transfers of TP and EP that nothing hides.
    pub exposed_layers: Seconds,
    /// Handing over between stages.
    pub handovers: Seconds,
    /// Reduce-scatter of gradients and all-gather of weights that nothing hides.
    pub exposed_data: Seconds,
    /// All of the two, hidden or not.
    pub data: Seconds,
    /// The update.
    pub optimizer: Seconds,
    /// Running slower to stay within the chips' power limit.
    pub power: Seconds,
    /// What the fullest rank holds.
    pub memory: TrainingMemory,
    /// Work of one rank, mean over the stages.
    pub activity: Activity,
    /// Time over what it would be without the power limit.
    pub slowdown: f64,
}

/// Share of the pipeline's time that a stage waits: `p` stages with `v` parts each, `m` micro-batches.
#[must_use]
pub fn bubble(stages: u32, micro_batches: u32, interleave: u32) -> f64 {
    let wait = f64::from(stages - 1) / f64::from(interleave);
    wait / (f64::from(micro_batches) + wait)
}

/// A group of `ranks` gathers or scatters `bytes` in all on every rank, beside all other groups of a stage of `chips` chips.
fn data_exchange(task: &Task<'_>, chips: u32, ranks: f64, bytes: f64) -> Seconds {
    if ranks < 2.0 || bytes <= 0.0 {
        return Seconds::ZERO;
    }
    let communication = &task.communication;
    let each = Bytes::new(bytes * (ranks - 1.0) / ranks * f64::from(communication.network().fabric().chip.ranks));
    let library = communication.library();
    library.launch.value + library.round.value + communication.profile(chips).latency + each / communication.chip_among(chips)
}

/// What nothing hides of an exchange layer by layer beside `room` of computing over `layers` layers.
fn exposed(exchange: Seconds, room: Seconds, layers: f64) -> Seconds {
    let last = exchange / layers;
    let rest = exchange - last;
    let hidden = room * ((layers - 1.0) / layers);
    last + if rest > hidden { rest - hidden } else { Seconds::ZERO }
}

/// Runs one step of `layers`, which are those of the layout's TP, EP and micro-batch.
#[must_use]
pub fn train_step(task: &Task<'_>, training: &Training, layers: &[Layer], layout: TrainingLayout) -> TrainingStep {
    let model = task.model;
    let share = layout.mapping().fullest_stage(model.layers());
    let [p, v, m] = [layout.pp, layout.interleave, layout.micro_batches(training)].map(f64::from);
    let overlap = f64::from(layout.overlap);
    let pass = |of: fn(&Layer) -> &[crate::serving::Stage]| -> Seconds {
        layers.iter().map(|layer| makespan(of(layer), layout.overlap, layer.count) / overlap).sum()
    };
    let kernels = |of: fn(&Layer) -> &[crate::serving::Stage]| -> Seconds {
        layers.iter().map(|layer| busy(of(layer), Resource::Compute) * f64::from(layer.count)).sum()
    };
    let (ahead, back) = (pass(|layer| &layer.forward), pass(|layer| &layer.backward));
    let (ahead_kernels, back_kernels) = (kernels(|layer| &layer.forward), kernels(|layer| &layer.backward));
    let tokens = f64::from(layout.micro_batch) * task.sequence;
    let head_forward = head(model, layout.tp, tokens);
    let head_backward: Vec<Operator> = head_forward.iter().flat_map(backward).collect();
    let time_of = |operators: &[Operator]| -> Seconds { operators.iter().map(|operator| kernel::time(&task.device, operator)).sum() };
    let heads = [time_of(&head_forward), time_of(&head_backward)];
    // The head weighs as much as layers do that makers leave out of the last stage: no stage is faster than an even share of all.
    let slowest = |layers: Seconds, head: Seconds| (layers * share).max((layers + head) / p);
    let again = if layout.recompute { 1.0 } else { 0.0 };
    let forward = slowest(ahead, heads[0]);
    let backward_time = slowest(back + ahead * again, heads[1]);
    let computing = [slowest(ahead_kernels, heads[0]), slowest(back_kernels + ahead_kernels * again, heads[1])];

    let fabric = task.communication.network().fabric();
    let per_chip = fabric.chip.ranks;
    let handed = Bytes::new(tokens * f64::from(model.hidden) * 2.0 / f64::from(layout.tp));
    let hop = if layout.pp > 1 { task.communication.send(layout.mapping().chips(per_chip), handed) * (2.0 * v) } else { Seconds::ZERO };
    let unit = forward + backward_time + hop;

    let [common, experts] = parameters(task, layers, &layout);
    let [common_copies, expert_copies] = layout.copies();
    let stage_chips = (layout.tp * layout.dp).div_ceil(per_chip);
    let exchange = |bytes: f64| {
        data_exchange(task, stage_chips, common_copies, common * bytes) + data_exchange(task, stage_chips, expert_copies, experts * bytes)
    };
    let (scatter, gather) = (exchange(training.state.gradients), exchange(training.state.weights));
    let in_stage = f64::from(model.layers()) * share;
    let exposed_data = exposed(scatter, computing[1], in_stage) + exposed(gather, computing[0], in_stage);

    let [common_shards, expert_shards] = if training.shard_optimizer { layout.copies() } else { [1.0; 2] };
    let updated = common / common_shards + experts / expert_shards;
    let state = &training.state;
    // Reads the gradient and the state, writes the state and the weight.
    let update =
        Operator { name: "optimizer", work: Work::Stream { bytes: Bytes::new(updated * (state.gradients + 2.0 * state.optimizer + state.weights)) } };
    let optimizer = kernel::time(&task.device, &update);

    let bubble_time = unit * ((p - 1.0) / v);
    let time = unit * m + bubble_time + exposed_data + optimizer;

    let mut activity = Activity::default();
    for layer in layers {
        let times = f64::from(layer.count) / p * m;
        for operator in &layer.operators {
            activity.add_by_name(operator, times * (1.0 + again));
            backward(operator).iter().for_each(|operator| activity.add_by_name(operator, times));
        }
        activity.sent += layer.sent * (times * (2.0 + again));
    }
    head_forward.iter().chain(&head_backward).for_each(|operator| activity.add_by_name(operator, m / p));
    activity.add_by_name(&update, 1.0);
    let kept = |copies: f64| (copies - 1.0) / copies;
    let reduced = common * kept(common_copies) + experts * kept(expert_copies);
    activity.sent += Bytes::new(reduced * (state.gradients + state.weights)) + handed * (2.0 * v * m * (p - 1.0) / p);

    let energy = work_energy(&fabric.chip.power, &activity, f64::from(per_chip));
    let slowdown = slowdown(&fabric.chip.power, energy, time);
    TrainingStep {
        layout,
        micro_batches: layout.micro_batches(training),
        time: time * slowdown,
        forward,
        backward: backward_time,
        kernels: (computing[0] + computing[1]) * m,
        bubble: bubble_time,
        exposed_layers: (forward - computing[0] + (backward_time - computing[1])) * m,
        handovers: hop * m,
        exposed_data,
        data: scatter + gather,
        optimizer,
        power: time * (slowdown - 1.0),
        memory: memory(task, training, layers, &layout),
        activity,
        slowdown,
    }
}
