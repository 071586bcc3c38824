//! Records as a file: CSV, JSON lines or Parquet.

use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

use super::records::{Cells, Records};

/// Makes the kinds of files of one list, each with the ending of its names.
macro_rules! record_formats {
    ($($(#[doc = $meaning:literal])* $name:ident($ending:literal)),* $(,)?) => {
        /// A kind of file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum RecordFormat {
            $($(#[doc = $meaning])* $name,)*
        }

        impl RecordFormat {
            /// Endings of file names.
            pub const ENDINGS: &'static [&'static str] = &[$($ending),*];

            /// The kind of file whose names end so.
            #[must_use]
            pub fn of_ending(ending: &str) -> Option<Self> {
                match ending {
                    $($ending => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

record_formats! {
    /// Comma-separated, with a header.
    Csv("csv"),
    /// One JSON object a line.
    JsonLines("jsonl"),
    /// Apache Parquet; needs the feature `parquet`, which is on by default.
    Parquet("parquet"),
}

impl Records {
    /// Writes the file.
    ///
    /// # Errors
    /// What the writer says; that this build has no Parquet.
    pub fn write(&self, format: RecordFormat, out: &mut (impl Write + Send)) -> io::Result<()> {
        match format {
            RecordFormat::Csv => self.csv(out),
            RecordFormat::JsonLines => self.json_lines(out),
            RecordFormat::Parquet => self.parquet(out),
        }
    }

    fn csv(&self, out: &mut impl Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(self.columns.iter().map(|(name, _)| name))?;
        for row in 0..self.rows() {
            let cells = self.columns.iter().map(|(_, cells)| match cells {
                Cells::Text(cells) => cells[row].clone(),
                Cells::Number(cells) => cells[row].map(|number| json!(number).to_string()),
                Cells::Whole(cells) => cells[row].map(|number| number.to_string()),
                Cells::Truth(cells) => cells[row].map(|truth| truth.to_string()),
            });
            writer.write_record(cells.map(Option::unwrap_or_default))?;
        }
        writer.flush()
    }

    /// The rows as JSON objects, a key a column.
    pub fn objects(&self) -> impl Iterator<Item = Json> + '_ {
        (0..self.rows()).map(|row| {
            let cells = self.columns.iter().map(|(name, cells)| {
                let value = match cells {
                    Cells::Text(cells) => json!(cells[row]),
                    Cells::Number(cells) => json!(cells[row]),
                    Cells::Whole(cells) => json!(cells[row]),
                    Cells::Truth(cells) => json!(cells[row]),
                };
                (name.clone(), value)
            });
            Json::Object(cells.collect::<Map<_, _>>())
        })
    }

    fn json_lines(&self, out: &mut impl Write) -> io::Result<()> {
        self.objects().try_for_each(|object| writeln!(out, "{object}"))
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(&self, _: &mut impl Write) -> io::Result<()> {
        Err(io::Error::other("this build has no Parquet: `cargo install supernode --features parquet`, or write .csv or .jsonl"))
    }

    #[cfg(feature = "parquet")]
    fn parquet(&self, out: &mut (impl Write + Send)) -> io::Result<()> {
        super::parquet::write(self, out)
    }
}
