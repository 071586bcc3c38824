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
use super::profile::{Alike, Profile};
use crate::fabric::{ChannelId, Fabric, Node};

/// Loads of a few receivers, each as often as it has likes, and what share one load.
#[derive(Debug)]
pub(super) struct Collapsed {
    loads: ChannelLoads,
    ranks: u32,
}

impl Network<'_> {
    /// The loads of one receiver of each class; `None` where no known symmetry allows it.
    pub(super) fn collapsed(&self, group: &Group, pattern: Pattern) -> Option<Collapsed> {
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
        let mut loads: Option<ChannelLoads> = None;
        for &(receiver, members) in classes.values() {
            let mut one = self.loads_of(group, pattern, &[receiver]);
            match &mut loads {
                Some(sum) => sum.add(&one, members),
                None => {
                    one.scale(members);
                    loads = Some(one);
                }
            }
        }
        loads.map(|loads| Collapsed { loads, ranks })
    }

    /// The orbit of every channel: the channels of its class whose ends lie in or out of the group as its own do.
    fn orbits(&self, ranks: u32) -> impl Iterator<Item = usize> + '_ {
        let fabric = self.fabric();
        let inside: Vec<bool> = fabric.graph.node_weights().map(|node| node.first_chip + node.chips <= ranks).collect();
        self.channel_classes().iter().zip(self.router().channels()).map(move |(&class, channel)| {
            let ends = [channel.from, channel.to].map(|end| usize::from(inside[end as usize]));
            class as usize * 4 + ends[0] * 2 + ends[1]
        })
    }
}

impl Collapsed {
    /// Gives every channel the mean of its orbit.
    pub fn spread(mut self, network: &Network<'_>) -> ChannelLoads {
        let orbits: Vec<usize> = network.orbits(self.ranks).collect();
        let mut totals = vec![(0.0, 0u32); orbits.iter().max().map_or(0, |&last| last + 1)];
        for (&orbit, &bytes) in orbits.iter().zip(&self.loads.bytes) {
            let total = &mut totals[orbit];
            *total = (total.0 + bytes, total.1 + 1);
        }
        for (&orbit, bytes) in orbits.iter().zip(&mut self.loads.bytes) {
            let (sum, channels) = totals[orbit];
            *bytes = sum / f64::from(channels);
        }
        self.loads
    }

    /// Sums up without naming a channel: one pass, then orbit by orbit.
    pub fn profile(&self, network: &Network<'_>) -> Profile {
        // By orbit and direction of the edge, which a reversible edge's orbit has both of.
        let mut alike: Vec<Alike> = Vec::new();
        for ((channel, orbit), &bytes) in (0u32..).zip(network.orbits(self.ranks)).zip(&self.loads.bytes) {
            let slot = orbit * 2 + channel as usize % 2;
            if slot >= alike.len() {
                alike.resize((slot | 1) + 1, Alike::NONE);
            }
            alike[slot].add(channel, bytes, network.plane(channel));
        }
        for pair in 0..alike.len() / 2 {
            let (outward, inward) = (alike[pair * 2], alike[pair * 2 + 1]);
            let channels = outward.channels + inward.channels;
            // Both directions of a reversible edge share the orbit's mean.
            let mean = if channels == 0 { 0.0 } else { (outward.bytes + inward.bytes) / f64::from(channels) };
            for one in &mut alike[pair * 2..pair * 2 + 2] {
                one.bytes = mean * f64::from(one.channels);
            }
        }
        Profile::of_alike(network.fabric(), &self.loads, alike.into_iter())
    }
}

/// Class of every channel; see [`Fabric::channel_class`].
pub(super) fn channel_classes(fabric: &Fabric) -> Vec<u32> {
    let channels = u32::try_from(fabric.graph.edge_count() * 2).unwrap_or(u32::MAX);
    (0..channels).map(|number| fabric.channel_class(ChannelId(number))).collect()
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
