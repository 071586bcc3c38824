//! `supernode collective`: a table as nccl-tests prints it.

use clap::builder::PossibleValuesParser;
use rayon::prelude::*;

use super::beside::{parse_beside, parse_groups};
use super::sizes::parse_sizes;
use super::{CommandResult, Output, bad_option, fidelity, routing_policy};
use crate::fabric;
use crate::input::problem::Problems;
use crate::input::spec::{load_library, load_supernode};
use crate::network::{
    Algorithm, Collective, ConcurrentCollective, Engines, Group, LevelUse, Network, Op, PacketLevel, PacketOptions, PacketRounds, Peak, Placement,
    Pricing, Round, concurrent_timings, play_rounds,
};
use crate::report::{self, CollectiveReport, CollectiveRow, ConcurrentRow, ConcurrentTotalRow, LevelRow};

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

    /// Chips that take part; all (or all that --placement lists) if absent
    #[arg(long, value_name = "N")]
    ranks: Option<u32>,

    /// The algorithm, or the fastest that the library offers
    #[arg(long, default_value = "auto", value_parser = PossibleValuesParser::new(Algorithm::ALL.map(|(_, name)| name).into_iter().chain(["auto"])))]
    algorithm: String,

    /// Communication library part; the supernode's own if absent
    #[arg(long)]
    library: Option<String>,

    /// How ranks are laid on chips: by-level, strided:8, strided:8+3 (from chip 3), chips:0,9,18
    #[arg(long, value_name = "PLACEMENT", default_value = "by-level")]
    placement: String,

    /// Groups of N ranks that do the same at once: a number, or all that fit beside each other
    #[arg(long, value_name = "GROUPS", default_value = "1")]
    groups: String,

    /// Ranks on every chip of the group, joined by the link between its dies
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    ranks_per_chip: u32,

    /// Calls inside a captured graph, where the all-reduce kernels of serving engines take part
    #[arg(long)]
    graph: bool,

    /// Another collective that runs at the same time, as op=all_to_all,size=64MiB,ranks=64,placement=strided:8,groups=all (the default); may be repeated
    #[arg(long, value_name = "OP=...,SIZE=...")]
    beside: Vec<String>,

    /// How traffic spreads over its ways: spray, ecmp:SEED, striped:SEED, dimension-order, all-paths, valiant, adaptive; as the
    /// machine's file says if absent
    #[arg(long, value_name = "POLICY")]
    routing: Option<String>,

    #[command(flatten)]
    fidelity: fidelity::FidelityArguments,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let sizes = parse_sizes(&arguments.size).map_err(|message| bad_option("--size", message))?;
    let placement: Placement = arguments.placement.parse().map_err(|error| bad_option("--placement", error))?;
    let asked = routing_policy(arguments.routing.as_deref())?;
    let spec = load_supernode(&arguments.supernode)?;
    let library = match &arguments.library {
        Some(name) => load_library(name)?,
        None => spec.library.clone(),
    };
    let fabric = fabric::build(&spec)?;
    let policy = asked.unwrap_or(fabric.routing.into());
    let network = Network::with_routing(&fabric, policy);
    let op = Op::ALL.iter().find(|(_, name)| *name == arguments.op).map_or(Op::Send, |entry| entry.0);
    let algorithm = Algorithm::ALL.iter().find(|(_, name)| *name == arguments.algorithm).map(|entry| entry.0);
    let ranks = arguments.ranks.or(placement.ranks()).unwrap_or(fabric.chips * arguments.ranks_per_chip);
    let groups = parse_groups(&arguments.groups).map_err(|message| bad_option("--groups", message))?;
    let beside = arguments.beside.iter().map(|text| parse_beside(text, fabric.chips).map_err(|message| bad_option("--beside", message)));
    let beside: Vec<ConcurrentCollective> = beside.collect::<Result<_, _>>()?;
    let is_crowded = groups != Some(1) || !beside.is_empty();
    let mut pricing = Pricing::placed(&network, &library, placement.clone()).with_ranks_per_chip(arguments.ranks_per_chip);
    if arguments.graph {
        pricing = pricing.in_graph(Engines::All);
    }
    let options = arguments.fidelity.packets()?;
    if is_crowded && options.is_some() {
        return Err(bad_option("--fidelity", "packets are simulated for one group alone; leave out --groups and --beside"));
    }
    let level = match &options {
        Some(options) => Some(packet_level(&network, &placement, ranks, options)?),
        None => None,
    };
    let failed = |error| bad_option("collective", error);
    let collectives: Vec<Collective> = sizes.into_iter().map(|bytes| Collective { op, ranks, bytes }).collect();
    let timings: Vec<_> = collectives.iter().map(|collective| pricing.price(collective, algorithm)).collect::<Result<_, _>>().map_err(failed)?;
    let mut plans = Vec::new();
    for (collective, timing) in collectives.iter().zip(&timings).filter(|_| level.is_some()) {
        plans.push(pricing.rounds(collective, timing.algorithm).map_err(failed)?);
    }
    let mut packets = level.as_ref().map_or_else(|| Ok(Vec::new()), |level| play_plans(&network, level, &plans))?.into_iter();
    let rows = collectives.into_iter().zip(timings).map(|(collective, timing)| {
        let packets = packets.next();
        let others = if algorithm.is_none() { pricing.ranking(&collective).map_err(failed)? } else { Vec::new() };
        let runner_up = others.into_iter().find(|other| other.algorithm != timing.algorithm);
        let not_offered = if algorithm.is_none() { pricing.faster_elsewhere(&collective).map_err(failed)? } else { None };
        let levels = pricing.level_use(&collective, &timing).map_err(failed)?;
        let levels = level_rows(&fabric, levels);
        let mut crowds = vec![ConcurrentCollective { collective, algorithm, placement: placement.clone(), groups }];
        crowds.extend(beside.iter().cloned());
        let crowded =
            is_crowded.then(|| concurrent_timings(&network, &library, &crowds)).transpose().map_err(|error| bad_option("collective", error))?;
        let together = crowded.map(|together| ConcurrentTotalRow {
            crowds: crowds.into_iter().zip(together.crowds).map(|(crowd, timing)| ConcurrentRow { collective: crowd.collective, timing }).collect(),
            levels: level_rows(&fabric, together.levels),
        });
        let lower_bound = pricing.lower_bound(&collective).map_err(failed)?;
        Ok(CollectiveRow { collective, timing, lower_bound, packets, runner_up, not_offered, levels, together })
    });
    let rows = rows.collect::<Result<_, Problems>>()?;
    let report = CollectiveReport {
        supernode: spec.id,
        library: library.name.clone(),
        routing: policy,
        placement: arguments.placement.clone(),
        op,
        ranks,
        notes: level.map_or_else(Vec::new, |level| level.notes().to_vec()),
        rows,
    };
    Ok(Output::report(&report, format))
}

