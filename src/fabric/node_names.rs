//! Names of nodes and channels for people and for the command line.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;

use super::graph::{Endpoint, Fabric};

/// The word for what stands at a node: "chip", or the name of its part.
#[must_use]
pub fn kind_name(fabric: &Fabric, node: NodeIndex) -> &str {
    match fabric.graph[node].endpoint {
        Endpoint::Chip => "chip",
        Endpoint::Switch(part) => &fabric.switches[part as usize].id,
        Endpoint::Cpu(part) => &fabric.cpus[part as usize].0,
        Endpoint::Nic(part) => &fabric.nics[part as usize].0,
        Endpoint::Memory(part) => &fabric.memories[part as usize].0,
    }
}

/// Name of every node: `chip:12`, `ub-l2:3`, numbered by kind in the order of the graph.
#[must_use]
pub fn node_names(fabric: &Fabric) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let name = |node| {
        let kind = kind_name(fabric, node);
        let count = counts.entry(kind).or_default();
        *count += 1;
        format!("{kind}:{}", *count - 1)
    };
    fabric.graph.node_indices().map(name).collect()
}
