//! `extends = "NAME"`: a file that says only what differs from another of its kind.
//!
//! `merge.rs` says what becomes of the two. The files stay apart as layers, so that a problem is still shown where it stands.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::catalog::{FoundText, Mention, find, find_in, shipped_kind};
use super::document::{FileKind, Kind, Sources, SupernodeFile};
use super::edit::{ValuePath, remove};
use super::file_cache::FileReader;
use super::layers::{FileLayer, FileLayers};
use super::merge::merge;
use super::problem::{Place, Problem, Problems, Source};
use super::read::{not_empty, parse, typed};
use super::shape::{MOST_PROBLEMS, PartName};

/// A chain longer than this is a mistake.
const MOST_LAYERS: usize = 8;

/// Reads a file of kind `K` and all that it extends, with the edits of the reader.
///
/// # Errors
/// Every problem of the files; a chain of `extends` that leads back to itself or never ends.
pub fn read_layers<K: FileKind>(found: FoundText, reader: &FileReader<'_>) -> Result<(K::Content, Sources, FileLayers), Problems> {
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
fn chain<K: FileKind>(found: FoundText, reader: &FileReader<'_>) -> Result<Vec<FoundText>, Problems> {
    not_empty::<K>(&found.source)?;
    // Most files extend nothing; they are parsed once, later.
    if !found.source.text.contains("extends") {
        return Ok(vec![found]);
    }
    let mut extends = Head::of(&found.source)?.extends;
    let mut chain = vec![found];
    while let Some((name, place)) = extends {
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
        not_empty::<K>(&base.source)?;
        let head = Head::of(&base.source)?;
        if let Some(other) = head.kind.filter(|kind| *kind != K::KIND) {
            let problem = Problem::new(format!("`{name}` does not hold `[{}]`", K::KIND)).at(place, format!("holds `[{other}]`"));
            return Err(problem.help("a file extends another of its own kind").into());
        }
        extends = head.extends;
        chain.push(base);
    }
    Ok(chain)
}

/// The kind of a file: of the table that it holds, or of what it extends; `None` where neither tells.
#[must_use]
pub fn kind_of(found: &FoundText) -> Option<&'static str> {
    let mut found = found.clone();
    for _ in 0..MOST_LAYERS {
        let head = Head::of(&found.source).ok()?;
        if head.kind.is_some() {
            return head.kind;
        }
        let (name, place) = head.extends?;
        if let Some(kind) = shipped_kind(&name) {
            return Some(kind);
        }
        // A path leads to the same file whatever is looked for.
        found = find::<SupernodeFile>(&name, &Mention { place: Some(place), folder: found.folder }).ok()?;
    }
    None
}

/// What a file says of itself.
struct Head {
    /// The name that it extends, and where.
    extends: Option<(String, Place)>,
    /// The kind whose table it holds, if any.
    kind: Option<&'static str>,
}

impl Head {
    fn of(source: &Arc<Source>) -> Result<Self, Problems> {
        let table = parse(source, &source.text)?;
        let table = table.get_ref();
        let name = table.get("extends").and_then(|value| Some((value.get_ref().as_str()?.to_owned(), value.span())));
        Ok(Self {
            extends: name.map(|(name, span)| (name, Place { source: Arc::clone(source), span })),
            kind: Kind::ALL.map(Kind::word).into_iter().find(|kind| table.contains_key(*kind)),
        })
    }
}

