//! `supernode describe --full`: every node and link of the fabric, for other programs and to be read back (`supernode import`).

use serde_json::{Map, Value as Json, json};

use super::format::Report;
use crate::fabric::{Endpoint, Fabric, channel_latency, kind_name, node_names, payload_rate};
use crate::input::foreign_graph::DESCRIPTION_KEY;
use crate::network::LONG_MESSAGE;
use crate::units::{BytesPerSecond, Seconds};

/// A node.
#[derive(Clone, Debug)]
pub(super) struct NodeRow {
    pub name: String,
    pub kind: &'static str,
    pub part: String,
    pub level: String,
    pub plane: u16,
    pub forwards: bool,
    pub first_chip: u32,
    pub chips: u32,
}

/// Parallel links between two nodes.
#[derive(Clone, Debug)]
pub(super) struct EdgeRow {
    pub ends: [usize; 2],
    pub part: String,
    pub count: u32,
    pub level: String,
    pub plane: u16,
    pub medium: &'static str,
    /// Payload of one link, one way, in long messages.
    pub bandwidth: BytesPerSecond,
    /// One way, without the nodes at its ends.
    pub latency: Seconds,
}

/// A fabric, node by node and link by link.
#[derive(Clone, Debug)]
pub struct FabricExport {
    pub(super) supernode: String,
    /// The text that it was expanded from.
    pub(super) description: String,
    pub(super) nodes: Vec<NodeRow>,
    pub(super) edges: Vec<EdgeRow>,
}

impl FabricExport {
    /// Lists a fabric of chips of part `chip`; `description` is the text of its file.
    #[must_use]
    pub fn new(supernode: &str, chip: &str, fabric: &Fabric, description: String) -> Self {
        let level = |level: u8| fabric.level_names.get(usize::from(level)).cloned().unwrap_or_default();
        let names = node_names(fabric);
        let node = |(node, name): (petgraph::graph::NodeIndex, String)| {
            let weight = &fabric.graph[node];
            let kind = match weight.endpoint {
                Endpoint::Chip => "chip",
                Endpoint::Switch(_) => "switch",
                Endpoint::Cpu(_) => "cpu",
                Endpoint::Nic(_) => "nic",
                Endpoint::Memory(_) => "memory",
            };
            NodeRow {
                name,
                kind,
                part: if weight.endpoint == Endpoint::Chip { chip } else { kind_name(fabric, node) }.to_owned(),
                level: level(weight.level),
                plane: weight.plane,
                forwards: weight.forwards,
                first_chip: weight.first_chip,
                chips: weight.chips,
            }
        };
        let edge = |edge: &petgraph::graph::Edge<crate::fabric::Edge>| {
            let link = &fabric.links[edge.weight.link as usize];
            EdgeRow {
                ends: [edge.source().index(), edge.target().index()],
                part: link.id.clone(),
                count: edge.weight.count,
                level: level(edge.weight.level),
                plane: edge.weight.plane,
                medium: link.link.medium.name(),
                bandwidth: payload_rate(link, LONG_MESSAGE),
                latency: channel_latency(&link.link),
            }
        };
        Self {
            supernode: supernode.to_owned(),
            description,
            nodes: fabric.graph.node_indices().zip(names).map(node).collect(),
            edges: fabric.graph.raw_edges().iter().map(edge).collect(),
        }
    }

    /// Keys that `describe --format json --full` has beside those of `describe`.
    fn json(&self) -> Map<String, Json> {
        let node = |node: &NodeRow| {
            json!({
                "name": node.name, "kind": node.kind, "part": node.part, "level": node.level, "plane": node.plane,
                "forwards": node.forwards, "first_chip": node.first_chip, "chips": node.chips,
            })
        };
        let edge = |edge: &EdgeRow| {
            let [from, to] = edge.ends.map(|end| &self.nodes[end].name);
            json!({
                "from": from, "to": to, "part": edge.part, "count": edge.count, "level": edge.level, "plane": edge.plane,
                "medium": edge.medium, "bandwidth_bytes_per_s": edge.bandwidth, "latency_s": edge.latency,
            })
        };
        let mut keys = Map::new();
        keys.insert("nodes".into(), self.nodes.iter().map(node).collect());
        keys.insert("edges".into(), self.edges.iter().map(edge).collect());
        keys.insert(DESCRIPTION_KEY.into(), json!(self.description));
        keys
    }
}

/// A report with the whole fabric behind it.
pub struct FullReport<'a> {
    /// The report.
    pub report: &'a dyn Report,
    /// The fabric.
    pub export: &'a FabricExport,
}

impl Report for FullReport<'_> {
    fn output(&self) -> &'static str {
        self.report.output()
    }

    fn json(&self) -> Json {
        let mut keys = match self.report.json() {
            Json::Object(keys) => keys,
            other => Map::from_iter([("result".to_owned(), other)]),
        };
        keys.extend(self.export.json());
        Json::Object(keys)
    }

    fn sections(&self) -> Vec<super::format::Section> {
        self.report.sections()
    }
}
