//! Which way traffic goes: shortest paths by hops, sprayed over all of equal length.
//!
//! For one destination the shortest paths from everywhere form a directed acyclic graph. Every node splits what it holds over its
//! next hops in proportion to the parallel links towards each, so the split is exact and needs no list of flows or paths.
//! Only nodes that forward are passed through: switches, and chips where the pattern joins them directly.

use petgraph::visit::EdgeRef;

use super::graph::{Channel, Fabric};
use super::latency::{channel_latency, node_latency, packet_time};
use crate::units::Seconds;

/// The fabric as flat arrays, ready to be walked.
#[derive(Clone, Debug)]
pub struct Router {
    /// Half-edges of node `n` are `first[n]..first[n + 1]`.
    first: Vec<u32>,
    half_edges: Vec<HalfEdge>,
    forwards: Vec<bool>,
    /// Latency of the link and of the node at its sending end, by channel.
    hop_latency: Vec<f64>,
    /// Latency of the last node, by node.
    end_latency: Vec<f64>,
    channels: Vec<Channel>,
}

#[derive(Clone, Copy, Debug)]
struct HalfEdge {
    neighbour: u32,
    /// Channel from this node to the neighbour; its partner is `channel ^ 1`.
    channel: u32,
    count: u32,
}

/// Latency over the shortest paths of one pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathLatency {
    /// Links on the path.
    pub hops: u32,
    /// Mean over the sprayed paths, endpoints included.
    pub mean: Seconds,
    /// Slowest of the sprayed paths.
    pub max: Seconds,
}

impl Router {
    /// Lays the fabric out for walking.
    #[must_use]
    pub fn new(fabric: &Fabric) -> Self {
        let graph = &fabric.graph;
        let channels: Vec<Channel> = fabric.channels().collect();
        let mut first = Vec::with_capacity(graph.node_count() + 1);
        let mut half_edges = Vec::with_capacity(channels.len());
        first.push(0);
        for node in graph.node_indices() {
            let from = half_edges.len();
            half_edges.extend(graph.edges(node).map(|edge| {
                let backwards = graph.raw_edges()[edge.id().index()].source() != node;
                HalfEdge {
                    neighbour: narrow(edge.target().index()),
                    channel: narrow(edge.id().index()) * 2 + u32::from(backwards),
                    count: edge.weight().count,
                }
            }));
            half_edges[from..].sort_unstable_by_key(|half| half.channel);
            first.push(narrow(half_edges.len()));
        }
        let packet_times: Vec<Seconds> = (0..fabric.links.len()).map(|link| packet_time(fabric, u16::try_from(link).unwrap_or(u16::MAX))).collect();
        let endpoint = |node: u32| graph[petgraph::graph::NodeIndex::new(node as usize)].endpoint;
        let hop_latency = channels
            .iter()
            .map(|channel| {
                let sending = node_latency(fabric, endpoint(channel.from), packet_times[channel.link as usize]);
                (sending + channel_latency(&fabric.links[channel.link as usize].link)).get()
            })
            .collect();
        let end_latency = graph.node_weights().map(|node| node_latency(fabric, node.endpoint, Seconds::ZERO).get()).collect();
        let forwards = graph.node_weights().map(|node| node.forwards).collect();
        Self { first, half_edges, forwards, hop_latency, end_latency, channels }
    }

    /// Channels in id order.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn half_edges(&self, node: u32) -> &[HalfEdge] {
        &self.half_edges[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }

    /// An empty set of routes, to be filled by [`Routes::towards`].
    #[must_use]
    pub fn routes(&self) -> Routes<'_> {
        let nodes = self.forwards.len();
        Routes { router: self, distance: vec![UNREACHED; nodes], order: Vec::with_capacity(nodes), held: vec![0.0; nodes] }
    }
}

const UNREACHED: u32 = u32::MAX;

/// Shortest paths from everywhere to one destination.
#[derive(Debug)]
pub struct Routes<'a> {
    router: &'a Router,
    /// Hops to the destination; [`UNREACHED`] for nodes not visited.
    distance: Vec<u32>,
    /// Visited nodes, nearest first; the destination is the first.
    order: Vec<u32>,
    /// Bytes waiting at each node while they are pushed down; zero between pushes.
    held: Vec<f64>,
}

