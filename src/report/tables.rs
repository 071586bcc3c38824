//! The tables of an output: its JSON, flattened as its schema says. Figures are raw SI numbers, absent ones are null, and a column has
//! one type whatever its rows hold.

use serde_json::Value as Json;

use super::outputs::output_schema;
use super::records::{Cells, Records};
use crate::input::shape::resolve;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// Words.
    Text,
    /// Figures.
    Number,
    /// Counts.
    Whole,
    /// Yes or no.
    Truth,
}

impl CellKind {
    /// What the schema of a figure says; a list of figures becomes one text.
    fn of(node: &Json) -> Self {
        let types = node.get("type");
        let is = |word: &str| match types {
            Some(Json::String(one)) => one == word,
            Some(Json::Array(several)) => several.iter().any(|one| one == word),
            _ => false,
        };
        match () {
            () if is("integer") => Self::Whole,
            () if is("number") => Self::Number,
            () if is("boolean") => Self::Truth,
            () => Self::Text,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Whole => "integer",
            Self::Truth => "boolean",
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataColumn {
    /// Snake case, with its unit at the end.
    pub name: String,
    /// What it holds.
    pub kind: CellKind,
    /// What the schema says of it.
    pub about: String,
}

/// A table with its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct DataTable {
    /// Name to ask for it.
    pub name: String,
    /// The option without which an answer has no such table.
    pub option: Option<String>,
    /// Columns.
    pub columns: Vec<DataColumn>,
    /// Rows; cells as JSON has them.
    rows: Vec<Vec<Json>>,
}

impl DataTable {
    /// As columns of one type each.
    #[must_use]
    pub fn records(&self) -> Records {
        let columns = self.columns.iter().enumerate().map(|(at, column)| {
            let cells = self.rows.iter().map(|row| &row[at]);
            let cells = match column.kind {
                CellKind::Text => Cells::Text(cells.map(words).collect()),
                CellKind::Number => Cells::Number(cells.map(Json::as_f64).collect()),
                CellKind::Whole => Cells::Whole(cells.map(whole).collect()),
                CellKind::Truth => Cells::Truth(cells.map(Json::as_bool).collect()),
            };
            (column.name.clone(), cells)
        });
        Records { columns: columns.collect(), about: Vec::new() }
    }
}

/// A list of figures stands in one cell.
fn words(cell: &Json) -> Option<String> {
    match cell {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        Json::Array(list) => Some(list.iter().map(|one| words(one).unwrap_or_default()).collect::<Vec<_>>().join("; ")),
        other => Some(other.to_string()),
    }
}

/// A count, which JSON may write as `8.0`.
fn whole(cell: &Json) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and counts are far below 2^53")]
    let of_float = |value: f64| (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
    cell.as_i64().or_else(|| cell.as_f64().and_then(of_float))
}

/// Names of the tables of an output, that which is written first if none is asked for.
#[must_use]
pub fn tables(output: &str, result: Option<&Json>) -> Vec<DataTable> {
    let Some(schema) = output_schema(output) else { return Vec::new() };
    let mut walk = Walk { root: schema, result, tables: Vec::new() };
    walk.visit(schema, result, table_name(schema), &[]);
    let default = schema.get("x-default-table").and_then(Json::as_str);
    walk.tables.sort_by_key(|table| Some(table.name.as_str()) != default);
    walk.tables
}

/// A column that tables further in repeat, the table that it is of, and its cell in this row.
type Repeated = (DataColumn, String, Json);

/// A figure of a row: its column, where it stands, whether tables further in repeat it.
type RowFigure = (DataColumn, Vec<String>, bool);

struct Walk<'a> {
    root: &'a Json,
    result: Option<&'a Json>,
    tables: Vec<DataTable>,
}

impl<'a> Walk<'a> {
    /// An object, as a row of `table` if there is one, and the tables in it. Without a value only the columns are written down.
    fn visit(&mut self, node: &'a Json, value: Option<&Json>, table: Option<&str>, repeated: &[Repeated]) {
        let node = resolve(self.root, node);
        let (mut leaves, mut inner) = (Vec::new(), Vec::new());
        self.flatten(node, &[], &mut leaves, &mut inner);
        let value = value.filter(|value| value.is_object());
        let cell = |path: &[String]| path.iter().try_fold(value?, |at, key| at.get(key)).cloned();
        if let Some(table) = table {
            let own = leaves.iter().map(|(column, path, _)| (column.clone(), cell(path).unwrap_or(Json::Null)));
            self.row(table, repeated, own.collect(), value.is_some());
        }
        let mut repeated = repeated.to_vec();
        let keys = leaves.iter().filter(|leaf| leaf.2);
        repeated.extend(keys.map(|(column, path, _)| (column.clone(), table.unwrap_or("of").to_owned(), cell(path).unwrap_or(Json::Null))));
        for (node, path) in inner {
            let name = path.last().cloned().unwrap_or_default();
            let found = cell(&path);
            self.entries(node, found.as_ref(), &name, &repeated);
            self.needs_option(node, found.is_some());
        }
    }

