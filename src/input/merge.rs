//! One file over another: what the upper one says replaces, what it does not say stays as it is below.
//!
//! The schema of the kind is the guide, so that what belongs together stays together. Tables merge key by key, arrays of named tables by
//! name. Everything else is replaced whole: other arrays, a figure with its range and source, a choice (`[link.medium.copper]`) or the
//! pattern of a level by one of another kind. An `origin` speaks of the figures of its own file, so those that stay take theirs along.

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::document::Pattern;
use super::inherit::inherit_kernels;
use super::shape::{property, resolve, tagged};

/// `over` on `base`, both of the kind with that table and schema.
pub(super) fn merge<'i>(kind: &str, schema: &Json, mut base: DeTable<'i>, over: DeTable<'i>) -> DeTable<'i> {
    let guide = Guide(schema);
    let origin = match base.get_mut(kind).map(Spanned::get_mut) {
        Some(DeValue::Table(head)) => head.remove("origin").map(Spanned::into_inner),
        _ => None,
    };
    let origin = match origin {
        Some(DeValue::Table(origin)) => origin,
        _ => DeTable::new(),
    };
    guide.attribute_table(&mut base, &origin, schema);
    if kind == "chip" {
        inherit_kernels(&mut base);
    }
    guide.table(base, over, schema)
}

/// The whole schema, in which references lead.
#[derive(Clone, Copy)]
struct Guide<'s>(&'s Json);

impl<'s> Guide<'s> {
    fn table<'i>(self, mut base: DeTable<'i>, over: DeTable<'i>, schema: &'s Json) -> DeTable<'i> {
        if patterned(schema) && Pattern::NAMES.iter().any(|name| over.contains_key(*name)) {
            Pattern::NAMES.iter().filter(|name| !over.contains_key(**name)).for_each(|name| drop(base.remove(*name)));
        }
        self.keys(base, over, |key| property(schema, key))
    }

    /// Key by key, in the order of the base.
    fn keys<'i>(self, mut base: DeTable<'i>, over: DeTable<'i>, schema_of: impl Fn(&str) -> Option<&'s Json>) -> DeTable<'i> {
        for (key, value) in over {
            match base.get_mut(key.get_ref().as_ref()) {
                Some(below) => {
                    let schema = schema_of(key.get_ref());
                    *below = self.value(std::mem::replace(below, Spanned::new(0..0, DeValue::Boolean(false))), value, schema);
                }
                None => drop(base.insert(key, value)),
            }
        }
        base
    }

    fn value<'i>(self, below: Spanned<DeValue<'i>>, above: Spanned<DeValue<'i>>, schema: Option<&'s Json>) -> Spanned<DeValue<'i>> {
        // An unknown key is reported later, a figure is one thing.
        let Some(schema) = schema.map(|schema| resolve(self.0, schema)).filter(|schema| !is_figure(schema)) else { return above };
        let span = above.span();
        let value = match (below.into_inner(), above.into_inner()) {
            (DeValue::Table(below), DeValue::Table(above)) => DeValue::Table(match alternatives(schema) {
                None => self.table(below, above, schema),
                Some(kinds) if below.keys().all(|kind| above.contains_key(kind.get_ref().as_ref())) => {
                    self.keys(below, above, |key| tagged(kinds).find(|kind| kind.0 == key).map(|kind| kind.1))
                }
                Some(_) => above,
            }),
            (DeValue::Array(below), DeValue::Array(above)) if named(&below) && named(&above) => {
                DeValue::Array(self.named_items(below, above, schema.get("items")))
            }
            (_, above) => above,
        };
        Spanned::new(span, value)
    }

    fn named_items<'i>(self, below: DeArray<'i>, above: DeArray<'i>, schema: Option<&'s Json>) -> DeArray<'i> {
        let mut items: Vec<Spanned<DeValue<'i>>> = below.into_iter().collect();
        for over in above {
            match items.iter_mut().find(|item| name(item.get_ref()) == name(over.get_ref())) {
                Some(item) => *item = self.value(std::mem::replace(item, Spanned::new(0..0, DeValue::Boolean(false))), over, schema),
                None => insert(&mut items, over),
            }
        }
        items.into_iter().collect()
    }

    /// Writes into every figure what it leaves to `origin`.
    fn attribute<'i>(self, value: &mut Spanned<DeValue<'i>>, origin: &DeTable<'i>, schema: &'s Json) {
        let schema = resolve(self.0, schema);
        if is_figure(schema) {
            attribute_figure(value, origin);
            return;
        }
        match value.get_mut() {
            DeValue::Table(table) => self.attribute_table(table, origin, schema),
            DeValue::Array(items) => {
                let Some(schema) = schema.get("items") else { return };
                items.iter_mut().for_each(|item| self.attribute(item, origin, schema));
            }
            _ => {}
        }
    }

    fn attribute_table<'i>(self, table: &mut DeTable<'i>, origin: &DeTable<'i>, schema: &'s Json) {
        for (key, value) in table.iter_mut() {
            let key = key.get_ref().as_ref();
            let schema = match alternatives(schema) {
                None => property(schema, key),
                Some(kinds) => tagged(kinds).find(|kind| kind.0 == key).map(|kind| kind.1),
            };
            if let Some(schema) = schema {
                self.attribute(value, origin, schema);
            }
        }
    }
}

