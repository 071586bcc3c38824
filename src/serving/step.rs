//! One pass of a model over one batch: operators and transfers of every layer, overlapped over micro-batches.

use super::chip_power::{slowdown, work_energy};
use super::communication::Communication;
use super::mapping::Mapping;
use super::timeline::{Resource, Slot, Stage, repeated, schedule};
use crate::input::document::{ExpertPlacement, Experts, Ffn, LayerGroup, Model, Precision};
use crate::input::spec::WorkloadSpec;
use crate::network::ExpertTraffic;
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::{
    AttentionBatch, Device, ExpertLoad, Operator, dense_block, expert_block, expert_slots, gate, head, kernel, layer_attention, shared_block,
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
    /// A chunk of prompts that is read in the same pass, where decode and prefill share chips.
    pub chunk: Option<AttentionBatch>,
    /// Parts that the batch is cut into, to overlap.
    pub micro_batches: u32,
    /// Tokens of one attention group whose next token is wanted.
    pub sampled: f64,
    /// Further passes through one more layer and the head: draft tokens of an MTP module.
    pub drafts: u32,
}

impl StepShape {
    /// Whether many tokens move at once, so that kernels for throughput are used.
    fn bulk(&self) -> bool {
        self.batch.prefill || self.chunk.is_some()
    }
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

/// Equal layers that follow each other in a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Stages of one layer for one micro-batch.
    pub stages: Vec<Stage>,
    /// Layers.
    pub layers: u32,
    /// Micro-batches.
    pub micro_batches: u32,
}

impl Segment {
    /// Time of `layers` such layers.
    fn time(&self, layers: u32) -> Seconds {
        repeated(&self.stages, self.micro_batches, layers)
    }
}

/// One pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// From start to end.
    pub time: Seconds,
    /// One layer of the kind that takes most of the time, in the steady state, all micro-batches.
    pub layer: Seconds,
    /// Stages of one such layer for one micro-batch.
    pub stages: Vec<Stage>,
    /// Two layers of the schedule, for a picture.
    pub timeline: Vec<Slot>,
    /// The whole pass: every group of layers, then the head.
    pub segments: Vec<Segment>,
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
    let mut builder = Builder::new(machine, shape);
    builder.share_cores();
    let launches = machine.device.kernels.graph_launch.value * f64::from(1 + shape.drafts);
    let mut segments = Vec::with_capacity(model.layer.len() + 1);
    let last = model.layer.len().saturating_sub(1);
    for (index, group) in model.layer.iter().enumerate() {
        let drafts = if index == last { shape.drafts } else { 0 };
        let stages = builder.layer(group, f64::from(shape.micro_batches) * f64::from(group.count + drafts));
        segments.push(Segment { stages, layers: group.count, micro_batches: shape.micro_batches });
    }
    let mut time = launches;
    for segment in &segments {
        time += segment.time(segment.layers);
    }
    if let Some(segment) = segments.last() {
        time += segment.time(1) * f64::from(shape.drafts);
    }
    let heads = f64::from(1 + shape.drafts);
    let head_time = builder.compute(&machine.device, &head(model, shape.mapping.tp, shape.sampled), heads, true);
    time += head_time * heads;
    time += builder.handovers();

    let longest = |a: &&Segment, b: &&Segment| a.time(a.layers).get().total_cmp(&b.time(b.layers).get());
    let main = segments.iter().max_by(longest).cloned();
    let (layer, timeline, stages) = main.map_or((Seconds::ZERO, Vec::new(), Vec::new()), |main| {
        let layer = (main.time(9) - main.time(8)).max(Seconds::ZERO);
        (layer, schedule(&main.stages, main.micro_batches, 2), main.stages)
    });
    segments.push(Segment { stages: vec![Stage { name: "head", resource: Resource::Compute, time: head_time }], layers: 1, micro_batches: 1 });

    let Builder { activity, bound, .. } = builder;
    let launch = bound.launch + launches;
    let busy = bound.compute + bound.memory + launch;
    let communication = if time > busy { time - busy } else { Seconds::ZERO };
    // Two streams that split the cores do more than one second of kernels in a second: shares are of the time that passes.
    let scale = if busy > time { time / busy } else { 1.0 };
    let chip = &machine.communication.network().fabric().chip;
    let slowdown = slowdown(&chip.power, work_energy(&chip.power, &activity, f64::from(chip.ranks)), time);
    let power = time * (slowdown - 1.0);
    let bound = Bound { compute: bound.compute * scale, memory: bound.memory * scale, launch: launch * scale, communication, power };
    Step { time: time + power, layer: layer * slowdown, stages, timeline, segments, bound, activity, slowdown }
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

    /// Two streams side by side: of all ways to share the cores out whole, the one whose slower stream, summed over the layers, is fastest.
    /// Waves of tiles make both streams' times uneven in their cores, so all are tried.
    fn split(builder: &Builder<'_>, layers: &[(LayerWork, u32)]) -> Self {
        let device = &builder.machine.device;
        let at = |for_attention: f64| {
            let share = for_attention / device.cores;
            Self { attention: device.with_cores(share), experts: device.with_cores(1.0 - share), expert_resource: Resource::Fabric }
        };
        let slower = |streams: &Self| -> Seconds {
            layers.iter().map(|(work, count)| work.attention_stream(streams).max(work.expert_stream(streams)) * f64::from(*count)).sum()
        };
        let mut best = at(1.0);
        let mut least = slower(&best);
        let mut for_attention = 2.0;
        while for_attention < device.cores {
            let streams = at(for_attention);
            let time = slower(&streams);
            if time < least {
                (best, least) = (streams, time);
            }
            for_attention += 1.0;
        }
        best
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
    /// One micro-batch: the attention group's batch and the chunk read beside it.
    parts: Vec<AttentionBatch>,
    /// New tokens of one micro-batch.
    tokens: f64,
    /// Who has which cores; the same in all layers, since streams keep theirs for the whole pass.
    streams: Streams,
    activity: Activity,
    bound: Split,
}

