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
    pub damaged: bool,
}

impl Packet {
    /// Whether it waits in a queue that is counted: packets of messages are cut at their source when their turn comes.
    pub(super) fn is_queued(&self) -> bool {
        self.from != NONE || self.flow == NONE || self.kind != PacketKind::Data
    }
}
