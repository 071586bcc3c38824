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
    /// What the schema of a figure says; a list of words becomes one text.
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

/// What stands in a schema and among the words of a command line for a table that takes two machines.
pub const SECOND_SUPERNODE: &str = "a second supernode";

/// On what it depends whether an answer has a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// On options.
    Option {
        /// Without which there is none.
        with: Option<String>,
        /// With which there is none.
        unless: Option<String>,
    },
    /// On the answer, which has none where this is so.
    LeftOut(String),
}

impl Lack {
    /// What a schema says of a table that is not there; before there is an answer nothing is left out of it.
    fn of(node: &Json, is_answered: bool) -> Option<Self> {
        let word = |name: &str| node.get(name).and_then(Json::as_str).map(str::to_owned);
        let (with, unless) = (word("x-option"), word("x-unless"));
        let left_out = || word("x-left-out").filter(|_| is_answered).map(Self::LeftOut);
        if with.is_some() || unless.is_some() { Some(Self::Option { with, unless }) } else { left_out() }
    }

    /// What to change to have the table, or why nothing helps.
    #[must_use]
    pub fn refusal(&self) -> String {
        match self {
            Self::Option { with: Some(with), .. } => format!("add {with}, without which this answer has no such table"),
            Self::Option { with: None, unless } => {
                format!("leave out {}, with which this answer has no such table", unless.as_deref().unwrap_or_default())
            }
            Self::LeftOut(why) => format!("this answer leaves the table out: {why}"),
        }
    }

    /// What stands behind the table's name where tables are listed, for a command line of these words.
    #[must_use]
    pub fn listed(&self, words: &[String]) -> String {
        let line = format!(" {} ", words.join(" ").replace('=', " "));
        let is_given = |options: &str| options.split(" or ").any(|option| line.contains(&format!(" {option} ")));
        match self {
            Self::Option { unless: Some(unless), .. } if is_given(unless) => format!(", without {unless}"),
            Self::Option { unless: None, with: Some(with) } if !is_given(with) => format!(", with {with}"),
            Self::Option { .. } | Self::LeftOut(_) => String::new(),
        }
    }
}

/// A table with its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct DataTable {
    /// Name to ask for it.
    pub name: String,
    /// Why this answer has no such table; before there is an answer, what it takes to have one.
    pub lack: Option<Lack>,
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

/// A list of words stands in one cell; one without words is absent.
fn words(cell: &Json) -> Option<String> {
    match cell {
        Json::Null => None,
        Json::Array(list) if list.is_empty() => None,
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
    let mut walk = Walk { root: schema, result, tables: Vec::new(), lacks: Vec::new(), there: Vec::new() };
    walk.visit(schema, result, table_name(schema), &[]);
    for table in walk.tables.iter_mut().filter(|table| !walk.there.contains(&table.name)) {
        table.lack = walk.lacks.iter().find(|(name, _)| *name == table.name).map(|(_, lack)| lack.clone());
    }
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
    /// Tables that a place of the answer could hold and does not, with what they depend on.
    lacks: Vec<(String, Lack)>,
    /// Tables that some place of the answer holds, with rows or without.
    there: Vec<String>,
}

impl<'a> Walk<'a> {
    /// An object, as a row of `table` if there is one, and the tables in it. Without a value only the columns are written down.
    fn visit(&mut self, node: &'a Json, value: Option<&Json>, table: Option<&str>, repeated: &[Repeated]) {
        let node = resolve(self.root, node);
        let (mut leaves, mut inner) = (Vec::new(), Vec::new());
        self.flatten(node, &[], &mut leaves, &mut inner);
        let value = value.filter(|value| value.is_object());
        let cell = |path: &[String]| path.iter().try_fold(value?, |at, key| entry_of(at, key)).cloned();
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
            self.note_lack(node, value, found.as_ref());
        }
    }

    /// Notes whether a place of the answer holds a table. What is not there itself, such as a phase in which nothing fits, holds none with any option.
    fn note_lack(&mut self, node: &Json, holder: Option<&Json>, found: Option<&Json>) {
        if found.is_some_and(|found| !found.is_null()) {
            self.there.extend(table_name(node).map(str::to_owned));
        } else if let Some(lack) = Lack::of(node, self.result.is_some()).filter(|_| self.result.is_none() || holder.is_some()) {
            let mut names = Vec::new();
            tables_in(self.root, node, &mut names);
            self.lacks.extend(names.into_iter().map(|name| (name, lack.clone())));
        }
    }

    /// What the entries of a list of the result are.
    fn kind_of_list(&self, list: &str) -> CellKind {
        let items = self.root.get("properties").and_then(|keys| resolve(self.root, keys.get(list)?).get("items"));
        items.map_or(CellKind::Text, |items| CellKind::of(resolve(self.root, items)))
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
                let list = list.as_str().unwrap_or_default();
                // The first turn has no entry, and so nothing beside it.
                let at = entry.and_then(|_| self.result?.get(list)?.get(number)).cloned();
                repeated.extend(label(Some(name), self.kind_of_list(list), at.unwrap_or(Json::Null)));
            }
            if is_object {
                self.visit(inner, entry, table, &repeated);
            } else if let Some(table) = table {
                let own = plain_cells(node, resolve(self.root, inner), entry);
                self.row(table, &repeated, own, entry.is_some());
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
            } else if found.get("x-column") != Some(&Json::Bool(false)) {
                let about = [written, found].into_iter().find_map(|node| node.get("description")?.as_str()).unwrap_or_default();
                let is_key = found.get("x-key").is_some();
                let column = |path: &[String], kind: &Json| DataColumn { name: column_name(path), kind: CellKind::of(kind), about: about.to_owned() };
                for (number, name) in columns_of(found).enumerate() {
                    let below = |last: &str| path.iter().cloned().chain([last.to_owned()]).collect::<Vec<_>>();
                    leaves.push((column(&below(name), resolve(self.root, &found["items"])), below(&number.to_string()), is_key));
                }
                if columns_of(found).next().is_none() {
                    leaves.push((column(&path, found), path, is_key));
                }
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
            self.tables.push(DataTable { name: table.to_owned(), lack: None, columns: columns.clone(), rows: Vec::new() });
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

/// The table that a key becomes and those further in.
fn tables_in(root: &Json, node: &Json, found: &mut Vec<String>) {
    let node = resolve(root, node);
    found.extend(table_name(node).map(str::to_owned));
    let keys = node.get("properties").and_then(Json::as_object).into_iter().flatten().map(|(_, inner)| inner);
    let entries = ["items", "additionalProperties"].into_iter().filter_map(|word| node.get(word).filter(|inner| inner.is_object()));
    keys.chain(entries).for_each(|inner| tables_in(root, inner, found));
}

/// Names of the columns of a list of fixed length.
fn columns_of(node: &Json) -> impl Iterator<Item = &str> {
    node.get("x-columns").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}

/// What stands under a key of an object, or under a number of a list.
fn entry_of<'j>(value: &'j Json, key: &str) -> Option<&'j Json> {
    value.get(key).or_else(|| value.get(key.parse::<usize>().ok()?))
}

