//! Switches and links one by one. Nothing is known about symmetries.

use super::{ChildOrbits, direct, join_positions};
use crate::fabric::builder::{Builder, LevelPort, PortGroup, Stop};
use crate::input::spec::{Cable, CustomEnd, CustomSpec};

pub fn join(builder: &mut Builder, _: &Cable, children: &[PortGroup], custom: &CustomSpec) -> Result<PortGroup, Stop> {
    builder.break_symmetry();
    let mut switches = Vec::with_capacity(custom.switches.len());
    for part in &custom.switches {
        switches.push(LevelPort { node: builder.switch(part, 0, None)?, class: 0 });
    }
    for (first, second, cable) in &custom.links {
        match (*first, *second) {
            (CustomEnd::Child(near), CustomEnd::Child(far)) => {
                join_positions(builder, cable, (&children[near as usize], &children[far as usize]), [0, 0], false)?;
            }
            (CustomEnd::Switch(near), CustomEnd::Switch(far)) => {
                builder.edge((switches[near as usize], switches[far as usize]), cable, 0, [0, 0, 0], false)?;
            }
            (CustomEnd::Child(child), CustomEnd::Switch(switch)) | (CustomEnd::Switch(switch), CustomEnd::Child(child)) => {
                for (plane, ports) in children[child as usize].planes.iter().enumerate() {
                    for below in ports {
                        builder.edge((*below, switches[switch as usize]), cable, plane, [0, 0, 0], false)?;
                    }
                }
            }
        }
    }
    let group = direct(children, &ChildOrbits::One);
    Ok(if switches.is_empty() { group } else { PortGroup { chips: group.chips, planes: vec![switches] } })
}
