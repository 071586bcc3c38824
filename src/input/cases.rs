//! Measurements as CSV: the shipped ones under `validation/`, and users' own.
//!
//! One measurement a line, with these columns: `id,system,quantity,settings,value,unit,source,confidence`. `settings` holds
//! `key=value` pairs between semicolons; `value` is a number, a range `23..31` or an upper limit `..45`. docs/validation.md lists quantities and
//! settings.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::catalog::{Mention, find_in, shipped_with};
use super::problem::{Place, Problem, Problems, Source, suggest};
use crate::units::Confidence;

/// Folder of the shipped files.
const FOLDER: &str = "validation";

/// The columns, in order.
pub const COLUMNS: [&str; 8] = ["id", "system", "quantity", "settings", "value", "unit", "source", "confidence"];

/// Words of the last column.
const CONFIDENCES: [(&str, Confidence); 6] = [
    ("measured", Confidence::Measured),
    ("vendor", Confidence::Vendor),
    ("second-hand", Confidence::SecondHand),
    ("derived", Confidence::Derived),
    ("press", Confidence::Press),
    ("estimate", Confidence::Estimate),
];

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its id, once in a file.
    pub id: String,
    /// Shipped supernode or path.
    pub system: String,
    /// What was measured.
    pub quantity: String,
    /// The settings it was measured with.
    pub settings: Settings,
    /// As printed; a range has two ends, an upper limit is a range from zero.
    pub value: (f64, Option<f64>),
    /// Unit of `value`.
    pub unit: Unit,
    /// Address.
    pub source: String,
    /// How sure the figure is.
    pub confidence: Confidence,
}

/// Unit of a measured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// µs.
    Microseconds,
    /// ms.
    Milliseconds,
    /// s.
    Seconds,
    /// 10^9 bytes a second.
    GigabytesPerSecond,
    /// 10^12 operations a second.
    TeraflopPerSecond,
    /// Tokens a second.
    TokensPerSecond,
    /// Per cent.
    Percent,
    /// W.
    Watts,
    /// J.
    Joules,
    /// A pure number.
    Ratio,
    /// Things.
    Count,
    /// 10^6 bytes.
    Megabytes,
}

impl Unit {
    /// All of them with the text that files use.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Microseconds, "us"),
        (Self::Milliseconds, "ms"),
        (Self::Seconds, "s"),
        (Self::GigabytesPerSecond, "GB/s"),
        (Self::TeraflopPerSecond, "TFLOP/s"),
        (Self::TokensPerSecond, "tok/s"),
        (Self::Percent, "%"),
        (Self::Watts, "W"),
        (Self::Joules, "J"),
        (Self::Ratio, "ratio"),
        (Self::Count, "count"),
        (Self::Megabytes, "MB"),
    ];

    /// Whether it measures time.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, Self::Microseconds | Self::Milliseconds | Self::Seconds)
    }

    /// The text that files use.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|entry| entry.0 == self).map_or("", |entry| entry.1)
    }
}

