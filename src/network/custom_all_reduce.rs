//! All-reduce kernels of serving engines: no library call, everybody stores into everybody's buffer from inside a captured graph.

use super::group::Group;
use super::network::Network;
use super::profile::{Peak, Profile};
use crate::input::document::CustomAllReduce;
use crate::units::{Bytes, Seconds};

/// What a kernel takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EngineCost {
    /// Kernel and flags to all peers.
    pub launch: Seconds,
    /// Between the two shots.
    pub barrier: Seconds,
    /// Bytes on the wire.
    pub moving: Seconds,
    /// The most loaded channel.
    pub bottleneck: Option<Peak>,
}

impl EngineCost {
    pub fn total(&self) -> Seconds {
        self.launch + self.barrier + self.moving
    }
}

/// The faster of one shot and two, for a buffer of `bytes` on each of n ranks; `profile` is their all-to-all, T(x) the time in which each
/// sends x to each other:
///
/// ```text
/// one shot   launch + fan_out log2 n + T(S) / e                                 every rank reads all other buffers
/// two shots  launch + fan_out log2 n + second_barrier + T(2 S / n) / e          reduce-scatter, barrier, all-gather
/// ```
///
/// T is bounded by the fabric and by the loads and stores that a chip has in flight.
pub(super) fn engine_cost(network: &Network<'_>, profile: &Profile, kernel: &CustomAllReduce, group: &Group, bytes: Bytes) -> EngineCost {
    let n = f64::from(group.ranks());
    let moving = |pair: Bytes, message: Bytes| {
        let (wire, bottleneck) = profile.serialisation(network.fabric(), pair, message);
        let window = network.window_time(pair * (n - 1.0), profile.latency);
        (wire.max(window) / kernel.efficiency.value.get(), bottleneck)
    };
    let launch = kernel.launch.value + kernel.fan_out.value * n.log2();
    let (all, all_peak) = moving(bytes, bytes);
    let (part, part_peak) = moving(bytes * (2.0 / n), bytes / n);
    let one_shot = EngineCost { launch, barrier: Seconds::ZERO, moving: all, bottleneck: all_peak };
    let two_shots = EngineCost { launch, barrier: kernel.second_barrier.value, moving: part, bottleneck: part_peak };
    if one_shot.total() <= two_shots.total() { one_shot } else { two_shots }
}
