//! Rates and completion times of flows that share channels: pure functions over slices, under the network engine.
//!
//! Three words carry it. A *channel* has a capacity (bytes/s). A *flow* has a rate (bytes/s). A *share* says which
//! fraction of a flow's rate crosses a channel; it is below 1 where a flow is sprayed over several paths.
//!
//! Max-min fairness asks for rates `r` such that
//!
//! ```text
//! for every channel c:   sum over flows f of  count[f] * share[f,c] * r[f]  <=  capacity[c]
//! for every flow f:      0 <= r[f] <= cap[f]
//! ```
//!
//! and no rate can grow without shrinking one that is no larger. Such rates exist and are unique.
//!
//! | file | holds |
//! | --- | --- |
//! | `sharing.rs` | the problem, as given and as checked |
//! | `reduce.rs` | the same problem with fewer channels, provably |
//! | `table.rs` | rows and columns of a checked problem, side by side |
//! | `max_min.rs` | rates, by progressive filling |
//! | `levels.rs` | rates kept right while flows come and go, by `settling.rs`; `crossings.rs` and `dirty_set.rs` are its bookkeeping |
//! | `service.rs` | bytes delivered, and who ends next |
//! | `live.rs` | rates and bytes of the flows that have not ended, in step |
//! | `transfers.rs` | what flows carry and when they may start, checked |
//! | `completion.rs` | when each flow ends; `events.rs` is one pass through its events |
//! | `sample_fabrics.rs` | a crossbar and a Clos for tests, benches and the comparison with peers |
//! | `judge.rs` | a slow and obvious solver that the others must agree with |

pub mod completion;
mod crossings;
mod dirty_set;
mod events;
mod levels;
mod live;
pub mod max_min;
pub mod reduce;
pub mod sample_fabrics;
mod service;
mod settling;
pub mod sharing;
mod table;
pub mod times;
pub mod transfers;

#[cfg(test)]
mod judge;
#[cfg(test)]
mod tests;
