//! What a run of packets may change of what the machine's files say.

use crate::input::document::SwitchQueueing;
use crate::units::Bytes;

/// In which order a chip sends to its partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rotation {
    /// To the next position first, and round the positions, at every level of the machine: no two chips send to one at once, and no two
    /// chips of a scale-up domain to one chip of another.
    #[default]
    Rotated,
    /// In an order of its own, drawn at random for every chip: nobody waits for anybody.
    Shuffled,
    /// All to rank 0 first, then to rank 1 and so on.
    Same,
}

/// What a run of packets may change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PacketOptions {
    /// Payload of a packet; that of the protocol if absent.
    pub packet: Option<Bytes>,
    /// Buffer of each switch port, for one virtual channel; that of the switch's file if absent.
    pub port_buffer: Option<Bytes>,
    /// Where packets wait in switches; as the switch's file says if absent.
    pub queueing: Option<SwitchQueueing>,
    /// Chance that a bit arrives damaged.
    pub bit_error_rate: f64,
    /// Order of a chip's partners.
    pub rotation: Rotation,
    /// One partner after the other instead of a packet for each in turn.
    pub one_by_one: bool,
    /// Of random draws.
    pub seed: u64,
}
