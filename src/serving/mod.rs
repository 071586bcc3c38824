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
//! | and with prompts and answers on the same chips? | `aggregated.rs` |
//! | how is the largest batch found? | `batch.rs` |
//! | what has every operating point? | `point.rs` |
//! | which mapping is best? | `search.rs` |
//! | why does a mapping not work? | `infeasible.rs` |

mod aggregated;
mod batch;
mod clip;
mod decode;
mod infeasible;
mod kv_transfer;
mod point;
mod prefill;
mod prefix_cache;
mod search;

pub use aggregated::{AggregatedPoint, aggregated_at, most_requests};
pub use clip::{ClipPoint, clip_at, clip_degrees, clip_points};
pub use decode::{DecodePoint, decode_at, largest_batch};
pub use infeasible::Infeasible;
pub use kv_transfer::KvTransfer;
pub use point::Point;
pub use prefill::{PrefillPoint, most_prompts, prefill_at};
pub use prefix_cache::{PrefixUse, reach};
pub use search::{
    Described, MICRO_BATCHES, MICRO_BATCHES_AFD, Phase, Search, best_decode, best_prefill, search_aggregated, search_decode, search_prefill,
};
