//! The sending end of one channel: its transmitter, what is on the wire, and what waits for it at a host.

use std::collections::VecDeque;

use super::model::{Allocator, Control, LinkErrors, NEVER, PacketChannel, PacketForwarding, PacketNode, PicosecondTime, Queueing, RetryScheme};
use super::packet::{NONE, Packet};

/// Name of a host's own packets among the queues that compete for a port.
pub(super) const INJECTION: u32 = NONE;

/// Fraction bits of a byte time and of what rounding leaves over.
const FRACTION_BITS: u32 = 32;

/// One sending end.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct PacketPort {
    /// When the last packet's last bit has left.
    pub free_at: PicosecondTime,
    /// When to look again; [`NEVER`] if only an arrival or a credit can help.
    pub wake: PicosecondTime,
    /// Picoseconds a byte, with fraction bits.
    byte_time: u64,
    overhead_bytes: u32,
    /// Fraction of a picosecond by which the transmitter is late, so that long runs keep the exact rate.
    late: u64,
    /// From the counted bit at the sender to the event at the receiver: propagation, and the latency of a switch there.
    pub delay: PicosecondTime,
    pub propagation: PicosecondTime,
    /// Bytes until the event at the receiver; `None` for the whole packet.
    pub head_bytes: Option<u32>,
    pub to: u32,
    pub queueing: Queueing,
    pub control: Control,
    pub errors: LinkErrors,
    /// In order of arrival.
    pub in_flight: VecDeque<Packet>,
    /// Queues whose first packet leaves by this port, in the order of their turns.
    pub ready: VecDeque<u32>,
    /// Acknowledgements and trimmed headers.
    pub first_class: VecDeque<Packet>,
    /// Packets of an open-loop source.
    pub generated: VecDeque<Packet>,
    /// Flows in the order of their turns.
    pub flows: VecDeque<u32>,
    pub injects: bool,
    /// Credits under way: when, virtual channel, bytes; in order of time.
    pub credits: VecDeque<(PicosecondTime, u8, u32)>,
    /// Stops (true) and restarts under way.
    pub pauses: VecDeque<(PicosecondTime, bool)>,
    /// As the receiver has asked.
    pub stop_sent: bool,
    /// As the sender knows.
    pub is_stopped: bool,
    /// Whether a packet waits for a credit or a restart.
    pub starved: bool,
    pub is_pending: bool,
    /// Sends one packet at a time from the input that this channel leads to, until then.
    pub input_busy: PicosecondTime,
    /// Bytes that wait for this port.
    pub queued: u64,
    pub queued_peak: u64,
    /// Bytes times picoseconds, until `queued_since`.
    pub queued_area: f64,
    pub queued_since: PicosecondTime,
    /// Whether a passing packet's departure is known when it arrives: nothing is chosen here, and the receiver is never full.
    pub is_direct: bool,
    /// Whether the sending node is a router of stages.
    pub is_staged: bool,
    /// Virtual channel of the packet whose flits are sent.
    pub lane: u8,
}

impl PacketPort {
    pub(super) fn new(channel: &PacketChannel, from: &PacketNode, to: &PacketNode, errors: LinkErrors) -> Self {
        let passes_only = to.forwards && !to.is_end;
        let head_bytes = match to.forwarding {
            PacketForwarding::CutThrough { header_bytes } if to.forwards => Some(header_bytes),
            PacketForwarding::CutThrough { .. } | PacketForwarding::StoreAndForward => None,
        };
        Self {
            free_at: 0,
            wake: NEVER,
            byte_time: (channel.byte_time * (1_u64 << FRACTION_BITS) as f64).round() as u64,
            overhead_bytes: channel.overhead_bytes,
            late: 0,
            delay: channel.delay + if passes_only { to.latency } else { 0 },
            propagation: channel.delay,
            head_bytes,
            to: channel.to,
            queueing: from.queueing,
            control: channel.control,
            errors: channel.errors.unwrap_or(errors),
            in_flight: VecDeque::new(),
            ready: VecDeque::new(),
            first_class: VecDeque::new(),
            generated: VecDeque::new(),
            flows: VecDeque::new(),
            injects: false,
            credits: VecDeque::new(),
            pauses: VecDeque::new(),
            stop_sent: false,
            is_stopped: false,
            starved: false,
            is_pending: false,
            input_busy: 0,
            queued: 0,
            queued_peak: 0,
            queued_area: 0.0,
            queued_since: 0,
            is_direct: !from.is_end && from.queueing == Queueing::Output && channel.control == Control::Unlimited,
            is_staged: from.allocator != Allocator::Ideal,
            lane: 0,
        }
    }

