//! The fabric with equivalent nodes merged.
//!
//! Two nodes are *equivalent* if no link joins them and both have the same neighbours over links of the same number, latency and dimension:
//! chips below the same switches, or spines of a plane, on any machine. Exchanging equivalent nodes maps the fabric onto itself. So traffic that
//! treats them alike loads their links alike. Equivalent nodes are merged into one node; its channels carry the sum of their traffic, and each
//! member carries an equal part of the sum.
//!
//! All sets of equivalent nodes can be merged at once: either every member of a set has a link to every member of a neighbouring set, or no
//! member has.

use super::policy::mix;
use super::router::{HalfEdge, Router, half_edges, narrow};
use crate::fabric::graph::Channel;

const NONE: u32 = u32::MAX;

/// What becomes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The node is left out: it sends, receives and forwards nothing.
    LeaveOut,
    /// The node is not merged.
    Alone,
    /// The node is merged with equivalent nodes of the same number. Traffic treats all nodes of a number alike.
    With(u8),
}

/// A fabric in which a node stands for a set of equivalent nodes.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Router of the merged fabric. Parallel links are all links between two sets.
    pub router: Router,
    /// Members of each merged node, in rising order. Merged nodes are in the order of their first members.
    pub sets: Vec<Vec<u32>>,
    /// Number of the set of each node; [`NONE`] for nodes that are left out.
    set_of: Vec<u32>,
    /// Merged channel of each channel; [`NONE`] if an end is left out.
    part_of: Vec<u32>,
    /// One over the number of edges of each merged edge.
    part: Vec<f64>,
}

impl Merged {
    /// Set of a node, unless the node is left out.
    #[must_use]
    pub fn set_of(&self, node: u32) -> Option<u32> {
        self.set_of.get(node as usize).copied().filter(|set| *set != NONE)
    }

    /// Divides the loads of merged channels over their channels.
    #[must_use]
    pub fn spread(&self, merged: &[f64]) -> Vec<f64> {
        let parts: Vec<f64> = merged.iter().enumerate().map(|(channel, bytes)| bytes * self.part[channel / 2]).collect();
        self.part_of.iter().map(|&channel| parts.get(channel as usize).copied().unwrap_or(0.0)).collect()
    }
}

/// Links between nodes that are not left out. Equivalent nodes list their links in the same order.
struct NodeLinks<'a> {
    router: &'a Router,
    start: Vec<u32>,
    half_edges: Vec<HalfEdge>,
}

impl Router {
    /// Merges equivalent nodes. Nodes that forward traffic must not be left out.
    #[must_use]
    pub fn merged(&self, merge: impl Fn(u32) -> Merge) -> Merged {
        let merge: Vec<Merge> = (0..narrow(self.nodes())).map(merge).collect();
        let links = NodeLinks::new(self, &merge);
        let sets = links.sets(&merge);
        let mut set_of = vec![NONE; self.nodes()];
        for (set, members) in (0u32..).zip(&sets) {
            members.iter().for_each(|&node| set_of[node as usize] = set);
        }
        let first_of = |node: u32| sets.get(set_of[node as usize] as usize).map(|members| members[0]);

        // The edges between the first members of sets stand for all others.
        let (mut channels, mut part_of) = (Vec::new(), vec![NONE; self.channels.len()]);
        let (mut latency_of, mut dimension, mut plane, mut part) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut others = Vec::new();
        for (edge, pair) in self.channels.chunks_exact(2).enumerate() {
            let Channel { from, to, link, count } = pair[0];
            let (Some(first), Some(second)) = (first_of(from), first_of(to)) else { continue };
            if (first, second) != (from, to) {
                others.push(2 * edge);
                continue;
            }
            let merged_ends = [set_of[from as usize], set_of[to as usize]];
            let edges = merged_ends.iter().map(|&set| narrow(sets[set as usize].len())).product::<u32>();
            for (direction, [from, to]) in [merged_ends, [merged_ends[1], merged_ends[0]]].into_iter().enumerate() {
                part_of[2 * edge + direction] = narrow(channels.len());
                channels.push(Channel { from, to, link, count: count * edges });
                latency_of.push(self.latency_of[2 * edge + direction]);
            }
            dimension.push(self.dimension[edge]);
            plane.push(self.plane[edge]);
            part.push(1.0 / f64::from(edges));
        }
        let place = links.places();
        for channel in others {
            let Channel { from, to, .. } = self.channels[channel];
            let at_first_source = links.of(first_of(from).unwrap_or(from))[place[channel] as usize].channel;
            let back = links.of(first_of(to).unwrap_or(to))[place[at_first_source as usize ^ 1] as usize].channel;
            part_of[channel] = part_of[back as usize ^ 1];
            part_of[channel + 1] = part_of[channel] ^ 1;
        }

        let (first, half_edges) = half_edges(&channels, &latency_of, sets.len());
        let of_first = |of: &[f64]| sets.iter().map(|members| of[members[0] as usize]).collect();
        let router = Self {
            policy: self.policy,
            first,
            half_edges,
            forwards: sets.iter().map(|members| self.forwards[members[0] as usize]).collect(),
            latencies: self.latencies.clone(),
            latency_of,
            end_latency: of_first(&self.end_latency),
            dimension,
            plane,
            grid: None,
            channels,
        };
        Merged { router, sets, set_of, part_of, part }
    }
}

