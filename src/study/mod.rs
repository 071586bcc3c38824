//! Questions answered with the stages below: one supernode under one workload and target, and predictions beside published figures.

pub mod calibrate;
mod simulate;
pub mod validate;
mod verdict;

pub use simulate::{PhaseResult, Simulation, simulate};
pub use verdict::{Service, Verdict, service, verdict};
