//! Loads of a traffic pattern for one byte, by kind of channel, so that the price of any size is a multiplication.

use super::channel_loads::ChannelLoads;
use crate::fabric::{Endpoint, Fabric, payload_rate, payload_rate_of};
use crate::input::document::Semantics;
use crate::units::{Bytes, Seconds};

/// The most loaded links of one level, link part and direction, chips' own ports apart from the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Index into [`Fabric::links`].
    pub link: u16,
    /// Level of the edge.
    pub level: u8,
    /// Whether the channel leads outwards (from the first node of its edge: chip to switch, leaf to spine).
    pub outward: bool,
    /// Whether the channel is a chip's own port.
    pub at_chip: bool,
    /// Bytes over one of the most loaded channel's parallel links when every pair of the pattern sends one byte.
    pub bytes_per_link: f64,
    /// Mean of the same over the channels that carry anything.
    pub mean_bytes_per_link: f64,
    /// Channels that carry anything.
    pub channels: u32,
    /// Channels as loaded as the most loaded one.
    pub saturated: u32,
    /// Lowest and highest plane among those.
    pub planes: (u16, u16),
}

/// Loads for one byte from each pair of the pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// One entry for each level, link part and direction that carries anything, most loaded first at equal payload rates.
    pub peaks: Vec<Peak>,
    /// Longest path of the pattern.
    pub latency: Seconds,
    /// Links on the longest path.
    pub hops: u32,
    /// Bytes summed over all links when every pair sends one byte: what `SerDes` and switches spend energy on, by link part.
    pub link_bytes: Vec<f64>,
    /// Bytes that pass through switches when every pair sends one byte, by switch part.
    pub switch_bytes: Vec<f64>,
    /// Bytes sent in all when every pair sends one byte.
    pub sent_bytes: f64,
    /// Chips of a pair that no path joins, where there is one; the rest is then without meaning.
    pub unreachable: Option<(u32, u32)>,
}

/// Channels of one level, link part and direction that carry the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct EqualChannels {
    /// How many.
    pub channels: u32,
    /// Sum of their loads.
    pub bytes: f64,
    /// One of them.
    pub first: u32,
    /// Lowest and highest plane.
    pub planes: [u16; 2],
}

impl EqualChannels {
    pub const NONE: Self = Self { channels: 0, bytes: 0.0, first: 0, planes: [u16::MAX, 0] };

    pub fn add(&mut self, channel: u32, bytes: f64, plane: u16) {
        if self.channels == 0 {
            self.first = channel;
        }
        (self.channels, self.bytes) = (self.channels + 1, self.bytes + bytes);
        self.planes = [self.planes[0].min(plane), self.planes[1].max(plane)];
    }
}

/// Loads nearer to each other than this count as equal: above rounding, below any input's precision.
const SAME_LOAD: f64 = 1e-9;

impl Profile {
    /// Nothing moves.
    #[must_use]
    pub fn silent(fabric: &Fabric) -> Self {
        Self {
            peaks: Vec::new(),
            latency: Seconds::ZERO,
            hops: 0,
            link_bytes: vec![0.0; fabric.links.len()],
            switch_bytes: vec![0.0; fabric.switches.len()],
            sent_bytes: 0.0,
            unreachable: None,
        }
    }

    /// Sums up channel loads.
    #[must_use]
    pub fn new(fabric: &Fabric, loads: &ChannelLoads) -> Self {
        let edges = fabric.graph.raw_edges();
        let carrying = (0u32..).zip(&loads.bytes).filter(|(_, bytes)| **bytes > 0.0);
        let one = |(channel, &bytes): (u32, &f64)| EqualChannels {
            channels: 1,
            bytes,
            first: channel,
            planes: [edges[channel as usize / 2].weight.plane; 2],
        };
        Self::of_alike(fabric, loads, carrying.map(one))
    }

