//! Running a model on a machine: what inference, training and power share.
//!
//! May use `network`, `workload` and everything below them. Must never hold a service level, a search over mappings or batches, a queue,
//! or a watt beyond the chip's own: those belong to `serving`, `training` and `footprint`.
//!
//! | question | file |
//! | --- | --- |
//! | how is a model laid over ranks, and which layouts are legal? | `mapping.rs` |
//! | how many bytes do weights and caches take on a rank? | `memory.rs` |
//! | what does a transfer between ranks of an instance take? | `communication.rs`, which asks `network` |
//! | what does one pass work on? | `shape.rs` |
//! | which operators and transfers does one pass consist of? | `pass.rs`; those of a draft model: `draft.rs` |
//! | which cores run what? | `streams.rs` |
//! | in which order do micro-batches use cores and wires? | `schedule.rs` |
//! | how long is a step? | `step.rs`; what holds it back: `bound.rs` |
//! | what does a serving engine's host add to it? | `host.rs` |
//! | how much work is that? | `activity.rs` |
//! | when does each stage of a step run? | `timeline.rs` |
//! | how long does a recorded or generated execution trace take? | `replay/` |
//! | what does a chip draw, and at which clock does it keep to its limit? | `chip_power.rs`; a whole pass at that clock: `paced.rs` |

mod activity;
mod bound;
mod chip_power;
mod communication;
pub(crate) mod draft;
mod host;
mod mapping;
mod memory;
mod paced;
mod pass;
mod replay;
mod schedule;
mod shape;
mod step;
mod streams;
mod timeline;

pub use activity::{Activity, Limit, OperatorWork, StageWork};
pub use bound::Bound;
pub use chip_power::{
    ClockPace, arithmetic_energy, lowest_clock, memory_energy, pace, port_energy, power_between_kernels, running_energy, work_energy, work_power,
};
pub use communication::{Communication, Exchange};
pub use draft::draft_mapping;
pub use host::front_end;
pub use mapping::{Mapping, MappingRequest, afd_mappings, degrees, mappings, mappings_for};
pub use memory::{cache_room, expert_rank_bytes, weight_bytes};
pub use pass::Machine;
pub use replay::{
    ComputeSources, ComputeTimes, GatherSize, PlayedKind, PlayedNode, RankTimes, ReplayError, ReplayOptions, TraceReplay, UnsizedNode, replay,
};
pub use schedule::{MOST_MICRO_BATCHES, Resource, Slot, Stage, makespan, schedule};
pub use shape::StepShape;
pub use step::{Segment, Step, step, step_time};
pub use timeline::{TimelineEntry, timeline};