    /// Notes the option that an answer without this key lacks.
    fn needs_option(&mut self, node: &Json, is_there: bool) {
        let option = node.get("x-option").and_then(Json::as_str).filter(|_| !is_there);
        let named = self.tables.iter_mut().find(|table| Some(table.name.as_str()) == table_name(node));
        if let (Some(option), Some(table)) = (option, named) {
            table.option = Some(option.to_owned());
        }
    }

    /// What holds rows: a list, a map, or an object with a name of its own.
    fn entries(&mut self, node: &'a Json, value: Option<&Json>, key: &str, repeated: &[Repeated]) {
        let node = resolve(self.root, node);
        let table = table_name(node);
        let word = |name: &str| node.get(name).and_then(Json::as_str);
        let label = |name: Option<&str>, kind: CellKind, cell: Json| {
            let column = name.map(|name| DataColumn { name: name.to_owned(), kind, about: String::new() })?;
            Some((column, table.unwrap_or("of").to_owned(), cell))
        };
        let (inner, entries): (&Json, Vec<(String, &Json)>) = if let Some(items) = node.get("items") {
            let list = value.and_then(Json::as_array).into_iter().flatten();
            (items, list.map(|entry| (String::new(), entry)).collect())
        } else if let Some(items) = node.get("additionalProperties").filter(|items| items.is_object()) {
            let map = value.and_then(Json::as_object).into_iter().flatten();
            (items, map.map(|(key, entry)| (key.clone(), entry)).collect())
        } else {
            let mut repeated = repeated.to_vec();
            repeated.extend(label(word("x-name"), CellKind::Text, key.into()));
            return self.visit(node, value, table, &repeated);
        };
        let is_object = resolve(self.root, inner).get("properties").is_some();
        // Once without a value, so that a table without rows has its columns too.
        for (number, (key, entry)) in
            std::iter::once((0, (String::new(), None))).chain(entries.into_iter().map(|(key, entry)| (key, Some(entry))).enumerate())
        {
            let mut repeated = repeated.to_vec();
            repeated.extend(label(word("x-name"), CellKind::Text, key.into()));
            repeated.extend(label(word("x-index"), CellKind::Whole, number.into()));
            for (name, list) in node.get("x-beside").and_then(Json::as_object).into_iter().flatten() {
                let at = list.as_str().and_then(|list| self.result?.get(list)?.get(number)).cloned();
                repeated.extend(label(Some(name), CellKind::Text, at.unwrap_or(Json::Null)));
            }
            match (is_object, table, word("x-value")) {
                (true, ..) => self.visit(inner, entry, table, &repeated),
                (false, Some(table), Some(column)) => {
                    let about = node.get("description").and_then(Json::as_str).unwrap_or_default().to_owned();
                    let column = DataColumn { name: column.to_owned(), kind: CellKind::of(inner), about };
                    self.row(table, &repeated, vec![(column, entry.cloned().unwrap_or(Json::Null))], entry.is_some());
                }
                (false, ..) => {}
            }
        }
    }