/// Plays the rounds of all sizes with packets, in parallel.
fn play_plans(network: &Network<'_>, level: &PacketLevel, plans: &[(Group, Vec<Round>)]) -> Result<Vec<PacketRounds>, Problems> {
    let played: Vec<_> = plans.par_iter().map(|(group, rounds)| play_rounds(network, level, group, rounds)).collect();
    played.into_iter().map(|played| played.map_err(|error| bad_option("--fidelity packet", error))).collect()
}

/// The fabric ready for packets between the ranks.
fn packet_level(network: &Network<'_>, placement: &Placement, ranks: u32, options: &PacketOptions) -> Result<PacketLevel, Problems> {
    let group = placement.group(ranks.clamp(1, network.fabric().chips), network.fabric()).map_err(|error| bad_option("--placement", error))?;
    PacketLevel::new(network, group.chips(), options).map_err(|error| bad_option("--fidelity packet", error))
}

fn level_rows(fabric: &fabric::Fabric, levels: Vec<LevelUse>) -> Vec<LevelRow> {
    levels.into_iter().map(|level| LevelRow { channels: words(fabric, &level.peak), level }).collect()
}

/// "chip ports, ub-board-x2 of level `node`, outward".
fn words(fabric: &fabric::Fabric, peak: &Peak) -> String {
    let level = &fabric.level_names[peak.level as usize];
    let link = &fabric.links[peak.link as usize].id;
    let place = if peak.at_chip { "chip ports" } else { "switch ports" };
    let direction = if peak.outward { "outward" } else { "inward" };
    format!("{place}, {link} of level `{level}`, {direction}")
}
