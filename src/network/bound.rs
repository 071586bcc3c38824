//! What no algorithm can beat on a given fabric.

use super::collective::{Collective, Op};
use super::profile::Network;
use crate::units::{Bytes, Seconds};

/// The shortest time in which the bytes that must leave (or reach) one chip can do so, plus the longest path of the group.
///
/// Per chip, n chips, nccl-tests size S, no reduction inside the network: all-reduce 2(n-1)/n S (Patarasuk and Yuan, J. Parallel
/// Distrib. Comput. 69, 2009); all-gather, reduce-scatter and all-to-all (n-1)/n S; broadcast and send S.
#[must_use]
pub fn lower_bound(network: &Network<'_>, collective: &Collective, farthest: Seconds) -> Seconds {
    if collective.ranks < 2 {
        return Seconds::ZERO;
    }
    necessary_bytes(collective) / network.injection() + farthest
}

/// Bytes that must cross one chip's ports in one direction.
fn necessary_bytes(collective: &Collective) -> Bytes {
    let n = f64::from(collective.ranks);
    let share = match collective.op {
        Op::AllReduce => 2.0 * (n - 1.0) / n,
        Op::AllGather | Op::ReduceScatter | Op::AllToAll => (n - 1.0) / n,
        Op::Broadcast | Op::Send => 1.0,
    };
    collective.bytes * share
}
