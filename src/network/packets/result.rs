//! What a run finds.

use super::histogram::LatencyHistogram;
use super::model::PicosecondTime;

/// When a message ran, picoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// It was allowed to start.
    pub start: PicosecondTime,
    /// Its last byte arrived.
    pub end: PicosecondTime,
    /// Its sender knew so; 0 where nothing is acknowledged.
    pub acknowledged: PicosecondTime,
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Data packets that left their senders, repeated ones included.
    pub sent: u64,
    /// Data packets that receivers took.
    pub delivered: u64,
    /// Data packets that switches added to others.
    pub merged: u64,
    /// Data packets that switches made of others, to send them several ways.
    pub copied: u64,
    /// Data packets for which a buffer had no room.
    pub dropped: u64,
    /// Data packets damaged on a link without retry.
    pub damaged: u64,
    /// Data packets that receivers discarded: out of order, or there already.
    pub discarded: u64,
    /// Transmissions that links repeated.
    pub link_retries: u64,
    /// Packets over channels, acknowledgements included.
    pub hops: u64,
    /// Arrivals, wake-ups and the like.
    pub events: u64,
}

/// What waited for one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueueUse {
    /// Most bytes at once.
    pub peak_bytes: u64,
    /// Mean over the run, bytes.
    pub mean_bytes: f64,
}

/// What waited at one moment, by group of channels, bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub time: PicosecondTime,
    /// Sum over each group.
    pub bytes: Vec<u64>,
}

/// A run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PacketOutcome {
    /// By message.
    pub arrivals: Vec<Arrival>,
    /// Counts.
    pub counts: Counts,
    /// Of the measured packets of open-loop sources.
    pub latency: LatencyHistogram,
    /// Bytes of payload that open-loop sources had delivered while measuring.
    pub accepted_bytes: u64,
    /// By channel.
    pub queues: Vec<QueueUse>,
    /// Room of buffers that was not given back by the end, bytes: always 0.
    pub held_bytes: u64,
    /// Places for packets, for flows and for credits under way in all queues and on all wires, in use or not: the most that the run needed at once, up to the doubling
    /// of ring buffers.
    pub slots: u64,
    /// Of the queues, if asked for.
    pub samples: Vec<Sample>,
    /// Last event.
    pub end: PicosecondTime,
}
