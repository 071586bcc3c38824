//! Training: what a step of a global batch takes on a machine, and the mapping that is fastest.
//!
//! | question | file |
//! | --- | --- |
//! | which kernels and transfers does a layer run, forward and backward? | `layer.rs` |
//! | what does a rank hold? | `memory.rs` |
//! | how long is a step, what is exposed? | `step.rs` |
//! | which ways of laying the model over ranks are tried, which is best? | `search.rs` |

mod layer;
mod memory;
mod search;
mod step;

pub use layer::{Layer, Task, backward, model_flop_per_token};
pub use memory::{TrainingMemory, memory};
pub use search::{TrainingRequest, TrainingSearch, communication, search};
pub use step::{TrainingLayout, TrainingStep, bubble, train_step};