/// The settings of a measurement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// The text of a setting.
    ///
    /// # Errors
    /// That it is missing.
    pub fn text(&self, key: &str) -> Result<&str, String> {
        self.optional(key).ok_or_else(|| format!("the setting `{key}` is missing"))
    }

    /// The text of a setting, if it is given.
    #[must_use]
    pub fn optional(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// A whole number from 1 to 10^12.
    ///
    /// # Errors
    /// That it is missing or not such a number.
    pub fn number(&self, key: &str) -> Result<f64, String> {
        let text = self.text(key)?;
        match text.parse::<u64>() {
            Ok(number) if (1..=1_000_000_000_000).contains(&number) => Ok(number as f64),
            _ => Err(format!("`{key}={text}` is not a whole number from 1 to 10^12")),
        }
    }

    /// As [`Settings::number`], up to 10^9.
    ///
    /// # Errors
    /// That it is missing or not such a number.
    pub fn count(&self, key: &str) -> Result<u32, String> {
        let number = self.number(key)?;
        if number > 1e9 {
            return Err(format!("`{key}={number}` is more than 10^9"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 1 to 10^9")]
        Ok(number as u32)
    }

    /// As [`Settings::number`], with a value where it is absent.
    ///
    /// # Errors
    /// That it is not such a number.
    pub fn number_or(&self, key: &str, absent: f64) -> Result<f64, String> {
        if self.0.contains_key(key) { self.number(key) } else { Ok(absent) }
    }

    /// `true` or `false`; false if absent.
    ///
    /// # Errors
    /// That it is neither.
    pub fn flag(&self, key: &str) -> Result<bool, String> {
        match self.optional(key) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(format!("`{key}={other}` is neither `true` nor `false`")),
        }
    }

    /// One of several words.
    ///
    /// # Errors
    /// That it is missing or another word.
    pub fn one_of<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<T, String> {
        let text = self.text(key)?;
        words.iter().find(|entry| entry.0 == text).map(|entry| entry.1).ok_or_else(|| {
            let known = words.iter().map(|entry| entry.0);
            format!("`{key}={text}`: {}", suggest(text, known.collect::<Vec<_>>()))
        })
    }

    /// Refuses keys that a quantity does not have, so that a slip is not taken for a default.
    ///
    /// # Errors
    /// The first unknown key.
    pub fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("`{key}` is not a setting of this quantity; {}", suggest(key, known.iter().copied()))),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Settings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        out.write_str(&pairs.join("; "))
    }
}

/// Names of the shipped files of measurements, sorted.
#[must_use]
pub fn shipped_cases() -> Vec<String> {
    shipped_with(FOLDER, "csv").into_iter().filter(|name| name != "medians" && name != "outside").collect()
}

/// Reads the measurements that `name` means: a shipped file's name, or a path.
///
/// # Errors
/// Every line that is not a measurement.
pub fn load_cases(name: &str) -> Result<Vec<Case>, Problems> {
    let found = find_in(name, &Mention::on_command_line(), FOLDER, "file of measurements", "csv")?;
    let mut cases = parse_cases(&found.source)?;
    // As in TOML, a path starts from the folder of the file that names it.
    if let Some(folder) = &found.folder {
        cases.iter_mut().for_each(|case| case.start_from(folder));
    }
    Ok(cases)
}

/// Settings that name files.
const NAMING: [&str; 7] = ["workload", "model", "engine", "library", "clip", "draft", "training"];

impl Case {
    fn start_from(&mut self, folder: &Path) {
        let from = |name: &mut String| {
            let is_path = name.contains(['/', '\\']) || [".toml", ".json"].iter().any(|end| name.ends_with(end));
            if is_path && Path::new(name.as_str()).is_relative() {
                let path = folder.join(name.trim_start_matches("./")).display().to_string();
                // A bare word would be taken for a shipped name.
                *name = if path.contains('/') { path } else { format!("./{path}") };
            }
        };
        from(&mut self.system);
        self.settings.0.iter_mut().filter(|(key, _)| NAMING.contains(&key.as_str())).for_each(|(_, name)| from(name));
    }
}

/// Reads measurements.
///
/// # Errors
/// Every line that is not a measurement.
pub fn parse_cases(source: &Arc<Source>) -> Result<Vec<Case>, Problems> {
    let mut records = CsvRecords { source, at: 0 };
    let header = records.next().unwrap_or_default();
    let names: Vec<&str> = header.iter().map(|field| field.text.as_str()).collect();
    if names != COLUMNS {
        let span = 0..source.text.lines().next().map_or(0, str::len);
        let problem = Problem::new("this is not a file of measurements").at(place(source, span), "the first line must name the columns");
        return Err(problem.help(format!("expected `{}`", COLUMNS.join(","))).into());
    }
    let (mut cases, mut problems, mut ids) = (Vec::new(), Vec::new(), BTreeMap::new());
    for fields in records {
        match case(source, &fields) {
            Ok(case) => {
                if let Some(first) = ids.insert(case.id.clone(), fields[0].span.clone()) {
                    let problem = Problem::new(format!("the id `{}` is used twice", case.id)).at(place(source, fields[0].span.clone()), "here again");
                    problems.push(problem.also(place(source, first), "first used here"));
                }
                cases.push(case);
            }
            Err(found) => problems.extend(found.into_list()),
        }
    }
    Problems::check(problems, cases)
}

