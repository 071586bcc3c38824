//! A study as it is meant: its space of designs as axes of edits.

use super::catalog::{FoundText, Mention};
use super::document::{Any, At, Axis, Chart, Constraint, Finding, Goal, Method, Sources, Stretch, StudyFile, StudyTable};
use super::edit::{Edit, Edits, ValuePath, quantity, roots, written};
use super::extends::read_layers;
use super::file_cache::FileReader;
use super::layers::FileLayers;
use super::problem::{Place, Problem, Problems, suggest};
use crate::units::{Bytes, Figure};

/// The kind of path that leads into no file: degrees of the mapping.
pub const MAPPING: &str = "mapping";

/// A validated study; that its edits lead somewhere is seen when the files are read.
#[derive(Clone, Debug)]
pub struct StudySpec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// Its file.
    pub found: FoundText,
    /// `[study]`.
    pub study: StudyTable,
    /// Designs that the axes change.
    pub supernodes: Vec<(String, Mention)>,
    /// Workloads; empty for each supernode's own choice.
    pub workloads: Vec<(String, Mention)>,
    /// Targets; never empty.
    pub targets: Vec<(String, Mention)>,
    /// What differs; the last changes fastest.
    pub axes: Vec<AxisSpec>,
    /// Which points are tried.
    pub method: Method,
    /// What a design must keep to.
    pub constraints: Vec<Constraint>,
    /// What makes it better.
    pub objectives: Vec<Goal>,
    /// What the study shows.
    pub findings: Vec<Finding>,
    /// Pictures.
    pub charts: Vec<Chart>,
    /// Message sizes with columns of their own.
    pub message_sizes: Vec<Figure<Bytes>>,
    /// Where its figures come from: key and address.
    pub sources: Sources,
    layers: FileLayers,
}

impl StudySpec {
    /// The place of something in the file.
    #[must_use]
    pub fn place<T>(&self, at: &At<T>) -> Place {
        self.layers.place(at.span())
    }

    /// The place of the path of an edit.
    #[must_use]
    pub fn place_of_path(&self, edit: &Edit) -> Place {
        self.layers.place(edit.path_span.clone())
    }

    /// Its text and those of what it extends.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.layers.texts()
    }
}

/// What differs.
#[derive(Clone, Debug)]
pub struct AxisSpec {
    /// Name of its column.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// Its values.
    pub values: Values,
}

/// Values of an axis.
#[derive(Clone, Debug)]
pub enum Values {
    /// One by one.
    Listed(Vec<AxisValue>),
    /// Between two ends: so many at equal steps, or anything.
    Between(Between, Option<u32>),
}

impl Values {
    /// How many there are; 0 for anything between two ends.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Listed(values) => values.len(),
            Self::Between(_, points) => points.map_or(0, |points| points as usize),
        }
    }

    /// The value at a share of the way, 0 to 1: of a list the entry that the share falls on.
    #[must_use]
    pub fn at(&self, share: f64) -> AxisValue {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and below the count")]
        let entry = |count: usize| ((share * count as f64) as usize).min(count.saturating_sub(1));
        match self {
            Self::Listed(values) => values[entry(values.len())].clone(),
            Self::Between(between, None) => between.at(share),
            Self::Between(between, Some(points)) => {
                let steps = (*points as usize - 1).max(1);
                between.at(entry(*points as usize) as f64 / steps as f64)
            }
        }
    }
}

/// A value of an axis.
#[derive(Clone, Debug)]
pub struct AxisValue {
    /// As its column shows it.
    pub label: String,
    /// What it changes in the files.
    pub edits: Vec<Edit>,
    /// Degrees of the mapping that it fixes.
    pub mapping: Vec<(String, u32)>,
}

/// A stretch of numbers.
#[derive(Clone, Debug)]
pub struct Between {
    path: Written,
    span: std::ops::Range<usize>,
    from: f64,
    to: f64,
    unit: String,
    like: String,
    log: bool,
}