/// Properties in which links of equivalent nodes must agree.
type LinkProperties = (u32, u32, u16, u16, u64);

impl<'a> NodeLinks<'a> {
    fn new(router: &'a Router, merge: &[Merge]) -> Self {
        let takes_part = |node: u32| merge[node as usize] != Merge::LeaveOut;
        let mut links = Self { router, start: Vec::with_capacity(router.nodes() + 1), half_edges: Vec::with_capacity(router.channels.len()) };
        links.start.push(0);
        for node in 0..narrow(router.nodes()) {
            let start = links.half_edges.len();
            if takes_part(node) {
                links.half_edges.extend(router.half_edges(node).iter().filter(|half| takes_part(half.neighbour)));
                let own = &mut links.half_edges[start..];
                let order = |half: &HalfEdge| (kind(router, half), half.channel);
                if !own.is_sorted_by_key(order) {
                    own.sort_unstable_by_key(order);
                }
            }
            links.start.push(narrow(links.half_edges.len()));
        }
        links
    }

    fn of(&self, node: u32) -> &[HalfEdge] {
        &self.half_edges[self.start[node as usize] as usize..self.start[node as usize + 1] as usize]
    }

    /// Place of every channel among the links of its sender.
    fn places(&self) -> Vec<u32> {
        let mut place = vec![NONE; self.router.channels.len()];
        for node in 0..self.router.nodes() {
            let own = self.start[node] as usize..self.start[node + 1] as usize;
            (0u32..).zip(&self.half_edges[own]).for_each(|(number, half)| place[half.channel as usize] = number);
        }
        place
    }

    fn are_equivalent(&self, a: u32, b: u32) -> bool {
        let (router, kind) = (self.router, |half: &HalfEdge| kind(self.router, half));
        router.forwards[a as usize] == router.forwards[b as usize]
            && router.end_latency[a as usize] == router.end_latency[b as usize]
            && self.of(a).len() == self.of(b).len()
            && self.of(a).iter().zip(self.of(b)).all(|(a, b)| kind(a) == kind(b))
    }

    /// Sets of equivalent nodes, without nodes that are left out.
    fn sets(&self, merge: &[Merge]) -> Vec<Vec<u32>> {
        let mut sets: Vec<Vec<u32>> = Vec::new();
        let mut prints: Vec<(u64, u32)> = Vec::new();
        for (node, &merge) in (0u32..).zip(merge) {
            match merge {
                Merge::LeaveOut => {}
                Merge::Alone => sets.push(vec![node]),
                Merge::With(number) => {
                    let print = |print, half: &HalfEdge| mix(print, half.neighbour, half.count, u32::from(half.latency_back));
                    prints.push((self.of(node).iter().fold(u64::from(number), print), node));
                }
            }
        }
        prints.sort_unstable();
        for alike in prints.chunk_by(|a, b| a.0 == b.0) {
            // Equal fingerprints of nodes that are not equivalent are next to impossible. Such nodes are not merged, which is also correct.
            let first = alike[0].1;
            let joins = |node: u32| merge[node as usize] == merge[first as usize] && self.are_equivalent(first, node);
            let (equivalent, others): (Vec<u32>, Vec<u32>) = alike.iter().map(|&(_, node)| node).partition(|&node| joins(node));
            sets.push(equivalent);
            sets.extend(others.into_iter().map(|node| vec![node]));
        }
        sets.sort_unstable_by_key(|members| members[0]);
        sets
    }
}

fn kind(router: &Router, half: &HalfEdge) -> LinkProperties {
    (half.neighbour, half.count, router.latency_of[half.channel as usize], half.latency_back, router.dimension[half.channel as usize / 2])
}
