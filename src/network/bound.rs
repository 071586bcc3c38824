//! Lower bounds of a collective's time on a given fabric, for any algorithm.

use super::collective::Collective;
use super::group::Group;
use super::network::Network;
use super::op::Op;
use crate::units::{Bytes, Seconds};

/// Ways to cut a machine in two between the ranks of a group: around one child of a level, or around one half of its children.
#[derive(Clone, Debug, PartialEq)]
pub struct Cuts {
    cuts: Vec<RankCut>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct RankCut {
    /// Ranks inside.
    ranks: f64,
    has_first: bool,
    has_last: bool,
    /// Payload rate of all channels that lead out, and of all that lead in, bytes/s.
    outward: f64,
    inward: f64,
}

impl Cuts {
    /// The cuts with ranks on both sides. Cost: one pass over the channels a level.
    #[must_use]
    pub fn of(network: &Network<'_>, group: &Group) -> Self {
        let fabric = network.fabric();
        let nodes = fabric.graph.raw_nodes();
        let rates = network.capacities();
        let mut cuts = Vec::new();
        for chips in runs(&fabric.level_sizes) {
            let idle = RankCut { ranks: 0.0, has_first: false, has_last: false, outward: 0.0, inward: 0.0 };
            let mut runs = vec![idle; fabric.chips.div_ceil(chips) as usize];
            // A node that serves chips of several runs lies outside all of them.
            let run = |node: u32| {
                let node = &nodes[node as usize].weight;
                let (first, last) = (node.first_chip / chips, (node.first_chip + node.chips.max(1) - 1) / chips);
                (first == last && first < fabric.chips.div_ceil(chips)).then_some(first as usize)
            };
            for (channel, rate) in network.router().channels().iter().zip(&rates) {
                let (from, to) = (run(channel.from), run(channel.to));
                if from != to {
                    from.into_iter().for_each(|run| runs[run].outward += rate);
                    to.into_iter().for_each(|run| runs[run].inward += rate);
                }
            }
            for (rank, &chip) in group.chips().iter().enumerate() {
                let run = &mut runs[(chip / chips) as usize];
                run.ranks += 1.0;
                run.has_first |= rank == 0;
                run.has_last |= rank + 1 == group.chips().len();
            }
            cuts.extend(runs.into_iter().filter(|run| run.ranks > 0.0 && run.ranks < f64::from(group.ranks())));
        }
        Self { cuts }
    }

    /// Longest time that the bytes of a collective need to cross one of the cuts.
    ///
    /// m of n ranks inside, nccl-tests size S. All-to-all: each of the m sends S/n to each of the others, and back. All-gather: m parts
    /// of S/n leave, the others' enter, each at least once. Reduce-scatter: the others' parts of the sum leave, m enter. All-reduce: the
    /// partial sum of the inside leaves and the partial sum of the outside enters, S each. Broadcast and send: S, if the cut separates the first
    /// and the last rank.
    fn time(&self, collective: &Collective) -> Seconds {
        let n = f64::from(collective.ranks);
        let time = |cut: &RankCut| {
            let (inside, outside) = (cut.ranks / n, 1.0 - cut.ranks / n);
            let (out, back) = match collective.op {
                Op::AllToAll => (cut.ranks * outside, cut.ranks * outside),
                Op::AllGather => (inside, outside),
                Op::ReduceScatter => (outside, inside),
                Op::AllReduce => (1.0, 1.0),
                Op::Broadcast => (share_if(cut.has_first), share_if(!cut.has_first)),
                Op::Send => (share_if(cut.has_first && !cut.has_last), share_if(cut.has_last && !cut.has_first)),
            };
            let over = |share: f64, rate: f64| if rate > 0.0 { collective.bytes.get() * share / rate } else { 0.0 };
            over(out, cut.outward).max(over(back, cut.inward))
        };
        Seconds::new(self.cuts.iter().map(time).fold(0.0, f64::max))
    }
}

fn share_if(crosses: bool) -> f64 {
    f64::from(u8::from(crosses))
}

/// Chips in one child of each level and in half of its children, without the whole machine and single chips.
fn runs(level_sizes: &[u32]) -> Vec<u32> {
    let whole: u32 = level_sizes.iter().product();
    let mut below = 1;
    let mut runs = Vec::new();
    for &size in level_sizes {
        if size % 2 == 0 {
            runs.push(below * size / 2);
        }
        below *= size;
        runs.push(below);
    }
    runs.retain(|&chips| chips > 1 && chips < whole);
    runs.dedup();
    runs
}

/// The shortest time in which the bytes that must leave (or reach) one chip, or cross a cut, can do so, plus the longest path of the
/// group.
///
/// Per chip, n chips, nccl-tests size S: all-reduce 2(n-1)/n S where only chips add up (Patarasuk and Yuan, J. Parallel Distrib.
/// Comput. 69, 2009), S where switches do, since every chip still has to hand in its own buffer; all-gather, reduce-scatter and
/// all-to-all (n-1)/n S; broadcast and send S.
#[must_use]
pub fn lower_bound(network: &Network<'_>, collective: &Collective, cuts: &Cuts, farthest: Seconds) -> Seconds {
    if collective.ranks < 2 {
        return Seconds::ZERO;
    }
    (necessary_bytes(network, collective) / network.egress()).max(cuts.time(collective)) + farthest
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
