//! What runs beside what: a list schedule of the stages of micro-batches over resources.

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

/// Runs `layers` equal layers for each of `micro_batches`, each micro-batch one stage after the other; whichever can start first does,
/// the lower micro-batch on a tie.
#[must_use]
pub fn schedule(stages: &[Stage], micro_batches: u32, layers: u32) -> Vec<Slot> {
    let total = stages.len() * layers as usize;
    let mut slots = Vec::with_capacity(total * micro_batches as usize);
    let mut free = [Seconds::ZERO; 2];
    let mut ready = vec![(Seconds::ZERO, 0usize); micro_batches as usize];
    loop {
        let candidates = ready.iter().enumerate().filter(|(_, (_, next))| *next < total);
        let first = candidates
            .map(|(micro_batch, &(at, next))| (at.max(free[stages[next % stages.len()].resource as usize]), micro_batch, next))
            .min_by(|a, b| a.0.get().total_cmp(&b.0.get()).then(a.1.cmp(&b.1)));
        let Some((start, micro_batch, next)) = first else { break };
        let stage = stages[next % stages.len()];
        free[stage.resource as usize] = start + stage.time;
        ready[micro_batch] = (start + stage.time, next + 1);
        let layer = u32::try_from(next / stages.len()).unwrap_or(u32::MAX);
        slots.push(Slot { micro_batch: u32::try_from(micro_batch).unwrap_or(u32::MAX), layer, stage, start });
    }
    slots
}

/// When the last of some slots ends.
#[must_use]
pub fn makespan(slots: &[Slot]) -> Seconds {
    slots.iter().fold(Seconds::ZERO, |end, slot| end.max(slot.start + slot.stage.time))
}

/// Layers after which the pattern of [`schedule`] repeats for the few micro-batches in use.
const SETTLED: u32 = 4;

/// Time of `layers` equal layers: scheduled in full while short, then extended by the steady time of one layer.
#[must_use]
pub fn repeated(stages: &[Stage], micro_batches: u32, layers: u32) -> Seconds {
    if layers <= 2 * SETTLED {
        return makespan(&schedule(stages, micro_batches, layers));
    }
    let short = makespan(&schedule(stages, micro_batches, SETTLED));
    let long = makespan(&schedule(stages, micro_batches, 2 * SETTLED));
    short + (long - short) / f64::from(SETTLED) * f64::from(layers - SETTLED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(resource: Resource, time: f64) -> Stage {
        Stage { name: "", resource, time: Seconds::new(time) }
    }

    /// One micro-batch: nothing overlaps, 3 layers of (4 + 2) take 18.
    #[test]
    fn alone_is_a_sum() {
        let stages = [stage(Resource::Compute, 4.0), stage(Resource::Fabric, 2.0)];
        assert_eq!(makespan(&schedule(&stages, 1, 3)), Seconds::new(18.0));
    }

    /// Two micro-batches of compute 4, fabric 2. Compute runs without a gap: A 0-4, B 4-8, A 8-12 (its fabric ended at 6), B 12-16 ...
    /// After 3 layers compute ends at 24 and the last transfer at 26.
    #[test]
    fn two_hide_the_shorter_resource() {
        let stages = [stage(Resource::Compute, 4.0), stage(Resource::Fabric, 2.0)];
        assert_eq!(makespan(&schedule(&stages, 2, 3)), Seconds::new(26.0));
    }

    #[test]
    fn extension_agrees_with_the_full_schedule() {
        let stages = [stage(Resource::Compute, 3.0), stage(Resource::Fabric, 5.0), stage(Resource::Compute, 2.0), stage(Resource::Fabric, 1.0)];
        for micro_batches in [1, 2] {
            let full = makespan(&schedule(&stages, micro_batches, 61));
            assert!(((repeated(&stages, micro_batches, 61) - full) / full).abs() < 1e-12);
        }
    }
}
