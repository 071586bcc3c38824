//! Dependencies go one way. The floors of the house, ground floor first; a module uses only what stands below it.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of one entry stand side by side and do not know each other.
const FLOORS: [&[&str]; 11] = [
    &["units"],
    &["input"],
    &["fabric", "workload"],
    &["network"],
    &["execution"],
    &["serving", "training", "footprint"],
    &["study"],
    &["validation"],
    &["report"],
    &["cli"],
    &["lib", "main"],
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn modules_use_only_what_stands_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut upward = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let Some(own) = floor(&module) else {
            assert!(["lib", "main"].contains(&module.as_str()), "`{module}` has no floor");
            continue;
        };
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for used in code.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                if floor(&used).is_some_and(|other| other > own || (other == own && used != module)) {
                    upward.push(format!("{}:{}: {module} uses {used}", relative.display(), number + 1));
                }
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

/// Nothing below `cli` prints, exits or reads the environment.
#[test]
fn only_the_command_line_talks_to_the_terminal() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files.iter().filter(|file| !file.starts_with(root.join("cli")) && !file.ends_with("main.rs")) {
        let text = fs::read_to_string(file).unwrap();
        for forbidden in ["println!", "print!(", "eprint", "process::exit", "std::env::", "HashMap", "HashSet"] {
            assert!(!text.contains(forbidden), "{} holds `{forbidden}`", file.display());
        }
    }
}
