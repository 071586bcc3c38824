//! A fabric as InfraGraph 3.1 (Keysight), JSON: one device whose components are the parts, one instance of it, and edges of the instance (the
//! package expands a device's own edges once for every component). An edge there has no number of
//! parallel links, so that links of each number are a kind of their own, with the bandwidth of all of them; what InfraGraph has no key for stands
//! in descriptions as `key=value`.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::fabric_export::{EdgeRow, FabricExport, NodeRow};
use crate::input::foreign_graph::DESCRIPTION_KEY;

/// Characters that the schema allows in names, of which endpoints need brackets and the service colons for themselves.
fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_ascii_alphanumeric() || matches!(character, '_' | '-') { character } else { '-' }).collect()
}

/// A name for each different thing, made unique where cleaning makes two alike.
#[derive(Default)]
struct UniqueNames(BTreeMap<String, String>);

impl UniqueNames {
    fn of(&mut self, thing: &str) -> String {
        if let Some(known) = self.0.get(thing) {
            return known.clone();
        }
        let base = clean(thing);
        let is_taken = |name: &String| self.0.values().any(|known| known == name);
        let numbered = (2..=self.0.len() + 2).map(|number| format!("{base}_{number}"));
        let name = std::iter::once(base.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or(base);
        self.0.insert(thing.to_owned(), name.clone());
        name
    }
}

/// Nodes of one part, level and plane.
struct Component<'a> {
    name: String,
    node: &'a NodeRow,
    /// Their numbers among all nodes of the part, as other commands name them.
    numbers: Vec<&'a str>,
}

impl Component<'_> {
    fn json(&self) -> Json {
        let NodeRow { part, plane, level, kind, .. } = self.node;
        // Nodes are named after their part, chips alone by another word.
        let named = if *kind == "chip" { "named=chip " } else { "" };
        let description = format!("part={part} {named}nodes={} plane={plane} level={level}", self.numbers.join(","));
        json!({ "name": self.name, "choice": choice(kind), "description": description, "count": self.numbers.len() })
    }
}

fn choice(kind: &str) -> &str {
    match kind {
        "chip" => "xpu",
        other => other,
    }
}

fn link_name(edge: &EdgeRow) -> String {
    format!("{}_x{}_{}_p{}", edge.part, edge.count, edge.level, edge.plane)
}

/// Writes the description.
pub(super) fn write(export: &FabricExport) -> String {
    let mut names = UniqueNames::default();
    let mut components: Vec<Component<'_>> = Vec::new();
    let mut place: BTreeMap<String, usize> = BTreeMap::new();
    let mut ends: Vec<String> = Vec::with_capacity(export.nodes.len());
    for node in &export.nodes {
        let key = if node.kind == "chip" { "chip".to_owned() } else { format!("{}_{}_p{}", node.part, node.level, node.plane) };
        let at = *place.entry(key.clone()).or_insert_with(|| {
            components.push(Component { name: names.of(&key), node, numbers: Vec::new() });
            components.len() - 1
        });
        let component = &mut components[at];
        ends.push(format!("{}[{}]", component.name, component.numbers.len()));
        component.numbers.push(node.name.rsplit(':').next().unwrap_or_default());
    }
    let components: Vec<Json> = components.iter().map(Component::json).collect();
    let instance = clean(&export.supernode);
    let mut links: BTreeMap<String, Json> = BTreeMap::new();
    let mut link_names = UniqueNames::default();
    let mut edges = Vec::with_capacity(export.edges.len());
    for edge in &export.edges {
        let name = link_names.of(&link_name(edge));
        links.entry(name.clone()).or_insert_with(|| {
            let bandwidth = edge.bandwidth.get() * f64::from(edge.count) / 1e9;
            json!({
                "name": name,
                "description": format!("part={} count={} plane={} medium={} level={}", edge.part, edge.count, edge.plane, edge.medium, edge.level),
                "physical": {
                    "bandwidth": { "choice": "gigabytes_per_second", "gigabytes_per_second": bandwidth },
                    "latency": { "choice": "ns", "ns": edge.latency.get() * 1e9 },
                },
            })
        });
        let [first, second] = edge.ends.map(|end| json!({ "instance": format!("{instance}[0]"), "component": ends[end] }));
        edges.push(json!({ "ep1": first, "ep2": second, "scheme": "one2one", "link": name }));
    }
    let name = instance;
    let description = json!({ "supernode": export.supernode, DESCRIPTION_KEY: export.description }).to_string();
    let device = json!({ "name": name, "description": export.supernode, "components": components, "links": [], "edges": [] });
    let infrastructure = json!({
        "name": name, "description": description, "devices": [device], "links": links.into_values().collect::<Vec<_>>(),
        "instances": [{ "name": name, "device": name, "count": 1 }], "edges": edges,
    });
    let mut text = serde_json::to_string_pretty(&infrastructure).unwrap_or_default();
    text.push('\n');
    text
}
