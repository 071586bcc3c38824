//! Mesh: a grid of children, open at its ends. Its only symmetries are mirror images.

use super::grid::GridBlocks;
use super::{ChildOrbits, direct, join_positions};
use crate::fabric::builder::{Builder, PortGroup, Stop, narrow};
use crate::input::spec::Cable;

/// The whole mesh is one block.
pub fn grid(dimensions: &[u32]) -> GridBlocks {
    GridBlocks::new(dimensions, dimensions)
}

pub fn join(builder: &mut Builder, cable: &Cable, children: &[PortGroup], dimensions: &[u32]) -> Result<PortGroup, Stop> {
    let grid = grid(dimensions);
    for child in 0..narrow(children.len()) {
        for dimension in 0..dimensions.len() {
            if let Some(step) = grid.step(child, dimension, false) {
                let ends = (&children[step.from as usize], &children[step.to as usize]);
                join_positions(builder, cable, ends, [narrow(dimension), step.key], step.reversible)?;
            }
        }
    }
    Ok(direct(children, &ChildOrbits::Folded(grid)))
}
