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

use super::backward::{backward, runs_again};
use super::framework::expected_largest;
use super::layer::{Task, TrainingLayer, busy, less};
use super::layout::{Recompute, TrainingLayout};
use super::memory::{TrainingMemory, kept_on_stage, memory, offloaded, parameters};
use super::optimizer::update;
use super::paced::LayersByClock;
use crate::execution::{
    Activity, ClockPace, OperatorWork, Resource, Stage, arithmetic_energy, makespan, memory_energy, pace, running_energy, work_power,
};
use crate::input::document::{PipelineSchedule, Training};
use crate::network::{Op, Reach};
use crate::units::{Bytes, Joules, Seconds};
use crate::workload::{Device, Operator, StreamWork, Work, head, kernel};

/// One micro-batch in one direction on the slowest stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingPass {
    /// From start to end.
    pub time: Seconds,
    /// Kernels alone.
    pub kernels: Seconds,
    /// Transfers of layers that kernels hide. The exposed part is `time - kernels - host`.
    pub hidden: Seconds,
    /// Waiting for the framework's host to start kernels.
    pub host: Seconds,
}

impl TrainingPass {
    /// The same with an exchange beside it that holds `cores`, a share of them, which the kernels beside it do without.
    fn with(&mut self, exchange: DataExchange, cores: f64) {
        let hidden = exchange.time - exchange.exposed;
        self.time += exchange.exposed + hidden * cores;
        self.kernels += hidden * cores;
        self.hidden += hidden;
    }

    /// Time beside which an exchange between data-parallel ranks runs: kernels, and waiting for the host to start them.
    fn room(&self) -> Seconds {
        self.kernels + self.host
    }

    /// Transfers that nothing hides.
    #[must_use]
    pub fn exposed(&self) -> Seconds {
        self.time - self.kernels - self.host
    }
}

/// An exchange of gradients or weights between data-parallel ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DataExchange {
    /// All of it.
    pub time: Seconds,
    /// Exposed part.
    pub exposed: Seconds,
}

impl DataExchange {
    /// None at all.
    const NONE: Self = Self { time: Seconds::ZERO, exposed: Seconds::ZERO };
}

/// One optimizer step at the chips' clock. All parts are without the rests of chips that ask for too much at their lowest clock, but `time`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingStep {
    /// Layout.
    pub layout: TrainingLayout,
    /// Micro-batches of each data-parallel rank.
    pub micro_batches: u32,
    /// How the pipeline orders them.
    pub schedule: PipelineSchedule,
    /// From start to end.
    pub time: Seconds,
    /// One micro-batch forward.
    pub forward: TrainingPass,
    /// The same backward, recomputation included.
    pub backward: TrainingPass,
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
    /// Waiting for the slowest of all ranks.
    pub straggling: Seconds,
    /// Memory of the fullest rank.
    pub memory: TrainingMemory,
    /// Work of one rank, mean over the stages.
    pub activity: Activity,
    /// Energy of one rank's operators, by name.
    pub operators: Vec<(&'static str, Joules)>,
    /// Energy of a chip beyond waiting and work: what running kernels draw whatever they do, and cores between kernels.
    pub running: Joules,
    /// How the chips keep to their limit.
    pub pace: ClockPace,
    /// Time without the chips' power limit.
    pub unlimited: Seconds,
}

