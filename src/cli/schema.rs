//! `supernode schema`: JSON Schemas of the files, for editors and other tools.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use serde_json::{Map, Value as Json, json};

use super::kinds::kinds;
use super::output_file::write_file;
use super::{CommandResult, Output, bad_option};
use crate::input::document::Kind;
use crate::input::problem::Problems;
use crate::input::shape::{resolve, tagged};
use crate::report::{output_schema, outputs};

/// Print the JSON Schema of a kind of file, or of a command's JSON
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Kind of file
    #[arg(value_parser = kinds(Kind::word), default_value = "supernode")]
    kind: Kind,

    /// Print the schema of this output instead: the `output` that JSON names
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "all"], value_parser = PossibleValuesParser::new(outputs().iter().map(|(name, _)| name.as_str())))]
    output: Option<String>,

    /// Write all of them into this folder: KIND.json, and output/NAME.json
    #[arg(long, value_name = "FOLDER", conflicts_with = "kind")]
    all: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> CommandResult {
    if let Some(folder) = &arguments.all {
        return write_all(folder).map(Output::done);
    }
    let schema = arguments.output.as_deref().and_then(output_schema).cloned();
    Ok(Output::done(text(&schema.unwrap_or_else(|| of_kind(arguments.kind)))))
}

fn text(schema: &Json) -> String {
    format!("{schema:#}\n")
}

/// The schema of a kind of file as `schema KIND` prints it.
pub(super) fn schema_text(kind: Kind) -> String {
    text(&of_kind(kind))
}

/// The schema of a kind of file, with what names it.
fn of_kind(kind: Kind) -> Json {
    let word = kind.word();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("$id".to_owned(), format!("urn:supernode:schema:1:{word}").into());
    if let Json::Object(rest) = extensible(kind.schema().clone()) {
        schema.extend(rest);
    }
    Json::Object(schema)
}

/// Writes every schema, and says how a file refers to its own.
fn write_all(folder: &Path) -> Result<String, Problems> {
    let kinds = Kind::ALL.map(|kind| (folder.join(format!("{}.json", kind.word())), of_kind(kind)));
    let outputs = outputs().iter().map(|(name, schema)| (folder.join("output").join(format!("{name}.json")), schema.clone()));
    let all: Vec<(PathBuf, Json)> = kinds.into_iter().chain(outputs).collect();
    let written = std::fs::create_dir_all(folder.join("output"));
    let written = written.and_then(|()| all.iter().try_for_each(|(path, schema)| write_file(path, text(schema))));
    written.map_err(|error| bad_option("--all", format!("cannot write into `{}`: {error}", folder.display())))?;
    let shown = folder.display();
    let here = if folder.is_absolute() { "" } else { "./" };
    Ok(format!("{} schemas in `{shown}`; a file beside that folder begins with `#:schema {here}{shown}/chip.json`\n", all.len()))
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
        let asked = ["required", "anyOf"].into_iter().filter(|key| *key == "required" || node.get("anyOf").is_some_and(only_requires));
        found.extend(asked.filter_map(|key| Some((key.to_owned(), node.get(key)?.clone()))));
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

/// Whether alternatives say which keys are needed and nothing else.
fn only_requires(alternatives: &Json) -> bool {
    alternatives.as_array().is_some_and(|all| all.iter().all(|one| one.as_object().is_some_and(|keys| keys.keys().eq(["required"]))))
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
        if table.get("anyOf").is_some_and(only_requires) {
            table.shift_remove("anyOf");
        }
        table.get_mut("properties").and_then(Json::as_object_mut).into_iter().flat_map(Map::values_mut).for_each(open);
        ["items", "additionalProperties"].iter().for_each(|key| table.get_mut(*key).into_iter().for_each(open));
    }
}
