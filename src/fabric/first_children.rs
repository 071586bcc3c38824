//! The first children of a machine's outermost level as a smaller machine, for traffic among their chips.
//!
//! Shortest paths among these chips never pass another child if every node that joins the children serves all of them and has links to one node of
//! each. Children are copies of one another, joined at the same place in each (the patterns of levels make them so), so exchanging two of them is a
//! symmetry that keeps all joining nodes. Proof: let a path go from node a of child A over the joining node s to node c of child C, and leave C later.
//! The symmetry that exchanges A and C keeps s and maps c onto a, because a is the only node of A with a link to s. It maps the part of the path
//! inside C into A, where that part starts at a: the two links of s are not needed, and the path is shorter by two links.

use std::collections::BTreeMap;

use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::EdgeRef;

use super::graph::{Fabric, Node};

impl Fabric {
    /// Chips in one child of the outermost level.
    #[must_use]
    pub fn child_chips(&self) -> u32 {
        self.level_sizes.iter().rev().skip(1).product()
    }

    /// Whether shortest paths between chips never pass a child of the outermost level that holds neither.
    #[must_use]
    pub fn children_stay_apart(&self) -> bool {
        let child = self.child_chips();
        let whole = self.level_sizes.iter().product::<u32>() == self.chips && self.places.is_empty();
        let serves_all = |node: &Node| node.chips >= self.chips;
        let in_one_child = |node: &Node| node.first_chip / child == (node.first_chip + node.chips.max(1) - 1) / child;
        let judged = self.graph.node_indices().all(|number| {
            let node = &self.graph[number];
            if serves_all(node) { self.joins_children(number, child) } else { in_one_child(node) }
        });
        let joined = |edge: &petgraph::graph::Edge<super::graph::Edge>| {
            let [from, to] = [edge.source(), edge.target()].map(|end| &self.graph[end]);
            serves_all(from) || serves_all(to) || from.first_chip / child == to.first_chip / child
        };
        whole && judged && self.graph.raw_edges().iter().all(joined)
    }

    /// Whether links of one class lead from a node to one node of every child, and nowhere else.
    fn joins_children(&self, node: NodeIndex, child: u32) -> bool {
        let mut touched: BTreeMap<u32, NodeIndex> = BTreeMap::new();
        let mut classes = self.graph.edges(node).map(|edge| edge.weight().class);
        let first = classes.next();
        let alike = classes.all(|class| Some(class) == first);
        let single = self.graph.edges(node).all(|edge| {
            let other = if edge.source() == node { edge.target() } else { edge.source() };
            let end = &self.graph[other];
            end.chips < self.chips && *touched.entry(end.first_chip / child).or_insert(other) == other
        });
        alike && single && touched.len() as u64 * u64::from(child) == u64::from(self.chips)
    }

    /// The machine of the first children, where [`Fabric::children_stay_apart`].
    #[must_use]
    pub fn first_children(&self, children: u32) -> Self {
        let chips = self.child_chips() * children;
        let mut graph = UnGraph::default();
        let mut moved = vec![None; self.graph.node_count()];
        for number in self.graph.node_indices() {
            let node = self.graph[number];
            if node.first_chip < chips {
                moved[number.index()] = Some(graph.add_node(Node { chips: node.chips.min(chips), ..node }));
            }
        }
        for edge in self.graph.raw_edges() {
            if let (Some(from), Some(to)) = (moved[edge.source().index()], moved[edge.target().index()]) {
                graph.add_edge(from, to, edge.weight);
            }
        }
        let with_outermost = |mut sizes: Vec<u32>| {
            sizes.pop();
            sizes.push(children);
            sizes
        };
        let mut radices = self.radices.clone();
        radices.pop();
        radices.push(vec![children]);
        Self {
            graph,
            chips,
            places: Vec::new(),
            chip: self.chip.clone(),
            host_chips: self.host_chips,
            routing: self.routing,
            links: self.links.clone(),
            switches: self.switches.clone(),
            cpus: self.cpus.clone(),
            nics: self.nics.clone(),
            memories: self.memories.clone(),
            level_names: self.level_names.clone(),
            level_sizes: with_outermost(self.level_sizes.clone()),
            radices,
            uniform: self.uniform,
            sectors: None,
            lines: None,
        }
    }
}
