//! `supernode describe`: the expanded fabric in numbers, or drawn.

use super::{Outcome, Output, bad_option};
use crate::fabric;
use crate::footprint::{complexity, inventory};
use crate::input::spec::load_supernode;
use crate::network::{LONG_MESSAGE, Network, fabric_metrics};
use crate::report::{self, DescribeReport, Drawing};

/// Count, measure or draw the fabric of a supernode
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    /// Colour links by their load in an all-to-all of all chips; with `--format svg`
    #[arg(long)]
    loads: bool,
}

pub fn run(arguments: &Arguments, format: report::Format) -> Outcome {
    if arguments.loads {
        return Err(bad_option("--loads", "colours a drawing; add `--format svg`"));
    }
    let spec = load_supernode(&arguments.supernode)?;
    let fabric = fabric::build(&spec)?;
    let inventory = inventory(&fabric);
    let report = DescribeReport {
        complexity: complexity(&fabric, &inventory),
        supernode: spec.id,
        title: format!("{} ({})", spec.name, spec.vendor),
        chip: spec.chip,
        levels: fabric.level_names.clone(),
        inventory,
        fabric_metrics: fabric_metrics(&Network::new(&fabric)),
    };
    Ok(Output::report(&report, format))
}

/// Draws the supernode.
pub fn draw(arguments: &Arguments, drawing: Drawing) -> Outcome {
    let spec = load_supernode(&arguments.supernode)?;
    let fabric = fabric::build(&spec)?;
    if arguments.loads {
        if drawing != Drawing::Svg {
            return Err(bad_option("--loads", "colours a drawing; add `--format svg`"));
        }
        let loads = Network::new(&fabric).all_to_all(fabric.chips).relative_loads(&fabric, spec.levels.len(), LONG_MESSAGE);
        return Ok(Output::done(report::draw_loads(&spec, &fabric, &loads)));
    }
    Ok(Output::done(report::draw(&spec, &fabric, drawing)))
}
