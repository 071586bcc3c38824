//! What is simulated: nodes, channels, flow control and the settings of senders. Plain figures, no graph.

use std::fmt;

use crate::units::Seconds;

/// Picoseconds since the start.
pub type PicosecondTime = u64;

/// Whole picoseconds.
#[must_use]
pub fn picoseconds(time: Seconds) -> PicosecondTime {
    (time.get() * 1e12).round() as PicosecondTime
}

/// No event.
pub const NEVER: PicosecondTime = PicosecondTime::MAX;

/// The machine as the packets see it.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketMachine {
    /// Nodes, by number.
    pub nodes: Vec<PacketNode>,
    /// Channels, by number; each is one direction of a link.
    pub channels: Vec<PacketChannel>,
}

/// A host, a switch, or a chip that is both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketNode {
    /// Port to port for packets that pass, and added once at either end of a path, picoseconds.
    pub latency: PicosecondTime,
    /// When a passing packet may leave.
    pub forwarding: PacketForwarding,
    /// Where passing packets wait.
    pub queueing: Queueing,
    /// How passing packets get virtual channels and outputs.
    pub allocator: Allocator,
    /// Whether packets start and end here.
    pub is_end: bool,
    /// Whether packets pass on their way to others.
    pub forwards: bool,
}

/// When a passing packet may leave a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketForwarding {
    /// As soon as so many bytes of it have arrived. Zero where the node's latency already counts from the first bit.
    CutThrough {
        /// Bytes that are read before the way is known.
        header_bytes: u32,
    },
    /// When all of it has arrived.
    StoreAndForward,
}

/// Where passing packets wait, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queueing {
    /// At the output, in the order of arrival: memory that is as fast as all inputs together.
    Output,
    /// In one queue for each input (and virtual channel); the first packet holds up all behind it. An input sends one packet at a time.
    InputFifo,
    /// In one queue for each pair of input and output; each output serves the inputs in turn. An input sends one packet at a time.
    VirtualOutput,
}

/// How packets in input queues get virtual channels and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Allocator {
    /// Routes and channels are found while packets wait, and no output idles that a free input has a packet for.
    #[default]
    Ideal,
    /// Routing, channel allocation, switch allocation and crossing are stages of one cycle each that begin when a packet is the first of its
    /// queue (Dally and Towles, Principles and Practices of Interconnection Networks, 2004, chapter 16), and both allocations are one
    /// iteration of iSLIP. Flits of several packets share a channel in turn.
    Staged {
        /// Picoseconds.
        cycle: PicosecondTime,
    },
}

/// One direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacketChannel {
    /// Sending node.
    pub from: u32,
    /// Receiving node.
    pub to: u32,
    /// Time of one byte on the wire, picoseconds.
    pub byte_time: f64,
    /// Bytes that this link adds to every packet.
    pub overhead_bytes: u32,
    /// Propagation, picoseconds.
    pub delay: PicosecondTime,
    /// What happens where the receiving buffer is full.
    pub control: Control,
    /// Dimension of a torus or mesh; a packet that turns into another dimension starts again in the first class of virtual channels.
    /// `None` where no ring of channels can form: all virtual channels are open.
    pub dimension: Option<u32>,
    /// Packets that cross this channel are in the second class of virtual channels for the rest of its dimension (Dally and Seitz, 1987).
    pub dateline: bool,
    /// Its bit errors; `None` for those of [`Setting`].
    pub errors: Option<LinkErrors>,
}

/// Bit errors of one channel, and what its link does about them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkErrors {
    /// Chance that a bit arrives damaged.
    pub bit_error_rate: f64,
    /// Repair.
    pub retry: RetryScheme,
}

/// Flow control of one channel: what the sender knows of the receiving buffer. Bytes are those of one virtual channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The buffer is never full.
    Unlimited,
    /// A packet that finds no room is dropped.
    Drop {
        /// Room at the receiver.
        buffer_bytes: u32,
    },
    /// The sender counts the room; what leaves the receiver is reported back over the propagation delay.
    Credits {
        /// Room at the receiver.
        buffer_bytes: u32,
    },
    /// The receiver stops and restarts the sender (IEEE 802.1Qbb). What comes after the buffer is full is dropped.
    Pause {
        /// Room at the receiver.
        buffer_bytes: u32,
        /// Stops the sender when at least so much waits.
        stop_bytes: u32,
        /// Lets it go on when no more than so much waits.
        go_bytes: u32,
    },
}

/// How packets choose among the next hops that their routes allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHopChoice {
    /// Each node takes its next hops in turn.
    Spray,
    /// Each node draws a next hop for every packet.
    Random,
    /// A seeded hash of source, destination and node: all packets of a pair take one path (RFC 2992).
    Hashed {
        /// Of the hash.
        seed: u64,
    },
    /// The next hop with the fewest bytes waiting.
    ShortestQueue,
}

/// Which class of virtual channels a packet is in, on channels that have a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClassRule {
    /// The first class; from the dateline of a dimension on, the second. Free of deadlock where dimensions are taken in order.
    #[default]
    Dateline,
    /// The second class all along a dimension in which the packet's way crosses the dateline, the first in others. Free of deadlock where
    /// dimensions are taken in order and no way is longer than half a ring.
    Crossing,
    /// As many classes up as the packet has passed such channels. Free of deadlock on any paths, with a class for each channel of the
    /// longest one (Merlin and Schweitzer, IEEE T-COM 28(3), 1980).
    Hops,
}

/// Repair of packets that arrive damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RetryScheme {
    /// A damaged packet is discarded by the receiving end of the link.
    #[default]
    None,
    /// The link sends the damaged packet and all that followed it again.
    GoBackN,
    /// The link sends only the damaged packet again and delivers in order.
    Selective,
}

