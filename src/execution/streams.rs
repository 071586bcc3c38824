//! Which cores attention and experts run on, and how long the stages of a layer take there.

use std::borrow::Cow;
use std::ops::Deref;
use std::rc::Rc;

use super::activity::StageWork;
use super::pass::{EqualLayers, FeedForward, Machine, Pass, Transfer};
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
    /// Whole cores of attention, where the cores are split.
    attention_cores: Option<u32>,
    /// Where the experts' computing is scheduled.
    pub expert_resource: Resource,
    /// Whether shared experts run while tokens travel to routed ones: on cores that nothing else uses meanwhile, since the experts' stream has one
    /// micro-batch at a time. TensorRT-LLM, SGLang, vLLM and CANN start them on a second stream. Otherwise the cores work on another micro-batch.
    pub shared_beside_dispatch: bool,
    /// Times of the kernels on these cores where the choice has already worked them out, by group of layers.
    known: Vec<Times>,
}

/// The stages of one micro-batch in a layer: there are few, and a search lays them out millions of times.
#[derive(Clone, Copy)]
pub(super) struct LayerStages {
    stages: [Stage; MOST_STAGES],
    count: usize,
}

/// Attention, exchange of sequences, all-reduce, gate, dispatch, experts, combine.
const MOST_STAGES: usize = 7;

impl LayerStages {
    fn push(&mut self, name: &'static str, resource: Resource, time: Seconds) {
        self.stages[self.count] = Stage { name, resource, time };
        self.count += 1;
    }

    /// From these to `slow`, the same stages, by `place`.
    pub fn towards(&self, slow: &Self, place: f64) -> Self {
        let mut mixed = *self;
        for (stage, slow) in mixed.stages.iter_mut().zip(&slow.stages) {
            stage.time = mix(stage.time, slow.time, place);
        }
        mixed
    }
}

/// From `fast` to `slow` by `place`.
pub(super) fn mix(fast: Seconds, slow: Seconds, place: f64) -> Seconds {
    fast + (slow - fast) * place
}

impl Default for LayerStages {
    fn default() -> Self {
        Self { stages: [Stage { name: "", resource: Resource::Compute, time: Seconds::ZERO }; MOST_STAGES], count: 0 }
    }
}

