//! Ports: no part has more links than it has lanes and ports for.

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::graph::{Endpoint, Fabric};
use crate::input::problem::Problem;
use crate::input::spec::Spec;

/// What a part has, and what its links take.
struct Budget {
    /// "chip `Ascend 910C`".
    name: String,
    /// Kinds of port: what they are called, how many the part has.
    kinds: Vec<(&'static str, u32)>,
}

/// One problem for each kind of node whose links need more than its part has.
pub fn over_budget(fabric: &Fabric, spec: &Spec) -> Vec<Problem> {
    let mut reported: Vec<(Endpoint, u8)> = Vec::new();
    let mut problems = Vec::new();
    for node in fabric.graph.node_indices() {
        let weight = &fabric.graph[node];
        let kind = (weight.endpoint, weight.level);
        if reported.contains(&kind) {
            continue;
        }
        let budget = budget(fabric, weight.endpoint);
        let outermost = fabric.graph.edges(node).map(|edge| edge.weight().level).max().unwrap_or(weight.level).max(weight.level);
        let (used, below) = (taken(fabric, node, |_| true), taken(fabric, node, |level| level < outermost));
        let excess = budget.kinds.iter().zip(used.into_iter().zip(below)).find(|((_, has), (used, _))| *used > u64::from(*has));
        if let Some(((what, has), (used, below))) = excess {
            reported.push(kind);
            let level = &spec.levels[outermost as usize];
            let others = if below > 0 { format!("; links of levels below it take {below}") } else { String::new() };
            let label = format!("level `{}` adds the links that do not fit{others}", level.name);
            let message = format!("{} has {has} {what}, its links need {used}", budget.name);
            let problem = Problem::new(message).at(level.place.clone(), label);
            problems.push(problem.help("fewer children, planes or parallel links, or a part with more ports"));
        }
    }
    problems
}

/// What the links of a node take from each kind of its ports, those of some levels alone.
fn taken(fabric: &Fabric, node: NodeIndex, of: impl Fn(u8) -> bool) -> [u64; 2] {
    let mut used = [0; 2];
    for edge in fabric.graph.edges(node).filter(|edge| of(edge.weight().level)) {
        let other = fabric.graph[edge.target()].endpoint;
        let (count, link) = (u64::from(edge.weight().count), &fabric.links[edge.weight().link as usize].link);
        let amounts = needs(fabric.graph[node].endpoint, other, count, u64::from(link.lanes));
        used.iter_mut().zip(amounts).for_each(|(used, amount)| *used += amount);
    }
    used
}

fn budget(fabric: &Fabric, endpoint: Endpoint) -> Budget {
    match endpoint {
        Endpoint::Chip => {
            let io = &fabric.chip.io;
            Budget { name: format!("chip `{}`", fabric.chip.name), kinds: vec![("lanes", io.lanes), ("host lanes", io.host_lanes)] }
        }
        Endpoint::Switch(part) => {
            let part = &fabric.switches[part as usize];
            let ports = part.switch.ports.unwrap_or(part.switch.lanes);
            Budget { name: format!("switch `{}`", part.id), kinds: vec![("lanes", part.switch.lanes), ("ports", ports)] }
        }
        Endpoint::Cpu(part) => {
            let (id, cpu) = &fabric.cpus[part as usize];
            Budget { name: format!("CPU `{id}`"), kinds: vec![("lanes", cpu.lanes)] }
        }
        Endpoint::Nic(part) => {
            let (id, nic) = &fabric.nics[part as usize];
            Budget { name: format!("NIC `{id}`"), kinds: vec![("lanes", nic.lanes), ("host lanes", nic.host_lanes)] }
        }
        Endpoint::Memory(part) => {
            let (id, memory) = &fabric.memories[part as usize];
            Budget { name: format!("memory `{id}`"), kinds: vec![("lanes", memory.lanes)] }
        }
    }
}

/// What `count` parallel links of `lanes` take from each kind of port of `node` when they lead to `other`.
fn needs(node: Endpoint, other: Endpoint, count: u64, lanes: u64) -> [u64; 2] {
    let lanes = lanes * count;
    match (node, other) {
        (Endpoint::Chip, Endpoint::Cpu(_) | Endpoint::Nic(_) | Endpoint::Memory(_)) | (Endpoint::Nic(_), Endpoint::Chip | Endpoint::Cpu(_)) => {
            [0, lanes]
        }
        (Endpoint::Switch(_), _) => [lanes, count],
        // Sockets are joined by links of their own kind, which the lanes of a CPU file do not count.
        (Endpoint::Cpu(_), Endpoint::Cpu(_)) => [0, 0],
        _ => [lanes, 0],
    }
}
