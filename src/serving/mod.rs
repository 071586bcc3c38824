//! Where fabric and workload meet: mappings, steps, decode and prefill under a service level, and the search over mappings.
//!
//! | question | file |
//! | --- | --- |
//! | which ways of laying a model over ranks are legal? | `mapping.rs` |
//! | does it fit in memory? | `memory.rs` |
//! | what does a transfer between ranks cost? | `communication.rs` |
//! | what runs beside what, and what is exposed? | `timeline.rs` |
//! | what does one pass of the model consist of? | `pass.rs` |
//! | which cores do what? | `streams.rs` |
//! | how long is a pass, what holds it back? | `step.rs` |
//! | when does each stage of a pass run, what does it do? | `course.rs` |
//! | what does a chip draw, and what if that is too much? | `chip_power.rs` |
//! | how long does a video clip take? | `clip.rs` |
//! | what does a draft model add? | `draft.rs` |
//! | tokens per second under a TPOT or TTFT limit? | `decode.rs`, `prefill.rs` |
//! | which prefixes are still there, and where? | `prefix_cache.rs` |
//! | how does a prompt's cache reach the chips that answer? | `handover.rs` |
//! | and with prompts and answers on the same chips? | `aggregated.rs` |
//! | how is the largest batch found? | `batch.rs` |
//! | what has every operating point? | `point.rs` |
//! | which mapping is best? | `search.rs` |
//! | why does a mapping not work? | `refusal.rs` |

mod aggregated;
mod batch;
mod chip_power;
mod clip;
mod communication;
mod course;
mod decode;
mod draft;
mod handover;
mod mapping;
mod memory;
mod pass;
mod point;
mod prefill;
mod prefix_cache;
mod refusal;
mod search;
mod step;
mod streams;
mod timeline;

pub use aggregated::{AggregatedPoint, aggregated_at, most_requests};
pub use chip_power::{arithmetic_energy, memory_energy, port_energy, slowdown, work_energy};
pub use clip::{ClipPoint, clip_at, clip_degrees, clip_points};
pub use communication::Communication;
pub use course::{Limit, Moment, StageWork, course};
pub use decode::{DecodePoint, decode_at, largest_batch};
pub use draft::draft_mapping;
pub use handover::Handover;
pub use mapping::{Mapping, MappingRequest, degrees, mappings, mappings_apart, mappings_for};
pub use memory::{cache_room, expert_rank_bytes, weight_bytes};
pub use pass::{Machine, StepShape};
pub use point::Point;
pub use prefill::{PrefillPoint, most_prompts, prefill_at};
pub use prefix_cache::{PrefixUse, reach};
pub use refusal::No;
pub use search::{
    Described, MICRO_BATCHES, MICRO_BATCHES_APART, Phase, Search, best_decode, best_prefill, search_aggregated, search_decode, search_prefill,
};
pub use step::{Activity, Bound, OperatorWork, Segment, Step, step, step_time};
pub use timeline::{MOST_MICRO_BATCHES, Resource, Slot, Stage, makespan, schedule};
