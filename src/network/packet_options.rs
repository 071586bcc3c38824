//! Options of a packet run that override the files of the machine.

use crate::input::document::SwitchQueueing;
use crate::units::Bytes;

/// Order in which a chip sends to its partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SendOrder {
    /// To the next position first, and round the positions, at every level of the machine: no two chips send to one at once, and no two
    /// chips of a scale-up domain to one chip of another.
    #[default]
    Rotated,
    /// Every chip in a random order of its own. No chip waits for another.
    Shuffled,
    /// All to rank 0 first, then to rank 1 and so on.
    Same,
}

/// Bits that arrive damaged.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum BitErrors {
    /// None.
    #[default]
    None,
    /// As often as the protocol of each link states.
    Stated,
    /// With this probability on every link.
    Rate(f64),
}

/// Options of a packet run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PacketOptions {
    /// Payload of a packet; that of the protocol if absent.
    pub packet: Option<Bytes>,
    /// Buffer of each switch port, for one virtual channel; that of the switch's file if absent.
    pub port_buffer: Option<Bytes>,
    /// Virtual channels of each channel; as many as the routes need if absent.
    pub virtual_channels: Option<u8>,
    /// Where packets wait in switches; as the switch's file says if absent.
    pub queueing: Option<SwitchQueueing>,
    /// Bits that arrive damaged.
    pub bit_errors: BitErrors,
    /// Probability that a bit arrives damaged on one link, the first of chip 0, in both directions; 0 where it is like all others.
    pub faulty_link: f64,
    /// Order of a chip's partners.
    pub rotation: SendOrder,
    /// Sends long messages to their ends, where their steady state would tell the rest.
    pub to_the_end: bool,
    /// One partner after the other instead of a packet for each in turn.
    pub one_by_one: bool,
    /// Seed of the random draws.
    pub seed: u64,
}
