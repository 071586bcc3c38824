//! Questions answered with the stages below: one supernode under one workload and target, and predictions beside published figures.

pub mod calibrate;
mod clip;
mod compare;
mod fail;
mod plan;
mod random;
mod simulate;
pub mod validate;
mod verdict;

pub use clip::{ClipSimulation, simulate_clip};
pub use compare::{Better, Row, compare, with_chip};
pub use fail::{Chances, Draw, Patient, Remaining, SingleFailure, availability, chances, drawn, every_single_failure, single_failures};
pub use plan::{Basis, Design, Fleet, days, demand_on, design, fleet};
pub use random::SplitMix64;
pub use simulate::{Choice, Objective, PhaseResult, Simulation, simulate, simulate_with};
pub use verdict::{Service, Verdict, service, verdict};
