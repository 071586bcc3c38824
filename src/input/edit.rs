//! Other values in place of what files say: `(kind of file, name of file, path inside it) -> value`, put into the parsed table before
//! its shape is checked. A study varies designs this way, so any value of any file can be an axis, and a value that does not fit is
//! reported as in a file: at the text that gives it.
//!
//! A path starts with the table of a file (`chip`, `link`, `workload`, `level`, ...) and goes down by keys: `chip.memory.bandwidth`.
//! Brackets choose: a file by its name (`link[ualink-x4].lane_rate`; every file of the kind without them), an item of an array by its
//! `name` or number (`level[rack].size`, `layer[0]`), every item with `[*]`.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::catalog::FoundText;
use super::document::{Kind, Pattern};
use super::layers::FileLayers;
use super::problem::Source;

/// The file tables that a path may start with: those of every kind of file but studies, which are what varies the others.
pub fn roots() -> impl Iterator<Item = &'static str> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::Study).flat_map(|kind| kind.tables().iter().copied())
}

/// A step of a [`ValuePath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PathStep {
    key: String,
    /// What stands in brackets.
    choice: Option<String>,
}

/// Where in the files a value stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValuePath(Vec<PathStep>);

impl ValuePath {
    /// Reads `link[ualink-x4].lane_rate`.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (key, mut after) = rest.split_at(end);
            let mut choice = None;
            if let Some(inside) = after.strip_prefix('[') {
                let (chosen, behind) = inside.split_once(']').ok_or("a bracket is not closed")?;
                (choice, after) = (Some(chosen.trim().to_owned()), behind);
            }
            if key.trim().is_empty() || choice.as_deref() == Some("") {
                return Err("a key is missing".to_owned());
            }
            steps.push(PathStep { key: key.trim().to_owned(), choice });
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(Self(steps)),
                None => return Err(format!("expected `.` before `{after}`")),
            }
        }
    }

    /// The table that it starts with.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.0[0].key
    }

    /// The key that it ends with.
    #[must_use]
    pub fn last(&self) -> &str {
        &self.0[self.0.len() - 1].key
    }

    /// Keys on the way.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// The path without its last key; itself where it has only one.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1).max(1)].to_vec())
    }

    /// Kind of the files that it leads into; `None` if no kind of file has such a table.
    #[must_use]
    pub fn file_kind(&self) -> Option<&'static str> {
        Kind::with_table(self.root()).filter(|kind| *kind != Kind::Study).map(Kind::word)
    }

    /// What stands in the first brackets: the name of a file, or of an item of an array in it.
    #[must_use]
    pub fn first_choice(&self) -> Option<&str> {
        self.0[0].choice.as_deref()
    }

    /// Whether it leads into the file of that kind and name.
    fn leads_into(&self, kind: &str, name: &str) -> bool {
        let array = matches!(self.root(), "level" | "auxiliary");
        self.file_kind() == Some(kind) && (array || self.first_choice().is_none_or(|choice| choice == "*" || choice == name))
    }
}

impl fmt::Display for ValuePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            let dot = if index > 0 { "." } else { "" };
            match &step.choice {
                Some(choice) => write!(out, "{dot}{}[{choice}]", step.key)?,
                None => write!(out, "{dot}{}", step.key)?,
            }
        }
        Ok(())
    }
}

/// One changed value.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Where the value stands.
    pub path: ValuePath,
    /// The new value as TOML text: `3`, `"2 us"`, `{ part = "tomahawk-6", planes = 8 }`. A key that is not there is added.
    pub value: String,
    /// The value is a table with a pattern, and takes the place of whatever pattern the level has.
    pub is_pattern: bool,
    /// The value is a draw from the range of a figure: the design stays the same.
    pub is_draw: bool,
    /// Where the value is written, in [`Edits::by`].
    pub span: Range<usize>,
    /// Where the path is.
    pub path_span: Range<usize>,
}

/// Changed values and the text that asks for them.
#[derive(Clone, Debug)]
pub struct Edits {
    /// The texts that the spans count in.
    pub by: FileLayers,
    /// Applied in this order.
    pub list: Vec<Edit>,
}

impl Edits {
    /// Values that no file asks for: each line of a text of its own is the place of one.
    #[must_use]
    pub fn unwritten(who: &str, values: impl IntoIterator<Item = (ValuePath, String)>) -> Self {
        let mut text = String::new();
        let mut list = Vec::new();
        for (path, value) in values {
            let start = text.len();
            text += &format!("{path} = {value}\n");
            let span = start..text.len() - 1;
            list.push(Edit { path, value, is_pattern: false, is_draw: false, span: span.clone(), path_span: span });
        }
        let found = FoundText { source: Arc::new(Source { name: who.to_owned(), text }), folder: Some(PathBuf::new()) };
        Self { by: FileLayers::single(found), list }
    }

