//! What `describe --format json --full` writes.

use serde_json::Value as Json;

use super::{DESCRIPTION_KEY, ForeignEdge, ForeignGraph, ForeignKind, ForeignLink, ForeignNode};

/// Reads the graph.
///
/// # Errors
/// What is wrong, in one line.
pub(super) fn graph(value: &Json) -> Result<ForeignGraph, String> {
    let text = |value: &Json, key: &str| value.get(key).and_then(Json::as_str).map(str::to_owned);
    let mut graph = ForeignGraph {
        name: text(value, "supernode").unwrap_or_default(),
        format: "the JSON of `describe --full`",
        description: text(value, DESCRIPTION_KEY),
        ..ForeignGraph::default()
    };
    let list = |key: &str| value.get(key).and_then(Json::as_array).ok_or_else(|| format!("`{key}` is not a list"));
    let mut place = std::collections::BTreeMap::new();
    for (number, node) in list("nodes")?.iter().enumerate() {
        let name = text(node, "name").ok_or_else(|| format!("node {number} has no `name`"))?;
        let component = text(node, "part").ok_or_else(|| format!("node {number} has no `part`"))?;
        let kind = kind(&text(node, "kind").unwrap_or_default());
        place.insert(name.clone(), u32::try_from(number).unwrap_or(u32::MAX));
        graph.nodes.push(ForeignNode { name, component, kind });
    }
    for (number, edge) in list("edges")?.iter().enumerate() {
        let end = |key: &str| {
            let name = text(edge, key).unwrap_or_default();
            place.get(&name).copied().ok_or_else(|| format!("edge {number}: `{key}` names no node: `{name}`"))
        };
        let ends = [end("from")?, end("to")?];
        let number = |key: &str| edge.get(key).and_then(Json::as_f64).filter(|value| *value > 0.0);
        let name = text(edge, "part").unwrap_or_default();
        let link = graph.link(ForeignLink { name, about: None, bytes_per_s: number("bandwidth_bytes_per_s"), latency_s: number("latency_s") });
        let count = edge.get("count").and_then(Json::as_u64).and_then(|count| u32::try_from(count).ok());
        graph.edges.push(ForeignEdge { ends, link, count });
    }
    Ok(graph)
}

/// By the word that `describe --full` writes.
pub(super) fn kind(word: &str) -> ForeignKind {
    match word {
        "chip" => ForeignKind::Chip,
        "switch" => ForeignKind::Switch,
        "cpu" => ForeignKind::Host,
        "nic" => ForeignKind::Card,
        _ => ForeignKind::Other,
    }
}
