//! All sources to one destination.
//!
//! The shortest paths from everywhere to one destination form a directed acyclic graph. It is found by one search outwards from
//! the destination; bytes are then pushed down it from all sources at once. The split is exact and needs no list of flows or paths.

use super::policy::RoutingPolicy;
use super::router::{HalfEdge, Router, narrow};
use crate::units::Seconds;

const UNREACHED: u32 = u32::MAX;

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

/// One channel of the acyclic graph: it leads from `tail` one hop nearer to the destination, to `head`.
#[derive(Clone, Copy, Debug)]
pub(super) struct WalkStep {
    pub tail: u32,
    pub head: u32,
    pub channel: u32,
    pub count: u32,
}

/// What the walk knows of a node; together in memory, since every step reads all of it.
#[derive(Clone, Copy, Debug)]
struct NodeState {
    /// Hops to the destination; [`UNREACHED`] if not visited.
    distance: u32,
    /// Parallel links over all steps that leave the node.
    links: u32,
    /// Latency of the slowest path from the node, seconds.
    slowest: f64,
    /// Bytes at the node while they are pushed down; zero between pushes.
    held: f64,
    /// One over `links`: multiplied for every step, divided once a node.
    per_link: f64,
}

impl NodeState {
    const NEW: Self = Self { distance: UNREACHED, links: 0, slowest: 0.0, held: 0.0, per_link: 0.0 };
}

/// Shortest paths from everywhere to one destination.
#[derive(Debug)]
pub struct Routes<'a> {
    router: &'a Router,
    nodes: Vec<NodeState>,
    /// Visited nodes, nearest first; the destination is the first.
    order: Vec<u32>,
    /// Ordered by the distance of their heads: whatever leaves a node stands before whatever reaches it.
    steps: Vec<WalkStep>,
}

impl Router {
    /// An empty set of routes, to be aimed by [`Routes::towards`].
    #[must_use]
    pub fn routes(&self) -> Routes<'_> {
        Routes::new(self)
    }
}

impl<'a> Routes<'a> {
    pub(super) fn new(router: &'a Router) -> Self {
        // One place more, for the destination that also sends to itself.
        Self { router, nodes: vec![NodeState::NEW; router.nodes() + 1], order: Vec::new(), steps: Vec::new() }
    }

    /// Aims at `destination`, and walks outwards until `enough` nodes that the caller `wants` have been reached. Other nodes at which
    /// paths only end are passed by; see [`Routes::towards_all`] for a walk that reaches them too.
    pub fn towards(&mut self, destination: u32, enough: usize, wants: impl Fn(u32) -> bool) {
        let router = self.router;
        self.walk(destination, enough, &wants, |node| router.forwards[node as usize] || wants(node));
    }

    /// As [`Routes::towards`], at a node that stands for several which send to each other as well ([`super::Merged`]): it is also a source
    /// like any other, two hops away from itself.
    pub fn towards_set(&mut self, destination: u32, enough: usize, wants: impl Fn(u32) -> bool) {
        let router = self.router;
        let reaches = |node: u32| router.forwards[node as usize] || wants(node);
        self.forget();
        self.walk_from(narrow(router.nodes()), destination, enough, &wants, reaches);
    }

    /// Aims at `destination` from everywhere.
    pub fn towards_all(&mut self, destination: u32) {
        self.walk(destination, usize::MAX, |_| false, |_| true);
    }

    fn walk(&mut self, destination: u32, enough: usize, wants: impl Fn(u32) -> bool, reaches: impl Fn(u32) -> bool) {
        self.forget();
        self.walk_from(destination, destination, enough, wants, reaches);
    }

    /// Walks outwards from `destination`, which has the links and the latency of `like`.
    fn walk_from(&mut self, destination: u32, like: u32, enough: usize, wants: impl Fn(u32) -> bool, reaches: impl Fn(u32) -> bool) {
        let end = &mut self.nodes[destination as usize];
        (end.distance, end.slowest) = (0, self.router.end_latency[like as usize]);
        self.order.push(destination);
        let mut missing = enough;
        let mut next = 0;
        while next < self.order.len() {
            let node = self.order[next];
            next += 1;
            if node != destination {
                if wants(node) {
                    missing = missing.saturating_sub(1);
                }
                // Everything nearer has been visited, so the paths of the last wanted node are complete.
                if missing == 0 {
                    break;
                }
                if !self.router.forwards[node as usize] {
                    continue;
                }
            }
            self.visit(node, if node == destination { like } else { node }, &reaches);
        }
        self.share_out();
    }

