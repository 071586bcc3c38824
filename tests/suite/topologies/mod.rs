//! The topology language and the shipped supernodes.

mod catalog;
mod closed_forms;
mod extends;
mod framing;
mod handbook;
mod hostile;
mod invalid;
pub mod machine;
mod packages;
mod published;
mod published_china;
mod sources;
mod symmetry;
