//! Overlap: the stages of all micro-batches on a few resources, in the best of a few fixed orders.
//!
//! Stages that follow each other on one resource make a run. Each micro-batch does its runs one after the other; each resource serves the
//! runs in the order of their place in the layers, every micro-batch `lag` places behind the one before it. In a fixed order the end is a
//! longest path, so no stage that gets shorter makes the pass longer, and the best of all lags keeps that; a greedy list schedule does
//! not (R. L. Graham, "Bounds on multiprocessing timing anomalies", 1969).

use crate::units::Seconds;

/// Resource that a stage occupies. A resource runs one stage at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Matrix and vector cores, or the attention stream's part of them where decode splits the cores.
    Compute,
    /// The fabric, or the expert stream (its cores and its transfers) where decode splits the cores. Where experts have chips of their
    /// own, the way to them.
    Fabric,
    /// The cores of chips that hold experts alone.
    Experts,
    /// Transfer back from these chips. Links carry both directions at the same time.
    Return,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Compute, Self::Fabric, Self::Experts, Self::Return];

    /// Whether cores are what is occupied, not wires.
    #[must_use]
    pub fn is_cores(self) -> bool {
        matches!(self, Self::Compute | Self::Experts)
    }
}

/// One stage of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// What people call it.
    pub name: &'static str,
    /// What it occupies.
    pub resource: Resource,
    /// How long.
    pub time: Seconds,
}

/// A stage in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Which micro-batch, from 0.
    pub micro_batch: u32,
    /// Which layer, from 0.
    pub layer: u32,
    /// The stage.
    pub stage: Stage,
    /// When it starts.
    pub start: Seconds,
}

/// More micro-batches than this are not scheduled.
pub const MOST_MICRO_BATCHES: u32 = 8;

/// Stages that follow each other on one resource.
#[derive(Clone, Copy, Debug)]
struct StageRun {
    resource: Resource,
    time: f64,
    /// Number of stages.
    stages: usize,
}

impl StageRun {
    const NONE: Self = Self { resource: Resource::Compute, time: 0.0, stages: 0 };
}

/// Stages of a layer of inference at most: their runs need no memory of their own, which a search would ask for millions of times.
const FEW_STAGES: usize = 8;

fn runs(stages: &[Stage]) -> Vec<StageRun> {
    let mut runs = vec![StageRun::NONE; stages.len()];
    let count = join_runs(stages, &mut runs);
    runs.truncate(count);
    runs
}

/// Writes the runs to the start of `runs`, which has room for as many as there are stages, and returns their number.
fn join_runs(stages: &[Stage], runs: &mut [StageRun]) -> usize {
    let mut count = 0;
    for stage in stages {
        match runs[..count].last_mut() {
            Some(run) if run.resource == stage.resource => {
                run.time += stage.time.get();
                run.stages += 1;
            }
            _ => {
                runs[count] = StageRun { resource: stage.resource, time: stage.time.get(), stages: 1 };
                count += 1;
            }
        }
    }
    count
}

/// When each resource and each micro-batch is free again.
#[derive(Clone, Copy, Debug)]
struct ScheduleState {
    resources: [f64; Resource::ALL.len()],
    micro_batches: [f64; MOST_MICRO_BATCHES as usize],
}

impl ScheduleState {
    const START: Self = Self { resources: [0.0; Resource::ALL.len()], micro_batches: [0.0; MOST_MICRO_BATCHES as usize] };

    /// Does a run and returns its start.
    fn take(&mut self, micro_batch: usize, run: &StageRun) -> f64 {
        let start = self.resources[run.resource as usize].max(self.micro_batches[micro_batch]);
        self.resources[run.resource as usize] = start + run.time;
        self.micro_batches[micro_batch] = start + run.time;
        start
    }

    fn end(&self) -> f64 {
        self.micro_batches.iter().copied().fold(0.0, f64::max)
    }

    /// Time by which the first `used` resources and the first `count` micro-batches advanced since `earlier`; `None` if they advanced by different
    /// times.
    fn beat(&self, earlier: &Self, used: usize, count: usize) -> Option<f64> {
        let advance = self.micro_batches[0] - earlier.micro_batches[0];
        let same = |(now, before): (&f64, &f64)| (now - before - advance).abs() <= 1e-12 * now;
        let micro_batches = self.micro_batches.iter().zip(&earlier.micro_batches).take(count);
        self.resources.iter().zip(&earlier.resources).take(used).chain(micro_batches).all(same).then_some(advance)
    }

