//! Parts that can fail, classes of equivalent parts, and the graph that remains after failures.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graph::{EdgeIndex, NodeIndex, UnGraph};
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef;

use crate::fabric::{Edge, Endpoint, Fabric, Node, kind_name};

/// A part of the fabric that can fail on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailedPart {
    /// A chip, switch or host.
    Node(u32),
    /// One of the parallel links of an edge.
    Link(u32),
}

/// Parts that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    nodes: BTreeSet<u32>,
    /// Links of an edge, by how many.
    links: BTreeMap<u32, u32>,
}

impl Damage {
    /// These parts and no others; a link named twice is two parallel links.
    #[must_use]
    pub fn of(parts: &[FailedPart]) -> Self {
        let mut damage = Self::default();
        for part in parts {
            match *part {
                FailedPart::Node(node) => {
                    damage.nodes.insert(node);
                }
                FailedPart::Link(edge) => *damage.links.entry(edge).or_default() += 1,
            }
        }
        damage
    }

    /// Whether anything is gone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.links.is_empty()
    }

    /// Damage that is as bad: of a single part, that of the example of its class; otherwise itself.
    #[must_use]
    pub fn representative(&self, classes: &[PartClass], class_of: &BTreeMap<FailedPart, usize>) -> Self {
        let nodes = self.nodes.iter().map(|node| FailedPart::Node(*node));
        let parts: Vec<FailedPart> =
            nodes.chain(self.links.iter().flat_map(|(edge, count)| vec![FailedPart::Link(*edge); *count as usize])).collect();
        match parts[..] {
            [part] => class_of.get(&part).map_or_else(|| self.clone(), |class| Self::of(&[classes[*class].example])),
            _ => self.clone(),
        }
    }

    fn remaining(&self, edge: EdgeIndex, weight: &Edge) -> u32 {
        let gone = self.links.get(&number(edge.index())).copied().unwrap_or(0);
        weight.count.saturating_sub(gone)
    }
}

/// The remaining fabric. Surviving chips keep their order. Chips that no longer reach the others are lost as well.
#[must_use]
pub fn damaged(fabric: &Fabric, damage: &Damage) -> Fabric {
    let connected = connected_chips(fabric, damage);
    let mut graph = UnGraph::default();
    let mut moved: Vec<Option<NodeIndex>> = Vec::with_capacity(fabric.graph.node_count());
    let mut places = Vec::new();
    for node in fabric.graph.node_indices() {
        let chip = matches!(fabric.graph[node].endpoint, Endpoint::Chip);
        let stays = !damage.nodes.contains(&number(node.index())) && (!chip || connected[node.index()]);
        if stays && chip {
            places.push(fabric.place(number(node.index())));
        }
        moved.push(stays.then(|| graph.add_node(fabric.graph[node])));
    }
    for edge in fabric.graph.edge_references() {
        let count = damage.remaining(edge.id(), edge.weight());
        if let (Some(from), Some(to), 1..) = (moved[edge.source().index()], moved[edge.target().index()], count) {
            graph.add_edge(from, to, Edge { count, ..*edge.weight() });
        }
    }
    let chips = number(places.len());
    forget_symmetry(&mut graph, chips);
    Fabric { graph, chips, places, uniform: false, sectors: None, lines: None, ..fabric.clone() }
}

/// Damage breaks the symmetries of a machine: every chip and every edge becomes a class of its own.
fn forget_symmetry(graph: &mut UnGraph<Node, Edge>, chips: u32) {
    for (index, node) in (0..).zip(graph.node_weights_mut()) {
        let chip = matches!(node.endpoint, Endpoint::Chip);
        (node.class, node.first_chip, node.chips) = if chip { (index, index, 1) } else { (0, 0, chips) };
    }
    for (index, edge) in (0..).zip(graph.edge_weights_mut()) {
        (edge.class, edge.reversible) = (index, false);
    }
}

/// By node: whether it is a chip on the network that joins most chips.
///
/// Planes are networks of their own and a chip may be on several; one that is on none that all others share would reach only a part
/// of them.
fn connected_chips(fabric: &Fabric, damage: &Damage) -> Vec<bool> {
    let nodes = fabric.graph.node_count();
    let alive = |node: NodeIndex| !damage.nodes.contains(&number(node.index()));
    let mut networks = UnionFind::<u32>::new(nodes);
    let edges = || {
        fabric.graph.edge_references().filter(|edge| damage.remaining(edge.id(), edge.weight()) > 0 && alive(edge.source()) && alive(edge.target()))
    };
    for edge in edges().filter(|edge| fabric.forwards(edge.source()) && fabric.forwards(edge.target())) {
        networks.union(number(edge.source().index()), number(edge.target().index()));
    }
    let mut members: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for edge in edges() {
        for (chip, other) in [(edge.source(), edge.target()), (edge.target(), edge.source())] {
            let at = if fabric.forwards(chip) { chip } else { other };
            // Chips that share only a host, which hands nothing on, do not reach each other.
            if matches!(fabric.graph[chip].endpoint, Endpoint::Chip) && fabric.forwards(at) {
                members.entry(networks.find(number(at.index()))).or_default().insert(number(chip.index()));
            }
        }
    }
    let mut connected = vec![false; nodes];
    // Ties keep the first network, so that the answer does not depend on anything but the graph.
    if let Some(largest) = members.values().rev().max_by_key(|chips| chips.len()) {
        largest.iter().for_each(|chip| connected[*chip as usize] = true);
    }
    connected
}

