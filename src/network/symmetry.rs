//! One destination stands for all where symmetries of the machine map the pattern onto itself.
//!
//! Let G be the symmetries that keep the pattern. If G takes any receiver to any other, the total load of a channel is
//! `sum over g in G of load(g^-1 channel) x receivers / |G|`: the mean of one receiver's load over the channel's orbit, times the
//! receivers. So one walk is enough, and the channels of an orbit share one load.

use super::group::Group;
use super::loads::ChannelLoads;
use super::network::Network;
use super::pattern::Pattern;
use crate::fabric::Fabric;

/// Channels that symmetries of the machine map onto each other: an edge class and a direction.
#[derive(Clone, Debug)]
pub struct Orbits {
    /// By edge; the orbit of a channel is twice this, plus one for the way back.
    class: Vec<u16>,
    /// Edges of each class.
    edges: Vec<f64>,
}

impl Orbits {
    /// Counts the classes of a machine.
    #[must_use]
    pub fn new(fabric: &Fabric) -> Self {
        let class: Vec<u16> = fabric.graph.raw_edges().iter().map(|edge| edge.weight.class).collect();
        let mut edges = vec![0.0; class.iter().max().map_or(0, |&last| last as usize + 1)];
        for &class in &class {
            edges[class as usize] += 1.0;
        }
        Self { class, edges }
    }

    /// Replaces what one of `receivers` does by what all of them do.
    fn spread(&self, bytes: &mut [f64], receivers: f64) {
        let mut total = vec![0.0; self.edges.len() * 2];
        let orbit = |channel: usize| self.class[channel / 2] as usize * 2 + channel % 2;
        for (channel, bytes) in bytes.iter().enumerate() {
            total[orbit(channel)] += bytes;
        }
        for (orbit, total) in total.iter_mut().enumerate() {
            *total *= receivers / self.edges[orbit / 2].max(1.0);
        }
        for (channel, bytes) in bytes.iter_mut().enumerate() {
            *bytes = total[orbit(channel)];
        }
    }
}

impl Network<'_> {
    /// The loads of a pattern from those of its first receiver; `None` where no known symmetry allows it.
    pub(super) fn collapsed(&self, group: &Group, pattern: Pattern) -> Option<ChannelLoads> {
        let fabric = self.fabric();
        let whole_machine = group.ranks() == fabric.chips && group.in_level_order();
        let alike = fabric.uniform && self.router().policy().respects_symmetry() && pattern.looks_alike_from_everywhere();
        if !(whole_machine && alike) {
            return None;
        }
        let mut loads = self.loads_of(group, pattern, &[0]);
        loads.sent *= f64::from(group.ranks());
        self.orbits().spread(&mut loads.bytes, f64::from(group.ranks()));
        Some(loads)
    }
}
