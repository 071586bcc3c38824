//! One pass of a model over one batch: operators and transfers of every layer, overlapped over micro-batches.

use super::chip_power::{slowdown, work_energy};
use super::communication::Communication;
use super::mapping::Mapping;
use super::timeline::{Resource, Slot, Stage, repeated, schedule};
use crate::input::document::{Model, Precision};
use crate::input::spec::WorkloadSpec;
use crate::network::ExpertTraffic;
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::{
    AttentionBatch, Device, ExpertLoad, Operator, attention_block, dense_block, expert_block, expert_slots, gate, head, kernel, shared_block,
};

/// A machine ready to run one workload.
#[derive(Debug)]
pub struct Machine<'a> {
    /// Transfers.
    pub communication: Communication<'a>,
    /// One rank.
    pub device: Device,
    /// The model and how it is stored.
    pub workload: &'a WorkloadSpec,
}

/// What one pass works on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepShape {
    /// Degrees.
    pub mapping: Mapping,
    /// All sequences of one attention group.
    pub batch: AttentionBatch,
    /// Parts that the batch is cut into, to overlap.
    pub micro_batches: u32,
    /// Tokens of one attention group whose next token is wanted.
    pub sampled: f64,
    /// Further passes through one more layer and the head: draft tokens of an MTP module.
    pub drafts: u32,
}

/// Work of one rank in one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    /// Operations by format, in [`Precision::ALL`] order.
    pub flop: [Flop; Precision::ALL.len()],
    /// To and from memory.
    pub memory: Bytes,
    /// Sent to other ranks.
    pub sent: Bytes,
    /// The same operations and memory traffic by the name of the operator, in the order of their first run.
    pub operators: Vec<OperatorWork>,
}

/// Work of all operators of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorWork {
    /// What people call it.
    pub name: &'static str,
    /// Operations by format, in [`Precision::ALL`] order.
    pub flop: [Flop; Precision::ALL.len()],
    /// To and from memory.
    pub memory: Bytes,
}

impl Activity {
    fn add(&mut self, operators: &[Operator], times: f64) {
        for operator in operators {
            let (format, flop, bytes) = (operator.work.precision() as usize, operator.work.flop() * times, operator.work.bytes() * times);
            self.flop[format] += flop;
            self.memory += bytes;
            let position = self.operators.iter().position(|known| known.name == operator.name).unwrap_or_else(|| {
                self.operators.push(OperatorWork { name: operator.name, flop: [Flop::ZERO; Precision::ALL.len()], memory: Bytes::ZERO });
                self.operators.len() - 1
            });
            self.operators[position].flop[format] += flop;
            self.operators[position].memory += bytes;
        }
    }
}

/// What holds a step back, as shares of its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Operators whose arithmetic takes longer than their memory traffic.
    pub compute: Seconds,
    /// Operators whose memory traffic takes longer.
    pub memory: Seconds,
    /// Launches and gaps between kernels.
    pub launch: Seconds,
    /// Transfers that nothing hides, and waiting for them.
    pub communication: Seconds,
    /// Running slower than the kernels could, to stay within the chips' power limit.
    pub power: Seconds,
}

impl Bound {
    /// The largest part and its name.
    #[must_use]
    pub fn largest(&self) -> (&'static str, Seconds) {
        let parts = [
            ("compute", self.compute),
            ("memory bandwidth", self.memory),
            ("communication", self.communication),
            ("kernel launches", self.launch),
            ("the chips' power limit", self.power),
        ];
        parts.into_iter().fold(("nothing", Seconds::ZERO), |most, part| if part.1 > most.1 { part } else { most })
    }
}

/// One pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// From start to end.
    pub time: Seconds,
    /// One expert (or, in a dense model, one dense) layer in the steady state, all micro-batches.
    pub layer: Seconds,
    /// Stages of one such layer for one micro-batch.
    pub stages: Vec<Stage>,
    /// Two layers of the schedule, for a picture.
    pub timeline: Vec<Slot>,
    /// What holds it back.
    pub bound: Bound,
    /// Work of one rank.
    pub activity: Activity,
    /// Time over what it would be without the chips' power limit; 1 when the limit is not reached.
    pub slowdown: f64,
}

