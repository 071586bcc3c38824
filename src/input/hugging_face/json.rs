//! JSON as Python writes it, and tables whose values are asked for by name: every key that is read is noted, every value that makes no
//! sense is reported at its place.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::families::ModelFamily;
use crate::input::problem::{Place, Problem, Source, near_name};
use crate::input::reading_cost::{json_cost, not_too_much};

/// Reads JSON. Python's `Infinity`, `-Infinity` and `NaN` are read as null: no structural key has such a value.
///
/// # Errors
/// What is not JSON, at its place; a text whose values would take too much memory.
pub(super) fn parse(source: &Arc<Source>) -> Result<Json, Problem> {
    not_too_much(source, json_cost(&source.text))?;
    serde_json::from_str(&without_constants(&source.text)).map_err(|error| {
        let start: usize = source.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let offset = (start + error.column().saturating_sub(1)).min(source.text.len().saturating_sub(1));
        let place = Place { source: Arc::clone(source), span: offset..offset + 1 };
        Problem::new(format!("`{}` is not valid JSON", source.name)).at(place, error.to_string())
    })
}

/// The text with Python's constants outside strings replaced by as many characters, so that places stay.
fn without_constants(text: &str) -> String {
    let (mut out, mut rest, mut quoted) = (String::with_capacity(text.len()), text, false);
    while let Some(next) = rest.chars().next() {
        let constant = ["-Infinity", "Infinity", "NaN"].into_iter().find(|word| !quoted && rest.starts_with(word));
        if let Some(word) = constant {
            // "NaN" is shorter than "null": 0 stands in, which no structural key accepts either.
            out.push_str(&format!("{:<1$}", if word.len() < 4 { "0" } else { "null" }, word.len()));
            rest = &rest[word.len()..];
            continue;
        }
        let taken = if quoted && next == '\\' { 1 + rest[1..].chars().next().map_or(0, char::len_utf8) } else { next.len_utf8() };
        quoted ^= next == '"';
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

/// What reading a file gathers beside values.
pub(super) struct ConfigReader<'a> {
    source: &'a Arc<Source>,
    pub problems: RefCell<Vec<Problem>>,
    /// Keys that were looked at, with the table they are in: `key` or `table.key`.
    pub used: RefCell<BTreeSet<String>>,
    /// What was assumed or cannot be said.
    pub warnings: RefCell<Vec<String>>,
}

impl<'a> ConfigReader<'a> {
    pub fn new(source: &'a Arc<Source>) -> Self {
        Self { source, problems: RefCell::default(), used: RefCell::default(), warnings: RefCell::default() }
    }

    /// Notes a problem once, however many layers have it.
    pub fn report(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if problems.iter().all(|known| known.message != problem.message) {
            problems.push(problem);
        }
    }

    /// Notes a warning once.
    pub fn warn(&self, warning: impl Into<String>) {
        let (mut warnings, warning) = (self.warnings.borrow_mut(), warning.into());
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

/// A table of the file.
#[derive(Clone, Copy)]
pub(super) struct ConfigTable<'a> {
    pub reader: &'a ConfigReader<'a>,
    pub fields: &'a Map<String, Json>,
    /// Key of the table in the one around it; empty for the language model itself.
    pub name: &'static str,
    pub family: &'a ModelFamily,
}

impl<'a> ConfigTable<'a> {
    /// A value that is there and not null; the key counts as used.
    pub fn value(&self, key: &str) -> Option<&'a Json> {
        let value = self.fields.get(key).filter(|value| !value.is_null())?;
        self.mark(key);
        Some(value)
    }

    /// Notes that a key is accounted for.
    pub fn mark(&self, key: &str) {
        if self.fields.contains_key(key) {
            self.reader.used.borrow_mut().insert(if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) });
        }
    }

    /// Notes that keys say nothing new beside others.
    pub fn settle(&self, keys: &[&str]) {
        keys.iter().for_each(|key| self.mark(key));
    }

    /// Whether a key is there and not null, without counting as used.
    pub fn has(&self, key: &str) -> bool {
        self.fields.get(key).is_some_and(|value| !value.is_null())
    }

    /// The first of `keys` that is there.
    fn first(&self, keys: &[&'static str]) -> Option<(&'static str, &'a Json)> {
        let (chosen, value) = keys.iter().find_map(|key| self.value(key).map(|value| (*key, value)))?;
        // Some files say the same under two names.
        keys.iter().filter(|key| self.fields.get(**key) == Some(value)).for_each(|key| self.mark(key));
        Some((chosen, value))
    }

    /// A table inside this one.
    pub fn table(&self, key: &'static str) -> Option<ConfigTable<'a>> {
        let fields = self.value(key)?.as_object();
        if fields.is_none() {
            self.wrong(key, "must be a table", "not a table");
        }
        fields.map(|fields| ConfigTable { fields, name: key, ..*self })
    }

    /// Reports a value.
    pub fn wrong(&self, key: &str, must: &str, label: impl Into<String>) {
        self.reader.report(Problem::new(format!("`{key}` {must}")).at(self.place(key), label));
    }

    /// Where a key of this table stands in the text.
    pub fn place(&self, key: &str) -> Place {
        let text = &self.reader.source.text;
        let inside = if self.name.is_empty() { 0 } else { text.find(&format!("\"{}\"", self.name)).unwrap_or(0) };
        let quoted = format!("\"{key}\"");
        let start = text[inside..].find(&quoted).map_or_else(|| text.find(&quoted).unwrap_or(0), |start| inside + start);
        Place { source: Arc::clone(self.reader.source), span: start..start + quoted.len() }
    }

    /// A whole number under any of `keys`, in a list the one of `layer`; or else the family's default for one of them.
    pub fn maybe_at(&self, keys: &[&'static str], layer: Option<u32>) -> Option<u32> {
        let Some((key, value)) = self.first(keys) else {
            return if self.name.is_empty() { keys.iter().find_map(|key| self.family.default(key)) } else { None };
        };
        let value = match (value, layer) {
            (Json::Array(list), Some(layer)) => {
                let entry = list.get(layer as usize);
                if entry.is_none() {
                    self.wrong(key, &format!("has {} entries, too few for layer {layer}", list.len()), "one entry for each layer expected");
                }
                entry?
            }
            (value, _) => value,
        };
        let number = value.as_u64().or_else(|| value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0).map(|number| number as u64));
        let number = number.and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            self.wrong(key, "must be a whole number", "not a whole number");
        }
        number
    }

    /// A whole number under any of `keys`.
    pub fn maybe(&self, keys: &[&'static str]) -> Option<u32> {
        self.maybe_at(keys, None)
    }

    /// As [`ConfigTable::maybe_at`], but zero is reported. One stands in for it so that the rest can be read.
    pub fn positive_at(&self, keys: &[&'static str], layer: Option<u32>) -> Option<u32> {
        let number = self.maybe_at(keys, layer)?;
        if number == 0 {
            let key = keys.iter().find(|key| self.has(key)).unwrap_or(&keys[0]);
            self.wrong(key, "must not be zero", "one or more");
        }
        Some(number.max(1))
    }

    /// As [`ConfigTable::positive_at`], but it must be there.
    pub fn need_at(&self, keys: &[&'static str], layer: Option<u32>) -> u32 {
        if let Some(number) = self.positive_at(keys, layer) {
            return number;
        }
        if keys.iter().any(|key| self.has(key)) {
            return 1;
        }
        let near = near_name(keys[0], self.fields.keys().map(String::as_str));
        let problem = Problem::new(format!("`{}` has no `{}`", self.reader.source.name, keys[0]));
        let others = keys[1..].iter().filter(|key| **key != keys[0]).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        self.reader.report(match near {
            Some(near) => problem.at(self.place(near), format!("is this meant to be `{}`?", keys[0])),
            None if others.is_empty() => problem.help("a model cannot be priced without it"),
            None => problem.help(format!("also read under the name of {others}")),
        });
        1
    }

    /// As [`ConfigTable::need_at`] for a value that all layers share.
    pub fn need(&self, keys: &[&'static str]) -> u32 {
        self.need_at(keys, None)
    }

    /// A flag; absent is false.
    pub fn flag(&self, key: &str) -> bool {
        let value = self.value(key);
        if value.is_some_and(|value| !value.is_boolean()) {
            self.wrong(key, "must be true or false", "neither");
        }
        value.and_then(Json::as_bool).unwrap_or(false)
    }

    /// Text.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.value(key).and_then(Json::as_str)
    }

    /// Entry `layer` of a list with one entry for each layer.
    pub fn entry(&self, key: &str, layer: u32) -> Option<&'a Json> {
        if !self.fields.get(key)?.is_array() {
            return None;
        }
        self.value(key)?.as_array()?.get(layer as usize)
    }

    /// Whether `number` is among the numbers of a list; `None` without the list.
    pub fn lists(&self, key: &str, number: u32) -> Option<bool> {
        let list = self.value(key)?.as_array()?;
        Some(list.iter().any(|entry| entry.as_u64() == Some(u64::from(number))))
    }
}
