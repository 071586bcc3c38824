//! `supernode import`: a machine that another program describes.

use std::path::PathBuf;

use super::output_file::{cannot_write, write_file};
use super::{CommandResult, Output, bad_option};
use crate::input::foreign_graph::load_foreign_graph;
use crate::report::{self, ImportReport};
use crate::study::{PartMap, import};

/// Make a supernode file of a topology of NCCL (NCCL_TOPO_DUMP_FILE), InfraGraph, lstopo XML, or of what `describe --full` wrote
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// XML, YAML or JSON; - for standard input
    file: PathBuf,

    /// Which part a name of the file is, with the parallel links it stands for where the file does not say: xpu_fabric=nvlink4-board:5,4,4,5 (one
    /// number for each switch), gpu=h100, pcie=omit; library=NAME and supply=SUPERNODE for what no topology holds. May be repeated
    #[arg(long, value_name = "NAME=PART[:LINKS]")]
    map: Vec<String>,

    /// Import only the graph of a file that `describe --full` wrote, and ignore the description in the file
    #[arg(long)]
    graph_alone: bool,

    /// Write the file there, and print what was seen
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let mut map = PartMap { graph_alone: arguments.graph_alone, ..PartMap::default() };
    for text in &arguments.map {
        map.add(text).map_err(|reason| bad_option("--map", reason))?;
    }
    let graph = load_foreign_graph(&arguments.file)?;
    let imported = import(&graph, &map)?;
    if let Some(out) = &arguments.out {
        write_file(out, &imported.toml).map_err(|error| cannot_write("--out", out, &error))?;
    } else if format == report::Format::Text {
        return Ok(Output::done(imported.toml));
    }
    let out = arguments.out.as_ref().map(|path| path.display().to_string());
    let report = ImportReport { file: arguments.file.display().to_string(), format: graph.format, out, imported };
    Ok(Output::report(&report, format))
}
