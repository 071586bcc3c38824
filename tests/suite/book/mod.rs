//! The documentation is true. Every `console` block of a page is run and its output compared, every link leads to a file and a heading,
//! every path to a source file exists, the README quotes the committed error tables, and both languages of a page state the same figures.
//!
//! After a change that was meant, `SUPERNODE_BLESS=1 cargo test --test suite book` writes the outputs anew; review them as a diff.

mod examples;
mod history;
mod links;
mod verdicts;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of the documentation.
struct Page {
    /// Path from the root of the repository.
    path: String,
    text: String,
}

/// The pages at the root and all below `docs/`, in the order of their paths.
fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let page = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        Page { path: name, text: fs::read_to_string(path).unwrap() }
    };
    paths.into_iter().map(page).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of a line of a table; empty for other lines.
fn cells(line: &str) -> Vec<&str> {
    let inner = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    inner.map_or(Vec::new(), |inner| inner.split('|').map(str::trim).collect())
}

/// Rows of the README that name a quantity in backticks repeat the last columns of the row of that quantity over all systems:
/// four cells (measurements, median, p90) of "Errors by quantity", or of the errors outside the fit.
#[test]
fn the_readme_quotes_the_committed_errors() {
    let errors = read("docs/validation-errors.md");
    let (mut inside, mut outside) = (BTreeMap::new(), BTreeMap::new());
    for row in errors.lines().map(cells) {
        if row.get(1) != Some(&"all") {
            continue;
        }
        match row.len() {
            6 => inside.insert(row[0], [row[2], row[3], row[4]]),
            10 => outside.insert(row[0], [row[2], row[5], row[6]]),
            columns => panic!("{columns} columns in {row:?}"),
        };
    }
    let plain = |cell: &str| cell.replace(' ', "");
    let mut found = 0;
    for line in read("README.md").lines() {
        let row = cells(line);
        let Some((_, after)) = row.first().and_then(|first| first.split_once('`')) else { continue };
        let quantity = after.split('`').next().unwrap();
        let Some(expected) = outside.get(quantity).or_else(|| inside.get(quantity)) else { continue };
        let quoted: Vec<String> = row[row.len() - 3..].iter().map(|cell| plain(cell)).collect();
        assert_eq!(quoted, expected.map(plain), "{quantity} in README.md against docs/validation-errors.md");
        found += 1;
    }
    assert!(found >= 8, "{found} rows of README.md name a quantity");
}

/// All runs of digits and decimal points of a text, with how often they occur.
fn figures(text: &str) -> BTreeMap<&str, i32> {
    let mut figures = BTreeMap::new();
    for figure in text.split(|letter: char| !letter.is_ascii_digit() && letter != '.').map(|figure| figure.trim_matches('.')) {
        if !figure.is_empty() {
            *figures.entry(figure).or_insert(0) += 1;
        }
    }
    figures
}

#[test]
fn both_languages_state_the_same_figures() {
    let translated: Vec<Page> = pages().into_iter().filter(|page| page.path.ends_with(".zh-CN.md")).collect();
    assert!(!translated.is_empty());
    for page in translated {
        let original = page.path.replace(".zh-CN.md", ".md");
        let text = read(&original);
        let (mut left, right) = (figures(&text), figures(&page.text));
        for (figure, count) in right {
            *left.entry(figure).or_insert(0) -= count;
        }
        left.retain(|_, count| *count != 0);
        assert!(left.is_empty(), "figures of {original} (positive) and {} (negative) differ: {left:?}", page.path);
    }
}

const DRAWN: [&str; 5] = ["describe", "ub-mesh-1024", "--format", "svg", "--loads"];

/// The picture of a machine in the README is what the program draws.
#[test]
fn pictures_are_drawn_by_the_program() {
    let drawn = std::process::Command::new(env!("CARGO_BIN_EXE_supernode")).args(DRAWN).output().unwrap();
    let (drawn, path) = (String::from_utf8(drawn.stdout).unwrap(), "docs/supernode.svg");
    if std::env::var_os("SUPERNODE_BLESS").is_some() {
        fs::write(root().join(path), &drawn).unwrap();
    }
    assert!(read(path) == drawn, "{path} is not what `supernode {}` draws; SUPERNODE_BLESS=1 draws it anew", DRAWN.join(" "));
}

/// The committed table of errors is what `validate` prints, so that the README quotes the truth.
#[test]
fn the_error_tables_are_current() {
    let arguments = ["validate", "--summary", "--format", "markdown"];
    let printed = std::process::Command::new(env!("CARGO_BIN_EXE_supernode")).args(arguments).output().unwrap();
    let (printed, path) = (String::from_utf8(printed.stdout).unwrap(), "docs/validation-errors.md");
    if std::env::var_os("SUPERNODE_BLESS").is_some() {
        fs::write(root().join(path), &printed).unwrap();
    }
    let committed = read(path);
    let differs = committed.lines().zip(printed.lines()).find(|(committed, printed)| committed != printed);
    assert!(committed == printed, "{path} is not what `supernode {}` prints; first difference: {differs:?}", arguments.join(" "));
}