impl<'a> Builder<'a> {
    fn new(machine: &'a Machine<'a>, shape: &'a StepShape) -> Self {
        let parts: Vec<AttentionBatch> = std::iter::once(shape.batch).chain(shape.chunk).map(|batch| batch.part(shape.micro_batches)).collect();
        let tokens = parts.iter().map(AttentionBatch::tokens).sum();
        let streams = Streams::whole(machine, shape);
        Self { machine, shape, parts, tokens, streams, activity: Activity::default(), bound: Split::default() }
    }

    fn model(&self) -> &'a Model {
        &self.machine.workload.model
    }

    /// Decides which stream has which cores.
    fn share_cores(&mut self) {
        let splits = self.machine.device.kernels.decode_streams_split_cores && self.shape.micro_batches > 1 && !self.shape.bulk();
        if !splits {
            return;
        }
        let of_experts = |group: &LayerGroup| Some((self.layer_work(self.attention(group), group.ffn.experts()?), group.count));
        let layers: Vec<(LayerWork, u32)> = self.model().layer.iter().filter_map(of_experts).collect();
        if !layers.is_empty() {
            self.streams = Streams::split(self, &layers);
        }
    }

    fn attention(&self, group: &LayerGroup) -> Vec<Operator> {
        let precisions = &self.machine.workload.workload.precision;
        layer_attention(&group.attention, self.model().hidden, precisions, self.shape.mapping.tp, &self.parts)
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

    /// The residual stream of one micro-batch in 16 bit.
    fn stream_bytes(&self) -> Bytes {
        Bytes::new(self.tokens * f64::from(self.model().hidden) * 2.0)
    }

    /// All-reduce of one micro-batch after a block that TP divides.
    fn reduce(&self) -> Option<Stage> {
        let tp = self.shape.mapping.tp;
        let time = || self.machine.communication.all_reduce(tp, self.stream_bytes());
        (tp > 1).then(|| Stage { name: "all-reduce", resource: Resource::Fabric, time: time() })
    }

    /// Bytes that one rank sends in such an all-reduce.
    fn reduced_bytes(&self) -> Bytes {
        let tp = f64::from(self.shape.mapping.tp);
        self.stream_bytes() * (2.0 * (tp - 1.0) / tp)
    }

    /// Time in which the residual stream goes from stage to stage of the pipeline; a rank of a TP group passes on its part.
    fn handovers(&mut self) -> Seconds {
        let mapping = self.shape.mapping;
        if mapping.pp < 2 {
            return Seconds::ZERO;
        }
        let bytes = self.stream_bytes() * (f64::from(self.shape.micro_batches) / f64::from(mapping.tp));
        let times = f64::from(mapping.pp - 1);
        self.activity.sent += bytes * (times / f64::from(mapping.pp));
        let chips = mapping.chips(self.machine.communication.network().fabric().chip.ranks);
        self.machine.communication.send(chips, bytes) * times
    }

    /// Stages of a layer for one micro-batch, `times` of which make the step.
    fn layer(&mut self, group: &LayerGroup, times: f64) -> Vec<Stage> {
        let attention = self.attention(group);
        match &group.ffn {
            Ffn::Dense { width } => self.dense_layer(&attention, *width, times),
            Ffn::Experts(experts) => self.sparse_layer(attention, experts, times),
        }
    }

    fn dense_layer(&mut self, attention: &[Operator], width: u32, times: f64) -> Vec<Stage> {
        let device = self.streams.attention.clone();
        let reduce = self.reduce();
        self.activity.sent += self.reduced_bytes() * (2.0 * times);
        let attention = self.compute(&device, attention, times, true);
        let block = dense_block(self.model(), width, &self.machine.workload.workload.precision, self.shape.mapping.tp, self.tokens);
        let block = self.compute(&device, &block, times, true);
        let mut stages = vec![Stage { name: "attention", resource: Resource::Compute, time: attention }];
        stages.extend(reduce);
        stages.push(Stage { name: "dense block", resource: Resource::Compute, time: block });
        stages.extend(reduce);
        stages
    }

    /// What one expert layer has to do for one micro-batch.
    fn layer_work(&self, attention: Vec<Operator>, experts: &Experts) -> LayerWork {
        let workload = &self.machine.workload.workload;
        let model = self.model();
        let even = ExpertPlacement::even();
        let placement = workload.experts.as_ref().unwrap_or(&even);
        let mapping = self.shape.mapping;
        // After a divided attention block every rank of the TP group passes on its part of the tokens.
        let tokens = self.tokens / f64::from(mapping.tp);
        let load = ExpertLoad::new(experts, placement, mapping.ep, tokens);
        let mut gate = gate(model, experts, &workload.precision, tokens);
        if experts.shared > 0 && !expert_slots(experts, placement, mapping.ep).shared_on_own_ranks {
            gate.extend(shared_block(model, experts, &workload.precision, tokens));
        }
        let routed = vec![expert_block(model, experts, placement, &workload.precision, &load)];
        let mut work = LayerWork { attention, reduce: self.reduce(), gate, experts: routed, exchange: None, exchanged: Bytes::ZERO };
        if mapping.ep > 1 {
            let bulk = self.shape.bulk();
            let communication = &self.machine.communication;
            let traffic = |precision: Precision| ExpertTraffic {
                ranks: mapping.ep,
                tokens,
                copies: load.copies,
                message: Bytes::new(f64::from(experts.stream(model.hidden)) * precision.activation_bytes()),
                imbalance: load.imbalance,
            };
            let (out, back) = (traffic(workload.precision.dispatch), traffic(workload.precision.combine));
            work.exchange = Some((communication.dispatch(&out, bulk), communication.combine(&back, bulk)));
            work.exchanged = out.sent_bytes(communication.dispatch_kernel(bulk)) + back.sent_bytes(communication.combine_kernel(bulk));
        }
        work
    }

    fn sparse_layer(&mut self, attention: Vec<Operator>, experts: &Experts, times: f64) -> Vec<Stage> {
        let work = self.layer_work(attention, experts);
        let (attention_cores, expert_cores) = (self.streams.attention.clone(), self.streams.experts.clone());
        let resource = self.streams.expert_resource;
        // With split cores the streams are balanced and run side by side: what holds the step back is counted in one of them.
        let counted = resource == Resource::Compute;
        let attention = self.compute(&attention_cores, &work.attention, times, true);
        let gate = self.compute(&expert_cores, &work.gate, times, counted);
        let experts = self.compute(&expert_cores, &work.experts, times, counted);
        self.activity.sent += (self.reduced_bytes() + work.exchanged) * times;

        let mut stages = vec![Stage { name: "attention", resource: Resource::Compute, time: attention }];
        stages.extend(work.reduce);
        stages.push(Stage { name: "gate", resource, time: gate });
        stages.extend(work.exchange.map(|(dispatch, _)| Stage { name: "dispatch", resource: Resource::Fabric, time: dispatch }));
        stages.push(Stage { name: "experts", resource, time: experts });
        stages.extend(work.exchange.map(|(_, combine)| Stage { name: "combine", resource: Resource::Fabric, time: combine }));
        stages
    }
}