    /// Time of a packet, rounded down.
    pub(super) fn time_of(&self, bytes: u32) -> PicosecondTime {
        ((u64::from(bytes) + u64::from(self.overhead_bytes)) * self.byte_time) >> FRACTION_BITS
    }

    /// Time of a packet's first bytes, rounded down.
    pub(super) fn head_time(&self, head: u32) -> PicosecondTime {
        (u64::from(head) * self.byte_time) >> FRACTION_BITS
    }

    /// Time to send so many bytes now; fractions add up to whole picoseconds over many packets.
    pub(super) fn serialise(&mut self, bytes: u32) -> PicosecondTime {
        let exact = (u64::from(bytes) + u64::from(self.overhead_bytes)) * self.byte_time + self.late;
        self.late = exact & ((1 << FRACTION_BITS) - 1);
        exact >> FRACTION_BITS
    }

    /// Sends a packet from `start` on, which its link has to repeat so often: how long the transmitter is busy, and when the receiver
    /// has it.
    pub(super) fn send(&mut self, bytes: u32, start: PicosecondTime, repeats: u64) -> (PicosecondTime, PicosecondTime) {
        let time = self.serialise(bytes);
        let again = repeats * (time + 2 * self.propagation);
        let (busy, late) = match self.errors.retry {
            RetryScheme::None => (time, 0),
            RetryScheme::GoBackN => (time + again, again),
            RetryScheme::Selective => (time * (1 + repeats), again),
        };
        self.free_at = start + busy;
        let head = self.head_bytes.map_or(time, |head| self.head_time(head.min(bytes)));
        // A link that repeats delivers in order: nothing overtakes the packet before.
        let before = self.in_flight.back().map_or(0, |before| before.ready);
        (busy, (start + late + head + self.delay).max(before))
    }

    /// From the event at the receiver until the packet's last bit is there.
    pub(super) fn rest(&self, bytes: u32) -> PicosecondTime {
        self.head_bytes.map_or(0, |head| self.time_of(bytes) - self.head_time(head.min(bytes)))
    }

    /// The next thing that happens at this channel.
    pub(super) fn next_event(&self) -> PicosecondTime {
        self.in_flight.front().map_or(NEVER, |packet| packet.ready).min(self.wake)
    }

    pub(super) fn has_same_rate(&self, other: &Self) -> bool {
        self.byte_time == other.byte_time && self.overhead_bytes == other.overhead_bytes
    }

    /// Notes a change of what waits here.
    pub(super) fn queue_grows(&mut self, bytes: u32, now: PicosecondTime) {
        self.settle_area(now);
        self.queued += u64::from(bytes);
        self.queued_peak = self.queued_peak.max(self.queued);
    }

    pub(super) fn queue_shrinks(&mut self, bytes: u32, now: PicosecondTime) {
        self.settle_area(now);
        self.queued -= u64::from(bytes);
    }

    fn settle_area(&mut self, now: PicosecondTime) {
        self.queued_area += self.queued as f64 * (now - self.queued_since) as f64;
        self.queued_since = now;
    }

    /// Bytes that wait for this port.
    pub(super) fn backlog(&self, now: PicosecondTime) -> u64 {
        let booked = if self.is_direct { self.free_at.saturating_sub(now) } else { 0 };
        self.queued + ((u128::from(booked) << FRACTION_BITS) / u128::from(self.byte_time)) as u64
    }
}