impl Deref for LayerStages {
    type Target = [Stage];
    fn deref(&self) -> &[Stage] {
        &self.stages[..self.count]
    }
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
    /// machine, at any clock; `near` are the streams at another clock, if they are known: the best split is most often the same.
    pub fn choose(machine: &'a Machine<'_>, device: &'a Device, shape: &StepShape, pass: &'a Pass, near: Option<&Self>) -> Self {
        let overlaps = shape.micro_batches > 1;
        let sparse = pass.layers.iter().any(|layers| matches!(layers.block, FeedForward::Experts { .. }));
        if device.kernels.decode_streams_split_cores && overlaps && !shape.bulk() && sparse {
            return CoreSplit::new(device, pass).best(near.and_then(|near| near.attention_cores));
        }
        let taken = if overlaps { machine.communication.library().core_share.value.get() } else { 0.0 };
        let attention = if taken > 0.0 { Cow::Owned(device.with_cores(1.0 - taken)) } else { Cow::Borrowed(device) };
        let (split_off, attention_cores, known) = (None, None, Vec::new());
        Self { attention, split_off, attention_cores, expert_resource: Resource::Compute, shared_beside_dispatch: !overlaps, known }
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

    fn layer_stages(&self, layers: &EqualLayers, times: Times) -> LayerStages {
        stages(layers, times, self.expert_resource, self.shared_beside_dispatch)
    }

    /// Stages of one micro-batch in one layer, for every group of layers.
    pub fn stages<'p>(&'p self, pass: &'p Pass) -> impl Iterator<Item = LayerStages> + 'p {
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

fn stages(layers: &EqualLayers, times: Times, expert_resource: Resource, shared_beside_dispatch: bool) -> LayerStages {
    let mut stages = LayerStages::default();
    let all_reduce = |stages: &mut LayerStages, reduce: Option<Transfer>| {
        if let Some(reduce) = reduce {
            stages.push("all-reduce", Resource::Fabric, reduce.time);
        }
    };
    stages.push("attention", Resource::Compute, times.attention);
    if let Some(exchange) = layers.exchange {
        stages.push("sequence exchange", Resource::Fabric, exchange.time);
    }
    let [reduce, block_reduce] = layers.reduces;
    all_reduce(&mut stages, reduce);
    match &layers.block {
        FeedForward::Dense(_) => {
            stages.push("dense block", Resource::Compute, times.dense);
            all_reduce(&mut stages, block_reduce);
        }
        FeedForward::Experts { exchange, .. } => {
            let (before, beside) = if shared_beside_dispatch { (Seconds::ZERO, times.shared) } else { (times.shared, Seconds::ZERO) };
            stages.push("gate", expert_resource, times.gate + before);
            if let Some([dispatch, _]) = exchange {
                stages.push("dispatch", Resource::Fabric, dispatch.time.max(beside));
            }
            stages.push("experts", expert_resource, times.experts);
            match exchange {
                Some([_, combine]) => stages.push("combine", Resource::Fabric, combine.time),
                None => all_reduce(&mut stages, block_reduce),
            }
        }
        FeedForward::Apart { exchange: [dispatch, combine], .. } => {
            stages.push("gate", Resource::Compute, times.gate);
            stages.push("dispatch", Resource::Fabric, dispatch.time);
            stages.push("experts", Resource::Experts, times.experts);
            stages.push("combine", Resource::Return, combine.time);
        }
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

    /// The best split, found soonest if it is `near`.
    fn best(mut self, near: Option<u32>) -> Streams<'a> {
        let cores = self.cores();
        let guess = near.filter(|near| (1..cores).contains(near)).unwrap_or_else(|| self.guess());
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
        self.know_attention(for_attention);
        self.know_experts(cores - for_attention);
        let known = self.times(for_attention, cores - for_attention).collect();
        let (attention, experts) = (Cow::Owned(self.part(for_attention)), self.part(cores - for_attention));
        let (split_off, attention_cores) = (Some(experts), Some(for_attention));
        Streams { attention, split_off, attention_cores, expert_resource: Resource::Fabric, shared_beside_dispatch: true, known }
    }

    /// The split that balances the streams if their times go with the reciprocal of their cores: a good first one leaves most others out.
    fn guess(&mut self) -> u32 {
        let half = self.cores() / 2;
        self.know_attention(half);
        self.know_experts(self.cores() - half);
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

    /// As [`Self::time`], but `None` where a bound that needs no order of the stages shows that it is not below the best time so far: first with
    /// what is known of more cores, since kernels never take longer on them.
    fn time_if_better(&mut self, for_attention: u32, for_experts: u32) -> Option<Seconds> {
        if self.loses(for_attention, for_experts) {
            return None;
        }
        if self.attention[for_attention as usize].is_none() {
            self.know_attention(for_attention);
            if self.loses(for_attention, for_experts) {
                return None;
            }
        }
        if self.experts[for_experts as usize].is_none() {
            self.know_experts(for_experts);
            if self.loses(for_attention, for_experts) {
                return None;
            }
        }
        Some(self.time(for_attention, for_experts))
    }

    /// Whether so many cores are sure not to be better than the best split so far.
    fn loses(&self, for_attention: u32, for_experts: u32) -> bool {
        let Some((time, _)) = self.best else { return false };
        let known = |by_cores: &'_ [Option<Vec<Times>>], cores: u32| {
            by_cores[cores as usize..].iter().position(Option::is_some).map(|more| more + cores as usize)
        };
        let times = |by_cores: &[Option<Vec<Times>>], cores: Option<usize>, group: usize| {
            cores.and_then(|cores| by_cores[cores].as_ref()).map_or(Times::default(), |times| times[group])
        };
        let (attention, experts) = (known(&self.attention, for_attention), known(&self.experts, for_experts));
        let bound = self.pass.layers.iter().enumerate().map(|(group, layers)| {
            let (own, others) = (times(&self.attention, attention, group), times(&self.experts, experts, group));
            let times = Times { attention: own.attention, dense: own.dense, ..others };
            least_time(layers, &stages(layers, times, Resource::Fabric, true), self.pass.micro_batches)
        });
        // Rounding stays far below the margin.
        bound.sum::<Seconds>() * (1.0 - 1e-9) >= time
    }

    /// Time of all layers with the given numbers of cores for attention and for experts.
    fn time(&mut self, for_attention: u32, for_experts: u32) -> Seconds {
        self.know_attention(for_attention);
        self.know_experts(for_experts);
        let groups = self.pass.layers.iter().zip(self.times(for_attention, for_experts));
        groups.map(|(layers, times)| layers_time(layers, &stages(layers, times, Resource::Fabric, true), self.pass.micro_batches)).sum()
    }

    /// Works out the times of attention and dense blocks with this number of cores.
    fn know_attention(&mut self, cores: u32) {
        if self.attention[cores as usize].is_none() {
            let (pass, device) = (self.pass, self.part(cores));
            let mut times: Vec<Times> = Vec::with_capacity(pass.layers.len());
            for (index, layers) in pass.layers.iter().enumerate() {
                let known = index.checked_sub(1).filter(|before| Rc::ptr_eq(&pass.layers[*before].attention, &layers.attention));
                let attention = known.map_or_else(|| sum(&device, &layers.attention), |before| times[before].attention);
                times.push(Times { attention, dense: dense_time(&device, layers), ..Times::default() });
            }
            self.attention[cores as usize] = Some(times);
        }
    }

    /// Works out the times of gate and experts with this number of cores.
    fn know_experts(&mut self, cores: u32) {
        if self.experts[cores as usize].is_none() {
            let device = self.part(cores);
            self.experts[cores as usize] = Some(self.pass.layers.iter().map(|layers| expert_times(&device, layers)).collect());
        }
    }

    /// The kernels' times at known numbers of cores, by group of layers.
    fn times(&self, for_attention: u32, for_experts: u32) -> impl Iterator<Item = Times> {
        let attention = self.attention[for_attention as usize].iter().flatten();
        let experts = self.experts[for_experts as usize].iter().flatten();
        attention.zip(experts).map(|(attention, experts)| Times { attention: attention.attention, dense: attention.dense, ..*experts })
    }
}

/// What a group of layers takes at least, whatever the order: a resource works through its stages of all micro-batches, after the first
/// micro-batch has come to the first of them and before the last one goes on from the last of them; or the stages of one micro-batch.
fn least_time(layers: &EqualLayers, stages: &[Stage], micro_batches: u32) -> Seconds {
    let (mut busy, mut ahead, mut behind) = ([0.0; Resource::ALL.len()], [None; Resource::ALL.len()], [0.0; Resource::ALL.len()]);
    let mut alone = 0.0;
    for stage in stages {
        let (resource, time) = (stage.resource as usize, stage.time.get());
        ahead[resource].get_or_insert(alone);
        busy[resource] += time;
        alone += time;
        behind[resource] = alone;
    }
    let of = |layers: u32| {
        let layers = f64::from(layers);
        let each = |resource: usize| {
            let ends = ahead[resource].map_or(0.0, |ahead| ahead + (alone - behind[resource]));
            busy[resource] * f64::from(micro_batches) * layers + ends
        };
        (0..Resource::ALL.len()).map(each).fold(alone * layers, f64::max)
    };
    Seconds::new(of(layers.count) + of(1) * f64::from(layers.drafts))
}

/// Time of a group of layers, with the further passes of draft tokens.
pub(super) fn layers_time(layers: &EqualLayers, stages: &[Stage], micro_batches: u32) -> Seconds {
    let drafts = if layers.drafts > 0 { makespan(stages, micro_batches, 1) * f64::from(layers.drafts) } else { Seconds::ZERO };
    makespan(stages, micro_batches, layers.count) + drafts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No order of the stages ends before the bound that needs no order, and a bound with the work of one resource alone is reached to the end: three
        /// layers of (4 + 2) for two micro-batches take 26 (`schedule.rs`).
        #[test]
        fn no_order_ends_before_the_least_time(
            times in prop::array::uniform6(0.0..10.0_f64), micro_batches in 2..5_u32, count in 1..70_u32, drafts in 0..3_u32, joined in 0..2_usize,
        ) {
            let layers = EqualLayers {
                count,
                drafts,
                attention: Rc::default(),
                exchange: None,
                reduces: [None; 2],
                block: FeedForward::Dense(Vec::new()),
            };
            let on = [Resource::Compute, Resource::Fabric, Resource::Fabric, [Resource::Experts, Resource::Compute][joined], Resource::Return, Resource::Compute];
            let mut stages = LayerStages::default();
            times.into_iter().zip(on).for_each(|(time, resource)| stages.push("", resource, Seconds::new(time)));
            let (least, found) = (least_time(&layers, &stages, micro_batches), layers_time(&layers, &stages, micro_batches));
            prop_assert!(least.get() <= found.get() * (1.0 + 1e-12), "{least:?} is more than {found:?}");
            let alone = EqualLayers { count: 3, drafts: 0, ..layers };
            let mut two = LayerStages::default();
            two.push("", Resource::Compute, Seconds::new(4.0));
            two.push("", Resource::Fabric, Seconds::new(2.0));
            prop_assert_eq!(least_time(&alone, &two, 2), Seconds::new(26.0));
        }
    }
}
