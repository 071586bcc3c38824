//! `supernode replay`: an execution trace on a machine.

use std::path::PathBuf;

use clap::ValueEnum;

use super::flows::write_records;
use super::output_file::{cannot_write, record_format, write_file};
use super::{CommandResult, Output, bad_option, routing_policy};
use crate::execution::{ComputeTimes, GatherSize, ReplayOptions, replay};
use crate::fabric;
use crate::input::chakra::{ChakraTrace, load_groups, load_traces};
use crate::input::document::Precision;
use crate::input::problem::{Problem, Problems};
use crate::input::spec::{load_library, load_supernode};
use crate::network::{Network, Placement};
use crate::report::{self, ReplayReport};
use crate::workload::Device;

/// Play a Chakra execution trace on a machine: time of each rank, exposed communication, critical path
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of NAME.RANK.et or NAME.RANK.json, or FOLDER/NAME where it holds several traces, or the file of one rank
    trace: PathBuf,

    /// Shipped name or path
    supernode: String,

    /// Ranks of the process groups, as {"0": [0, 1]}; NAME.json beside the trace if absent
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,

    /// How long computations take: as recorded (priced where nothing was), priced on the machine's chip from operations and bytes (recorded where a
    /// node has neither), or no time at all
    #[arg(long, value_enum, default_value_t = ComputeArgument::Recorded)]
    compute: ComputeArgument,

    /// Whether the trace states the size of an all-gather as the input of one rank (ASTRA-sim) or as the output of every rank (nccl-tests)
    #[arg(long, value_enum, default_value_t = GatherArgument::Input)]
    all_gather_size: GatherArgument,

    /// Number format in which operations count against the chip's peak
    #[arg(long, value_enum, default_value_t = FormatOfOperations::Bf16)]
    precision: FormatOfOperations,

    /// Number of ranks, if there is a trace of one rank only and all ranks do the same
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    replicate: Option<u32>,

    /// How ranks are laid on chips: by-level, strided:8, strided:8+3 (from chip 3), chips:0,9,18
    #[arg(long, value_name = "PLACEMENT", default_value = "by-level")]
    placement: String,

    /// Communication library part; the supernode's own if absent
    #[arg(long)]
    library: Option<String>,

    /// How traffic spreads over its ways: spray, ecmp:SEED, striped:SEED, dimension-order, all-paths, valiant, adaptive; as the
    /// machine's file says if absent
    #[arg(long, value_name = "POLICY")]
    routing: Option<String>,

    /// Write a row a node as .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write what runs when as Chrome trace JSON (opens in Perfetto)
    #[arg(long = "trace", value_name = "FILE")]
    trace_out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ComputeArgument {
    Recorded,
    Priced,
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GatherArgument {
    Input,
    Total,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatOfOperations {
    Bf16,
    Fp8,
    Int8,
    Fp4,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let asked = routing_policy(arguments.routing.as_deref())?;
    let placement: Placement = arguments.placement.parse().map_err(|error| bad_option("--placement", error))?;
    let out = arguments.out.as_deref().map(|path| record_format("--out", path)).transpose()?;
    let spec = load_supernode(&arguments.supernode)?;
    let library = match &arguments.library {
        Some(name) => load_library(name)?,
        None => spec.library.clone(),
    };
    let trace = trace(arguments)?;
    let fabric = fabric::build(&spec)?;
    let ranks = placement.ranks().unwrap_or_else(|| ranks(&trace));
    let chips = placement.group(ranks, &fabric).map_err(|error| bad_option("--placement", error))?.chips().to_vec();
    let options = ReplayOptions {
        compute: match arguments.compute {
            ComputeArgument::Recorded => ComputeTimes::Recorded,
            ComputeArgument::Priced => ComputeTimes::Priced,
            ComputeArgument::None => ComputeTimes::None,
        },
        gather: match arguments.all_gather_size {
            GatherArgument::Input => GatherSize::Input,
            GatherArgument::Total => GatherSize::Total,
        },
        precision: match arguments.precision {
            FormatOfOperations::Bf16 => Precision::Bf16,
            FormatOfOperations::Fp8 => Precision::Fp8,
            FormatOfOperations::Int8 => Precision::Int8,
            FormatOfOperations::Fp4 => Precision::Fp4,
        },
        chips: chips.clone(),
    };
    let policy = asked.unwrap_or(fabric.routing.into());
    let network = Network::with_routing(&fabric, policy);
    let played = replay(&network, &library, &Device::new(&spec.chip), &trace, &options).map_err(|error| {
        let problem = Problem::new(format!("`{}`: {error}", arguments.trace.display()));
        match error.help {
            Some(help) => problem.help(help),
            None => problem,
        }
    })?;
    let report = ReplayReport {
        supernode: spec.id,
        trace: arguments.trace.display().to_string(),
        library: library.name,
        gather: options.gather,
        chips,
        replay: played,
    };
    if let Some((path, format)) = arguments.out.as_deref().zip(out) {
        write_records("--out", path, format, &report.node_records())?;
    }
    if let Some(path) = &arguments.trace_out {
        write_file(path, report.chrome_trace().to_string()).map_err(|error| cannot_write("--trace", path, &error))?;
    }
    Ok(Output::report(&report, format))
}

fn trace(arguments: &Arguments) -> Result<ChakraTrace, Problems> {
    let mut trace = load_traces(&arguments.trace)?;
    if let Some(path) = &arguments.groups {
        trace.groups = load_groups(path)?;
    }
    let Some(ranks) = arguments.replicate else { return Ok(trace) };
    let [only] = &trace.ranks[..] else {
        return Err(bad_option("--replicate", format!("the trace has {} ranks; only that of one rank is replicated", trace.ranks.len())));
    };
    let only = only.clone();
    trace.ranks = (0..ranks).map(|rank| crate::input::chakra::RankTrace { rank, ..only.clone() }).collect();
    Ok(trace)
}

/// One more than the highest rank that the trace names.
fn ranks(trace: &ChakraTrace) -> u32 {
    let nodes = trace.ranks.iter().flat_map(|rank| &rank.nodes);
    let named = nodes.flat_map(|node| [node.source, node.destination]).flatten();
    trace.ranks.iter().map(|rank| rank.rank).chain(named).max().map_or(1, |rank| rank.saturating_add(1))
}
