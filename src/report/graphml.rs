//! A fabric as GraphML: what networkx, Gephi and yEd read. Parallel links are one edge with a count.

use std::fmt::Write as _;

use super::fabric_export::FabricExport;
use crate::input::foreign_graph::DESCRIPTION_KEY;

/// Attribute, what it belongs to, its type.
const KEYS: [(&str, &str, &str); 17] = [
    ("supernode", "graph", "string"),
    (DESCRIPTION_KEY, "graph", "string"),
    ("kind", "node", "string"),
    ("part", "node", "string"),
    ("level", "node", "string"),
    ("plane", "node", "int"),
    ("forwards", "node", "boolean"),
    ("first_chip", "node", "int"),
    ("chips", "node", "int"),
    ("part", "edge", "string"),
    ("count", "edge", "int"),
    ("level", "edge", "string"),
    ("plane", "edge", "int"),
    ("medium", "edge", "string"),
    ("bandwidth_bytes_per_s", "edge", "double"),
    ("total_bandwidth_bytes_per_s", "edge", "double"),
    ("latency_s", "edge", "double"),
];

/// Text between tags and in attributes; control characters that XML has no place for are left out.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(character),
            control if control.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

fn data(out: &mut String, owner: &str, name: &str, value: &str) {
    if let Some(key) = KEYS.iter().position(|key| key.0 == name && key.1 == owner) {
        let _ = writeln!(out, "<data key=\"d{key}\">{}</data>", escaped(value));
    }
}

/// Writes the graph.
pub(super) fn write(export: &FabricExport) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n");
    for (number, (name, owner, kind)) in KEYS.iter().enumerate() {
        let _ = writeln!(out, "<key id=\"d{number}\" for=\"{owner}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>");
    }
    out.push_str("<graph edgedefault=\"undirected\">\n");
    data(&mut out, "graph", "supernode", &export.supernode);
    data(&mut out, "graph", DESCRIPTION_KEY, &export.description);
    for node in &export.nodes {
        let _ = writeln!(out, "<node id=\"{}\">", escaped(&node.name));
        let numbers = [("plane", u32::from(node.plane)), ("first_chip", node.first_chip), ("chips", node.chips)];
        for (name, value) in
            [("kind", node.kind), ("part", &node.part), ("level", &node.level), ("forwards", if node.forwards { "true" } else { "false" })]
        {
            data(&mut out, "node", name, value);
        }
        for (name, value) in numbers {
            data(&mut out, "node", name, &value.to_string());
        }
        out.push_str("</node>\n");
    }
    for edge in &export.edges {
        let [from, to] = edge.ends.map(|end| escaped(&export.nodes[end].name));
        let _ = writeln!(out, "<edge source=\"{from}\" target=\"{to}\">");
        for (name, value) in [("part", edge.part.as_str()), ("level", &edge.level), ("medium", edge.medium)] {
            data(&mut out, "edge", name, value);
        }
        let total = edge.bandwidth * f64::from(edge.count);
        let numbers =
            [("bandwidth_bytes_per_s", edge.bandwidth.get()), ("total_bandwidth_bytes_per_s", total.get()), ("latency_s", edge.latency.get())];
        for (name, value) in [("count", edge.count), ("plane", u32::from(edge.plane))] {
            data(&mut out, "edge", name, &value.to_string());
        }
        for (name, value) in numbers {
            data(&mut out, "edge", name, &format!("{value:?}"));
        }
        out.push_str("</edge>\n");
    }
    out.push_str("</graph>\n</graphml>\n");
    out
}
