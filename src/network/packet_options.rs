//! Options of a packet run that override the files of the machine.

use crate::input::document::SwitchQueueing;
use crate::units::Bytes;

/// Order in which a chip sends to its partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rotation {
    /// To the next position first, and round the positions, at every level of the machine: no two chips send to one at once, and no two
    /// chips of a scale-up domain to one chip of another.
    #[default]
    Rotated,
    /// Every chip in a random order of its own. No chip waits for another.
    Shuffled,
    /// All to rank 0 first, then to rank 1 and so on.
    Same,
}

/// Options of a packet run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PacketOptions {
    /// Payload of a packet; that of the protocol if absent.
    pub packet: Option<Bytes>,
    /// Buffer of each switch port, for one virtual channel; that of the switch's file if absent.
    pub port_buffer: Option<Bytes>,
    /// Where packets wait in switches; as the switch's file says if absent.
    pub queueing: Option<SwitchQueueing>,
    /// Probability that a bit arrives damaged.
    pub bit_error_rate: f64,
    /// Order of a chip's partners.
    pub rotation: Rotation,
    /// One partner after the other instead of a packet for each in turn.
    pub one_by_one: bool,
    /// Seed of the random draws.
    pub seed: u64,
}