impl Between {
    /// The value at a share of the way, 0 to 1.
    #[must_use]
    pub fn at(&self, share: f64) -> AxisValue {
        let number =
            if self.log { (self.from.ln() + (self.to.ln() - self.from.ln()) * share).exp() } else { self.from + (self.to - self.from) * share };
        // The ends are exact, whatever a logarithm loses.
        let number = if share <= 0.0 {
            self.from
        } else if share >= 1.0 {
            self.to
        } else {
            number
        };
        value_at(&self.path, &written(number, &self.unit, &self.like), self.span.clone())
    }
}

/// What a degree must be.
const NO_DEGREE: &str = "expected a whole number of 1 or more";

/// A path and where it is written.
#[derive(Clone, Debug)]
struct Written {
    path: ValuePath,
    span: std::ops::Range<usize>,
}

/// One value at one path.
fn value_at(path: &Written, value: &str, span: std::ops::Range<usize>) -> AxisValue {
    let label = value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(value).to_owned();
    if path.path.root() == MAPPING {
        // What is no degree has been reported, and none of it is tried.
        let degree = value.parse().unwrap_or_default();
        return AxisValue { label, edits: Vec::new(), mapping: vec![(path.path.last().to_owned(), degree)] };
    }
    let edit = Edit { path: path.path.clone(), value: value.to_owned(), is_pattern: false, is_draw: false, span, path_span: path.span.clone() };
    AxisValue { label, edits: vec![edit], mapping: Vec::new() }
}

/// Reads the study that `name` means.
///
/// # Errors
/// Every problem of the file; an axis without values or with two kinds of them is one.
pub fn load_study(name: &str) -> Result<StudySpec, Problems> {
    let reader = FileReader::default();
    study_of(&reader, reader.find::<StudyFile>(name, &Mention::on_command_line())?, name)
}

/// The study that a text describes, under the name `name`.
///
/// # Errors
/// Every problem of the text.
pub fn study_of(reader: &FileReader<'_>, found: FoundText, name: &str) -> Result<StudySpec, Problems> {
    let (document, sources, layers) = read_layers::<StudyFile>(found.clone(), reader)?;
    let mut checker = StudyChecker { layers: layers.clone(), problems: Vec::new() };
    let study = document.study;
    let names = |list: &[At<String>]| -> Vec<(String, Mention)> { list.iter().map(|name| (name.to_string(), layers.mention(name.span()))).collect() };
    let mut targets = names(&study.targets);
    if targets.is_empty() {
        targets.push((DEFAULT_TARGET.to_owned(), Mention::on_command_line()));
    }
    let (supernodes, workloads) = (names(&study.supernodes), names(&study.workloads));
    for list in [&study.supernodes, &study.workloads, &study.targets] {
        checker.distinct(list.iter().map(|name| (name.to_string(), name.span())));
    }
    checker.distinct(document.axes.iter().map(|axis| (axis.name.to_string(), axis.name.span())));
    let method = study.method;
    let axes: Vec<AxisSpec> = document.axes.iter().filter_map(|axis| checker.axis(axis, method)).collect();
    for goal in &document.objectives {
        match (&goal.maximise, &goal.minimise) {
            (Some(_), Some(at)) => checker.report(at, "an objective goes one way".into(), "`maximise` or `minimise`, not both"),
            (None, None) => checker.problems.push(Problem::new("an objective is empty").help("give `maximise` or `minimise` and a column")),
            _ => {}
        }
    }
    for constraint in document.constraints.iter().filter(|constraint| constraint.most.is_none() && constraint.least.is_none()) {
        checker.report(&constraint.column, "a constraint without a bound".into(), "give `most` or `least`");
    }
    let message_sizes = study.message_sizes.clone();
    let spec = StudySpec {
        id: name.to_owned(),
        found,
        study,
        supernodes,
        workloads,
        targets,
        axes,
        method,
        constraints: document.constraints,
        objectives: document.objectives,
        findings: document.findings,
        charts: document.charts,
        message_sizes,
        sources,
        layers,
    };
    Problems::check(checker.problems, spec)
}

/// Held against where a study names no target.
const DEFAULT_TARGET: &str = "doubao-2026-04";

struct StudyChecker {
    layers: FileLayers,
    problems: Vec<Problem>,
}

impl StudyChecker {
    fn report<T>(&mut self, at: &At<T>, message: String, label: &str) {
        self.problems.push(Problem::new(message).at(self.layers.place(at.span()), label));
    }

