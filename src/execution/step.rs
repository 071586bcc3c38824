//! Time of a pass and its breakdown: operators and transfers of every layer, overlapped over micro-batches.

use super::activity::{Activity, OperatorWork, StageWork};
use super::bound::{BottleneckSplit, Bound};
use super::chip_power::{ClockPace, arithmetic_energy, memory_energy, power_between_kernels, running_energy};
use super::draft;
use super::host::host_time;
use super::paced::{Paced, held};
use super::pass::{EqualLayers, Machine, Pass};
use super::schedule::{Resource, Slot, Stage, makespan, schedule};
use super::shape::StepShape;
use super::streams::{LayerStages, Streams, layers_time};
use crate::input::document::ChipPower;
use crate::input::spec::WorkloadSpec;
use crate::units::{Joules, Seconds};

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
    /// The clock that the stages run at, and the rests that they are without.
    pub pace: ClockPace,
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
    /// The whole pass from launch to handover, without rests.
    pub segments: Vec<Segment>,
    /// What holds it back.
    pub bound: Bound,
    /// Work of one rank.
    pub activity: Activity,
    /// Energy of one rank's operators, by name, at the clocks that they run at.
    pub operators: Vec<(&'static str, Joules)>,
    /// Energy of a chip beyond waiting and work: what running kernels draw whatever they do, and cores between kernels.
    pub running: Joules,
    /// The lowest clock of its passes, and the most rests.
    pub pace: ClockPace,
    /// Time without the chips' power limit.
    pub unlimited: Seconds,
    /// Of the time, passes of a draft model.
    pub drafting: Seconds,
}

impl Step {
    /// Time over what it would be without the chips' power limit; 1 when the limit is not reached.
    #[must_use]
    pub fn slowdown(&self) -> f64 {
        if self.unlimited > Seconds::ZERO { self.time / self.unlimited } else { 1.0 }
    }

    /// This and then a draft's pass, so many times.
    fn and(mut self, draft: &Self, times: f64) -> Self {
        self.time += draft.time * times;
        self.unlimited += draft.unlimited * times;
        self.drafting += draft.time * times;
        self.pace = ClockPace { clock: self.pace.clock.min(draft.pace.clock), rest: self.pace.rest.max(draft.pace.rest) };
        self.running += draft.running * times;
        for (name, energy) in &draft.operators {
            match self.operators.iter_mut().find(|known| known.0 == *name) {
                Some(known) => known.1 += *energy * times,
                None => self.operators.push((name, *energy * times)),
            }
        }
        self.bound = self.bound.and(&draft.bound, times);
        self.activity.add_all(&draft.activity, times);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of draft tokens")]
        self.segments.extend(std::iter::repeat_n(&draft.segments, times as usize).flatten().cloned());
        self
    }

    /// This and then `host`, in which the chips wait for the engine's host at their clock: no limit stretches it.
    fn and_host(mut self, power: &ChipPower, host: Seconds) -> Self {
        if host > Seconds::ZERO {
            self.running += power_between_kernels(power, self.pace.clock) * host;
            self.time += host;
            self.unlimited += host;
            self.bound.launch += host;
            let stages = vec![Stage { name: "engine host", resource: Resource::Compute, time: host }];
            let pace = ClockPace { rest: 1.0, ..self.pace };
            self.segments.push(Segment { stages, work: vec![StageWork::default()], layers: 1, micro_batches: 1, pace });
        }
        self
    }
}

/// Time of one pass with those of its draft model, to the last bit that of [`Step::time`], and nothing else: what a search asks for many
/// times.
#[must_use]
pub fn step_time(machine: &Machine<'_>, shape: &StepShape) -> Seconds {
    let (time, launched) = time_of_pass(machine, machine.workload, shape);
    let passes = draft::passes(machine.workload, shape);
    let (busy, launched) = passes.fold((time, launched), |(busy, launched), (draft, shape, times)| {
        let (time, more) = time_of_pass(machine, draft, &shape);
        (busy + time * times, launched + more * times)
    });
    busy + waits_for_host(machine, shape, launched, busy)
}

/// Time in which the chips wait for the engine's host, where an engine runs the workload.
fn waits_for_host(machine: &Machine<'_>, shape: &StepShape, launched: f64, busy: Seconds) -> Seconds {
    machine.workload.engine.as_ref().map_or(Seconds::ZERO, |deployed| host_time(&deployed.engine, shape, launched, busy))
}

