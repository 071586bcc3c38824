//! Links lead somewhere, named files exist, and the table of contents lists every page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::{pages, read, root};

/// The lines of a page outside its code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    prose(text).filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// Targets of the links of a page, without addresses of other sites.
fn targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in prose(text) {
        for after in line.split("](").skip(1) {
            let target = after.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                targets.push(target.to_owned());
            }
        }
    }
    targets
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
        plain
    })
}

#[test]
fn links_lead_to_files_and_headings() {
    let (mut broken, mut count) = (Vec::new(), 0);
    for page in pages() {
        for target in targets(&page.text) {
            count += 1;
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() { PathBuf::from(&page.path) } else { plain(&Path::new(&page.path).parent().unwrap().join(file)) };
            let whole = root().join(&path);
            if !whole.exists() {
                broken.push(format!("{}: no file {target}", page.path));
            } else if !heading.is_empty() && !anchors(&fs::read_to_string(whole).unwrap()).contains(heading) {
                broken.push(format!("{}: no heading {target}", page.path));
            }
        }
    }
    assert!(count > 50 && broken.is_empty(), "{count} links\n{}", broken.join("\n"));
}

#[test]
fn the_book_lists_every_page() {
    let summary = targets(&read("docs/SUMMARY.md"));
    for page in pages() {
        let Some(path) = page.path.strip_prefix("docs/") else { continue };
        assert!(path == "SUMMARY.md" || summary.iter().any(|target| target == path), "docs/SUMMARY.md does not list {path}");
    }
}

/// Files below `src`, as paths from there.
fn sources() -> Vec<String> {
    let (mut folders, mut files) = (vec![root().join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files
}

/// A word in backticks that names a source file names one that exists, in the documentation and in the heads of source files, so that the
/// map of the code cannot rot.
#[test]
fn named_files_exist() {
    let sources = sources();
    let mut texts: Vec<(String, String)> =
        pages().into_iter().filter(|page| page.path != "CHANGELOG.md").map(|page| (page.path, page.text)).collect();
    for source in &sources {
        let head = fs::read_to_string(root().join("src").join(source)).unwrap();
        let head: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("//! ")).collect();
        texts.push((format!("src/{source}"), head.join("\n")));
    }
    let (mut missing, mut count) = (Vec::new(), 0);
    for (path, text) in &texts {
        for word in prose(text).flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let folder = word.strip_suffix('/').is_some_and(|folder| folder.contains('/'));
            if !(word.ends_with(".rs") || folder) || word.contains([' ', '*', '<']) || word.chars().any(|letter| letter.is_ascii_uppercase()) {
                continue;
            }
            count += 1;
            let known = ["", "src", "docs", "topologies", "topologies/parts", "tests/suite"].iter().any(|base| root().join(base).join(word).exists())
                || sources.iter().any(|source| source == word || source.ends_with(&format!("/{word}")));
            if !known {
                missing.push(format!("{path}: {word}"));
            }
        }
    }
    assert!(count > 40 && missing.is_empty(), "{count} named\n{}", missing.join("\n"));
}
