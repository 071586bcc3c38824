//! One packet, wherever it is.

use super::model::PicosecondTime;

/// No channel, no flow.
pub(super) const NONE: u32 = u32::MAX;

/// Destination of packets on their way to the root of their tree of switches.
pub(super) const UP: u32 = u32::MAX - 1;
/// Destination of packets on their way from the root to all members.
pub(super) const DOWN: u32 = u32::MAX - 2;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketKind {
    Data,
    /// Carries what the receiver has.
    Acknowledgement,
    /// Asks for a packet again.
    Request,
    /// The header that is left of a dropped or damaged data packet.
    Trimmed,
}

/// A packet in a queue or on a wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    /// When its sender had it ready.
    pub born: PicosecondTime,
    /// In a queue: when it may leave. On a wire: when it arrives.
    pub ready: PicosecondTime,
    /// Flow it belongs to; [`NONE`] for packets of an open-loop source.
    pub flow: u32,
    /// Place in its flow; in acknowledgements what is acknowledged.
    pub sequence: u32,
    pub source: u32,
    pub destination: u32,
    /// On the wire.
    pub bytes: u32,
    /// Channel that it came by; [`NONE`] at its source.
    pub from: u32,
    /// Channel that it leaves by.
    pub out: u32,
    pub kind: PacketKind,
    /// Class of virtual channels for the next hop.
    pub class: u8,
    /// Virtual channel of the buffer that holds it.
    pub lane: u8,
    /// Any of [`DAMAGED`], [`BODY`] and [`GOES_ON`].
    pub marks: u8,
}

/// Mark of a packet that arrives damaged.
pub(super) const DAMAGED: u8 = 1;
/// Mark of a flit that is not the first of its packet: it follows the first one.
pub(super) const BODY: u8 = 2;
/// Mark of a flit that is not the last of its packet.
pub(super) const GOES_ON: u8 = 4;

impl Packet {
    pub(super) fn is_damaged(&self) -> bool {
        self.marks & DAMAGED != 0
    }

    /// Whether it is a whole packet or the first flit of one.
    pub(super) fn is_head(&self) -> bool {
        self.marks & BODY == 0
    }

    /// Whether it is a whole packet or the last flit of one.
    pub(super) fn is_tail(&self) -> bool {
        self.marks & GOES_ON == 0
    }

    /// Whether it waits in a queue that is counted: packets of messages are cut at their source when their turn comes.
    pub(super) fn is_queued(&self) -> bool {
        self.from != NONE || self.flow == NONE || self.kind != PacketKind::Data
    }
}
