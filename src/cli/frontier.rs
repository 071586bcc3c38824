//! `supernode frontier`: tokens for one user against tokens of a chip.

use std::path::PathBuf;

use clap::ValueEnum;

use super::deployment::ShapeArgument;
use super::page::{PageArgument, fabric_picture};
use super::{EngineArgument, Outcome, Output, bad_option};
use crate::fabric;
use crate::input::spec::{load_prices, load_supernode, load_workload};
use crate::network::Network;
use crate::report::{self, FrontierReport, UpAxis, View};
use crate::study::{Mode, frontier};

/// Draw tokens/s per chip against tokens/s per user, for several machines and both ways to serve
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped names or paths
    #[arg(required = true, num_args = 1.., value_name = "SUPERNODE")]
    supernodes: Vec<String>,

    /// What is served; the first supernode's own choice if absent
    #[arg(long)]
    workload: Option<String>,

    #[command(flatten)]
    engine: EngineArgument,

    #[command(flatten)]
    shape: ShapeArgument,

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

pub fn run(arguments: &Arguments, format: report::Format) -> Outcome {
    let prices = load_prices()?;
    let (mut curves, mut pictures, mut named) = (Vec::new(), Vec::new(), None);
    for name in &arguments.supernodes {
        let mut spec = load_supernode(name)?;
        let asked = arguments.workload.clone().or_else(|| named.as_ref().map(|(id, ..): &(String, String, [u32; 2])| id.clone()));
        let mut workload = load_workload(super::workload_name(asked.as_deref(), &spec))?;
        arguments.engine.deploy(&mut spec, &mut workload)?;
        arguments.shape.apply(&mut workload)?;
        let workload = workload.deployed_on(&spec);
        let missing =
            || bad_option("frontier", "the workload does not say what a request is; give --shape 1k1k, or a workload with a [workload.request]");
        let request = workload.workload.request.clone().ok_or_else(missing)?;
        named.get_or_insert((workload.id.clone(), workload.workload.name.clone(), [request.input.mean, request.output.mean]));
        let fabric = fabric::build(&spec)?;
        let network = Network::new(&fabric);
        pictures.extend(arguments.page.is_asked().then(|| fabric_picture(&spec, &fabric)));
        curves.extend([Mode::Together, Mode::Apart].map(|mode| frontier(&spec, &network, &workload, &request, mode, &prices)));
    }
    let (id, name, lengths) = named.unwrap_or_default();
    let up = match arguments.axis {
        Up::TokensPerChip => UpAxis::TokensPerChip,
        Up::Dollars => UpAxis::Dollars,
        Up::Joules => UpAxis::Joules,
    };
    let report = FrontierReport { workload: (id, name), lengths, curves, up };
    if let Some(path) = &arguments.plot {
        std::fs::write(path, report.svg()).map_err(|error| bad_option("--plot", format!("cannot write `{}`: {error}", path.display())))?;
    }
    let view = View { table: "points", x: "tokens_per_s_per_user", y: "tokens_per_s_per_chip", by: "supernode", lines: false };
    arguments.page.write(&report, None, view, || pictures)?;
    Ok(Output::report(&report, format))
}
