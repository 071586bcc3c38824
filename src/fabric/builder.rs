//! The fabric under construction: nodes, edges and symmetry classes, as patterns add them.

use std::collections::BTreeMap;

use petgraph::graph::{NodeIndex, UnGraph};

use super::graph::{Edge, Endpoint, Fabric, Node};
use crate::input::document::{AttachTo, Cpu};
use crate::input::problem::Problem;
use crate::input::spec::{AttachSpec, AttachedPart, Cable, LevelSpec, LinkSpec, NicSpec, PatternSpec, Spec, SwitchSpec};

/// Nodes and edges beyond this do not fit a laptop's memory; the largest shipped machine needs a hundredth of it.
const MOST_NODES: usize = 4_000_000;
const MOST_EDGES: usize = 8_000_000;

/// Why a level cannot be expanded.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// More nodes or edges than memory should hold.
    TooLarge,
    /// The children do not offer what the pattern needs.
    Misfit { message: String, label: String, help: String },
}

impl Stop {
    pub fn problem(self, level: &LevelSpec) -> Problem {
        match self {
            Self::TooLarge => Problem::new(format!("the machine is too large: more than {MOST_NODES} parts or {MOST_EDGES} bundles of links"))
                .at(level.place.clone(), format!("level `{}` passes the limit", level.name)),
            Self::Misfit { message, label, help } => Problem::new(message).at(level.place.clone(), label).help(help),
        }
    }
}

/// A node that links of the level above may start from.
#[derive(Clone, Copy, Debug)]
pub(super) struct LevelPort {
    pub node: NodeIndex,
    /// Ports of one class are mapped onto each other by the symmetries of their group.
    pub class: u32,
}

/// What a level hands to the one above.
#[derive(Clone, Debug)]
pub(super) struct PortGroup {
    /// Its chips, in level order.
    pub chips: Vec<LevelPort>,
    /// Its switches (its chips, where it has none), plane by plane; never empty.
    pub planes: Vec<Vec<LevelPort>>,
}

impl PortGroup {
    /// A bare chip: the same node in every plane.
    pub fn chip(node: NodeIndex) -> Self {
        let port = LevelPort { node, class: 0 };
        Self { chips: vec![port], planes: vec![vec![port]] }
    }

    /// The ports in a plane; a group with fewer planes has the same ports in all.
    pub fn plane(&self, plane: usize) -> &[LevelPort] {
        self.planes.get(plane).unwrap_or(&self.planes[0])
    }

    /// The ports of all planes, for patterns that know none.
    pub fn ports(&self) -> impl Iterator<Item = &LevelPort> {
        self.planes.iter().flatten()
    }
}

/// What tells an edge from others of its level: its part in the pattern, its place there, the class of the port it starts from.
pub(super) type Label = [u32; 3];

pub(super) struct Builder {
    pub fabric: Fabric,
    pub level: u8,
    /// First chip and chips of the group being joined.
    pub under: (u32, u32),
    /// Orbits of the group among those of the levels above.
    pub ancestry: u64,
    classes: BTreeMap<(u8, Label, u64), u32>,
    last_class: Option<((u8, Label, u64), u32)>,
    /// Chips of an innermost group that may change places one by one, without any other: 1 where their links tell them apart.
    pub interchangeable: u32,
    /// Whether the labels of all edges so far follow symmetries of the machine.
    pub symmetric: bool,
}

impl Builder {
    pub fn new(spec: &Spec) -> Self {
        let fabric = Fabric {
            graph: UnGraph::with_capacity(spec.chips() as usize, spec.chips() as usize),
            chips: spec.chips(),
            chip: spec.chip.clone(),
            places: Vec::new(),
            host_chips: spec.host_chips,
            routing: spec.routing,
            links: Vec::new(),
            switches: Vec::new(),
            cpus: Vec::new(),
            nics: Vec::new(),
            memories: Vec::new(),
            level_names: spec.levels.iter().map(|level| level.name.clone()).collect(),
            level_sizes: spec.levels.iter().map(|level| level.size).collect(),
            uniform: true,
            radices: Vec::new(),
            sectors: None,
            lines: None,
        };
        let interchangeable = spec.levels.first().map_or(1, |level| match level.pattern {
            PatternSpec::Switch { .. } => level.size,
            _ => 1,
        });
        Self { fabric, interchangeable, level: 0, under: (0, 0), ancestry: 0, classes: BTreeMap::new(), last_class: None, symmetric: true }
    }

    pub fn node(&mut self, endpoint: Endpoint, plane: u16, (first_chip, chips): (u32, u32)) -> NodeIndex {
        let forwards = matches!(endpoint, Endpoint::Switch(_));
        self.fabric.graph.add_node(Node { endpoint, level: self.level, plane, forwards, first_chip, chips, class: 0 })
    }

    /// A node that serves the whole group, or the given chips of it.
    fn part(&mut self, endpoint: Endpoint, plane: u32, under: Option<(u32, u32)>) -> Result<NodeIndex, Stop> {
        if self.fabric.graph.node_count() >= MOST_NODES {
            return Err(Stop::TooLarge);
        }
        let under = under.map_or(self.under, |(first, chips)| (self.under.0 + first, chips));
        Ok(self.node(endpoint, u16::try_from(plane).unwrap_or(u16::MAX), under))
    }

    /// A switch of the group; `under` are the chips that it serves, counted inside the group, if not all.
    pub fn switch(&mut self, part: &SwitchSpec, plane: u32, under: Option<(u32, u32)>) -> Result<NodeIndex, Stop> {
        let index = position_or_push(&mut self.fabric.switches, part, |known| known.id == part.id);
        self.part(Endpoint::Switch(index), plane, under)
    }

