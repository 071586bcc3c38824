//! Holds a file against the schema of its kind and reports every slip at once: unknown and missing keys, wrong types,
//! quantities that do not parse, ranges that miss their value, source keys that lead nowhere.
//!
//! The schema is the one generated from the document types, so what an editor underlines, what this reports and what
//! serde accepts are the same thing.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::bounds::Bounds;
use super::problem::{Place, Problem, Source, near_name, suggest};
use crate::units::{Dimension, QuantityError, parse_dimension};

/// Every structural problem of `table` under `schema`, in file order.
#[must_use]
pub fn check(source: &Arc<Source>, table: &Spanned<DeTable<'_>>, schema: &Json) -> Vec<Problem> {
    let declared = table
        .get_ref()
        .get("sources")
        .and_then(|sources| sources.get_ref().as_table())
        .map(|sources| sources.keys().map(|key| key.get_ref().to_string()).collect())
        .unwrap_or_default();
    let mut checker = ShapeChecker { source, schema, declared, problems: Vec::new() };
    checker.table(table.get_ref(), table.span(), schema, "the file");
    let mut problems = checker.problems;
    problems.sort_by_key(|problem| problem.place.as_ref().map(|(place, _)| place.span.start));
    problems
}

/// A name that leads to another file: the word for its kind, and where it stands.
pub struct PartName {
    /// "link"
    pub kind: String,
    /// What is named.
    pub name: String,
    /// Where.
    pub span: TextSpan,
}

/// Every name of `table` that leads to another file, as its schema says (`x-part`), in the order of the table.
#[must_use]
pub fn part_names(table: &DeTable<'_>, schema: &Json) -> Vec<PartName> {
    let mut found = Vec::new();
    names_of_table(schema, table, schema, &mut found);
    found.sort_by_key(|name| name.span.start);
    found
}

fn names_of_table(root: &Json, table: &DeTable<'_>, schema: &Json, found: &mut Vec<PartName>) {
    for (key, value) in table {
        if let Some(schema) = property(schema, key.get_ref()) {
            names_of_value(root, value, schema, found);
        }
    }
}

fn names_of_value(root: &Json, value: &Spanned<DeValue<'_>>, schema: &Json, found: &mut Vec<PartName>) {
    if let (Some(kind), Some(name)) = (schema.get("x-part").and_then(Json::as_str), value.get_ref().as_str()) {
        found.push(PartName { kind: kind.to_owned(), name: name.to_owned(), span: value.span() });
        return;
    }
    let schema = resolve(root, schema);
    match value.get_ref() {
        DeValue::Table(table) => match schema.get("oneOf").and_then(Json::as_array) {
            Some(alternatives) => {
                for (name, inner) in tagged(alternatives) {
                    table.iter().filter(|(key, _)| key.get_ref() == name).for_each(|(_, value)| names_of_value(root, value, inner, found));
                }
            }
            None => names_of_table(root, table, schema, found),
        },
        DeValue::Array(items) => {
            if let Some(inner) = schema.get("items") {
                items.iter().for_each(|item| names_of_value(root, item, inner, found));
            }
        }
        _ => {}
    }
}

/// Problems of one file that are reported.
pub(super) const MOST_PROBLEMS: usize = 200;

struct ShapeChecker<'a> {
    source: &'a Arc<Source>,
    schema: &'a Json,
    /// Keys of the file's `[sources]`.
    declared: BTreeSet<String>,
    problems: Vec<Problem>,
}

type TextSpan = std::ops::Range<usize>;

impl<'a> ShapeChecker<'a> {
    fn place(&self, span: TextSpan) -> Place {
        Place { source: Arc::clone(self.source), span }
    }

    /// Whether more problems are worth looking for: their texts cost time, and a reader mends the first and tries again.
    fn is_full(&self) -> bool {
        self.problems.len() >= MOST_PROBLEMS
    }

