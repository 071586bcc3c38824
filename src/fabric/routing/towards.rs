//! All sources to one destination.
//!
//! The shortest paths from everywhere to one destination form a directed acyclic graph. It is found by one search outwards from
//! the destination; bytes are then pushed down it from all sources at once. The split is exact and needs no list of flows or paths.

use super::policy::Policy;
use super::router::Router;
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
struct Step {
    tail: u32,
    head: u32,
    channel: u32,
    count: u32,
}

/// Shortest paths from everywhere to one destination.
#[derive(Debug)]
pub struct Routes<'a> {
    router: &'a Router,
    /// Hops to the destination; [`UNREACHED`] for nodes not visited.
    distance: Vec<u32>,
    /// Visited nodes, nearest first; the destination is the first.
    order: Vec<u32>,
    /// Ordered by the distance of their heads: whatever leaves a node stands before whatever reaches it.
    steps: Vec<Step>,
    /// Parallel links over all steps that leave a node.
    links: Vec<u32>,
    /// Latency of the slowest path from a node, seconds.
    slowest: Vec<f64>,
    /// Bytes at each node over its links while they are pushed down; zero between pushes.
    held: Vec<f64>,
}

impl<'a> Routes<'a> {
    pub(super) fn new(router: &'a Router) -> Self {
        let nodes = router.nodes();
        Self {
            router,
            distance: vec![UNREACHED; nodes],
            order: Vec::new(),
            steps: Vec::new(),
            links: vec![0; nodes],
            slowest: vec![0.0; nodes],
            held: vec![0.0; nodes],
        }
    }

