//! Spec to fabric: level by level, innermost first, then the port budgets.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;

use super::budget::over_budget;
use super::builder::{Builder, PortGroup, Stop, narrow};
use super::collisions::lower_rates;
use super::graph::{Endpoint, Fabric};
use super::patterns::{self, ChildOrbits};
use crate::input::problem::{Problem, Problems};
use crate::input::spec::{Cable, LevelSpec, Spec};

/// Expands a spec into its graph.
///
/// # Errors
/// A level whose pattern does not fit what its children offer; a graph too large to hold; a switch, chip, CPU, NIC or memory
/// whose links need more lanes or ports than the part has: one problem for each kind of node.
pub fn build(spec: &Spec) -> Result<Fabric, Problems> {
    let mut builder = Builder::new(spec);
    refuse_hopeless(&builder, spec)?;
    let mut groups = Vec::with_capacity(spec.chips() as usize);
    for chip in 0..spec.chips() {
        groups.push(PortGroup::chip(builder.node(Endpoint::Chip, 0, (chip, 1))));
    }
    for (index, level) in spec.levels.iter().enumerate() {
        builder.level = u8::try_from(index).unwrap_or(u8::MAX);
        let mut joined = Vec::with_capacity(groups.len() / level.size as usize);
        for (group, children) in groups.chunks(level.size as usize).enumerate() {
            enter(&mut builder, spec, group, children);
            joined.push(join(&mut builder, level, children).map_err(|stop| stop.problem(level))?);
        }
        groups = joined;
    }
    finish(&mut builder, spec);
    let mut fabric = builder.fabric;
    lower_rates(&mut fabric, &spec.levels);
    let mut problems = over_budget(&fabric, spec);
    problems.extend(unreachable(&fabric, spec));
    Problems::check(problems, fabric)
}

/// Refuses a machine whose levels have too many links by their arguments alone, before anything of it is laid out.
fn refuse_hopeless(builder: &Builder, spec: &Spec) -> Result<(), Problem> {
    let mut groups = u64::from(spec.chips());
    let mut edges = 0_u64;
    for level in &spec.levels {
        groups /= u64::from(level.size.max(1));
        edges = edges.saturating_add(patterns::fewest_edges(level).saturating_mul(groups));
        builder.expect_edges(edges).map_err(|stop| stop.problem(level))?;
    }
    Ok(())
}

/// Notes which group of the current level is joined next.
fn enter(builder: &mut Builder, spec: &Spec, group: usize, children: &[PortGroup]) {
    let chips = children.iter().map(|child| child.chips.len()).sum::<usize>();
    builder.under = (narrow(group * chips), narrow(chips));
    let (mut index, mut ancestry) = (group, 0u64);
    for level in &spec.levels[usize::from(builder.level) + 1..] {
        let orbits = patterns::orbits(level);
        let child = index % level.size as usize;
        index /= level.size as usize;
        ancestry = ancestry * u64::from(orbits.count()) + u64::from(orbits.of(narrow(child)));
    }
    builder.ancestry = ancestry;
}

fn join(builder: &mut Builder, level: &LevelSpec, children: &[PortGroup]) -> Result<PortGroup, Stop> {
    let cable = Cable { link: level.link.clone(), count: level.links };
    let group = match &level.nic {
        None => patterns::join(builder, level, &cable, children),
        Some(nic) => {
            let children = children.iter().map(|child| builder.behind_nics(nic, child)).collect::<Result<Vec<_>, _>>()?;
            patterns::join(builder, level, &cable, &children)
        }
    }?;
    for (index, attach) in level.attach.iter().enumerate() {
        builder.attach(&group, attach, narrow(index))?;
    }
    Ok(group)
}

/// Sorts chips into classes and works out what the symmetries allow.
fn finish(builder: &mut Builder, spec: &Spec) {
    let orbits: Vec<ChildOrbits> = spec.levels.iter().map(patterns::orbits).collect();
    let mut known = BTreeMap::new();
    for chip in 0..builder.fabric.chips {
        let (mut index, mut key) = (chip, 0u64);
        for (level, orbits) in spec.levels.iter().zip(&orbits) {
            key = key * u64::from(orbits.count()) + u64::from(orbits.of(index % level.size));
            index /= level.size;
        }
        let next = narrow(known.len());
        let class = if builder.symmetric { *known.entry(key).or_insert(next) } else { chip };
        builder.fabric.graph[NodeIndex::new(chip as usize)].class = class;
    }
    builder.fabric.uniform = (builder.symmetric && known.len() == 1) || builder.fabric.chips == 1;
    builder.fabric.radices = spec.levels.iter().map(patterns::radices).collect();
    let outermost = spec.levels.last().filter(|_| builder.symmetric);
    (builder.fabric.sectors, builder.fabric.lines) = (outermost.and_then(patterns::sectors), outermost.and_then(patterns::lines));
    if !builder.symmetric {
        for (number, edge) in builder.fabric.graph.edge_weights_mut().enumerate() {
            (edge.class, edge.reversible) = (narrow(number), false);
        }
    }
}

/// The first chip that traffic from chip 0 cannot reach.
fn unreachable(fabric: &Fabric, spec: &Spec) -> Option<Problem> {
    let mut seen = vec![false; fabric.graph.node_count()];
    let mut waiting = vec![NodeIndex::new(0)];
    seen[0] = true;
    while let Some(node) = waiting.pop() {
        if node.index() != 0 && !fabric.forwards(node) {
            continue;
        }
        for next in fabric.graph.neighbors(node) {
            if !std::mem::replace(&mut seen[next.index()], true) {
                waiting.push(next);
            }
        }
    }
    let chip = seen[..fabric.chips as usize].iter().position(|seen| !seen)?;
    let problem = Problem::new(format!("chip {chip} cannot be reached from chip 0"));
    let place = spec.levels.last()?.place.clone();
    Some(problem.at(place, "the outermost level does not join them").help("add links, or switches that both have links to"))
}
