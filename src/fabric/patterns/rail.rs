//! Rails: chip i (or its NIC) of every child on rail switch i, and spines above the rails where there are any.

use super::{ChildOrbits, chips};
use crate::fabric::builder::{Builder, LevelPort, PortGroup, Stop, narrow};
use crate::input::spec::{Cable, SpinesSpec, SwitchSpec};

/// The rail switches.
pub struct RailSwitches<'a> {
    pub part: &'a SwitchSpec,
    /// Switches of one rail.
    pub planes: u32,
    /// Rails on one switch.
    pub per_switch: u32,
    /// Whether a rail carries NICs; otherwise it carries the chips themselves.
    pub behind_nics: bool,
}

pub fn join(
    builder: &mut Builder,
    cable: &Cable,
    children: &[PortGroup],
    rails: &RailSwitches<'_>,
    spines: Option<&SpinesSpec>,
) -> Result<PortGroup, Stop> {
    let positions = |child: &'_ PortGroup| if rails.behind_nics { child.planes[0].clone() } else { child.chips.clone() };
    let positions: Vec<Vec<LevelPort>> = children.iter().map(positions).collect();
    let count = positions.first().map_or(0, Vec::len);
    if !count.is_multiple_of(rails.per_switch as usize) {
        return Err(Stop::Misfit {
            message: format!("{count} rails cannot be shared out, {} to a switch", rails.per_switch),
            label: format!("every child has {count} chips"),
            help: "`rails_per_switch` divides the chips of a child".to_owned(),
        });
    }
    // Rails that share a switch tell the chips of a child apart, unless whole shares change places inside the innermost groups.
    let shares = builder.interchangeable.is_multiple_of(rails.per_switch) || rails.per_switch as usize == count;
    if rails.per_switch > 1 && !shares {
        builder.break_symmetry();
    }
    let mut planes = Vec::with_capacity(rails.planes as usize);
    for plane in 0..rails.planes {
        let mut switches = Vec::new();
        for first in (0..count).step_by(rails.per_switch as usize) {
            let members = first..first + rails.per_switch as usize;
            let switch = LevelPort { node: builder.switch(rails.part, plane, None)?, class: positions[0][first].class };
            for below in positions.iter().flat_map(|child| &child[members.clone()]) {
                builder.edge((*below, switch), cable, plane as usize, [0, 0, below.class], false)?;
            }
            switches.push(switch);
        }
        planes.push(switches);
    }
    let chips = chips(children, &ChildOrbits::One);
    let planes = match spines {
        Some(spines) => join_rails(builder, &planes, spines)?,
        None => {
            // Only chips lead from one rail to another.
            chips.iter().for_each(|chip| builder.forward(chip.node));
            planes
        }
    };
    Ok(PortGroup { chips, planes })
}

fn join_rails(builder: &mut Builder, planes: &[Vec<LevelPort>], spines: &SpinesSpec) -> Result<Vec<Vec<LevelPort>>, Stop> {
    let mut tier = Vec::with_capacity(planes.len());
    for (plane, switches) in planes.iter().enumerate() {
        let mut above = Vec::with_capacity(spines.count as usize);
        for _ in 0..spines.count {
            let spine = LevelPort { node: builder.switch(&spines.part, narrow(plane), None)?, class: 0 };
            for switch in switches {
                builder.edge((*switch, spine), &spines.uplink, plane, [1, 0, switch.class], false)?;
            }
            above.push(spine);
        }
        tier.push(above);
    }
    Ok(tier)
}
