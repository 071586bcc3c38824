//! How a level joins its children. One file a pattern; each says which nodes and edges it adds and what it hands to the level above.
//!
//! Every edge carries a label such that edges of one label are mapped onto each other by symmetries of the level; with the
//! classes of the ports below and the orbits of the levels above this makes the classes of the whole machine.

mod clos;
mod custom;
mod dragonfly;
mod full_mesh;
mod grid;
mod hyperx;
mod mesh;
mod pcie_tree;
mod rail;
mod switch;
mod torus;

use super::builder::{Builder, LevelPort, PortGroup, Stop, narrow};
use crate::input::spec::{Cable, LevelSpec, PatternSpec};
use grid::GridBlocks;

/// Adds a level's switches and links to the graph.
pub fn join(builder: &mut Builder, level: &LevelSpec, cable: &Cable, children: &[PortGroup]) -> Result<PortGroup, Stop> {
    match &level.pattern {
        PatternSpec::Switch { part, planes: _, switches_per_plane, links } => {
            let tier = switch::SwitchTier { part, link: &cable.link, per_plane: *switches_per_plane, links };
            switch::join(builder, children, &tier)
        }
        PatternSpec::Clos { leaf, spine, spines_per_plane, striped } => {
            let spines = clos::Spines { part: spine, per_plane: *spines_per_plane, striped: *striped };
            match leaf {
                None => clos::join_switches(builder, cable, children, &spines),
                Some(leaf) => clos::join_leaves(builder, cable, children, leaf, &spines),
            }
        }
        PatternSpec::FullMesh => full_mesh::join(builder, cable, children),
        PatternSpec::Mesh { dimensions } => mesh::join(builder, cable, children, dimensions),
        PatternSpec::Torus { dimensions, circuits } => torus::join(builder, cable, children, dimensions, circuits.as_ref()),
        PatternSpec::HyperX { dimensions } => hyperx::join(builder, cable, children, dimensions),
        PatternSpec::Dragonfly(dragonfly) => dragonfly::join(builder, cable, children, dragonfly),
        PatternSpec::Rail { part, planes, rails_per_switch, spines } => {
            let rails = rail::RailSwitches { part, planes: *planes, per_switch: *rails_per_switch, behind_nics: level.nic.is_some() };
            rail::join(builder, cable, children, &rails, spines.as_ref())
        }
        PatternSpec::PcieTree(tree) => pcie_tree::join(builder, cable, children, tree),
        PatternSpec::Custom(custom) => custom::join(builder, cable, children, custom),
    }
}

/// The children of a level, sorted into those that its symmetries map onto each other.
pub enum ChildOrbits {
    /// Any two are alike.
    One,
    /// Children repeat along a line of routers.
    Routers { children: u32, routers: u32 },
    /// Children at the points of a grid of folded blocks.
    Folded(GridBlocks),
}

impl ChildOrbits {
    /// How many orbits.
    pub fn count(&self) -> u32 {
        match self {
            Self::One => 1,
            Self::Routers { routers, .. } => *routers,
            Self::Folded(grid) => grid.orbits(),
        }
    }

    /// Orbit of a child.
    pub fn of(&self, child: u32) -> u32 {
        match self {
            Self::One => 0,
            Self::Routers { children, routers } => child / children % routers,
            Self::Folded(grid) => grid.orbit(child),
        }
    }
}

/// Which children of a level are alike.
pub fn orbits(level: &LevelSpec) -> ChildOrbits {
    match &level.pattern {
        PatternSpec::Mesh { dimensions } => ChildOrbits::Folded(mesh::grid(dimensions)),
        PatternSpec::Torus { dimensions, circuits: Some(circuits) } => ChildOrbits::Folded(torus::blocks(dimensions, circuits)),
        PatternSpec::Dragonfly(dragonfly) => dragonfly::orbits(level.size, dragonfly),
        PatternSpec::Switch { .. }
        | PatternSpec::Clos { .. }
        | PatternSpec::FullMesh
        | PatternSpec::Torus { circuits: None, .. }
        | PatternSpec::HyperX { .. }
        | PatternSpec::Rail { .. }
        | PatternSpec::PcieTree(_)
        | PatternSpec::Custom(_) => ChildOrbits::One,
    }
}

/// Edges that a group of the level has at least, as far as the arguments of its pattern say.
pub fn fewest_edges(level: &LevelSpec) -> u64 {
    let children = u64::from(level.size);
    match &level.pattern {
        PatternSpec::FullMesh => children * children.saturating_sub(1) / 2,
        PatternSpec::HyperX { dimensions } => children * dimensions.iter().map(|length| u64::from(length.saturating_sub(1))).sum::<u64>() / 2,
        PatternSpec::Switch { planes, .. } => children * u64::from(*planes),
        _ => children.saturating_sub(1),
    }
}

