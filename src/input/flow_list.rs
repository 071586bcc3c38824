//! Lists of flows, CSV: `src,dst,bytes[,start_s][,after][,cap]`, the columns in any order.
//!
//! Split by hand: messages underline the cell, whose place in the text a reader of records does not keep.

use std::ops::Range;
use std::sync::Arc;

use super::problem::{Place, Problem, Problems, Source, suggest};
use crate::units::{Bytes, BytesPerSecond, Quantity, Seconds, counted, parse};

/// Wrong cells that are shown.
const SHOWN: usize = 10;
/// Smallest and largest number that is taken as bytes, seconds or bytes/s, beside zero: beyond them is a slip of the finger.
const LEAST: f64 = 1e-24;
const MOST: f64 = 1e24;

/// Columns of a list; the first three must be there.
const COLUMNS: [&str; 6] = ["src", "dst", "bytes", "start_s", "after", "cap"];

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRow {
    /// Sending chip.
    pub source: u32,
    /// Receiving chip.
    pub destination: u32,
    /// How much.
    pub bytes: Bytes,
    /// Earliest start.
    pub start: Seconds,
    /// Lines, the first one after the header 0, whose flows must have arrived before.
    pub after: Vec<u32>,
    /// Most that its sender gives it.
    pub cap: Option<BytesPerSecond>,
}

/// How the chips of a machine are named.
#[derive(Clone, Copy, Debug)]
pub struct ChipNames<'a> {
    /// Chips in the machine.
    pub chips: u32,
    /// Names of the levels, innermost first.
    pub levels: &'a [String],
    /// Children of a group of each level, innermost first.
    pub sizes: &'a [u32],
}

impl ChipNames<'_> {
    /// The chip that `12`, `chip:12`, `3/4` or `node:3/chip:4` means: a number in level order, or the way from the outermost level's child
    /// inwards.
    ///
    /// # Errors
    /// What was expected, in one line.
    pub fn chip(&self, text: &str) -> Result<u32, String> {
        let steps: Vec<&str> = text.split('/').map(str::trim).collect();
        let [single] = steps[..] else { return self.by_path(text, &steps) };
        let number = single.strip_prefix("chip:").unwrap_or(single);
        let chip: u32 = number.parse().map_err(|_| format!("`{text}` is not a chip: write {}", self.examples()))?;
        if chip < self.chips {
            Ok(chip)
        } else {
            Err(format!("chip {chip} is not in the machine, which has chips 0 to {}", self.chips.saturating_sub(1)))
        }
    }

    fn by_path(&self, text: &str, steps: &[&str]) -> Result<u32, String> {
        if steps.len() != self.sizes.len() {
            return Err(format!(
                "`{text}` has {}, the machine {}: write {}",
                counted(steps.len(), "step"),
                counted(self.sizes.len(), "level"),
                self.examples()
            ));
        }
        let mut chip = 0;
        for (step, depth) in steps.iter().zip((0..steps.len()).rev()) {
            let child = if depth == 0 { "chip" } else { self.levels[depth - 1].as_str() };
            let number = match step.split_once(':') {
                Some((name, number)) if name == child => number,
                Some((name, _)) => return Err(format!("`{name}` in `{text}`: here stands a `{child}`, as in {}", self.examples())),
                None => step,
            };
            let number: u32 = number.parse().map_err(|_| format!("`{step}` in `{text}` is not a number: write {}", self.examples()))?;
            if number >= self.sizes[depth] {
                return Err(format!("`{step}` in `{text}`: level `{}` has children 0 to {}", self.levels[depth], self.sizes[depth] - 1));
            }
            chip = chip * self.sizes[depth] + number;
        }
        Ok(chip)
    }

    fn examples(&self) -> String {
        let names = self.levels.iter().rev().skip(1).map(String::as_str).chain(["chip"]);
        let path = names.map(|name| format!("{name}:0")).collect::<Vec<_>>().join("/");
        format!("a number such as 3, or `{path}`")
    }
}

