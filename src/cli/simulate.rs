//! `supernode simulate`: the main job.

use super::{Outcome, bad_option};
use crate::report;

/// Simulate a workload on a supernode: bandwidth, latency, power, tokens per second, verdict
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,
}

pub fn run(arguments: &Arguments, _: report::Format) -> Outcome {
    Err(bad_option(&arguments.supernode, "simulate is on its way"))
}