/// Parts that some symmetry of the machine maps onto each other: the failure of one is as bad as that of any other.
#[derive(Clone, Debug, PartialEq)]
pub struct PartClass {
    /// What they are.
    pub name: String,
    /// One of them.
    pub example: FailedPart,
    /// How many, parallel links counted one by one.
    pub count: u64,
}

/// Every part that can fail, by class, in the order of the graph; and the class of each part.
///
/// Edges carry their class. A symmetry that maps an edge onto another maps its ends too, so nodes at the same end of edges of one
/// class are alike, and so on along chains of such edges.
#[must_use]
pub fn part_classes(fabric: &Fabric) -> (Vec<PartClass>, BTreeMap<FailedPart, usize>) {
    let mut class_of: BTreeMap<FailedPart, usize> = BTreeMap::new();
    let mut alike = UnionFind::<u32>::new(fabric.graph.node_count());
    let mut seen: BTreeMap<(u64, bool), u32> = BTreeMap::new();
    for edge in fabric.graph.edge_references() {
        for (node, first) in [(edge.source(), true), (edge.target(), false)] {
            let node = number(node.index());
            let known = *seen.entry((u64::from(edge.weight().class), first)).or_insert(node);
            alike.union(known, node);
        }
    }
    let mut classes: Vec<PartClass> = Vec::new();
    let mut nodes: BTreeMap<u32, usize> = BTreeMap::new();
    for node in fabric.graph.node_indices() {
        let index = number(node.index());
        let position = *nodes.entry(alike.find(index)).or_insert_with(|| {
            classes.push(PartClass { name: kind_name(fabric, node).to_owned(), example: FailedPart::Node(index), count: 0 });
            classes.len() - 1
        });
        classes[position].count += 1;
        class_of.insert(FailedPart::Node(index), position);
    }
    let mut links: BTreeMap<u64, usize> = BTreeMap::new();
    for edge in fabric.graph.edge_references() {
        let position = *links.entry(u64::from(edge.weight().class)).or_insert_with(|| {
            let link = &fabric.links[edge.weight().link as usize].id;
            let name = format!("link {link}, {} to {}", kind_name(fabric, edge.source()), kind_name(fabric, edge.target()));
            classes.push(PartClass { name, example: FailedPart::Link(number(edge.id().index())), count: 0 });
            classes.len() - 1
        });
        classes[position].count += u64::from(edge.weight().count);
        class_of.insert(FailedPart::Link(number(edge.id().index())), position);
    }
    (classes, class_of)
}

/// Every single part, parallel links one by one, for studies without symmetry.
#[must_use]
pub fn all_parts(fabric: &Fabric) -> Vec<FailedPart> {
    let nodes = fabric.graph.node_indices().map(|node| FailedPart::Node(number(node.index())));
    let links = fabric.graph.edge_references().flat_map(|edge| vec![FailedPart::Link(number(edge.id().index())); edge.weight().count as usize]);
    nodes.chain(links).collect()
}

/// Name of a part for the command line: `chip:12`, `ub-l2:3` (numbered by kind, in the order of the graph), `chip:12/ub-l1:7` for a link.
#[must_use]
pub fn part_name(fabric: &Fabric, part: FailedPart) -> String {
    let name = |node: NodeIndex| {
        let kind = kind_name(fabric, node);
        let before = fabric.graph.node_indices().take(node.index()).filter(|other| kind_name(fabric, *other) == kind).count();
        format!("{kind}:{before}")
    };
    match part {
        FailedPart::Node(node) => name(NodeIndex::new(node as usize)),
        FailedPart::Link(edge) => {
            let ends = fabric.graph.edge_endpoints(EdgeIndex::new(edge as usize));
            ends.map_or(String::new(), |(from, to)| format!("{}/{}", name(from), name(to)))
        }
    }
}

/// The part that a name means.
///
/// # Errors
/// What was expected, in one line.
pub fn part_named(fabric: &Fabric, name: &str) -> Result<FailedPart, String> {
    let node = |name: &str| -> Result<NodeIndex, String> {
        let wrong = || format!("`{name}` names no part; write `chip:12`, `SWITCH:3` or `chip:12/SWITCH:3` for the link between them");
        let (kind, index) = name.rsplit_once(':').ok_or_else(wrong)?;
        let index: usize = index.parse().map_err(|_| wrong())?;
        let of_kind: Vec<NodeIndex> = fabric.graph.node_indices().filter(|node| kind_name(fabric, *node) == kind).collect();
        if of_kind.is_empty() {
            let mut kinds: Vec<&str> = fabric.graph.node_indices().map(|node| kind_name(fabric, node)).collect();
            kinds.sort_unstable();
            kinds.dedup();
            return Err(format!("`{kind}` is not in this machine; it has {}", kinds.join(", ")));
        }
        of_kind.get(index).copied().ok_or_else(|| format!("`{name}`: the machine has {} of them, numbered from 0", of_kind.len()))
    };
    match name.split_once('/') {
        None => Ok(FailedPart::Node(number(node(name)?.index()))),
        Some((from, to)) => {
            let edge = fabric.graph.find_edge(node(from)?, node(to)?).ok_or_else(|| format!("no link joins {from} and {to}"))?;
            Ok(FailedPart::Link(number(edge.index())))
        }
    }
}

/// Node and edge numbers fit 32 bits: the spec bounds the machine's size.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
