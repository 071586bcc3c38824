//! Results to text. Each result has a file here that says which tables and which JSON keys it becomes; `format.rs` lays them out.
//!
//! Uses everything below it. Must never hold: files, terminals, arithmetic beyond the layout of a table.
//!
//! JSON keys carry SI base units in their names (`_s`, `_bytes`, `_bytes_per_s`, `_w`, `_j`, `_tokens_per_s`).

mod calibrate;
mod capacity;
mod chart;
mod clip;
mod collective;
mod compare;
mod comparison;
mod complexity;
mod describe;
mod document;
mod drawing;
mod experts;
mod explain;
mod fail;
mod fan_in;
mod format;
mod frontier;
mod load;
mod model;
mod optimize;
mod outputs;
mod packet_replay;
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
mod serve;
mod serve_trace;
mod simulate;
mod sweep;
mod tables;
mod trace;
mod training;
mod training_trace;
mod transients;
mod uncertainty;
mod validate;

pub use calibrate::CalibrateReport;
pub use capacity::CapacityReport;
pub use chart::{Line, LineChart};
pub use clip::ClipReport;
pub use collective::{CollectiveReport, CollectiveRow, ConcurrentRow, ConcurrentTotalRow, LevelRow};
pub use compare::CompareReport;
pub use describe::DescribeReport;
pub use document::{Document, tables_text};
pub use drawing::{Drawing, draw, draw_loads};
pub use experts::{ExpertsReport, ExpertsRow};
pub use fail::FailReport;
pub use fan_in::FanInReport;
pub use format::{Align, Column, Format, Report, Section, Table, render_markdown, render_text};
pub use frontier::{FrontierReport, UpAxis};
pub use load::LoadReport;
pub use model::ModelReport;
pub use optimize::OptimizeReport;
pub use outputs::{output_schema, outputs};
pub use plan::{PlanDay, PlanReport};
pub use record_file::RecordFormat;
pub use records::{Cells, Records};
pub use scatter::scatter;
pub use sensitivity::SensitivityReport;
pub use serve::ServeReport;
pub use simulate::SimulateReport;
pub use sweep::{SweepReport, chart_of};
pub use trace::{TracedPass, chrome_trace};
pub use training::TrainingReport;
pub use training_trace::training_trace;
pub use uncertainty::UncertaintyReport;
pub use validate::ValidateReport;
