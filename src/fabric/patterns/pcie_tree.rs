//! PCIe tree: children below switches, switches below hosts. Traffic between switches crosses the root complexes of the hosts.

use super::{ChildOrbits, chips};
use crate::fabric::builder::{Builder, LevelPort, PortGroup, Stop, narrow};
use crate::input::spec::{Cable, PcieTreeSpec};

pub fn join(builder: &mut Builder, cable: &Cable, children: &[PortGroup], tree: &PcieTreeSpec) -> Result<PortGroup, Stop> {
    let mut hosts: Vec<LevelPort> = Vec::with_capacity(tree.hosts as usize);
    let per_host: u32 = children[..children.len() / tree.hosts as usize].iter().map(|child| narrow(child.chips.len())).sum();
    for number in 0..tree.hosts {
        let host = LevelPort { node: builder.cpu(&tree.host, (number * per_host, per_host))?, class: 0 };
        builder.forward(host.node);
        for other in &hosts {
            builder.edge((*other, host), &tree.host_link, 0, [2, 0, 0], true)?;
        }
        hosts.push(host);
    }
    let mut switches = Vec::with_capacity(tree.switches as usize);
    let mut first_chip = 0;
    for (index, children) in children.chunks(children.len() / tree.switches as usize).enumerate() {
        let under = children.iter().map(|child| narrow(child.chips.len())).sum();
        let switch = LevelPort { node: builder.switch(&tree.switch, 0, Some((first_chip, under)))?, class: 0 };
        first_chip += under;
        for below in children.iter().flat_map(PortGroup::ports) {
            builder.edge((*below, switch), cable, 0, [0, 0, below.class], false)?;
        }
        let host = hosts[index / (tree.switches / tree.hosts) as usize];
        builder.edge((switch, host), &tree.uplink, 0, [1, 0, 0], false)?;
        switches.push(switch);
    }
    Ok(PortGroup { chips: chips(children, &ChildOrbits::One), planes: vec![switches] })
}