    /// The edits with draws behind them.
    #[must_use]
    pub fn drawn(mut self, values: impl IntoIterator<Item = (ValuePath, String)>) -> Self {
        let place = 0..0;
        let draws =
            values.into_iter().map(|(path, value)| Edit { path, value, is_pattern: false, is_draw: true, span: 0..0, path_span: place.clone() });
        self.list.extend(draws);
        self
    }

    /// The edits that lead into a file, with their numbers.
    pub(super) fn of_file<'a, 'n>(&'a self, kind: &'n str, name: &'n str) -> impl Iterator<Item = (usize, &'a Edit)> + use<'a, 'n> {
        self.list.iter().enumerate().filter(move |(_, edit)| edit.path.leads_into(kind, name))
    }
}

/// Changes a parsed file; `false` if the path leads nowhere in it. New spans are `offset` beyond those of the edit.
pub(super) fn apply<'t>(edit: &'t Edit, table: &mut DeTable<'t>, offset: usize) -> bool {
    let (parsed, errors) = DeValue::parse_recoverable(&edit.value);
    if !errors.is_empty() {
        return false;
    }
    let behind = |span: &Range<usize>| span.start + offset..span.end + offset;
    let mut steps = edit.path.0.clone();
    // The first brackets of a file that is one table chose the file.
    if table.get(steps[0].key.as_str()).is_some_and(|value| value.get_ref().is_table()) {
        steps[0].choice = None;
    }
    Change { value: stand_at(parsed.into_inner(), &behind(&edit.span)), key: behind(&edit.path_span), is_pattern: edit.is_pattern }
        .table(table, &steps)
}

/// Takes a value out of a parsed file; `false` if the path leads nowhere in it.
pub(super) fn remove(path: &ValuePath, table: &mut DeTable<'_>) -> bool {
    fn from(table: &mut DeTable<'_>, steps: &[PathStep]) -> bool {
        let Some((step, below)) = steps.split_first() else { return false };
        let Some(choice) = &step.choice else {
            if below.is_empty() {
                return table.remove(step.key.as_str()).is_some();
            }
            return match table.get_mut(step.key.as_str()).map(Spanned::get_mut) {
                Some(DeValue::Table(inner)) => from(inner, below),
                _ => false,
            };
        };
        let Some(DeValue::Array(items)) = table.get_mut(step.key.as_str()).map(Spanned::get_mut) else { return false };
        if below.is_empty() {
            let (gone, kept): (Vec<_>, Vec<_>) = std::mem::replace(items, std::iter::empty().collect())
                .into_iter()
                .enumerate()
                .partition(|(index, item)| chosen(choice, *index, item.get_ref()));
            *items = kept.into_iter().map(|(_, item)| item).collect();
            return !gone.is_empty();
        }
        let mut found = false;
        for (_, item) in items.iter_mut().enumerate().filter(|(index, item)| chosen(choice, *index, item.get_ref())) {
            if let DeValue::Table(inner) = item.get_mut() {
                found |= from(inner, below);
            }
        }
        found
    }
    from(table, &path.0)
}

/// The new value, at its place.
struct Change<'t> {
    value: Spanned<DeValue<'t>>,
    /// Place of a key that is added.
    key: Range<usize>,
    is_pattern: bool,
}

impl<'t> Change<'t> {
    fn table(&self, table: &mut DeTable<'t>, steps: &[PathStep]) -> bool {
        let Some((step, below)) = steps.split_first() else { return false };
        let Some(value) = table.get_mut(step.key.as_str()) else { return self.add(table, step, below) };
        let Some(choice) = &step.choice else { return self.value(value, below) };
        let DeValue::Array(items) = value.get_mut() else { return false };
        let mut found = false;
        for (_, item) in items.iter_mut().enumerate().filter(|(index, item)| chosen(choice, *index, item.get_ref())) {
            found |= self.value(item, below);
        }
        found
    }

    fn value(&self, value: &mut Spanned<DeValue<'t>>, below: &[PathStep]) -> bool {
        if !below.is_empty() {
            let DeValue::Table(inner) = value.get_mut() else { return false };
            return self.table(inner, below);
        }
        if !self.is_pattern {
            *value = self.value.clone();
            return true;
        }
        let (DeValue::Table(level), DeValue::Table(pattern)) = (value.get_mut(), self.value.get_ref()) else { return false };
        for name in Pattern::NAMES {
            level.remove(name);
        }
        level.extend(pattern.clone());
        true
    }