    fn report(&mut self, span: TextSpan, message: String, label: impl Into<String>, help: Option<String>) {
        let mut problem = Problem::new(message).at(self.place(span), label);
        problem.help = help;
        self.problems.push(problem);
    }

    fn resolve(&self, schema: &'a Json) -> &'a Json {
        resolve(self.schema, schema)
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, schema: &'a Json, key: &str) {
        if self.is_full() {
            return;
        }
        let bounds = Bounds::of(schema);
        let schema = self.resolve(schema);
        if let Some(dimension) = schema.get("x-quantity").and_then(Json::as_str).and_then(Dimension::by_name) {
            self.figure(value, dimension, bounds, key);
        } else if let Some(alternatives) = schema.get("oneOf").and_then(Json::as_array) {
            self.alternatives(value, alternatives, key);
        } else if let Some(names) = schema.get("enum").and_then(Json::as_array) {
            self.name_among(value, &names.iter().filter_map(Json::as_str).collect::<Vec<_>>(), key);
        } else {
            self.plain(value, schema, key);
        }
    }

    fn plain(&mut self, value: &Spanned<DeValue<'_>>, schema: &'a Json, key: &str) {
        let wanted = match schema.get("type") {
            Some(Json::String(name)) => name.as_str(),
            Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).find(|name| *name != "null").unwrap_or(""),
            _ => "",
        };
        match (wanted, value.get_ref()) {
            ("object", DeValue::Table(table)) => self.table(table, value.span(), schema, key),
            ("array", DeValue::Array(items)) => self.array(items, value.span(), schema, key),
            ("integer", DeValue::Integer(number)) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
                let (low, high) = ends(schema);
                #[expect(clippy::cast_precision_loss, reason = "only compared with small bounds")]
                if parsed.is_none_or(|number| (number as f64) < low || (number as f64) > high) {
                    let range = range_text(low, high);
                    self.report(value.span(), format!("`{key}` is out of range"), format!("expected a whole number, {range}"), None);
                }
            }
            ("number", DeValue::Integer(_) | DeValue::Float(_)) => {
                let number = match value.get_ref() {
                    DeValue::Integer(number) => number.as_str().parse().unwrap_or(f64::NAN),
                    DeValue::Float(number) => number.as_str().parse().unwrap_or(f64::NAN),
                    _ => f64::NAN,
                };
                let (low, high) = ends(schema);
                if !number.is_finite() {
                    self.report(value.span(), format!("`{key}` must be a finite number"), "not finite", None);
                } else if number < low || number > high {
                    let range = range_text(low, high);
                    self.report(value.span(), format!("`{key}` is out of range"), format!("expected a number, {range}"), None);
                }
            }
            // A name stands in tables, pictures and titles: an escape or a line break in it would break them.
            ("string", DeValue::String(text)) if text.chars().any(|letter| letter.is_control() && (key == "name" || !"\n\t".contains(letter))) => {
                self.report(value.span(), format!("`{key}` holds a control character"), "expected letters that can be printed", None);
            }
            ("string", DeValue::String(_)) | ("boolean", DeValue::Boolean(_)) | ("", _) => {}
            (wanted, found) => {
                let wanted = match wanted {
                    "object" => "a table",
                    "array" => "an array",
                    "integer" => "a whole number",
                    "number" => "a number",
                    "boolean" => "true or false",
                    _ => "a string",
                };
                let found = kind(found);
                self.report(value.span(), format!("`{key}` must be {wanted}"), format!("expected {wanted}, found {found}"), None);
            }
        }
    }

    fn array(&mut self, items: &[Spanned<DeValue<'_>>], span: TextSpan, schema: &'a Json, key: &str) {
        let count = items.len() as u64;
        let low = schema.get("minItems").and_then(Json::as_u64).unwrap_or(0);
        let high = schema.get("maxItems").and_then(Json::as_u64).unwrap_or(u64::MAX);
        if count < low || count > high {
            let wanted = match (low, high) {
                (low, high) if low == high => format!("{low}"),
                (low, u64::MAX) => format!("at least {low}"),
                (low, high) => format!("{low} to {high}"),
            };
            self.report(span, format!("`{key}` has {count} entries"), format!("expected {wanted}"), None);
        }
        if let Some(item_schema) = schema.get("items") {
            for item in items {
                self.value(item, item_schema, key);
            }
        }
    }

    fn table(&mut self, table: &DeTable<'_>, span: TextSpan, schema: &'a Json, name: &str) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let known: Vec<&str> = properties.map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        for (key, value) in table {
            if self.is_full() {
                return;
            }
            let text = key.get_ref().as_ref();
            if let Some(schema) = property(schema, text) {
                self.value(value, schema, text);
            } else {
                let label = near_name(text, known.iter().copied()).map_or("not known here".to_owned(), |near| format!("did you mean `{near}`?"));
                let help = format!("{name} takes: {}", known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "));
                self.report(key.span(), format!("unknown key `{text}`"), label, Some(help));
            }
        }
        for missing in required(schema).chain(one_of(schema, table)).filter(|wanted| !table.contains_key(*wanted)) {
            let help = properties.and_then(|map| map.get(missing)).and_then(|schema| self.meaning(schema, missing));
            self.report(first_line(self.source, span.clone()), format!("missing key `{missing}`"), format!("{name} needs `{missing}`"), help);
        }
    }

    /// What a missing key means, and how it could be written where its type says so.
    fn meaning(&self, schema: &'a Json, key: &str) -> Option<String> {
        let described = schema.get("description").and_then(Json::as_str);
        let words = described.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let sentence = words.as_deref().map(|text| text.split(". ").next().unwrap_or(text).trim_end_matches('.').to_owned());
        let dimension = self.resolve(schema).get("x-quantity").and_then(Json::as_str).and_then(Dimension::by_name);
        let written = dimension.map(|dimension| match Bounds::of(schema).range_text() {
            Some(range) => format!("a {} {range}", dimension.name()),
            None => format!("for example `{key} = {}`", dimension.example().split(" or ").next().unwrap_or_default()),
        });
        let said = sentence.map(|sentence| format!("`{key}`: {sentence}"));
        (said.is_some() || written.is_some()).then(|| [said, written].into_iter().flatten().collect::<Vec<_>>().join("; "))
    }

    /// An externally tagged choice: a bare name, or a table with exactly one known key.
    fn alternatives(&mut self, value: &Spanned<DeValue<'_>>, alternatives: &'a [Json], key: &str) {
        let bare = alternatives.iter().flat_map(|alternative| {
            let names = alternative.get("enum").and_then(Json::as_array).into_iter().flatten();
            names.chain(alternative.get("const")).filter_map(Json::as_str)
        });
        let tagged: Vec<(&'a str, &'a Json)> = tagged(alternatives).collect();
        let DeValue::Table(table) = value.get_ref() else {
            let names: Vec<&str> = bare.collect();
            if names.is_empty() {
                let choice = tagged.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                self.report(value.span(), format!("`{key}` must be a table"), format!("expected one of {choice}"), None);
            } else {
                self.name_among(value, &names, key);
            }
            return;
        };
        let names = || tagged.iter().map(|(name, _)| *name);
        for (tag, inner) in table {
            if self.is_full() {
                return;
            }
            match tagged.iter().find(|(name, _)| *name == tag.get_ref().as_ref()) {
                Some((name, schema)) => self.value(inner, schema, name),
                None => self.report(
                    tag.span(),
                    format!("unknown kind `{}` of `{key}`", tag.get_ref()),
                    "not known here",
                    Some(suggest(tag.get_ref(), names())),
                ),
            }
        }
        if table.len() != 1 {
            let choice = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let span = first_line(self.source, value.span());
            self.report(span, format!("`{key}` takes exactly one kind"), format!("found {}", table.len()), Some(format!("one of {choice}")));
        }
    }

    fn name_among(&mut self, value: &Spanned<DeValue<'_>>, names: &[&str], key: &str) {
        match value.get_ref().as_str() {
            Some(text) if names.contains(&text) => {}
            Some(text) => {
                self.report(value.span(), format!("unknown `{key}`: `{text}`"), "not known here", Some(suggest(text, names.iter().copied())));
            }
            None => {
                let choice = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
                self.report(value.span(), format!("`{key}` must be a string"), format!("expected one of {choice}"), None);
            }
        }
    }

    fn figure(&mut self, value: &Spanned<DeValue<'_>>, dimension: Dimension, bounds: Bounds, key: &str) {
        let DeValue::Table(table) = value.get_ref() else {
            self.bounded(value, dimension, bounds, key);
            return;
        };
        let mut central = None;
        let mut range = None;
        for (entry, inner) in table {
            if self.is_full() {
                return;
            }
            match (entry.get_ref().as_ref(), inner.get_ref()) {
                ("value", _) => central = self.bounded(inner, dimension, bounds, key),
                ("range", DeValue::Array(ends)) if ends.len() == 2 => {
                    let low = self.bounded(&ends[0], dimension, bounds, key);
                    let high = self.bounded(&ends[1], dimension, bounds, key);
                    range = low.zip(high).map(|ends| (ends, inner.span()));
                }
                ("range", _) => self.report(inner.span(), format!("the range of `{key}` needs two ends"), "expected [lowest, highest]", None),
                ("source", DeValue::String(name)) => {
                    if !self.declared.contains(name.as_ref()) {
                        let help = suggest(name, self.declared.iter().map(String::as_str));
                        self.report(inner.span(), format!("source `{name}` is not listed in [sources]"), "no such key", Some(help));
                    }
                }
                ("confidence", _) => self.name_among(inner, &CONFIDENCE, "confidence"),
                (other, _) => {
                    let help = "a figure takes: `value`, `range`, `source`, `confidence`".to_owned();
                    self.report(entry.span(), format!("unknown key `{other}`"), "not known here", Some(help));
                }
            }
        }
        if !table.contains_key("value") {
            self.report(value.span(), format!("`{key}` has no value"), "missing `value`", Some(format!("for example {}", dimension.example())));
        }
        if let (Some(value), Some(((low, high), span))) = (central, range)
            && !(low..=high).contains(&value)
        {
            self.report(span, format!("the range of `{key}` does not contain its value"), "expected lowest <= value <= highest", None);
        }
    }

    /// A quantity within its key's bounds, SI.
    fn bounded(&mut self, value: &Spanned<DeValue<'_>>, dimension: Dimension, bounds: Bounds, key: &str) -> Option<f64> {
        let number = self.quantity(value, dimension, key)?;
        let most = dimension.most();
        if number > most {
            self.report(value.span(), format!("`{key}` is beyond what physics allows"), format!("expected at most {most:e} in SI units"), None);
            return None;
        }
        let Some(label) = bounds.complaint(number, dimension) else { return Some(number) };
        self.report(value.span(), format!("`{key}` is out of range"), label, None);
        None
    }

    fn quantity(&mut self, value: &Spanned<DeValue<'_>>, dimension: Dimension, key: &str) -> Option<f64> {
        let expected = format!("expected a {} such as {}", dimension.name(), dimension.example());
        let number = match value.get_ref() {
            DeValue::String(text) => match parse_dimension(text, dimension) {
                Ok(number) => return Some(number),
                Err(error) => {
                    let help = matches!(error, QuantityError::AmbiguousBit { .. }).then(|| "bits are spelt out: bit; bytes are B".to_owned());
                    let label = if help.is_some() { error.to_string() } else { format!("{error}; {expected}") };
                    self.report(value.span(), format!("`{key}` is not a {}", dimension.name()), label, help);
                    return None;
                }
            },
            DeValue::Integer(number) => number.as_str().parse().ok(),
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            _ => None,
        };
        match number {
            Some(number) if dimension == Dimension::Ratio && number.is_finite() && number >= 0.0 => Some(number),
            Some(_) if dimension == Dimension::Ratio => {
                self.report(value.span(), format!("`{key}` must be zero or more"), "out of range", None);
                None
            }
            Some(_) => {
                self.report(
                    value.span(),
                    format!("`{key}` is a bare number"),
                    expected,
                    Some("write the unit: a quantity is text with its unit".into()),
                );
                None
            }
            None => {
                self.report(value.span(), format!("`{key}` is not a {}", dimension.name()), expected, None);
                None
            }
        }
    }
}

