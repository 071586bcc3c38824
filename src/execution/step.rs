//! How long a pass takes and what holds it back: operators and transfers of every layer, overlapped over micro-batches.

use super::activity::{Activity, StageWork};
use super::chip_power::{slowdown, work_energy};
use super::draft;
use super::pass::{Block, Machine, Pass, StepShape};
use super::schedule::{Resource, Slot, Stage, makespan, schedule};
use super::streams::{Streams, layers_time};
use crate::input::spec::WorkloadSpec;
use crate::units::Seconds;
use crate::workload::{Device, Operator, kernel};

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
    /// The parts of this and, so many times, of another.
    fn and(&self, other: &Self, times: f64) -> Self {
        Self {
            compute: self.compute + other.compute * times,
            memory: self.memory + other.memory * times,
            launch: self.launch + other.launch * times,
            communication: self.communication + other.communication * times,
            power: self.power + other.power * times,
        }
    }

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
    /// What one rank does in each of them.
    pub work: Vec<StageWork>,
    /// Layers.
    pub layers: u32,
    /// Micro-batches.
    pub micro_batches: u32,
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
    /// The whole pass from launch to handover, before the power limit stretches it.
    pub segments: Vec<Segment>,
    /// What holds it back.
    pub bound: Bound,
    /// Work of one rank.
    pub activity: Activity,
    /// Time over what it would be without the chips' power limit; 1 when the limit is not reached.
    pub slowdown: f64,
    /// Of the time, passes of a draft model.
    pub drafting: Seconds,
}

impl Step {
    /// This and then a draft's pass, so many times.
    fn and(mut self, draft: &Self, times: f64) -> Self {
        let unlimited = self.time / self.slowdown + draft.time * (times / draft.slowdown);
        self.time += draft.time * times;
        self.drafting += draft.time * times;
        self.slowdown = if unlimited > Seconds::ZERO { self.time / unlimited } else { 1.0 };
        self.bound = self.bound.and(&draft.bound, times);
        self.activity.add_all(&draft.activity, times);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of draft tokens")]
        self.segments.extend(std::iter::repeat_n(&draft.segments, times as usize).flatten().cloned());
        self
    }
}

/// Time of one pass with those of its draft model, to the last bit that of [`Step::time`], and nothing else: what a search asks for many
/// times.
#[must_use]
pub fn step_time(machine: &Machine<'_>, shape: &StepShape) -> Seconds {
    let time = time_of_pass(machine, machine.workload, shape);
    draft::passes(machine.workload, shape).fold(time, |time, (draft, shape, times)| time + time_of_pass(machine, draft, &shape) * times)
}

fn time_of_pass(machine: &Machine<'_>, workload: &WorkloadSpec, shape: &StepShape) -> Seconds {
    let pass = Pass::new(machine, workload, shape);
    let streams = Streams::choose(machine, shape, &pass);
    let head = head_time(machine, &pass);
    let time = pass_time(
        &pass,
        head,
        pass.layers.iter().zip(streams.stages(&pass)).map(|(layers, stages)| layers_time(layers, &stages, pass.micro_batches)).sum(),
    );
    time + time * (capped(machine, &pass, time) - 1.0)
}

/// Runs one pass, and those of its draft model after it.
#[must_use]
pub fn step(machine: &Machine<'_>, shape: &StepShape) -> Step {
    let step = pass(machine, machine.workload, shape);
    draft::passes(machine.workload, shape).fold(step, |step, (draft, shape, times)| step.and(&pass(machine, draft, &shape), times))
}

fn pass(machine: &Machine<'_>, workload: &WorkloadSpec, shape: &StepShape) -> Step {
    let pass = Pass::new(machine, workload, shape);
    let streams = Streams::choose(machine, shape, &pass);
    let groups: Vec<Segment> = pass
        .layers
        .iter()
        .zip(streams.stages(&pass))
        .map(|(layers, stages)| Segment { stages, work: streams.work(layers, pass.shares), layers: layers.count, micro_batches: pass.micro_batches })
        .collect();
    let each: Vec<Seconds> =
        pass.layers.iter().zip(&groups).map(|(layers, segment)| layers_time(layers, &segment.stages, pass.micro_batches)).collect();
    let head = head_time(machine, &pass);
    let time = pass_time(&pass, head, each.iter().copied().sum());

    let main = (0..groups.len()).max_by(|&a, &b| each[a].get().total_cmp(&each[b].get()));
    let (layer, timeline, stages) = main.map_or((Seconds::ZERO, Vec::new(), Vec::new()), |main| {
        let Segment { stages, micro_batches, .. } = &groups[main];
        let steady = (makespan(stages, *micro_batches, 32) - makespan(stages, *micro_batches, 31)).max(Seconds::ZERO);
        (steady, schedule(stages, *micro_batches, 2), stages.clone())
    });
    let segments = whole_pass(machine, &pass, groups, head);
    let activity = Activity::by_operator(&pass);
    let slowdown = capped(machine, &pass, time);
    let power = time * (slowdown - 1.0);
    let bound = Split::of(machine, &pass, &streams).bound(time, power);
    Step { time: time + power, layer: layer * slowdown, stages, timeline, segments, bound, activity, slowdown, drafting: Seconds::ZERO }
}

