//! All-reduce kernels of serving engines: no library call, everybody stores into everybody's buffer from inside a captured graph.

use super::network::Network;
use crate::input::document::CustomAllReduce;
use crate::units::{Bytes, Seconds};

/// The faster of one shot and two, for a buffer of `bytes` on each of n ranks that all reach each other at the full rate B of a chip:
///
/// ```text
/// one shot   launch + fan_out log2 n + (n - 1) S / (B e)                               every rank reads all other buffers
/// two shots  launch + fan_out log2 n + second_barrier + 2 (n - 1) / n S / (B e)        reduce-scatter, barrier, all-gather
/// ```
///
/// One rank has nothing to add up. Engines hand large buffers to the communication library instead: the caller takes the faster.
#[must_use]
pub fn custom_all_reduce(network: &Network<'_>, kernel: &CustomAllReduce, ranks: u32, bytes: Bytes) -> Seconds {
    if ranks < 2 {
        return Seconds::ZERO;
    }
    let n = f64::from(ranks);
    let rate = network.sending_rate() * kernel.efficiency.value.get();
    let start = kernel.launch.value + kernel.fan_out.value * n.log2();
    let one_shot = bytes * (n - 1.0) / rate;
    let two_shots = kernel.second_barrier.value + bytes * (2.0 * (n - 1.0) / n) / rate;
    start + one_shot.min(two_shots)
}