/// Reads a list.
///
/// # Errors
/// Every cell that is wrong.
pub fn parse_flows(source: &Arc<Source>, names: &ChipNames<'_>) -> Result<Vec<FlowRow>, Problems> {
    let mut lines = lines(&source.text);
    let Some(header) = lines.next() else {
        return Err(Problem::new(format!("`{}` has no flows", source.name)).help("expected the header `src,dst,bytes` and one flow a line").into());
    };
    let columns = columns(source, header)?;
    let lines: Vec<Range<usize>> = lines.collect();
    let flows = lines.len();
    let (mut rows, mut problems, mut wrong) = (Vec::with_capacity(flows), Vec::new(), 0);
    for line in lines {
        match row(&source.text, line, &columns, names, flows) {
            Ok(row) => rows.push(row),
            Err((span, message)) => {
                wrong += 1;
                if problems.len() < SHOWN {
                    problems.push(Problem::new(message).at(Place { source: Arc::clone(source), span }, "in this flow"));
                }
            }
        }
    }
    if wrong > SHOWN {
        problems.push(Problem::new(format!("{} more flows of `{}` are wrong", wrong - SHOWN, source.name)));
    }
    if flows == 0 {
        problems.push(Problem::new(format!("`{}` has no flows", source.name)).help("one flow a line after the header"));
    }
    Problems::check(problems, rows)
}

/// Lines that hold something and are no remark.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        let end = start + line.trim_end().len();
        (end > start && !line.trim_start().starts_with('#')).then_some(start..end)
    })
}