fn place(source: &Arc<Source>, span: Range<usize>) -> Place {
    Place { source: Arc::clone(source), span }
}

fn case(source: &Arc<Source>, fields: &[CsvField]) -> Result<Case, Problems> {
    let [id, system, quantity, settings, value, unit, from, confidence] = fields else {
        let span = fields[0].span.start..fields[fields.len() - 1].span.end;
        let message = format!("a measurement has {} fields, this line has {}", COLUMNS.len(), fields.len());
        return Err(Problem::new(message).at(place(source, span), "put quotes around a field that holds a comma").into());
    };
    for (field, column) in fields.iter().zip(COLUMNS) {
        if field.text.is_empty() && column != "settings" {
            return Err(Problem::new(format!("the field `{column}` is empty")).at(place(source, field.span.clone()), "nothing here").into());
        }
    }
    let here = |field: &CsvField| place(source, field.span.clone());
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let range = match value.text.split_once("..") {
        Some(("", high)) => number(high).filter(|high| *high > 0.0).map(|high| (0.0, Some(high))),
        Some((low, high)) => {
            number(low).zip(number(high)).filter(|(low, high)| 0.0 <= *low && low <= high && *high > 0.0).map(|(low, high)| (low, Some(high)))
        }
        // An error is relative to what was measured: nothing, and less than nothing, has none.
        None => number(&value.text).filter(|value| *value > 0.0).map(|value| (value, None)),
    };
    let Some(range) = range else {
        let problem = Problem::new(format!("`{}` is not a value", value.text))
            .at(here(value), "expected a number above 0, a range such as 23..31, or a limit such as ..45");
        return Err(problem.into());
    };
    let Some(&(unit_found, _)) = Unit::ALL.iter().find(|entry| entry.1 == unit.text) else {
        let problem = Problem::new(format!("`{}` is not a unit of measurements", unit.text)).at(here(unit), "unknown unit");
        return Err(problem.help(suggest(&unit.text, Unit::ALL.iter().map(|entry| entry.1))).into());
    };
    let Some(&(_, confidence)) = CONFIDENCES.iter().find(|entry| entry.0 == confidence.text) else {
        let problem = Problem::new(format!("`{}` is not a confidence", confidence.text)).at(here(confidence), "unknown word");
        return Err(problem.help(suggest(&confidence.text, CONFIDENCES.iter().map(|entry| entry.0))).into());
    };
    let mut pairs = BTreeMap::new();
    for pair in settings.text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            let problem = Problem::new(format!("`{pair}` is not a setting")).at(here(settings), "expected key=value; key=value");
            return Err(problem.into());
        };
        if pairs.insert(key.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(Problem::new(format!("the setting `{}` is given twice", key.trim())).at(here(settings), "in these settings").into());
        }
    }
    Ok(Case {
        id: id.text.clone(),
        system: system.text.clone(),
        quantity: quantity.text.clone(),
        settings: Settings(pairs),
        value: range,
        unit: unit_found,
        source: from.text.clone(),
        confidence,
    })
}

/// A field and where it stands.
#[derive(Debug)]
struct CsvField {
    text: String,
    span: Range<usize>,
}

/// The lines of a CSV text, cut into fields (RFC 4180: quoted fields may hold commas, line breaks and doubled quotes). Blank lines and
/// lines that start with `#` are passed over.
struct CsvRecords<'a> {
    source: &'a Source,
    at: usize,
}

