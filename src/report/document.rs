//! A result for programs: JSON that says what made it and from which files, and its tables.

use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

use super::record_file::RecordFormat;
use super::records::Records;
use super::tables::{DataTable, Lack, tables as schema_tables};
use crate::input::catalog::InputFile;

/// A result with what it was made from.
#[derive(Clone, Debug)]
pub struct Document {
    /// Name of the output.
    pub output: &'static str,
    /// All keys.
    pub json: Json,
    /// A table whose columns follow from the question, such as the designs of a study: its name, and its rows.
    pub rows: Option<(&'static str, Records)>,
}

impl Document {
    /// Puts what every output has around a result.
    #[must_use]
    pub fn new(output: &'static str, result: Json, inputs: &[InputFile]) -> Self {
        let mut keys = Map::new();
        keys.insert("schema".into(), 1.into());
        keys.insert("program".into(), "supernode".into());
        keys.insert("version".into(), env!("CARGO_PKG_VERSION").into());
        keys.insert("output".into(), output.into());
        match result {
            Json::Object(result) => keys.extend(result),
            other => {
                keys.insert("result".into(), other);
            }
        }
        let inputs: Vec<Json> = inputs.iter().map(|file| json!({ "path": file.path, "hash": file.hash })).collect();
        keys.insert("inputs".into(), inputs.into());
        Self { output, json: Json::Object(keys), rows: None }
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:#}\n", self.json)
    }

    /// Its tables, that which is written if none is asked for first.
    #[must_use]
    pub fn tables(&self) -> Vec<(String, Records)> {
        let own = self.rows.iter().map(|(name, rows)| ((*name).to_owned(), rows.clone()));
        let about = |key: &str| (key.to_owned(), self.json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned());
        let schema = schema_tables(self.output, Some(&self.json));
        let mut tables: Vec<(String, Records)> = own
            .chain(schema.iter().filter(|table| table.lack.is_none()).map(|table| {
                let records = Records { about: ["program", "version", "output"].map(about).to_vec(), ..table.records() };
                (table.name.clone(), records)
            }))
            .collect();
        // An option that leaves the usual table out asks for another: not for the summary of the answer.
        if schema.first().is_some_and(|usual| usual.lack.is_some()) {
            tables.sort_by_key(|(name, _)| name == "summary");
        }
        tables
    }

    /// Why there is no table of this name: the option that it takes, or the names of those that are.
    #[must_use]
    pub fn no_table(&self, name: Option<&str>) -> String {
        let in_schema = schema_tables(self.output, Some(&self.json));
        let lack = in_schema.iter().find(|table| name == Some(table.name.as_str())).and_then(|table| table.lack.as_ref());
        lack.map_or_else(
            || format!("no such table; there are {}", self.tables().into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ")),
            Lack::refusal,
        )
    }

    /// Writes one table.
    ///
    /// # Errors
    /// What the writer says; why there is no such table.
    pub fn write_table(&self, name: Option<&str>, format: RecordFormat, out: &mut (impl Write + Send)) -> io::Result<()> {
        let tables = self.tables();
        let found = tables.iter().find(|(known, _)| name.is_none_or(|name| name == known));
        let Some((_, records)) = found else { return Err(io::Error::other(self.no_table(name))) };
        records.write(format, out)
    }
}

/// The tables of an output and their columns, in words; a table is named with the option that it takes unless the command line's `words` have that.
#[must_use]
pub fn tables_text(output: &str, words: &[String]) -> String {
    let table = |table: &DataTable| {
        let option = table.lack.as_ref().map_or_else(String::new, |lack| lack.listed(words));
        let widest = table.columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
        let columns =
            table.columns.iter().map(|column| format!("  {:widest$}  {:7}  {}", column.name, column.kind.name(), column.about).trim_end().to_owned());
        format!("{}{option}\n{}\n", table.name, columns.collect::<Vec<_>>().join("\n"))
    };
    schema_tables(output, None).iter().map(table).collect::<Vec<_>>().join("\n")
}
