//! What the fabric does with traffic: channel loads, times of rounds, collectives and their algorithms.
//!
//! Uses `fabric`, `input` and `units`. Must never hold: models, operators, service levels; a transfer gets its time here and nowhere else.
//!
//! | question | file |
//! | --- | --- |
//! | which chips take part, in what order? | `group.rs` |
//! | who talks to whom in a round? | `pattern.rs` |
//! | how many bytes does each channel carry then? | `loads.rs`, by symmetry `symmetry.rs` |
//! | what does that come to, for any size? | `profile.rs`; a pattern from walk to profile: `play.rs` |
//! | what if sizes differ, or several patterns run at once? | `flows.rs`, over the solvers in `fair_share/` |
//! | which rounds does an algorithm play, and when does it apply? | `algorithm.rs` |
//! | how long does a collective take, by which algorithm? | `plan.rs`, `cost.rs`; an engine's own kernel: `custom_all_reduce.rs` |
//! | who asks for that, and what is reported? | `pricing.rs`, for searches `prices.rs`; `collective.rs` |
//! | how do collectives of several groups slow each other? | `concurrent.rs` |
//! | what can no algorithm beat? | `bound.rs` |
//! | how fast, how far, how wide is the fabric as such? | `fabric_metrics.rs` |
//! | how fast do chips read memory beside them? | `far_memory.rs` |
//! | what do queues, credits and collisions add? | `packets/`: a simulation of every packet |
//! | how long do MoE dispatch and combine take? | `moe.rs` |

mod afd;
mod algorithm;
mod bound;
mod channel_class;
mod collective;
mod concurrent;
mod cost;
mod custom_all_reduce;
mod fabric_metrics;
pub mod fair_share;
mod far_memory;
mod flows;
mod group;
mod loads;
mod moe;
#[expect(clippy::module_inception, reason = "the file holds the `Network`")]
mod network;
mod op;
pub mod packets;
mod pattern;
mod plan;
mod play;
mod prices;
mod pricing;
mod profile;
mod symmetry;

pub use crate::input::document::Algorithm;
pub use afd::AfdTraffic;
pub use algorithm::Obstacle;
pub use bound::{Cuts, lower_bound};
pub use collective::{BYTES_MAX, Collective, CollectiveError, LevelUse, Protocol, Timing};
pub use concurrent::{ConcurrentCollective, ConcurrentError, ConcurrentTiming, ConcurrentTimings, concurrent_timings, groups};
pub use cost::Engines;
pub use fabric_metrics::{FabricMetrics, fabric_metrics};
pub use fair_share::completion::Accuracy;
pub use far_memory::{FarMemory, Reach};
pub use flows::{Flow, FlowError, Span, Stream};
pub use group::{Group, Placement, PlacementError};
pub use loads::ChannelLoads;
pub use moe::{ExpertTraffic, Relay, Relayed, distinct_ranks};
pub use network::{LONG_MESSAGE, Network};
pub use op::Op;
pub use pattern::Pattern;
pub use prices::{Prices, Transfer};
pub use pricing::Pricing;
pub use profile::{Peak, Profile};
