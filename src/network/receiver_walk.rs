//! Paths of a pattern towards one receiver after the other.

use super::channel_loads::ChannelLoads;
use super::group::Group;
use super::pattern::TrafficPattern;
use crate::fabric::{Router, Routes};

/// Paths of a pattern towards one receiver.
pub(super) struct ReceiverWalk<'a> {
    routes: Routes<'a>,
    /// By node; false between uses.
    sends: Vec<bool>,
    /// Nodes that send, with their weights.
    sources: Vec<(u32, f64)>,
    destination: u32,
}

impl<'a> ReceiverWalk<'a> {
    /// A walk that aims at nothing yet.
    pub fn new(router: &'a Router) -> Self {
        Self { routes: router.routes(), sends: vec![false; router.nodes()], sources: Vec::new(), destination: 0 }
    }

    /// Walks from a receiver as far as those that send to it; it counts `likes` times.
    pub fn aim(&mut self, group: &Group, pattern: TrafficPattern, receiver: u32, likes: f64) {
        let Self { routes, sends, sources, destination } = self;
        *destination = group.chip(receiver);
        sources.clear();
        pattern.each_sender(group, receiver, |sender, weight| sources.push((group.chip(sender), weight * likes)));
        let mut enough = 0;
        for &(source, _) in &*sources {
            enough += usize::from(!std::mem::replace(&mut sends[source as usize], true));
        }
        routes.towards(*destination, enough, |node| sends[node as usize]);
        sources.iter().for_each(|&(source, _)| sends[source as usize] = false);
    }

    /// Bytes that leave their sources.
    pub fn sent(&self) -> f64 {
        self.sources.iter().map(|(_, weight)| weight).sum()
    }

    /// Counts the paths of all that send.
    pub fn lengthen(&self, loads: &mut ChannelLoads) {
        for &(source, _) in &self.sources {
            match (self.routes.slowest(source), self.routes.hops(source)) {
                (Some(latency), Some(hops)) => loads.lengthen(latency, hops),
                _ => loads.unreachable = loads.unreachable.or(Some((source, self.destination))),
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
