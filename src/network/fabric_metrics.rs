//! Properties of the fabric without traffic: injection, bisection, diameter, latency, oversubscription.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::network::Network;
use super::routed::{Carried, Distance};
use crate::fabric::{AT_ONCE, Channel, ChannelId, Fabric, Node, WalkEnd, payload_rate};
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// Bandwidths are one direction; latencies are one way between chips, endpoints included, without software.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FabricMetrics {
    /// Bandwidth with which one chip can send.
    pub injection: BytesPerSecond,
    /// Bandwidth from the first half of the chips to the second half, all at once, over the routes of real traffic.
    pub bisection: BytesPerSecond,
    /// Links on the longest shortest path between chips.
    pub diameter: u32,
    /// Nearest pair.
    pub latency_min: Seconds,
    /// Mean over all pairs.
    pub latency_mean: Seconds,
    /// Farthest pair.
    pub latency_max: Seconds,
    /// Pairs of chips by the links between them, nearest first.
    pub distances: Vec<Distance>,
    /// Groups with the bandwidth that leaves them, innermost first. The outermost level is not listed.
    pub groups: Vec<GroupReach>,
}

/// Oversubscription of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupReach {
    /// Level of the group, or of the leaf switch that makes it one.
    pub name: String,
    /// Chips in it.
    pub chips: u32,
    /// Bandwidth of all links out of the group, one direction.
    pub outward: BytesPerSecond,
    /// Bandwidth of its chips divided by the bandwidth out of the group.
    pub oversubscription: f64,
}

/// Long enough for headers to be whole packets of payload apart.
const LONG: Bytes = Bytes::new(1e9);

/// Surveys a fabric.
#[must_use]
pub fn fabric_metrics(network: &Network<'_>) -> FabricMetrics {
    let distances = network.known().distances(|| distances(network)).to_vec();
    let mean = distances.iter().map(|distance| distance.latency_mean * distance.share).sum();
    FabricMetrics {
        injection: network.injection(),
        bisection: bisection(network),
        diameter: distances.last().map_or(0, |distance| distance.hops),
        latency_min: distances.iter().map(|distance| distance.latency_min).reduce(Seconds::min).unwrap_or_default(),
        latency_mean: mean,
        latency_max: distances.iter().map(|distance| distance.latency_max).fold(Seconds::ZERO, Seconds::max),
        distances,
        groups: groups(network),
    }
}

/// One chip of every class, with the number of chips that it stands for.
fn representatives<Class: Ord>(fabric: &Fabric, chips: Range<u32>, class: impl Fn(u32) -> Class) -> Vec<(u32, u32)> {
    let mut classes: BTreeMap<Class, (u32, u32)> = BTreeMap::new();
    for chip in chips.start..chips.end.min(fabric.chips) {
        classes.entry(class(chip)).or_insert((chip, 0)).1 += 1;
    }
    classes.into_values().collect()
}

fn chip(fabric: &Fabric, chip: u32) -> &Node {
    &fabric.graph.raw_nodes()[chip as usize].weight
}

/// Paths to one chip of every class, weighted by the chips it stands for.
fn distances(network: &Network<'_>) -> Vec<Distance> {
    let fabric = network.fabric();
    let chips = fabric.chips;
    let representatives = representatives(fabric, 0..chips, |number| chip(fabric, number).class);
    let found: Vec<Vec<HopBand>> = representatives
        .par_chunks(representatives.len().div_ceil(PARTS).max(1))
        .map(|part| {
            let (mut walks, mut routes) = (network.router().route_block(), network.router().routes());
            let mut bands = Vec::new();
            for block in part.chunks(AT_ONCE) {
                let together = block.len() >= CLASSES_PER_BLOCK;
                if together {
                    walks.aim(block.iter().map(|&(node, _)| WalkEnd { node, is_set: false }), |node| node < chips);
                }
                for (place, &(destination, members)) in block.iter().enumerate() {
                    if together {
                        walks.lead(place, &mut routes);
                    } else {
                        routes.towards(destination, chips as usize - 1, |node| node < chips);
                    }
                    for (_, path) in routes.latencies(|node| node < chips) {
                        let (pairs, mean, max) = (f64::from(members), path.mean.get(), path.max.get());
                        add(&mut bands, path.hops as usize, HopBand { pairs, sum: mean * pairs, min: mean, max });
                    }
                }
            }
            bands
        })
        .collect();
    let mut bands = Vec::new();
    for (hops, band) in found.into_iter().flat_map(|part| part.into_iter().enumerate()) {
        add(&mut bands, hops, band);
    }
    let all: f64 = bands.iter().map(|band| band.pairs).sum();
    let distance = |(hops, band): (u32, HopBand)| Distance {
        hops,
        share: band.pairs / all,
        latency_min: Seconds::new(band.min),
        latency_mean: Seconds::new(band.sum / band.pairs),
        latency_max: Seconds::new(band.max),
    };
    (0..).zip(bands).filter(|(_, band)| band.pairs > 0.0).map(distance).collect()
}

