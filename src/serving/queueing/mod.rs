//! Serving in time: requests arrive, wait, are batched as an engine batches them, and leave; a discrete-event simulation.
//!
//! May use `execution` and the files next to this folder in `serving`. Must never price a pass itself: `prices.rs` asks `execution`.
//! Time is counted in whole picoseconds and random numbers come from named streams, so a run gives the same bytes everywhere.
//!
//! | question | file |
//! | --- | --- |
//! | which requests come when? | `trace.rs`; made up: `arrivals.rs` |
//! | which instance does a request go to? | `router.rs` |
//! | what happens next? | `fleet.rs`, the event loop |
//! | what does an instance run as one pass? | `instance.rs` |
//! | which sequences take part in it, and who must give way? | `group.rs`, by the rules of `rules.rs` |
//! | what is known of a request in flight? | `sequence.rs`; of many that make a token in every pass: `decoders.rs` |
//! | which blocks are free, held or kept for others? | `memory.rs`, `pool.rs` |
//! | how long does a pass take? | `prices.rs` |
//! | what is left at the end? | `record.rs` |
//! | what would a cache find if requests came one at a time? | `prefix_hits.rs` |

mod arrivals;
mod clock;
mod decoders;
mod fleet;
mod group;
mod instance;
mod memory;
mod pass;
mod pool;
mod prefix_hits;
mod prices;
mod record;
mod router;
mod rules;
mod sequence;
mod trace;

pub use arrivals::{Arrivals, Made, Sessions};
pub use clock::Picoseconds;
pub use fleet::{CacheTransfer, Fleet, FleetOutcome, PoolSize, serve};
pub use instance::{PassCost, PassPricing};
pub use pass::PassLoad;
pub use prefix_hits::{BlockOrder, PrefixSpread, prefix_hits, spread_hits};
pub use prices::{Deployment, PassPrices};
pub use record::{Histogram, OverTime, OverTimeSpan, Percentiles};
pub use router::RouterPolicy;
pub use rules::SchedulerRules;
pub use sequence::{RequestStage, Sequence};
pub use trace::{ArrivingRequest, Trace};
