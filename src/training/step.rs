//! One optimizer step: forward and backward of every micro-batch through a 1F1B pipeline, gradients, update.
//!
//! ```text
//! u       = t_forward + t_backward + 2 v t_hop        one micro-batch on the slowest stage
//! T       = (m + (p - 1) / v) u + exposed reduce-scatter + exposed all-gather + optimizer
//! bubble  = ((p - 1) / v) / (m + (p - 1) / v)         of the pipeline's time
//! ```
//!
//! Narayanan et al. 2021, section 2.2 (v = 1 gives (p-1)/(m+p-1)). Data-parallel ranks add up gradients layer by layer while the last
//! micro-batch goes backward, and fetch weights layer by layer while the first one goes forward; the last layer's part is always exposed.
//! Fully sharded, every micro-batch does that, and fetches weights backward too.

use super::backward::{backward, backward_time};
use super::layer::{Layer, Task, busy};
use super::layout::{Recompute, TrainingLayout};
use super::memory::{TrainingMemory, memory, parameters};
use crate::execution::{Activity, Resource, Stage, makespan, slowdown, work_energy};
use crate::input::document::Training;
use crate::units::{Bytes, Seconds};
use crate::workload::{Operator, Work, head, kernel};

/// One micro-batch in one direction on the slowest stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pass {
    /// From start to end.
    pub time: Seconds,
    /// Kernels alone.
    pub kernels: Seconds,
    /// Transfers of layers that kernels hide; what they do not is `time - kernels`.
    pub hidden: Seconds,
}

impl Pass {
    /// The same with an exchange beside it.
    fn with(&mut self, exchange: DataExchange) {
        self.time += exchange.exposed;
        self.hidden += exchange.time - exchange.exposed;
    }

    /// Transfers that nothing hides.
    #[must_use]
    pub fn exposed(&self) -> Seconds {
        self.time - self.kernels
    }
}

/// An exchange of gradients or weights between data-parallel ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DataExchange {
    /// All of it.
    pub time: Seconds,
    /// What nothing hides.
    pub exposed: Seconds,
}

impl DataExchange {
    /// None at all.
    const NONE: Self = Self { time: Seconds::ZERO, exposed: Seconds::ZERO };
}

/// One optimizer step. All parts are without the power limit's slowdown but `time`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingStep {
    /// Layout.
    pub layout: TrainingLayout,
    /// Micro-batches of each data-parallel rank.
    pub micro_batches: u32,
    /// From start to end.
    pub time: Seconds,
    /// One micro-batch forward.
    pub forward: Pass,
    /// The same backward, recomputation included.
    pub backward: Pass,
    /// One handing over to the next part of the model.
    pub hop: Seconds,
    /// Waiting of a stage for others.
    pub bubble: Seconds,
    /// Reduce-scatter of gradients.
    pub reduce: DataExchange,
    /// All-gather of weights.
    pub gather: DataExchange,
    /// The update.
    pub optimizer: Seconds,
    /// What the fullest rank holds.
    pub memory: TrainingMemory,
    /// Work of one rank, mean over the stages.
    pub activity: Activity,
    /// Time over what it would be without the power limit.
    pub slowdown: f64,
}

impl TrainingStep {
    /// Where the time of the step goes; adds up to it.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, Seconds); 7] {
        let m = f64::from(self.micro_batches);
        [
            ("kernels", (self.forward.kernels + self.backward.kernels) * m),
            ("transfers of layers, exposed", (self.forward.exposed() + self.backward.exposed()) * m),
            ("handing over between stages", self.hop * (2.0 * f64::from(self.layout.interleave) * m)),
            ("bubble", self.bubble),
            ("gradients and weights, exposed", self.reduce.exposed + self.gather.exposed),
            ("optimizer", self.optimizer),
            ("power limit", self.time * (1.0 - 1.0 / self.slowdown)),
        ]
    }

    /// Communication that nothing hides.
    #[must_use]
    pub fn exposed(&self) -> Seconds {
        let parts = self.parts();
        parts[1].1 + parts[2].1 + parts[4].1
    }
}

/// Share of the pipeline's time that a stage waits: `p` stages with `v` parts each, `m` micro-batches.
#[must_use]
pub fn bubble(stages: u32, micro_batches: u32, interleave: u32) -> f64 {
    let wait = f64::from(stages - 1) / f64::from(interleave);
    wait / (f64::from(micro_batches) + wait)
}

