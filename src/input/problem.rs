//! What is wrong with an input, where, and what would be right.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A text that was read, with the name that people know it by.
#[derive(Debug)]
pub struct Source {
    /// Path as the user gave it, or the path inside the shipped catalog.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A stretch of a [`Source`].
#[derive(Clone, Debug)]
pub struct Place {
    /// The text it lies in.
    pub source: Arc<Source>,
    /// Byte range.
    pub span: Range<usize>,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What is wrong, in one line.
    pub message: String,
    /// The text to underline and the words under it; `None` where no text exists (a missing file).
    pub place: Option<(Place, String)>,
    /// A second place that matters: "first declared here".
    pub also: Option<(Place, String)>,
    /// What would be right.
    pub help: Option<String>,
}

impl Problem {
    /// A problem that no text shows.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, also: None, help: None }
    }

    /// Underlines `place` with `label`.
    #[must_use]
    pub fn at(mut self, place: Place, label: impl Into<String>) -> Self {
        self.place = Some((place, label.into()));
        self
    }

    /// Shows a second place.
    #[must_use]
    pub fn also(mut self, place: Place, label: impl Into<String>) -> Self {
        self.also = Some((place, label.into()));
        self
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(self.message.as_str()));
        for ((place, label), kind) in [(&self.place, AnnotationKind::Primary), (&self.also, AnnotationKind::Context)]
            .into_iter()
            .filter_map(|(entry, kind)| entry.as_ref().map(|entry| (entry, kind)))
        {
            let excerpt = Excerpt::around(&place.source.text, &place.span);
            group = group.element(
                Snippet::source(excerpt.text)
                    .line_start(excerpt.first_line)
                    .path(place.source.name.as_str())
                    .annotation(kind.span(excerpt.span).label(label.as_str())),
            );
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render(&Renderer::plain()))
    }
}

/// The lines that a span lies in: all that a message quotes, however long the text is.
struct Excerpt<'a> {
    text: &'a str,
    /// Number of its first line, from 1.
    first_line: usize,
    /// The span, counted from the start of the excerpt.
    span: Range<usize>,
}

impl<'a> Excerpt<'a> {
    fn around(text: &'a str, span: &Range<usize>) -> Self {
        let inside = |position: usize| (0..=position.min(text.len())).rev().find(|&position| text.is_char_boundary(position)).unwrap_or(0);
        let (from, to) = (inside(span.start), inside(span.end.max(span.start)));
        let start = text[..from].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[to..].find('\n').map_or(text.len(), |newline| to + newline);
        // The carriage return of a line that ends in both would be drawn as a sign of its own.
        let end = if end > to && text[..end].ends_with('\r') { end - 1 } else { end };
        let first_line = 1 + text[..start].matches('\n').count();
        Self { text: &text[start..end], first_line, span: from - start..to - start }
    }
}

/// A reader mends this many and tries again.
const MOST_SHOWN: usize = 40;

/// Everything that is wrong with an input; never empty.
#[derive(Clone, Debug)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `Ok(value)` when `problems` is empty.
    ///
    /// # Errors
    /// The problems, when there are any.
    pub fn check<T>(problems: Vec<Problem>, value: T) -> Result<T, Self> {
        if problems.is_empty() { Ok(value) } else { Err(Self(problems)) }
    }

    /// The problems in the order in which they were found.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.0
    }

    /// Changes every problem.
    #[must_use]
    pub fn map(self, change: impl FnMut(Problem) -> Problem) -> Self {
        Self(self.0.into_iter().map(change).collect())
    }

    /// Takes the list out, to join it with others.
    #[must_use]
    pub fn into_list(self) -> Vec<Problem> {
        self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl Problems {
    /// As they are displayed, with the colours of a terminal.
    #[must_use]
    pub fn coloured(&self) -> String {
        self.rendered(&Renderer::styled())
    }

    fn rendered(&self, renderer: &Renderer) -> String {
        let mut shown: Vec<String> = self.0.iter().take(MOST_SHOWN).map(|problem| problem.render(renderer)).collect();
        let more = self.0.len().saturating_sub(MOST_SHOWN);
        if more > 0 {
            shown.push(format!("{more} more problems are not shown"));
        }
        shown.join("\n\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.rendered(&Renderer::plain()))
    }
}

impl std::error::Error for Problems {}

/// Names that one is compared with; a file may hold a hundred thousand, and each of its problems asks.
const MOST_COMPARED: usize = 2000;

/// The known name nearest to `name`, if it is near enough to be a slip of the finger.
#[must_use]
pub fn near_name<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let limit = 1 + length / 4;
    known
        .into_iter()
        .take(MOST_COMPARED)
        // Names are at least as far apart as their lengths.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?" where a near name exists or a few hold what was written, otherwise the list of what is known.
#[must_use]
pub fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let part = name.to_lowercase();
    let all = known.clone().into_iter().count();
    let mut names: Vec<&str> = known.clone().into_iter().take(MOST_COMPARED).collect();
    names.sort_unstable();
    // Names that go on where this one ends are meant before one that differs in a letter: `nccl` is not `rccl`.
    let begun: Vec<String> =
        names.iter().filter(|known| known.to_lowercase().starts_with(&format!("{part}-"))).map(|known| format!("`{known}`")).collect();
    if part.len() > 2 && (1..=12).contains(&begun.len()) {
        return format!("did you mean {}?", begun.join(" or "));
    }
    if let Some(near) = near_name(name, known) {
        return format!("did you mean `{near}`?");
    }
    let longer: Vec<String> = names.iter().filter(|known| known.to_lowercase().contains(&part)).map(|known| format!("`{known}`")).collect();
    if part.len() > 2 && (1..=8).contains(&longer.len()) {
        return format!("did you mean {}?", longer.join(" or "));
    }
    let more = all.saturating_sub(24);
    names.truncate(24);
    let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (names.is_empty(), more) {
        (true, _) => "nothing of this kind is known".to_owned(),
        (false, 0) => format!("known: {listed}"),
        (false, more) => format!("known: {listed} and {more} more"),
    }
}