impl TrainingStep {
    /// Where the time of the step goes; adds up to it.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, Seconds); 9] {
        let m = f64::from(self.micro_batches);
        [
            ("kernels", (self.forward.kernels + self.backward.kernels) * m),
            ("transfers of layers, exposed", (self.forward.exposed() + self.backward.exposed()) * m),
            ("handing over between stages", self.hop * (2.0 * f64::from(self.layout.interleave) * m)),
            ("bubble", self.bubble),
            ("gradients and weights, exposed", self.reduce.exposed + self.gather.exposed),
            ("optimizer", self.optimizer),
            ("waiting for the host", (self.forward.host + self.backward.host) * m),
            ("waiting for the slowest rank", self.straggling),
            ("rests, for the power limit", self.time - self.time / self.pace.rest),
        ]
    }

    /// Time over what it would be without the chips' power limit.
    #[must_use]
    pub fn slowdown(&self) -> f64 {
        self.time / self.unlimited
    }

    /// Time in which a chip's cores hold a kernel, without rests: all of them those of the model, the library's share those of transfers,
    /// none in a bubble or while the host starts kernels.
    fn held(&self, task: &Task<'_>) -> Seconds {
        let m = f64::from(self.micro_batches);
        let kernels = (self.forward.kernels + self.backward.kernels) * m + self.optimizer;
        kernels + self.exposed() * task.communication.library().core_share.value.get()
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

/// Groups of `copies` ranks of a stage gather or scatter `bytes` in all on every rank, all groups at once. Ranks that hold the same
/// parameters stand as far apart as a stage has different parts.
fn data_exchange(task: &Task<'_>, op: Op, stage_ranks: u32, copies: f64, bytes: f64) -> Seconds {
    let copies = copies.round() as u32;
    task.communication.strided_collective(op, copies, stage_ranks / copies.max(1), Bytes::new(bytes))
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
    operators.push(Operator::new("loss", Work::Stream(StreamWork { bytes: Bytes::new(scores * 6.0) })));
    operators
}

/// Both passes of one micro-batch on the slowest stage. The head weighs as much as layers do that makers leave out of the last stage: no
/// stage is faster than an even share of all.
fn passes(task: &Task<'_>, device: &Device, layers: &[TrainingLayer], layout: &TrainingLayout, head: &[Operator]) -> [TrainingPass; 2] {
    let share = layout.mapping().fullest_stage(task.model.layers());
    let (p, overlap) = (f64::from(layout.pp), f64::from(layout.overlap));
    let sum = |of: &dyn Fn(&TrainingLayer) -> Seconds| -> Seconds { layers.iter().map(|layer| of(layer) * f64::from(layer.count)).sum() };
    let pass = |of: fn(&TrainingLayer) -> &[Stage]| {
        let time: Seconds = layers.iter().map(|layer| makespan(of(layer), layout.overlap, layer.count) / overlap).sum();
        (time, sum(&|layer| busy(of(layer), Resource::Compute)), sum(&|layer| busy(of(layer), Resource::Fabric)))
    };
    // Of each kind of layer, what its host takes beyond its kernels and transfers.
    let host = |of: fn(&TrainingLayer) -> &[Stage], direction: usize| -> Seconds {
        let late = |layer: &TrainingLayer| {
            let count = f64::from(layer.count);
            less(layer.host[direction] * count, makespan(of(layer), layout.overlap, layer.count) / overlap)
        };
        layers.iter().map(late).sum()
    };
    let (ahead, back) = (pass(|layer| &layer.forward), pass(|layer| &layer.backward));
    let hosts = [host(|layer| &layer.forward, 0), host(|layer| &layer.backward, 1)];
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
        head.iter().map(|operator| kernel::time(device, operator)).sum(),
        head.iter().map(|operator| kernel::undone_time(device, operator, task.gradient_bytes)).sum(),
    ];
    let slowest = |layers: Seconds, head: Seconds| (layers * share).max((layers + head) / p);
    // Transfers that another micro-batch's kernels hide hold cores; those in chunks beside a product are copied by engines of their own.
    let cores = task.communication.library().core_share.value.get();
    let of = |(time, kernels, transfers): (Seconds, Seconds, Seconds), beside: Seconds, head: Seconds, host: Seconds| {
        let lost = (transfers - (time - kernels)).max(Seconds::ZERO) * cores;
        let (time, kernels) = (time + lost, kernels + lost);
        TrainingPass {
            time: slowest(time + host, head),
            kernels: slowest(kernels, head),
            hidden: (transfers + beside - (time - kernels)).max(Seconds::ZERO) * share,
            host: slowest(time + host, head) - slowest(time, head),
        }
    };
    let back = (back.0 + again, back.1 + again_kernels, back.2 + again_transfers);
    [of(ahead, beside[0], heads[0], hosts[0]), of(back, beside[1] + beside_again, heads[1], hosts[1])]
}