/// Follows `$ref` and looks through `Option`; `root` is the whole schema.
#[must_use]
pub fn resolve<'a>(root: &'a Json, schema: &'a Json) -> &'a Json {
    if let Some(name) = schema.get("$ref").and_then(Json::as_str).and_then(|path| path.strip_prefix("#/$defs/")) {
        let name = name.replace("%20", " ").replace("%3A", ":").replace("~1", "/");
        return root.get("$defs").and_then(|defs| defs.get(&name)).map_or(schema, |found| resolve(root, found));
    }
    let optional = |alternatives: &'a Vec<Json>| match alternatives.as_slice() {
        [inner, null] if null.get("type").and_then(Json::as_str) == Some("null") => Some(inner),
        _ => None,
    };
    schema.get("anyOf").and_then(Json::as_array).and_then(optional).map_or(schema, |inner| resolve(root, inner))
}

/// What a table's schema says of a key: by name, or of any key.
pub(super) fn property<'a>(schema: &'a Json, key: &str) -> Option<&'a Json> {
    let any = schema.get("additionalProperties").filter(|schema| schema.is_object());
    schema.get("properties").and_then(|properties| properties.get(key)).or(any)
}

/// The externally tagged choices that carry a table: tag and schema.
pub fn tagged(alternatives: &[Json]) -> impl Iterator<Item = (&str, &Json)> {
    alternatives.iter().filter_map(|alternative| {
        let name = required(alternative).next()?;
        Some((name, alternative.get("properties")?.get(name)?))
    })
}

