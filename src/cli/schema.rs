//! `supernode schema`: JSON Schemas of the files, for editors and other tools.

use serde_json::{Map, Value as Json, json};

use super::Output;
use super::kinds::kinds;
use crate::input::document::Kind;
use crate::input::shape::{resolve, tagged};

/// Print the JSON Schema of a kind of file
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Kind of file
    #[arg(value_parser = kinds(Kind::word), default_value = "supernode")]
    kind: Kind,
}

pub fn run(arguments: &Arguments) -> Output {
    Output::done(format!("{:#}\n", extensible(arguments.kind.schema().clone())))
}

/// Asks for the required keys only where a file does not extend another: what it leaves out stands there.
fn extensible(mut schema: Json) -> Json {
    let complete = demands(&schema, &schema);
    if let Some(defs) = schema.get_mut("$defs").and_then(Json::as_object_mut) {
        // A figure is replaced whole, so it is never left open.
        defs.values_mut().filter(|node| node.get("x-quantity").is_none()).for_each(open);
    }
    open(&mut schema);
    let rule: Map<String, Json> = [("if".to_owned(), json!({ "required": ["extends"] })), ("else".to_owned(), complete)].into_iter().collect();
    if let Some(root) = schema.as_object_mut() {
        root.extend(rule);
    }
    schema
}

/// All that a schema and what it refers to require, as a schema; an empty one where that is nothing.
fn demands(root: &Json, node: &Json) -> Json {
    let node = resolve(root, node);
    let mut found = Map::new();
    if let Some(kinds) = node.get("oneOf").and_then(Json::as_array) {
        let inner: Map<String, Json> =
            tagged(kinds).map(|(name, inner)| (name.to_owned(), demands(root, inner))).filter(|(_, inner)| asks(inner)).collect();
        found.extend((!inner.is_empty()).then(|| ("properties".to_owned(), Json::Object(inner))));
    } else if node.get("x-quantity").is_none() {
        found.extend(node.get("required").map(|required| ("required".to_owned(), required.clone())));
        let properties = node.get("properties").and_then(Json::as_object).into_iter().flatten();
        let inner: Map<String, Json> =
            properties.map(|(name, inner)| (name.clone(), demands(root, inner))).filter(|(_, inner)| asks(inner)).collect();
        found.extend((!inner.is_empty()).then(|| ("properties".to_owned(), Json::Object(inner))));
        for key in ["items", "additionalProperties"] {
            let inner = node.get(key).filter(|inner| inner.is_object()).map(|inner| demands(root, inner)).filter(asks);
            found.extend(inner.map(|inner| (key.to_owned(), inner)));
        }
    }
    Json::Object(found)
}

fn asks(demands: &Json) -> bool {
    demands.as_object().is_some_and(|demands| !demands.is_empty())
}

/// Takes out what a schema requires, down to where it refers to others; the tag of a choice stays, it says which one is meant.
fn open(node: &mut Json) {
    if let Some(kinds) = node.get_mut("oneOf").and_then(Json::as_array_mut) {
        let inner = kinds.iter_mut().filter_map(|kind| kind.get_mut("properties").and_then(Json::as_object_mut));
        inner.flat_map(Map::values_mut).for_each(open);
        return;
    }
    if let Some(table) = node.as_object_mut() {
        table.shift_remove("required");
        table.get_mut("properties").and_then(Json::as_object_mut).into_iter().flat_map(Map::values_mut).for_each(open);
        ["items", "additionalProperties"].iter().for_each(|key| table.get_mut(*key).into_iter().for_each(open));
    }
}
