//! Open-loop sources: packets come at a given rate, whatever becomes of them.

use super::histogram::LatencyHistogram;
use super::model::PicosecondTime;
use super::random::Random;

/// Where the packets of one source go.
#[derive(Clone, Debug, PartialEq)]
pub enum Aim {
    /// To one node.
    At(u32),
    /// To one of the nodes, evenly, the source itself left out.
    Among(std::sync::Arc<[u32]>),
    /// To one of the nodes by weight; the source itself left out.
    Weighted(std::sync::Arc<[(u32, f64)]>),
}

/// Time between the packets of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Exponentially distributed: a Poisson process.
    Exponential,
    /// Always the mean, the first at time zero.
    Even,
    /// A whole number of times so many picoseconds, geometrically distributed: a Bernoulli process in slots.
    Slotted(PicosecondTime),
}

/// Open-loop traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferedLoad {
    /// Sending nodes and where their packets go.
    pub senders: Vec<(u32, Aim)>,
    /// Mean time between the packets of one sender, picoseconds.
    pub interval: f64,
    /// Distribution of that time.
    pub spacing: Spacing,
    /// Payload of each packet, bytes.
    pub payload_bytes: u32,
    /// Packets are measured that come from then on.
    pub warm_up: PicosecondTime,
    /// Packets are measured that come before then.
    pub until: PicosecondTime,
    /// Latency is measured only of packets from and to this node; of all if absent.
    pub watched: Option<u32>,
}

impl OfferedLoad {
    /// Whether the latency of a packet that came at `born` is measured.
    pub(super) fn measures(&self, source: u32, destination: u32, born: PicosecondTime) -> bool {
        (self.warm_up..self.until).contains(&born) && self.watched.is_none_or(|watched| source == watched || destination == watched)
    }
}

/// Open-loop traffic under way.
#[derive(Clone, Debug)]
pub(super) struct PacketSource {
    pub load: OfferedLoad,
    /// Next packet of each sender, with the fraction of a picosecond.
    next: Vec<f64>,
    /// Weights added up, for senders whose aim is weighted.
    sums: Vec<Vec<f64>>,
    pub latency: LatencyHistogram,
    pub accepted_bytes: u64,
    /// Measured packets under way.
    pub missing: u64,
}

impl PacketSource {
    pub(super) fn new(load: OfferedLoad) -> Self {
        let sums = load.senders.iter().map(|(_, aim)| match aim {
            Aim::At(_) | Aim::Among(_) => Vec::new(),
            Aim::Weighted(weights) => weights
                .iter()
                .scan(0.0, |sum, (_, weight)| {
                    *sum += weight;
                    Some(*sum)
                })
                .collect(),
        });
        Self { next: vec![0.0; load.senders.len()], sums: sums.collect(), load, latency: LatencyHistogram::default(), accepted_bytes: 0, missing: 0 }
    }

    /// Time of a sender's next packet after the last one; the first time that it is asked for, of its first.
    pub(super) fn next_time(&mut self, place: u32, random: &mut Random) -> PicosecondTime {
        let next = &mut self.next[place as usize];
        *next += match self.load.spacing {
            Spacing::Exponential => self.load.interval * random.exponential(),
            Spacing::Even => self.load.interval,
            Spacing::Slotted(slot) => {
                let slot = slot as f64;
                slot * (1 + random.repeats(1.0 - (slot / self.load.interval).min(1.0))) as f64
            }
        };
        *next as PicosecondTime
    }

    /// Draws a destination.
    pub(super) fn destination(&self, place: u32, random: &mut Random) -> u32 {
        let (sender, aim) = &self.load.senders[place as usize];
        match aim {
            Aim::At(node) => *node,
            Aim::Among(nodes) => loop {
                let drawn = nodes[random.below(nodes.len() as u32) as usize];
                if drawn != *sender {
                    return drawn;
                }
            },
            Aim::Weighted(nodes) => loop {
                let sums = &self.sums[place as usize];
                let drawn = random.fraction() * sums.last().copied().unwrap_or(0.0);
                let node = nodes[sums.partition_point(|&sum| sum < drawn).min(nodes.len() - 1)].0;
                if node != *sender {
                    return node;
                }
            },
        }
    }
}
