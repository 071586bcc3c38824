//! `supernode fail`: what remains after failures.

use super::progress::progress;
use super::serving_options::ServingOptions;
use super::{CommandResult, Output, bad_option};
use crate::fabric;
use crate::footprint::{Damage, part_name, part_named};
use crate::input::spec::{load_reliability, load_target};
use crate::network::Network;
use crate::report::{self, FailReport};
use crate::study::{DegradedMachine, Draw, Progress, availability, chances, drawn, single_failures};

/// Show what remains after failures: of given parts, of parts drawn at random, and of every part in turn
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    /// A part that fails: `chip:12`, `SWITCH:3`, or `chip:12/SWITCH:3` for a link; may be given again
    #[arg(long = "part", value_name = "PART")]
    parts: Vec<String>,

    /// Chips that fail, drawn at random
    #[arg(long, default_value_t = 0, value_name = "N")]
    chips: usize,

    /// Switch chips that fail, drawn at random
    #[arg(long, default_value_t = 0, value_name = "N")]
    switches: usize,

    /// Links that fail, drawn at random
    #[arg(long, default_value_t = 0, value_name = "N")]
    links: usize,

    /// Seed of everything drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Moments to draw. The parts that are out in each moment are drawn from the failure rates
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    draws: Option<u32>,

    /// With --draws: the share of all tokens that the machine must still reach
    #[arg(long, default_value_t = 0.95, value_name = "SHARE")]
    level: f64,

    #[command(flatten)]
    serving: ServingOptions,

    /// The mix of prompts and answers that tokens are counted in
    #[arg(long, default_value = "doubao-2026-04")]
    target: String,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    if !(0.0..=1.0).contains(&arguments.level) {
        return Err(bad_option("--level", "must be a share between 0 and 1"));
    }
    let mut spec = arguments.serving.money.machine(&arguments.supernode)?;
    let workload = arguments.serving.load(&mut spec)?.deployed_on(&spec);
    if let Some(printed) = arguments.serving.printed(&workload) {
        return printed;
    }
    let target = load_target(&arguments.target)?;
    let reliability = load_reliability()?;
    let fabric = fabric::build(&spec)?;
    let network = Network::new(&fabric);

    let mut gone = Vec::new();
    for name in &arguments.parts {
        gone.push(part_named(&fabric, name).map_err(|message| bad_option("--part", message))?);
    }
    let draw = Draw { chips: arguments.chips, switches: arguments.switches, links: arguments.links, seed: arguments.seed };
    gone.extend(drawn(&fabric, &draw).map_err(|message| bad_option("fail", message))?);

    let patient = DegradedMachine::new(&spec, &network, &workload, &target);
    let singles = single_failures(&patient, &reliability, true, Progress::to(&progress("classes of parts")));
    let report = FailReport {
        supernode: spec.id.clone(),
        title: format!("{} ({})", spec.name, spec.vendor),
        engine: workload.engine.as_ref().map(|deployed| deployed.id.clone()),
        seed: arguments.seed,
        sound: patient.sound(),
        given: (!gone.is_empty()).then(|| patient.after(&Damage::of(&gone), true)),
        gone: gone.iter().map(|part| part_name(&fabric, *part)).collect(),
        availability: availability(&singles),
        examples: singles.iter().map(|single| part_name(&fabric, single.class.example)).collect(),
        singles,
        chances: arguments.draws.map(|draws| {
            let hear = progress("states");
            chances(&patient, &reliability, draws, arguments.seed, arguments.level, Progress::to(&hear))
        }),
    };
    Ok(Output::noted(&report, arguments.serving.chosen_for([&spec]), format))
}
