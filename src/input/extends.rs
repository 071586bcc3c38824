//! `extends = "NAME"`: a supernode file that says only what differs from another.
//!
//! Tables merge key by key. Arrays of named tables (`[[level]]`, `[[auxiliary]]`) merge by name, and new names are added at the
//! end; every other array and value is replaced. The files stay apart as layers, so that a problem is still shown where it stands.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::catalog::{Found, Mention};
use super::document::{FileKind, Sources, SupernodeFile};
use super::problem::{Place, Problem, Problems, Source};
use super::read::{not_empty, parse, typed};
use super::shelf::Reader;

/// A chain longer than this is a mistake.
const MOST_LAYERS: usize = 8;

/// A file and where its text starts in the text of all layers together.
#[derive(Clone, Debug)]
pub struct Layer {
    start: usize,
    found: Found,
}

/// The files of one document, the one that extends no other first; never empty.
#[derive(Clone, Debug)]
pub struct Layers(Vec<Layer>);

impl Layers {
    /// A file that stands alone.
    #[must_use]
    pub fn single(found: Found) -> Self {
        Self(vec![Layer { start: 0, found }])
    }

    fn layer(&self, position: usize) -> &Layer {
        self.0.iter().rev().find(|layer| layer.start <= position).unwrap_or(&self.0[0])
    }

    /// The place of a span of the text of all layers.
    #[must_use]
    pub fn place(&self, span: Range<usize>) -> Place {
        let layer = self.layer(span.start);
        Place { source: Arc::clone(&layer.found.source), span: span.start - layer.start..span.end.saturating_sub(layer.start) }
    }

    /// A name given at a span of the text of all layers.
    #[must_use]
    pub fn mention(&self, span: Range<usize>) -> Mention {
        let folder = self.layer(span.start).found.folder.clone();
        Mention { place: Some(self.place(span)), folder }
    }

    /// Moves problems from the text of all layers to the files.
    fn relocate(&self, problems: Problems) -> Problems {
        problems.map(|mut problem| {
            for (place, _) in [&mut problem.place, &mut problem.also].into_iter().flatten() {
                *place = self.place(place.span.clone());
            }
            problem
        })
    }
}

/// Reads a file of kind `K` and all that it extends, with the edits of the reader.
///
/// # Errors
/// Every problem of the files; a chain of `extends` that leads back to itself or never ends.
pub fn read_layers<K: FileKind>(found: Found, reader: &Reader<'_>) -> Result<(K::Content, Sources, Layers), Problems> {
    match reader.editor(K::KIND, &found) {
        Some(by) => {
            let chain = chain::<K>(found, reader)?;
            merged::<K>(chain, Some(by), reader)
        }
        None => {
            let key = found.clone();
            reader.kept::<K>(&key, || merged::<K>(chain::<K>(found, reader)?, None, reader))
        }
    }
}

/// The file, what it extends, what that extends, and so on.
fn chain<K: FileKind>(found: Found, reader: &Reader<'_>) -> Result<Vec<Found>, Problems> {
    not_empty::<K>(&found.source)?;
    let mut chain = vec![found];
    while let Some((name, place)) = extends::<K>(&chain[chain.len() - 1].source)? {
        let mention = Mention { place: Some(place.clone()), folder: chain[chain.len() - 1].folder.clone() };
        let base = reader.find::<K>(&name, &mention)?;
        if chain.iter().any(|found| found.source.name == base.source.name) {
            let circle: Vec<&str> = chain.iter().map(|found| found.source.name.as_str()).chain([base.source.name.as_str()]).collect();
            let problem = Problem::new(format!("`{name}` extends itself")).at(place, "leads back to a file that led here");
            return Err(problem.help(circle.join(" -> ")).into());
        }
        if chain.len() == MOST_LAYERS {
            return Err(Problem::new(format!("more than {MOST_LAYERS} files extend each other")).at(place, "one more here").into());
        }
        chain.push(base);
    }
    Ok(chain)
}

