//! What the fabric does with traffic: channel loads, times of rounds, collectives and their algorithms.
//!
//! | question | file |
//! | --- | --- |
//! | how many bytes cross each channel when a group talks? | `profile.rs` |
//! | how long does a collective take, by which algorithm? | `collective.rs` |
//! | what can no algorithm beat? | `bound.rs` |
//! | how fast, how far, how wide is the fabric as such? | `survey.rs` |
//! | how long do MoE dispatch and combine take? | `moe.rs` |

mod bound;
mod collective;
mod moe;
mod profile;
mod survey;

pub use bound::lower_bound;
pub use collective::{Algorithm, Collective, CollectiveError, Op, Pricing, Timing};
pub use moe::{ExpertTraffic, distinct_ranks};
pub use profile::{Network, Peak, Profile};
pub use survey::{Survey, survey};
