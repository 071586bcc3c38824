//! `supernode train`: step time and tokens per second of training.

use std::path::PathBuf;

use super::output_file::{cannot_write, write_file};
use super::power_limits::PowerOptions;
use super::{CommandResult, Exit, Output, bad_option};
use crate::fabric;
use crate::input::spec::{load_reliability, load_supernode, load_training};
use crate::report::{self, TrainingReport, trace_file, training_trace};
use crate::study::{goodput, simulate_training, training_watts};
use crate::training::TrainingRequest;
use crate::workload::Device;

/// Train a model on a supernode: step time, tokens per second, MFU, bubble, memory, power
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    /// What is trained: shipped name (`supernode list trainings`) or path
    #[arg(long, default_value = "deepseek-v3-fp8")]
    workload: String,

    /// Another model in place of the workload's: shipped name, path to a model file, or to a Hugging Face config.json
    #[arg(long)]
    model: Option<String>,

    /// Fixed degrees, such as tp=8,pp=2; open ones are searched. Keys: tp, cp (ranks that share a sequence; 1 if open), ep, dp, pp, micro_batch, interleave, overlap,
    /// recompute (0 nothing, 1 norms and activation functions, 2 whole layers)
    #[arg(long, value_name = "DEGREES")]
    mapping: Option<String>,

    /// Show the ten fastest layouts, and why others lost
    #[arg(long)]
    explain: bool,

    /// Write the timeline of a step, stage by stage of the pipeline, with watts beside it, as Chrome trace JSON (opens in Perfetto)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    limits: PowerOptions,

    /// End with exit code 1 if nothing fits
    #[arg(long)]
    strict: bool,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let spec = arguments.limits.apply(load_supernode(&arguments.supernode)?)?;
    let workload = load_training(&arguments.workload, arguments.model.as_deref())?;
    let request: TrainingRequest = match &arguments.mapping {
        Some(text) => text.parse().map_err(|reason| bad_option("--mapping", reason))?,
        None => TrainingRequest::default(),
    };
    let fabric = fabric::build(&spec)?;
    let ranks = fabric.chips * fabric.chip.ranks;
    request.check(&workload.training, &workload.model, ranks).map_err(|reason| bad_option("--mapping", reason))?;
    let simulation = simulate_training(&spec, &fabric, &workload, &request);
    let reliability = load_reliability()?;
    let month = simulation.best().map(|step| goodput(&fabric, &reliability, &workload.training.checkpoint, step));
    let drawn = simulation.best().map(|step| training_watts(&spec, &fabric, step));
    if let (Some(path), Some(step), Some(drawn)) = (&arguments.trace, simulation.best(), &drawn) {
        let trace = trace_file(training_trace(step, drawn), &spec.id, &workload.id);
        write_file(path, trace).map_err(|error| cannot_write("--trace", path, &error))?;
    }
    let fits = simulation.best().is_some();
    if let (Some(path), false) = (&arguments.trace, fits) {
        return Err(bad_option(
            "--trace",
            format!("`{}` is not written: no layout fits, so there is no step; the report without --trace says why", path.display()),
        ));
    }
    let report = TrainingReport {
        usable_memory: Device::new(&spec.chip).usable_memory,
        supernode: spec.id,
        title: format!("{} ({})", spec.name, spec.vendor),
        levels: fabric.level_names.clone(),
        chips: fabric.chips,
        workload: (workload.id, workload.training.name, workload.model.name),
        simulation,
        transients: drawn.and_then(|drawn| drawn.transients),
        month,
        explain: arguments.explain,
    };
    let mut output = Output::report(&report, format);
    if arguments.strict && !fits {
        output.exit = Exit::Missed;
    }
    Ok(output)
}
