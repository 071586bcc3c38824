//! A few destinations stand for all where symmetries of the machine map the pattern onto itself.
//!
//! Let G be the symmetries that keep the pattern and the group of ranks. The total load of a channel is the mean of the loads over
//! the channel's orbit under G, and that mean needs one receiver of every orbit of receivers, counted as often as the orbit has
//! members. So one walk for each class of chips is enough, and the channels of a class share one load.
//!
//! G is known where the ranks are the first chips in level order and fill whole children of some level: all symmetries inside a child
//! act on every child alike, and where a level's children are interchangeable any of them may be exchanged. A part of a level whose
//! children are not interchangeable (a stretch of a ring) keeps no symmetry, and neither does a hash.

use std::collections::{BTreeMap, BTreeSet};

use super::group::Group;
use super::loads::ChannelLoads;
use super::network::Network;
use super::pattern::Pattern;
use crate::fabric::{ChannelId, Fabric, Node};

impl Network<'_> {
    /// The loads of a pattern from those of one receiver of each class; `None` where no known symmetry allows it.
    pub(super) fn collapsed(&self, group: &Group, pattern: Pattern) -> Option<ChannelLoads> {
        let fabric = self.fabric();
        let ranks = group.ranks();
        let policy = self.router().policy();
        let keeps = policy.respects_symmetry() && pattern.looks_alike_from_everywhere();
        // Ways that leave a part of the machine do not see it as symmetric as it is inside.
        let stays = ranks == fabric.chips || policy.stays_on_shortest_paths();
        if !(keeps && stays && group.in_level_order() && fills_interchangeable_children(fabric, ranks)) {
            return None;
        }
        let mut classes: BTreeMap<u32, (u32, f64)> = BTreeMap::new();
        for &chip in group.chips() {
            classes.entry(node(fabric, chip).class).or_insert((chip, 0.0)).1 += 1.0;
        }
        let mut loads = ChannelLoads::silent(self.router().channels().len());
        for &(receiver, members) in classes.values() {
            loads.add(&self.loads_of(group, pattern, &[receiver]), members);
        }
        self.spread(ranks, &mut loads.bytes);
        Some(loads)
    }

    /// Gives every channel the mean of its orbit: the channels of its class whose ends lie in or out of the group as its own do.
    fn spread(&self, ranks: u32, bytes: &mut [f64]) {
        let fabric = self.fabric();
        let inside: Vec<bool> = fabric.graph.node_weights().map(|node| node.first_chip + node.chips <= ranks).collect();
        let orbits: Vec<u32> = (0u32..)
            .zip(self.router().channels())
            .map(|(number, channel)| {
                let ends = [channel.from, channel.to].map(|end| u32::from(inside[end as usize]));
                fabric.channel_class(ChannelId(number)) * 4 + ends[0] * 2 + ends[1]
            })
            .collect();
        let mut totals = vec![(0.0, 0u32); orbits.iter().max().map_or(0, |&last| last as usize + 1)];
        for (&orbit, &bytes) in orbits.iter().zip(bytes.iter()) {
            let total = &mut totals[orbit as usize];
            *total = (total.0 + bytes, total.1 + 1);
        }
        for (&orbit, bytes) in orbits.iter().zip(bytes) {
            let (sum, channels) = totals[orbit as usize];
            *bytes = sum / f64::from(channels);
        }
    }
}

fn node(fabric: &Fabric, number: u32) -> &Node {
    &fabric.graph.raw_nodes()[number as usize].weight
}

/// Whether the first `ranks` chips are one child of a level, or several of a level whose children are interchangeable.
fn fills_interchangeable_children(fabric: &Fabric, ranks: u32) -> bool {
    let mut below = 1;
    for (level, &size) in fabric.level_sizes.iter().enumerate() {
        if ranks == below * size || ranks == below {
            return true;
        }
        if ranks < below * size {
            return ranks.is_multiple_of(below) && children_are_interchangeable(fabric, level, below, size);
        }
        below *= size;
    }
    false
}

/// Whether any two children of a level may be exchanged: each of its links joins a child to something that serves all of them
/// (switch, spine, rail), or its links join every pair of children (full mesh).
fn children_are_interchangeable(fabric: &Fabric, level: usize, below: u32, size: u32) -> bool {
    let group = below * size;
    let child = |node: &Node| if node.chips <= below { Some(node.first_chip / below) } else { None };
    let serves_all = |node: &Node| node.chips >= group;
    let mut pairs = BTreeSet::new();
    for edge in fabric.graph.raw_edges().iter().filter(|edge| usize::from(edge.weight.level) == level) {
        let [a, b] = [edge.source(), edge.target()].map(|end| &fabric.graph[end]);
        if a.first_chip >= group || b.first_chip >= group {
            continue;
        }
        match (child(a), child(b)) {
            (Some(a), Some(b)) if a != b => {
                pairs.insert((a.min(b), a.max(b)));
            }
            (Some(_), Some(_)) => {}
            (a_child, b_child) => {
                if !((a_child.is_some() || serves_all(a)) && (b_child.is_some() || serves_all(b))) {
                    return false;
                }
            }
        }
    }
    pairs.is_empty() || pairs.len() as u64 == u64::from(size) * u64::from(size - 1) / 2
}
