//! HyperX, or nD full mesh: children at the points of a grid, a full mesh along every line.

use super::grid::GridBlocks;
use super::{ChildOrbits, direct, join_positions};
use crate::fabric::builder::{Builder, PortGroup, Stop, narrow};
use crate::input::spec::Cable;

pub fn join(builder: &mut Builder, cable: &Cable, children: &[PortGroup], dimensions: &[u32]) -> Result<PortGroup, Stop> {
    let grid = GridBlocks::new(dimensions, dimensions);
    let per_child: u64 = dimensions.iter().map(|length| u64::from(*length) - 1).sum();
    builder.expect_edges(children.len() as u64 * per_child / 2)?;
    for child in 0..narrow(children.len()) {
        for (dimension, &length) in dimensions.iter().enumerate() {
            for further in grid.coordinate(child, dimension) + 1..length {
                let far = grid.moved(child, dimension, further);
                let ends = (&children[child as usize], &children[far as usize]);
                join_positions(builder, cable, ends, [narrow(dimension), 0], true)?;
            }
        }
    }
    Ok(direct(children, &ChildOrbits::One))
}