    /// Aims at `destination`, which has the latency of `like`, over steps that another search has found, nearest heads first; the steps of the
    /// last walk are left in their place.
    pub(super) fn follow(&mut self, destination: u32, like: u32, steps: &mut Vec<WalkStep>) {
        self.forget();
        std::mem::swap(&mut self.steps, steps);
        let end = &mut self.nodes[destination as usize];
        (end.distance, end.slowest) = (0, self.router.end_latency[like as usize]);
        self.order.push(destination);
        // Every tail is written down and kept if it is new: a branch would be guessed wrong half of the time.
        self.order.resize(self.steps.len() + 2, 0);
        let mut found = 1;
        for group in self.steps.chunk_by(|a, b| a.head == b.head) {
            let NodeState { distance, slowest, .. } = self.nodes[group[0].head as usize];
            for step in group {
                let tail = &mut self.nodes[step.tail as usize];
                self.order[found] = step.tail;
                found += usize::from(tail.distance == UNREACHED);
                tail.distance = distance + 1;
                tail.links += step.count;
                tail.slowest = tail.slowest.max(slowest + self.router.hop_latency(step.channel));
            }
        }
        self.order.truncate(found);
        self.share_out();
    }

    /// Once all steps are known: which of them are taken, and how a node's bytes divide over them.
    fn share_out(&mut self) {
        if self.router.policy == RoutingPolicy::DimensionOrder {
            self.keep_lowest_dimension();
        }
        for &node in &self.order {
            let state = &mut self.nodes[node as usize];
            state.per_link = 1.0 / f64::from(state.links);
        }
    }

    fn forget(&mut self) {
        for &node in &self.order {
            self.nodes[node as usize] = NodeState::NEW;
        }
        self.order.clear();
        self.steps.clear();
    }

    /// Adds the steps that lead to `node`, which has the links of `like`.
    fn visit(&mut self, node: u32, like: u32, reaches: impl Fn(u32) -> bool) {
        let NodeState { distance, slowest, .. } = self.nodes[node as usize];
        for half in self.router.half_edges(like) {
            let tail = &mut self.nodes[half.neighbour as usize];
            if tail.distance <= distance || !reaches(half.neighbour) {
                continue;
            }
            if tail.distance == UNREACHED {
                tail.distance = distance + 1;
                self.order.push(half.neighbour);
            }
            let channel = half.channel ^ 1;
            tail.links += half.count;
            tail.slowest = tail.slowest.max(slowest + self.router.latencies[half.latency_back as usize]);
            self.steps.push(WalkStep { tail: half.neighbour, head: node, channel, count: half.count });
        }
    }

    /// Of the steps that leave a node, keeps those of the innermost dimension in which there is still a way to go.
    fn keep_lowest_dimension(&mut self) {
        let dimension = |step: &WalkStep| self.router.dimension[step.channel as usize / 2];
        let mut lowest = vec![u64::MAX; self.nodes.len()];
        for step in &self.steps {
            let lowest = &mut lowest[step.tail as usize];
            *lowest = dimension(step).min(*lowest);
        }
        self.steps.retain(|step| self.router.dimension[step.channel as usize / 2] == lowest[step.tail as usize]);
        for &node in &self.order[1..] {
            let state = &mut self.nodes[node as usize];
            (state.links, state.slowest) = (0, 0.0);
        }
        for step in &self.steps {
            let onwards = self.nodes[step.head as usize].slowest + self.router.hop_latency(step.channel);
            let tail = &mut self.nodes[step.tail as usize];
            (tail.links, tail.slowest) = (tail.links + step.count, tail.slowest.max(onwards));
        }
    }

    /// Hops from `node` to the destination, if it was reached.
    #[must_use]
    pub fn hops(&self, node: u32) -> Option<u32> {
        Some(self.nodes[node as usize].distance).filter(|&hops| hops != UNREACHED)
    }

    /// Next hops of all reached nodes: node, channel, parallel links of the channel.
    pub fn next_hops(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.steps.iter().map(|step| (step.tail, step.channel, step.count))
    }

    /// Latency of the slowest shortest path from `node`, if it was reached.
    #[must_use]
    pub fn slowest(&self, node: u32) -> Option<Seconds> {
        self.hops(node).map(|_| Seconds::new(self.nodes[node as usize].slowest))
    }

