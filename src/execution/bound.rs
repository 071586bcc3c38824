//! Breakdown of the time of a pass: kernels by their bottleneck, exposed transfers, and the power limit.

use super::pass::{FeedForward, Machine, Pass};
use super::schedule::Resource;
use super::streams::Streams;
use crate::units::Seconds;
use crate::workload::{Device, Operator, kernel};

/// Fractions of a step's time by cause.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Operators whose arithmetic takes longer than their memory traffic.
    pub compute: Seconds,
    /// Operators whose memory traffic takes longer.
    pub memory: Seconds,
    /// Launches and gaps between kernels, and waiting for the engine's host.
    pub launch: Seconds,
    /// Exposed transfers, and waiting for them.
    pub communication: Seconds,
    /// Running at a lower clock than the kernels could, and resting, to stay within the chips' power limit.
    pub power: Seconds,
}

impl Bound {
    /// The parts of this and, so many times, of another.
    pub(super) fn and(&self, other: &Self, times: f64) -> Self {
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

/// Times of all kernels of a pass by bottleneck.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BottleneckSplit {
    compute: Seconds,
    memory: Seconds,
    launch: Seconds,
}

impl BottleneckSplit {
    /// With split cores the streams are balanced and run side by side: what holds the step back is counted in attention's. Where experts
    /// have chips of their own, it is counted on the chips that are busy for longer. Shared experts beside dispatch are counted as dispatch.
    pub fn of(machine: &Machine<'_>, pass: &Pass, streams: &Streams<'_>) -> Self {
        let mut split = Self { launch: pass.launches, ..Self::default() };
        let mut apart = split;
        for layers in &pass.layers {
            let times = pass.times(layers);
            split.add(&streams.attention, &layers.attention, times);
            match &layers.block {
                FeedForward::Dense(block) => split.add(&streams.attention, block, times),
                FeedForward::Experts { gate, shared, routed, .. } if streams.expert_resource == Resource::Compute => {
                    split.add(streams.experts(), gate, times);
                    if !streams.shared_beside_dispatch {
                        split.add(streams.experts(), shared, times);
                    }
                    split.add(streams.experts(), routed, times);
                }
                FeedForward::Experts { .. } => {}
                FeedForward::Apart { gate, experts, .. } => {
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
    pub fn bound(&self, time: Seconds, power: Seconds) -> Bound {
        let busy = self.busy();
        let communication = if time > busy { time - busy } else { Seconds::ZERO };
        // Two streams that split the cores do more than one second of kernels in a second: shares are of the time that passes.
        let scale = if busy > time { time / busy } else { 1.0 };
        Bound { compute: self.compute * scale, memory: self.memory * scale, launch: self.launch * scale, communication, power }
    }
}
