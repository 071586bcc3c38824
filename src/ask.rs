//! A command line as a question of a library: the same result, without a process.

use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::{Arguments, Body, Output, heard};
use crate::input::catalog::forget_inputs;
use crate::input::problem::{Problem, Problems};
use crate::report::{self, Cells, Document, RecordFormat, Records};

/// What a command answers.
#[derive(Clone, Debug)]
pub struct Answer {
    document: Document,
    text: String,
}

/// Asks what `supernode ARGUMENTS...` asks. The bytes are those of the command; nothing is printed.
///
/// ```
/// let answer = supernode::ask(&["collective", "hgx-h100", "--op", "all_reduce", "--size", "1MiB"])?;
/// assert_eq!(answer.table_names()[0], "results");
/// # Ok::<(), supernode::Error>(())
/// ```
///
/// # Errors
/// What the command would write to standard error.
pub fn ask(arguments: &[&str]) -> Result<Answer, crate::Error> {
    forget_inputs();
    asked(arguments).map_err(crate::Error::from)
}

/// As [`ask`]; `hear` is called from any thread with the pieces of work that are done, how many there are, and the word for them. Commands that
/// do not work piece by piece never call it.
///
/// # Errors
/// As [`ask`].
pub fn ask_heard(arguments: &[&str], hear: impl Fn(u64, u64, &'static str) + Send + Sync + 'static) -> Result<Answer, crate::Error> {
    heard(Arc::new(hear), || ask(arguments))
}

fn asked(arguments: &[&str]) -> Result<Answer, Problems> {
    let mut command = Arguments::command();
    let words = std::iter::once("supernode").chain(arguments.iter().copied());
    let usage = |error: clap::Error| Problems::from(Problem::new(error.to_string().trim_start_matches("error: ").trim_end()));
    let matches = command.try_get_matches_from_mut(words).map_err(usage)?;
    let parsed = Arguments::from_arg_matches(&matches).map_err(usage)?;
    let Output { body, .. } = parsed.command.run(report::Format::Json)?;
    match body {
        Body::Document(document, text) => Ok(Answer { document: *document, text }),
        Body::Text(_) => Err(Problem::new(format!("`{}` has no result for programs", arguments.first().copied().unwrap_or_default())).into()),
    }
}

impl Answer {
    /// As `--format json` prints it.
    #[must_use]
    pub fn json(&self) -> String {
        self.document.text()
    }

    /// As `--format text` prints it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names of the tables, that which `--format csv` writes first.
    #[must_use]
    pub fn table_names(&self) -> Vec<String> {
        self.document.tables().into_iter().map(|(name, _)| name).collect()
    }

    /// A table; the first if none is named, nothing if none has that name.
    #[must_use]
    pub fn table(&self, name: Option<&str>) -> Option<AnswerTable> {
        let found = self.document.tables().into_iter().find(|(known, _)| name.is_none_or(|name| name == known));
        found.map(|(name, records)| AnswerTable { name, records })
    }

    /// Why there is no table of a name: the option that it takes, or the names of those that are.
    #[must_use]
    pub fn no_table(&self, name: Option<&str>) -> String {
        self.document.no_table(name)
    }
}

/// A table of an answer.
#[derive(Clone, Debug)]
pub struct AnswerTable {
    name: String,
    records: Records,
}

/// The cells of one column; `None` where there is no figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColumnCells<'a> {
    /// Words.
    Text(&'a [Option<String>]),
    /// Figures.
    Number(&'a [Option<f64>]),
    /// Counts.
    Integer(&'a [Option<i64>]),
    /// Yes or no.
    Boolean(&'a [Option<bool>]),
}

impl AnswerTable {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.records.rows()
    }

    /// Columns, by name.
    pub fn columns(&self) -> impl Iterator<Item = (&str, ColumnCells<'_>)> {
        self.records.columns.iter().map(|(name, cells)| {
            let cells = match cells {
                Cells::Text(cells) => ColumnCells::Text(cells),
                Cells::Number(cells) => ColumnCells::Number(cells),
                Cells::Whole(cells) => ColumnCells::Integer(cells),
                Cells::Truth(cells) => ColumnCells::Boolean(cells),
            };
            (name.as_str(), cells)
        })
    }

    /// As `--format csv` prints it.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut bytes = Vec::new();
        // A vector takes every byte.
        let _ = self.records.write(RecordFormat::Csv, &mut bytes);
        String::from_utf8(bytes).unwrap_or_default()
    }
}