/// Runs one pass.
#[must_use]
pub fn step(machine: &Machine<'_>, shape: &StepShape) -> Step {
    let model = &machine.workload.model;
    let mut builder = Builder { machine, shape, streams: Streams::whole(machine, shape), activity: Activity::default(), bound: Split::default() };
    let dense_layers = model.ffn.dense_layers.min(model.layers);
    let sparse_layers = model.layers - dense_layers;
    let micro_batches = shape.micro_batches;
    let mixture = model.ffn.experts.is_some() && sparse_layers > 0;
    let passes = f64::from(micro_batches);

    let mut time = machine.device.kernels.graph_launch.value * f64::from(1 + shape.drafts);
    if machine.device.kernels.decode_streams_split_cores && micro_batches > 1 && !shape.batch.prefill && mixture {
        builder.streams = Streams::split(&builder);
    }
    let dense = (dense_layers > 0).then(|| builder.dense_layer(passes * f64::from(dense_layers)));
    let sparse = mixture.then(|| builder.sparse_layer(passes * f64::from(sparse_layers + shape.drafts)));
    if let Some(stages) = &dense {
        time += repeated(stages, micro_batches, dense_layers);
    }
    if let Some(stages) = &sparse {
        time += repeated(stages, micro_batches, sparse_layers);
        time += repeated(stages, micro_batches, 1) * f64::from(shape.drafts);
    }
    let head_operators = head(model, shape.mapping.tp, shape.sampled);
    let heads = f64::from(1 + shape.drafts);
    time += builder.compute(&machine.device, &head_operators, heads, true) * heads;

    let stages = sparse.or(dense).unwrap_or_default();
    let long = repeated(&stages, micro_batches, 9);
    let layer = (long - repeated(&stages, micro_batches, 8)).max(Seconds::ZERO);
    let timeline = schedule(&stages, micro_batches, 2);
    let Builder { activity, bound, .. } = builder;
    let launch = bound.launch + machine.device.kernels.graph_launch.value * f64::from(1 + shape.drafts);
    let busy = bound.compute + bound.memory + launch;
    let communication = if time > busy { time - busy } else { Seconds::ZERO };
    // Two streams that split the cores do more than one second of kernels in a second: shares are of the time that passes.
    let scale = if busy > time { time / busy } else { 1.0 };
    let chip = &machine.communication.network().fabric().chip;
    let slowdown = slowdown(&chip.power, work_energy(&chip.power, &activity, f64::from(chip.ranks)), time);
    let power = time * (slowdown - 1.0);
    let bound = Bound { compute: bound.compute * scale, memory: bound.memory * scale, launch: launch * scale, communication, power };
    Step { time: time + power, layer: layer * slowdown, stages, timeline, bound, activity, slowdown }
}

/// The cores that attention and experts run on.
struct Streams {
    attention: Device,
    experts: Device,
    /// Where the experts' computing is scheduled.
    expert_resource: Resource,
}

impl Streams {
    /// All cores for one kernel after the other; transfers that overlap with computing take theirs from it.
    fn whole(machine: &Machine<'_>, shape: &StepShape) -> Self {
        let taken = if shape.micro_batches > 1 { machine.communication.library().core_share.value.get() } else { 0.0 };
        let device = machine.device.with_cores(1.0 - taken);
        Self { attention: device.clone(), experts: device, expert_resource: Resource::Compute }
    }