    /// Figures of an object and of the plain objects in it, and what holds tables.
    fn flatten(&self, node: &'a Json, path: &[String], leaves: &mut Vec<RowFigure>, inner: &mut Vec<(&'a Json, Vec<String>)>) {
        for (key, written) in node.get("properties").and_then(Json::as_object).into_iter().flatten() {
            let found = resolve(self.root, written);
            let path: Vec<String> = path.iter().cloned().chain([key.clone()]).collect();
            if ["x-table", "x-name"].iter().any(|word| found.get(word).is_some()) {
                inner.push((found, path));
            } else if found.get("properties").is_some() {
                self.flatten(found, &path, leaves, inner);
            } else {
                let about = [written, found].into_iter().find_map(|node| node.get("description")?.as_str()).unwrap_or_default();
                let is_key = found.get("x-key").is_some();
                leaves.push((DataColumn { name: column_name(&path), kind: CellKind::of(found), about: about.to_owned() }, path, is_key));
            }
        }
    }

    fn row(&mut self, table: &str, repeated: &[Repeated], own: Vec<(DataColumn, Json)>, has_value: bool) {
        let is_own = |name: &str| own.iter().any(|(column, _)| column.name == name);
        let mut cells: Vec<(DataColumn, Json)> = Vec::new();
        for (column, of, cell) in repeated {
            let name = if is_own(&column.name) { format!("{of}_{}", column.name) } else { column.name.clone() };
            cells.push((DataColumn { name, ..column.clone() }, cell.clone()));
        }
        cells.extend(own);
        let (columns, cells): (Vec<DataColumn>, Vec<Json>) = cells.into_iter().unzip();
        let at = self.tables.iter().position(|known| known.name == table).unwrap_or_else(|| {
            self.tables.push(DataTable { name: table.to_owned(), option: None, columns: columns.clone(), rows: Vec::new() });
            self.tables.len() - 1
        });
        debug_assert_eq!(self.tables[at].columns, columns, "two places of the schema disagree on the columns of `{table}`");
        if has_value {
            self.tables[at].rows.push(cells);
        }
    }
}

fn table_name(node: &Json) -> Option<&str> {
    node.get("x-table").and_then(Json::as_str)
}

/// Units at the end of a key, the longest first.
const UNITS: [&str; 9] = ["_requests_per_s", "_tokens_per_s", "_flop_per_s", "_bytes_per_s", "_bytes", "_usd", "_w", "_m", "_s"];

/// `latency_s`, `mean` is `latency_mean_s`: the unit stays at the end.
fn column_name(path: &[String]) -> String {
    let mut name = String::new();
    let mut unit = "";
    for (at, key) in path.iter().enumerate() {
        let found = UNITS.into_iter().find(|unit| key.ends_with(unit)).unwrap_or("");
        let is_last = at + 1 == path.len();
        if !found.is_empty() {
            unit = found;
        }
        let stem = if is_last { key.strip_suffix(unit).unwrap_or(key) } else { key.strip_suffix(found).unwrap_or(key) };
        let joint = if name.is_empty() || stem.is_empty() { "" } else { "_" };
        name = format!("{name}{joint}{stem}");
    }
    format!("{name}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::outputs::outputs;

    #[test]
    fn units_stay_at_the_end() {
        let name = |path: &[&str]| column_name(&path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!(name(&["latency_s", "mean"]), "latency_mean_s");
        assert_eq!(name(&["memory_bytes", "weights"]), "memory_weights_bytes");
        assert_eq!(name(&["time", "compute_s"]), "time_compute_s");
        assert_eq!(name(&["racks", "count"]), "racks_count");
        assert_eq!(name(&["tokens_per_s_per_chip"]), "tokens_per_s_per_chip");
        assert_eq!(name(&["remaining", "all_reduce_bytes_per_s"]), "remaining_all_reduce_bytes_per_s");
    }

    #[test]
    fn columns_differ_and_are_snake_case() {
        for (output, schema) in outputs() {
            let tables = tables(output, None);
            assert_eq!(Some(tables[0].name.as_str()), schema["x-default-table"].as_str().filter(|_| output != "sweep").or(Some(&tables[0].name)));
            for table in &tables {
                let mut names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
                assert!(
                    names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')),
                    "{names:?}"
                );
                names.sort_unstable();
                assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{output} {} {names:?}", table.name);
            }
        }
    }
}
