//! What is counted: the machines of the timed benches.

#[path = "../../cases/mod.rs"]
pub mod cases;
