//! Serving: decode and prefill under a service level, and the search over mappings.
//!
//! May use `execution` and everything below it. Must never price a kernel or a transfer itself.
//!
//! | question | file |
//! | --- | --- |
//! | how long does a video clip take? | `clip.rs` |
//! | tokens per second under a TPOT or TTFT limit? | `decode.rs`, `prefill.rs` |
//! | which prefixes are still there, and where? | `prefix_cache.rs` |
//! | how does a prompt's cache reach the chips that answer? | `kv_transfer.rs` |
//! | and with prompts and answers on the same chips? | `aggregated.rs`; how many passes read prompts then: `chunks.rs` |
//! | what happens to requests in time, in queues? | `queueing/` |
//! | what do clients of an engine's public benchmark see? | `benchmark.rs`, which replays it pass by pass with `replay.rs` |
//! | how is the largest batch found? | `batch.rs` |
//! | what has an operating point, whatever the role of the instance? | `operating_point.rs` |
//! | which mapping is best? | `search.rs` |
//! | what if attention groups have unequal work? | `uneven_groups.rs` |
//! | why does a mapping not work? | `infeasible.rs` |

mod aggregated;
mod batch;
mod benchmark;
mod chunks;
mod clip;
mod decode;
mod deployment;
mod infeasible;
mod kv_transfer;
mod operating_point;
mod prefill;
mod prefix_cache;
pub mod queueing;
mod replay;
mod search;
mod uneven_groups;

pub use aggregated::{aggregated_at, most_requests};
pub use benchmark::benchmark;
pub use clip::{ClipPoint, clip_at, clip_degrees, clip_points};
pub use decode::{best_batch, decode_at};
pub use deployment::{Tiers, cache_tokens, kv_transfer, tiers};
pub use infeasible::Infeasible;
pub use kv_transfer::KvTransfer;
pub use operating_point::{OperatingPoint, Role, WholeRequests};
pub use prefill::{most_prompts, prefill_at};
pub use prefix_cache::{PrefixUse, reach};
pub use replay::{Batching, ClientTraffic, ReplayedService};
pub use search::{Described, MICRO_BATCHES, MICRO_BATCHES_AFD, MappingGroups, MappingSearch, PhasePoint, best, search};
