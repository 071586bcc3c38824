//! A pass at the clock that the chips' power limit allows.
//!
//! Kernels are priced at the highest clock and, where the chips would draw more than their limit, at the lowest. In between a stage takes
//! `a + b / clock` through both: exact for what waits for cycles and for what waits for memory or wires, and for sums of the two.

use std::cell::OnceCell;

use super::activity::Activity;
use super::bound::{BottleneckSplit, Bound};
use super::chip_power::{ClockPace, WorkEnergy, lowest_clock, pace};
use super::pass::{Machine, Pass};
use super::shape::StepShape;
use super::streams::{LayerStages, Streams, layers_time, mix};
use crate::units::{Seconds, Watts};
use crate::workload::{Device, kernel};

/// Times of a pass's stages at one clock.
pub(super) struct Timed {
    /// Stages of one micro-batch in one layer, for every group of layers.
    pub stages: Vec<LayerStages>,
    /// The head once.
    pub head: Seconds,
}

impl Timed {
    /// With this device, which splits its cores as it does best.
    pub fn new(device: &Device, streams: &Streams<'_>, pass: &Pass) -> Self {
        let head = pass.head.iter().map(|operator| kernel::time(device, operator)).sum();
        Self { stages: streams.stages(pass).collect(), head }
    }

    /// From this to `slow` by `place`.
    fn towards(&self, slow: &Self, place: f64) -> Self {
        let stages = self.stages.iter().zip(&slow.stages).map(|(fast, slow)| fast.towards(slow, place)).collect();
        Self { stages, head: mix(self.head, slow.head, place) }
    }

    /// The whole pass.
    pub fn time(&self, pass: &Pass) -> Seconds {
        let layers: Seconds = pass.layers.iter().zip(&self.stages).map(|(layers, stages)| layers_time(layers, stages, pass.micro_batches)).sum();
        pass.launches + layers + self.head * pass.heads + pass.handovers.0
    }

    /// The whole pass by `place` from this towards `slow`: the search for a clock asks for many.
    fn time_towards(&self, slow: &Self, place: f64, pass: &Pass) -> Seconds {
        let groups = pass.layers.iter().zip(self.stages.iter().zip(&slow.stages));
        let layers: Seconds = groups.map(|(layers, (fast, slow))| layers_time(layers, &fast.towards(slow, place), pass.micro_batches)).sum();
        pass.launches + layers + mix(self.head, slow.head, place) * pass.heads + pass.handovers.0
    }
}

/// Of a pass of `time` without rests, the time in which kernels hold a chip's cores: not between them, and a transfer that nothing hides holds the
/// library's share of the cores.
pub(super) fn held(machine: &Machine<'_>, bound: &Bound, time: Seconds) -> Seconds {
    let waits = 1.0 - machine.communication.library().core_share.value.get();
    (time - bound.launch - bound.communication * waits).max(Seconds::ZERO)
}

/// A pass under the chips' power limit.
pub(super) struct Paced {
    /// Stages at its clock, without rests.
    pub timed: Timed,
    /// How it keeps to the limit.
    pub pace: ClockPace,
    /// From start to end, rests included.
    pub time: Seconds,
    /// At the highest clock.
    pub unlimited: Seconds,
}

impl Paced {
    /// A pass with these streams. Where chips do different things, those that ask for most set the pace.
    pub fn new(machine: &Machine<'_>, shape: &StepShape, pass: &Pass, streams: &Streams<'_>) -> Self {
        let fast = Timed::new(&machine.device, streams, pass);
        let unlimited = fast.time(pass);
        let (power, ranks) = (machine.device.power(), f64::from(machine.device.ranks_per_chip()));
        let kinds: &[[f64; 2]] = if pass.shares == [1.0; 2] { &[[1.0; 2]] } else { &[[1.0, 0.0], [0.0, 1.0]] };
        let work: Vec<WorkEnergy> = kinds.iter().map(|shares| WorkEnergy::new(power, &Activity::totals(pass, *shares), ranks)).collect();
        let draws =
            |clock: f64, held: Seconds, time: Seconds| work.iter().map(|work| work.power(power, clock, [held, time])).fold(Watts::ZERO, Watts::max);
        // Waits are counted only where it matters: kernels that always run draw most.
        if draws(1.0, unlimited, unlimited) <= power.limit() - power.idle.value {
            return Self { timed: fast, pace: ClockPace::FULL, time: unlimited, unlimited };
        }
        let bound = BottleneckSplit::of(machine, pass, streams).bound(unlimited, Seconds::ZERO);
        let lowest = lowest_clock(power);
        let slow = OnceCell::new();
        let slow = || {
            slow.get_or_init(|| {
                let device = machine.device.at_clock(lowest);
                Timed::new(&device, &Streams::choose(machine, &device, shape, pass, Some(streams)), pass)
            })
        };
        let pace = pace(power, |clock| {
            let time = if clock >= 1.0 { unlimited } else { fast.time_towards(slow(), ClockPace::place(clock, lowest), pass) };
            draws(clock, held(machine, &bound, time), time)
        });
        let timed = if pace.clock >= 1.0 { fast } else { fast.towards(slow(), ClockPace::place(pace.clock, lowest)) };
        let time = timed.time(pass) * pace.rest;
        Self { timed, pace, time, unlimited }
    }
}