/// The cells of an entry that is no object: one, or one for each name of `x-columns`.
fn plain_cells(node: &Json, inner: &Json, entry: Option<&Json>) -> Vec<(DataColumn, Json)> {
    let about = node.get("description").and_then(Json::as_str).unwrap_or_default();
    let cell = |name: &str, kind: &Json, cell: Option<&Json>| {
        (DataColumn { name: name.to_owned(), kind: CellKind::of(kind), about: about.to_owned() }, cell.cloned().unwrap_or(Json::Null))
    };
    let parts = columns_of(inner).enumerate().map(|(number, name)| cell(name, &inner["items"], entry.and_then(|entry| entry.get(number))));
    let whole = node.get("x-value").and_then(Json::as_str).map(|name| cell(name, inner, entry));
    parts.chain(whole).collect()
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

    /// What a cell cannot hold without becoming a text: several figures, a figure that may be absent among others, objects.
    fn lists_of_figures(root: &Json, node: &Json, at: &str, found: &mut Vec<String>) {
        let node = resolve(root, node);
        let entries = node.get("items").or_else(|| node.get("additionalProperties").filter(|entries| entries.is_object()));
        if let Some(entries) = entries {
            let becomes_rows = ["x-table", "x-name", "x-columns", "x-column"].iter().any(|word| node.get(word).is_some());
            if !becomes_rows && resolve(root, entries).get("type") != Some(&Json::from("string")) {
                found.push(at.to_owned());
            }
            lists_of_figures(root, entries, &format!("{at}[]"), found);
        }
        for (key, inner) in node.get("properties").and_then(Json::as_object).into_iter().flatten() {
            lists_of_figures(root, inner, &format!("{at}.{key}"), found);
        }
    }

    #[test]
    fn no_cell_holds_several_figures() {
        let mut found = Vec::new();
        outputs().iter().for_each(|(output, schema)| lists_of_figures(schema, schema, output, &mut found));
        assert!(found.is_empty(), "name their columns with `x-columns`, or their rows with `x-table` and `x-value`: {found:#?}");
    }

    #[test]
    fn a_table_says_which_option_it_takes() {
        let lack = |with: Option<&str>, unless: Option<&str>| Lack::Option { with: with.map(str::to_owned), unless: unless.map(str::to_owned) };
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let fills = lack(Some("--beside or --groups"), None);
        assert_eq!(fills.refusal(), "add --beside or --groups, without which this answer has no such table");
        assert_eq!(fills.listed(&words("collective --op all_reduce")), ", with --beside or --groups");
        assert_eq!(fills.listed(&words("collective --groups all --tables")), "");
        let empties = lack(None, Some("--sources"));
        assert_eq!(empties.refusal(), "leave out --sources, with which this answer has no such table");
        assert_eq!(empties.listed(&words("sensitivity hgx-h100 --tables")), "");
        assert_eq!(empties.listed(&words("sensitivity hgx-h100 --sources --tables")), ", without --sources");
        let drawn = lack(Some("--draws 24"), Some("--draws 0"));
        assert_eq!(drawn.refusal(), "add --draws 24, without which this answer has no such table");
        assert_eq!(drawn.listed(&words("simulate hgx-h100 --tables")), "");
        assert_eq!(drawn.listed(&words("simulate hgx-h100 --draws=0 --tables")), ", without --draws 0");
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
