//! Efficiency of links when many chips send to one chip, against the number of ranks, from packet simulation. The result is two figures for the
//! file of the switch, which the flow level uses.
//!
//! Every chip of an all-to-all serves its partners in a random order of its own. In steady state each further packet of a pair adds a constant
//! time. The efficiency e is the fair time divided by this time. It is fitted, by least squares over n = ranks - 1 senders, as
//! `e(n) = min(1, limit + rest / n)`: the form of the FIFO-input switch, whose throughput falls from 0.75 with two ports to 0.586 with many
//! (Karol, Hluchyj, Morgan, IEEE T-COM 35(12), 1987), which `limit` 0.57 and `rest` 0.36 meet within 2 %.

use petgraph::visit::EdgeRef;
use rayon::prelude::*;

use super::group::Group;
use super::network::{LONG_MESSAGE, Network};
use super::packet_level::PacketLevel;
use super::packet_options::{PacketOptions, SendOrder};
use super::packets::PacketError;
use super::pattern::TrafficPattern;
use super::profile::{Peak, Profile};
use crate::fabric::Endpoint;
use crate::input::document;

/// Orders of partners that are drawn for each number of ranks.
const DRAWS: u64 = 3;

/// Packets that each chip sends in the shorter of two runs.
const PACKETS_OF_A_CHIP: u32 = 1000;

/// Result of an all-to-all over `ranks` ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FanInPoint {
    /// Chips that take part.
    pub ranks: u32,
    /// Fair time over time with packets, mean over the draws.
    pub efficiency: f64,
    /// Half of the range of the draws.
    pub spread: f64,
    /// What the fitted form gives.
    pub fitted: f64,
}

/// Efficiency against ranks.
#[derive(Clone, Debug, PartialEq)]
pub struct FanInCurve {
    /// By ranks.
    pub points: Vec<FanInPoint>,
    /// Efficiency with very many senders.
    pub limit: f64,
    /// Coefficient of 1 / senders in the fitted form.
    pub rest: f64,
    /// Largest difference between form and points, over the point.
    pub error: f64,
}

/// Share of the fair rate that is left where `senders` send to one receiver.
#[must_use]
pub fn fan_in_efficiency(limit: f64, rest: f64, senders: f64) -> f64 {
    (limit + rest / senders.max(1.0)).clamp(1e-3, 1.0)
}

/// Measures the fan-in efficiency of the first 2, 4, 8, ... chips of a machine with packets. `fan_in` of its switches is not used.
///
/// # Errors
/// As [`PacketLevel::play`].
pub fn fan_in(network: &Network<'_>, options: &PacketOptions) -> Result<FanInCurve, PacketError> {
    let chips = network.fabric().chips;
    let mut ranks: Vec<u32> = (1..32).map(|power| 1_u32 << power).take_while(|&ranks| ranks < chips).collect();
    ranks.push(chips);
    let runs: Vec<(u32, u64)> = ranks.iter().flat_map(|&ranks| (0..DRAWS).map(move |draw| (ranks, draw))).collect();
    let found: Vec<Result<f64, PacketError>> = runs.par_iter().map(|&(ranks, draw)| efficiency(network, ranks, options, draw)).collect();
    let found: Vec<f64> = found.into_iter().collect::<Result<_, _>>()?;
    let draws = found.chunks(DRAWS as usize);
    let mut points: Vec<FanInPoint> = ranks.iter().zip(draws).map(|(&ranks, draws)| point(ranks, draws)).collect();
    let (limit, rest) = fit(&points);
    for point in &mut points {
        point.fitted = fan_in_efficiency(limit, rest, f64::from(point.ranks - 1));
    }
    let error = points.iter().map(|point| (point.fitted / point.efficiency - 1.0).abs()).fold(0.0, f64::max);
    Ok(FanInCurve { points, limit, rest, error })
}

fn point(ranks: u32, draws: &[f64]) -> FanInPoint {
    let (low, high) = draws.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &draw| (low.min(draw), high.max(draw)));
    FanInPoint { ranks, efficiency: draws.iter().sum::<f64>() / draws.len() as f64, spread: (high - low) / 2.0, fitted: 0.0 }
}

