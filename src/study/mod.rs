//! Questions answered with the stages below: one supernode under one workload and target, and predictions beside published figures.

mod clip;
mod compare;
mod published;
mod simulate;
mod verdict;

pub use clip::{ClipSimulation, simulate_clip};
pub use compare::{Better, Row, compare, with_chip};
pub use published::{Comparison, Published, compare_published};
pub use simulate::{Choice, Objective, PhaseResult, Simulation, simulate, simulate_with};
pub use verdict::{Service, Verdict, service, verdict};
