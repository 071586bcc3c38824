//! Torus: a grid of children whose every line closes to a ring. Links between blocks may cross optical circuit switches.

use super::grid::GridBlocks;
use super::{ChildOrbits, direct, join_positions};
use crate::fabric::builder::{Builder, PortGroup, Stop, narrow};
use crate::input::spec::{Cable, CircuitsSpec};

/// The blocks that circuits join.
pub fn blocks(dimensions: &[u32], circuits: &CircuitsSpec) -> GridBlocks {
    GridBlocks::new(dimensions, &circuits.block)
}

pub fn join(
    builder: &mut Builder,
    cable: &Cable,
    children: &[PortGroup],
    dimensions: &[u32],
    circuits: Option<&CircuitsSpec>,
) -> Result<PortGroup, Stop> {
    // Without circuits every child is a block of its own: all links are alike along a dimension.
    let grid = circuits.map_or_else(|| GridBlocks::new(dimensions, &vec![1; dimensions.len()]), |circuits| blocks(dimensions, circuits));
    let between = circuits.map_or_else(|| cable.clone(), |circuits| Cable { link: circuits.link.clone(), count: cable.count });
    for child in 0..narrow(children.len()) {
        for dimension in 0..dimensions.len() {
            if let Some(step) = grid.step(child, dimension, true) {
                let ends = (&children[step.from as usize], &children[step.to as usize]);
                let cable = if step.crosses { &between } else { cable };
                join_positions(builder, cable, ends, [narrow(dimension), step.key], step.reversible)?;
            }
        }
    }
    let orbits = if circuits.is_some() { ChildOrbits::Folded(grid) } else { ChildOrbits::One };
    Ok(direct(children, &orbits))
}