impl Iterator for CsvRecords<'_> {
    type Item = Vec<CsvField>;

    fn next(&mut self) -> Option<Vec<CsvField>> {
        let text = &self.source.text;
        while let Some(line) = text[self.at..].split_inclusive('\n').next() {
            if !line.trim().is_empty() && !line.starts_with('#') {
                break;
            }
            self.at += line.len();
        }
        if self.at >= text.len() {
            return None;
        }
        let mut fields = Vec::new();
        loop {
            let start = self.at;
            let (mut field, mut quoted, mut end) = (String::new(), false, text.len());
            let mut characters = text[start..].char_indices().peekable();
            while let Some((offset, character)) = characters.next() {
                match character {
                    '"' if quoted && characters.peek().is_some_and(|next| next.1 == '"') => {
                        field.push('"');
                        characters.next();
                    }
                    '"' => quoted = !quoted,
                    ',' | '\n' if !quoted => {
                        end = start + offset;
                        break;
                    }
                    _ => field.push(character),
                }
            }
            fields.push(CsvField { text: field.trim().to_owned(), span: start..end });
            self.at = (end + 1).min(text.len());
            if end >= text.len() || text.as_bytes()[end] == b'\n' {
                return Some(fields);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "id,system,quantity,settings,value,unit,source,confidence\n";

    fn read(lines: &str) -> Result<Vec<Case>, String> {
        let source = Source { name: "mine.csv".into(), text: format!("{HEADER}{lines}") };
        parse_cases(&Arc::new(source)).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_line_is_a_measurement() {
        let cases = read("# ours\nA-1,hgx-h100,gemm,\"rows=1; columns=2,\",23..31,%,\"a \"\"b\"\"\",measured\n").expect("one measurement");
        assert_eq!(cases[0].value, (23.0, Some(31.0)));
        assert_eq!(cases[0].source, "a \"b\"");
        assert_eq!(cases[0].settings.number("rows"), Ok(1.0));
        assert_eq!(cases[0].settings.number("columns"), Err("`columns=2,` is not a whole number from 1 to 10^12".into()));
        assert_eq!(cases[0].settings.only(&["rows", "column"]), Err("`columns` is not a setting of this quantity; did you mean `column`?".into()));
    }

    #[test]
    fn every_bad_line_is_shown() {
        insta::assert_snapshot!(read("A-1,x,gemm,rows=1,fast,us,s,measured\nA-1,x,gemm,rows,1,us,s,measured\nA-2,x,gemm,,1,parsec,s,measured\nA-3,x\nA-4,x,gemm,,1,us,s,guess\nA-5,x,gemm,,1,us,,measured\nA-6,x,g,,1,us,s,measured\nA-6,x,g,,1,us,s,measured\n").unwrap_err(), @r"
        error: `fast` is not a value
         --> mine.csv:2:19
          |
        2 | A-1,x,gemm,rows=1,fast,us,s,measured
          |                   ^^^^ expected a number above 0, a range such as 23..31, or a limit such as ..45

        error: `rows` is not a setting
         --> mine.csv:3:12
          |
        3 | A-1,x,gemm,rows,1,us,s,measured
          |            ^^^^ expected key=value; key=value

        error: `parsec` is not a unit of measurements
         --> mine.csv:4:15
          |
        4 | A-2,x,gemm,,1,parsec,s,measured
          |               ^^^^^^ unknown unit
          |
          = help: known: `%`, `GB/s`, `J`, `MB`, `TFLOP/s`, `W`, `count`, `ms`, `ratio`, `s`, `tok/s`, `us`

        error: a measurement has 8 fields, this line has 2
         --> mine.csv:5:1
          |
        5 | A-3,x
          | ^^^^^ put quotes around a field that holds a comma

        error: `guess` is not a confidence
         --> mine.csv:6:20
          |
        6 | A-4,x,gemm,,1,us,s,guess
          |                    ^^^^^ unknown word
          |
          = help: did you mean `press`?

        error: the field `source` is empty
         --> mine.csv:7:18
          |
        7 | A-5,x,gemm,,1,us,,measured
          |                  ^ nothing here

        error: the id `A-6` is used twice
         --> mine.csv:9:1
          |
        9 | A-6,x,g,,1,us,s,measured
          | ^^^ here again
          |
         ::: mine.csv:8:1
          |
        8 | A-6,x,g,,1,us,s,measured
          | --- first used here
        ");
    }

    #[test]
    fn the_header_comes_first() {
        let source = Source { name: "mine.csv".into(), text: "id,value\n1,2\n".into() };
        insta::assert_snapshot!(parse_cases(&Arc::new(source)).unwrap_err().to_string(), @r"
        error: this is not a file of measurements
         --> mine.csv:1:1
          |
        1 | id,value
          | ^^^^^^^^ the first line must name the columns
          |
          = help: expected `id,system,quantity,settings,value,unit,source,confidence`
        ");
    }
}
