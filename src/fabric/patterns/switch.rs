//! One tier of switches in planes: every child has links to every switch.

use super::{ChildOrbits, chips, most_planes};
use crate::fabric::builder::{Builder, LevelPort, PortGroup, Stop, narrow};
use crate::input::spec::{Cable, LinkSpec, SwitchSpec};

/// The switches.
pub struct SwitchTier<'a> {
    pub part: &'a SwitchSpec,
    pub link: &'a LinkSpec,
    /// Switches of one plane.
    pub per_plane: u32,
    /// Parallel links from a child to one switch, plane by plane.
    pub links: &'a [u32],
}

pub fn join(builder: &mut Builder, children: &[PortGroup], tier: &SwitchTier<'_>) -> Result<PortGroup, Stop> {
    let (below, above) = (most_planes(children), tier.links.len());
    if below > 1 && below != above {
        return Err(Stop::Misfit {
            message: format!("{above} planes of switches do not meet {below} planes below"),
            label: format!("every child has {below} planes"),
            help: "give both levels the same number of planes".to_owned(),
        });
    }
    let mut planes = Vec::with_capacity(above);
    for (plane, &count) in tier.links.iter().enumerate() {
        let cable = Cable { link: tier.link.clone(), count };
        let mut switches = Vec::with_capacity(tier.per_plane as usize);
        for _ in 0..tier.per_plane {
            // Planes with equally many links are copies of each other.
            let switch = LevelPort { node: builder.switch(tier.part, narrow(plane), None)?, class: count };
            for below in children.iter().flat_map(|child| child.plane(plane)) {
                builder.edge((*below, switch), &cable, plane, [0, count, below.class], false)?;
            }
            switches.push(switch);
        }
        planes.push(switches);
    }
    Ok(PortGroup { chips: chips(children, &ChildOrbits::One), planes })
}