    fn advance(&mut self, by: f64) {
        self.resources.iter_mut().chain(&mut self.micro_batches).for_each(|time| *time += by);
    }
}

/// The order of all runs: calls `take(micro_batch, run, within)` for every run of every layer, each micro-batch `lag` places behind the previous
/// one. When the first micro-batch begins a layer and all others have started, `skip(layers left)` may skip layers.
fn in_order(runs: usize, micro_batches: u32, layers: u32, lag: usize, order: &mut impl RunOrder) {
    let (micro_batches, total) = (micro_batches as usize, runs * layers as usize);
    let filled = lag * (micro_batches - 1);
    // Of each micro-batch, the run of its layer that comes next: counted, since to divide takes longer than all else here.
    let mut next = [0; MOST_MICRO_BATCHES as usize];
    // Micro-batches that have ended, and that have begun.
    let (mut ended, mut begun) = (0, 0);
    let mut place = 0;
    while place < total + filled {
        if next[0] == 0 && place >= filled && place < total {
            place += order.skip((total - place) / runs) * runs;
        }
        while begun < micro_batches && place >= begun * lag {
            begun += 1;
        }
        while ended < begun && place >= ended * lag + total {
            ended += 1;
        }
        for (micro_batch, within) in next.iter_mut().enumerate().take(begun).skip(ended) {
            order.take(micro_batch, place - micro_batch * lag, *within);
            *within = if *within + 1 == runs { 0 } else { *within + 1 };
        }
        place += 1;
    }
}

/// Receives the runs in their order.
trait RunOrder {
    /// The `run`th run of a micro-batch, counted through all layers; the one `within` its layer.
    fn take(&mut self, micro_batch: usize, run: usize, within: usize);
    /// Of the `left` layers before the first micro-batch, how many are left out.
    fn skip(&mut self, left: usize) -> usize;
}

/// The end alone. Once every resource and micro-batch advances by the same beat from layer to layer, the layers between here and the
/// end are that beat, times their number.
struct ScheduleEnd<'a> {
    runs: &'a [StageRun],
    micro_batches: usize,
    /// Resources up to the last one that a run occupies.
    used: usize,
    state: ScheduleState,
    earlier: Option<ScheduleState>,
    /// Time for which one layer of all micro-batches occupies each resource.
    busy: [f64; Resource::ALL.len()],
    /// End of the best order so far: one that is sure to end later is not followed to its end.
    limit: f64,
}

impl RunOrder for ScheduleEnd<'_> {
    fn take(&mut self, micro_batch: usize, _run: usize, within: usize) {
        self.state.take(micro_batch, &self.runs[within]);
    }

    fn skip(&mut self, left: usize) -> usize {
        // No micro-batch has fewer layers before it than the first, and rounding stays far below the margin.
        let late = |(free, busy): (&f64, &f64)| (free + busy * left as f64) * (1.0 - 1e-9) > self.limit;
        if self.state.resources.iter().zip(&self.busy).any(late) {
            self.state.micro_batches[0] = f64::INFINITY;
            return left;
        }
        let beat = self.earlier.as_ref().and_then(|earlier| self.state.beat(earlier, self.used, self.micro_batches));
        self.earlier = Some(self.state);
        let Some(beat) = beat.filter(|_| left > 1) else { return 0 };
        self.earlier = None;
        self.state.advance(beat * (left - 1) as f64);
        left - 1
    }
}

/// The end with one lag; infinite where that is sure to be after `limit`.
fn end(runs: &[StageRun], micro_batches: u32, layers: u32, lag: usize, limit: f64) -> f64 {
    if micro_batches == 2 {
        return TwoMicroBatches::new(runs, lag).end(layers, limit);
    }
    let mut busy = [0.0; Resource::ALL.len()];
    // Cores and fabric count even where nothing is sent.
    let mut used = 2;
    for run in runs {
        busy[run.resource as usize] += run.time * f64::from(micro_batches);
        used = used.max(run.resource as usize + 1);
    }
    let mut order = ScheduleEnd { runs, micro_batches: micro_batches as usize, used, state: ScheduleState::START, earlier: None, busy, limit };
    in_order(runs.len(), micro_batches, layers, lag, &mut order);
    order.state.end()
}

