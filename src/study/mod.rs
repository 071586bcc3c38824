//! Questions answered with the stages below: one supernode under one workload and target, and predictions beside published figures.
//!
//! Uses `serving`, `training`, `footprint` and everything below them. Must never hold: formulas: a study asks the floors below and combines answers.

mod best_goodput;
mod capacity;
mod claim;
mod clip;
mod columns;
mod compare;
mod fail;
mod frontier;
mod goodput;
mod import;
mod metric;
mod optimize;
mod packet_replay;
mod plan;
mod preview;
mod progress;
mod replications;
mod sensitivity;
mod serve;
mod simulate;
mod space;
mod sweep;
mod training;
mod uncertainty;
mod utilisation;
mod verdict;

pub use capacity::{Capacity, Promise, capacities, capacity, promises};
pub use claim::{Claim, chosen, digits, findings, grouped};
pub use clip::{ClipSimulation, simulate_clip};
pub use columns::{Better, COMPARED, Column, DETAILED, dimension, is_count};
pub use compare::{Row, compare, with_chip};
pub use fail::{Chances, DegradedMachine, Draw, Remaining, SingleFailure, availability, chances, drawn, every_single_failure, single_failures};
pub use frontier::{Curve, FrontierPoint, frontier};
pub use goodput::{Goodput, MONTH, goodput};
pub use import::{Imported, Joined, Mapped, PartMap, Structure, import, recognise};
pub use metric::Metric;
pub use optimize::{Budget, Optimum, Tried, optimize};
pub use packet_replay::{PacketReplay, packet_replay};
pub use plan::{Basis, Design, Fleet, days, demand_on, design, fleet};
pub use progress::Progress;
pub use replications::{Estimate, Replications, replicate};
pub use sensitivity::{BETTER, Case, Gain, PARAMETERS, sensitivity};
pub use serve::{Layout, Limits, Mode, Plan, Served, made};
pub use simulate::{Choice, DEFAULT_WORKLOAD, PhaseResult, Simulation, simulate, simulate_on, simulate_with, swings, watts_over_a_step};
pub use space::{Design as StudyDesign, MOST_POINTS, Outcome, Point, Space, columns};
pub use sweep::{Demands, Shard, SweptRow, amount, figure, sweep};
pub use training::{TrainingSimulation, TrainingWatts, describe_training, simulate_training, training_task, training_watts};
pub use uncertainty::{Assumption, Distribution, Uncertainty, beats, enough, uncertainty};
pub use utilisation::{Utilisation, UtilisationBasis};
pub use verdict::{Service, Verdict, service, verdict};
