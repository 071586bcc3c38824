//! A fabric in a language of graphs.

use super::fabric_export::FabricExport;
use super::{graphml, infragraph};

/// Languages of graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    /// Keysight's, 3.1, as JSON.
    InfraGraph,
    /// XML that networkx, Gephi and others read.
    GraphMl,
}

/// Writes the fabric.
#[must_use]
pub fn graph_file(export: &FabricExport, format: GraphFormat) -> String {
    match format {
        GraphFormat::InfraGraph => infragraph::write(export),
        GraphFormat::GraphMl => graphml::write(export),
    }
}
