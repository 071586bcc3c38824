//! The packet engine against published simulators, closed forms and its own laws of conservation.

mod anchors;
mod closed_forms;
mod conservation;
mod published;
mod sample_machines;
mod staged;
mod trees;