/// A group of `ranks` gathers or scatters `bytes` in all on every rank, beside all other groups of a stage of `chips` chips: each rank
/// sends the `ranks - 1` parts that are not its own.
fn data_exchange(task: &Task<'_>, chips: u32, ranks: f64, bytes: f64) -> Seconds {
    if ranks < 2.0 || bytes <= 0.0 {
        return Seconds::ZERO;
    }
    let communication = &task.communication;
    let each = Bytes::new(bytes * (ranks - 1.0) / ranks * f64::from(communication.network().fabric().chip.ranks));
    let library = communication.library();
    library.launch.value + library.round.value + communication.profile(chips).latency + each / communication.chip_among(chips)
}

/// An exchange layer by layer beside `room` of computing over `layers` layers.
fn beside(exchange: Seconds, room: Seconds, layers: f64) -> DataExchange {
    let last = exchange / layers;
    let rest = exchange - last;
    let hidden = room * ((layers - 1.0) / layers);
    DataExchange { time: exchange, exposed: last + (rest - hidden).max(Seconds::ZERO) }
}

/// The head and the loss over all of the vocabulary: its scores are read once and written in 32 bit.
fn head_and_loss(task: &Task<'_>, layout: &TrainingLayout, tokens: f64) -> Vec<Operator> {
    let mut operators = head(task.model, layout.tp, tokens);
    let scores = tokens * f64::from(task.model.vocabulary) / f64::from(layout.tp);
    operators.push(Operator { name: "loss", work: Work::Stream { bytes: Bytes::new(scores * 6.0) } });
    operators
}

/// Both passes of one micro-batch on the slowest stage. The head weighs as much as layers do that makers leave out of the last stage: no
/// stage is faster than an even share of all.
fn passes(task: &Task<'_>, layers: &[Layer], layout: &TrainingLayout, head: &[Operator]) -> [Pass; 2] {
    let share = layout.mapping().fullest_stage(task.model.layers());
    let (p, overlap) = (f64::from(layout.pp), f64::from(layout.overlap));
    let sum = |of: &dyn Fn(&Layer) -> Seconds| -> Seconds { layers.iter().map(|layer| of(layer) * f64::from(layer.count)).sum() };
    let pass = |of: fn(&Layer) -> &[Stage]| {
        let time: Seconds = layers.iter().map(|layer| makespan(of(layer), layout.overlap, layer.count) / overlap).sum();
        (time, sum(&|layer| busy(of(layer), Resource::Compute)), sum(&|layer| busy(of(layer), Resource::Fabric)))
    };
    let (ahead, back) = (pass(|layer| &layer.forward), pass(|layer| &layer.backward));
    // Computed again: whole layers with their transfers, or kernels alone.
    let (again, again_kernels, again_transfers) = match layout.recompute {
        Recompute::Nothing => (Seconds::ZERO, Seconds::ZERO, Seconds::ZERO),
        Recompute::Pointwise => {
            let kernels = sum(&|layer| layer.pointwise);
            (kernels, kernels, Seconds::ZERO)
        }
        Recompute::Layers => ahead,
    };
    let beside = [0, 1].map(|direction: usize| sum(&|layer| layer.beside[direction]));
    let beside_again = if layout.recompute == Recompute::Layers { beside[0] } else { Seconds::ZERO };
    let heads: [Seconds; 2] = [
        head.iter().map(|operator| kernel::time(&task.device, operator)).sum(),
        head.iter().map(|operator| backward_time(&task.device, operator, task.gradient_bytes)).sum(),
    ];
    let slowest = |layers: Seconds, head: Seconds| (layers * share).max((layers + head) / p);
    let of = |(time, kernels, transfers): (Seconds, Seconds, Seconds), beside: Seconds, head: Seconds| Pass {
        time: slowest(time, head),
        kernels: slowest(kernels, head),
        hidden: (transfers + beside - (time - kernels)).max(Seconds::ZERO) * share,
    };
    let back = (back.0 + again, back.1 + again_kernels, back.2 + again_transfers);
    [of(ahead, beside[0], heads[0]), of(back, beside[1] + beside_again, heads[1])]
}

