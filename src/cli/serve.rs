//! `supernode serve`: requests in time.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::deployment::{DeploymentArguments, arrivals};
use super::output_file::{OutputFile, cannot_write, record_format};
use super::page::{PageArgument, fabric_picture};
use super::{CommandResult, Exit, Output, bad_option};
use crate::fabric;
use crate::input::problem::Problems;
use crate::input::spec::WorkloadSpec;
use crate::input::trace::load_trace;
use crate::network::Network;
use crate::report::{self, Picture, ServeReport, View, trace_file};
use crate::serving::queueing::{Arrivals, Made, Trace};
use crate::study::{ServePlan, made, replicate};
use crate::units::counted;

/// Serve requests in time: queues, percentiles, goodput, caches, power
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    deployment: DeploymentArguments,

    /// Requests of a file: Mooncake or LLMServingSim JSON lines, Azure CSV, or a CSV `arrival_s,input_tokens,output_tokens[,prefix_blocks|session]`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["arrivals", "rate", "requests"])]
    trace: Option<String>,

    /// How requests arrive without a trace: poisson, gamma:CV, constant, burst:N
    #[arg(long, default_value = "poisson", value_parser = arrivals, conflicts_with = "concurrency")]
    arrivals: Arrivals,

    /// Requests
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    requests: u32,

    /// Repeat the run N times with different seeds, and show the mean of every figure and its standard error
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "trace", value_parser = clap::value_parser!(u32).range(1..=1000))]
    replications: u32,

    /// Write one row a request: .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    requests_out: Option<PathBuf>,

    /// Write requests by instance, and queue, power and tokens over time, as Chrome trace JSON (opens in Perfetto)
    #[arg(long, value_name = "FILE")]
    trace_out: Option<PathBuf>,

    /// Draw queue and latency over time into an SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    #[command(flatten)]
    page: PageArgument,

    /// End with exit code 1 if the deployment is overloaded or serves nothing
    #[arg(long)]
    strict: bool,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let (spec, workload) = arguments.deployment.load()?;
    if let Some(printed) = arguments.deployment.serving.printed(&workload) {
        return printed;
    }
    let (source, requests) = requests(arguments, &workload)?;
    let trace = match &source {
        RequestSource::File(trace) => trace.clone(),
        RequestSource::Made(made) => made.trace(),
    };
    let layout = arguments.deployment.layout(&spec, &workload)?;
    // Files are opened before the run: a long one should not end in a path that cannot be written.
    let records = arguments
        .requests_out
        .as_deref()
        .map(|path| Ok::<_, Problems>((path, record_format("--requests-out", path)?, created("--requests-out", path)?)))
        .transpose()?;
    let trace_out = arguments.trace_out.as_deref().map(|path| created("--trace-out", path).map(|file| (path, file))).transpose()?;
    let plot = arguments.plot.as_deref().map(|path| created("--plot", path).map(|file| (path, file))).transpose()?;
    let fabric = fabric::build(&spec)?;
    let network = Network::new(&fabric);
    let plan = ServePlan::new(&spec, &network, &workload, &trace, &layout).map_err(|reason| bad_option("serve", reason))?;
    let (served, replications) = match &source {
        RequestSource::Made(made) if arguments.replications > 1 => {
            let (first, all) = replicate(&plan, made, arguments.replications);
            (first, Some(all))
        }
        _ => (plan.serve(&trace), None),
    };
    let pools: Vec<_> = std::iter::once(plan.fleet.first).chain(plan.fleet.second.map(|(pool, _)| pool)).collect();
    let report = ServeReport {
        supernode: spec.id.clone(),
        title: format!("{} ({})", spec.name, spec.vendor),
        workload: (workload.id.clone(), workload.workload.name.clone()),
        requests,
        engine: plan.engine.clone(),
        rules: plan.fleet.rules.clone(),
        mode: arguments.deployment.mode(),
        mappings: plan.mappings.iter().map(ToString::to_string).collect(),
        instances: pools.iter().zip(&plan.mappings).map(|(pool, mapping)| pool.instances / mapping.pp).collect(),
        blocks: pools.iter().map(|pool| pool.blocks).collect(),
        chips: plan.chips,
        policy: plan.fleet.policy,
        limits: plan.limits,
        kv_bytes: plan.kv_bytes,
        seed: arguments.deployment.seed,
        served,
        replications,
    };
    if let Some((path, format, mut file)) = records {
        report.records().write(format, &mut file).and_then(|()| file.finish()).map_err(|error| cannot_write("--requests-out", path, &error))?;
    }
    if let Some((path, mut file)) = trace_out {
        file.write_all(trace_file(report.chrome_trace(), &report.supernode, &report.workload.0).as_bytes())
            .and_then(|()| file.finish())
            .map_err(|error| cannot_write("--trace-out", path, &error))?;
    }
    if let Some((path, mut file)) = plot {
        file.write_all(report.svg().as_bytes()).and_then(|()| file.finish()).map_err(|error| cannot_write("--plot", path, &error))?;
    }
    let view = View { table: "over_time", x: "start_s", y: "running", by: "", lines: true };
    let pictures =
        || vec![Picture { title: "Queue and time to first token", note: String::new(), svg: report.svg() }, fabric_picture(&spec, &fabric)];
    arguments.page.write(&report, None, view, pictures)?;
    let mut output = Output::noted(&report, arguments.deployment.serving.chosen_for([&spec]), format);
    if arguments.strict && (report.served.overloaded || report.served.counts[1] == 0) {
        output.exit = Exit::Missed;
    }
    Ok(output)
}

/// Where requests come from.
enum RequestSource {
    File(Trace),
    Made(Made),
}

/// The requests, and in words where they come from.
fn requests(arguments: &Arguments, workload: &WorkloadSpec) -> Result<(RequestSource, String), Problems> {
    if let Some(path) = &arguments.trace {
        let file = load_trace(path)?;
        return Ok((RequestSource::File(Trace::of(&file)), format!("{} of {path}", counted(file.rows.len(), "request"))));
    }
    let stated = workload.workload.request.as_ref().and_then(|request| request.arrivals_per_second);
    let rate = match stated {
        Some(rate) => rate,
        None if arguments.deployment.is_closed() => 1.0,
        None => return Err(bad_option("serve", "give --rate, --concurrency or --trace: the workload does not say how many requests arrive")),
    };
    let made = made(workload, arguments.arrivals, rate, arguments.requests, arguments.deployment.seed);
    let made = made.ok_or_else(|| {
        bad_option(
            "serve",
            "the workload does not say what a request is; give --input and --output, --trace, or a workload with a [workload.request]",
        )
    })?;
    let how =
        if let Some(flight) = arguments.deployment.concurrency { format!("in a closed loop of {flight}") } else { format!("at {rate} a second") };
    Ok((RequestSource::Made(made), format!("{} made-up requests {how}", arguments.requests)))
}

fn created(option: &str, path: &Path) -> Result<OutputFile, Problems> {
    OutputFile::create(path).map_err(|error| cannot_write(option, path, &error))
}