/// Equal runs of children that the symmetries keeping the first half apart from the second map onto themselves, where the outermost
/// level has such symmetries: halves where children of a half are interchangeable, single layers of a grid.
pub fn sectors(level: &LevelSpec) -> Option<u32> {
    let halves = level.size.is_multiple_of(2).then_some(2);
    match &level.pattern {
        PatternSpec::Switch { .. } | PatternSpec::FullMesh | PatternSpec::Rail { .. } | PatternSpec::Clos { leaf: None, .. } => halves,
        PatternSpec::Clos { leaf: Some(leaf), .. } => {
            let leaves = level.size / leaf.children_per_leaf;
            (leaves == 1 || leaves.is_multiple_of(2)).then_some(2).and(halves)
        }
        PatternSpec::Torus { dimensions, .. } | PatternSpec::Mesh { dimensions } => dimensions.last().copied().filter(|last| last.is_multiple_of(2)),
        PatternSpec::HyperX { dimensions } => dimensions.last().filter(|last| last.is_multiple_of(2)).and(Some(2)),
        PatternSpec::PcieTree(tree) => tree.hosts.is_multiple_of(2).then_some(2),
        PatternSpec::Dragonfly(_) | PatternSpec::Custom(_) => None,
    }
}

/// As [`sectors`], for the lines along the first dimension of a grid.
pub fn lines(level: &LevelSpec) -> Option<u32> {
    match &level.pattern {
        PatternSpec::Torus { dimensions, .. } | PatternSpec::Mesh { dimensions } => dimensions.first().map(|first| level.size / first),
        _ => None,
    }
}

/// The ranges of the digits in which a child's number is written: the dimensions of a grid, children of a leaf and leaves, or all children.
pub fn radices(level: &LevelSpec) -> Vec<u32> {
    match &level.pattern {
        PatternSpec::Torus { dimensions, .. } | PatternSpec::Mesh { dimensions } | PatternSpec::HyperX { dimensions } => dimensions.clone(),
        PatternSpec::Clos { leaf: Some(leaf), .. } => vec![leaf.children_per_leaf, level.size / leaf.children_per_leaf],
        PatternSpec::Switch { .. }
        | PatternSpec::Clos { leaf: None, .. }
        | PatternSpec::FullMesh
        | PatternSpec::Dragonfly(_)
        | PatternSpec::Rail { .. }
        | PatternSpec::PcieTree(_)
        | PatternSpec::Custom(_) => vec![level.size],
    }
}

/// All chips of the children, each with its class and its child's orbit.
fn chips(children: &[PortGroup], orbits: &ChildOrbits) -> Vec<LevelPort> {
    concatenate(children, orbits, |child| &child.chips)
}

fn concatenate<'a>(children: &'a [PortGroup], orbits: &ChildOrbits, ports: impl Fn(&'a PortGroup) -> &'a [LevelPort]) -> Vec<LevelPort> {
    let children = children.iter().enumerate();
    children
        .flat_map(|(index, child)| {
            let orbit = orbits.of(narrow(index));
            ports(child).iter().map(move |port| LevelPort { node: port.node, class: port.class * orbits.count() + orbit })
        })
        .collect()
}

/// A group whose children are joined directly: it offers what they offered.
fn direct(children: &[PortGroup], orbits: &ChildOrbits) -> PortGroup {
    let planes = (0..most_planes(children)).map(|plane| concatenate(children, orbits, |child| child.plane(plane))).collect();
    PortGroup { chips: chips(children, orbits), planes }
}

fn most_planes(children: &[PortGroup]) -> usize {
    children.iter().map(|child| child.planes.len()).max().unwrap_or(1)
}

/// Joins equal positions of two children, plane by plane, and lets both ends pass traffic on.
fn join_positions(builder: &mut Builder, cable: &Cable, ends: (&PortGroup, &PortGroup), label: [u32; 2], reversible: bool) -> Result<(), Stop> {
    let planes = ends.0.planes.len().max(ends.1.planes.len());
    for plane in 0..planes {
        for (near, far) in ends.0.plane(plane).iter().zip(ends.1.plane(plane)) {
            builder.edge((*near, *far), cable, plane, [label[0], label[1], near.class], reversible)?;
            builder.forward(near.node);
            builder.forward(far.node);
        }
    }
    Ok(())
}