    /// Aims at `destination`, and walks outwards until `enough` nodes that the caller `wants` have been reached.
    pub fn towards(&mut self, destination: u32, enough: usize, wants: impl Fn(u32) -> bool) {
        self.forget();
        self.distance[destination as usize] = 0;
        self.slowest[destination as usize] = self.router.end_latency[destination as usize];
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
            self.visit(node);
        }
        if self.router.policy == Policy::DimensionOrder {
            self.keep_lowest_dimension();
        }
    }

    fn forget(&mut self) {
        for &node in &self.order {
            self.distance[node as usize] = UNREACHED;
        }
        self.order.clear();
        self.steps.clear();
    }

    /// Adds the steps that lead to `node`.
    fn visit(&mut self, node: u32) {
        let distance = self.distance[node as usize] + 1;
        let slowest_here = self.slowest[node as usize];
        for half in self.router.half_edges(node) {
            let tail = half.neighbour as usize;
            if self.distance[tail] == UNREACHED {
                self.distance[tail] = distance;
                self.links[tail] = 0;
                self.slowest[tail] = 0.0;
                self.order.push(half.neighbour);
            } else if self.distance[tail] != distance {
                continue;
            }
            let channel = half.channel ^ 1;
            self.links[tail] += half.count;
            self.slowest[tail] = self.slowest[tail].max(slowest_here + self.router.hop_latency[channel as usize]);
            self.steps.push(Step { tail: half.neighbour, head: node, channel, count: half.count });
        }
    }

    /// Of the steps that leave a node, keeps those of the innermost dimension in which there is still a way to go.
    fn keep_lowest_dimension(&mut self) {
        let dimension = |step: &Step| self.router.dimension[step.channel as usize / 2];
        let mut lowest = vec![u64::MAX; self.distance.len()];
        for step in &self.steps {
            let lowest = &mut lowest[step.tail as usize];
            *lowest = dimension(step).min(*lowest);
        }
        self.steps.retain(|step| self.router.dimension[step.channel as usize / 2] == lowest[step.tail as usize]);
        for &node in &self.order[1..] {
            self.links[node as usize] = 0;
            self.slowest[node as usize] = 0.0;
        }
        for step in &self.steps {
            let (tail, head) = (step.tail as usize, step.head as usize);
            self.links[tail] += step.count;
            self.slowest[tail] = self.slowest[tail].max(self.slowest[head] + self.router.hop_latency[step.channel as usize]);
        }
    }

    /// Hops from `node` to the destination, if it was reached.
    #[must_use]
    pub fn hops(&self, node: u32) -> Option<u32> {
        Some(self.distance[node as usize]).filter(|&hops| hops != UNREACHED)
    }

    /// Latency of the slowest shortest path from `node`, if it was reached.
    #[must_use]
    pub fn slowest(&self, node: u32) -> Option<Seconds> {
        self.hops(node).map(|_| Seconds::new(self.slowest[node as usize]))
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
        self.drain(loads);
    }

    /// As [`Routes::push`], but every source first splits its bytes evenly over all links that lead to the destination in at most
    /// one hop more than the shortest path; from there on the shortest paths are taken.
    pub fn push_with_detours(&mut self, sources: impl Iterator<Item = (u32, f64)>, loads: &mut [f64]) {
        let Some(&destination) = self.order.first() else { return };
        for (node, bytes) in sources {
            let distance = self.distance[node as usize];
            if distance == UNREACHED {
                continue;
            }
            let near_enough = |neighbour: u32| {
                let left = self.distance[neighbour as usize];
                left <= distance && left != UNREACHED && (neighbour == destination || self.router.forwards[neighbour as usize])
            };
            let links: u32 = self.router.half_edges(node).iter().filter(|half| near_enough(half.neighbour)).map(|half| half.count).sum();
            for half in self.router.half_edges(node).iter().filter(|half| near_enough(half.neighbour)) {
                let share = bytes * f64::from(half.count) / f64::from(links);
                loads[half.channel as usize] += share;
                self.held[half.neighbour as usize] += share;
            }
        }
        self.drain(loads);
    }

    /// Channels of a tree that joins the sources to the destination: flows that meet at a node leave it as one, as they do where
    /// switches reduce. Among equal parents `turn` picks, so that the trees of several roots spread.
    #[must_use]
    pub fn aggregation_tree(&self, sources: impl Iterator<Item = u32>, turn: u32) -> Vec<u32> {
        let mut parents = vec![0u32; self.distance.len()];
        for step in &self.steps {
            parents[step.tail as usize] += 1;
        }
        let mut joined = vec![false; self.distance.len()];
        for node in sources {
            joined[node as usize] = self.distance[node as usize] != UNREACHED;
        }
        let mut seen = vec![0u32; self.distance.len()];
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
        for step in self.steps.iter().rev() {
            let bytes = self.held[step.tail as usize];
            if bytes == 0.0 {
                continue;
            }
            let share = bytes * f64::from(step.count) / f64::from(self.links[step.tail as usize]);
            loads[step.channel as usize] += share;
            self.held[step.head as usize] += share;
        }
        for &node in &self.order {
            self.held[node as usize] = 0.0;
        }
    }

    /// Latency to the destination from every reached node that the caller `wants`, nearest first.
    ///
    /// One pass over the steps: a node's mean is the mean over its next hops of hop plus theirs.
    pub fn latencies(&self, wants: impl Fn(u32) -> bool) -> Vec<(u32, PathLatency)> {
        let mut mean = vec![0.0; self.distance.len()];
        if let Some(&destination) = self.order.first() {
            mean[destination as usize] = self.router.end_latency[destination as usize];
        }
        for step in &self.steps {
            let onwards = self.router.hop_latency[step.channel as usize] + mean[step.head as usize];
            mean[step.tail as usize] += onwards * f64::from(step.count) / f64::from(self.links[step.tail as usize]);
        }
        let latency = |node: u32| PathLatency {
            hops: self.distance[node as usize],
            mean: Seconds::new(mean[node as usize]),
            max: Seconds::new(self.slowest[node as usize]),
        };
        self.order.iter().skip(1).filter(|&&node| wants(node)).map(|&node| (node, latency(node))).collect()
    }
}
