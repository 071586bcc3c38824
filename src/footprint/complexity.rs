//! How much there is to build, plug and break.

use std::collections::BTreeSet;

use petgraph::graph::{EdgeIndex, NodeIndex};

use super::damage::{Damage, FailedPart, damaged, part_classes};
use super::inventory::Inventory;
use super::spare_parts::SpareParts;
use crate::fabric::{Endpoint, Fabric};
use crate::units::Metres;

/// Counts that make a design simple or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Complexity {
    /// Levels of switches that a packet may climb; 0 where chips are joined directly.
    pub tiers: usize,
    /// Different parts on the bill: chip, CPUs, switches, links, auxiliaries not counted.
    pub distinct_parts: usize,
    /// Links that somebody plugs in: all but board traces.
    pub cables: u64,
    /// Their length together.
    pub cable_length: Metres,
    /// Retimers on all links.
    pub retimers: u64,
    /// `SerDes` lanes of chips and of switches: used and built in.
    pub lanes: Vec<LaneUse>,
    /// Loss through one failed part, by class of equivalent parts.
    pub blast_radius: Vec<Blast>,
}

/// Lanes of a kind of part.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneUse {
    /// Which part.
    pub part: String,
    /// Lanes with a link.
    pub used: u64,
    /// Lanes without.
    pub free: u64,
}

/// Loss through one failed part.
#[derive(Clone, Debug, PartialEq)]
pub struct Blast {
    /// Which part.
    pub part: String,
    /// How many such parts there are.
    pub count: u64,
    /// Chips that fail or no longer reach the others.
    pub chips: u32,
    /// Share of all lanes of the fabric that go dark.
    pub bandwidth: f64,
}

/// Above so many classes of parts, one search for all that cut nothing off costs less than a damaged machine for each.
const CLASSES_PER_SEARCH_FOR_SPARES: usize = 64;

/// Counts a fabric.
#[must_use]
pub fn complexity(fabric: &Fabric, inventory: &Inventory) -> Complexity {
    let cabled = || inventory.links.iter().filter(|line| line.medium != "trace");
    let parts: BTreeSet<&str> = inventory
        .switches
        .iter()
        .map(|line| line.part.as_str())
        .chain(inventory.links.iter().map(|line| line.part.as_str()))
        .chain(inventory.cpus.iter().map(|line| line.0.as_str()))
        .collect();
    let tiers: BTreeSet<u8> = inventory.switches.iter().map(|line| line.level).collect();
    Complexity {
        tiers: tiers.len(),
        distinct_parts: parts.len() + 1,
        cables: cabled().map(|line| line.count).sum(),
        cable_length: cabled().map(|line| line.length).sum(),
        retimers: inventory.links.iter().map(|line| line.retimers).sum(),
        lanes: lanes(fabric),
        blast_radius: blast_radius(fabric),
    }
}

fn link_lanes(fabric: &Fabric, edge: EdgeIndex) -> u64 {
    u64::from(fabric.links[fabric.graph[edge].link as usize].link.lanes)
}

fn node_lanes(fabric: &Fabric, node: NodeIndex) -> u64 {
    use petgraph::visit::EdgeRef;
    fabric.graph.edges(node).map(|edge| u64::from(edge.weight().count) * link_lanes(fabric, edge.id())).sum()
}

fn lanes(fabric: &Fabric) -> Vec<LaneUse> {
    let mut found: Vec<LaneUse> = Vec::new();
    for node in fabric.graph.node_indices() {
        let (part, built) = match fabric.graph[node].endpoint {
            Endpoint::Chip => ("chip".to_owned(), fabric.chip.io.lanes),
            Endpoint::Switch(part) => (fabric.switches[part as usize].id.clone(), fabric.switches[part as usize].switch.lanes),
            Endpoint::Cpu(_) | Endpoint::Nic(_) | Endpoint::Memory(_) => continue,
        };
        let used = node_lanes(fabric, node);
        let free = u64::from(built).saturating_sub(used);
        match found.iter_mut().find(|line| line.part == part) {
            Some(line) => (line.used, line.free) = (line.used + used, line.free + free),
            None => found.push(LaneUse { part, used, free }),
        }
    }
    found
}

fn blast_radius(fabric: &Fabric) -> Vec<Blast> {
    let all: u64 = fabric.graph.edge_indices().map(|edge| u64::from(fabric.graph[edge].count) * link_lanes(fabric, edge)).sum();
    let (classes, _) = part_classes(fabric);
    let spare = if classes.len() > CLASSES_PER_SEARCH_FOR_SPARES { SpareParts::of(fabric) } else { None };
    let blasts = classes.into_iter().map(|class| {
        let dark = match class.example {
            FailedPart::Node(node) => node_lanes(fabric, NodeIndex::new(node as usize)),
            FailedPart::Link(edge) => link_lanes(fabric, EdgeIndex::new(edge as usize)),
        };
        let chips = if spare.as_ref().is_some_and(|spare| spare.is_spare(class.example)) {
            u32::from(matches!(class.example, FailedPart::Node(node) if node < fabric.chips))
        } else {
            fabric.chips - damaged(fabric, &Damage::of(&[class.example])).chips
        };
        #[expect(clippy::cast_precision_loss, reason = "lane counts are far below 2^53")]
        let bandwidth = if all > 0 { dark as f64 / all as f64 } else { 0.0 };
        Blast { part: class.name, count: class.count, chips, bandwidth }
    });
    blasts.collect()
}
