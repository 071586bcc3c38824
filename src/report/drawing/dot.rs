//! Graphviz: every node and edge of a small machine, nested by level; of a large one a node for each kind, level and plane.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::colour;
use crate::fabric::{Endpoint, Fabric, Node};
use crate::input::spec::Spec;

/// Machines with more nodes are drawn by kinds.
const MOST_NODES: usize = 100;

pub fn draw(spec: &Spec, fabric: &Fabric) -> String {
    let mut out = format!(
        "graph \"{}\" {{\n  rankdir = BT;\n  compound = true;\n  node [shape = box, style = filled, fillcolor = white];\n",
        quoted(&spec.name)
    );
    if fabric.graph.node_count() <= MOST_NODES {
        let outermost = fabric.level_names.len() - 1;
        group(&mut out, fabric, outermost, 0, fabric.chips, 1);
        for edge in fabric.graph.raw_edges() {
            let (from, to) = (edge.source().index(), edge.target().index());
            let label = if edge.weight.count > 1 { format!(", label = \"x{}\"", edge.weight.count) } else { String::new() };
            let _ = writeln!(out, "  n{from} -- n{to} [color = \"{}\"{label}];", colour(usize::from(edge.weight.plane)));
        }
    } else {
        by_kind(&mut out, fabric);
    }
    out += "}\n";
    out
}

/// One group of a level with all that stands in it.
fn group(out: &mut String, fabric: &Fabric, level: usize, first: u32, chips: u32, depth: usize) {
    let pad = "  ".repeat(depth);
    let name = quoted(&fabric.level_names[level]);
    let _ = writeln!(out, "{pad}subgraph cluster_{level}_{first} {{\n{pad}  label = \"{name} {}\";", first / chips);
    for (index, node) in fabric.graph.raw_nodes().iter().enumerate() {
        let node = &node.weight;
        let inside = node.first_chip >= first && node.first_chip + node.chips <= first + chips;
        if inside && usize::from(node.level) == level {
            let plane = if matches!(node.endpoint, Endpoint::Switch(_)) { format!("\\nplane {}", node.plane) } else { String::new() };
            let number = if node.endpoint == Endpoint::Chip { format!("chip {index}") } else { quoted(part(fabric, node)) };
            let _ = writeln!(out, "{pad}  n{index} [label = \"{number}{plane}\"];");
        }
    }
    if level > 0 {
        let below = chips / fabric.level_sizes[level];
        for child in 0..fabric.level_sizes[level] {
            group(out, fabric, level - 1, first + child * below, below, depth + 1);
        }
    }
    let _ = writeln!(out, "{pad}}}");
}

/// Level, kind, plane and group size: what makes two nodes look alike in a drawing.
type NodeLook = (u8, String, u16, u32);

fn by_kind(out: &mut String, fabric: &Fabric) {
    let planes = fabric.graph.node_weights().map(|node| node.plane).max().unwrap_or(0);
    let kind = |node: &Node| -> NodeLook {
        let plane = if usize::from(planes) < super::COLOURS.len() { node.plane } else { 0 };
        (node.level, part(fabric, node).to_owned(), plane, node.chips)
    };
    let mut kinds: BTreeMap<NodeLook, u64> = BTreeMap::new();
    for node in fabric.graph.node_weights() {
        *kinds.entry(kind(node)).or_default() += 1;
    }
    let number: BTreeMap<&NodeLook, usize> = kinds.keys().enumerate().map(|(index, kind)| (kind, index)).collect();
    for (level, name) in fabric.level_names.iter().enumerate() {
        let _ = writeln!(out, "  subgraph cluster_{level} {{\n    label = \"{}: {} children a group\";", quoted(name), fabric.level_sizes[level]);
        for (index, (kind, count)) in kinds.iter().enumerate().filter(|(_, (kind, _))| usize::from(kind.0) == level) {
            let (_, part, plane, _) = kind;
            let in_planes = kinds.keys().any(|other| other.0 == kind.0 && other.1 == *part && other.2 > 0);
            let plane = if in_planes { format!("\\nplane {plane}") } else { String::new() };
            let _ = writeln!(out, "    k{index} [label = \"{count} x {}{plane}\"];", quoted(part));
        }
        out.push_str("  }\n");
    }
    let mut links: BTreeMap<(usize, usize, u16), u64> = BTreeMap::new();
    for edge in fabric.graph.raw_edges() {
        let ends = [edge.source(), edge.target()].map(|node| number.get(&kind(&fabric.graph[node])).copied().unwrap_or(0));
        *links.entry((ends[0], ends[1], edge.weight.link)).or_default() += u64::from(edge.weight.count);
    }
    for ((from, to, link), count) in links {
        let _ = writeln!(out, "  k{from} -- k{to} [label = \"{count} x {}\"];", quoted(&fabric.links[link as usize].id));
    }
}

/// As text inside a quoted string of Graphviz.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn part<'a>(fabric: &'a Fabric, node: &Node) -> &'a str {
    match node.endpoint {
        Endpoint::Chip => &fabric.chip.name,
        Endpoint::Switch(part) => &fabric.switches[part as usize].id,
        Endpoint::Cpu(part) => &fabric.cpus[part as usize].0,
        Endpoint::Nic(part) => &fabric.nics[part as usize].0,
        Endpoint::Memory(part) => &fabric.memories[part as usize].0,
    }
}
