//! Dependencies go one way: from a floor to those below it, and from file to file without circles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::imports::{Imports, sources};

/// The floors, ground floor first; a module uses only what stands below it. Modules of one entry stand side by side and do not know
/// each other.
const FLOORS: [&[&str]; 12] = [
    &["units"],
    &["input"],
    &["fabric", "workload"],
    &["network"],
    &["execution"],
    &["serving", "training", "footprint"],
    &["study"],
    &["validation"],
    &["report"],
    // The library for other programs, and the command line.
    &["api", "cli"],
    // A command line as a question of the library.
    &["ask"],
    // The crate's root, which declares them all.
    &[""],
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn floor(module: &[String]) -> usize {
    let first = module.first().map_or("", String::as_str);
    FLOORS.iter().position(|floor| floor.contains(&first)).unwrap_or_else(|| panic!("`{first}` has no floor"))
}

#[test]
fn modules_use_only_what_stands_below() {
    let imports = Imports::of(&root());
    let upward = imports.0.iter().flat_map(|(module, used)| used.iter().map(move |used| (module, used))).filter(|(module, used)| {
        let (own, other) = (floor(module), floor(used));
        !used.is_empty() && (other > own || (other == own && module.first() != used.first()))
    });
    let upward: Vec<String> = upward.map(|(module, used)| format!("{} uses {}", module.join("::"), used.join("::"))).collect();
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let imports = Imports::of(&root());
    assert!(imports.0.len() > 200, "the source was not found");
    let circles: BTreeSet<String> = imports
        .0
        .keys()
        .filter_map(|module| imports.circle(module))
        .map(|circle| circle.iter().map(|module| module.join("::")).collect::<Vec<_>>().join(" -> "))
        .collect();
    assert!(circles.is_empty(), "{}", circles.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Nothing below `cli` prints, exits or reads the environment.
#[test]
fn only_the_command_line_talks_to_the_terminal() {
    let root = root();
    for file in sources(&root).iter().filter(|file| !file.starts_with(root.join("cli")) && !file.ends_with("main.rs")) {
        let text: String = fs::read_to_string(file).unwrap().lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        for forbidden in ["println!", "print!(", "eprint", "process::exit", "std::env::", "HashMap", "HashSet"] {
            assert!(!text.contains(forbidden), "{} holds `{forbidden}`", file.display());
        }
    }
}

/// The type that a line declares outside of a function or an implementation.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub").map_or(line, |rest| rest.split_once(") ").map_or(rest, |(_, rest)| rest).trim_start());
    let name = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| line.strip_prefix(kind))?;
    name.split(|letter: char| !letter.is_alphanumeric()).next()
}

#[test]
fn a_type_name_has_one_meaning() {
    assert_eq!(
        ["pub struct A {", "pub(in crate::x) enum B<'a> {", "type C = u8;", "    type D = u8;", "pub type E<T> = T;"].map(declared),
        [Some("A"), Some("B"), Some("C"), None, Some("E")]
    );
    let mut files = BTreeMap::<String, Vec<String>>::new();
    for file in sources(&root()) {
        for name in fs::read_to_string(&file).unwrap().lines().filter_map(declared) {
            files.entry(name.to_owned()).or_default().push(file.display().to_string());
        }
    }
    assert!(files.len() > 500, "the source was not found");
    // The options of each command are its `Arguments`, as clap's own examples name them.
    files.retain(|name, files| files.len() > 1 && name != "Arguments");
    assert!(files.is_empty(), "{files:#?}");
}

/// A file that is longer holds two things. clippy.toml has the same rule for functions.
#[test]
fn no_file_is_longer_than_500_lines() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src", "tests", "benches/by_hand", "examples", "xtask/src", "fuzz/src", "python/src"];
    let length = |file: &PathBuf| fs::read_to_string(file).unwrap().lines().count();
    let long: Vec<PathBuf> = folders.iter().flat_map(|folder| sources(&repository.join(folder))).filter(|file| length(file) > 500).collect();
    assert!(long.is_empty(), "{long:?}");
}
