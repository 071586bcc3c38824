//! Which cores attention and experts run on, and how long the stages of a layer take there.

use std::borrow::Cow;
use std::rc::Rc;

use super::activity::StageWork;
use super::pass::{EqualLayers, FeedForward, Machine, Pass};
use super::schedule::{Resource, Stage, makespan};
use super::shape::StepShape;
use crate::units::Seconds;
use crate::workload::{Device, Operator, kernel};

/// The cores that attention and experts run on; the same in all layers, since streams keep theirs for the whole pass.
pub(super) struct Streams<'a> {
    /// Attention and dense blocks.
    pub attention: Cow<'a, Device>,
    /// Gate and experts, where their cores are others.
    split_off: Option<Device>,
    /// Where the experts' computing is scheduled.
    pub expert_resource: Resource,
    /// Whether shared experts run while tokens travel to routed ones: on cores that nothing else uses meanwhile, since the experts' stream has one
    /// micro-batch at a time. TensorRT-LLM, SGLang, vLLM and CANN start them on a second stream. Otherwise the cores work on another micro-batch.
    pub shared_beside_dispatch: bool,
    /// Times of the kernels on these cores where the choice has already worked them out, by group of layers.
    known: Vec<Times>,
}

/// Times of the operators of a group of layers for one micro-batch: attention, then dense block or gate, shared and routed experts.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    attention: Seconds,
    dense: Seconds,
    gate: Seconds,
    shared: Seconds,
    experts: Seconds,
}

impl<'a> Streams<'a> {
    /// Gate and experts.
    pub fn experts(&self) -> &Device {
        self.split_off.as_ref().unwrap_or(&self.attention)
    }

    /// All cores for one kernel after the other, where transfers that overlap with computing take theirs from it; or, on chips that
    /// split their cores in decode, attention and experts side by side on the cores that make the pass shortest. `device` is that of the
    /// machine, at any clock.
    pub fn choose(machine: &'a Machine<'_>, device: &'a Device, shape: &StepShape, pass: &'a Pass) -> Self {
        let overlaps = shape.micro_batches > 1;
        let sparse = pass.layers.iter().any(|layers| matches!(layers.block, FeedForward::Experts { .. }));
        if device.kernels.decode_streams_split_cores && overlaps && !shape.bulk() && sparse {
            return CoreSplit::new(device, pass).best();
        }
        let taken = if overlaps { machine.communication.library().core_share.value.get() } else { 0.0 };
        let attention = if taken > 0.0 { Cow::Owned(device.with_cores(1.0 - taken)) } else { Cow::Borrowed(device) };
        Self { attention, split_off: None, expert_resource: Resource::Compute, shared_beside_dispatch: !overlaps, known: Vec::new() }
    }

    /// What one rank does in each of the stages that [`Streams::stages`] gives, on average where ranks are of two kinds, in these shares.
    pub fn work(&self, layers: &EqualLayers, shares: [f64; 2]) -> Vec<StageWork> {
        let [reduce, block_reduce] = layers.reduces.map(|reduce| reduce.map(|reduce| StageWork::transfer(reduce.sent)));
        let mut work = vec![StageWork::of(&self.attention, &layers.attention)];
        work.extend(layers.exchange.map(|exchange| StageWork::transfer(exchange.sent)));
        work.extend(reduce);
        match &layers.block {
            FeedForward::Dense(block) => {
                work.push(StageWork::of(&self.attention, block));
                work.extend(block_reduce);
            }
            FeedForward::Experts { gate, shared, routed, exchange } => {
                let shared = StageWork::of(self.experts(), shared);
                let (before, beside) = if self.shared_beside_dispatch { (StageWork::default(), shared) } else { (shared, StageWork::default()) };
                work.push(StageWork::of(self.experts(), gate).and(before));
                work.extend(exchange.map(|[dispatch, _]| StageWork::transfer(dispatch.sent).and(beside)));
                work.push(StageWork::of(self.experts(), routed));
                work.extend(exchange.map(|[_, combine]| StageWork::transfer(combine.sent)).or(block_reduce));
            }
            FeedForward::Apart { gate, experts, exchange: [dispatch, combine] } => {
                work.extend([StageWork::of(&self.attention, gate), StageWork::transfer(dispatch.sent)]);
                let here = work.into_iter().map(|work| work.on(shares[0]));
                let there = [StageWork::of(self.experts(), experts), StageWork::transfer(combine.sent)].map(|work| work.on(shares[1]));
                return here.chain(there).collect();
            }
        }
        work.into_iter().map(|work| work.on(shares[0])).collect()
    }