/// How long a stage waits for others in all. What goes on for weights alone, `W`, is taken as half of the backward products and none of the
/// rest; nothing waits for it, so schedules move it into the waits.
fn waiting(
    schedule: PipelineSchedule,
    layers: &[TrainingLayer],
    layout: &TrainingLayout,
    [ahead, back]: [&TrainingPass; 2],
    hop: Seconds,
) -> Seconds {
    let [p, v] = [layout.pp, layout.interleave].map(f64::from);
    let unit = ahead.time + back.time + hop * (2.0 * v);
    let products = |operator: &Operator| operator.work.has_weights();
    let flop = |only: bool| -> f64 {
        let kept = |layer: &TrainingLayer| {
            layer.operators.iter().filter(|operator| !only || products(operator)).map(|operator| operator.work.flop().get()).sum::<f64>()
        };
        layers.iter().map(|layer| kept(layer) * f64::from(layer.count)).sum()
    };
    let all = flop(false);
    let weights = back.kernels * if all > 0.0 { 0.5 * flop(true) / all } else { 0.0 };
    match schedule {
        PipelineSchedule::OneForwardOneBackward => unit * ((p - 1.0) / v),
        PipelineSchedule::ZeroBubble => (unit - weights * 2.0).max(Seconds::ZERO) * ((p - 1.0) / v),
        PipelineSchedule::DualPipe => {
            let beside = ahead.time.max(back.time) + hop * (2.0 * v);
            (beside + back.time - weights * 3.0).max(Seconds::ZERO) * (p / 2.0 - 1.0).max(0.0)
        }
    }
}

/// Runs one step of `layers`, which are those of the layout's TP, EP and micro-batch, at the highest clock that the chips' power limit allows.
#[must_use]
pub fn train_step(task: &Task<'_>, training: &Training, layers: &LayersByClock<'_, '_>, layout: TrainingLayout) -> TrainingStep {
    let fast = step_at(task, &task.device, training, &layers.fast, layout);
    let (power, ranks) = (task.device.power(), f64::from(task.device.ranks_per_chip()));
    let draws = |clock: f64, step: &TrainingStep| work_power(power, &fast.activity, ranks, clock, [step.held(task), step.time]);
    let price = |clock: f64| step_at(task, &task.device.at_clock(clock), training, &layers.at(clock), layout);
    let pace = pace(power, |clock| if clock >= 1.0 { draws(1.0, &fast) } else { draws(clock, &price(clock)) });
    let unlimited = fast.time;
    let step = if pace.clock < 1.0 { price(pace.clock) } else { fast };
    let energy = |work: &OperatorWork| arithmetic_energy(power, &work.flop, pace.clock) + memory_energy(power, work.memory);
    TrainingStep {
        operators: step.activity.operators.iter().map(|work| (work.name, energy(work))).collect(),
        running: running_energy(power, pace.clock, [step.held(task), step.time]),
        time: step.time * pace.rest,
        pace,
        unlimited,
        ..step
    }
}

/// Hides the scatter of gradients and the gather of weights behind the passes of a stage of so many layers. What goes on in every micro-batch
/// is put into its passes; what goes on once a step is returned. Exchanges hold `cores`, a share of them.
fn beside_passes(
    training: &Training,
    [scatter, fetch]: [Seconds; 2],
    [forward, back]: [&mut TrainingPass; 2],
    [layers, cores]: [f64; 2],
) -> [DataExchange; 2] {
    if training.shard_weights {
        // Every micro-batch fetches weights forward and backward, and adds its gradients up.
        forward.with(beside(fetch, forward.room(), layers), cores);
        back.with(beside(fetch + scatter, back.room(), layers), cores);
        [DataExchange::NONE, DataExchange::NONE]
    } else if training.shard_gradients {
        // Every micro-batch scatters its gradients; weights are fetched once.
        back.with(beside(scatter, back.room(), layers), cores);
        [DataExchange::NONE, beside(fetch, forward.room(), layers)]
    } else {
        [beside(scatter, back.room(), layers), beside(fetch, forward.room(), layers)]
    }
}

/// Time in which a micro-batch's activations of offloaded layers go to the hosts' memory, all chips at once; they come back as fast.
fn offloading(task: &Task<'_>, training: &Training, layers: &[TrainingLayer], layout: &TrainingLayout) -> Seconds {
    let share = offloaded(task, training);
    match task.communication.far_memory(Reach::OwnHosts) {
        Ok(hosts) if share > 0.0 => kept_on_stage(task, layers, layout) * f64::from(task.device.ranks_per_chip()) * share / hosts.rate,
        _ => Seconds::ZERO,
    }
}

