//! Hardware-aware simulator of scale-up AI supernodes.
//!
//! Describe a machine in TOML or take a shipped one, and ask how long a collective takes, what a model serves or trains at, and for how
//! many watts:
//!
//! ```
//! use supernode::{Op, ServingWorkload, Supernode};
//!
//! let machine = Supernode::named("gb200-nvl72")?;
//! let all_reduce = machine.collective(Op::AllReduce, 72, 1e9)?;
//! println!("{:.0} GB/s of bus bandwidth", all_reduce.busbw_bytes_per_s / 1e9);
//! # Ok::<(), supernode::Error>(())
//! ```
//!
//! The program behind it is one line of stages, each a function from a reference to a new owned type:
//!
//! ```text
//! name -> Document -> Spec -> Fabric -> Network --+
//!                     WorkloadSpec -> Step  ------+-> Performance -> Power -> Verdict -> Report -> text, JSON
//! ```
//!
//! `docs/design.md` is the map; `docs/model/` states the equations and their sources. The stages are private; the feature `internals`
//! opens them to the project's own tests and benches, and promises nothing.

#![warn(clippy::unwrap_used)]
#![cfg_attr(not(feature = "internals"), allow(dead_code, unused_imports, reason = "tests and benches ask more of the stages than commands do"))]

mod api;

#[cfg(feature = "internals")]
pub mod execution;
#[cfg(not(feature = "internals"))]
mod execution;
#[cfg(feature = "internals")]
pub mod fabric;
#[cfg(not(feature = "internals"))]
mod fabric;
#[cfg(feature = "internals")]
pub mod footprint;
#[cfg(not(feature = "internals"))]
mod footprint;
#[cfg(feature = "internals")]
pub mod input;
#[cfg(not(feature = "internals"))]
mod input;
#[cfg(feature = "internals")]
pub mod network;
#[cfg(not(feature = "internals"))]
mod network;
#[cfg(feature = "internals")]
pub mod report;
#[cfg(not(feature = "internals"))]
mod report;
#[cfg(feature = "internals")]
pub mod serving;
#[cfg(not(feature = "internals"))]
mod serving;
#[cfg(feature = "internals")]
pub mod study;
#[cfg(not(feature = "internals"))]
mod study;
#[cfg(feature = "internals")]
pub mod training;
#[cfg(not(feature = "internals"))]
mod training;
#[cfg(feature = "internals")]
pub mod units;
#[cfg(not(feature = "internals"))]
mod units;
#[cfg(feature = "internals")]
pub mod validation;
#[cfg(not(feature = "internals"))]
mod validation;
#[cfg(feature = "internals")]
pub mod workload;
#[cfg(not(feature = "internals"))]
mod workload;

mod ask;
#[doc(hidden)]
pub mod cli;

pub use api::{
    Algorithm, CollectiveResult, DemandTarget, Error, Op, ServingResult, ServingWorkload, Study, StudyResult, Supernode, TrainingResult,
    TrainingWorkload,
};
pub use ask::{Answer, AnswerTable, ColumnCells, ask, ask_heard};
