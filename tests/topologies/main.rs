//! The topology language and the shipped supernodes.

mod closed_forms;
mod invalid;
mod machine;
mod symmetry;
