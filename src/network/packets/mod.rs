//! Packets on the channels of a machine: queues, credits, pauses, retries.
//!
//! | question | file |
//! | --- | --- |
//! | what is simulated, with which figures? | `model.rs` |
//! | which next hops does a packet have? | `routes.rs` |
//! | when does what happen? | `run.rs`, `calendar.rs`, `state.rs` |
//! | which packet does a port send, and when may it? | `transmit.rs`, `port.rs` |
//! | which flit crosses a router of stages? | `router_cycle.rs`; its parts `staged.rs`, `islip.rs` |
//! | what becomes of a packet that arrives? | `arrive.rs` |
//! | what do senders send, and again? | `sender.rs`, `flow.rs` |
//! | what comes at a given rate? | `source.rs` |
//! | what do switches add up and copy? | `tree.rs`, `trees.rs` |
//! | what is found? | `result.rs`, `histogram.rs` |

mod arrive;
mod calendar;
mod flow;
mod histogram;
mod islip;
mod model;
mod packet;
mod port;
mod random;
mod result;
mod router_cycle;
mod routes;
mod run;
mod sender;
mod source;
mod staged;
mod state;
mod transmit;
mod tree;
mod trees;

pub use histogram::LatencyHistogram;
pub use model::{
    Allocator, ClassRule, Control, FlowOrder, LinkErrors, Message, NEVER, NextHopChoice, PacketChannel, PacketError, PacketForwarding, PacketMachine,
    PacketNode, PicosecondTime, Queueing, Recovery, RetryScheme, Setting, picoseconds,
};
pub(super) use random::mix;
pub use result::{Arrival, Counts, PacketOutcome, QueueUse, Sample};
pub use routes::{Dependencies, RouteTable};
pub use run::{PacketTraffic, Watch, simulate};
pub use source::{Aim, OfferedLoad, Spacing};
pub use tree::Reduction;

#[cfg(test)]
mod tests;
