//! Dragonfly: groups of fully joined routers, every pair of groups joined by the same number of links.
//!
//! Links between groups are laid out relative to the group (circulant arrangement): the k-th link of a group leads k + 1 groups on,
//! so that turning the whole machine by one group is a symmetry. J. Kim et al., ISCA 2008; C. Camarero et al., TACO 11(4), 2014.

use super::{ChildOrbits, chips};
use crate::fabric::builder::{Builder, LevelPort, PortGroup, Stop, narrow};
use crate::input::spec::{Cable, DragonflySpec};

/// Children repeat from group to group, not from router to router.
pub fn orbits(size: u32, dragonfly: &DragonflySpec) -> ChildOrbits {
    let routers = dragonfly.routers_per_group;
    ChildOrbits::Routers { children: size / (dragonfly.groups * routers), routers }
}

pub fn join(builder: &mut Builder, cable: &Cable, children: &[PortGroup], dragonfly: &DragonflySpec) -> Result<PortGroup, Stop> {
    let (groups, per_group) = (dragonfly.groups, dragonfly.routers_per_group);
    let per_router = children.len() / (groups * per_group) as usize;
    let mut routers = Vec::with_capacity((groups * per_group) as usize);
    let mut first_chip = 0;
    for (index, terminals) in children.chunks(per_router).enumerate() {
        let place = narrow(index) % per_group;
        let under = terminals.iter().map(|child| narrow(child.chips.len())).sum();
        let router = LevelPort { node: builder.switch(&dragonfly.router, 0, Some((first_chip, under)))?, class: place };
        first_chip += under;
        for below in terminals.iter().flat_map(PortGroup::ports) {
            builder.edge((*below, router), cable, 0, [0, place, below.class], false)?;
        }
        routers.push(router);
    }
    let local = Cable { link: dragonfly.local_link.clone(), count: 1 };
    let global = Cable { link: dragonfly.global_link.clone(), count: 1 };
    for (group, members) in routers.chunks(per_group as usize).enumerate() {
        for (index, near) in members.iter().enumerate() {
            for far in &members[index + 1..] {
                builder.edge((*near, *far), &local, 0, [1, near.class, far.class], false)?;
            }
        }
        for (near, far, port, reversible) in global_links(dragonfly, narrow(group)) {
            builder.edge((routers[near as usize], routers[far as usize]), &global, 0, [2, port, 0], reversible)?;
        }
    }
    Ok(PortGroup { chips: chips(children, &orbits(narrow(children.len()), dragonfly)), planes: vec![routers] })
}

/// Links that start in a group: near router, far router, place among the group's links, whether the far end has the same place.
fn global_links(dragonfly: &DragonflySpec, group: u32) -> impl Iterator<Item = (u32, u32, u32, bool)> {
    let (groups, routers, ports) = (dragonfly.groups, dragonfly.routers_per_group, dragonfly.global_links_per_router);
    let others = groups - 1;
    (0..routers * ports).filter_map(move |port| {
        let (turn, ahead) = (port / others, port % others);
        let far_group = (group + ahead + 1) % groups;
        let back = others - 1 - ahead;
        // Each link is laid once: from the end with the lower place, and between equal places from the lower group.
        if ahead > back || (ahead == back && group > far_group) {
            return None;
        }
        let far_port = turn * others + back;
        Some((group * routers + port / ports, far_group * routers + far_port / ports, port, ahead == back))
    })
}
