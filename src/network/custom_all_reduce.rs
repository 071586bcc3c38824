//! All-reduce kernels inside a captured graph: every rank stores into the buffers of all other ranks, or lets the switches copy. Kernels of
//! serving engines open each other's memory, which works inside one host. Across the hosts of one scale-up domain kernels with multicast are used
//! (NVIDIA calls this MNNVL).

use super::group::Group;
use super::network::Network;
use super::profile::{Peak, Profile};
use crate::input::document::{CustomAllReduce, MulticastAllReduce};
use crate::units::{Bytes, Seconds};

/// Time of a kernel, by part.
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

/// The faster of one shot and two of a kernel that lets switches copy:
///
/// ```text
/// one shot             launch + P(n S) / e                   every rank multicasts its buffer, and all of them come in through its port
/// two shots            launch + second shot + P(S (n - 1) / n + S) / e          shards to their ranks, sums by multicast to all
/// two, switches add    launch + second shot + P(S + S / n) / e                  the buffer goes out once, one n-th of the sums too
/// ```
///
/// P(x) is the time of x bytes through a chip's ports, bounded by the loads and stores in flight. Forms: `sym_kernels.cc` of NCCL 2.30 and the
/// MNNVL kernels of `FlashInfer` (`trtllm_mnnvl_allreduce.cuh`).
pub(super) fn multicast_cost(network: &Network<'_>, profile: &Profile, kernel: &MulticastAllReduce, group: &Group, bytes: Bytes) -> EngineCost {
    let n = f64::from(group.ranks());
    let moving = |port: Bytes, message: Bytes| {
        let (wire, bottleneck) = profile.serialisation(network.fabric(), port / (n - 1.0), message);
        (wire.max(network.window_time(port, profile.latency)) / kernel.efficiency.value.get(), bottleneck)
    };
    let (whole, whole_peak) = moving(bytes * n, bytes);
    let through_port = if kernel.adds_in_switch { 1.0 + 1.0 / n } else { 2.0 - 1.0 / n };
    let (part, part_peak) = moving(bytes * through_port, bytes / n);
    let launch = kernel.launch.value;
    let one_shot = EngineCost { launch, barrier: Seconds::ZERO, moving: whole, bottleneck: whole_peak };
    let two_shots = EngineCost { launch, barrier: kernel.second_shot.value, moving: part, bottleneck: part_peak };
    if one_shot.total() <= two_shots.total() { one_shot } else { two_shots }
}