impl Routes<'_> {
    /// Aims at `destination`, and walks outwards until `enough` nodes that the caller `wants` have been reached.
    pub fn towards(&mut self, destination: u32, enough: usize, wants: impl Fn(u32) -> bool) {
        for &node in &self.order {
            self.distance[node as usize] = UNREACHED;
        }
        self.order.clear();
        self.order.push(destination);
        self.distance[destination as usize] = 0;
        let mut missing = enough;
        let mut next = 0;
        while next < self.order.len() {
            let node = self.order[next];
            next += 1;
            let distance = self.distance[node as usize];
            if node != destination && wants(node) {
                missing = missing.saturating_sub(1);
            }
            if missing == 0 {
                break;
            }
            if !self.router.forwards[node as usize] && node != destination {
                continue;
            }
            for half in self.router.half_edges(node) {
                if self.distance[half.neighbour as usize] == UNREACHED {
                    self.distance[half.neighbour as usize] = distance + 1;
                    self.order.push(half.neighbour);
                }
            }
        }
    }

    /// Hops from `node` to the destination, if it was reached.
    #[must_use]
    pub fn hops(&self, node: u32) -> Option<u32> {
        Some(self.distance[node as usize]).filter(|&hops| hops != UNREACHED)
    }

    fn next_hops(&self, node: u32) -> impl Iterator<Item = &HalfEdge> {
        next_hops(self.router, &self.distance, node)
    }

    /// Sends bytes from each source to the destination and adds what every channel carries to `loads`.
    ///
    /// Sources that were not reached are ignored; the caller checks [`Routes::hops`] first.
    pub fn push(&mut self, sources: impl Iterator<Item = (u32, f64)>, loads: &mut [f64]) {
        for (node, bytes) in sources {
            if self.distance[node as usize] != UNREACHED {
                self.held[node as usize] += bytes;
            }
        }
        for position in (1..self.order.len()).rev() {
            let node = self.order[position];
            let bytes = std::mem::take(&mut self.held[node as usize]);
            if bytes == 0.0 {
                continue;
            }
            let links: u32 = next_hops(self.router, &self.distance, node).map(|half| half.count).sum();
            let each = bytes / f64::from(links);
            for half in next_hops(self.router, &self.distance, node) {
                let share = each * f64::from(half.count);
                loads[half.channel as usize] += share;
                self.held[half.neighbour as usize] += share;
            }
        }
        if let Some(&destination) = self.order.first() {
            self.held[destination as usize] = 0.0;
        }
    }

    /// Latency from `node` to the destination over the sprayed paths; `None` if it was not reached.
    #[must_use]
    pub fn latency(&self, node: u32) -> Option<PathLatency> {
        self.hops(node)?;
        self.latencies(|visited| visited == node).pop().map(|(_, latency)| latency)
    }

    /// Latency to the destination from every reached node that the caller `wants`, nearest first.
    ///
    /// One pass over the distance layers: a node's mean is the mean over its next hops of hop plus theirs, its worst the worst of them.
    pub fn latencies(&self, wants: impl Fn(u32) -> bool) -> Vec<(u32, PathLatency)> {
        let mut known: Vec<(f64, f64)> = vec![(0.0, 0.0); self.order.len()];
        let mut position = vec![0u32; 0];
        position.resize(self.distance.len(), 0);
        let mut wanted = Vec::new();
        for (index, &node) in self.order.iter().enumerate() {
            position[node as usize] = narrow(index);
            if index == 0 {
                known[0] = (self.router.end_latency[node as usize], self.router.end_latency[node as usize]);
                continue;
            }
            let links: u32 = self.next_hops(node).map(|half| half.count).sum();
            let (mut mean, mut worst) = (0.0, 0.0_f64);
            for half in self.next_hops(node) {
                let hop = self.router.hop_latency[half.channel as usize];
                let (next_mean, next_worst) = known[position[half.neighbour as usize] as usize];
                mean += (hop + next_mean) * f64::from(half.count) / f64::from(links);
                worst = worst.max(hop + next_worst);
            }
            known[index] = (mean, worst);
            if wants(node) {
                let hops = self.distance[node as usize];
                wanted.push((node, PathLatency { hops, mean: Seconds::new(mean), max: Seconds::new(worst) }));
            }
        }
        wanted
    }
}

/// The half-edges of `node` that lead one hop nearer to the destination, over which it splits its traffic.
fn next_hops<'a>(router: &'a Router, distance: &'a [u32], node: u32) -> impl Iterator<Item = &'a HalfEdge> {
    let nearer = distance[node as usize].wrapping_sub(1);
    let ends_there = nearer == 0;
    router
        .half_edges(node)
        .iter()
        .filter(move |half| distance[half.neighbour as usize] == nearer && (ends_there || router.forwards[half.neighbour as usize]))
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