/// Places of the cells of a line, without the quotes that a cell with commas stands in.
fn cells(text: &str, line: Range<usize>) -> Vec<Range<usize>> {
    let (mut cells, mut start, mut quoted) = (Vec::new(), line.start, false);
    for (at, character) in text[line.clone()].char_indices().map(|(at, character)| (line.start + at, character)) {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                cells.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    cells.push(start..line.end);
    let trimmed = |cell: Range<usize>| {
        let inside = text[cell.clone()].trim_start_matches([' ', '"', '\t']);
        let start = cell.end - inside.len();
        start..start + inside.trim_end_matches([' ', '"', '\t']).len()
    };
    cells.into_iter().map(trimmed).collect()
}

/// Which of [`COLUMNS`] stands in each column of the file.
fn columns(source: &Arc<Source>, header: Range<usize>) -> Result<Vec<usize>, Problems> {
    let mut columns: Vec<usize> = Vec::new();
    let mut problems = Vec::new();
    for span in cells(&source.text, header.clone()) {
        let name = &source.text[span.clone()];
        let at = Place { source: Arc::clone(source), span: span.clone() };
        match COLUMNS.iter().position(|column| *column == name) {
            Some(column) if columns.contains(&column) => {
                problems.push(Problem::new(format!("column `{name}` stands twice")).at(at, "the second one"));
            }
            Some(column) => columns.push(column),
            None => problems.push(Problem::new(format!("no column is named `{name}`")).at(at, "in this header").help(suggest(name, COLUMNS))),
        }
    }
    if problems.is_empty()
        && let Some(missing) = COLUMNS.iter().take(3).enumerate().find(|(column, _)| !columns.contains(column)).map(|(_, name)| name)
    {
        let at = Place { source: Arc::clone(source), span: header };
        problems.push(
            Problem::new(format!("column `{missing}` is missing")).at(at, "the header").help("expected `src,dst,bytes[,start_s][,after][,cap]`"),
        );
    }
    Problems::check(problems, columns)
}

fn row(text: &str, line: Range<usize>, columns: &[usize], names: &ChipNames<'_>, flows: usize) -> Result<FlowRow, (Range<usize>, String)> {
    let cells = cells(text, line.clone());
    if cells.len() != columns.len() {
        return Err((line, format!("a flow has {} cells, this line has {}", columns.len(), cells.len())));
    }
    let mut row = FlowRow { source: 0, destination: 0, bytes: Bytes::ZERO, start: Seconds::ZERO, after: Vec::new(), cap: None };
    for (&column, span) in columns.iter().zip(cells) {
        let cell = &text[span.clone()];
        let wrong = |message: String| (span.clone(), message);
        match COLUMNS[column] {
            "src" => row.source = names.chip(cell).map_err(wrong)?,
            "dst" => row.destination = names.chip(cell).map_err(wrong)?,
            "bytes" => row.bytes = quantity(cell, "bytes, or a size such as 64MiB").map_err(wrong)?,
            "start_s" if cell.is_empty() => {}
            "start_s" => row.start = quantity(cell, "seconds, or a time such as 5us").map_err(wrong)?,
            "cap" if cell.is_empty() => {}
            "cap" => {
                let cap: BytesPerSecond = quantity(cell, "bytes/s, or a rate such as 25GB/s").map_err(wrong)?;
                if cap <= BytesPerSecond::ZERO {
                    return Err(wrong("the cap must be more than zero; leave it empty for none".to_owned()));
                }
                row.cap = Some(cap);
            }
            _ => {
                let number = |text: &str| text.parse::<u32>().ok().filter(|flow| (*flow as usize) < flows);
                let after = cell.split([' ', ';', ',']).filter(|text| !text.is_empty());
                let after =
                    after.map(|text| number(text).ok_or_else(|| wrong(format!("`{text}` is not a flow: the file has flows 0 to {}", flows - 1))));
                row.after = after.collect::<Result<_, _>>()?;
            }
        }
    }
    Ok(row)
}

/// A bare number in SI base units, or a number with its unit.
fn quantity<Q: Quantity>(cell: &str, expected: &str) -> Result<Q, String> {
    let value = match cell.parse::<f64>() {
        Ok(number) => Some(Q::from_si(number)),
        Err(_) => parse::<Q>(cell).ok(),
    };
    value.filter(|value| value.si() == 0.0 || (LEAST..=MOST).contains(&value.si())).ok_or_else(|| format!("`{cell}` is not a number of {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<FlowRow>, String> {
        let source = Arc::new(Source { name: "flows.csv".into(), text: text.into() });
        let levels = ["node".to_owned(), "pod".to_owned()];
        parse_flows(&source, &ChipNames { chips: 32, levels: &levels, sizes: &[8, 4] }).map_err(|problems| problems.to_string())
    }

    #[test]
    fn numbers_units_paths_and_dependencies() {
        let rows = read("dst,src,bytes,after,cap,start_s\n# remark\n9,0,1e6,,,\n node:1/chip:2 ,3/7,\"1 MiB\",\"0\",50 GB/s,2 us\n").unwrap();
        assert_eq!((rows[0].source, rows[0].destination, rows[0].bytes.get()), (0, 9, 1e6));
        let second = FlowRow {
            source: 31,
            destination: 10,
            bytes: Bytes::new(1_048_576.0),
            start: Seconds::new(2e-6),
            after: vec![0],
            cap: Some(BytesPerSecond::new(50e9)),
        };
        assert_eq!(rows[1], second);
    }

    #[test]
    fn every_slip_is_named_at_its_cell() {
        let error = read("src,dst,bytes,after\n0,32,1,\n0,x,1,\n0,1,-1,\n0,1,1,9\n1/9,1,1,\nnode:1/board:2,1,1,\n0,1\n0,1,1e-300,\n").unwrap_err();
        for expected in [
            "chip 32 is not in the machine, which has chips 0 to 31",
            "`x` is not a chip: write a number such as 3, or `node:0/chip:0`",
            "`-1` is not a number of bytes, or a size such as 64MiB",
            "`9` is not a flow: the file has flows 0 to 7",
            "`1e-300` is not a number of bytes, or a size such as 64MiB",
            "`9` in `1/9`: level `node` has children 0 to 7",
            "`board` in `node:1/board:2`: here stands a `chip`, as in a number such as 3, or `node:0/chip:0`",
            "a flow has 4 cells, this line has 2",
            "flows.csv:2:3",
        ] {
            assert!(error.contains(expected), "{expected}\n{error}");
        }
        assert!(read("src,dst,byte\n").unwrap_err().contains("did you mean `bytes`?"));
        assert!(read("src,dst\n").unwrap_err().contains("column `bytes` is missing"));
        assert!(read("src,src,bytes\n").unwrap_err().contains("column `src` stands twice"));
        assert!(read("\n").unwrap_err().contains("has no flows"));
        assert!(read("src,dst,bytes\n").unwrap_err().contains("has no flows"));
    }
}