/// What a sender does about packets that do not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Recovery {
    /// Nothing.
    #[default]
    None,
    /// The receiver takes packets in order only and asks once for each gap; the sender goes back to it, and also if nothing has been
    /// acknowledged for so long, picoseconds.
    GoBackN {
        /// Retransmission timeout.
        timeout: PicosecondTime,
    },
    /// Headers of dropped and damaged packets reach the receiver, which asks for exactly these packets again (packet trimming). Headers,
    /// requests and acknowledgements are not damaged themselves.
    Selective,
}

/// In which order a sender serves its flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FlowOrder {
    /// One packet of each flow in turn.
    #[default]
    RoundRobin,
    /// One flow after the other.
    InOrder,
}

/// Settings of all senders and links.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Payload of a full packet, bytes.
    pub payload_bytes: u32,
    /// Header of each packet, bytes.
    pub header_bytes: u32,
    /// Bytes of a flit, in which packets go between routers of stages; 0 for whole packets.
    pub flit_bytes: u32,
    /// Acknowledgement on the wire, bytes; 0 for none.
    pub acknowledgement_bytes: u32,
    /// Packets of a flow between acknowledgements; its last packet is always acknowledged.
    pub packets_per_acknowledgement: u32,
    /// Packets of one flow that may be unacknowledged; 0 for no limit.
    pub window_packets: u32,
    /// Packets of one sender, all its flows together, that may be unacknowledged; 0 for no limit.
    pub sender_window_packets: u32,
    /// Virtual channels of each channel, shared evenly by `classes`.
    pub virtual_channels: u8,
    /// Classes of virtual channels.
    pub classes: u8,
    /// Which class a packet is in.
    pub class_rule: ClassRule,
    /// Next hops.
    pub choice: NextHopChoice,
    /// Order of a sender's flows.
    pub turn: FlowOrder,
    /// Chance that a bit arrives damaged, on channels that state nothing of their own.
    pub bit_error_rate: f64,
    /// Link-level retry of these channels.
    pub link_retry: RetryScheme,
    /// End-to-end retry.
    pub recovery: Recovery,
    /// Of all random draws.
    pub seed: u64,
    /// Events after which a run is given up.
    pub events_max: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            payload_bytes: 4096,
            header_bytes: 64,
            flit_bytes: 0,
            acknowledgement_bytes: 0,
            packets_per_acknowledgement: 1,
            window_packets: 0,
            sender_window_packets: 0,
            virtual_channels: 1,
            classes: 1,
            class_rule: ClassRule::Dateline,
            choice: NextHopChoice::Spray,
            turn: FlowOrder::RoundRobin,
            bit_error_rate: 0.0,
            link_retry: RetryScheme::None,
            recovery: Recovery::None,
            seed: 1,
            events_max: 100_000_000_000,
        }
    }
}

impl Setting {
    /// Bit errors of channels that state nothing of their own.
    #[must_use]
    pub fn errors(&self) -> LinkErrors {
        LinkErrors { bit_error_rate: self.bit_error_rate, retry: self.link_retry }
    }

    /// Bytes of a packet with so much payload.
    #[must_use]
    pub fn packet_bytes(&self, payload: u32) -> u32 {
        payload.saturating_add(self.header_bytes)
    }
}

/// Bytes from one end to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Sending node.
    pub source: u32,
    /// Receiving node.
    pub destination: u32,
    /// Payload.
    pub bytes: u64,
    /// Earliest start.
    pub start: PicosecondTime,
    /// Messages, by number, that must have arrived before.
    pub after: Vec<u32>,
}

/// Why packets cannot be simulated, or did not all arrive.
#[derive(Clone, Debug, PartialEq)]
pub enum PacketError {
    /// A figure that makes no sense.
    Setting(String),
    /// No path joins two ends.
    Unreachable {
        /// Sending node.
        from: u32,
        /// Receiving node.
        to: u32,
    },
    /// Packets wait for each other in a circle; the channels of the circle, in order.
    Deadlock {
        /// Channel numbers.
        cycle: Vec<u32>,
        /// Packets that wait.
        waiting: u64,
    },
    /// The same on a machine whose channels have names.
    NamedDeadlock {
        /// Channels of the circle, in order.
        channels: Vec<String>,
        /// Packets that wait.
        waiting: u64,
        /// Virtual channels that would keep packets from waiting for each other.
        needed: u8,
    },
    /// Messages that lost packets which nobody sends again.
    Lost {
        /// Messages that did not arrive.
        messages: u64,
        /// Packets lost.
        packets: u64,
    },
    /// More events than the setting allows, or a time beyond what can be counted.
    TooLong {
        /// Events so far.
        events: u64,
        /// Simulated time so far.
        seconds: f64,
    },
}

impl fmt::Display for PacketError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(message) => write!(out, "{message}"),
            Self::Unreachable { from, to } => write!(out, "no path leads from node {from} to node {to}"),
            Self::Deadlock { cycle, waiting } => {
                let names: Vec<String> = cycle.iter().map(u32::to_string).collect();
                write!(out, "deadlock: {waiting} packets wait in a cycle of full buffers, channels {}", names.join(" -> "))
            }
            Self::NamedDeadlock { channels, waiting, needed } => {
                write!(out, "deadlock: {waiting} packets wait for each other")?;
                if !channels.is_empty() {
                    write!(out, " in a cycle of full buffers: {}, and round again", channels.join(", "))?;
                }
                write!(out, "; {needed} virtual channels prevent that")
            }
            Self::Lost { messages, packets } => {
                write!(out, "{messages} messages did not arrive: {packets} packets were lost and no retry is set")
            }
            Self::TooLong { events, seconds } => write!(out, "not finished after {events} events and {seconds} simulated seconds"),
        }
    }
}

impl std::error::Error for PacketError {}
