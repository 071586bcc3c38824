//! The JSON forms: messages of the schema as protobuf prints them (`jsonizer`), one after the other or in a list, and the `workload_graph` of
//! the feeder with its own names.

use serde_json::{Map, Value as Json};

use super::{AttributeValue, NodeKind, TraceNode};

/// Reads the nodes of a text; `None` if it is JSON but no trace, such as a file of groups.
///
/// # Errors
/// What is wrong, in one line.
pub(super) fn nodes(text: &str) -> Result<Option<Vec<TraceNode>>, String> {
    let values = serde_json::Deserializer::from_str(text)
        .into_iter::<Json>()
        .collect::<Result<Vec<Json>, _>>()
        .map_err(|error| format!("this is not JSON: {error}"))?;
    let list = match &values[..] {
        [] => return Err("the file is empty".to_owned()),
        [Json::Object(object)] => match ["workload_graph", "nodes", "node"].iter().find_map(|key| object.get(*key)) {
            Some(Json::Array(list)) => list.iter().collect::<Vec<_>>(),
            Some(_) => return Err("the nodes are not a list".to_owned()),
            None if key(object, KIND).is_some() => vec![&values[0]],
            None => return Ok(None),
        },
        [Json::Array(list)] => list.iter().collect(),
        several => several.iter().collect(),
    };
    // Between messages stands the metadata, which has no kind.
    let node = |(number, value): (usize, &Json)| match value {
        Json::Object(object) if number == 0 && key(object, KIND).is_none() && key(object, ID).is_none() => None,
        Json::Object(object) => Some(node(object).map_err(|reason| format!("node {number} of the file: {reason}"))),
        _ => Some(Err(format!("node {number} of the file is not an object"))),
    };
    list.into_iter().enumerate().filter_map(node).collect::<Result<Vec<_>, _>>().map(Some)
}

const ID: &[&str] = &["id", "Id"];
const KIND: &[&str] = &["type", "NodeType", "node_type", "nodeType"];
const DURATION: &[&str] = &["duration_micros", "durationMicros", "runtime"];

fn key<'a>(object: &'a Map<String, Json>, names: &[&str]) -> Option<&'a Json> {
    names.iter().find_map(|name| object.get(*name))
}

/// Protobuf prints numbers of 64 bits as text.
fn whole(value: &Json) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn node(object: &Map<String, Json>) -> Result<TraceNode, String> {
    let mut node = TraceNode {
        // Protobuf leaves out what is zero.
        id: key(object, ID).map_or(Some(0), whole).ok_or("`id` is not a whole number")?,
        name: key(object, &["name", "Name"]).and_then(Json::as_str).unwrap_or_default().to_owned(),
        ..TraceNode::default()
    };
    node.kind = match key(object, KIND) {
        Some(kind) => {
            let known = kind.as_str().map_or_else(|| whole(kind).and_then(NodeKind::numbered), NodeKind::named);
            known.ok_or_else(|| format!("`type` {kind} of node {} is no kind of node", node.id))?
        }
        None => {
            return Err(format!(
                "node {} has no `type`: this is the trace of PyTorch itself; `chakra_converter` makes a Chakra trace of it",
                node.id
            ));
        }
    };
    for names in [["ctrl_deps", "ctrlDeps"], ["data_deps", "dataDeps"]] {
        let listed = match key(object, &names) {
            None => Vec::new(),
            Some(Json::Array(list)) => list
                .iter()
                .map(whole)
                .collect::<Option<Vec<u64>>>()
                .ok_or_else(|| format!("`{}` of node {} is not a list of numbers", names[0], node.id))?,
            Some(one) => vec![whole(one).ok_or_else(|| format!("`{}` of node {} is not a list of numbers", names[0], node.id))?],
        };
        if names[0] == "ctrl_deps" { &mut node.after_control } else { &mut node.after }.extend(listed);
    }
    if let Some(duration) = key(object, DURATION) {
        node.duration_us =
            Some(whole(duration).ok_or_else(|| format!("`{}` of node {} is not a whole number of microseconds", DURATION[0], node.id))?);
    }
    match key(object, &["attr", "attrs"]) {
        None => {}
        Some(Json::Array(list)) => {
            for attribute in list.iter().filter_map(Json::as_object) {
                let name = attribute.get("name").and_then(Json::as_str).unwrap_or_default();
                let value = attribute.iter().find(|(key, _)| *key == "value" || key.ends_with("_val") || key.ends_with("Val"));
                node.set(name, &value.map_or(AttributeValue::Else, |(_, value)| of(value)))?;
            }
        }
        Some(_) => return Err(format!("`attr` of node {} is not a list", node.id)),
    }
    // The feeder's own form has the attributes beside the rest.
    for name in ["is_cpu_op", "comm_type", "comm_size", "pg_name", "comm_src", "comm_dst", "comm_tag", "num_ops", "tensor_size", "tid"] {
        if let Some(value) = object.get(name) {
            node.set(name, &of(value))?;
        }
    }
    Ok(node)
}

