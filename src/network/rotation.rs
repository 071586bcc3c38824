//! Patterns that a shift of all ranks maps onto itself, such as rings: where the same shift is a symmetry of the machine, the ranks of one
//! step stand for all others.
//!
//! A shift by a whole child of the outermost level is a symmetry of a Clos, a switch or a full mesh; one along the slowest dimension is a
//! symmetry of a torus. Nothing of this is taken for granted: the shift is checked link by link on the graph.

use std::collections::BTreeMap;

use petgraph::unionfind::UnionFind;

use super::channel_loads::ChannelLoads;
use super::group::Group;
use super::network::Network;
use super::pattern::TrafficPattern;
use super::routed::ChipRotation;
use crate::fabric::{Endpoint, Fabric, Node};

impl Network<'_> {
    /// The loads of a pattern over the whole machine by the receivers of one step of its shortest rotation; `None` where there is none.
    pub(super) fn rotated(&self, group: &Group, pattern: TrafficPattern) -> Option<ChannelLoads> {
        let ranks = group.ranks();
        let unit = pattern.turns_by()?;
        let whole = ranks == self.fabric().chips && group.in_level_order();
        let policy = self.router().policy();
        // Policies that mix ways look at the loads of the whole pattern.
        if !(whole && policy.respects_symmetry() && policy.stays_on_shortest_paths()) {
            return None;
        }
        let rotation = self.known().rotation(unit, || self.shortest_rotation(unit))?;
        let receivers: Vec<u32> = (0..rotation.step).collect();
        let mut loads = self.loads_of(group, pattern, &receivers);
        loads.scale(f64::from(ranks / rotation.step));
        loads.average_over(&rotation.orbit_of_channel);
        Some(loads)
    }

    /// The shortest shift by a multiple of `unit` chips that is a symmetry of the machine.
    fn shortest_rotation(&self, unit: u32) -> Option<ChipRotation> {
        let fabric = self.fabric();
        let chips = fabric.chips;
        let places = Places::new(fabric);
        let steps = (1..=chips / unit / 2).map(|units| units * unit).filter(|step| chips.is_multiple_of(*step));
        steps.into_iter().find_map(|step| {
            let image = places.shifted(fabric, step)?;
            let images = self.router().images_of_channels(&image)?;
            let mut orbits = UnionFind::<u32>::new(images.len());
            (0u32..).zip(images).for_each(|(channel, image)| _ = orbits.union(channel, image));
            Some(ChipRotation { step, orbit_of_channel: orbits.into_labeling() })
        })
    }
}

/// What tells a node from others but for its place among those alike: level, plane, kind and part, chips served, the first of them.
type NodeSignature = (u8, u16, u8, u16, u32, u32);

fn kind(node: &Node) -> NodeSignature {
    let (kind, part) = match node.endpoint {
        Endpoint::Chip => (0, 0),
        Endpoint::Switch(part) => (1, part),
        Endpoint::Cpu(part) => (2, part),
        Endpoint::Nic(part) => (3, part),
        Endpoint::Memory(part) => (4, part),
    };
    (node.level, node.plane, kind, part, node.chips, node.first_chip)
}

/// Nodes other than chips by kind, in the order of the graph.
struct Places {
    nodes: BTreeMap<NodeSignature, Vec<u32>>,
}

impl Places {
    fn new(fabric: &Fabric) -> Self {
        let mut nodes: BTreeMap<NodeSignature, Vec<u32>> = BTreeMap::new();
        for (number, node) in (0u32..).zip(fabric.graph.node_weights()).skip(fabric.chips as usize) {
            nodes.entry(kind(node)).or_default().push(number);
        }
        Self { nodes }
    }

    /// Where a shift takes every node: what serves a run of chips to what serves the shifted run, what serves all chips to itself; `None`
    /// where nothing serves a shifted run.
    fn shifted(&self, fabric: &Fabric, step: u32) -> Option<Vec<u32>> {
        let mut image: Vec<u32> = (0..).take(fabric.graph.node_count()).collect();
        for chip in &mut image[..fabric.chips as usize] {
            *chip = (*chip + step) % fabric.chips;
        }
        for (&(level, plane, endpoint, part, chips, first), from) in &self.nodes {
            if chips < fabric.chips {
                let to = self.nodes.get(&(level, plane, endpoint, part, chips, (first + step) % fabric.chips))?;
                if from.len() != to.len() {
                    return None;
                }
                from.iter().zip(to).for_each(|(&from, &to)| image[from as usize] = to);
            }
        }
        Some(image)
    }
}
