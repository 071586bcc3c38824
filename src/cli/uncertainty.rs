//! `supernode uncertainty`: how sure a result is.

use super::progress::progress;
use super::serving_options::ServingOptions;
use super::{CommandResult, Output};
use crate::input::problem::Problems;
use crate::input::spec::load_supernode;
use crate::report::{self, UncertaintyReport};
use crate::study::{Progress, SensitivityCase, beats, enough, uncertainty};

/// Draw all values that have a range: median and 5 to 95 % of each result, the values that drive it, and how often the first of two designs is better
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// One supernode, or two to compare: shipped names or paths
    #[arg(required = true, num_args = 1..=2, value_name = "SUPERNODE")]
    supernodes: Vec<String>,

    #[command(flatten)]
    serving: ServingOptions,

    /// The demand whose mix of prompts and answers is served
    #[arg(long, default_value = "doubao-2026-04")]
    target: String,

    /// How often to draw
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    draws: u64,

    /// Equal seeds draw equal values
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    enough(arguments.draws)?;
    let first = load_supernode(&arguments.supernodes[0])?;
    if let Some(printed) = arguments.serving.printed(&arguments.serving.load(&mut first.clone())?) {
        return printed;
    }
    let chosen = arguments.serving.chosen_for([&first]);
    let mut serves = arguments.serving.serves()?;
    serves.workload = serves.workload.or(first.workload);
    let cases = arguments.supernodes.iter().map(|name| SensitivityCase {
        supernode: name.clone(),
        serves: serves.clone(),
        target: arguments.target.clone(),
        chip_of: None,
    });
    let designs = cases
        .map(|case| uncertainty(&case, arguments.draws, arguments.seed, Progress::to(&progress("draws"))))
        .collect::<Result<Vec<_>, Problems>>()?;
    let beats = if let [first, second] = designs.as_slice() { beats(first, second) } else { Vec::new() };
    Ok(Output::noted(&UncertaintyReport { designs, beats, draws: arguments.draws, seed: arguments.seed }, chosen, format))
}
