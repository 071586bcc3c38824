//! Paths of a pattern towards one receiver after the other, over the fabric as it is or with equivalent switches merged.

use super::channel_loads::ChannelLoads;
use super::group::Group;
use super::network::Network;
use super::pattern::TrafficPattern;
use crate::fabric::{Endpoint, Merge, Merged, Router, Routes};

/// Channels that must become one for a merged fabric to be used.
const CHANNELS_PER_MERGED_CHANNEL: usize = 2;

/// Paths of a pattern towards one receiver.
pub(super) struct ReceiverWalk<'a> {
    routes: Routes<'a>,
    merged: Option<&'a Merged>,
    /// By node; false between uses.
    sends: Vec<bool>,
    /// Nodes that send, with their weights, and the chips that they are.
    sources: Vec<(u32, f64)>,
    chips: Vec<u32>,
    destination: u32,
}

impl<'a> ReceiverWalk<'a> {
    /// A walk that aims at nothing yet.
    pub fn new(router: &'a Router, merged: Option<&'a Merged>) -> Self {
        let router = merged.map_or(router, |merged| &merged.router);
        let sends = vec![false; router.nodes()];
        Self { routes: router.routes(), merged, sends, sources: Vec::new(), chips: Vec::new(), destination: 0 }
    }

    /// Walks from a receiver as far as those that send to it; it counts `likes` times.
    pub fn aim(&mut self, group: &Group, pattern: TrafficPattern, receiver: u32, likes: f64) {
        let Self { routes, merged, sends, sources, chips, destination } = self;
        let node = |chip: u32| merged.and_then(|merged| merged.set_of(chip)).unwrap_or(chip);
        *destination = group.chip(receiver);
        sources.clear();
        chips.clear();
        pattern.each_sender(group, receiver, |sender, weight| {
            let chip = group.chip(sender);
            chips.push(chip);
            sources.push((node(chip), weight * likes));
        });
        let mut enough = 0;
        for &(source, _) in &*sources {
            enough += usize::from(!std::mem::replace(&mut sends[source as usize], true));
        }
        routes.towards(node(*destination), enough, |node| sends[node as usize]);
        sources.iter().for_each(|&(source, _)| sends[source as usize] = false);
    }

    /// Bytes that leave their sources.
    pub fn sent(&self) -> f64 {
        self.sources.iter().map(|(_, weight)| weight).sum()
    }

    /// Counts the paths of all that send.
    pub fn lengthen(&self, loads: &mut ChannelLoads) {
        for (&(source, _), &chip) in self.sources.iter().zip(&self.chips) {
            match (self.routes.slowest(source), self.routes.hops(source)) {
                (Some(latency), Some(hops)) => loads.lengthen(latency, hops),
                _ => loads.unreachable = loads.unreachable.or(Some((chip, self.destination))),
            }
        }
    }

    /// What channels carry over shortest paths.
    pub fn push(&mut self, bytes: &mut [f64]) {
        self.routes.push(self.sources.iter().copied(), bytes);
    }

    /// The same with detours of one hop.
    pub fn push_with_detours(&mut self, bytes: &mut [f64]) {
        self.routes.push_with_detours(self.sources.iter().copied(), bytes);
    }
}

impl Network<'_> {
    /// The fabric with equivalent switches merged, if a route then has far fewer channels: the spines of a plane, say. Hashes of node numbers see no
    /// such switches alike.
    pub(super) fn merged_switches(&self) -> Option<&Merged> {
        if self.router().policy().seed().is_some() {
            return None;
        }
        self.known().merged_switches(|| {
            let (router, nodes) = (self.router(), self.fabric().graph.raw_nodes());
            let is_chip = |node: u32| nodes[node as usize].weight.endpoint == Endpoint::Chip;
            let merged = router.merged(|node| match (is_chip(node), router.forwards(node)) {
                (true, _) => Merge::Alone,
                (false, true) => Merge::With(0),
                (false, false) => Merge::LeaveOut,
            });
            (merged.router.channels().len() * CHANNELS_PER_MERGED_CHANNEL <= router.channels().len()).then_some(merged)
        })
    }
}