    /// Two streams side by side. The fewest whole cores with which attention is not the slower stream, or one less if that is better:
    /// attention gets faster and experts slower with every core that moves over.
    fn split(builder: &Builder<'_>) -> Self {
        let device = &builder.machine.device;
        let cores = device.cores.floor();
        let at = |for_attention: f64| {
            let share = for_attention / device.cores;
            Self { attention: device.with_cores(share), experts: device.with_cores(1.0 - share), expert_resource: Resource::Fabric }
        };
        let work = builder.layer_work();
        let slower = |streams: &Self| work.attention_stream(streams).max(work.expert_stream(streams));
        let (mut few, mut enough) = (1.0, (cores - 1.0).max(1.0));
        while few < enough {
            let middle = ((few + enough) / 2.0_f64).floor();
            let streams = at(middle);
            if work.attention_stream(&streams) > work.expert_stream(&streams) { few = middle + 1.0 } else { enough = middle }
        }
        let (best, less) = (at(few), at((few - 1.0).max(1.0)));
        if slower(&less) < slower(&best) { less } else { best }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Split {
    compute: Seconds,
    memory: Seconds,
    launch: Seconds,
}

/// Kernels and transfers of one expert layer and one micro-batch.
struct LayerWork {
    attention: Vec<Operator>,
    reduce: Option<Stage>,
    gate: Vec<Operator>,
    experts: Vec<Operator>,
    /// Dispatch and combine; absent when all experts are on one rank.
    exchange: Option<(Seconds, Seconds)>,
    /// Bytes that dispatch and combine send from one rank.
    exchanged: Bytes,
}

impl LayerWork {
    fn attention_stream(&self, streams: &Streams) -> Seconds {
        sum(&streams.attention, &self.attention) + self.reduce.map_or(Seconds::ZERO, |stage| stage.time)
    }

    fn expert_stream(&self, streams: &Streams) -> Seconds {
        let moving = self.exchange.map_or(Seconds::ZERO, |(dispatch, combine)| dispatch + combine);
        sum(&streams.experts, &self.gate) + sum(&streams.experts, &self.experts) + moving
    }
}

fn sum(device: &Device, operators: &[Operator]) -> Seconds {
    operators.iter().map(|operator| kernel::time(device, operator)).sum()
}

struct Builder<'a> {
    machine: &'a Machine<'a>,
    shape: &'a StepShape,
    streams: Streams,
    activity: Activity,
    bound: Split,
}

impl Builder<'_> {
    fn model(&self) -> &Model {
        &self.machine.workload.model
    }

    /// One micro-batch of the attention group.
    fn part(&self) -> AttentionBatch {
        let parts = f64::from(self.shape.micro_batches);
        let mut part = self.shape.batch;
        if part.prefill && part.sequences < parts {
            part.new_tokens /= parts;
        } else {
            part.sequences /= parts;
        }
        part
    }

    /// Time of operators, `times` of them in the step; notes their work and what holds them back.
    fn compute(&mut self, device: &Device, operators: &[Operator], times: f64, counted: bool) -> Seconds {
        self.activity.add(operators, times);
        let mut total = Seconds::ZERO;
        for operator in operators {
            let time = kernel::time(device, operator);
            total += time;
            if !counted {
                continue;
            }
            let body = kernel::body(device, operator, time);
            let arithmetic = operator.work.flop() / device.peak(operator.work.precision());
            let traffic = operator.work.bytes() / device.memory_bandwidth;
            self.bound.launch += (time - body) * times;
            let bound = if arithmetic > traffic { &mut self.bound.compute } else { &mut self.bound.memory };
            *bound += body * times;
        }
        total
    }

    /// All-reduce of one micro-batch after a block that TP divides.
    fn reduce(&self, tokens: f64) -> Option<Stage> {
        let tp = self.shape.mapping.tp;
        let bytes = Bytes::new(tokens * f64::from(self.model().hidden) * 2.0);
        (tp > 1).then(|| Stage { name: "all-reduce", resource: Resource::Fabric, time: self.machine.communication.all_reduce(tp, bytes) })
    }

    /// Bytes that one rank sends in such an all-reduce.
    fn reduced_bytes(&self, tokens: f64) -> Bytes {
        let tp = f64::from(self.shape.mapping.tp);
        Bytes::new(tokens * f64::from(self.model().hidden) * 2.0 * 2.0 * (tp - 1.0) / tp)
    }

    fn attention_operators(&self) -> Vec<Operator> {
        attention_block(self.model(), &self.machine.workload.workload.precision, self.shape.mapping.tp, &self.part())
    }