/// The least and the largest that a schema allows.
fn ends(schema: &Json) -> (f64, f64) {
    let end = |name: &str, open: f64| schema.get(name).and_then(Json::as_f64).unwrap_or(open);
    (end("minimum", f64::MIN), end("maximum", f64::MAX))
}

/// The first of the keys one of which a table needs, where it has none of them.
fn one_of<'a>(schema: &'a Json, table: &DeTable<'_>) -> Option<&'a str> {
    let alternatives = schema.get("anyOf").and_then(Json::as_array)?;
    let met = |alternative: &Json| required(alternative).all(|key| table.contains_key(key));
    if alternatives.iter().any(met) { None } else { required(alternatives.first()?).next() }
}

/// What a number may be: "from 1 to 8", "1 or more", "only 1".
fn range_text(low: f64, high: f64) -> String {
    match (low, high) {
        (low, high) if low == high => format!("only {low}"),
        (low, f64::MAX) => format!("{low} or more"),
        (f64::MIN, high) => format!("{high} or less"),
        (low, high) => format!("from {low} to {high}"),
    }
}

/// The names of [`crate::units::Confidence`].
const CONFIDENCE: [&str; 9] = ["standard", "measured", "vendor", "second-hand", "calibrated", "derived", "press", "estimate", "assumed"];

fn required(schema: &Json) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// The first line of a span: a missing key underlines the header of its table, not the whole table.
fn first_line(source: &Source, span: TextSpan) -> TextSpan {
    let end = source.text.get(span.clone()).and_then(|text| text.find('\n')).map_or(span.end, |offset| span.start + offset);
    span.start..end
}
