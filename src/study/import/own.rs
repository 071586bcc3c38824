//! Files that `describe --full` wrote: the description in them is the machine, if the graph is still what it expands to.

use std::collections::BTreeMap;

use super::{Imported, read_back};
use crate::fabric::{Fabric, build, channel_latency, node_names, payload_rate};
use crate::input::foreign_graph::ForeignGraph;
use crate::input::problem::{Problem, Problems};
use crate::network::LONG_MESSAGE;
use crate::units::{BytesPerSecond, Seconds, render};

/// Rates and times that differ by less, over what is described, differ by the rounding of a format.
const SAME: f64 = 1e-9;

/// Takes the description, once it is the graph's.
pub(super) fn import(graph: &ForeignGraph, description: &str) -> Result<Imported, Problems> {
    let spec = read_back(description)?;
    let fabric = build(&spec)?;
    if let Some(difference) = difference(graph, &fabric) {
        let problem = Problem::new(format!("the graph is not what its own description expands to: {difference}"));
        return Err(problem.help("it was edited; --graph-alone takes the graph and leaves the description").into());
    }
    let notes = vec![format!("{} nodes and {} links are those of the description in the file", graph.nodes.len(), graph.edges.len())];
    Ok(Imported { toml: description.to_owned(), spec, structure: "as described".to_owned(), conflicts: Vec::new(), notes })
}

/// The first way in which a graph is not a fabric.
fn difference(graph: &ForeignGraph, fabric: &Fabric) -> Option<String> {
    let names = node_names(fabric);
    if graph.nodes.len() != names.len() {
        return Some(format!("{} nodes where {} are described", graph.nodes.len(), names.len()));
    }
    let mut found: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
    for edge in &graph.edges {
        let [a, b] = edge.ends.map(|end| graph.nodes[end as usize].name.as_str());
        *found.entry((a.min(b), a.max(b), &graph.links[edge.link as usize].name)).or_default() += edge.count.unwrap_or(1);
    }
    let mut expected: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
    for edge in fabric.graph.raw_edges() {
        let [a, b] = [edge.source(), edge.target()].map(|node| names[node.index()].as_str());
        *expected.entry((a.min(b), a.max(b), &fabric.links[edge.weight.link as usize].id)).or_default() += edge.weight.count;
    }
    let words =
        |(a, b, link): (&str, &str, &str), count: Option<&u32>| format!("{} links `{link}` between `{a}` and `{b}`", count.copied().unwrap_or(0));
    let lacking = expected.iter().find(|(key, count)| found.get(*key) != Some(count)).map(|(key, count)| (*key, Some(count)));
    let differs = lacking.or_else(|| found.keys().find(|key| !expected.contains_key(*key)).map(|key| (*key, None)));
    if let Some((key, count)) = differs {
        return Some(format!("{} where {} are described", words(key, found.get(&key)), count.copied().unwrap_or(0)));
    }
    other_rate(graph, fabric)
}

/// The first kind of link of which a graph states another rate or latency than its part has.
fn other_rate(graph: &ForeignGraph, fabric: &Fabric) -> Option<String> {
    let differs = |stated: &f64, described: f64| (stated - described).abs() > SAME * described;
    graph.links.iter().find_map(|link| {
        // A part may stand at several levels, of which one has a share of it.
        let parts = || fabric.links.iter().filter(|part| part.id == link.name);
        let (rates, latencies) = (|| parts().map(|part| payload_rate(part, LONG_MESSAGE)), || parts().map(|part| channel_latency(&part.link)));
        if let Some(stated) = link.bytes_per_s.filter(|stated| rates().all(|rate| differs(stated, rate.get()))) {
            return Some(format!("`{}` carries {} where {} are described", link.name, render(BytesPerSecond::new(stated)), render(rates().next()?)));
        }
        let stated = link.latency_s.filter(|stated| latencies().all(|latency| differs(stated, latency.get())))?;
        Some(format!("`{}` takes {} where {} are described", link.name, render(Seconds::new(stated)), render(latencies().next()?)))
    })
}