    fn layer_stages(&self, layers: &EqualLayers, times: Times) -> Vec<Stage> {
        stages(layers, times, self.expert_resource, self.shared_beside_dispatch)
    }

    /// Stages of one micro-batch in one layer, for every group of layers.
    pub fn stages<'p>(&'p self, pass: &'p Pass) -> impl Iterator<Item = Vec<Stage>> + 'p {
        let mut known: Option<(&Rc<Vec<Operator>>, Seconds)> = None;
        pass.layers.iter().enumerate().map(move |(index, layers)| {
            if let Some(times) = self.known.get(index) {
                return self.layer_stages(layers, *times);
            }
            let before = known.filter(|(operators, _)| Rc::ptr_eq(operators, &layers.attention));
            let attention = before.map_or_else(|| sum(&self.attention, &layers.attention), |(_, time)| time);
            known = Some((&layers.attention, attention));
            let (dense, experts) = (dense_time(&self.attention, layers), expert_times(self.experts(), layers));
            self.layer_stages(layers, Times { attention, dense, ..experts })
        })
    }
}

fn sum(device: &Device, operators: &[Operator]) -> Seconds {
    operators.iter().map(|operator| kernel::time(device, operator)).sum()
}

/// The dense block's time.
fn dense_time(device: &Device, layers: &EqualLayers) -> Seconds {
    match &layers.block {
        FeedForward::Dense(block) => sum(device, block),
        FeedForward::Experts { .. } | FeedForward::Apart { .. } => Seconds::ZERO,
    }
}

/// Gate, shared and routed experts.
fn expert_times(device: &Device, layers: &EqualLayers) -> Times {
    let [gate, shared, experts] = match &layers.block {
        FeedForward::Dense(_) => [Seconds::ZERO; 3],
        FeedForward::Experts { gate, shared, routed, .. } => [sum(device, gate), sum(device, shared), sum(device, routed)],
        FeedForward::Apart { gate, experts, .. } => [sum(device, gate), Seconds::ZERO, sum(device, experts)],
    };
    Times { gate, shared, experts, ..Times::default() }
}

fn stages(layers: &EqualLayers, times: Times, expert_resource: Resource, shared_beside_dispatch: bool) -> Vec<Stage> {
    let [reduce, block_reduce] =
        layers.reduces.map(|reduce| reduce.map(|reduce| Stage { name: "all-reduce", resource: Resource::Fabric, time: reduce.time }));
    let mut stages = Vec::with_capacity(7);
    stages.push(Stage { name: "attention", resource: Resource::Compute, time: times.attention });
    stages.extend(layers.exchange.map(|exchange| Stage { name: "sequence exchange", resource: Resource::Fabric, time: exchange.time }));
    stages.extend(reduce);
    match &layers.block {
        FeedForward::Dense(_) => {
            stages.push(Stage { name: "dense block", resource: Resource::Compute, time: times.dense });
            stages.extend(block_reduce);
        }
        FeedForward::Experts { exchange, .. } => {
            let (before, beside) = if shared_beside_dispatch { (Seconds::ZERO, times.shared) } else { (times.shared, Seconds::ZERO) };
            stages.push(Stage { name: "gate", resource: expert_resource, time: times.gate + before });
            stages.extend(exchange.map(|[dispatch, _]| Stage { name: "dispatch", resource: Resource::Fabric, time: dispatch.time.max(beside) }));
            stages.push(Stage { name: "experts", resource: expert_resource, time: times.experts });
            stages.extend(exchange.map(|[_, combine]| Stage { name: "combine", resource: Resource::Fabric, time: combine.time }).or(block_reduce));
        }
        FeedForward::Apart { exchange: [dispatch, combine], .. } => stages.extend([
            Stage { name: "gate", resource: Resource::Compute, time: times.gate },
            Stage { name: "dispatch", resource: Resource::Fabric, time: dispatch.time },
            Stage { name: "experts", resource: Resource::Experts, time: times.experts },
            Stage { name: "combine", resource: Resource::Return, time: combine.time },
        ]),
    }
    stages
}