    /// Sums up channels that are alike, set by set; what `loads` says of single channels is not read.
    pub(super) fn of_alike(fabric: &Fabric, loads: &ChannelLoads, sets: impl Iterator<Item = EqualChannels>) -> Self {
        let mut profile =
            Self { latency: loads.latency, hops: loads.hops, sent_bytes: loads.sent, unreachable: loads.unreachable, ..Self::silent(fabric) };
        let edges = fabric.graph.raw_edges();
        for set in sets.filter(|set| set.bytes > 0.0) {
            let (edge, outward) = (&edges[set.first as usize / 2], set.first.is_multiple_of(2));
            let from = if outward { edge.source() } else { edge.target() };
            // Chips are the first nodes.
            let at_chip = edge.source().index().min(edge.target().index()) < fabric.chips as usize;
            let edge = &edge.weight;
            profile.link_bytes[edge.link as usize] += set.bytes;
            if let Endpoint::Switch(part) = fabric.graph[from].endpoint {
                profile.switch_bytes[part as usize] += set.bytes;
            }
            let idle = Peak { link: edge.link, level: edge.level, outward, at_chip, ..Peak::IDLE };
            let peak = profile.peaks.iter().position(|known| known.is_of_the_kind_of(&idle)).unwrap_or_else(|| {
                profile.peaks.push(idle);
                profile.peaks.len() - 1
            });
            profile.peaks[peak].add(&set, edge.count);
        }
        for peak in &mut profile.peaks {
            peak.mean_bytes_per_link /= f64::from(peak.channels);
        }
        profile.peaks.sort_by(|a, b| b.bytes_per_link.total_cmp(&a.bytes_per_link));
        profile
    }

    /// Time until the last byte has left the most loaded channel when every pair sends `bytes` in messages of `message` bytes,
    /// and that channel: `max over channels (bytes on the channel / payload rate)`.
    #[must_use]
    pub fn serialisation(&self, fabric: &Fabric, bytes: Bytes, message: Bytes) -> (Seconds, Option<Peak>) {
        self.serialisation_of(fabric, bytes, message, Semantics::Messages)
    }

    /// The same for loads and stores too.
    #[must_use]
    pub fn serialisation_of(&self, fabric: &Fabric, bytes: Bytes, message: Bytes, semantics: Semantics) -> (Seconds, Option<Peak>) {
        self.peaks.iter().fold((Seconds::ZERO, None), |worst, peak| {
            let link = &fabric.links[peak.link as usize];
            let time = bytes * peak.bytes_per_link / payload_rate_of(link, message, semantics);
            if time > worst.0 { (time, Some(*peak)) } else { worst }
        })
    }
}

impl Profile {
    /// For each of `levels` levels the time on its most loaded links over the time on the most loaded links of all levels, in messages of `message`.
    /// Zero for a level without traffic.
    #[must_use]
    pub fn relative_loads(&self, fabric: &Fabric, levels: usize, message: Bytes) -> Vec<f64> {
        let time = |peak: &Peak| peak.time(fabric, message, message).get();
        let slowest = self.peaks.iter().map(time).fold(0.0, f64::max);
        let of_level = |level: usize| self.peaks.iter().filter(|peak| usize::from(peak.level) == level).map(time).fold(0.0, f64::max);
        (0..levels).map(|level| if slowest > 0.0 { of_level(level) / slowest } else { 0.0 }).collect()
    }
}

impl Peak {
    const IDLE: Self = Self {
        link: 0,
        level: 0,
        outward: true,
        at_chip: false,
        bytes_per_link: 0.0,
        mean_bytes_per_link: 0.0,
        channels: 0,
        saturated: 0,
        planes: (0, 0),
    };

    /// Whether both are of the same level, link part, direction and place.
    #[must_use]
    pub fn is_of_the_kind_of(&self, other: &Self) -> bool {
        (self.link, self.level, self.outward, self.at_chip) == (other.link, other.level, other.outward, other.at_chip)
    }

    /// More channels. Until all are in, the mean holds the sum.
    fn add(&mut self, set: &EqualChannels, links: u32) {
        let per_link = set.bytes / f64::from(set.channels) / f64::from(links);
        self.channels += set.channels;
        self.mean_bytes_per_link += per_link * f64::from(set.channels);
        if per_link > self.bytes_per_link * (1.0 + SAME_LOAD) {
            (self.bytes_per_link, self.saturated, self.planes) = (per_link, set.channels, (set.planes[0], set.planes[1]));
        } else if per_link >= self.bytes_per_link * (1.0 - SAME_LOAD) {
            self.saturated += set.channels;
            self.planes = (self.planes.0.min(set.planes[0]), self.planes.1.max(set.planes[1]));
        }
    }

    /// Time that the most loaded channel needs when every pair sends `bytes` in messages of `message` bytes.
    #[must_use]
    pub fn time(&self, fabric: &Fabric, bytes: Bytes, message: Bytes) -> Seconds {
        bytes * self.bytes_per_link / payload_rate(&fabric.links[self.link as usize], message)
    }
}