/// The name that a file extends, and its place; only supernodes do.
fn extends<K: FileKind>(source: &Arc<Source>) -> Result<Option<(String, Place)>, Problems> {
    if K::KIND != SupernodeFile::KIND {
        return Ok(None);
    }
    let table = parse(source, &source.text)?;
    let name = table.get_ref().get("extends").and_then(|value| Some((value.get_ref().as_str()?.to_owned(), value.span())));
    Ok(name.map(|(name, span)| (name, Place { source: Arc::clone(source), span })))
}

/// The layers as one table, with the edits of the reader; `by` is the text that asks for them.
fn merged<K: FileKind>(chain: Vec<Found>, by: Option<&Found>, reader: &Reader<'_>) -> Result<(K::Content, Sources, Layers), Problems> {
    let first = chain[0].clone();
    // A file alone is its own whole. Otherwise each text is parsed behind as much blank space as the texts before it take, so that its
    // spans are those of the whole.
    let alone = chain.len() == 1;
    let mut joined = String::new();
    let mut padded = Vec::new();
    let mut layers = Vec::new();
    for found in chain.into_iter().rev() {
        let start = joined.len();
        if !alone {
            padded.push(" ".repeat(start) + &found.source.text);
            joined += &found.source.text;
            joined.push('\n');
        }
        layers.push(Layer { start, found });
    }
    let whole = if alone { Arc::clone(&first.source) } else { Arc::new(Source { name: String::new(), text: joined }) };
    let behind = whole.text.len() + 1;
    layers.extend(by.map(|by| Layer { start: behind, found: by.clone() }));
    let layers = Layers(layers);
    let texts = if alone { vec![whole.text.as_str()] } else { padded.iter().map(String::as_str).collect() };
    let mut tables = Vec::new();
    for text in texts {
        tables.push(parse(&whole, text).map_err(|problems| layers.relocate(problems))?);
    }
    let merged = tables.into_iter().reduce(|base, over| Spanned::new(over.span(), merge(base.into_inner(), over.into_inner())));
    let mut merged = merged.unwrap_or_else(|| Spanned::new(0..0, DeTable::new()));
    reader.edit(K::KIND, &first, merged.get_mut(), behind);
    reader.note(K::KIND, &first, merged.get_ref());
    let (content, sources) = typed::<K>(&whole, merged).map_err(|problems| layers.relocate(problems))?;
    Ok((content, sources, layers))
}

fn merge<'i>(mut base: DeTable<'i>, over: DeTable<'i>) -> DeTable<'i> {
    for (key, value) in over {
        let below = base.remove(key.get_ref().as_ref());
        let span = value.span();
        let value = match (below.map(Spanned::into_inner), value.into_inner()) {
            (Some(DeValue::Table(below)), DeValue::Table(above)) => DeValue::Table(merge(below, above)),
            (Some(DeValue::Array(below)), DeValue::Array(above)) if named(&below) && named(&above) => DeValue::Array(merge_named(below, above)),
            (_, above) => above,
        };
        base.insert(key, Spanned::new(span, value));
    }
    base
}

fn named(array: &DeArray<'_>) -> bool {
    !array.is_empty() && array.iter().all(|item| name(item.get_ref()).is_some())
}

fn name<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    value.as_table()?.get("name")?.get_ref().as_str()
}

fn merge_named<'i>(below: DeArray<'i>, above: DeArray<'i>) -> DeArray<'i> {
    let mut items: Vec<Spanned<DeValue<'i>>> = below.into_iter().collect();
    for over in above {
        let position = items.iter().position(|item| name(item.get_ref()) == name(over.get_ref()));
        let span = over.span();
        match (position, over.into_inner()) {
            (Some(position), DeValue::Table(table)) => {
                let base = std::mem::replace(&mut items[position], Spanned::new(span.clone(), DeValue::Boolean(false)));
                let merged = match base.into_inner() {
                    DeValue::Table(base) => merge(base, table),
                    _ => table,
                };
                items[position] = Spanned::new(span, DeValue::Table(merged));
            }
            (_, value) => items.push(Spanned::new(span, value)),
        }
    }
    items.into_iter().collect()
}
