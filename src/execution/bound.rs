//! Breakdown of the time of a pass: kernels by their bottleneck, exposed transfers, and the power limit.

use std::rc::Rc;

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

/// One kernel's time.
struct KernelSplit {
    launch: Seconds,
    body: Seconds,
    /// Whether its arithmetic takes longer than its memory traffic, both at the device's peaks.
    is_compute: bool,
}

impl KernelSplit {
    fn of(device: &Device, operator: &Operator) -> Self {
        let [time, body] = kernel::time_and_body(device, operator);
        let arithmetic = operator.work.flop() / device.peak(operator.work.precision());
        let traffic = operator.work.bytes() / device.memory_bandwidth;
        Self { launch: time - body, body, is_compute: arithmetic > traffic }
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
        // Groups of layers often share their attention, which is then priced once.
        let mut attention: Option<(&Rc<Vec<Operator>>, Vec<KernelSplit>)> = None;
        for layers in &pass.layers {
            let times = pass.times(layers);
            let known = attention.take().filter(|(operators, _)| Rc::ptr_eq(operators, &layers.attention));
            let kernels = known
                .map_or_else(|| layers.attention.iter().map(|kernel| KernelSplit::of(&streams.attention, kernel)).collect(), |(_, kernels)| kernels);
            kernels.iter().for_each(|kernel| split.add_kernel(kernel, times));
            attention = Some((&layers.attention, kernels));
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
            self.add_kernel(&KernelSplit::of(device, operator), times);
        }
    }

    fn add_kernel(&mut self, kernel: &KernelSplit, times: f64) {
        self.launch += kernel.launch * times;
        let bound = if kernel.is_compute { &mut self.compute } else { &mut self.memory };
        *bound += kernel.body * times;
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