/// The search for the best whole number of cores for attention.
///
/// More cores for one stream never slow it and never speed up the other, so a range of splits is bounded below by giving each stream
/// the most that any split of the range gives it; ranges that cannot beat the best split found so far are left out.
struct CoreSplit<'a> {
    device: &'a Device,
    pass: &'a Pass,
    /// By number of cores, by group of layers; filled as they are asked for.
    attention: Vec<Option<Vec<Times>>>,
    experts: Vec<Option<Vec<Times>>>,
    best: Option<(Seconds, u32)>,
}

impl<'a> CoreSplit<'a> {
    fn new(device: &'a Device, pass: &'a Pass) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cores of a chip")]
        let cores = (device.cores as usize).max(2);
        Self { device, pass, attention: vec![None; cores], experts: vec![None; cores], best: None }
    }

    fn cores(&self) -> u32 {
        u32::try_from(self.attention.len()).unwrap_or(u32::MAX)
    }

    fn best(mut self) -> Streams<'a> {
        let cores = self.cores();
        let guess = self.guess();
        let time = self.time(guess, cores - guess);
        self.best = Some((time, guess));
        for (least, most) in [(1, guess - 1), (guess + 1, cores - 1)] {
            if least <= most
                && let Some(bound) = self.time_if_better(most, cores - least)
            {
                self.narrow(least, most, bound);
            }
        }
        let for_attention = self.best.map_or(guess, |(_, for_attention)| for_attention);
        self.know(for_attention, cores - for_attention);
        let known = self.times(for_attention, cores - for_attention).collect();
        let (attention, experts) = (Cow::Owned(self.part(for_attention)), self.part(cores - for_attention));
        Streams { attention, split_off: Some(experts), expert_resource: Resource::Fabric, shared_beside_dispatch: true, known }
    }

    /// The split that balances the streams if their times go with the reciprocal of their cores: a good first one leaves most others out.
    fn guess(&mut self) -> u32 {
        let half = self.cores() / 2;
        self.time(half, self.cores() - half);
        let weighted = |time: Seconds, layers: &EqualLayers| time.get() * f64::from(layers.count);
        let attention = self.attention[half as usize].iter().flatten().zip(&self.pass.layers);
        let attention: f64 = attention.map(|(times, layers)| weighted(times.attention, layers)).sum();
        let experts = self.experts[(self.cores() - half) as usize].iter().flatten().zip(&self.pass.layers);
        let experts: f64 = experts.map(|(times, layers)| weighted(times.gate + times.experts + layers.exchanged(), layers)).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a whole number")]
        let guess = (f64::from(self.cores()) * attention / (attention + experts)) as u32;
        guess.clamp(1, self.cores() - 1)
    }

    fn part(&self, cores: u32) -> Device {
        self.device.with_cores(f64::from(cores) / f64::from(self.cores()))
    }

    /// Looks for a better split with `least..=most` cores for attention, none of which takes less than `bound`.
    fn narrow(&mut self, least: u32, most: u32, bound: Seconds) {
        if self.best.is_some_and(|(time, _)| bound >= time) {
            return;
        }
        if least == most {
            self.best = Some((bound, least));
            return;
        }
        let middle = least.midpoint(most);
        let low = self.time_if_better(middle, self.cores() - least).map(|bound| (least, middle, bound));
        let high = self.time_if_better(most, self.cores() - middle - 1).map(|bound| (middle + 1, most, bound));
        let mut halves = [low, high];
        // The more promising half first; one that cannot be better is not looked at.
        if low.zip(high).is_some_and(|(low, high)| low.2 > high.2) {
            halves.reverse();
        }
        for (least, most, bound) in halves.into_iter().flatten() {
            self.narrow(least, most, bound);
        }
    }

    /// As [`Self::time`], but `None` where a bound that needs no order of the stages shows that it is not below the best time so far.
    fn time_if_better(&mut self, for_attention: u32, for_experts: u32) -> Option<Seconds> {
        self.know(for_attention, for_experts);
        let bound: Seconds =
            self.stages(for_attention, for_experts).map(|(layers, stages)| least_time(layers, &stages, self.pass.micro_batches)).sum();
        // Rounding stays far below the margin.
        let loses = self.best.is_some_and(|(time, _)| bound * (1.0 - 1e-9) >= time);
        (!loses).then(|| self.time(for_attention, for_experts))
    }

    /// Time of all layers with the given numbers of cores for attention and for experts.
    fn time(&mut self, for_attention: u32, for_experts: u32) -> Seconds {
        self.know(for_attention, for_experts);
        self.stages(for_attention, for_experts).map(|(layers, stages)| layers_time(layers, &stages, self.pass.micro_batches)).sum()
    }

    /// Works out the kernels' times with these numbers of cores.
    fn know(&mut self, for_attention: u32, for_experts: u32) {
        let pass = self.pass;
        if self.attention[for_attention as usize].is_none() {
            let device = self.part(for_attention);
            let mut times: Vec<Times> = Vec::with_capacity(pass.layers.len());
            for (index, layers) in pass.layers.iter().enumerate() {
                let known = index.checked_sub(1).filter(|before| Rc::ptr_eq(&pass.layers[*before].attention, &layers.attention));
                let attention = known.map_or_else(|| sum(&device, &layers.attention), |before| times[before].attention);
                times.push(Times { attention, dense: dense_time(&device, layers), ..Times::default() });
            }
            self.attention[for_attention as usize] = Some(times);
        }
        if self.experts[for_experts as usize].is_none() {
            let device = self.part(for_experts);
            self.experts[for_experts as usize] = Some(pass.layers.iter().map(|layers| expert_times(&device, layers)).collect());
        }
    }

    /// The kernels' times at known numbers of cores, by group of layers.
    fn times(&self, for_attention: u32, for_experts: u32) -> impl Iterator<Item = Times> {
        let attention = self.attention[for_attention as usize].iter().flatten();
        let experts = self.experts[for_experts as usize].iter().flatten();
        attention.zip(experts).map(|(attention, experts)| Times { attention: attention.attention, dense: attention.dense, ..*experts })
    }

    /// Every group of layers with its stages at known numbers of cores.
    fn stages(&self, for_attention: u32, for_experts: u32) -> impl Iterator<Item = (&'a EqualLayers, Vec<Stage>)> {
        let times = self.times(for_attention, for_experts);
        self.pass.layers.iter().zip(times).map(|(layers, times)| (layers, stages(layers, times, Resource::Fabric, true)))
    }
}

/// What a group of layers takes at least, whatever the order: the work of its busiest resource, or the stages of one micro-batch.
fn least_time(layers: &EqualLayers, stages: &[Stage], micro_batches: u32) -> Seconds {
    let busy = Resource::ALL.map(|resource| stages.iter().filter(|stage| stage.resource == resource).map(|stage| stage.time).sum::<Seconds>());
    let busiest = busy.into_iter().fold(Seconds::ZERO, Seconds::max) * f64::from(micro_batches);
    let alone: Seconds = stages.iter().map(|stage| stage.time).sum();
    busiest.max(alone) * f64::from(layers.count + layers.drafts)
}

/// Time of a group of layers, with the further passes of draft tokens.
pub(super) fn layers_time(layers: &EqualLayers, stages: &[Stage], micro_batches: u32) -> Seconds {
    let drafts = if layers.drafts > 0 { makespan(stages, micro_batches, 1) * f64::from(layers.drafts) } else { Seconds::ZERO };
    makespan(stages, micro_batches, layers.count) + drafts
}