/// Launch, layers, head, the same again for draft tokens, and the handing over from pipeline stage to pipeline stage.
fn whole_pass(machine: &Machine<'_>, pass: &Pass, groups: Vec<Segment>, head: Seconds) -> Vec<Segment> {
    let alone = |name, resource, time, work| Segment { stages: vec![Stage { name, resource, time }], work: vec![work], layers: 1, micro_batches: 1 };
    let head = alone("head", Resource::Compute, head, StageWork::of(&machine.device, &pass.head).on(pass.shares[0]));
    let drafts = pass.layers.last().map_or(0, |layers| layers.drafts);
    let draft = groups.last().map(|group| Segment { layers: 1, ..group.clone() });
    let mut segments = vec![alone("graph launch", Resource::Compute, pass.launches, StageWork::default())];
    segments.extend(groups);
    segments.push(head.clone());
    for draft in std::iter::repeat_n(draft, drafts as usize).flatten() {
        segments.extend([draft, head.clone()]);
    }
    let (time, sent) = pass.handovers;
    segments.push(alone("handover", Resource::Fabric, time, StageWork::transfer(sent)));
    segments.retain(|segment| segment.stages.iter().any(|stage| stage.time > Seconds::ZERO));
    segments
}

fn head_time(machine: &Machine<'_>, pass: &Pass) -> Seconds {
    pass.head.iter().map(|operator| kernel::time(&machine.device, operator)).sum()
}

fn pass_time(pass: &Pass, head: Seconds, layers: Seconds) -> Seconds {
    pass.launches + layers + head * pass.heads + pass.handovers.0
}

/// Slowdown of a pass to stay within the chips' power limit: that of the chips that do more, where they do different things.
fn capped(machine: &Machine<'_>, pass: &Pass, time: Seconds) -> f64 {
    let chip = &machine.communication.network().fabric().chip;
    let slowed = |shares| slowdown(&chip.power, work_energy(&chip.power, &Activity::totals(pass, shares), f64::from(chip.ranks)), time);
    if pass.shares == [1.0; 2] { slowed([1.0; 2]) } else { slowed([1.0, 0.0]).max(slowed([0.0, 1.0])) }
}

/// Times of all kernels of a pass by what they wait for.
#[derive(Clone, Copy, Debug, Default)]
struct Split {
    compute: Seconds,
    memory: Seconds,
    launch: Seconds,
}

impl Split {
    /// With split cores the streams are balanced and run side by side: what holds the step back is counted in attention's. Where experts
    /// have chips of their own, it is counted on the chips that are busy for longer.
    fn of(machine: &Machine<'_>, pass: &Pass, streams: &Streams<'_>) -> Self {
        let mut split = Self { launch: pass.launches, ..Self::default() };
        let mut apart = split;
        for layers in &pass.layers {
            let times = pass.times(layers);
            split.add(&streams.attention, &layers.attention, times);
            match &layers.block {
                Block::Dense(block) => split.add(&streams.attention, block, times),
                Block::Experts { gate, routed, .. } if streams.expert_resource == Resource::Compute => {
                    split.add(streams.experts(), gate, times);
                    split.add(streams.experts(), routed, times);
                }
                Block::Experts { .. } => {}
                Block::Apart { gate, experts, .. } => {
                    split.add(&streams.attention, gate, times);
                    apart.add(streams.experts(), experts, times);
                }
            }
        }
        split.add(&machine.device, &pass.head, pass.heads);
        if apart.busy() > split.busy() { apart } else { split }
    }

    fn busy(&self) -> Seconds {
        self.compute + self.memory + self.launch
    }

    fn add(&mut self, device: &Device, operators: &[Operator], times: f64) {
        for operator in operators {
            let time = kernel::time(device, operator);
            let body = kernel::body(device, operator, time);
            let arithmetic = operator.work.flop() / device.peak(operator.work.precision());
            let traffic = operator.work.bytes() / device.memory_bandwidth;
            self.launch += (time - body) * times;
            let bound = if arithmetic > traffic { &mut self.compute } else { &mut self.memory };
            *bound += body * times;
        }
    }

    /// As shares of a pass of `time` before the power limit stretches it by `power`.
    fn bound(&self, time: Seconds, power: Seconds) -> Bound {
        let busy = self.busy();
        let communication = if time > busy { time - busy } else { Seconds::ZERO };
        // Two streams that split the cores do more than one second of kernels in a second: shares are of the time that passes.
        let scale = if busy > time { time / busy } else { 1.0 };
        Bound { compute: self.compute * scale, memory: self.memory * scale, launch: self.launch * scale, communication, power }
    }
}