/// Runs one step of `layers`, which are those of the layout's TP, EP and micro-batch.
#[must_use]
pub fn train_step(task: &Task<'_>, training: &Training, layers: &[Layer], layout: TrainingLayout) -> TrainingStep {
    let model = task.model;
    let share = layout.mapping().fullest_stage(model.layers());
    let micro_batches = layout.micro_batches(training);
    let [p, v, m] = [layout.pp, layout.interleave, micro_batches].map(f64::from);
    let tokens = f64::from(layout.micro_batch) * task.sequence;
    let head = head_and_loss(task, &layout, tokens);
    let [mut forward, mut backward_pass] = passes(task, layers, &layout, &head);

    let fabric = task.communication.network().fabric();
    let per_chip = fabric.chip.ranks;
    let handed = Bytes::new(tokens * f64::from(model.hidden) * 2.0 / f64::from(layout.tp));
    let hop = if layout.pp > 1 { task.communication.send(layout.mapping().chips(per_chip), handed) } else { Seconds::ZERO };
    let [common, experts] = parameters(task, layers, &layout);
    let [common_copies, expert_copies] = layout.copies();
    let stage_chips = (layout.tp * layout.dp).div_ceil(per_chip);
    let exchange = |bytes: f64| {
        data_exchange(task, stage_chips, common_copies, common * bytes) + data_exchange(task, stage_chips, expert_copies, experts * bytes)
    };
    let in_stage = f64::from(model.layers()) * share;
    let (scatter, fetch) = (exchange(training.state.gradients), exchange(training.state.weights));
    let (reduce, gather) = if training.shard_weights {
        // Every micro-batch fetches weights forward and backward, and adds its gradients up.
        forward.with(beside(fetch, forward.kernels, in_stage));
        backward_pass.with(beside(fetch + scatter, backward_pass.kernels, in_stage));
        (DataExchange::NONE, DataExchange::NONE)
    } else {
        (beside(scatter, backward_pass.kernels, in_stage), beside(fetch, forward.kernels, in_stage))
    };
    let unit = forward.time + backward_pass.time + hop * (2.0 * v);

    let [common_shards, expert_shards] = if training.shard_optimizer || training.shard_weights { layout.copies() } else { [1.0; 2] };
    let updated = common / common_shards + experts / expert_shards;
    let state = &training.state;
    // Reads the gradient and the state, writes the state and the weight.
    let update =
        Operator { name: "optimizer", work: Work::Stream { bytes: Bytes::new(updated * (state.gradients + 2.0 * state.optimizer + state.weights)) } };
    let optimizer = kernel::time(&task.device, &update);
    let bubble = unit * ((p - 1.0) / v);
    let time = unit * m + bubble + reduce.exposed + gather.exposed + optimizer;

    let mut activity = Activity::default();
    let [whole_again, pointwise_again] = [Recompute::Layers, Recompute::Pointwise].map(|kind| f64::from(u8::from(layout.recompute == kind)));
    for layer in layers {
        let times = f64::from(layer.count) / p * m;
        for operator in &layer.operators {
            let again = whole_again + if super::backward::is_pointwise(operator) { pointwise_again } else { 0.0 };
            activity.add_by_name(operator, times * (1.0 + again));
            backward(operator, task.gradient_bytes).iter().for_each(|operator| activity.add_by_name(operator, times));
        }
        activity.sent += (layer.sent[0] * (1.0 + whole_again) + layer.sent[1]) * times;
    }
    for operator in &head {
        activity.add_by_name(operator, m / p);
        backward(operator, task.gradient_bytes).iter().for_each(|operator| activity.add_by_name(operator, m / p));
    }
    activity.add_by_name(&update, 1.0);
    let kept = |copies: f64| (copies - 1.0) / copies;
    let reduced = common * kept(common_copies) + experts * kept(expert_copies);
    let exchanged = if training.shard_weights { m * (state.gradients + 2.0 * state.weights) } else { state.gradients + state.weights };
    activity.sent += Bytes::new(reduced * exchanged) + handed * (2.0 * v * m * (p - 1.0) / p);

    let energy = work_energy(&fabric.chip.power, &activity, f64::from(per_chip));
    let slowdown = slowdown(&fabric.chip.power, energy, time);
    TrainingStep {
        layout,
        micro_batches,
        time: time * slowdown,
        forward,
        backward: backward_pass,
        hop,
        bubble,
        reduce,
        gather,
        optimizer,
        memory: memory(task, training, layers, &layout),
        activity,
        slowdown,
    }
}