/// What the kernels of layers and head do in a step of `m` micro-batches over `p` stages, and what a rank sends within its layers.
fn work_of_passes(task: &Task<'_>, layout: &TrainingLayout, layers: &[TrainingLayer], head: &[Operator], [m, p]: [f64; 2]) -> Activity {
    let mut activity = Activity::default();
    let [whole_again, pointwise_again] = [Recompute::Layers, Recompute::Pointwise].map(|kind| f64::from(u8::from(layout.recompute == kind)));
    for layer in layers {
        let times = f64::from(layer.count) / p * m;
        for operator in &layer.operators {
            let again = whole_again + if runs_again(operator) { pointwise_again } else { 0.0 };
            activity.add_by_name(operator, times * (1.0 + again));
            backward(operator, task.gradient_bytes).iter().for_each(|operator| activity.add_by_name(operator, times));
        }
        activity.sent += (layer.sent[0] * (1.0 + whole_again) + layer.sent[1]) * times;
    }
    for operator in head {
        activity.add_by_name(operator, m / p);
        backward(operator, task.gradient_bytes).iter().for_each(|operator| activity.add_by_name(operator, m / p));
    }
    activity
}

/// A step with the cores at the device's clock, without what it draws.
fn step_at(task: &Task<'_>, device: &Device, training: &Training, layers: &[TrainingLayer], layout: TrainingLayout) -> TrainingStep {
    let model = task.model;
    let share = layout.mapping().fullest_stage(model.layers());
    let micro_batches = layout.micro_batches(training);
    let [p, v, m] = [layout.pp, layout.interleave, micro_batches].map(f64::from);
    let tokens = f64::from(layout.micro_batch) * task.sequence / f64::from(layout.cp);
    let head = head_and_loss(task, &layout, tokens);
    let [mut forward, mut backward_pass] = passes(task, device, layers, &layout, &head);

    let handed = Bytes::new(tokens * f64::from(model.hidden) * 2.0 / f64::from(layout.tp));
    let hop = if layout.pp > 1 { task.communication.collective(Op::Send, layout.mapping().ranks(), handed) } else { Seconds::ZERO };
    let [common, experts] = parameters(task, layers, &layout);
    let [common_copies, expert_copies] = layout.copies();
    let stage = layout.tp * layout.cp * layout.dp;
    let exchange = |op: Op, bytes: f64| {
        data_exchange(task, op, stage, common_copies, common * bytes) + data_exchange(task, op, stage, expert_copies, experts * bytes)
    };
    let in_stage = f64::from(model.layers()) * share;
    let cores = task.communication.library().core_share.value.get();
    let exchanged = [exchange(Op::ReduceScatter, training.state.gradients), exchange(Op::AllGather, training.state.weights)];
    let [reduce, gather] = beside_passes(training, exchanged, [&mut forward, &mut backward_pass], [in_stage, cores]);
    let offloading = offloading(task, training, layers, &layout);
    [&mut forward, &mut backward_pass].into_iter().for_each(|pass| pass.with(beside(offloading, pass.room(), in_stage), 0.0));
    let unit = forward.time + backward_pass.time + hop * (2.0 * v);

    let [common_shards, expert_shards] = if training.shard_optimizer || training.shard_weights { layout.copies() } else { [1.0; 2] };
    let updated = common / common_shards + experts / expert_shards;
    let state = &training.state;
    let updates = update(training.optimizer, state, layers, updated, [share, common_shards]);
    let optimizer = updates.iter().map(|(kernel, times)| kernel::time(device, kernel) * *times).sum();
    let bubble = waiting(training.schedule, layers, &layout, [&forward, &backward_pass], hop);
    let even = unit * m + bubble + reduce.exposed + gather.exposed + optimizer;
    let spread = task.host.as_ref().map_or(0.0, |host| host.spread);
    let straggling = even * (spread * expected_largest(f64::from(layout.ranks())));
    let time = even + straggling;

    let mut activity = work_of_passes(task, &layout, layers, &head, [m, p]);
    updates.iter().for_each(|(kernel, times)| activity.add_by_name(kernel, *times));
    let kept = |copies: f64| (copies - 1.0) / copies;
    let reduced = common * kept(common_copies) + experts * kept(expert_copies);
    let exchanged = if training.shard_weights {
        m * (state.gradients + 2.0 * state.weights)
    } else if training.shard_gradients {
        m * state.gradients + state.weights
    } else {
        state.gradients + state.weights
    };
    activity.sent += Bytes::new(reduced * exchanged) + handed * (2.0 * v * m * (p - 1.0) / p);

    TrainingStep {
        layout,
        micro_batches,
        schedule: training.schedule,
        time,
        forward,
        backward: backward_pass,
        hop,
        bubble,
        reduce,
        gather,
        optimizer,
        straggling,
        memory: memory(task, training, layers, &layout),
        activity,
        operators: Vec::new(),
        running: Joules::ZERO,
        pace: ClockPace::FULL,
        unlimited: time,
    }
}
