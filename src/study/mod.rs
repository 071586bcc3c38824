//! Questions answered with the stages below: one supernode under one workload and target, and predictions beside published figures.

pub mod calibrate;
mod compare;
mod simulate;
pub mod validate;
mod verdict;

pub use compare::{Better, Row, compare, with_chip};
pub use simulate::{Choice, Objective, PhaseResult, Simulation, simulate, simulate_with};
pub use verdict::{Service, Verdict, service, verdict};