/// The layers as one table, with the edits of the reader; `by` is the text that asks for them.
fn merged<K: FileKind>(
    chain: Vec<FoundText>,
    by: Option<&FileLayers>,
    reader: &FileReader<'_>,
) -> Result<(K::Content, Sources, FileLayers), Problems> {
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
        layers.push(FileLayer { start, found, title: None });
    }
    let whole = if alone { Arc::clone(&first.source) } else { Arc::new(Source { name: String::new(), text: joined }) };
    // Values before this place are those of what the file extends.
    let own = layers.last().map_or(0, |layer| layer.start);
    let behind = whole.text.len() + 1;
    layers.extend(by.iter().flat_map(|by| &by.0).map(|layer| FileLayer { start: behind + layer.start, ..layer.clone() }));
    let mut layers = FileLayers(layers);
    let texts = if alone { vec![whole.text.as_str()] } else { padded.iter().map(String::as_str).collect() };
    let mut merged: Option<Spanned<DeTable<'_>>> = None;
    let mut title = None;
    for (place, text) in texts.into_iter().enumerate() {
        let mut over = parse(&whole, text).map_err(|problems| layers.relocate(problems))?;
        title = title_of(over.get_ref()).or(title);
        layers.0[place].title.clone_from(&title);
        let removed = over.get_mut().remove("remove");
        merged = Some(match merged {
            Some(mut base) => {
                without(&whole, base.get_mut(), removed.as_ref()).map_err(|problems| layers.relocate(problems))?;
                let same = same_sources(&whole, base.get_ref(), over.get_ref());
                Problems::check(same, ()).map_err(|problems| layers.relocate(problems))?;
                Spanned::new(over.span(), merge(K::KIND, K::schema(), base.into_inner(), over.into_inner()))
            }
            None => {
                if let Some(removed) = removed {
                    let place = Place { source: Arc::clone(&whole), span: removed.span() };
                    let problem = Problem::new("there is nothing to remove from").at(place, "this file extends no other");
                    return Err(layers.relocate(problem.into()));
                }
                over
            }
        });
    }
    let mut merged = merged.unwrap_or_else(|| Spanned::new(0..0, DeTable::new()));
    // A value that a study puts in is one of the file.
    layers.0.iter_mut().filter(|layer| layer.start >= behind).for_each(|layer| layer.title.clone_from(&title));
    reader.edit(K::KIND, &first, merged.get_mut(), behind);
    match typed::<K>(&whole, merged, |table| reader.note(K::KIND, (&first, &whole.text), (table, own), &layers)) {
        Ok((content, sources)) => Ok((content, sources, layers)),
        Err((problems, names)) => {
            let mut problems = layers.relocate(problems).into_list();
            problems.extend(names.iter().filter_map(|name| leads_nowhere(name, &layers)).take(MOST_PROBLEMS));
            Err(Problems::check(problems, ()).err().unwrap_or_else(|| Problem::new("the file cannot be read").into()))
        }
    }
}

/// What a file calls what it describes.
fn title_of(table: &DeTable<'_>) -> Option<String> {
    table.values().find_map(|head| Some(head.get_ref().as_table()?.get("name")?.get_ref().as_str()?.to_owned()))
}

/// The problem of a name that no file has, in a file that has other problems too.
fn leads_nowhere(name: &PartName, layers: &FileLayers) -> Option<Problem> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == name.kind)?;
    // A model may be a config.json, or a folder that holds one.
    if kind.word() == "model" && name.name.contains(['/', '.']) {
        return None;
    }
    let found = find_in(&name.name, &layers.mention(name.span.clone()), kind.folder(), kind.word(), "toml");
    found.err().and_then(|problems| problems.into_list().into_iter().next())
}

/// Takes out of a base what the file above does without.
fn without(whole: &Arc<Source>, base: &mut DeTable<'_>, removed: Option<&Spanned<DeValue<'_>>>) -> Result<(), Problems> {
    let Some(removed) = removed else { return Ok(()) };
    let place = |span| Place { source: Arc::clone(whole), span };
    let Some(paths) = removed.get_ref().as_array() else {
        return Err(Problem::new("`remove` must be an array").at(place(removed.span()), "expected paths, such as [\"supernode.engine\"]").into());
    };
    let mut problems = Vec::new();
    for path in paths {
        let text = path.get_ref().as_str().unwrap_or_default();
        match ValuePath::parse(text) {
            Ok(parsed) if remove(&parsed, base) => {}
            Ok(_) => {
                let problem = Problem::new(format!("`{text}` cannot be removed")).at(place(path.span()), "leads nowhere in what this file extends");
                problems.push(problem.help("paths are such as `supernode.engine`, `level[rack].attach`, `auxiliary[NICs]`"));
            }
            Err(why) => problems.push(Problem::new(format!("`{text}` is no path: {why}")).at(place(path.span()), "expected such as `level[rack]`")),
        }
    }
    Problems::check(problems, ())
}

/// Keys of `[sources]` that would lead the figures of the base to another address.
fn same_sources(whole: &Arc<Source>, base: &DeTable<'_>, over: &DeTable<'_>) -> Vec<Problem> {
    fn sources<'t, 'i>(table: &'t DeTable<'i>) -> Option<&'t DeTable<'i>> {
        table.get("sources")?.get_ref().as_table()
    }
    let place = |value: &Spanned<DeValue<'_>>| Place { source: Arc::clone(whole), span: value.span() };
    let shared =
        sources(over).into_iter().flatten().filter_map(|(key, above)| Some((key.get_ref(), above, sources(base)?.get(key.get_ref().as_ref())?)));
    shared
        .filter(|(_, above, below)| above.get_ref().as_str() != below.get_ref().as_str())
        .map(|(key, above, below)| {
            let problem = Problem::new(format!("source `{key}` leads to two addresses")).at(place(above), "one here");
            problem
                .also(place(below), "another in what this file extends")
                .help("figures that stay as they are name it too: give this one another key")
        })
        .collect()
}
