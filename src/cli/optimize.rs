//! `supernode optimize`: the best design of a large space.

use super::progress::progress;
use super::{CommandResult, Output};
use crate::input::problem::Problem;
use crate::input::study::load_study;
use crate::report::{self, OptimizeReport};
use crate::study::{Demands, Progress, SearchBudget, Space, optimize};

/// Search the space of a study for the best design under its constraints, by its first objective
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Study: shipped name or path
    study: String,

    /// Designs to simulate at most; a space no larger is tried whole
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    budget: u32,

    /// Equal seeds search alike
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let space = Space::unbounded(load_study(&arguments.study)?);
    let demands = Demands::of(&space)?;
    if demands.objectives.is_empty() {
        let help = "add `[[objective]]` with `maximise` or `minimise` and a column";
        return Err(Problem::new(format!("`{}` does not say what is best", arguments.study)).help(help).into());
    }
    space.preview()?;
    let found =
        optimize(&space, &demands, SearchBudget { designs: arguments.budget as usize, seed: arguments.seed }, Progress::to(&progress("designs")));
    Ok(Output::noted(&OptimizeReport { space: &space, demands: &demands, found }, space.chosen_workload(), format))
}
