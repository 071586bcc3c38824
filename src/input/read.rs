//! Text to table to document: syntax, then shape, then types; all problems of the first step that finds any.

use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::document::{FileKind, Kind, Sources};
use super::problem::{Place, Problem, Problems, Source};
use super::reading_cost::{not_too_much, toml_cost};
use super::shape::{self, PartName};

pub(super) fn not_empty<K: FileKind>(source: &Source) -> Result<(), Problems> {
    if source.text.trim().is_empty() {
        return Err(Problem::new(format!("`{}` is empty", source.name)).help(format!("expected a [{}] table", K::KIND)).into());
    }
    Ok(())
}

/// Texts beyond this are not read to the end for further syntax errors.
const LONG_TEXT: usize = 64 << 10;

/// Text to table.
///
/// # Errors
/// Every syntax error; a text whose table would take too much memory.
pub fn parse<'i>(source: &Arc<Source>, text: &'i str) -> Result<Spanned<DeTable<'i>>, Problems> {
    // Every error of a long text that is not TOML at all would take gigabytes: the first one is enough there.
    if text.len() > LONG_TEXT {
        let read = match error_of_the_beginning(text) {
            Some(error) => Err(error),
            None => {
                not_too_much(source, toml_cost(text))?;
                DeTable::parse(text)
            }
        };
        return read.map_err(|error| {
            let message = error.message().lines().next().unwrap_or("not TOML");
            let problem = Problem::new("this is not valid TOML").at(place(source, error.span().unwrap_or(0..0)), message);
            problem.help("the file is long: further errors are not looked for").into()
        });
    }
    let (table, syntax_errors) = DeTable::parse_recoverable(text);
    let problems = syntax_errors
        .iter()
        .map(|error| {
            let message = error.message().lines().next().unwrap_or("not TOML");
            Problem::new("this is not valid TOML").at(place(source, error.span().unwrap_or(0..0)), message)
        })
        .collect();
    Problems::check(problems, table)
}

/// A syntax error in the first lines of a long text, so that megabytes that are not TOML are refused without reading all of them. An error that the
/// cut itself may cause, such as an array over many lines without its end, is ignored.
fn error_of_the_beginning(text: &str) -> Option<toml::de::Error> {
    let cut = text.as_bytes()[..LONG_TEXT].iter().rposition(|byte| *byte == b'\n')? + 1;
    let error = DeTable::parse(&text[..cut]).err()?;
    let whole = error.span().is_some_and(|span| span.end < cut / 2) && !error.message().contains("unclosed");
    whole.then_some(error)
}

/// Table to document: shape, then types; `note` is given a table of the right shape. Beside the problems, the names that lead to other files: a
/// reader mends all at once.
///
/// # Errors
/// Every unknown key, missing key, wrong type and bad quantity; what `note` refuses.
pub fn typed<K: FileKind>(
    source: &Arc<Source>,
    table: Spanned<DeTable<'_>>,
    note: impl FnOnce(&DeTable<'_>) -> Result<(), Problem>,
) -> Result<(K::Content, Sources), (Problems, Vec<PartName>)> {
    of_another_kind::<K>(source, table.get_ref()).map_err(|problems| (problems, Vec::new()))?;
    Problems::check(shape::check(source, &table, K::schema()), ()).map_err(|problems| (problems, shape::part_names(table.get_ref(), K::schema())))?;
    note(table.get_ref()).map_err(|problem| (Problems::from(problem), Vec::new()))?;
    K::deserialize(toml::Deserializer::from(table)).map(K::content).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let problem = Problem::new(format!("this is not a valid {} file", K::KIND)).at(place(source, span), error.message().to_owned());
        (problem.into(), Vec::new())
    })
}

/// A file whose table names another kind has one thing wrong with it, not one for every key.
fn of_another_kind<K: FileKind>(source: &Arc<Source>, table: &DeTable<'_>) -> Result<(), Problems> {
    if table.contains_key(K::KIND) {
        return Ok(());
    }
    let other = Kind::ALL.into_iter().find_map(|kind| table.get_key_value(kind.word()).map(|(key, _)| (kind.word(), key.span())));
    let Some((kind, span)) = other else { return Ok(()) };
    Err(Problem::new(format!("this file holds [{kind}], not [{}]", K::KIND)).at(place(source, span), "another kind of file").into())
}

fn place(source: &Arc<Source>, span: std::ops::Range<usize>) -> Place {
    Place { source: Arc::clone(source), span }
}