    /// Names that would be told apart by nothing.
    fn distinct(&mut self, names: impl Iterator<Item = (String, std::ops::Range<usize>)>) {
        let mut known: Vec<(String, std::ops::Range<usize>)> = Vec::new();
        for (name, span) in names {
            if let Some((_, first)) = known.iter().find(|known| known.0 == name) {
                let problem = Problem::new(format!("`{name}` is given twice")).at(self.layers.place(span), "again here");
                self.problems.push(problem.also(self.layers.place(first.clone()), "first here"));
            } else {
                known.push((name, span));
            }
        }
    }

    fn axis(&mut self, axis: &Axis, method: Method) -> Option<AxisSpec> {
        let kinds = [
            axis.list.is_some(),
            axis.range.is_some(),
            axis.log_range.is_some(),
            axis.parts.is_some(),
            axis.patterns.is_some(),
            !axis.choice.is_empty(),
        ];
        let given = kinds.iter().filter(|given| **given).count();
        if given != 1 {
            let message = format!("axis `{}` needs exactly one kind of values, found {given}", *axis.name);
            let help = "one of `list`, `range`, `log_range`, `parts`, `patterns` and `[[axis.choice]]`";
            self.problems.push(Problem::new(message).at(self.layers.place(axis.name.span()), "which values does it take?").help(help));
            return None;
        }
        let values = if axis.choice.is_empty() {
            let Some(at) = &axis.path else {
                self.report(&axis.name, format!("axis `{}` leads nowhere", *axis.name), "missing `path`: which value does it change?");
                return None;
            };
            let path = self.path(at, at)?;
            self.along(axis, &path, method)?
        } else {
            if let Some(path) = &axis.path {
                self.report(path, "a choice brings its own paths".into(), "not beside `[[axis.choice]]`");
            }
            self.choices(axis)
        };
        if matches!(&values, Values::Listed(values) if values.is_empty()) {
            self.report(&axis.name, format!("axis `{}` has no values", *axis.name), "the space of the study is empty");
            return None;
        }
        Some(AxisSpec { name: axis.name.to_string(), place: self.layers.place(axis.name.span()), values })
    }

    fn along(&mut self, axis: &Axis, path: &Written, method: Method) -> Option<Values> {
        if path.path.root() == MAPPING {
            self.degrees(axis);
        }
        if let Some(list) = &axis.list {
            return Some(Values::Listed(list.iter().map(|value| value_at(path, &value.text(), value.span())).collect()));
        }
        if let Some(parts) = &axis.parts {
            let text = |name: &At<String>| toml::Value::String(name.to_string()).to_string();
            return Some(Values::Listed(parts.iter().map(|name| value_at(path, &text(name), name.span())).collect()));
        }
        if let Some(patterns) = &axis.patterns {
            let mut values: Vec<AxisValue> = patterns.iter().map(|pattern| pattern_at(path, pattern)).collect();
            // Two of a kind are told apart by their whole text.
            let labels: Vec<String> = values.iter().map(|value| value.label.clone()).collect();
            for (value, pattern) in values.iter_mut().zip(patterns) {
                if labels.iter().filter(|label| **label == value.label).count() > 1 {
                    value.label = pattern.text();
                }
            }
            return Some(Values::Listed(values));
        }
        let (stretch, log) = axis.range.as_ref().map(|range| (range, false)).or(axis.log_range.as_ref().map(|range| (range, true)))?;
        let between = self.between(path, stretch, log)?;
        match (stretch.points, method) {
            (Some(points), _) => Some(Values::Between(between, Some(points))),
            (None, Method::Grid) => {
                self.report(stretch, "a grid needs to know how many values to try".into(), "missing `points`");
                None
            }
            (None, _) => Some(Values::Between(between, None)),
        }
    }

    /// Degrees are whole numbers of 1 or more.
    fn degrees(&mut self, axis: &Axis) {
        for value in axis.list.iter().flatten() {
            self.degree(value);
        }
        for name in axis.parts.iter().flatten() {
            self.report(name, format!("`{}` is no degree", name.as_str()), NO_DEGREE);
        }
        for pattern in axis.patterns.iter().flatten() {
            self.report(pattern, "a pattern is no degree".into(), NO_DEGREE);
        }
        for stretch in axis.range.iter().chain(&axis.log_range) {
            self.degree(&stretch.from);
            self.degree(&stretch.to);
        }
    }

