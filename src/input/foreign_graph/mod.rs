//! Machines that other programs describe, as the graph that they state and nothing more: what is missing stays missing.
//!
//! | format | file |
//! | --- | --- |
//! | NCCL's `NCCL_TOPO_DUMP_FILE` | `nccl_xml.rs` |
//! | InfraGraph 3.1, YAML or JSON | `infragraph.rs`, its endpoints `slices.rs` |
//! | `lstopo` XML of hwloc | `lstopo_xml.rs` |
//! | what `describe --full` writes: JSON and GraphML | `own_json.rs`, `graphml.rs` |

mod graphml;
mod infragraph;
mod lstopo_xml;
mod nccl_xml;
mod own_json;
mod slices;

use std::collections::BTreeMap;
use std::path::Path;

use super::catalog::read_foreign;
use super::problem::{Problem, Problems, Source};

/// Key under which `describe --full` keeps the description that a graph was expanded from.
pub const DESCRIPTION_KEY: &str = "supernode_toml";

/// A graph as its file states it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignGraph {
    /// Name of the machine.
    pub name: String,
    /// Name of the format.
    pub format: &'static str,
    /// Nodes in the order of the file.
    pub nodes: Vec<ForeignNode>,
    /// Edges, one between two nodes and a link.
    pub edges: Vec<ForeignEdge>,
    /// Kinds of links.
    pub links: Vec<ForeignLink>,
    /// The description that `describe --full` expanded, where it wrote the file.
    pub description: Option<String>,
    /// What the file says that no graph holds.
    pub remarks: Vec<String>,
    /// Edges that lead to what the file does not have.
    pub broken: Vec<String>,
    /// Places of switches that each stand for an unknown number of equal ones.
    pub unseen: Vec<u32>,
    /// By chip: number of the host that it stands in; empty where the file has no hosts.
    pub hosts: Vec<u32>,
    /// Ports to a network of which the file says nothing.
    pub ports: Vec<ForeignPort>,
}

/// A port of a network card.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignPort {
    /// Name of the card's port on its host.
    pub name: String,
    /// Number of the host.
    pub host: u32,
    /// Bytes/s in one direction.
    pub bytes_per_s: f64,
}

/// What stands at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForeignKind {
    /// Accelerator.
    Chip,
    /// Switch.
    Switch,
    /// Host processor.
    Host,
    /// Network card.
    Card,
    /// Anything else.
    Other,
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignNode {
    /// Its name in the file.
    pub name: String,
    /// Nodes of one component are one part.
    pub component: String,
    /// What it is.
    pub kind: ForeignKind,
}

/// Links between two nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForeignEdge {
    /// Places of both nodes.
    pub ends: [u32; 2],
    /// Place of the kind of link.
    pub link: u32,
    /// How many in parallel, where the file says.
    pub count: Option<u32>,
}

/// A kind of link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignLink {
    /// Its name in the file.
    pub name: String,
    /// What the file says about it.
    pub about: Option<String>,
    /// Bytes/s in one direction, where the file says.
    pub bytes_per_s: Option<f64>,
    /// Seconds in one direction, where the file says.
    pub latency_s: Option<f64>,
}

impl ForeignGraph {
    fn link(&mut self, link: ForeignLink) -> u32 {
        let known = self.links.iter().position(|known| *known == link);
        let place = known.unwrap_or_else(|| {
            self.links.push(link);
            self.links.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// Nodes without an edge.
    #[must_use]
    pub fn lonely(&self) -> Vec<&ForeignNode> {
        let mut joined = vec![false; self.nodes.len()];
        for edge in &self.edges {
            for end in edge.ends {
                joined[end as usize] = true;
            }
        }
        self.nodes.iter().zip(joined).filter(|(_, joined)| !joined).map(|(node, _)| node).collect()
    }

    /// How many nodes each component has, in the order of the file.
    #[must_use]
    pub fn components(&self) -> Vec<(&str, ForeignKind, usize)> {
        let mut order: Vec<(&str, ForeignKind, usize)> = Vec::new();
        let mut place: BTreeMap<&str, usize> = BTreeMap::new();
        for node in &self.nodes {
            let at = *place.entry(&node.component).or_insert_with(|| {
                order.push((&node.component, node.kind, 0));
                order.len() - 1
            });
            order[at].2 += 1;
        }
        order
    }
}

/// Reads the graph that a file states, whatever its format.
///
/// # Errors
/// A format that is not known, and what is wrong with the text.
pub fn load_foreign_graph(path: &Path) -> Result<ForeignGraph, Problems> {
    let source = read_foreign(path, "XML, JSON or YAML")?;
    parse_foreign_graph(&source)
}

/// As [`load_foreign_graph`], from a text.
///
/// # Errors
/// As [`load_foreign_graph`].
pub fn parse_foreign_graph(source: &Source) -> Result<ForeignGraph, Problems> {
    let name = &source.name;
    let text = source.text.trim_start();
    let wrong = |format: &str, reason: String| Problems::from(Problem::new(format!("`{name}` cannot be read as {format}: {reason}")));
    if text.is_empty() {
        return Err(Problem::new(format!("`{name}` is empty")).help("expected a topology of NCCL, InfraGraph or hwloc").into());
    }
    if text.starts_with('<') {
        // hwloc names a DTD; nothing of it is followed.
        let options = roxmltree::ParsingOptions { allow_dtd: true, nodes_limit: 5_000_000, ..roxmltree::ParsingOptions::default() };
        let document = roxmltree::Document::parse_with_options(text, options).map_err(|error| wrong("XML", error.to_string()))?;
        let root = document.root_element();
        return match root.tag_name().name() {
            "system" => nccl_xml::graph(root).map_err(|reason| wrong("a topology of NCCL", reason)),
            "topology" => lstopo_xml::graph(root).map_err(|reason| wrong("a topology of hwloc", reason)),
            "graphml" => graphml::graph(root).map_err(|reason| wrong("GraphML", reason)),
            other => Err(wrong(
                "a topology",
                format!("it starts with <{other}>; known are <system> (NCCL_TOPO_DUMP_FILE), <topology> (lstopo) and <graphml>"),
            )),
        };
    }
    let value: serde_json::Value = if text.starts_with('{') {
        serde_json::from_str(text).map_err(|error| wrong("JSON", error.to_string()))?
    } else {
        // As the package infragraph has it, `y` and `on` are names.
        let options = serde_saphyr::options! { strict_booleans: true };
        serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| wrong("YAML", error.to_string().lines().next().unwrap_or("not YAML").trim_start_matches("error: ").to_owned()))?
    };
    if value.get("nodes").is_some() && value.get("edges").is_some() {
        return own_json::graph(&value).map_err(|reason| wrong("the JSON of `describe --full`", reason));
    }
    infragraph::graph(&value).map_err(|reason| wrong("InfraGraph", reason))
}
