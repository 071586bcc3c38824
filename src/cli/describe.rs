//! `supernode describe`: the expanded fabric in numbers, or drawn.

use super::{Outcome, Output};
use crate::fabric;
use crate::footprint::{complexity, inventory};
use crate::input::spec::load_supernode;
use crate::network::{Network, fabric_metrics};
use crate::report::{self, DescribeReport, Drawing};

/// Count, measure or draw the fabric of a supernode
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,
}

pub fn run(arguments: &Arguments, format: report::Format) -> Outcome {
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
    Ok(Output::done(report::draw(&spec, &fabric, drawing)))
}