/// The order of [`in_order`] for two micro-batches, which most searches ask for: layer by layer, without counting places.
struct TwoMicroBatches<'a> {
    runs: &'a [StageRun],
    lag: usize,
    /// Resources up to the last one that a run occupies.
    used: usize,
    resources: [f64; Resource::ALL.len()],
    micro_batches: [f64; 2],
}

impl<'a> TwoMicroBatches<'a> {
    fn new(runs: &'a [StageRun], lag: usize) -> Self {
        let used = runs.iter().fold(2, |used, run| used.max(run.resource as usize + 1));
        Self { runs, lag, used, resources: [0.0; Resource::ALL.len()], micro_batches: [0.0; 2] }
    }

    fn take(&mut self, micro_batch: usize, run: &StageRun) {
        let resource = &mut self.resources[run.resource as usize];
        let end = resource.max(self.micro_batches[micro_batch]) + run.time;
        *resource = end;
        self.micro_batches[micro_batch] = end;
    }

    /// The first micro-batch through runs of one layer, each followed by the second's run `lag` places behind: the last ones of its layer before, if
    /// it has begun one, and the first ones of this.
    fn layer(&mut self, second_has_begun: bool) {
        let runs = self.runs;
        let (first, rest) = runs.split_at(self.lag);
        let before = &runs[runs.len() - self.lag..];
        for (run, behind) in first.iter().zip(before) {
            self.take(0, run);
            if second_has_begun {
                self.take(1, behind);
            }
        }
        for (run, behind) in rest.iter().zip(runs) {
            self.take(0, run);
            self.take(1, behind);
        }
    }

    /// Whether `left` more layers are sure to end after `limit`: those of each resource, and those of each micro-batch, of which neither has fewer.
    fn is_late(&self, left: f64, busy: &[f64; Resource::ALL.len()], alone: f64, limit: f64) -> bool {
        // Rounding stays far below the margin.
        let late = |free: f64, work: f64| (free + work * left) * (1.0 - 1e-9) > limit;
        self.resources.iter().zip(busy).any(|(free, work)| late(*free, *work)) || self.micro_batches.iter().any(|free| late(*free, alone))
    }

    /// Time by which everything advanced since `earlier`; `None` if by different times.
    fn beat(&self, earlier: &([f64; Resource::ALL.len()], [f64; 2])) -> Option<f64> {
        let advance = self.micro_batches[0] - earlier.1[0];
        let same = |now: f64, before: f64| (now - before - advance).abs() <= 1e-12 * now;
        let resources = self.resources.iter().zip(&earlier.0).take(self.used).all(|(now, before)| same(*now, *before));
        (resources && same(self.micro_batches[0], earlier.1[0]) && same(self.micro_batches[1], earlier.1[1])).then_some(advance)
    }

    fn end(mut self, layers: u32, limit: f64) -> f64 {
        let mut busy = [0.0; Resource::ALL.len()];
        let mut alone = 0.0;
        for run in self.runs {
            busy[run.resource as usize] += run.time * 2.0;
            alone += run.time;
        }
        let mut left = layers;
        if self.lag > 0 && left > 0 {
            self.layer(false);
            left -= 1;
        }
        let mut earlier = None;
        while left > 0 {
            if self.is_late(f64::from(left), &busy, alone, limit) {
                return f64::INFINITY;
            }
            let beat = earlier.as_ref().and_then(|earlier| self.beat(earlier));
            earlier = Some((self.resources, self.micro_batches));
            if let Some(beat) = beat.filter(|_| left > 1) {
                let skipped = beat * f64::from(left - 1);
                self.resources.iter_mut().chain(&mut self.micro_batches).for_each(|time| *time += skipped);
                (left, earlier) = (1, None);
            }
            self.layer(true);
            left -= 1;
        }
        let behind = if layers > 0 { self.lag } else { 0 };
        for run in &self.runs[self.runs.len() - behind..] {
            self.take(1, run);
        }
        self.micro_batches[0].max(self.micro_batches[1])
    }
}

/// The lag that ends first, the smaller on a tie, and its end.
fn best_lag(runs: &[StageRun], micro_batches: u32, layers: u32) -> (usize, f64) {
    let mut best = (0, if runs.is_empty() { 0.0 } else { f64::INFINITY });
    for lag in 0..runs.len() {
        let end = end(runs, micro_batches, layers, lag, best.1);
        if end < best.1 {
            best = (lag, end);
        }
    }
    best
}

