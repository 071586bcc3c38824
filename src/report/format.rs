//! A report for people, as aligned text or Markdown. For programs it is JSON, and tables in CSV and Parquet: see `document.rs`.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::record_file::RecordFormat;

/// How a report is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned tables for a terminal.
    Text,
    /// The contract's keys.
    Json,
    /// One table, raw.
    Csv,
    /// One table, raw, as Apache Parquet.
    Parquet,
    /// Tables for a document.
    Markdown,
}

impl Format {
    /// The kind of file, where the format holds one table alone.
    #[must_use]
    pub fn records(self) -> Option<RecordFormat> {
        match self {
            Self::Text | Self::Markdown | Self::Json => None,
            Self::Csv => Some(RecordFormat::Csv),
            Self::Parquet => Some(RecordFormat::Parquet),
        }
    }
}

/// Side on which a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column with its unit in its name.
#[derive(Clone, Debug)]
pub struct Column {
    /// Header.
    pub name: String,
    /// Side.
    pub align: Align,
}

/// Rows under columns.
#[derive(Clone, Debug)]
pub struct Table {
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows, each as long as the columns.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows; a header that starts with `<` stands left, all others right.
    #[must_use]
    pub fn new(headers: &[&str]) -> Self {
        let columns = headers
            .iter()
            .map(|header| match header.strip_prefix('<') {
                Some(name) => Column { name: name.to_owned(), align: Align::Left },
                None => Column { name: (*header).to_owned(), align: Align::Right },
            })
            .collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

/// A part of a report.
#[derive(Clone, Debug)]
pub enum Section {
    /// A heading.
    Title(String),
    /// What is what: name and value, aligned.
    Facts(Vec<(String, String)>),
    /// A table.
    Table(Table),
    /// A sentence or two.
    Note(String),
}

/// A result that can be printed.
pub trait Report {
    /// Name of the output: its schema is `schema/output/NAME.json`.
    fn output(&self) -> &'static str;
    /// The contract's keys, without those that every output has.
    fn json(&self) -> Json;
    /// Headings, facts and tables for people.
    fn sections(&self) -> Vec<Section>;
}

/// A report with a sentence below its first heading.
pub struct Noted<'a> {
    /// The report.
    pub report: &'a dyn Report,
    /// The sentence.
    pub note: Option<String>,
}

impl Report for Noted<'_> {
    fn output(&self) -> &'static str {
        self.report.output()
    }

    fn json(&self) -> Json {
        self.report.json()
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections = self.report.sections();
        let below = usize::from(matches!(sections.first(), Some(Section::Title(_))));
        sections.splice(below..below, self.note.clone().map(Section::Note));
        sections
    }
}

/// Lays a report out for a document.
#[must_use]
pub fn render_markdown(report: &dyn Report) -> String {
    joined(report, markdown)
}

/// The parts of a report, an empty line between them.
pub(super) fn joined(report: &dyn Report, lay_out: impl Fn(&Section) -> String) -> String {
    report.sections().iter().map(lay_out).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn markdown(section: &Section) -> String {
    match section {
        Section::Title(title) => format!("## {title}\n"),
        Section::Note(note) => format!("{note}\n"),
        Section::Facts(facts) => facts.iter().fold(String::new(), |mut out, (name, value)| {
            let _ = writeln!(out, "- {name}: {value}");
            out
        }),
        Section::Table(table) if table.rows.is_empty() => String::new(),
        Section::Table(table) => {
            let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            let rule: Vec<&str> = table.columns.iter().map(|column| if column.align == Align::Left { ":--" } else { "--:" }).collect();
            let mut out = format!("| {} |\n| {} |\n", names.join(" | "), rule.join(" | "));
            for row in &table.rows {
                let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
            out
        }
    }
}
