//! `supernode describe`: the expanded fabric in numbers, drawn, or node by node.

use super::list::portable;
use super::{CommandResult, Output, bad_option};
use crate::fabric;
use crate::footprint::{complexity, inventory};
use crate::input::document::Kind;
use crate::input::problem::Problems;
use crate::input::spec::{load_supernode, supernode_text};
use crate::network::{LONG_MESSAGE, Network, fabric_metrics};
use crate::report::{self, DescribeReport, Drawing, FabricExport, FullReport, GraphFormat, graph_file};

/// Count, measure or draw the fabric of a supernode, or list its nodes and links
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    /// Colour links by their load in an all-to-all of all chips; with `--format svg`
    #[arg(long)]
    loads: bool,

    /// List every node and link with bandwidth, latency, level, plane and part: with --format json, infragraph or graphml, as tables `nodes` and
    /// `edges` with csv or parquet
    #[arg(long)]
    full: bool,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    if arguments.loads {
        return Err(bad_option("--loads", "colours a drawing; add `--format svg`"));
    }
    if arguments.full && matches!(format, report::Format::Text | report::Format::Markdown) {
        return Err(bad_option("--full", "nodes and links are listed with --format json, csv, parquet, infragraph or graphml"));
    }
    let spec = load_supernode(&arguments.supernode)?;
    let fabric = fabric::build(&spec)?;
    let inventory = inventory(&fabric);
    let report = DescribeReport {
        complexity: complexity(&fabric, &inventory),
        supernode: spec.id,
        title: format!("{} ({})", spec.name, spec.vendor),
        standing: spec.standing,
        packages: spec.packages,
        chip: spec.chip,
        levels: fabric.level_names.clone(),
        inventory,
        fabric_metrics: fabric_metrics(&Network::new(&fabric)),
    };
    if !arguments.full {
        return Ok(Output::report(&report, format));
    }
    let export = FabricExport::new(&report.supernode, &spec.chip_part, &fabric, description(&arguments.supernode)?);
    Ok(Output::report(&FullReport { report: &report, export: &export }, format))
}

/// The text that a graph carries along: it is read back in another folder.
fn description(supernode: &str) -> Result<String, Problems> {
    supernode_text(supernode).map(|text| portable(Kind::Supernode, &text))
}

/// Draws the supernode.
pub fn draw(arguments: &Arguments, drawing: Drawing) -> CommandResult {
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

/// Lists the supernode's nodes and links in a language of graphs.
pub fn export(arguments: &Arguments, format: GraphFormat) -> CommandResult {
    let spec = load_supernode(&arguments.supernode)?;
    let fabric = fabric::build(&spec)?;
    let export = FabricExport::new(&spec.id, &spec.chip_part, &fabric, description(&arguments.supernode)?);
    Ok(Output::done(graph_file(&export, format)))
}