    /// A CPU of the group; `under` as for switches.
    pub fn cpu(&mut self, part: &(String, Cpu), under: (u32, u32)) -> Result<NodeIndex, Stop> {
        let index = position_or_push(&mut self.fabric.cpus, part, |known| known.0 == part.0);
        self.part(Endpoint::Cpu(index), 0, Some(under))
    }

    /// Lets traffic pass through a node.
    pub fn forward(&mut self, node: NodeIndex) {
        self.fabric.graph[node].forwards = true;
    }

    /// Gives up all claims of symmetry: every chip and every edge is unlike any other.
    pub fn break_symmetry(&mut self) {
        self.symmetric = false;
    }

    /// Refuses at once what so many more edges would make too large.
    pub fn expect_edges(&self, more: u64) -> Result<(), Stop> {
        let edges = self.fabric.graph.edge_count() as u64;
        if edges.saturating_add(more) > MOST_EDGES as u64 { Err(Stop::TooLarge) } else { Ok(()) }
    }

    /// Parallel links, from the first node to the second; `reversible` if a symmetry swaps them.
    pub fn edge(&mut self, ends: (LevelPort, LevelPort), cable: &Cable, plane: usize, label: Label, reversible: bool) -> Result<(), Stop> {
        if self.fabric.graph.edge_count() >= MOST_EDGES {
            return Err(Stop::TooLarge);
        }
        let link = position_or_push(&mut self.fabric.links, &cable.link, |known: &LinkSpec| known.id == cable.link.id);
        let class = self.class((self.level, label, self.ancestry));
        let plane = u16::try_from(plane).unwrap_or(u16::MAX);
        let edge = Edge { link, count: cable.count, level: self.level, plane, class, reversible };
        self.fabric.graph.add_edge(ends.0.node, ends.1.node, edge);
        Ok(())
    }

    /// Number of an edge class. Edges of one class mostly come one after the other.
    fn class(&mut self, key: (u8, Label, u64)) -> u32 {
        if let Some((last, class)) = self.last_class
            && last == key
        {
            return class;
        }
        let next = narrow(self.classes.len());
        let class = *self.classes.entry(key).or_insert(next);
        self.last_class = Some((key, class));
        class
    }

    /// The same chips, each reachable only through a NIC of its own.
    pub fn behind_nics(&mut self, nic: &NicSpec, child: &PortGroup) -> Result<PortGroup, Stop> {
        let index = position_or_push(&mut self.fabric.nics, &(nic.id.clone(), nic.nic.clone()), |known| known.0 == nic.id);
        let cable = Cable { link: nic.link.clone(), count: 1 };
        let mut nics = Vec::with_capacity(child.chips.len());
        for chip in &child.chips {
            let under = (narrow(chip.node.index()) - self.under.0, 1);
            let node = self.part(Endpoint::Nic(index), 0, Some(under))?;
            self.forward(node);
            let port = LevelPort { node, class: chip.class };
            self.edge((*chip, port), &cable, 0, [NIC_LABEL, 0, chip.class], false)?;
            nics.push(port);
        }
        Ok(PortGroup { chips: child.chips.clone(), planes: vec![nics] })
    }

    pub fn attach(&mut self, group: &PortGroup, attach: &AttachSpec, index: u32) -> Result<(), Stop> {
        let endpoint = match &attach.part {
            AttachedPart::Cpu(cpu) => {
                let part = (attach.id.clone(), cpu.clone());
                Endpoint::Cpu(position_or_push(&mut self.fabric.cpus, &part, |known| known.0 == attach.id))
            }
            AttachedPart::Nic(nic) => {
                let part = (attach.id.clone(), nic.clone());
                Endpoint::Nic(position_or_push(&mut self.fabric.nics, &part, |known| known.0 == attach.id))
            }
            AttachedPart::Memory(memory) => {
                let part = (attach.id.clone(), memory.clone());
                Endpoint::Memory(position_or_push(&mut self.fabric.memories, &part, |known| known.0 == attach.id))
            }
        };
        let share = group.chips.len() / attach.count as usize;
        for number in 0..attach.count as usize {
            let under = (attach.to == AttachTo::Chips).then(|| (narrow(number * share), narrow(share)));
            let port = LevelPort { node: self.part(endpoint, 0, under)?, class: 0 };
            let all = group.planes.iter().enumerate().flat_map(|(plane, ports)| ports.iter().map(move |below| (plane, below)));
            let ends: Vec<(usize, &LevelPort)> = match attach.to {
                AttachTo::Switches => all.collect(),
                AttachTo::Spread => all.clone().nth(number % all.count()).into_iter().collect(),
                AttachTo::Chips => group.chips[number * share..(number + 1) * share].iter().map(|chip| (0, chip)).collect(),
            };
            for (plane, below) in ends {
                self.edge((port, *below), &attach.cable, plane, [ATTACH_LABEL + index, 0, below.class], false)?;
            }
        }
        Ok(())
    }
}

/// Labels of edges that no pattern draws; patterns count theirs from 0.
const NIC_LABEL: u32 = 1000;
const ATTACH_LABEL: u32 = 2000;

fn position_or_push<T: Clone>(items: &mut Vec<T>, item: &T, same: impl Fn(&T) -> bool) -> u16 {
    let position = items.iter().position(same).unwrap_or_else(|| {
        items.push(item.clone());
        items.len() - 1
    });
    u16::try_from(position).unwrap_or(u16::MAX)
}

/// Counts fit 32 bits: the spec bounds the machine's size.
pub(super) fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