    /// A key that the file leaves out; the shape check says whether it may be there.
    fn add(&self, table: &mut DeTable<'t>, step: &PathStep, below: &[PathStep]) -> bool {
        if self.is_pattern || step.choice.is_some() || below.iter().any(|step| step.choice.is_some()) {
            return false;
        }
        let value = match below.split_first() {
            None => self.value.clone(),
            Some((next, rest)) => {
                let mut inner = DeTable::new();
                self.add(&mut inner, next, rest);
                Spanned::new(self.key.clone(), DeValue::Table(inner))
            }
        };
        table.insert(Spanned::new(self.key.clone(), step.key.clone().into()), value);
        true
    }
}

/// Whether brackets mean this item of an array.
fn chosen(choice: &str, index: usize, item: &DeValue<'_>) -> bool {
    let name = item.as_table().and_then(|item| item.get("name")?.get_ref().as_str());
    choice == "*" || name == Some(choice) || choice.parse() == Ok(index)
}

/// The value with all its parts at `span`.
fn stand_at<'t>(value: DeValue<'t>, span: &Range<usize>) -> Spanned<DeValue<'t>> {
    let value = match value {
        DeValue::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| (Spanned::new(span.clone(), key.into_inner()), stand_at(value.into_inner(), span)));
            DeValue::Table(entries.collect())
        }
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|item| stand_at(item.into_inner(), span)).collect()),
        other => other,
    };
    Spanned::new(span.clone(), value)
}

/// A value at the end of a path, as a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafValue {
    /// Where it stands, files and items chosen by name.
    pub path: ValuePath,
    /// What the figure is, from which its draws follow: its path, with the part that states it in place of the name of the part's file, and without
    /// the name of the machine or the workload. A copy under another name, and a file that inherits the figure, have the same.
    pub identity: String,
    /// As TOML text; the central value of a figure.
    pub value: String,
    /// The ends of a figure's range, as TOML text.
    pub range: Option<(String, String)>,
    /// How sure it is, where it or its file says so.
    pub confidence: Option<String>,
    /// Address of its source, where it or its file names one.
    pub source: Option<String>,
    /// Whether it comes from a file that this one extends.
    pub inherited: bool,
}

/// What a file says of the figures that say nothing themselves, and where its keys of sources lead.
struct FileOrigin<'t, 'i> {
    source: Option<&'t str>,
    confidence: Option<&'t str>,
    sources: Option<&'t DeTable<'i>>,
}

impl<'t, 'i> FileOrigin<'t, 'i> {
    fn by(file: &'t DeTable<'i>) -> Self {
        let sources = file.get("sources").and_then(|sources| sources.get_ref().as_table());
        let origin = file.values().find_map(|head| head.get_ref().as_table()?.get("origin")?.get_ref().as_table());
        let word = |key: &str| origin.and_then(|origin| origin.get(key)?.get_ref().as_str());
        Self { source: word("source"), confidence: word("confidence"), sources }
    }

    /// Confidence of a figure and the address of its source.
    fn of(&self, figure: Option<&DeTable<'_>>) -> [Option<String>; 2] {
        let own = |key: &str| figure.and_then(|figure| Some(figure.get(key)?.get_ref().as_str()?.to_owned()));
        let confidence = own("confidence").or_else(|| self.confidence.map(str::to_owned));
        // What is assumed has no source but its own.
        let inherited = self.source.filter(|_| own("confidence").is_none_or(|word| word != "assumed"));
        let source = own("source").or_else(|| inherited.map(str::to_owned));
        let address = |key: String| self.sources.and_then(|sources| Some(sources.get(key.as_str())?.get_ref().as_str()?.to_owned())).unwrap_or(key);
        [confidence, source.map(address)]
    }
}

impl ValuePath {
    /// Whether `self`, which may hold `*` (any key or item) and `**` (any keys), means `exact`, a path of a [`LeafValue`].
    #[must_use]
    pub fn means(&self, exact: &Self) -> bool {
        fn fits(pattern: &[PathStep], exact: &[PathStep]) -> bool {
            match (pattern.split_first(), exact.split_first()) {
                (None, None) => true,
                (Some((first, rest)), _) if first.key == "**" => {
                    fits(rest, exact) || exact.split_first().is_some_and(|(_, exact)| fits(pattern, exact))
                }
                (Some((first, rest)), Some((step, exact))) => {
                    let choice = first.choice.as_deref().is_none_or(|choice| choice == "*" || Some(choice) == step.choice.as_deref());
                    (first.key == "*" || first.key == step.key) && choice && fits(rest, exact)
                }
                _ => false,
            }
        }
        fits(&self.0, &exact.0)
    }
}

