//! Training: time and memory of a step of a global batch on a machine, and the fastest layout.
//!
//! Uses `execution` and everything below it; does not know `serving` or `footprint`. Must never hold: the price of a kernel or of a transfer.
//!
//! | question | file |
//! | --- | --- |
//! | which kernels and transfers does a layer run? | `layer.rs`; its experts: `experts.rs` |
//! | which kernels undo a kernel, how long do they take? | `backward.rs` |
//! | what does the framework's host add, and waiting for the slowest rank? | `framework.rs` |
//! | which kernels does an update run? | `optimizer.rs` |
//! | what does a layer keep for its backward pass? | `saved_activations.rs` |
//! | what does a rank hold? | `memory.rs` |
//! | how long is a step, what is exposed? | `step.rs`; its layers at the clock that the power limit allows: `paced.rs` |
//! | when does each stage of the pipeline do what? | `timeline.rs` |
//! | which ways of laying the model over ranks are there? | `layout.rs` |
//! | which is fastest, and what would work where none does? | `search.rs` |

mod backward;
mod experts;
mod framework;
mod layer;
mod layout;
mod memory;
mod optimizer;
mod paced;
mod saved_activations;
mod search;
mod step;
mod timeline;

pub use backward::backward;
pub use framework::expected_largest;
pub use layer::{Task, TrainingLayer, model_flop_per_token};
pub use layout::{Recompute, TrainingLayout, TrainingRequest, layouts};
pub use memory::{TrainingMemory, memory};
pub use paced::LayersByClock;
pub use search::{Remedy, TrainingSearch, remedy, search};
pub use step::{DataExchange, TrainingPass, TrainingStep, bubble, train_step};
pub use timeline::{PipelineEvent, TrainingTimelineEntry, training_timeline};
