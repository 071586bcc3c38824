//! The fabric as flat arrays: what every walk reads.

use petgraph::graph::NodeIndex;

use super::grid_bound::GridBound;
use super::policy::RoutingPolicy;
use crate::fabric::graph::{Channel, Fabric};
use crate::fabric::latency::{channel_latency, node_latency, packet_time};
use crate::units::Seconds;

/// The fabric ready to be walked, under one routing policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Router {
    pub(super) policy: RoutingPolicy,
    /// The different latencies of a link and the node at its sending end, seconds. There are few, so that a walk keeps them close.
    /// First of all lists, since it is short and what similar routers differ in.
    pub(super) latencies: Vec<f64>,
    /// Half-edges of node `n` are `first[n]..first[n + 1]`, in channel order.
    pub(super) first: Vec<u32>,
    pub(super) half_edges: Vec<HalfEdge>,
    pub(super) forwards: Vec<bool>,
    /// Place of each channel's latency among them.
    pub(super) latency_of: Vec<u16>,
    /// Latency of the last node, by node.
    pub(super) end_latency: Vec<f64>,
    /// Level and class of the edge, as one number: dimension order sorts by it. All zero under other policies, which do not read it.
    pub(super) dimension: Vec<u64>,
    /// Plane of the edge.
    pub(super) plane: Vec<u16>,
    /// Of tori and meshes.
    pub(super) grid: Option<GridBound>,
    pub(super) channels: Vec<Channel>,
}

/// An edge seen from one of its nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HalfEdge {
    pub neighbour: u32,
    /// Channel from this node to the neighbour; the way back is `channel ^ 1`.
    pub channel: u32,
    /// Parallel links.
    pub count: u32,
    /// Place in [`Router::latencies`] of what the way back, from the neighbour to this node, adds to a path.
    pub latency_back: u16,
}

impl Router {
    /// Lays the fabric out for walking.
    #[must_use]
    pub fn new(fabric: &Fabric, policy: RoutingPolicy) -> Self {
        let graph = &fabric.graph;
        let edges = graph.raw_edges();
        let channels: Vec<Channel> = fabric.channels().collect();
        let packet_times: Vec<Seconds> = (0..fabric.links.len()).map(|link| packet_time(fabric, u16::try_from(link).unwrap_or(u16::MAX))).collect();
        let link_latency: Vec<Seconds> = fabric.links.iter().map(|link| channel_latency(&link.link)).collect();
        let mut latencies: Vec<f64> = Vec::new();
        let latency_of: Vec<u16> = channels
            .iter()
            .map(|channel| {
                let endpoint = graph[NodeIndex::new(channel.from as usize)].endpoint;
                let link = channel.link as usize;
                let latency = (node_latency(fabric, endpoint, packet_times[link]) + link_latency[link]).get();
                // Parts are few, and so are their pairs.
                let place = latencies.iter().position(|known| known.to_bits() == latency.to_bits()).unwrap_or_else(|| {
                    latencies.push(latency);
                    latencies.len() - 1
                });
                u16::try_from(place).unwrap_or(u16::MAX)
            })
            .collect();
        let (first, half_edges) = half_edges(&channels, &latency_of, graph.node_count());
        let ordered = policy == RoutingPolicy::DimensionOrder;
        Self {
            policy,
            first,
            half_edges,
            forwards: graph.node_indices().map(|node| fabric.forwards(node)).collect(),
            latencies,
            latency_of,
            end_latency: graph.node_weights().map(|node| node_latency(fabric, node.endpoint, Seconds::ZERO).get()).collect(),
            dimension: edges.iter().map(|edge| if ordered { u64::from(edge.weight.level) << 32 | u64::from(edge.weight.class) } else { 0 }).collect(),
            plane: edges.iter().map(|edge| edge.weight.plane).collect(),
            grid: GridBound::new(fabric),
            channels,
        }
    }

    /// The same routes for those who ask only where bytes go: without latencies more nodes are equivalent and more symmetries hold.
    #[must_use]
    pub fn without_latencies(&self) -> Self {
        let still = |half: &HalfEdge| HalfEdge { latency_back: 0, ..*half };
        Self {
            half_edges: self.half_edges.iter().map(still).collect(),
            latencies: vec![0.0],
            latency_of: vec![0; self.latency_of.len()],
            end_latency: vec![0.0; self.end_latency.len()],
            ..self.clone()
        }
    }

    /// As [`Router::without_latencies`], but links whose `label` differs are never alike.
    #[must_use]
    pub fn labelled(&self, label: impl Fn(&Channel) -> u64) -> Self {
        let dimension = self.channels.iter().step_by(2).map(label).collect();
        Self { dimension, ..self.without_latencies() }
    }

    /// Whether bytes take the same ways on both, whatever the latencies.
    #[must_use]
    pub fn routes_alike(&self, other: &Self) -> bool {
        (self.policy, &self.grid) == (other.policy, &other.grid)
            && (&self.forwards, &self.dimension, &self.plane) == (&other.forwards, &other.dimension, &other.plane)
            && self.channels == other.channels
    }

    /// The policy that routes follow.
    #[must_use]
    pub fn policy(&self) -> RoutingPolicy {
        self.policy
    }

    /// Channels in id order.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Chips, switches and CPUs.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.forwards.len()
    }

    /// Whether traffic may pass through a node.
    #[must_use]
    pub fn forwards(&self, node: u32) -> bool {
        self.forwards[node as usize]
    }

    /// What a channel adds to the latency of a path: its link and the node at its sending end, seconds.
    pub(super) fn hop_latency(&self, channel: u32) -> f64 {
        if let [same] = self.latencies[..] {
            return same;
        }
        self.latencies[self.latency_of[channel as usize] as usize]
    }

    /// What the last node of a path adds to its latency.
    #[must_use]
    pub fn end_latency(&self, node: u32) -> Seconds {
        Seconds::new(self.end_latency[node as usize])
    }

    /// Plane of a channel.
    #[must_use]
    pub fn plane(&self, channel: u32) -> u16 {
        self.plane[channel as usize / 2]
    }

    /// Nodes at the other ends of a node's links, in channel order.
    pub fn neighbours(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        self.half_edges(node).iter().map(|half| half.neighbour)
    }

    pub(super) fn half_edges(&self, node: u32) -> &[HalfEdge] {
        &self.half_edges[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }
}

/// Every channel filed under its sending node, in channel order.
pub(super) fn half_edges(channels: &[Channel], latency_of: &[u16], nodes: usize) -> (Vec<u32>, Vec<HalfEdge>) {
    let mut first = vec![0; nodes + 1];
    for channel in channels {
        first[channel.from as usize + 1] += 1;
    }
    for node in 0..nodes {
        first[node + 1] += first[node];
    }
    let mut next = first.clone();
    let mut half_edges = vec![HalfEdge::default(); channels.len()];
    for (id, channel) in channels.iter().enumerate() {
        let slot = &mut next[channel.from as usize];
        half_edges[*slot as usize] = HalfEdge { neighbour: channel.to, channel: narrow(id), count: channel.count, latency_back: latency_of[id ^ 1] };
        *slot += 1;
    }
    (first, half_edges)
}

/// Node and channel numbers fit 32 bits: the spec bounds the machine's size.
pub(super) fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
