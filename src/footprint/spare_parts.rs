//! Parts whose failure cuts no other chip off, found by one search over the whole machine in place of one for each part.

use std::collections::BTreeSet;

use petgraph::algo::{articulation_points::articulation_points, bridges};
use petgraph::graph::{EdgeIndex, NodeIndex, UnGraph};
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef;

use super::damage::FailedPart;
use crate::fabric::{Endpoint, Fabric};

/// One network that joins all chips, and the parts without which it falls apart.
#[derive(Debug)]
pub struct SpareParts<'a> {
    fabric: &'a Fabric,
    /// By node, whether it passes traffic on within the network.
    passes: Vec<bool>,
    /// Nodes and links whose loss parts nodes of the network that pass traffic on.
    cut_nodes: BTreeSet<usize>,
    cut_links: BTreeSet<[usize; 2]>,
}

impl<'a> SpareParts<'a> {
    /// Of a fabric; `None` if no single network joins all chips.
    #[must_use]
    pub fn of(fabric: &'a Fabric) -> Option<Self> {
        let graph = &fabric.graph;
        let mut networks = UnionFind::<usize>::new(graph.node_count());
        let passing = |node: NodeIndex| fabric.forwards(node);
        for edge in graph.edge_references().filter(|edge| passing(edge.source()) && passing(edge.target())) {
            networks.union(edge.source().index(), edge.target().index());
        }
        let beside = |chip: NodeIndex| -> BTreeSet<usize> {
            let own = passing(chip).then_some(chip);
            let others = graph.neighbors(chip).filter(|&node| own.is_none() && passing(node));
            own.into_iter().chain(others).map(|node| networks.find(node.index())).collect()
        };
        let chips = || graph.node_indices().filter(|&node| graph[node].endpoint == Endpoint::Chip);
        let shared = chips().map(beside).reduce(|a, b| &a & &b)?;
        let network = *shared.first()?;
        let passes: Vec<bool> = graph.node_indices().map(|node| passing(node) && networks.find(node.index()) == network).collect();
        // Nodes keep their numbers; those outside of the network have no links here.
        let mut inside = UnGraph::<(), ()>::default();
        graph.node_indices().for_each(|_| _ = inside.add_node(()));
        for edge in graph.edge_references().filter(|edge| passes[edge.source().index()] && passes[edge.target().index()]) {
            inside.update_edge(edge.source(), edge.target(), ());
        }
        let cut_nodes = articulation_points(&inside).into_iter().map(NodeIndex::index).collect();
        let cut_links = bridges(&inside).map(|edge| ends(edge.source(), edge.target())).collect();
        Some(Self { fabric, passes, cut_nodes, cut_links })
    }

    /// Whether no other chip is cut off when one part fails; `false` also where this search cannot tell.
    #[must_use]
    pub fn is_spare(&self, part: FailedPart) -> bool {
        let graph = &self.fabric.graph;
        match part {
            FailedPart::Node(node) => {
                let node = NodeIndex::new(node as usize);
                let passes = self.passes[node.index()];
                !passes || (!self.cut_nodes.contains(&node.index()) && graph.neighbors(node).all(|beside| self.has_other_way(beside, node)))
            }
            FailedPart::Link(edge) => {
                let edge = EdgeIndex::new(edge as usize);
                let Some((from, to)) = graph.edge_endpoints(edge) else { return false };
                graph[edge].count > 1
                    || match (self.passes[from.index()], self.passes[to.index()]) {
                        (true, true) => !self.cut_links.contains(&ends(from, to)),
                        (true, false) => self.has_other_way(to, from),
                        (false, true) => self.has_other_way(from, to),
                        (false, false) => true,
                    }
            }
        }
    }

    /// Whether what stands beside a node of the network is no chip, or reaches the network by another node.
    fn has_other_way(&self, beside: NodeIndex, node: NodeIndex) -> bool {
        let is_end = self.fabric.graph[beside].endpoint == Endpoint::Chip;
        !is_end || self.fabric.graph.neighbors(beside).any(|other| other != node && self.passes[other.index()])
    }
}

fn ends(from: NodeIndex, to: NodeIndex) -> [usize; 2] {
    [from.index().min(to.index()), from.index().max(to.index())]
}
