//! `supernode sensitivity`: what to change next.

use super::progress::progress;
use super::serving_options::ServingOptions;
use super::{CommandResult, Output};
use crate::input::spec::load_supernode;
use crate::report::{self, SensitivityReport};
use crate::study::{Progress, SensitivityCase, sensitivity, weakest};

/// Compute the gain from each hardware parameter if it were 10 % better, the largest gain first
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    #[command(flatten)]
    serving: ServingOptions,

    /// The demand whose mix of prompts and answers is served
    #[arg(long, default_value = "doubao-2026-04")]
    target: String,

    /// Set each figure that has a range to both ends of the range, one figure at a time, and list the figures by how far the result moves, with
    /// their confidence and source: where a better source would help most
    #[arg(long)]
    sources: bool,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let mut spec = load_supernode(&arguments.supernode)?;
    if let Some(printed) = arguments.serving.printed(&arguments.serving.load(&mut spec)?) {
        return printed;
    }
    let case = SensitivityCase {
        supernode: arguments.supernode.clone(),
        serves: arguments.serving.serves()?,
        target: arguments.target.clone(),
        chip_of: None,
    };
    let chosen = arguments.serving.chosen_for([&spec]);
    let name = spec.name;
    let (before, gains, sources) = if arguments.sources {
        let (before, sources) = weakest(&case, Progress::to(&progress("figures")))?;
        (before, Vec::new(), Some(sources))
    } else {
        let (before, gains) = sensitivity(&case, Progress::to(&progress("changes")))?;
        (before, gains, None)
    };
    Ok(Output::noted(&SensitivityReport { case, name, gains, sources, refusal: before.serves_nothing() }, chosen, format))
}
