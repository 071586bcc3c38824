//! One tier of switches in planes: every child has the level's links to every switch.

use super::{Orbits, chips, most_planes};
use crate::fabric::build::{Builder, Group, Port, Stop};
use crate::input::spec::{Cable, SwitchSpec};

pub fn join(builder: &mut Builder, cable: &Cable, children: &[Group], part: &SwitchSpec, planes: u32, per_plane: u32) -> Result<Group, Stop> {
    let below = most_planes(children);
    if below > 1 && below != planes as usize {
        return Err(Stop::Misfit {
            message: format!("{planes} planes of switches do not meet {below} planes below"),
            label: format!("every child has {below} planes"),
            help: "give both levels the same number of planes".to_owned(),
        });
    }
    let mut tier = Vec::with_capacity(planes as usize);
    for plane in 0..planes {
        let mut switches = Vec::with_capacity(per_plane as usize);
        for _ in 0..per_plane {
            let switch = Port { node: builder.switch(part, plane, None)?, class: 0 };
            for child in children {
                for below in child.plane(plane as usize) {
                    builder.edge((*below, switch), cable, plane as usize, [0, 0, below.class], false)?;
                }
            }
            switches.push(switch);
        }
        tier.push(switches);
    }
    Ok(Group { chips: chips(children, &Orbits::One), planes: tier })
}
