//! Full mesh: every child has the level's links to every other.

use super::{ChildOrbits, direct, join_positions};
use crate::fabric::builder::{Builder, PortGroup, Stop};
use crate::input::spec::Cable;

pub fn join(builder: &mut Builder, cable: &Cable, children: &[PortGroup]) -> Result<PortGroup, Stop> {
    let count = children.len() as u64;
    builder.expect_edges(count * count.saturating_sub(1) / 2)?;
    for (index, near) in children.iter().enumerate() {
        for far in &children[index + 1..] {
            join_positions(builder, cable, (near, far), [0, 0], true)?;
        }
    }
    Ok(direct(children, &ChildOrbits::One))
}