    /// Sends bytes from each source to the destination and adds what every channel carries to `loads`.
    ///
    /// Sources that were not reached are ignored; the caller checks [`Routes::hops`] first.
    pub fn push(&mut self, sources: impl Iterator<Item = (u32, f64)>, loads: &mut [f64]) {
        for (node, bytes) in sources {
            let state = &mut self.nodes[node as usize];
            if state.distance != UNREACHED {
                state.held += bytes;
            }
        }
        self.drain(loads);
    }

    /// As [`Routes::push`], but every source first splits its bytes evenly over all links that lead to the destination in at most
    /// one hop more than the shortest path; from there on the shortest paths are taken.
    pub fn push_with_detours(&mut self, sources: impl Iterator<Item = (u32, f64)>, loads: &mut [f64]) {
        let Some(&destination) = self.order.first() else { return };
        for (node, bytes) in sources {
            let distance = self.nodes[node as usize].distance;
            if distance == UNREACHED {
                continue;
            }
            let ways: Vec<HalfEdge> =
                self.router.half_edges(node).iter().filter(|half| self.leads_within(half, destination, distance)).copied().collect();
            let links: u32 = ways.iter().map(|half| half.count).sum();
            for half in ways {
                let share = bytes * f64::from(half.count) / f64::from(links);
                loads[half.channel as usize] += share;
                self.nodes[half.neighbour as usize].held += share;
            }
        }
        self.drain(loads);
    }

    /// Whether the far end of a link passes traffic on (or is the destination) and is at most `hops` away from the destination.
    fn leads_within(&self, half: &HalfEdge, destination: u32, hops: u32) -> bool {
        let passes = half.neighbour == destination || self.router.forwards[half.neighbour as usize];
        passes && self.nodes[half.neighbour as usize].distance <= hops
    }

    /// Channels of a tree that joins the sources to the destination: flows that meet at a node leave it as one, as they do where
    /// switches reduce. Among equal parents `turn` picks, so that the trees of several roots spread.
    #[must_use]
    pub fn aggregation_tree(&self, sources: impl Iterator<Item = u32>, turn: u32) -> Vec<u32> {
        let mut parents = vec![0u32; self.nodes.len()];
        for step in &self.steps {
            parents[step.tail as usize] += 1;
        }
        let mut joined = vec![false; self.nodes.len()];
        for node in sources {
            joined[node as usize] = self.nodes[node as usize].distance != UNREACHED;
        }
        let mut seen = vec![0u32; self.nodes.len()];
        let mut tree = Vec::new();
        for step in self.steps.iter().rev() {
            let tail = step.tail as usize;
            if joined[tail] && seen[tail] == turn % parents[tail] {
                joined[step.head as usize] = true;
                tree.push(step.channel);
            }
            seen[tail] += 1;
        }
        tree
    }

    /// Empties every node down its steps, farthest first.
    fn drain(&mut self, loads: &mut [f64]) {
        // The steps of one head stand together, so that what it collects stays in a register.
        for group in self.steps.chunk_by(|a, b| a.head == b.head).rev() {
            let mut collected = 0.0;
            for step in group {
                let tail = &self.nodes[step.tail as usize];
                let share = tail.held * tail.per_link * f64::from(step.count);
                loads[step.channel as usize] += share;
                collected += share;
            }
            self.nodes[group[0].head as usize].held += collected;
        }
        for &node in &self.order {
            self.nodes[node as usize].held = 0.0;
        }
    }

    /// Latency to the destination from every reached node that the caller `wants`, nearest first.
    ///
    /// One pass over the steps: a node's mean is the mean over its next hops of hop plus theirs.
    pub fn latencies(&self, wants: impl Fn(u32) -> bool) -> Vec<(u32, PathLatency)> {
        let mut mean = vec![0.0; self.nodes.len()];
        if let Some(&destination) = self.order.first() {
            mean[destination as usize] = self.router.end_latency[destination as usize];
        }
        for step in &self.steps {
            let onwards = self.router.hop_latency(step.channel) + mean[step.head as usize];
            mean[step.tail as usize] += onwards * f64::from(step.count) * self.nodes[step.tail as usize].per_link;
        }
        let latency = |node: u32| PathLatency {
            hops: self.nodes[node as usize].distance,
            mean: Seconds::new(mean[node as usize]),
            max: Seconds::new(self.nodes[node as usize].slowest),
        };
        self.order.iter().skip(1).filter(|&&node| wants(node)).map(|&node| (node, latency(node))).collect()
    }
}