    /// Stages of a dense layer for one micro-batch, `times` of which make the step.
    fn dense_layer(&mut self, times: f64) -> Vec<Stage> {
        let device = self.streams.attention.clone();
        let tokens = self.part().tokens();
        let reduce = self.reduce(tokens);
        self.activity.sent += self.reduced_bytes(tokens) * (2.0 * times);
        let attention = self.compute(&device, &self.attention_operators(), times, true);
        let block = dense_block(self.model(), &self.machine.workload.workload.precision, self.shape.mapping.tp, tokens);
        let block = self.compute(&device, &block, times, true);
        let mut stages = vec![Stage { name: "attention", resource: Resource::Compute, time: attention }];
        stages.extend(reduce);
        stages.push(Stage { name: "dense block", resource: Resource::Compute, time: block });
        stages.extend(reduce);
        stages
    }

    /// What one expert layer has to do for one micro-batch. In a dense model the experts' part is empty.
    fn layer_work(&self) -> LayerWork {
        let workload = &self.machine.workload.workload;
        let model = self.model();
        let part = self.part();
        let mut work = LayerWork {
            attention: self.attention_operators(),
            reduce: self.reduce(part.tokens()),
            gate: Vec::new(),
            experts: Vec::new(),
            exchange: None,
            exchanged: Bytes::ZERO,
        };
        let (Some(experts), Some(placement)) = (&model.ffn.experts, &workload.experts) else { return work };
        let mapping = self.shape.mapping;
        // After a divided attention block every rank of the TP group passes on its part of the tokens.
        let tokens = part.tokens() / f64::from(mapping.tp);
        let load = ExpertLoad::new(experts, placement, mapping.ep, tokens);
        work.gate = gate(model, experts, tokens);
        if experts.shared > 0 && !expert_slots(experts, placement, mapping.ep).shared_on_own_ranks {
            work.gate.extend(shared_block(model, experts, &workload.precision, tokens));
        }
        work.experts = vec![expert_block(model, experts, placement, &workload.precision, &load)];
        if mapping.ep > 1 {
            let bulk = self.shape.batch.prefill;
            let communication = &self.machine.communication;
            let traffic = |precision: Precision| ExpertTraffic {
                ranks: mapping.ep,
                tokens,
                copies: load.copies,
                message: Bytes::new(f64::from(model.hidden) * precision.activation_bytes()),
                imbalance: load.imbalance,
            };
            let (out, back) = (traffic(workload.precision.dispatch), traffic(workload.precision.combine));
            work.exchange = Some((communication.dispatch(&out, bulk), communication.combine(&back, bulk)));
            work.exchanged = out.sent_bytes(communication.dispatch_kernel(bulk)) + back.sent_bytes(communication.combine_kernel(bulk));
        }
        work
    }

    /// Stages of an expert layer for one micro-batch, `times` of which make the step.
    fn sparse_layer(&mut self, times: f64) -> Vec<Stage> {
        let work = self.layer_work();
        let (attention_cores, expert_cores) = (self.streams.attention.clone(), self.streams.experts.clone());
        let resource = self.streams.expert_resource;
        // With split cores the streams are balanced and run side by side: what holds the step back is counted in one of them.
        let counted = resource == Resource::Compute;
        let attention = self.compute(&attention_cores, &work.attention, times, true);
        let gate = self.compute(&expert_cores, &work.gate, times, counted);
        let experts = self.compute(&expert_cores, &work.experts, times, counted);
        self.activity.sent += (self.reduced_bytes(self.part().tokens()) + work.exchanged) * times;

        let mut stages = vec![Stage { name: "attention", resource: Resource::Compute, time: attention }];
        stages.extend(work.reduce);
        stages.push(Stage { name: "gate", resource, time: gate });
        stages.extend(work.exchange.map(|(dispatch, _)| Stage { name: "dispatch", resource: Resource::Fabric, time: dispatch }));
        stages.push(Stage { name: "experts", resource, time: experts });
        stages.extend(work.exchange.map(|(_, combine)| Stage { name: "combine", resource: Resource::Fabric, time: combine }));
        stages
    }
}
