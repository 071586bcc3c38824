//! Results to text. Each result has a file here that says which tables and which JSON keys it becomes; `format.rs` lays them out.
//!
//! Uses everything below it. Must never hold: files, terminals, arithmetic beyond the layout of a table.
//!
//! JSON keys carry SI base units in their names (`_s`, `_bytes`, `_bytes_per_s`, `_w`, `_j`, `_tokens_per_s`).

mod calibrate;
mod chart;
mod clip;
mod collective;
mod compare;
mod comparison;
mod complexity;
mod describe;
mod drawing;
mod experts;
mod explain;
mod fail;
mod format;
mod load;
mod model;
mod optimize;
#[cfg(feature = "parquet")]
mod parquet;
mod phases;
mod plan;
mod plan_picture;
mod power;
mod prefixes;
mod record_file;
mod records;
mod scatter;
mod sensitivity;
mod simulate;
mod sweep;
mod trace;
mod training;
mod training_trace;
mod transients;
mod uncertainty;
mod validate;

pub use calibrate::CalibrateReport;
pub use chart::{Line, LineChart};
pub use clip::ClipReport;
pub use collective::{CollectiveReport, CollectiveRow, ConcurrentRow, ConcurrentTotalRow, LevelRow};
pub use compare::CompareReport;
pub use describe::DescribeReport;
pub use drawing::{Drawing, draw};
pub use experts::{ExpertsReport, ExpertsRow};
pub use fail::FailReport;
pub use format::{Align, Column, Format, Report, Section, Table, render};
pub use load::LoadReport;
pub use model::ModelReport;
pub use optimize::OptimizeReport;
pub use plan::{PlanDay, PlanReport};
pub use record_file::RecordFormat;
pub use records::{Cells, Records};
pub use scatter::scatter;
pub use sensitivity::SensitivityReport;
pub use simulate::SimulateReport;
pub use sweep::{SweepReport, chart_of};
pub use trace::{TracedPass, chrome_trace};
pub use training::TrainingReport;
pub use training_trace::training_trace;
pub use uncertainty::UncertaintyReport;
pub use validate::ValidateReport;
