//! The topology language and the shipped supernodes.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test, helpers included")]

mod catalog;
mod closed_forms;
mod extends;
mod framing;
mod handbook;
mod hostile;
mod invalid;
mod machine;
mod symmetry;