/// Time of `layers` equal layers for each of `micro_batches`, `MOST_MICRO_BATCHES` at most.
#[must_use]
pub fn makespan(stages: &[Stage], micro_batches: u32, layers: u32) -> Seconds {
    if micro_batches <= 1 || layers == 0 {
        return stages.iter().map(|stage| stage.time).sum::<Seconds>() * f64::from(layers);
    }
    let mut few = [StageRun::NONE; FEW_STAGES];
    let (_, end) = if stages.len() <= FEW_STAGES {
        let count = join_runs(stages, &mut few);
        best_lag(&few[..count], micro_batches, layers)
    } else {
        best_lag(&runs(stages), micro_batches, layers)
    };
    Seconds::new(end)
}

/// The same layers stage by stage, in the order of their start on each resource.
#[must_use]
pub fn schedule(stages: &[Stage], micro_batches: u32, layers: u32) -> Vec<Slot> {
    let runs = runs(stages);
    let firsts = runs.iter().scan(0, |first, run| Some(std::mem::replace(first, *first + run.stages))).collect();
    let (lag, _) = best_lag(&runs, micro_batches, layers);
    let mut order = StageByStage { stages, runs: &runs, firsts, state: ScheduleState::START, slots: Vec::new() };
    in_order(runs.len(), micro_batches, layers, lag, &mut order);
    order.slots
}

struct StageByStage<'a> {
    stages: &'a [Stage],
    runs: &'a [StageRun],
    /// First stage of each run.
    firsts: Vec<usize>,
    state: ScheduleState,
    slots: Vec<Slot>,
}

