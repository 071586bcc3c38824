//! `supernode simulate`: the main job.

use super::{Exit, Outcome, Output};
use crate::fabric;
use crate::input::spec::{load_supernode, load_target, load_workload};
use crate::report::{self, SimulateReport};
use crate::study::{Published, compare_published, simulate};

/// Simulate a workload on a supernode: bandwidth, latency, power, tokens per second, verdict
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    /// What is served; the supernode's own choice if absent, else deepseek-r1-cloudmatrix
    #[arg(long)]
    workload: Option<String>,

    /// The demand that the result is held against
    #[arg(long, default_value = "doubao-2026-04")]
    target: String,

    /// End with exit code 1 if the target is missed
    #[arg(long)]
    strict: bool,
}

pub fn run(arguments: &Arguments, format: report::Format) -> Outcome {
    let spec = load_supernode(&arguments.supernode)?;
    let workload = load_workload(super::workload_name(arguments.workload.as_deref(), &spec))?;
    let target = load_target(&arguments.target)?;
    let published = spec.published.as_deref().map(Published::load).transpose()?;
    let fabric = fabric::build(&spec)?;
    let simulation = simulate(&spec, &fabric, &workload, &target);
    let published = published.map_or_else(Vec::new, |published| compare_published(&spec, &fabric, &published));
    let meets = simulation.verdict.meets();
    let report = SimulateReport {
        supernode: spec.id,
        title: format!("{} ({})", spec.name, spec.vendor),
        ranks_per_chip: spec.chip.ranks,
        chip: spec.chip.name,
        levels: fabric.level_names.clone(),
        workload: (workload.id, workload.workload.name),
        target: (target.id, target.target.name),
        simulation,
        published,
    };
    let mut output = Output::report(&report, format);
    if arguments.strict && !meets {
        output.exit = Exit::Missed;
    }
    Ok(output)
}
