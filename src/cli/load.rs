//! `supernode load`: latency of packets against offered load.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use super::output_file::{begin, cannot_write};
use super::{CommandResult, Output, bad_option, fidelity, routing_policy};
use crate::fabric;
use crate::input::spec::load_supernode;
use crate::network::{LoadPattern, Network, PacketLevel, load_curve};
use crate::report::{self, LoadReport, QueueSeries};

/// Measure latency of packets against offered load, the saturation point, and where queues build up
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    /// Who sends to whom
    #[arg(long, default_value = "uniform", value_parser = PossibleValuesParser::new(LoadPattern::NAMES))]
    pattern: String,

    /// Lowest load, of what a chip can send
    #[arg(long, default_value_t = 0.1)]
    from: f64,

    /// Highest load
    #[arg(long, default_value_t = 0.95)]
    to: f64,

    /// Loads from lowest to highest, evenly apart
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: u32,

    /// Packets for the most popular chip over the mean, under --pattern experts; 1 to 2
    #[arg(long, default_value_t = 1.25)]
    imbalance: f64,

    /// How traffic spreads over its ways: spray, ecmp:SEED, dimension-order, adaptive; as the machine's file says if
    /// absent
    #[arg(long, value_name = "POLICY")]
    routing: Option<String>,

    /// Draw the packets that wait at each load, one line for each level, link and direction, as an SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// Write the packets that wait over time as counters of a Chrome trace JSON, one process for each load (opens in Perfetto)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    packets: fidelity::PacketArguments,
}

/// Looks at the queues of a load, where they are traced.
const LOOKS: u32 = 500;

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let plot = begin("--plot", arguments.plot.as_ref())?.zip(arguments.plot.as_ref());
    let trace = begin("--trace", arguments.trace.as_ref())?.zip(arguments.trace.as_ref());
    let asked = routing_policy(arguments.routing.as_deref())?;
    let (from, to) = (arguments.from, arguments.to);
    if !(from > 0.0 && from <= to && to <= 1.0) {
        return Err(bad_option("--from", format!("{from} to {to} is not a range of loads above 0 and up to 1")));
    }
    if !(1.0..=2.0).contains(&arguments.imbalance) {
        return Err(bad_option(
            "--imbalance",
            format!("{} is not between 1 (even) and 2 (the least popular chip gets nothing)", arguments.imbalance),
        ));
    }
    let options = arguments.packets.read()?;
    let spec = load_supernode(&arguments.supernode)?;
    let fabric = fabric::build(&spec)?;
    if fabric.chips < 2 {
        return Err(bad_option("load", "the machine has one chip, which sends to nobody"));
    }
    let policy = asked.unwrap_or(fabric.routing.into());
    let network = Network::with_routing(&fabric, policy);
    let pattern = match arguments.pattern.as_str() {
        "permutation" => LoadPattern::Permutation,
        "incast" => LoadPattern::Incast,
        "hotspot" => LoadPattern::Hotspot,
        "experts" => LoadPattern::Experts { imbalance: arguments.imbalance },
        _ => LoadPattern::Uniform,
    };
    let chips: Vec<u32> = (0..fabric.chips).collect();
    let level = PacketLevel::new(&network, &chips, &options).map_err(|error| bad_option("load", error))?;
    let step = (to - from) / f64::from((arguments.steps - 1).max(1));
    let offered: Vec<f64> = (0..arguments.steps).map(|number| from + step * f64::from(number)).collect();
    let curve = load_curve(&network, &level, pattern, &offered, if arguments.trace.is_some() { LOOKS } else { 0 })
        .map_err(|error| bad_option("load", error))?;
    let places = curve.points.iter().map(|point| point.queues.iter().map(|place| place.kind.name(&fabric)).collect()).collect();
    let over_time = curve.points.iter().map(|point| QueueSeries::new(&fabric, &point.over_time)).collect();
    let report = LoadReport {
        supernode: spec.id,
        pattern: arguments.pattern.clone(),
        routing: policy.to_string(),
        curve,
        places,
        over_time,
        notes: level.notes().to_vec(),
    };
    if let Some((file, path)) = plot {
        file.whole(report.svg()).map_err(|error| cannot_write("--plot", path, &error))?;
    }
    if let Some((file, path)) = trace {
        file.whole(report.chrome_trace().to_string()).map_err(|error| cannot_write("--trace", path, &error))?;
    }
    Ok(Output::report(&report, format))
}
