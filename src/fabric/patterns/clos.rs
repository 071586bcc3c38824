//! Leaf and spine: in every plane, spines join all leaves. Clos over Clos makes a fat tree of three tiers and more.

use super::{ChildOrbits, chips, most_planes, switch};
use crate::fabric::builder::{Builder, LevelPort, PortGroup, Stop, narrow};
use crate::input::spec::{Cable, LeafSpec, SwitchSpec};

/// The upper tier.
pub struct Spines<'a> {
    pub part: &'a SwitchSpec,
    pub per_plane: u32,
    pub striped: bool,
}

/// Spines over the switches of the level below.
pub fn join_switches(builder: &mut Builder, cable: &Cable, children: &[PortGroup], spines: &Spines<'_>) -> Result<PortGroup, Stop> {
    let planes = (0..most_planes(children)).map(|plane| join_plane(builder, cable, children, plane, spines)).collect::<Result<_, _>>()?;
    Ok(PortGroup { chips: chips(children, &ChildOrbits::One), planes })
}

/// Leaves of the level's own, and spines over them.
pub fn join_leaves(builder: &mut Builder, cable: &Cable, children: &[PortGroup], leaf: &LeafSpec, spines: &Spines<'_>) -> Result<PortGroup, Stop> {
    let links = vec![cable.count; leaf.planes as usize];
    let tier = switch::SwitchTier { part: &leaf.part, link: &cable.link, per_plane: 1, links: &links };
    let mut first_chip = 0;
    let mut pods = Vec::new();
    for children in children.chunks(leaf.children_per_leaf as usize) {
        let pod = switch::join(builder, children, &tier)?;
        let under = narrow(pod.chips.len());
        for port in pod.planes.iter().flatten() {
            let node = &mut builder.fabric.graph[port.node];
            (node.first_chip, node.chips) = (node.first_chip + first_chip, under);
        }
        first_chip += under;
        pods.push(pod);
    }
    join_switches(builder, &leaf.uplink, &pods, spines)
}

fn join_plane(builder: &mut Builder, cable: &Cable, children: &[PortGroup], plane: usize, spines: &Spines<'_>) -> Result<Vec<LevelPort>, Stop> {
    let positions = children.first().map_or(1, |child| narrow(child.plane(plane).len()));
    if spines.striped && !spines.per_plane.is_multiple_of(positions) {
        return Err(Stop::Misfit {
            message: format!("{} spines cannot be striped over {positions} switches", spines.per_plane),
            label: format!("every child offers {positions} switches a plane"),
            help: "`spines_per_plane` is a multiple of the switches that a child offers".to_owned(),
        });
    }
    let mut tier = Vec::with_capacity(spines.per_plane as usize);
    for number in 0..spines.per_plane {
        let spine = LevelPort { node: builder.switch(spines.part, narrow(plane), None)?, class: 0 };
        for child in children {
            for (position, below) in child.plane(plane).iter().enumerate() {
                if !spines.striped || narrow(position) == number % positions {
                    builder.edge((*below, spine), cable, plane, [1, 0, below.class], false)?;
                }
            }
        }
        tier.push(spine);
    }
    Ok(tier)
}
