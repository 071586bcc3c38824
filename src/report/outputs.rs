//! The JSON Schemas of all outputs, as they stand in `schema/output/`. They say which keys a result has, of which type, and which tables it holds.
//!
//! Beside JSON Schema's own words they use, for tables:
//!
//! - `x-table` on a list, a map or an object: its entries (or the object itself) are rows of that table; at the root, the summary.
//! - `x-key` on a figure: tables further in repeat it as a column.
//! - `x-name`, `x-index`: column for the key, or the number, of an entry; tables further in repeat it.
//! - `x-value`: column for entries that are plain figures. `x-beside`: columns taken from another list of the result at the same number.
//! - `x-columns` on a list of fixed length: its entries are columns with these names, behind that of the list.
//! - `x-column` with `false`: no column, since another table has it with `x-beside`.
//! - `x-option`: the option without which the result lacks this key, and so the tables in it; `x-unless`: the option with which.
//! - `x-left-out`: why an answer leaves a table out, whose key is then null.
//! - `x-default-table` at the root: what is written where no table is asked for.

use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use serde_json::Value as Json;

static OUTPUTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/schema/output");

/// All outputs with their schemas, by name.
pub fn outputs() -> &'static [(String, Json)] {
    static READ: OnceLock<Vec<(String, Json)>> = OnceLock::new();
    READ.get_or_init(|| {
        let schema = |file: &include_dir::File<'_>| {
            let name = file.path().file_stem()?.to_str()?.to_owned();
            Some((name, serde_json::from_str(file.contents_utf8()?).ok()?))
        };
        let mut all: Vec<(String, Json)> = OUTPUTS.files().filter_map(schema).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    })
}

/// The schema of one output.
#[must_use]
pub fn output_schema(output: &str) -> Option<&'static Json> {
    outputs().iter().find(|(name, _)| name == output).map(|(_, schema)| schema)
}
