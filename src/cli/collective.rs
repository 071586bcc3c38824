//! `supernode collective`: a table as nccl-tests prints it.

use clap::builder::PossibleValuesParser;

use super::sizes::parse_sizes;
use super::{Outcome, Output, bad_option};
use crate::fabric;
use crate::input::spec::{load_library, load_supernode};
use crate::network::{Algorithm, Collective, Network, Op, Peak, Pricing};
use crate::report::{self, CollectiveReport, CollectiveRow};

/// Price a collective over the first N chips, as nccl-tests prints it
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    /// What the chips do together
    #[arg(long, value_parser = PossibleValuesParser::new(Op::ALL.map(|(_, name)| name)))]
    op: String,

    /// Sizes as nccl-tests means them: 64KiB, a list 1KiB,1MiB, or a doubling range 1KiB..1GiB
    #[arg(long, value_name = "SIZES")]
    size: String,

    /// Chips that take part, the first N in level order; all if absent
    #[arg(long, value_name = "N")]
    ranks: Option<u32>,

    /// The algorithm, or the fastest that applies
    #[arg(long, default_value = "auto", value_parser = PossibleValuesParser::new(Algorithm::ALL.map(|(_, name)| name).into_iter().chain(["auto"])))]
    algorithm: String,

    /// Communication library part; the supernode's own if absent
    #[arg(long)]
    library: Option<String>,
}

pub fn run(arguments: &Arguments, format: report::Format) -> Outcome {
    let sizes = parse_sizes(&arguments.size).map_err(|message| bad_option("--size", message))?;
    let spec = load_supernode(&arguments.supernode)?;
    let library = match &arguments.library {
        Some(name) => load_library(name)?,
        None => spec.library.clone(),
    };
    let fabric = fabric::build(&spec)?;
    let network = Network::new(&fabric);
    let op = Op::ALL.iter().find(|(_, name)| *name == arguments.op).map_or(Op::Send, |entry| entry.0);
    let algorithm = Algorithm::ALL.iter().find(|(_, name)| *name == arguments.algorithm).map(|entry| entry.0);
    let ranks = arguments.ranks.unwrap_or(fabric.chips);
    let mut pricing = Pricing::new(&network, &library);
    let rows = sizes.into_iter().map(|bytes| {
        let collective = Collective { op, ranks, bytes };
        let timing = pricing.price(&collective, algorithm).map_err(|error| bad_option("collective", error))?;
        let runner_up = if algorithm.is_none() { pricing.ranking(&collective).get(1).copied() } else { None };
        let bottleneck = timing.bottleneck.map_or("nothing".to_owned(), |peak| words(&fabric, &peak));
        Ok(CollectiveRow { collective, timing, runner_up, bottleneck })
    });
    let rows = rows.collect::<Result<_, crate::input::problem::Problems>>()?;
    let report = CollectiveReport { supernode: spec.id, library: library.name.clone(), op, ranks, rows };
    Ok(Output::report(&report, format))
}

/// "node: ub-board-x2, chip to switch".
fn words(fabric: &fabric::Fabric, peak: &Peak) -> String {
    let level = &fabric.level_names[peak.level as usize];
    let link = &fabric.links[peak.link as usize].id;
    let direction = if peak.outward { "outward" } else { "inward" };
    format!("links {link} of level `{level}`, {direction}")
}
