//! The fabric with twins made one.
//!
//! Two nodes are *twins* if no link joins them and both have the same neighbours over links of the same number, latency and dimension.
//! Exchanging them changes nothing else in the fabric. So traffic that does not tell them apart loads the links of both alike: one node
//! with the links of all of them carries what they carry together, and each has an equal part of it. The chips below the same switches
//! are twins, and so are the spines of a plane, whatever the rest of the machine looks like.
//!
//! Sets of twins may all be made one at once: every member of a set has a link to every member of a neighbouring set, or none has.

use super::policy::mix;
use super::router::{HalfEdge, Router, half_edges, narrow};
use crate::fabric::graph::Channel;

const NONE: u32 = u32::MAX;

/// What becomes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It takes no part: it sends and receives nothing, and passes nothing on.
    LeaveOut,
    /// It stays a node of its own.
    Alone,
    /// It joins its twins of the same number, between which the traffic does not distinguish.
    With(u8),
}

/// A fabric in which a node stands for a set of twins.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Of the merged fabric: its parallel links are all those between two sets.
    pub router: Router,
    /// Members of each of its nodes, in rising order; nodes are in the order of their first members.
    pub sets: Vec<Vec<u32>>,
    /// Number of the set of each node; [`NONE`] for those left out.
    set_of: Vec<u32>,
    /// Channel of the merged fabric that each channel is part of; [`NONE`] where an end is left out.
    part_of: Vec<u32>,
    /// One over how many edges each merged edge stands for.
    part: Vec<f64>,
}

impl Merged {
    /// The set that a node is part of, unless it is left out.
    #[must_use]
    pub fn set_of(&self, node: u32) -> Option<u32> {
        self.set_of.get(node as usize).copied().filter(|set| *set != NONE)
    }

    /// Gives each channel its part of what the merged ones carry.
    #[must_use]
    pub fn spread(&self, merged: &[f64]) -> Vec<f64> {
        let parts: Vec<f64> = merged.iter().enumerate().map(|(channel, bytes)| bytes * self.part[channel / 2]).collect();
        self.part_of.iter().map(|&channel| parts.get(channel as usize).copied().unwrap_or(0.0)).collect()
    }
}

/// The links of the nodes that take part, to others that do; twins list theirs in the same order.
struct Links<'a> {
    router: &'a Router,
    start: Vec<u32>,
    half_edges: Vec<HalfEdge>,
}

impl Router {
    /// Makes twins one. Nodes that pass traffic on must not be left out.
    #[must_use]
    pub fn merged(&self, merge: impl Fn(u32) -> Merge) -> Merged {
        let merge: Vec<Merge> = (0..narrow(self.nodes())).map(merge).collect();
        let links = Links::new(self, &merge);
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
            channels,
        };
        Merged { router, sets, set_of, part_of, part }
    }
}

/// All that tells the links of twins apart.
type Kind = (u32, u32, u16, u16, u64);

impl<'a> Links<'a> {
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

    fn are_twins(&self, a: u32, b: u32) -> bool {
        let (router, kind) = (self.router, |half: &HalfEdge| kind(self.router, half));
        router.forwards[a as usize] == router.forwards[b as usize]
            && router.end_latency[a as usize] == router.end_latency[b as usize]
            && self.of(a).len() == self.of(b).len()
            && self.of(a).iter().zip(self.of(b)).all(|(a, b)| kind(a) == kind(b))
    }

    /// The nodes that take part, in sets of twins.
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
            // Equal prints of nodes that are no twins are next to impossible; such nodes stay alone, which is right too.
            let first = alike[0].1;
            let is_twin = |node: u32| merge[node as usize] == merge[first as usize] && self.are_twins(first, node);
            let (twins, others): (Vec<u32>, Vec<u32>) = alike.iter().map(|&(_, node)| node).partition(|&node| is_twin(node));
            sets.push(twins);
            sets.extend(others.into_iter().map(|node| vec![node]));
        }
        sets.sort_unstable_by_key(|members| members[0]);
        sets
    }
}

fn kind(router: &Router, half: &HalfEdge) -> Kind {
    (half.neighbour, half.count, router.latency_of[half.channel as usize], half.latency_back, router.dimension[half.channel as usize / 2])
}