/// Puts a new item after the one that it names, or last.
fn insert<'i>(items: &mut Vec<Spanned<DeValue<'i>>>, mut item: Spanned<DeValue<'i>>) {
    let wanted = item.get_ref().as_table().and_then(|table| Some(table.get("after")?.get_ref().as_str()?.to_owned()));
    let place = wanted.and_then(|wanted| items.iter().position(|known| name(known.get_ref()) == Some(wanted.as_str())));
    match (place, item.get_mut()) {
        (Some(place), DeValue::Table(table)) => {
            table.remove("after");
            items.insert(place + 1, item);
        }
        _ => items.push(item),
    }
}

fn attribute_figure<'i>(figure: &mut Spanned<DeValue<'i>>, origin: &DeTable<'i>) {
    let span = figure.span();
    if matches!(figure.get_ref(), DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_)) {
        let mut table = DeTable::new();
        table.insert(Spanned::new(span.clone(), "value".into()), figure.clone());
        *figure = Spanned::new(span.clone(), DeValue::Table(table));
    }
    let DeValue::Table(table) = figure.get_mut() else { return };
    let is_assumed = table.get("confidence").is_some_and(|word| word.get_ref().as_str() == Some("assumed"));
    let assumed = || Spanned::new(span.clone(), DeValue::String("assumed".into()));
    // What is assumed has no source but its own.
    let source = origin.get("source").filter(|_| !is_assumed).cloned();
    let left = [("source", source), ("confidence", Some(origin.get("confidence").cloned().unwrap_or_else(assumed)))];
    for (key, value) in left {
        if let Some(value) = value.filter(|_| !table.contains_key(key)) {
            table.insert(Spanned::new(span.clone(), key.into()), value);
        }
    }
}

fn is_figure(schema: &Json) -> bool {
    schema.get("x-quantity").is_some()
}

fn alternatives(schema: &Json) -> Option<&Vec<Json>> {
    schema.get("oneOf").and_then(Json::as_array)
}

/// Whether tables of this schema hold one of the patterns.
fn patterned(schema: &Json) -> bool {
    schema.get("properties").is_some_and(|properties| Pattern::NAMES.iter().all(|name| properties.get(name).is_some()))
}

fn named(array: &DeArray<'_>) -> bool {
    !array.is_empty() && array.iter().all(|item| name(item.get_ref()).is_some())
}

fn name<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    value.as_table()?.get("name")?.get_ref().as_str()
}
