//! `supernode frontier`: tokens for one user against tokens of a chip.

use std::path::PathBuf;

use clap::ValueEnum;

use super::output_file::{cannot_write, write_file};
use super::page::{PageArgument, fabric_picture};
use super::serving_options::ServingOptions;
use super::{CommandResult, DEFAULT_TARGET, Output, bad_option};
use crate::fabric;
use crate::input::spec::load_target;
use crate::network::Network;
use crate::report::{self, FrontierReport, UpAxis, View};
use crate::study::{Mode, frontier};

/// Draw tokens/s per chip against tokens/s per user, for several machines and both ways to serve
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped names or paths
    #[arg(required = true, num_args = 1.., value_name = "SUPERNODE")]
    supernodes: Vec<String>,

    #[command(flatten)]
    serving: ServingOptions,

    /// The demand whose peak and spares dollars for a token count
    #[arg(long, default_value = DEFAULT_TARGET)]
    target: String,

    /// Draw the frontiers into an SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// What stands upwards in the picture
    #[arg(long, value_enum, default_value_t = Up::TokensPerChip)]
    axis: Up,

    #[command(flatten)]
    page: PageArgument,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Up {
    TokensPerChip,
    Dollars,
    Joules,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let prices = arguments.serving.money.prices()?;
    let target = load_target(&arguments.target)?.target;
    let mut specs = arguments.serving.money.machines(&arguments.supernodes)?;
    let common = arguments.serving.load_for_all(&mut specs)?;
    let chosen = arguments.serving.chosen_for(specs.first());
    if let Some(printed) = arguments.serving.printed(&common) {
        return printed;
    }
    let (mut curves, mut pictures, mut named) = (Vec::new(), Vec::new(), None);
    for spec in specs {
        let workload = common.deployed_on(&spec);
        let missing = || {
            bad_option("frontier", "the workload does not say what a request is; give --input and --output, or a workload with a [workload.request]")
        };
        let request = workload.workload.request.clone().ok_or_else(missing)?;
        named.get_or_insert((workload.id.clone(), workload.workload.name.clone(), [request.input.mean, request.output.mean]));
        let fabric = fabric::build(&spec)?;
        let network = Network::new(&fabric);
        pictures.extend(arguments.page.is_asked().then(|| fabric_picture(&spec, &fabric)));
        curves.extend([Mode::Together, Mode::Apart].map(|mode| frontier(&spec, &network, &workload, &request, mode, (&prices, &target))));
    }
    let (id, name, lengths) = named.unwrap_or_default();
    let up = match arguments.axis {
        Up::TokensPerChip => UpAxis::TokensPerChip,
        Up::Dollars => UpAxis::Dollars,
        Up::Joules => UpAxis::Joules,
    };
    let report = FrontierReport { workload: (id, name), lengths, curves, up };
    if let Some(path) = &arguments.plot {
        write_file(path, report.svg()).map_err(|error| cannot_write("--plot", path, &error))?;
    }
    let view = View { table: "points", x: "tokens_per_s_per_user", y: "tokens_per_s_per_chip", by: "supernode", lines: false };
    arguments.page.write(&report, None, view, || pictures)?;
    Ok(Output::noted(&report, chosen, format))
}
