//! What a terminal and a package manager get: width, colours, version, completions, manual pages.

use std::fs;
use std::process::Command;

use crate::command::Project;

const WIDTH: usize = 100;

/// Every complete output that is kept fits, help included. Errors are not wrapped: see `check-wrong`.
#[test]
fn all_golden_outputs_fit() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/golden");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.contains(".json.") || name == "check-wrong.snap" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let body = text.splitn(3, "---\n").nth(2).unwrap();
        let wide: Vec<&str> = body.lines().filter(|line| line.chars().count() > WIDTH).collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

/// The program with an environment of its own.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_supernode"));
    command.args(arguments).env_remove("NO_COLOR").envs(environment.iter().copied());
    let output = command.output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn colours_are_for_terminals_or_on_request() {
    let describe = ["describe", "hgx-h100"];
    let (plain, _) = run(&describe, &[]);
    assert!(!plain.contains('\u{1b}'), "a pipe has no colours");
    let always = [&describe[..], &["--color", "always"]].concat();
    let (coloured, _) = run(&always, &[("NO_COLOR", "1")]);
    assert!(coloured.contains("\u{1b}[1m"), "an option goes before the environment");
    // Colours change nothing else.
    let bare: String = coloured
        .split('\u{1b}')
        .map(|part| part.split_once('m').map_or(part, |(code, rest)| if code.starts_with('[') { rest } else { part }))
        .collect();
    assert_eq!(bare, plain);
    let (_, error) = run(&["describe", "hgx-h10", "--color=always"], &[]);
    assert!(error.contains('\u{1b}') && error.contains("hgx-h10"), "{error}");
    let (_, usage) = run(&["describe", "--nope", "--color=always"], &[]);
    assert!(usage.contains('\u{1b}'), "{usage}");
    let (_, usage) = run(&["describe", "--nope", "--color=never"], &[]);
    assert!(!usage.contains('\u{1b}'), "{usage}");
}

#[test]
fn the_version_names_the_commit_where_the_build_was_told() {
    let (version, _) = run(&["--version"], &[]);
    let rest = version.trim_end().strip_prefix(concat!("supernode ", env!("CARGO_PKG_VERSION"))).unwrap().to_owned();
    let commit = rest.trim_start_matches(" (").trim_end_matches(')');
    assert!(rest.is_empty() || (commit.len() >= 7 && commit.chars().all(|letter| letter.is_ascii_hexdigit())), "{version}");
}

#[test]
fn completions_and_manual_pages_are_of_every_command() {
    let project = Project::new("man");
    for (shell, word) in [
        ("bash", "_supernode()"),
        ("zsh", "#compdef supernode"),
        ("fish", "complete -c supernode"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = project.run(&["completions", shell]).output();
        assert!(script.contains(word) && script.contains("fan-in") && script.contains("same-chips"), "{shell}");
    }
    let page = project.run(&["man"]).output();
    assert!(page.contains(".TH supernode 1") && page.contains("supernode\\-simulate(1)"), "{page}");
    assert!(project.run(&["man", "fan-in"]).output().contains("supernode fan\\-in"));
    project.run(&["man", "simulat"]).fails("error: none of the commands is named `simulat`\n |\n = help: did you mean `simulate`?\n");
    let said = project.run(&["man", "--all", "pages"]).output();
    let pages = fs::read_dir(project.path().join("pages")).unwrap().count();
    assert!(said == format!("{pages} pages in `pages`\n") && pages > 25, "{said}");
    assert!(project.text("pages/supernode-fan-in.1").contains(".TH supernode-fan-in 1"));
    let error = Project::new("man-file").file("pages", "").run(&["man", "--all", "pages"]).error();
    assert!(error.starts_with("error: --all: cannot write into `pages`: "), "{error}");
}

/// A file that `list --out` writes is read as it stands, its schema lies where its first line says, and nothing that is there is lost.
#[test]
fn a_listed_file_brings_its_schema() {
    let project = Project::new("list-out");
    let said = project.run(&["list", "links", "nvlink4-board", "--out", "parts/mine.toml"]).output();
    assert_eq!(said, "`parts/mine.toml`, and its schema in `parts/schema/link.json`\n");
    assert!(project.text("parts/mine.toml").starts_with("#:schema ./schema/link.json\nschema = 1\n"));
    assert_eq!(project.text("parts/schema/link.json"), project.run(&["schema", "link"]).output());
    project.run(&["check", "parts/mine.toml"]).output();
    project.run(&["list", "links", "nvlink4-board", "--out", "parts/mine.toml"]).output();
    let other = project.run(&["list", "links", "ualink-x4", "--out", "parts/mine.toml"]).error();
    assert!(other.starts_with("error: --out: cannot write `parts/mine.toml`: "), "{other}");
    assert!(project.text("parts/mine.toml").contains("NVLink 4"));
    assert!(project.run(&["list", "links", "--out", "x.toml"]).error().contains("<NAME>"));
}

/// Every shipped file names its schema by a path that leads to it.
#[test]
fn shipped_files_name_their_schema() {
    fn walk(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                found.push(path);
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ["topologies", "workloads", "studies"].iter().for_each(|folder| walk(&root.join(folder), &mut files));
    assert!(files.len() > 300, "{}", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let schema = text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).unwrap_or_else(|| panic!("{}", file.display()));
        assert!(file.parent().unwrap().join(schema).is_file(), "{}: {schema}", file.display());
    }
}
