//! Latency against load: packets at a given fraction of the chips' sending rate, one run for each point.

use std::sync::Arc;

use rayon::prelude::*;

use super::group::Group;
use super::network::{LONG_MESSAGE, Network};
use super::packet_level::PacketLevel;
use super::packets::{Aim, LatencyHistogram, OfferedLoad, PacketError, Spacing, Watch, picoseconds};
use super::pattern::TrafficPattern;
use super::queue_places::{QueuePlace, QueuesOverTime, queue_kinds, queue_places};
use crate::units::{Bytes, Seconds};

/// Who sends to whom at a given rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadPattern {
    /// Every chip to all others, drawn evenly.
    Uniform,
    /// Every chip to the chip half of the machine further on.
    Permutation,
    /// All chips to the first; the load is the first one's.
    Incast,
    /// As uniform, but every eighth chip is drawn twice as often.
    Hotspot,
    /// As uniform, but the probability of a receiver falls linearly from `imbalance` times the mean to equally far below the mean.
    Experts {
        /// Packets for the most popular chip over the mean, 1 to 2.
        imbalance: f64,
    },
}

/// One of this many chips is hot.
const HOT_EVERY: u32 = 8;

/// Probability of a hot chip over the probability of another chip.
const HOT_WEIGHT: f64 = 2.0;

/// Minimum number of packets measured at each point: in total, and of each sender. A warm-up of half the length comes before.
const PACKETS_MEASURED: f64 = 200_000.0;
const PACKETS_OF_A_SENDER: f64 = 500.0;

/// Minimum of the warm-up and of the measurement in latencies of a path without queues: the first packets must have arrived, and queues
/// have grown, before arrivals are counted, however short packets are.
const PATHS_OF_WARM_UP: f64 = 2.0;
const PATHS_MEASURED: f64 = 1.0;

/// Fraction of the offered load that must be accepted below saturation; the rest is noise of a finite run.
const SATURATED_BELOW: f64 = 0.97;

/// How often the interval between two points that holds the saturation is halved, a run each time.
const HALVINGS: u32 = 4;

/// One point of the curve.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadPoint {
    /// Share of the sending rate that is offered; of the first chip's receiving rate in an incast.
    pub offered: f64,
    /// Share that arrives.
    pub accepted: f64,
    /// From ready at the sender until the last bit has arrived, waiting at the sender included.
    pub latency: LatencyHistogram,
    /// Where packets wait, most first.
    pub queues: Vec<QueuePlace>,
    /// What waited over time, warm-up included, if asked for.
    pub over_time: QueuesOverTime,
    /// Packets that were damaged or found no room, each time they did; they were sent again, and their latency counts from their first start.
    pub lost: u64,
    /// Packets over channels.
    pub hops: u64,
}

/// Latency against load.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadCurve {
    /// In order of load.
    pub points: Vec<LoadPoint>,
    /// Saturation: the load from which on less than 97 % of the offered load arrives. This is the middle of an interval between two points, which
    /// four more runs have narrowed to a sixteenth. `None` if no point saturates.
    pub saturation: Option<f64>,
    /// Load at which max-min fair flows fill a channel.
    pub flow_saturation: f64,
    /// Mean over the pairs of the pattern of their slowest path, and one packet on a chip's slowest port, without queues.
    pub flow_latency: Seconds,
}

