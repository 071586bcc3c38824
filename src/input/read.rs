//! Text to document: syntax, then shape, then types; all problems of the first step that finds any.

use std::sync::Arc;

use schemars::generate::SchemaSettings;
use toml::de::DeTable;

use super::document::{FileKind, Sources};
use super::problem::{Place, Problem, Problems, Source};
use super::shape;

/// The JSON Schema of a file kind.
#[must_use]
pub fn schema<K: FileKind>() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<K>().to_value()
}

/// Reads a file of kind `K`.
///
/// # Errors
/// Every syntax error; or else every unknown key, missing key, wrong type and bad quantity.
pub fn read<K: FileKind>(source: &Arc<Source>) -> Result<(K::Content, Sources), Problems> {
    let place = |span| Place { source: Arc::clone(source), span };
    if source.text.trim().is_empty() {
        return Err(Problem::new(format!("`{}` is empty", source.name)).help(format!("expected a [{}] table", K::KIND)).into());
    }
    let (table, syntax_errors) = DeTable::parse_recoverable(&source.text);
    let problems = syntax_errors
        .iter()
        .map(|error| {
            let message = error.message().lines().next().unwrap_or("not TOML");
            Problem::new("this is not valid TOML").at(place(error.span().unwrap_or(0..0)), message)
        })
        .collect();
    Problems::check(problems, ())?;
    Problems::check(shape::check(source, &table, &schema::<K>()), ())?;
    toml::from_str::<K>(&source.text).map(K::content).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        Problem::new(format!("this is not a valid {} file", K::KIND)).at(place(span), error.message().to_owned()).into()
    })
}
