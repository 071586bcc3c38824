//! What runs beside what: the stages of micro-batches on two resources, in the best of a few fixed orders.
//!
//! Stages that follow each other on one resource make a run. Each micro-batch does its runs one after the other; each resource serves the
//! runs in the order of their place in the layers, every micro-batch `lag` places behind the one before it. In a fixed order the end is a
//! longest path, so no stage that gets shorter makes the pass longer, and the best of all lags keeps that; a greedy list schedule does
//! not (R. L. Graham, "Bounds on multiprocessing timing anomalies", 1969).

use crate::units::Seconds;

/// What a stage occupies. One stage at a time on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Matrix and vector cores, or the attention stream's part of them where decode splits the cores.
    Compute,
    /// The fabric, or the expert stream (its cores and its transfers) where decode splits the cores.
    Fabric,
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

/// Stages that follow each other on one resource.
#[derive(Clone, Copy, Debug)]
struct Run {
    resource: Resource,
    time: f64,
    /// Number of stages.
    stages: usize,
}

fn runs(stages: &[Stage]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::with_capacity(stages.len());
    for stage in stages {
        match runs.last_mut() {
            Some(run) if run.resource == stage.resource => {
                run.time += stage.time.get();
                run.stages += 1;
            }
            _ => runs.push(Run { resource: stage.resource, time: stage.time.get(), stages: 1 }),
        }
    }
    runs
}

/// When each resource and each micro-batch is free again.
#[derive(Clone, Debug, PartialEq)]
struct State {
    resources: [f64; 2],
    micro_batches: Vec<f64>,
}

impl State {
    fn start(micro_batches: u32) -> Self {
        Self { resources: [0.0; 2], micro_batches: vec![0.0; micro_batches as usize] }
    }

    /// Does a run and returns its start.
    fn take(&mut self, micro_batch: usize, run: &Run) -> f64 {
        let start = self.resources[run.resource as usize].max(self.micro_batches[micro_batch]);
        self.resources[run.resource as usize] = start + run.time;
        self.micro_batches[micro_batch] = start + run.time;
        start
    }

    fn end(&self) -> f64 {
        self.micro_batches.iter().copied().fold(0.0, f64::max)
    }

    fn all(&self) -> impl Iterator<Item = f64> {
        self.resources.iter().chain(&self.micro_batches).copied()
    }

    /// What everything has advanced by since `earlier`; `None` where it is not the same for everything.
    fn beat(&self, earlier: &Self) -> Option<f64> {
        let advance = self.micro_batches[0] - earlier.micro_batches[0];
        let same = |(now, before): (f64, f64)| (now - before - advance).abs() <= 1e-12 * now;
        self.all().zip(earlier.all()).all(same).then_some(advance)
    }

    fn advance(&mut self, by: f64) {
        self.resources.iter_mut().chain(&mut self.micro_batches).for_each(|time| *time += by);
    }
}

/// The runs of one place in the order: which micro-batch does which, counted through all layers.
fn at_place(place: usize, lag: usize, micro_batches: u32, total: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..micro_batches as usize).filter_map(move |micro_batch| {
        let run = place.checked_sub(micro_batch * lag)?;
        (run < total).then_some((micro_batch, run))
    })
}

/// End of `layers` layers with this lag. Once every resource and micro-batch advances by the same beat from layer to layer, the layers
/// between here and the end are that beat, times their number.
fn end(runs: &[Run], micro_batches: u32, layers: u32, lag: usize) -> f64 {
    let total = runs.len() * layers as usize;
    let filled = lag * (micro_batches as usize - 1);
    let mut state = State::start(micro_batches);
    let mut earlier: Option<State> = None;
    let mut place = 0;
    while place < total + filled {
        if place >= filled && (place - filled).is_multiple_of(runs.len()) && place + runs.len() < total {
            match earlier.as_ref().and_then(|earlier| state.beat(earlier)) {
                Some(beat) => {
                    let layers = (total - place) / runs.len();
                    state.advance(beat * layers as f64);
                    place += layers * runs.len();
                    earlier = None;
                    continue;
                }
                None => earlier = Some(state.clone()),
            }
        }
        for (micro_batch, run) in at_place(place, lag, micro_batches, total) {
            state.take(micro_batch, &runs[run % runs.len()]);
        }
        place += 1;
    }
    state.end()
}

/// The lag that ends first, the smaller on a tie, and its end.
fn best_lag(runs: &[Run], micro_batches: u32, layers: u32) -> (usize, f64) {
    let all = (0..runs.len()).map(|lag| (lag, end(runs, micro_batches, layers, lag)));
    all.reduce(|best, next| if next.1 < best.1 { next } else { best }).unwrap_or((0, 0.0))
}

/// Time of `layers` equal layers for each of `micro_batches`.
#[must_use]
pub fn makespan(stages: &[Stage], micro_batches: u32, layers: u32) -> Seconds {
    if micro_batches <= 1 || layers == 0 {
        return stages.iter().map(|stage| stage.time).sum::<Seconds>() * f64::from(layers);
    }
    Seconds::new(best_lag(&runs(stages), micro_batches, layers).1)
}

/// The same layers stage by stage, in the order of their start on each resource.
#[must_use]
pub fn schedule(stages: &[Stage], micro_batches: u32, layers: u32) -> Vec<Slot> {
    let runs = runs(stages);
    let firsts: Vec<usize> = runs.iter().scan(0, |first, run| Some(std::mem::replace(first, *first + run.stages))).collect();
    let (lag, _) = best_lag(&runs, micro_batches, layers);
    let total = runs.len() * layers as usize;
    let mut state = State::start(micro_batches);
    let mut slots = Vec::with_capacity(stages.len() * (layers * micro_batches) as usize);
    for place in 0..total + lag * (micro_batches as usize).saturating_sub(1) {
        for (micro_batch, index) in at_place(place, lag, micro_batches, total) {
            let run = index % runs.len();
            let mut start = Seconds::new(state.take(micro_batch, &runs[run]));
            for stage in &stages[firsts[run]..firsts[run] + runs[run].stages] {
                let (layer, micro_batch) = ((index / runs.len()) as u32, micro_batch as u32);
                slots.push(Slot { micro_batch, layer, stage: *stage, start });
                start += stage.time;
            }
        }
    }
    slots
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
}