fn of(value: &Json) -> AttributeValue {
    match value {
        Json::Bool(flag) => AttributeValue::Whole(i128::from(*flag)),
        Json::String(text) => AttributeValue::Text(text.clone()),
        Json::Number(number) => {
            number.as_i128().map_or_else(|| number.as_f64().map_or(AttributeValue::Else, AttributeValue::Real), AttributeValue::Whole)
        }
        Json::Null | Json::Array(_) | Json::Object(_) => AttributeValue::Else,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_protobuf_prints_them() {
        let text = r#"{"version": "0.0.4"}
            {"id": "3", "name": "all", "type": "COMM_COLL_NODE", "dataDeps": ["1", "2"], "durationMicros": "5",
             "attr": [{"name": "comm_type", "int64Val": "0"}, {"name": "comm_size", "int64Val": "64"}, {"name": "is_cpu_op", "boolVal": false}]}"#;
        let read = nodes(text).unwrap().unwrap();
        assert_eq!(
            (read[0].id, &read[0].after, read[0].duration_us, read[0].bytes, read[0].on_host),
            (3, &vec![1, 2], Some(5), Some(64), Some(false))
        );
    }

    #[test]
    fn the_graph_of_the_feeder() {
        let text =
            r#"{"workload_graph": [{"Id": 9, "Name": "b", "NodeType": 4, "ctrlDeps": [3], "data_deps": [], "runtime": 318, "is_cpu_op": true}]}"#;
        let read = nodes(text).unwrap().unwrap();
        assert_eq!(
            (read[0].id, read[0].kind, &read[0].after_control, read[0].duration_us, read[0].on_host),
            (9, NodeKind::Compute, &vec![3], Some(318), Some(true))
        );
    }

    #[test]
    fn what_is_no_trace() {
        assert_eq!(nodes(r#"{"1": [0, 1]}"#), Ok(None));
        assert!(nodes("{").unwrap_err().contains("this is not JSON"));
        assert!(nodes(r#"{"nodes": [{"id": 2, "name": "x", "ctrl_deps": 1}]}"#).unwrap_err().contains("chakra_converter"));
        assert!(nodes(r#"{"nodes": [{"id": 2, "type": 4, "data_deps": ["x"]}]}"#).unwrap_err().contains("`data_deps` of node 2"));
        assert_eq!(nodes(r#"{"nodes": [{"id": 2, "type": 99}]}"#).unwrap_err(), "node 0 of the file: `type` 99 of node 2 is no kind of node");
        assert_eq!(
            nodes(r#"{"nodes": [{"id": 2, "type": "COMP"}]}"#).unwrap_err(),
            "node 0 of the file: `type` \"COMP\" of node 2 is no kind of node"
        );
        assert!(nodes(r#"{"nodes": 3}"#).unwrap_err().contains("not a list"));
    }
}
