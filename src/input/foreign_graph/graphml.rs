//! GraphML with the attributes that `describe --format graphml` writes.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::own_json::kind;
use super::{DESCRIPTION_KEY, ForeignEdge, ForeignGraph, ForeignLink, ForeignNode};

/// Reads the graph.
///
/// # Errors
/// What is wrong, in one line.
pub(super) fn graph(root: Node<'_, '_>) -> Result<ForeignGraph, String> {
    // Name of each key: <key id="d0" attr.name="part"/>.
    let keys: BTreeMap<&str, &str> =
        root.children().filter(|node| node.has_tag_name("key")).filter_map(|key| Some((key.attribute("id")?, key.attribute("attr.name")?))).collect();
    let data = |node: Node<'_, '_>| -> BTreeMap<String, String> {
        let entries = node.children().filter(|child| child.has_tag_name("data"));
        entries.filter_map(|entry| Some(((*keys.get(entry.attribute("key")?)?).to_owned(), entry.text().unwrap_or_default().to_owned()))).collect()
    };
    let of_graph = root.children().find(|node| node.has_tag_name("graph")).ok_or("it holds no <graph>")?;
    let about = data(of_graph);
    let name = about.get("supernode").cloned().or_else(|| of_graph.attribute("id").map(str::to_owned)).unwrap_or_default();
    let mut graph = ForeignGraph { name, format: "GraphML", description: about.get(DESCRIPTION_KEY).cloned(), ..ForeignGraph::default() };
    let mut places: BTreeMap<String, u32> = BTreeMap::new();
    for node in of_graph.children().filter(|node| node.has_tag_name("node")) {
        let name = node.attribute("id").ok_or("a <node> has no `id`")?.to_owned();
        let about = data(node);
        let missing = |key: &str| format!("node `{name}` has no `{key}`: only GraphML with the attributes of `describe --format graphml` is read");
        let component = about.get("part").cloned().ok_or_else(|| missing("part"))?;
        let kind = kind(about.get("kind").ok_or_else(|| missing("kind"))?);
        places.insert(name.clone(), u32::try_from(graph.nodes.len()).unwrap_or(u32::MAX));
        graph.nodes.push(ForeignNode { name, component, kind });
    }
    for edge in of_graph.children().filter(|node| node.has_tag_name("edge")) {
        let end = |key: &str| {
            let name = edge.attribute(key).unwrap_or_default();
            places.get(name).copied().ok_or_else(|| format!("an <edge> names no node in `{key}`: `{name}`"))
        };
        let ends = [end("source")?, end("target")?];
        let about = data(edge);
        let number = |key: &str| about.get(key).and_then(|text| text.parse::<f64>().ok()).filter(|value| *value > 0.0);
        let name = about.get("part").cloned().unwrap_or_default();
        let link = graph.link(ForeignLink { name, about: None, bytes_per_s: number("bandwidth_bytes_per_s"), latency_s: number("latency_s") });
        let count = about.get("count").and_then(|count| count.parse().ok());
        graph.edges.push(ForeignEdge { ends, link, count });
    }
    Ok(graph)
}