impl LoadPattern {
    /// Names on the command line.
    pub const NAMES: [&'static str; 5] = ["uniform", "permutation", "incast", "hotspot", "experts"];

    /// Weight with which a chip is drawn; mean 1 over all chips up to rounding of the eighths.
    fn weight(self, chip: u32, chips: u32) -> f64 {
        match self {
            Self::Uniform | Self::Permutation | Self::Incast => 1.0,
            Self::Hotspot => {
                let hot = f64::from(chips.div_ceil(HOT_EVERY));
                let scale = f64::from(chips) / (f64::from(chips) + hot * (HOT_WEIGHT - 1.0));
                scale * if chip.is_multiple_of(HOT_EVERY) { HOT_WEIGHT } else { 1.0 }
            }
            Self::Experts { imbalance } => imbalance - 2.0 * (imbalance - 1.0) * f64::from(chip) / f64::from(chips.max(2) - 1),
        }
    }

    /// Whether one chip ever sends to another.
    fn joins(self, sender: u32, receiver: u32, chips: u32) -> bool {
        match self {
            Self::Permutation => receiver == (sender + chips / 2) % chips,
            Self::Incast => receiver == 0,
            Self::Uniform | Self::Hotspot | Self::Experts { .. } => true,
        }
    }

    fn aim(self, chip: u32, chips: u32, weights: &Arc<[(u32, f64)]>) -> Option<Aim> {
        match self {
            Self::Permutation => Some(Aim::At((chip + chips / 2) % chips)),
            Self::Incast => (chip != 0).then_some(Aim::At(0)),
            Self::Uniform | Self::Hotspot | Self::Experts { .. } => Some(Aim::Weighted(Arc::clone(weights))),
        }
    }

    /// Load at which fair flows fill a channel: that of the fabric under even traffic, or of the most popular chip's own ports.
    fn flow_saturation(self, network: &Network<'_>, chips: u32) -> f64 {
        let pattern = match self {
            Self::Permutation => TrafficPattern::Shift(chips / 2),
            Self::Incast => return 1.0,
            Self::Uniform | Self::Hotspot | Self::Experts { .. } => TrafficPattern::AllPairs,
        };
        let profile = network.play(&Group::first(chips), pattern);
        let byte = Bytes::new(1.0);
        let wire = profile.serialisation(network.fabric(), byte, LONG_MESSAGE).0;
        let sent = byte * (profile.sent_bytes / f64::from(chips)) / network.injection();
        let popular = (0..chips).map(|chip| self.weight(chip, chips)).fold(1.0, f64::max);
        (sent / wire).min(1.0 / popular)
    }
}

/// Runs every point, in parallel, and looks at the queues so many times while packets are offered.
///
/// # Errors
/// Chips that are not joined, packets that wait for each other in a circle.
pub fn load_curve(network: &Network<'_>, level: &PacketLevel, pattern: LoadPattern, offered: &[f64], looks: u32) -> Result<LoadCurve, PacketError> {
    let chips = network.fabric().chips;
    let flow_latency = mean_path(network, pattern) + level.packet_time();
    let length = PointLength { packets: PACKETS_MEASURED, path: flow_latency, looks, watched: None };
    // All points end before the first error in order is taken: which error comes first depends on the number of threads.
    let points: Vec<Result<LoadPoint, PacketError>> = offered.par_iter().map(|&offered| point(network, level, pattern, offered, length)).collect();
    let points: Vec<LoadPoint> = points.into_iter().collect::<Result<_, _>>()?;
    let saturation = saturation(network, level, pattern, &points, length)?;
    Ok(LoadCurve { saturation, points, flow_saturation: pattern.flow_saturation(network, chips), flow_latency })
}

/// One point of the curve, from at least so many packets; latencies are those of packets from and to chip `watched`, if there is one.
///
/// # Errors
/// As [`load_curve`].
pub fn load_point(
    network: &Network<'_>,
    level: &PacketLevel,
    pattern: LoadPattern,
    offered: f64,
    packets: f64,
    watched: Option<u32>,
) -> Result<LoadPoint, PacketError> {
    let path = mean_path(network, pattern) + level.packet_time();
    point(network, level, pattern, offered, PointLength { packets, path, looks: 0, watched })
}

/// How long a point is measured.
#[derive(Clone, Copy, Debug)]
struct PointLength {
    /// Packets at least.
    packets: f64,
    /// Latency without queues.
    path: Seconds,
    /// Looks at the queues.
    looks: u32,
    /// Chip whose packets are measured; those of all if absent.
    watched: Option<u32>,
}

/// Mean latency of the slowest paths of all pairs, without packets.
fn mean_path(network: &Network<'_>, pattern: LoadPattern) -> Seconds {
    let chips = network.fabric().chips;
    let mut routes = network.router().routes();
    let (mut sum, mut weights) = (Seconds::ZERO, 0.0);
    for receiver in 0..if pattern == LoadPattern::Incast { 1 } else { chips } {
        routes.towards_all(receiver);
        for sender in (0..chips).filter(|&sender| sender != receiver && pattern.joins(sender, receiver, chips)) {
            let weight = pattern.weight(receiver, chips);
            sum += routes.slowest(sender).unwrap_or(Seconds::ZERO) * weight;
            weights += weight;
        }
    }
    if weights > 0.0 { sum / weights } else { sum }
}

fn point(network: &Network<'_>, level: &PacketLevel, pattern: LoadPattern, offered: f64, length: PointLength) -> Result<LoadPoint, PacketError> {
    let chips = network.fabric().chips;
    let weights: Arc<[(u32, f64)]> = (0..chips).map(|chip| (chip, pattern.weight(chip, chips))).collect();
    let senders: Vec<(u32, Aim)> = (0..chips).filter_map(|chip| Some((chip, pattern.aim(chip, chips, &weights)?))).collect();
    let count = senders.len() as f64;
    let each = if pattern == LoadPattern::Incast { offered / count } else { offered };
    let interval = level.payload() / (network.injection() * each);
    let measured = (interval * (length.packets / count).max(PACKETS_OF_A_SENDER)).max(length.path * PATHS_MEASURED);
    let warm_up = picoseconds((measured * 0.5).max(length.path * PATHS_OF_WARM_UP));
    let load = OfferedLoad {
        senders,
        interval: interval.get() * 1e12,
        spacing: Spacing::Exponential,
        payload_bytes: level.payload().get() as u32,
        warm_up,
        until: warm_up + picoseconds(measured),
        watched: length.watched,
    };
    let (kinds, groups) = queue_kinds(network.fabric());
    let watch = if length.looks > 0 { Watch { every: (load.until / u64::from(length.looks)).max(1), groups } } else { Watch::default() };
    let outcome = level.load(load, &watch)?;
    let arrived = Bytes::new(outcome.accepted_bytes as f64) / measured;
    let full = network.injection() * if pattern == LoadPattern::Incast { 1.0 } else { count };
    Ok(LoadPoint {
        offered,
        accepted: arrived / full,
        queues: queue_places(network.fabric(), &outcome),
        over_time: QueuesOverTime::new(kinds, &outcome.samples),
        lost: outcome.counts.damaged + outcome.counts.dropped,
        hops: outcome.counts.hops,
        latency: outcome.latency,
    })
}

/// Where the accepted load falls behind the offered one.
fn saturation(
    network: &Network<'_>,
    level: &PacketLevel,
    pattern: LoadPattern,
    points: &[LoadPoint],
    length: PointLength,
) -> Result<Option<f64>, PacketError> {
    let is_short = |point: &LoadPoint| point.accepted < SATURATED_BELOW * point.offered;
    let Some(first) = points.iter().position(is_short) else { return Ok(None) };
    let Some(before) = first.checked_sub(1) else { return Ok(Some(points[0].offered)) };
    let (mut low, mut high) = (points[before].offered, points[first].offered);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if is_short(&point(network, level, pattern, middle, PointLength { looks: 0, ..length })?) { high = middle } else { low = middle }
    }
    Ok(Some(f64::midpoint(low, high)))
}
