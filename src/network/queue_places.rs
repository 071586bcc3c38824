//! Where packets wait: channels of one level, link part and direction.

use super::packets::{PacketOutcome, Sample};
use crate::fabric::Fabric;
use crate::units::{Bytes, Seconds};

/// Channels of one level, link part, direction and kind of sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueKind {
    /// Level of the edge.
    pub level: u8,
    /// Index into the fabric's links.
    pub link: u16,
    /// From the first node of the edge: chip to switch, leaf to spine.
    pub outward: bool,
    /// Whether the channel leaves a chip.
    pub from_chip: bool,
}

/// What waits for the channels of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueuePlace {
    /// Which channels.
    pub kind: QueueKind,
    /// Bytes that wait for one channel, mean over time and channels.
    pub mean: Bytes,
    /// Most bytes that waited for one channel at any time.
    pub peak: Bytes,
}

/// Bytes that wait for all channels of each kind, from moment to moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueuesOverTime {
    /// Kinds of channels.
    pub kinds: Vec<QueueKind>,
    /// When, and the bytes by kind.
    pub samples: Vec<(Seconds, Vec<Bytes>)>,
}

impl QueuesOverTime {
    pub(super) fn new(kinds: Vec<QueueKind>, samples: &[Sample]) -> Self {
        let moment = |sample: &Sample| {
            let bytes = sample.bytes.iter().map(|&bytes| Bytes::new(bytes as f64)).collect();
            (Seconds::new(sample.time as f64 / 1e12), bytes)
        };
        Self { kinds, samples: samples.iter().map(moment).collect() }
    }
}

impl QueueKind {
    fn of(fabric: &Fabric, channel: usize) -> Self {
        let (edge, outward) = (&fabric.graph.raw_edges()[channel / 2], channel.is_multiple_of(2));
        let from = if outward { edge.source() } else { edge.target() };
        Self { level: edge.weight.level, link: edge.weight.link, outward, from_chip: from.index() < fabric.chips as usize }
    }

    /// "ub-board-x2 of level `node`, from switches, inward".
    #[must_use]
    pub fn name(self, fabric: &Fabric) -> String {
        let level = &fabric.level_names[self.level as usize];
        let link = &fabric.links[self.link as usize].id;
        let sender = if self.from_chip { "chips" } else { "switches" };
        let direction = if self.outward { "outward" } else { "inward" };
        format!("{link} of level `{level}`, from {sender}, {direction}")
    }
}

/// The kinds of channels that a fabric has, and the place of each channel's kind among them.
pub(super) fn queue_kinds(fabric: &Fabric) -> (Vec<QueueKind>, Vec<u32>) {
    let mut kinds: Vec<QueueKind> = Vec::new();
    let places = (0..2 * fabric.graph.edge_count()).map(|channel| {
        let kind = QueueKind::of(fabric, channel);
        kinds.iter().position(|&known| known == kind).unwrap_or_else(|| {
            kinds.push(kind);
            kinds.len() - 1
        }) as u32
    });
    let places = places.collect();
    (kinds, places)
}

/// Waiting bytes by kind of channel, most first; kinds for which nothing waited are left out.
pub(super) fn queue_places(fabric: &Fabric, outcome: &PacketOutcome) -> Vec<QueuePlace> {
    let (kinds, of_channel) = queue_kinds(fabric);
    let mut sums = vec![(0.0, 0_u64, 0.0); kinds.len()];
    for (queue, &kind) in outcome.queues.iter().zip(&of_channel) {
        let sum = &mut sums[kind as usize];
        *sum = (sum.0 + queue.mean_bytes, sum.1.max(queue.peak_bytes), sum.2 + 1.0);
    }
    let place = |(kind, (mean, peak, channels)): (QueueKind, (f64, u64, f64))| QueuePlace {
        kind,
        mean: Bytes::new(mean / channels),
        peak: Bytes::new(peak as f64),
    };
    let mut places: Vec<QueuePlace> = kinds.into_iter().zip(sums).map(place).filter(|place| place.peak > Bytes::ZERO).collect();
    places.sort_by(|a, b| b.mean.get().total_cmp(&a.mean.get()));
    places
}