/// Every value of a file that is a number, a quantity, a figure or a text, in file order. What stands before `own` in the text of all layers comes from a
/// file that this one extends.
pub(super) fn leaves(kind: &str, name: &str, (table, own): (&DeTable<'_>, usize), layers: &FileLayers) -> Vec<LeafValue> {
    let mut found = Vec::new();
    let told = FileOrigin::by(table);
    let owners = layers.identities(kind);
    // What an inherited figure is does not change with the file that inherits it; what was derived from one is of the file that derives it.
    let owner = |stated: Stated| {
        let place = owners.iter().rposition(|(start, _)| *start <= stated.at).unwrap_or(0) + usize::from(stated.above);
        owners.get(place).or(owners.last()).map(|(_, owner)| owner.clone())
    };
    for (key, value) in table {
        let Some(known) = Kind::with_table(key.get_ref()).filter(|known| known.word() == kind) else { continue };
        let is_file = value.get_ref().is_table();
        let choice = is_file.then(|| name.to_owned());
        let mut values = Vec::new();
        collect(value, &[PathStep { key: key.get_ref().to_string(), choice }], &told, own, &mut values);
        found.extend(values.into_iter().map(|(stated, leaf)| {
            let mut path = leaf.path.clone();
            if is_file {
                path.0[0].choice = owner(stated).filter(|_| !known.is_one_to_a_question());
            }
            LeafValue { identity: path.to_string(), ..leaf }
        }));
    }
    found
}

/// Which file states a value.
#[derive(Clone, Copy)]
struct Stated {
    /// Position of its text.
    at: usize,
    /// Whether the file above makes another figure of it, as of what was calibrated on another chip.
    above: bool,
}

/// The values below one of a file.
fn collect(value: &Spanned<DeValue<'_>>, steps: &[PathStep], told: &FileOrigin<'_, '_>, own: usize, found: &mut Vec<(Stated, LeafValue)>) {
    let inherited = value.span().start < own;
    let mut leaf = |value: &Spanned<DeValue<'_>>, range, above, [confidence, source]: [Option<String>; 2]| {
        let Some(text) = text(value.get_ref()) else { return };
        let leaf = LeafValue { path: ValuePath(steps.to_vec()), identity: String::new(), value: text, range, confidence, source, inherited };
        found.push((Stated { at: value.span().start, above }, leaf));
    };
    match value.get_ref() {
        DeValue::Table(figure) if figure.contains_key("value") => {
            let ends = figure.get("range").and_then(|range| match range.get_ref().as_array()?.as_ref() {
                [low, high] => Some((text(low.get_ref())?, text(high.get_ref())?)),
                _ => None,
            });
            // `inherit.rs` writes it over the value.
            let above = figure.get("confidence").is_some_and(|confidence| confidence.span() == figure["value"].span());
            leaf(&figure["value"], ends, above, told.of(Some(figure)));
        }
        DeValue::Table(table) => {
            for (key, value) in table {
                let step = PathStep { key: key.get_ref().to_string(), choice: None };
                collect(value, &[steps, &[step]].concat(), told, own, found);
            }
        }
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate().filter(|(_, item)| item.get_ref().is_table()) {
                let name = item.get_ref().as_table().and_then(|item| Some(item.get("name")?.get_ref().as_str()?.to_owned()));
                let mut steps = steps.to_vec();
                if let Some(last) = steps.last_mut() {
                    last.choice = Some(name.unwrap_or_else(|| index.to_string()));
                }
                collect(item, &steps, told, own, found);
            }
        }
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            leaf(value, None, false, told.of(None));
        }
    }
}

/// A value as TOML text.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(toml::Value::String(text.to_string()).to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// A number, or a quantity's number and its unit, as a [`LeafValue`] or an edit writes it.
#[must_use]
pub fn quantity(text: &str) -> Option<(f64, String)> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let (number, unit) = crate::units::split(inner)?;
    Some((number, unit.to_owned()))
}

/// The TOML text of a number with a unit; of a whole number where `like` is one.
#[must_use]
pub fn written(number: f64, unit: &str, like: &str) -> String {
    // Twelve digits: what roots and products add behind them is noise.
    let number = format!("{number:.11e}").parse().unwrap_or(number);
    if !unit.is_empty() {
        return format!("\"{number} {unit}\"");
    }
    if like.parse::<i64>().is_ok() { format!("{}", number.round()) } else { format!("{number:?}") }
}