fn efficiency(network: &Network<'_>, ranks: u32, options: &PacketOptions, draw: u64) -> Result<f64, PacketError> {
    let group = Group::first(ranks);
    let options = PacketOptions { rotation: SendOrder::Shuffled, seed: options.seed + draw, ..options.clone() };
    let level = PacketLevel::new(network, group.chips(), &options)?;
    let packets = PACKETS_OF_A_CHIP.div_ceil(ranks - 1);
    let time = |packets: u32| level.play(&group, TrafficPattern::AllPairs, level.payload() * f64::from(packets)).map(|played| played.time);
    let (long, short) = rayon::join(|| time(2 * packets), || time(packets));
    let added = (long? - short?) / f64::from(packets);
    // Not `play`: what a switch's file states would be counted.
    let profile = network.profile(&network.loads(&group, TrafficPattern::AllPairs));
    let fair = profile.serialisation(network.fabric(), level.payload(), LONG_MESSAGE).0;
    Ok(fair / added)
}

/// Least squares of `limit + rest / n`; a constant where there is one point.
fn fit(points: &[FanInPoint]) -> (f64, f64) {
    let count = points.len() as f64;
    let x = |point: &FanInPoint| 1.0 / f64::from(point.ranks - 1);
    let (mean_x, mean_y) = (points.iter().map(x).sum::<f64>() / count, points.iter().map(|point| point.efficiency).sum::<f64>() / count);
    let variance: f64 = points.iter().map(|point| (x(point) - mean_x).powi(2)).sum();
    let covariance: f64 = points.iter().map(|point| (x(point) - mean_x) * (point.efficiency - mean_y)).sum();
    // More senders fill no link better.
    let rest = if variance > 0.0 { (covariance / variance).max(0.0) } else { 0.0 };
    (mean_y - rest * mean_x, rest)
}

impl Network<'_> {
    /// A profile in which channels from switches to chips are held up as those switches state.
    pub(super) fn with_fan_in(&self, profile: Profile, group: &Group, pattern: TrafficPattern) -> Profile {
        let switches = &self.fabric().switches;
        let senders = f64::from(pattern.senders_at_most(group.ranks()));
        if senders < 2.0 || switches.iter().all(|part| part.switch.fan_in.is_none()) {
            return profile;
        }
        let peaks = profile.peaks.into_iter().map(|peak| {
            let Some(stated) = self.stated_fan_in(&peak, group.chip(0)) else { return peak };
            let efficiency = fan_in_efficiency(stated.limit.value.get(), stated.rest.value.get(), senders);
            Peak { bytes_per_link: peak.bytes_per_link / efficiency, mean_bytes_per_link: peak.mean_bytes_per_link / efficiency, ..peak }
        });
        let mut peaks: Vec<Peak> = peaks.collect();
        peaks.sort_by(|a, b| b.bytes_per_link.total_cmp(&a.bytes_per_link));
        Profile { peaks, ..profile }
    }

    /// What the switch at the other end of a chip's port states, for channels that lead to chips.
    fn stated_fan_in(&self, peak: &Peak, chip: u32) -> Option<&document::FanIn> {
        let fabric = self.fabric();
        let graph = &fabric.graph;
        let is_of_peak = |edge: &petgraph::graph::EdgeReference<'_, crate::fabric::Edge>| {
            let edge = edge.weight();
            (edge.level, edge.link) == (peak.level, peak.link)
        };
        let node = petgraph::graph::NodeIndex::new(chip as usize);
        let mut ports = graph.edges(node).filter(is_of_peak).filter(|_| peak.at_chip);
        ports.find_map(|edge| {
            let (chip_is_source, other) = if edge.source() == node { (true, edge.target()) } else { (false, edge.source()) };
            // Outwards is from the first node of an edge; inwards to the chip is the other way.
            let leads_to_chip = chip_is_source != peak.outward;
            match graph[other].endpoint {
                Endpoint::Switch(part) if leads_to_chip => fabric.switches[part as usize].switch.fan_in.as_ref(),
                _ => None,
            }
        })
    }
}