/// Pairs of chips with equally many links between them: how many, the sum of their mean latencies, the fastest and the slowest.
#[derive(Clone, Copy)]
struct HopBand {
    pairs: f64,
    sum: f64,
    min: f64,
    max: f64,
}

/// Adds pairs to the band of so many hops.
fn add(bands: &mut Vec<HopBand>, hops: usize, more: HopBand) {
    if bands.len() <= hops {
        bands.resize(hops + 1, HopBand { pairs: 0.0, sum: 0.0, min: f64::INFINITY, max: 0.0 });
    }
    let HopBand { pairs, sum, min, max } = bands[hops];
    bands[hops] = HopBand { pairs: pairs + more.pairs, sum: sum + more.sum, min: min.min(more.min), max: max.max(more.max) };
}

/// Below this many classes of chips, a walk towards one of each costs less than aiming at all of them together.
const CLASSES_PER_BLOCK: usize = 16;

/// Destinations are walked in this many fixed parts, so that sums do not depend on the number of threads.
const PARTS: usize = 16;

/// Every chip of the first half sends one byte to every chip of the second; what crosses over the time of the busiest channel.
///
/// The symmetries that keep the halves apart turn one destination into others of its class and sector, and a channel into others
/// between the same sectors. Where the machine has none that are known, every destination is walked.
fn bisection(network: &Network<'_>) -> BytesPerSecond {
    let fabric = network.fabric();
    let half = fabric.chips / 2;
    if half == 0 {
        return BytesPerSecond::ZERO;
    }
    let time = match fabric.sectors {
        Some(sectors) => busiest_by_sector(network, half, sectors),
        None => network.between(0..half, half..half * 2).serialisation(fabric, LONG, LONG).0,
    };
    LONG * (f64::from(half) * f64::from(half)) / time
}

fn busiest_by_sector(network: &Network<'_>, half: u32, sectors: u32) -> Seconds {
    let carried = network.known().between_halves(|| carried_by_sector(network, half, sectors));
    let rate = |of: &Carried| payload_rate(&network.fabric().links[of.link as usize], LONG) * f64::from(of.count);
    carried.iter().map(|of| LONG * of.bytes / rate(of)).fold(Seconds::ZERO, Seconds::max)
}

fn carried_by_sector(network: &Network<'_>, half: u32, sectors: u32) -> Vec<Carried> {
    let fabric = network.fabric();
    let run = fabric.chips / sectors;
    // A node that serves more than one sector belongs to none.
    let sector = |node: &Node| if node.chips <= run { node.first_chip / run } else { u32::MAX };
    let key = |number: u32| (chip(fabric, number).class, sector(chip(fabric, number)));
    let mut loads = vec![0.0; network.router().channels().len()];
    let mut routes = network.router().routes();
    for (destination, members) in representatives(fabric, half..half * 2, key) {
        routes.towards(destination, half as usize, |node| node < half);
        routes.push((0..half).map(|source| (source, f64::from(members))), &mut loads);
    }
    let mut classes: BTreeMap<(u32, u32, u32), (f64, u32, u32)> = BTreeMap::new();
    for (number, channel) in (0u32..).zip(network.router().channels()) {
        let [from, to] = [channel.from, channel.to].map(|node| sector(&fabric.graph.raw_nodes()[node as usize].weight));
        let class = classes.entry((fabric.channel_class(ChannelId(number)), from, to)).or_insert((0.0, 0, number));
        (class.0, class.1) = (class.0 + loads[number as usize], class.1 + 1);
    }
    let carried = |(load, members, first): &(f64, u32, u32)| {
        let Channel { link, count, .. } = network.router().channels()[*first as usize];
        Carried { bytes: load / f64::from(*members), link, count }
    };
    classes.values().map(carried).collect()
}

/// One group of every level but the outermost, and one leaf of every level with leaves of its own.
fn groups(network: &Network<'_>) -> Vec<GroupReach> {
    let fabric = network.fabric();
    let injection = network.injection();
    let mut spans: BTreeMap<u32, String> = BTreeMap::new();
    for node in fabric.graph.node_weights().filter(|node| node.first_chip == 0 && node.chips > 1 && node.chips < fabric.chips) {
        let name = &fabric.level_names[usize::from(node.level)];
        spans.entry(node.chips).or_insert_with(|| format!("leaf of {name}"));
    }
    let mut chips = 1;
    for (name, size) in fabric.level_names.iter().zip(&fabric.level_sizes) {
        chips *= size;
        if chips > 1 && chips < fabric.chips {
            spans.insert(chips, name.clone());
        }
    }
    let inside = |node: u32, chips: u32| {
        let node = &fabric.graph.raw_nodes()[node as usize].weight;
        node.first_chip + node.chips <= chips
    };
    spans
        .into_iter()
        .map(|(chips, name)| {
            let leaving = network.router().channels().iter().filter(|channel| inside(channel.from, chips) && !inside(channel.to, chips));
            let outward = leaving.map(|channel| payload_rate(&fabric.links[channel.link as usize], LONG) * f64::from(channel.count)).sum();
            GroupReach { name, chips, outward, oversubscription: injection * f64::from(chips) / outward }
        })
        .collect()
}
