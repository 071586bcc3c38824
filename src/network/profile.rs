//! Channel loads of a traffic pattern, once for one byte, so that any size is priced by a multiplication.
//!
//! Loads are exact: every destination's shortest-path DAG is walked once and all its sources' bytes are pushed down it. Where any two
//! chips of the machine are alike, one walk stands for all: a channel's load is the mean over its class.

use std::ops::Range;

use petgraph::visit::EdgeRef;
use rayon::prelude::*;

use crate::fabric::{ChannelId, Endpoint, Fabric, PathLatency, Router, payload_rate};
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// A fabric ready for traffic.
#[derive(Clone, Debug)]
pub struct Network<'a> {
    fabric: &'a Fabric,
    router: Router,
}

/// The most loaded link of one link part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Index into [`Fabric::links`].
    pub link: u16,
    /// Level of the edge.
    pub level: u8,
    /// Whether the channel leads outwards (from the first node of its edge: chip to switch, leaf to spine).
    pub outward: bool,
    /// Bytes over one of its parallel links when every pair of the pattern sends one byte.
    pub bytes_per_link: f64,
}

/// What one byte a pair does to the fabric.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// One entry for each level, link part and direction that carries anything, most loaded first at equal payload rates.
    pub peaks: Vec<Peak>,
    /// Longest path of the pattern.
    pub latency: Seconds,
    /// Links on the longest path.
    pub hops: u32,
    /// Bytes summed over all links when every pair sends one byte: what SerDes and switches spend energy on, by link part.
    pub link_bytes: Vec<f64>,
}

impl Profile {
    /// Nothing moves.
    #[must_use]
    pub fn silent(fabric: &Fabric) -> Self {
        Self { peaks: Vec::new(), latency: Seconds::ZERO, hops: 0, link_bytes: vec![0.0; fabric.links.len()] }
    }

    /// Time until the last byte has left the most loaded channel when every pair sends `bytes` in messages of `message` bytes,
    /// and that channel: `max over channels (bytes on the channel / payload rate)`.
    #[must_use]
    pub fn serialisation(&self, fabric: &Fabric, bytes: Bytes, message: Bytes) -> (Seconds, Option<Peak>) {
        self.peaks.iter().fold((Seconds::ZERO, None), |worst, peak| {
            let rate = payload_rate(&fabric.links[peak.link as usize], message);
            let time = bytes * peak.bytes_per_link / rate;
            if time > worst.0 { (time, Some(*peak)) } else { worst }
        })
    }
}

/// Destinations are walked in this many fixed parts, each added up on its own, so that sums do not depend on the number of threads.
const PARTS: usize = 16;

impl<'a> Network<'a> {
    /// Prepares a fabric.
    #[must_use]
    pub fn new(fabric: &'a Fabric) -> Self {
        Self { fabric, router: Router::new(fabric) }
    }

