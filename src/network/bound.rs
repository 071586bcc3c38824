//! What no algorithm can beat on a given fabric.

use super::collective::{Collective, Op};
use super::network::Network;
use crate::units::{Bytes, Seconds};

/// The shortest time in which the bytes that must leave (or reach) one chip can do so, plus the longest path of the group.
///
/// Per chip, n chips, nccl-tests size S: all-reduce 2(n-1)/n S where only chips add up (Patarasuk and Yuan, J. Parallel Distrib.
/// Comput. 69, 2009), S where switches do, since every chip still has to hand in its own buffer; all-gather, reduce-scatter and
/// all-to-all (n-1)/n S; broadcast and send S.
#[must_use]
pub fn lower_bound(network: &Network<'_>, collective: &Collective, farthest: Seconds) -> Seconds {
    if collective.ranks < 2 {
        return Seconds::ZERO;
    }
    necessary_bytes(network, collective) / network.egress() + farthest
}

/// Bytes that must cross one chip's ports in one direction.
fn necessary_bytes(network: &Network<'_>, collective: &Collective) -> Bytes {
    let n = f64::from(collective.ranks);
    let switches_reduce = network.fabric().switches.iter().any(|part| part.switch.in_network_reduction);
    let share = match collective.op {
        Op::AllReduce if switches_reduce => 1.0,
        Op::AllReduce => 2.0 * (n - 1.0) / n,
        Op::AllGather | Op::ReduceScatter | Op::AllToAll => (n - 1.0) / n,
        Op::Broadcast | Op::Send => 1.0,
    };
    collective.bytes * share
}