impl RunOrder for StageByStage<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "both were u32 before")]
    fn take(&mut self, micro_batch: usize, index: usize, run: usize) {
        let mut start = Seconds::new(self.state.take(micro_batch, &self.runs[run]));
        for stage in &self.stages[self.firsts[run]..self.firsts[run] + self.runs[run].stages] {
            let (layer, micro_batch) = ((index / self.runs.len()) as u32, micro_batch as u32);
            self.slots.push(Slot { micro_batch, layer, stage: *stage, start });
            start += stage.time;
        }
    }

    fn skip(&mut self, _left: usize) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stage(resource: Resource, time: f64) -> Stage {
        Stage { name: "", resource, time: Seconds::new(time) }
    }

    /// One micro-batch: nothing overlaps, 3 layers of (4 + 2) take 18.
    #[test]
    fn alone_is_a_sum() {
        let stages = [stage(Resource::Compute, 4.0), stage(Resource::Fabric, 2.0)];
        assert_eq!(makespan(&stages, 1, 3), Seconds::new(18.0));
    }

    /// Two micro-batches of compute 4, fabric 2. Compute runs without a gap: A 0-4, B 4-8, A 8-12 (its fabric ended at 6), B 12-16 ...
    /// After 3 layers compute ends at 24 and the last transfer at 26.
    #[test]
    fn two_hide_the_shorter_resource() {
        let stages = [stage(Resource::Compute, 4.0), stage(Resource::Fabric, 2.0)];
        assert_eq!(makespan(&stages, 2, 3), Seconds::new(26.0));
    }

    /// The four runs of an expert layer, two resources in turn.
    fn layer(times: [f64; 4]) -> [Stage; 4] {
        let [attention, dispatch, experts, combine] = times;
        [stage(Resource::Compute, attention), stage(Resource::Fabric, dispatch), stage(Resource::Compute, experts), stage(Resource::Fabric, combine)]
    }

    fn times() -> impl Strategy<Value = [f64; 4]> {
        prop::array::uniform4(0.01..10.0_f64)
    }

    proptest! {
        /// The end that is extended beat by beat is the end of the schedule stage by stage, which has no two stages at once anywhere.
        #[test]
        fn the_end_is_the_end_of_the_schedule(times in times(), micro_batches in 1..5_u32, layers in 1..70_u32) {
            let slots = schedule(&layer(times), micro_batches, layers);
            prop_assert_eq!(slots.len(), 4 * (micro_batches * layers) as usize);
            let last = slots.iter().map(|slot| (slot.start + slot.stage.time).get()).fold(0.0, f64::max);
            let predicted = makespan(&layer(times), micro_batches, layers).get();
            prop_assert!((predicted / last - 1.0).abs() < 1e-9, "{predicted} is not {last}");
            for resource in [Resource::Compute, Resource::Fabric] {
                let mut busy: Vec<&Slot> = slots.iter().filter(|slot| slot.stage.resource == resource).collect();
                busy.sort_by(|a, b| a.start.get().total_cmp(&b.start.get()));
                prop_assert!(busy.windows(2).all(|pair| pair[1].start.get() >= (pair[0].start + pair[0].stage.time).get() - 1e-9));
            }
        }

        /// Between what one resource alone needs and doing everything one after the other.
        #[test]
        fn bounded_by_the_busier_resource_and_by_no_overlap(times in times(), layers in 1..70_u32) {
            let found = makespan(&layer(times), 2, layers).get();
            let [attention, dispatch, experts, combine] = times;
            let (compute, fabric) = (attention + experts, dispatch + combine);
            let all = f64::from(layers);
            prop_assert!(found >= (2.0 * compute).max(2.0 * fabric).max(compute + fabric) * all * (1.0 - 1e-9));
            prop_assert!(found <= 2.0 * (compute + fabric) * all * (1.0 + 1e-9));
        }

        /// No anomaly: a stage that gets longer never ends the pass sooner.
        #[test]
        fn a_longer_stage_never_helps(times in times(), which in 0..4_usize, factor in 1.0..3.0_f64, layers in 1..70_u32) {
            let mut longer = times;
            longer[which] *= factor;
            let (before, after) = (makespan(&layer(times), 2, layers).get(), makespan(&layer(longer), 2, layers).get());
            prop_assert!(after >= before * (1.0 - 1e-9), "{before} became {after}");
        }
    }

    proptest! {
        /// Two micro-batches layer by layer have, to the last bit, the end that the order for any number has.
        #[test]
        fn two_micro_batches_end_as_any_number_does(times in times(), layers in 1..70_u32, lag in 0..4_usize, joined in 0..2_usize) {
            let mut stages = layer(times);
            stages[1].resource = [Resource::Fabric, Resource::Return][joined];
            let runs = runs(&stages);
            let busy = [0.0; Resource::ALL.len()];
            let used = if joined == 1 { 4 } else { 2 };
            let (state, limit) = (ScheduleState::START, f64::INFINITY);
            let mut order = ScheduleEnd { runs: &runs, micro_batches: 2, used, state, earlier: None, busy, limit };
            in_order(runs.len(), 2, layers, lag, &mut order);
            prop_assert_eq!(TwoMicroBatches::new(&runs, lag).end(layers, f64::INFINITY), order.state.end());
        }
    }

    /// Attention, the way there, experts and the way back on resources of their own.
    fn apart([attention, there, experts, back]: [f64; 4]) -> [Stage; 4] {
        let stages = [(Resource::Compute, attention), (Resource::Fabric, there), (Resource::Experts, experts), (Resource::Return, back)];
        stages.map(|(resource, time)| stage(resource, time))
    }

    /// Three micro-batches of attention 4, way 1, experts 5, way back 1. Experts begin at 5 and have 2 x 3 turns of 5 without a gap: the
    /// first micro-batch is back at 11 and through its second attention at 16, long before their fourth turn at 20. They end at 35, and
    /// the last way back at 36.
    #[test]
    fn ping_pong_by_hand() {
        assert_eq!(makespan(&apart([4.0, 1.0, 5.0, 1.0]), 3, 2), Seconds::new(36.0));
        // Two micro-batches do not fill the experts: a layer takes 4 + 1 + 5 + 1. The second starts 5 behind the first, where it meets it.
        assert_eq!(makespan(&apart([4.0, 1.0, 5.0, 1.0]), 2, 3), Seconds::new(38.0));
    }

    proptest! {
        /// In the steady state m micro-batches take `max(m t_a, m t_f, t_a + t_f + 2 t_c)` for a layer (MegaScale-Infer, arXiv 2504.02263), and no
        /// less than m times either way, which their t_c < t_f implies.
        #[test]
        fn ping_pong_takes_the_published_time(times in times(), micro_batches in 2..6_u32) {
            let many = [400, 401].map(|layers| makespan(&apart(times), micro_batches, layers).get());
            let each = times.into_iter().fold(0.0, f64::max) * f64::from(micro_batches);
            let expected = each.max(times.into_iter().sum());
            prop_assert!(((many[1] - many[0]) / expected - 1.0).abs() < 1e-9, "{} is not {expected}", many[1] - many[0]);
        }
    }
}