    fn degree(&mut self, value: &At<Any>) {
        if value.text().parse::<u32>().map_or(true, |degree| degree == 0) {
            self.report(value, format!("`{}` is no degree", value.text()), NO_DEGREE);
        }
    }

    fn between(&mut self, path: &Written, stretch: &At<Stretch>, log: bool) -> Option<Between> {
        let ends = quantity(&stretch.from.text()).zip(quantity(&stretch.to.text()));
        let Some(((from, unit), (to, other))) = ends else {
            self.report(stretch, "a range goes from one number or quantity to another".into(), "not numbers");
            return None;
        };
        if unit != other {
            self.report(&stretch.to, "both ends of a range have the same unit".into(), "another unit than `from`");
            return None;
        }
        if from >= to || (log && from <= 0.0) {
            let wanted = if log { "`from` must be above zero and below `to`" } else { "`from` must be below `to`" };
            self.report(stretch, "an empty range".into(), wanted);
            return None;
        }
        let whole = |at: &At<Any>| at.value().is_integer();
        let like = if whole(&stretch.from) && whole(&stretch.to) { "1" } else { "1.0" };
        Some(Between { path: path.clone(), span: stretch.span(), from, to, unit, like: like.to_owned(), log })
    }

    fn choices(&mut self, axis: &Axis) -> Values {
        let mut values = Vec::new();
        self.distinct(axis.choice.iter().map(|choice| (choice.name.label(), choice.name.span())));
        for choice in &axis.choice {
            let mut value = AxisValue { label: choice.name.label(), edits: Vec::new(), mapping: Vec::new() };
            for (text, new) in &choice.set {
                let Some(path) = self.path(text, new) else { continue };
                let is_pattern = path.path.last() == "pattern";
                let level = Written { path: path.path.parent(), span: path.span.clone() };
                if path.path.root() == MAPPING {
                    self.degree(new);
                }
                let one = if is_pattern { pattern_at(&level, new) } else { value_at(&path, &new.text(), new.span()) };
                value.edits.extend(one.edits);
                value.mapping.extend(one.mapping);
            }
            values.push(value);
        }
        Values::Listed(values)
    }

    fn path<T>(&mut self, text: &str, at: &At<T>) -> Option<Written> {
        let place = self.layers.place(at.span());
        match ValuePath::parse(text) {
            Err(reason) => {
                self.problems.push(Problem::new(format!("`{text}` is not a path: {reason}")).at(place, "expected such as `chip.memory.bandwidth`"));
            }
            Ok(path) if path.root() == MAPPING => {
                let degrees = ["tp", "ep", "dp", "pp", "sp", "ffn", "micro_batches"];
                if degrees.contains(&path.last()) && path.depth() == 2 {
                    return Some(Written { path, span: at.span() });
                }
                self.problems.push(
                    Problem::new(format!("`{text}` is no degree of a mapping")).at(place, "not known here").help(suggest(path.last(), degrees)),
                );
            }
            Ok(path) if path.file_kind().is_none() => {
                let known = roots().chain([MAPPING]).collect::<Vec<_>>();
                let problem = Problem::new(format!("`{text}` leads into no file")).at(place, format!("no file has a table `{}`", path.root()));
                self.problems.push(problem.help(suggest(path.root(), known)));
            }
            Ok(path) => return Some(Written { path, span: at.span() }),
        }
        None
    }
}

fn pattern_at(path: &Written, pattern: &At<Any>) -> AxisValue {
    let label = pattern.value().as_table().and_then(|table| table.keys().next().cloned()).unwrap_or_else(|| pattern.label());
    let edit =
        Edit { path: path.path.clone(), value: pattern.text(), is_pattern: true, is_draw: false, span: pattern.span(), path_span: path.span.clone() };
    AxisValue { label, edits: vec![edit], mapping: Vec::new() }
}

impl StudySpec {
    /// The edits of one design.
    #[must_use]
    pub fn edits(&self, values: &[AxisValue]) -> Edits {
        Edits { by: self.layers.clone(), list: values.iter().flat_map(|value| value.edits.clone()).collect() }
    }
}
