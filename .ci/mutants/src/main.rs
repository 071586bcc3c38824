//! Puts every mutant of some files into their text at once, each behind a question for its number, so that one build tests them all.
//!
//! `supernode-mutants TREE LEFT_OUT FILE...` changes the files below TREE in place and prints a line for each mutant: number, place and change.
//! LEFT_OUT is a file of mutants that do not compile, one number a line: they are left out.
//! The operators are those of cargo-mutants: bodies of functions, binary and unary operators, guards and arms of matches.

mod bodies;
mod find;
mod operators;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use find::{Change, Found};

/// What the changed program asks: which mutant this process runs, and which it has met.
const QUESTION: &str = include_str!("question.rs.txt");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tree, left_out, files @ ..] = arguments.as_slice() else {
        eprintln!("usage: mutants TREE LEFT_OUT FILE...");
        return ExitCode::from(2);
    };
    match run(Path::new(tree), Path::new(left_out), files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(tree: &Path, left_out: &Path, files: &[String]) -> Result<(), String> {
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let left_out: BTreeSet<usize> = read(left_out)?.lines().filter_map(|line| line.trim().parse().ok()).collect();
    let mut next = 0;
    for file in files {
        let path = tree.join(file);
        let text = read(&path)?;
        let found = find::mutants(&text).map_err(|error| format!("{file}: {error}"))?;
        let first = next;
        next += found.iter().map(|found| found.changes.len()).sum::<usize>();
        let changed = Written::of(&text, &found, first, &left_out);
        changed.lines.iter().for_each(|line| println!("{}\t{file}:{}", line.number, line.told));
        fs::write(&path, changed.text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let root = tree.join("src/lib.rs");
    let text = read(&root)?;
    fs::write(tree.join("src/mutant.rs"), QUESTION).map_err(|error| error.to_string())?;
    fs::write(root, format!("{text}\n#[doc(hidden)]\n#[allow(missing_docs)]\npub mod mutant;\n")).map_err(|error| error.to_string())
}

/// A mutant as it is listed.
struct Line {
    number: usize,
    told: String,
}

/// A changed file.
struct Written {
    text: String,
    lines: Vec<Line>,
}

impl Written {
    /// The text with a question before each change that is not left out.
    fn of(text: &str, found: &[Found], first: usize, left_out: &BTreeSet<usize>) -> Self {
        let mut numbers = Vec::with_capacity(found.len());
        let mut next = first;
        for place in found {
            numbers.push(next);
            next += place.changes.len();
        }
        let mut written = Self { text: String::new(), lines: Vec::new() };
        let mut order: Vec<usize> = (0..found.len()).collect();
        // Outer ones first where both begin at one place.
        order.sort_by_key(|&index| (found[index].range.start, usize::MAX - found[index].range.end));
        let mut rest = order.as_slice();
        written.stretch(text, 0..text.len(), found, &numbers, left_out, &mut rest);
        written.lines.sort_by_key(|line| line.number);
        written
    }

    /// Writes a stretch of the old text, with the changes inside it.
    fn stretch(
        &mut self,
        text: &str,
        range: std::ops::Range<usize>,
        found: &[Found],
        numbers: &[usize],
        left_out: &BTreeSet<usize>,
        rest: &mut &[usize],
    ) {
        let mut at = range.start;
        while let Some((&index, behind)) = rest.split_first() {
            let place = &found[index];
            if place.range.start >= range.end {
                break;
            }
            *rest = behind;
            self.text += &text[at..place.range.start];
            at = place.range.end;
            let mut open = false;
            for (number, change) in (numbers[index]..).zip(&place.changes) {
                if !left_out.contains(&number) {
                    let before = if open {
                        " else "
                    } else if place.is_expression {
                        "("
                    } else {
                        ""
                    };
                    self.text += before;
                    self.change(text, number, change, place);
                    open = true;
                }
            }
            let whole = place.range.clone();
            if place.is_expression && open {
                self.text += " else { ";
                self.stretch(text, whole, found, numbers, left_out, rest);
                self.text += " })";
            } else {
                self.stretch(text, whole, found, numbers, left_out, rest);
            }
        }
        self.text += &text[at..range.end];
    }

    fn change(&mut self, text: &str, number: usize, change: &Change, place: &Found) {
        // Numbers stand in the code, so that a message of the compiler about a line names its mutants.
        self.text += &match change.code.as_str() {
            // An arm that another one follows.
            "" => format!(" if !crate::mutant::on({number})"),
            code => format!("if crate::mutant::on({number}) {{ {code} }}"),
        };
        let line = 1 + text[..change.at].matches('\n').count();
        self.lines.push(Line { number, told: format!("{line}\t{}\t{}", place.function, change.told) });
    }
}
