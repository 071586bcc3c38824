//! Results to text. Each result has a file here that says which tables and which JSON keys it becomes; `format.rs` lays them out.
//!
//! JSON keys carry SI base units in their names (`_s`, `_bytes`, `_bytes_per_s`, `_w`, `_j`, `_tokens_per_s`).

mod clip;
mod collective;
mod compare;
mod describe;
mod drawing;
mod explain;
mod format;
mod power;
mod simulate;
mod trace;

pub use clip::ClipReport;
pub use collective::{CollectiveReport, CollectiveRow, LevelRow};
pub use compare::CompareReport;
pub use describe::DescribeReport;
pub use drawing::{Drawing, draw};
pub use format::{Align, Column, Format, Report, Section, Table, render};
pub use simulate::SimulateReport;
pub use trace::chrome_trace;
