//! `supernode flows`: any traffic, flow by flow.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::output_file::{OutputFile, cannot_write, record_format, write_file};
use super::{CommandResult, Output, bad_option, fidelity, routing_policy};
use crate::fabric::{self, node_names};
use crate::input::catalog::read_foreign;
use crate::input::flow_list::{ChipNames, FlowRow, parse_flows};
use crate::input::problem::Problems;
use crate::input::spec::load_supernode;
use crate::network::{Flow, FlowRun, Network, PacketOptions};
use crate::report::{self, FlowsReport, PacketFlowsPart, QueueSeries, RecordFormat, Records};

/// Run a list of flows that share the fabric max-min fairly: the end, the rate and the bottleneck of each flow
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    /// Flows, CSV with the header src,dst,bytes[,start_s][,after][,cap], or - for standard input. Chips are numbers, or paths such as node:3/chip:4;
    /// bytes, seconds and bytes/s are bare numbers or carry a unit (64MiB, 5us, 25GB/s); after lists flows between spaces, the first line is flow 0
    file: PathBuf,

    /// How traffic spreads over its ways: spray, ecmp:SEED, striped:SEED, dimension-order, all-paths, valiant, adaptive; as the
    /// machine's file says if absent
    #[arg(long, value_name = "POLICY")]
    routing: Option<String>,

    /// Write a row a flow as .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write the rates over time, a row a flow and rate, as .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    rates_out: Option<PathBuf>,

    /// Write the flows as Chrome trace JSON (opens in Perfetto); with packets, queues over time as counters
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Draw the packets that wait over time, one line for each level, link and direction, as an SVG; with --fidelity packet
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    #[command(flatten)]
    fidelity: fidelity::FidelityArguments,
}

/// Looks at the queues over the time that the flows take at flow level.
const LOOKS: f64 = 500.0;

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let asked = routing_policy(arguments.routing.as_deref())?;
    let options = arguments.fidelity.packets()?;
    if arguments.plot.is_some() && options.is_none() {
        return Err(bad_option("--plot", "draws the queues of packets; add `--fidelity packet`"));
    }
    let out = arguments.out.as_deref().map(|path| record_format("--out", path)).transpose()?;
    let rates_out = arguments.rates_out.as_deref().map(|path| record_format("--rates-out", path)).transpose()?;
    let spec = load_supernode(&arguments.supernode)?;
    let fabric = fabric::build(&spec)?;
    let source = Arc::new(read_foreign(&arguments.file, "a CSV file of flows")?);
    let names = ChipNames { chips: fabric.chips, levels: &fabric.level_names, sizes: &fabric.level_sizes };
    let flows: Vec<Flow> = parse_flows(&source, &names)?.into_iter().map(flow).collect();
    let policy = asked.unwrap_or(fabric.routing.into());
    let network = Network::with_routing(&fabric, policy);
    let run = network.run_in_detail(&flows).map_err(|error| bad_option("flows", error))?;
    let packets = options.map(|options| with_packets(&network, &flows, &run, &options)).transpose()?;
    let report = FlowsReport {
        supernode: spec.id,
        file: source.name.clone(),
        routing: policy.to_string(),
        flows,
        run,
        nodes: node_names(&fabric),
        channel_ends: network.router().channels().iter().map(|channel| (channel.from, channel.to)).collect(),
        capacities: network.capacities(),
        packets,
    };
    if let Some((path, format)) = arguments.out.as_deref().zip(out) {
        write_records("--out", path, format, &report.flow_records())?;
    }
    if let Some((path, format)) = arguments.rates_out.as_deref().zip(rates_out) {
        let rates =
            report.rate_records().ok_or_else(|| bad_option("--rates-out", "there are too many rates to write: too many flows change too often"))?;
        write_records("--rates-out", path, format, &rates)?;
    }
    if let Some(path) = &arguments.trace {
        write_file(path, report.chrome_trace().to_string()).map_err(|error| cannot_write("--trace", path, &error))?;
    }
    if let Some((path, svg)) = arguments.plot.as_deref().zip(report.queue_svg()) {
        write_file(path, svg).map_err(|error| cannot_write("--plot", path, &error))?;
    }
    Ok(Output::report(&report, format))
}

fn with_packets(network: &Network<'_>, flows: &[Flow], fair: &FlowRun, options: &PacketOptions) -> Result<PacketFlowsPart, Problems> {
    let every = fair.makespan() / LOOKS;
    let run = network.run_with_packets(flows, options, every).map_err(|error| bad_option("--fidelity packet", error))?;
    let places = run.places.iter().map(|place| place.kind.name(network.fabric())).collect();
    let series = QueueSeries::new(network.fabric(), &run.queues);
    Ok(PacketFlowsPart { run, places, series })
}

fn flow(row: FlowRow) -> Flow {
    Flow { source: row.source, destination: row.destination, bytes: row.bytes, start: row.start, after: row.after, cap: row.cap }
}

pub(super) fn write_records(option: &str, path: &Path, format: RecordFormat, records: &Records) -> Result<(), Problems> {
    let written = OutputFile::create(path).and_then(|mut out| {
        records.write(format, &mut out)?;
        out.finish()
    });
    written.map_err(|error| cannot_write(option, path, &error))
}
