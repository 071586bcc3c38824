//! Nodes, edges and channels.

use petgraph::graph::{EdgeIndex, NodeIndex, UnGraph};

use crate::input::document::{Chip, Cpu, MemoryExpander, Nic, Routing};
use crate::input::spec::{LinkSpec, SwitchSpec};

/// What stands at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Accelerator package; its node index is its number in level order.
    Chip,
    /// Switch chip: index into [`Fabric::switches`].
    Switch(u16),
    /// Host processor: index into [`Fabric::cpus`].
    Cpu(u16),
    /// Network card: index into [`Fabric::nics`].
    Nic(u16),
    /// Memory expander: index into [`Fabric::memories`].
    Memory(u16),
}

/// A node of the fabric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// What stands here.
    pub endpoint: Endpoint,
    /// Level that brought it in; 0 is the innermost.
    pub level: u8,
    /// Plane it belongs to; 0 for chips, CPUs, NICs and memories, which have ports in all.
    pub plane: u16,
    /// Whether traffic may pass through on its way to others: switches, the NICs between chips and a level, the root complexes of a
    /// PCIe tree, and chips where the pattern joins them directly.
    pub forwards: bool,
    /// First chip of the group that it serves; a chip serves itself.
    pub first_chip: u32,
    /// Chips of the group that it serves.
    pub chips: u32,
    /// Chips of one class are mapped onto each other by the symmetries of the machine; 0 for all other nodes.
    pub class: u32,
}

/// Parallel links between two nodes.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// Index into [`Fabric::links`].
    pub link: u16,
    /// How many in parallel.
    pub count: u32,
    /// Level that brought it in.
    pub level: u8,
    /// Plane it belongs to.
    pub plane: u16,
    /// Edges of one class are mapped onto each other by the symmetries of the machine, first node onto first node.
    pub class: u32,
    /// Whether some symmetry swaps the two ends, so that both directions of the class carry alike.
    pub reversible: bool,
}

/// Number of a channel: twice its edge, plus one for the direction from the edge's second node to its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelId(pub u32);

impl ChannelId {
    /// The edge it is a direction of.
    #[must_use]
    pub fn edge(self) -> EdgeIndex {
        EdgeIndex::new((self.0 / 2) as usize)
    }
}

/// One direction of an edge: the thing that has a capacity and can be a bottleneck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Sending node.
    pub from: u32,
    /// Receiving node.
    pub to: u32,
    /// Index into [`Fabric::links`].
    pub link: u16,
    /// Parallel links.
    pub count: u32,
}

/// The expanded supernode. Chips are nodes `0..chips`.
#[derive(Clone, Debug)]
pub struct Fabric {
    /// Nodes and edges.
    pub graph: UnGraph<Node, Edge>,
    /// Number of chips.
    pub chips: u32,
    /// Number that each chip had before others were lost; empty where none is.
    pub places: Vec<u32>,
    /// The chip part.
    pub chip: Chip,
    /// Chips under one operating system: equal runs in level order.
    pub host_chips: u32,
    /// How traffic spreads over its ways.
    pub routing: Routing,
    /// Link parts in use.
    pub links: Vec<LinkSpec>,
    /// Switch parts in use.
    pub switches: Vec<SwitchSpec>,
    /// CPU parts in use, with their names.
    pub cpus: Vec<(String, Cpu)>,
    /// NIC parts in use, with their names.
    pub nics: Vec<(String, Nic)>,
    /// Memory expander parts in use, with their names.
    pub memories: Vec<(String, MemoryExpander)>,
    /// Names of the levels, innermost first.
    pub level_names: Vec<String>,
    /// Children of each level's groups, innermost first.
    pub level_sizes: Vec<u32>,
    /// The same with every grid's dimensions one by one, by level: a chip's number in level order is written in digits of these ranges.
    pub radices: Vec<Vec<u32>>,
    /// Whether any two chips are alike: some symmetry of the machine maps one onto the other.
    pub uniform: bool,
    /// Equal runs of chips, in level order, which the symmetries that keep the two halves of the machine apart map onto themselves
    /// chip by chip; `None` where no such symmetry is known.
    pub sectors: Option<u32>,
    /// As `sectors`, each run a line of the outermost level's grid; what its symmetries do along other dimensions is left out.
    pub lines: Option<u32>,
}

impl Fabric {
    /// Channels, two for each edge, in [`ChannelId`] order.
    pub fn channels(&self) -> impl Iterator<Item = Channel> + '_ {
        self.graph.raw_edges().iter().flat_map(|edge| {
            let (from, to) = (index(edge.source()), index(edge.target()));
            let (link, count) = (edge.weight.link, edge.weight.count);
            [Channel { from, to, link, count }, Channel { from: to, to: from, link, count }]
        })
    }

    /// Where a chip stands in level order, lost ones counted.
    #[must_use]
    pub fn place(&self, chip: u32) -> u32 {
        self.places.get(chip as usize).copied().unwrap_or(chip)
    }

    /// Whether traffic may pass through a node on its way to others.
    #[must_use]
    pub fn forwards(&self, node: NodeIndex) -> bool {
        self.graph[node].forwards
    }

    /// Number of a channel's class: both directions of a reversible edge share one, others have two.
    #[must_use]
    pub fn channel_class(&self, channel: ChannelId) -> u32 {
        let edge = &self.graph[channel.edge()];
        2 * edge.class + if edge.reversible { 0 } else { channel.0 % 2 }
    }

    /// Two-way links, parallel ones counted one by one.
    #[must_use]
    pub fn link_count(&self) -> u64 {
        self.graph.edge_weights().map(|edge| u64::from(edge.count)).sum()
    }
}

/// Node numbers fit 32 bits: the spec bounds the machine's size.
fn index(node: NodeIndex) -> u32 {
    u32::try_from(node.index()).unwrap_or(u32::MAX)
}