/// Kernels and transfers of a pass that an engine's host launches one by one.
fn launched(machine: &Machine<'_>, shape: &StepShape, pass: &Pass) -> f64 {
    let engine = machine.workload.engine.as_ref().filter(|_| shape.bulk());
    engine.map_or(0.0, |deployed| pass.launched(shape.mapping.pp, deployed.engine.compiled))
}

/// Time of a pass without the host's part, and the kernels that an engine's host launches one by one in it.
fn time_of_pass(machine: &Machine<'_>, workload: &WorkloadSpec, shape: &StepShape) -> (Seconds, f64) {
    let pass = Pass::new(machine, workload, shape);
    let streams = Streams::choose(machine, &machine.device, shape, &pass, None);
    (Paced::new(machine, shape, &pass, &streams).time, launched(machine, shape, &pass))
}

/// Runs one pass, and those of its draft model after it.
#[must_use]
pub fn step(machine: &Machine<'_>, shape: &StepShape) -> Step {
    let (step, launched) =
        draft::passes(machine.workload, shape).fold(pass(machine, machine.workload, shape), |(step, launched), (draft, shape, times)| {
            let (more, kernels) = pass(machine, draft, &shape);
            (step.and(&more, times), launched + kernels * times)
        });
    let host = waits_for_host(machine, shape, launched, step.time);
    step.and_host(machine.device.power(), host)
}

/// A pass without the host's part, and the kernels that an engine's host launches one by one in it.
fn pass(machine: &Machine<'_>, workload: &WorkloadSpec, shape: &StepShape) -> (Step, f64) {
    let pass = Pass::new(machine, workload, shape);
    let streams = Streams::choose(machine, &machine.device, shape, &pass, None);
    let Paced { timed, pace, time, unlimited } = Paced::new(machine, shape, &pass, &streams);
    let segment = |(layers, stages): (&EqualLayers, LayerStages)| Segment {
        stages: stages.to_vec(),
        work: streams.work(layers, pass.shares),
        layers: layers.count,
        micro_batches: pass.micro_batches,
        pace,
    };
    let head = timed.head;
    let groups: Vec<Segment> = pass.layers.iter().zip(timed.stages).map(segment).collect();
    let each: Vec<Seconds> =
        pass.layers.iter().zip(&groups).map(|(layers, segment)| layers_time(layers, &segment.stages, pass.micro_batches)).collect();
    let main = (0..groups.len()).max_by(|&a, &b| each[a].get().total_cmp(&each[b].get()));
    let (layer, timeline, stages) = main.map_or((Seconds::ZERO, Vec::new(), Vec::new()), |main| {
        let Segment { stages, micro_batches, .. } = &groups[main];
        let steady = (makespan(stages, *micro_batches, 32) - makespan(stages, *micro_batches, 31)).max(Seconds::ZERO);
        (steady, schedule(stages, *micro_batches, 2), stages.clone())
    });
    let segments = whole_pass(machine, &pass, groups, head, pace);
    let activity = Activity::by_operator(&pass);
    let bound = BottleneckSplit::of(machine, &pass, &streams).bound(unlimited, time - unlimited);
    let power = machine.device.power();
    let energy = |work: &OperatorWork| arithmetic_energy(power, &work.flop, pace.clock) + memory_energy(power, work.memory);
    let step = Step {
        time,
        layer: layer * pace.rest,
        stages,
        timeline,
        segments,
        bound,
        operators: activity.operators.iter().map(|work| (work.name, energy(work))).collect(),
        running: running_energy(power, pace.clock, [held(machine, &bound, time / pace.rest), time / pace.rest]),
        activity,
        pace,
        unlimited,
        drafting: Seconds::ZERO,
    };
    (step, launched(machine, shape, &pass))
}

/// Launch, layers, head, the same again for draft tokens, and the handing over from pipeline stage to pipeline stage.
fn whole_pass(machine: &Machine<'_>, pass: &Pass, groups: Vec<Segment>, head: Seconds, pace: ClockPace) -> Vec<Segment> {
    let alone = |name, resource, time, work| {
        let stages = vec![Stage { name, resource, time }];
        Segment { stages, work: vec![work], layers: 1, micro_batches: 1, pace }
    };
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
