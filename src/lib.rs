//! Hardware-aware simulator of scale-up AI supernodes.
//!
//! The program is one line of stages, each a function from a reference to a new owned type:
//!
//! ```text
//! name -> Document -> Spec -> Fabric -> Network --+
//!                     WorkloadSpec -> Step  ------+-> Performance -> Power -> Verdict -> Report -> text, JSON
//! ```
//!
//! `docs/design.md` is the map; `docs/model.md` states the equations and their sources.

#![warn(clippy::unwrap_used)]

pub mod cli;
pub mod execution;
pub mod fabric;
pub mod footprint;
pub mod input;
pub mod network;
pub mod report;
pub mod serving;
pub mod study;
pub mod training;
pub mod units;
pub mod validation;
pub mod workload;