    /// The fabric.
    #[must_use]
    pub fn fabric(&self) -> &'a Fabric {
        self.fabric
    }

    /// Its router.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// What one chip can send to others, one direction, in long messages: the sum over its links, those to its host left out.
    #[must_use]
    pub fn injection(&self) -> BytesPerSecond {
        let long = Bytes::new(1e9);
        let graph = &self.fabric.graph;
        graph
            .edges(petgraph::graph::NodeIndex::new(0))
            .filter(|edge| graph[edge.target()].forwards || graph[edge.target()].endpoint == Endpoint::Chip)
            .map(|edge| payload_rate(&self.fabric.links[edge.weight().link as usize], long) * f64::from(edge.weight().count))
            .sum()
    }

    /// Every one of the first `members` chips sends one byte to every other.
    #[must_use]
    pub fn all_to_all(&self, members: u32) -> Profile {
        if members < 2 {
            return Profile::silent(self.fabric);
        }
        if members == self.fabric.chips && self.fabric.uniform { self.collapsed_all_to_all() } else { self.full_all_to_all(members) }
    }

    /// As [`Network::all_to_all`] without use of symmetry: the judge of the collapsed form, and the way for groups that fill only a
    /// part of the machine.
    #[must_use]
    pub fn full_all_to_all(&self, members: u32) -> Profile {
        let others = members.saturating_sub(1) as usize;
        self.sum_over_destinations(members, |routes, destination, loads| {
            routes.towards(destination, others, |node| node < members);
            routes.push((0..members).filter(|&source| source != destination).map(|source| (source, 1.0)), loads);
            (0..members).filter(|&source| source != destination).max_by_key(|&source| routes.hops(source)).and_then(|far| routes.latency(far))
        })
    }

    /// One destination stands for all: the load of every channel is the mean over its class and direction.
    fn collapsed_all_to_all(&self) -> Profile {
        let chips = self.fabric.chips;
        let mut loads = vec![0.0; self.router.channels().len()];
        let mut routes = self.router.routes();
        routes.towards(0, chips as usize - 1, |node| node < chips);
        routes.push((1..chips).map(|source| (source, 1.0)), &mut loads);
        let longest = (1..chips).max_by_key(|&source| routes.hops(source)).and_then(|far| routes.latency(far));
        let class = |channel: usize| self.fabric.channel_class(ChannelId(u32::try_from(channel).unwrap_or(u32::MAX))) as usize;
        let classes = (0..loads.len()).map(|channel| class(channel) + 1).max().unwrap_or(0);
        let mut totals = vec![(0.0, 0u64); classes];
        for (channel, load) in loads.iter().enumerate() {
            let total = &mut totals[class(channel)];
            *total = (total.0 + load, total.1 + 1);
        }
        for (channel, load) in loads.iter_mut().enumerate() {
            let (sum, members) = totals[class(channel)];
            *load = sum * f64::from(chips) / members as f64;
        }
        self.profile(&loads, longest)
    }

    /// Each of the first `members` chips sends one byte to the next, the last one to the first.
    #[must_use]
    pub fn ring(&self, members: u32) -> Profile {
        if members < 2 {
            return Profile::silent(self.fabric);
        }
        self.sum_over_destinations(members, |routes, destination, loads| {
            let source = (destination + members - 1) % members;
            routes.towards(destination, 1, |node| node == source);
            routes.push(std::iter::once((source, 1.0)), loads);
            routes.latency(source)
        })
    }

    /// The first chip sends one byte to each other of the first `members`.
    #[must_use]
    pub fn from_root(&self, members: u32) -> Profile {
        if members < 2 {
            return Profile::silent(self.fabric);
        }
        self.sum_over_destinations(members, |routes, destination, loads| {
            if destination == 0 {
                return None;
            }
            routes.towards(destination, 1, |node| node == 0);
            routes.push(std::iter::once((0, 1.0)), loads);
            routes.latency(0)
        })
    }

    /// Every chip of `sources` sends one byte to every chip of `destinations`; the two do not overlap.
    #[must_use]
    pub fn between(&self, sources: Range<u32>, destinations: Range<u32>) -> Profile {
        let first = destinations.start;
        self.sum_over_destinations(destinations.end - first, |routes, index, loads| {
            routes.towards(first + index, sources.len(), |node| sources.contains(&node));
            routes.push(sources.clone().map(|source| (source, 1.0)), loads);
            routes.latency(sources.start)
        })
    }

    /// One chip sends one byte to another.
    #[must_use]
    pub fn pair(&self, source: u32, destination: u32) -> Profile {
        let mut routes = self.router.routes();
        let mut loads = vec![0.0; self.router.channels().len()];
        routes.towards(destination, 1, |node| node == source);
        routes.push(std::iter::once((source, 1.0)), &mut loads);
        self.profile(&loads, routes.latency(source))
    }

    /// Adds up what `send` does for every destination, in parallel, in an order that does not depend on the threads.
    fn sum_over_destinations<F>(&self, members: u32, send: F) -> Profile
    where
        F: Fn(&mut crate::fabric::Routes<'_>, u32, &mut [f64]) -> Option<PathLatency> + Sync,
    {
        let part_size = (members as usize).div_ceil(PARTS).max(1);
        let destinations: Vec<u32> = (0..members).collect();
        let parts: Vec<(Vec<f64>, Option<PathLatency>)> = destinations
            .par_chunks(part_size)
            .map(|part| {
                let mut routes = self.router.routes();
                let mut loads = vec![0.0; self.router.channels().len()];
                let mut longest = None;
                for &destination in part {
                    longest = longer(longest, send(&mut routes, destination, &mut loads));
                }
                (loads, longest)
            })
            .collect();
        let mut loads = vec![0.0; self.router.channels().len()];
        let mut longest = None;
        for (part, path) in &parts {
            for (total, load) in loads.iter_mut().zip(part) {
                *total += load;
            }
            longest = longer(longest, *path);
        }
        self.profile(&loads, longest)
    }

    fn profile(&self, loads: &[f64], longest: Option<PathLatency>) -> Profile {
        let mut profile = Profile::silent(self.fabric);
        for (id, (&load, channel)) in loads.iter().zip(self.router.channels()).enumerate() {
            if load == 0.0 {
                continue;
            }
            profile.link_bytes[channel.link as usize] += load;
            let level = self.fabric.graph.raw_edges()[id / 2].weight.level;
            let peak = Peak { link: channel.link, level, outward: id % 2 == 0, bytes_per_link: load / f64::from(channel.count) };
            match profile.peaks.iter_mut().find(|known| (known.link, known.level, known.outward) == (peak.link, peak.level, peak.outward)) {
                Some(known) => known.bytes_per_link = known.bytes_per_link.max(peak.bytes_per_link),
                None => profile.peaks.push(peak),
            }
        }
        profile.peaks.sort_by(|a, b| b.bytes_per_link.total_cmp(&a.bytes_per_link));
        if let Some(path) = longest {
            profile.latency = path.max;
            profile.hops = path.hops;
        }
        profile
    }
}

fn longer(a: Option<PathLatency>, b: Option<PathLatency>) -> Option<PathLatency> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.max > a.max { b } else { a }),
        (a, b) => a.or(b),
    }
}
