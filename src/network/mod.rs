//! What the fabric does with traffic: channel loads, times of rounds, collectives and their algorithms.
//!
//! Uses `fabric`, `input` and `units`. Must never hold: models, operators, service levels; a transfer gets its time here and nowhere else.
//!
//! | question | file |
//! | --- | --- |
//! | which chips take part, in what order? | `group.rs`; as boxes of a grid, with holes: `grid.rs` |
//! | who talks to whom in a round? | `pattern.rs` |
//! | how many bytes does each channel carry then? | `loads.rs`, by symmetry `symmetry.rs`, of rings and shifts `rotation.rs`; towards one receiver `receiver_walk.rs` |
//! | what does that come to, for any size? | `profile.rs`; a pattern from walk to profile: `play.rs` |
//! | what has been walked already, for this design or another? | `routed.rs`; for one of other latencies `longest_path.rs` |
//! | what if sizes differ, or several patterns run at once? | `flows.rs`, over the solvers in `fair_share/`; rates over time `flow_rates.rs` |
//! | which rounds does an algorithm play, and when does it apply? | `algorithm.rs` |
//! | how long does a collective take, by which algorithm? | `plan.rs`, `cost.rs`; an engine's own kernel: `custom_all_reduce.rs` |
//! | who asks for that, and what is reported? | `pricing.rs`, for searches `prices.rs`; `collective.rs` |
//! | by which trees do switches add up and copy? | `switch_trees.rs` |
//! | how do collectives of several groups slow each other? | `concurrent.rs`; when they come and go: `priced_stream.rs` on `shared_channels.rs` |
//! | what can no algorithm beat? | `bound.rs` |
//! | how fast, how far, how wide is the fabric as such? | `fabric_metrics.rs` |
//! | how fast do chips read memory beside them? | `far_memory.rs` |
//! | what do queues, credits and collisions add? | `packets/` simulates every packet, `packet_level.rs` on a real fabric, whose buffers and framing are in `packet_channels.rs`; whole algorithms `packet_rounds.rs`, the transfers of a step `packet_prices.rs`, a list of flows `packet_flows.rs`, latency against load `load_curve.rs`; where packets wait `queue_places.rs` |
//! | how well are links filled when many send to each? | `fan_in.rs` |
//! | how long do MoE dispatch and combine take? | `moe.rs` |

mod afd;
mod algorithm;
mod bound;
mod channel_class;
mod channel_loads;
mod collective;
mod computed_once;
mod concurrent;
mod cost;
mod custom_all_reduce;
mod fabric_metrics;
pub mod fair_share;
mod fan_in;
mod far_memory;
mod flow_rates;
mod flows;
mod grid;
mod group;
mod known_bytes;
mod load_curve;
mod loads;
mod longest_path;
mod moe;
#[expect(clippy::module_inception, reason = "the file holds the `Network`")]
mod network;
mod op;
mod packet_channels;
mod packet_flows;
mod packet_level;
mod packet_options;
mod packet_prices;
mod packet_rounds;
pub mod packets;
mod pattern;
mod plan;
mod play;
mod priced_stream;
mod prices;
mod pricing;
mod profile;
mod queue_places;
mod receiver_walk;
mod rotation;
mod routed;
mod shared_channels;
mod switch_trees;
mod symmetry;

pub use crate::input::document::Algorithm;
pub use afd::{AfdTraffic, RelayedAfd};
pub use algorithm::Obstacle;
pub use bound::{Cuts, lower_bound};
pub use channel_loads::ChannelLoads;
pub use collective::{BYTES_MAX, Collective, CollectiveError, LevelUse, LibraryProtocol, Timing};
pub use computed_once::computed;
pub use concurrent::{ConcurrentCollective, ConcurrentError, ConcurrentTiming, ConcurrentTimings, concurrent_timings, groups};
pub use cost::Engines;
pub use fabric_metrics::{FabricMetrics, fabric_metrics};
pub use fair_share::completion::Accuracy;
pub use fan_in::{FanInCurve, FanInPoint, fan_in, fan_in_efficiency};
pub use far_memory::{FarMemory, Reach};
pub use flow_rates::{ChannelUse, FlowRun, Hold, RateStretch, SharedBottleneck};
pub use flows::{Flow, FlowError, FlowSpan, FlowStream};
pub use group::{Group, Placement, PlacementError};
pub use load_curve::{LoadCurve, LoadPattern, LoadPoint, load_curve, load_point};
pub use moe::{ExpertTraffic, Relay, Relayed, distinct_ranks};
pub use network::{LONG_MESSAGE, Network};
pub use op::Op;
pub use packet_flows::PacketFlows;
pub use packet_level::{PacketLevel, PlayedPattern};
pub use packet_options::{BitErrors, PacketOptions, SendOrder};
pub use packet_prices::{PacketPrices, Replayed};
pub use packet_rounds::{PacketRounds, play_rounds};
pub use pattern::TrafficPattern;
pub use plan::Round;
pub use priced_stream::{KernelWire, PricedStream, StreamPhase, StreamPrices};
pub use prices::{CollectiveCall, TransferPrices};
pub use pricing::Pricing;
pub use profile::{Peak, Profile};
pub use queue_places::{QueueKind, QueuePlace, QueuesOverTime};
pub use routed::RoutedFabrics;
pub use shared_channels::SharedChannels;
