//! Which file of `src` imports from which, read from the source as text: `use` trees with braces and `super`, and paths in code.
//! A re-export (`pub use`) is followed to the file that defines the name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module path below the crate: `["network", "pricing"]`.
type ModulePath = Vec<String>;

/// The modules of the crate, one a file, and the modules that each imports from.
pub struct Imports(pub BTreeMap<ModulePath, BTreeSet<ModulePath>>);

/// All Rust files below a folder, in order.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let of = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.into_iter().flat_map(of).filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn module_of(file: &Path, root: &Path) -> ModulePath {
    let relative = file.strip_prefix(root).unwrap().with_extension("");
    let mut path: ModulePath = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path.last().is_some_and(|last| last == "mod" || last == "lib") {
        path.pop();
    }
    path
}

/// The code of a file: without comments, and without the tests at its end.
fn code(text: &str) -> String {
    let without_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    without_tests.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

/// The paths that a `use` tree names: `a::{b, c::d}` names `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<ModulePath> {
    let tree = tree.trim();
    if let Some(inside) = tree.strip_prefix('{').and_then(|tree| tree.strip_suffix('}')) {
        let (mut depth, mut parts) = (0, vec![String::new()]);
        for letter in inside.chars() {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            if letter == ',' && depth == 0 { parts.push(String::new()) } else { parts.last_mut().unwrap().push(letter) }
        }
        return parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| leaves(part)).collect();
    }
    match tree.split_once("::") {
        Some((head, rest)) => leaves(rest).into_iter().map(|rest| [vec![head.trim().to_owned()], rest].concat()).collect(),
        None => vec![tree.split_whitespace().take(1).filter(|name| *name != "self").map(str::to_owned).collect()],
    }
}

/// A path as seen from the crate's root; `None` where it leads outside of the crate.
fn absolute(module: &[String], path: &[String]) -> Option<ModulePath> {
    match path.first().map(String::as_str) {
        Some("crate") => Some(path[1..].to_vec()),
        Some("super" | "self") => {
            let ups = path.iter().take_while(|part| *part == "super" || *part == "self").count();
            let above = path[..ups].iter().filter(|part| *part == "super").count();
            Some([&module[..module.len().saturating_sub(above)], &path[ups..]].concat())
        }
        _ => None,
    }
}

/// `use` trees of a file, each with whether it is a re-export, and the code that remains without them.
fn uses(code: &str) -> (Vec<(bool, String)>, String) {
    let (mut trees, mut rest) = (Vec::new(), String::new());
    for statement in code.split_inclusive(';') {
        let start = statement.find(" use ").map(|at| at + 1).or_else(|| statement.starts_with("use ").then_some(0));
        match start.filter(|_| statement.ends_with(';')) {
            Some(start) => {
                let before = statement[..start].trim_end();
                let exported = before.ends_with("pub") || before.ends_with(')') && before.contains("pub(");
                trees.push((exported, statement[start + 4..statement.len() - 1].to_owned()));
                rest.push_str(before);
            }
            None => rest.push_str(statement),
        }
    }
    (trees, rest)
}

/// Paths that start with `crate::`, `super::` or `self::` in code.
fn paths_in(code: &str) -> Vec<ModulePath> {
    let words = code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'));
    let path = |word: &str| word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<ModulePath>();
    words.map(path).filter(|path| matches!(path.first().map(String::as_str), Some("crate" | "super" | "self"))).collect()
}

impl Imports {
    /// Reads the source below `root`; `main.rs` is another crate and left out.
    pub fn of(root: &Path) -> Self {
        let files: BTreeMap<ModulePath, (Vec<(bool, String)>, String)> = sources(root)
            .iter()
            .filter(|file| !file.ends_with("main.rs"))
            .map(|file| (module_of(file, root), uses(&code(&fs::read_to_string(file).unwrap()))))
            .collect();
        let mut exports: BTreeMap<ModulePath, ModulePath> = BTreeMap::new();
        for (module, (trees, _)) in &files {
            for path in trees.iter().filter(|tree| tree.0).flat_map(|tree| leaves(&tree.1)) {
                let target = absolute(module, &path).unwrap_or_else(|| [module.as_slice(), &path].concat());
                exports.insert([module.as_slice(), &path[path.len() - 1..]].concat(), target);
            }
        }
        let mut imports = BTreeMap::new();
        for (module, (trees, rest)) in &files {
            let named = trees.iter().filter(|tree| !tree.0).flat_map(|tree| leaves(&tree.1)).chain(paths_in(rest));
            let used = named.filter_map(|path| absolute(module, &path)).filter_map(|path| defining(&files, &exports, path));
            imports.insert(module.clone(), used.filter(|used| used != module).collect());
        }
        Self(imports)
    }

    /// A shortest way from `from` back to itself, if there is one.
    pub fn circle(&self, from: &ModulePath) -> Option<Vec<ModulePath>> {
        let mut ways = vec![vec![from.clone()]];
        let mut seen = BTreeSet::new();
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in &ways {
                for next in self.0.get(way.last().unwrap()).into_iter().flatten() {
                    if next == from {
                        return Some([way.as_slice(), std::slice::from_ref(next)].concat());
                    }
                    if seen.insert(next.clone()) {
                        longer.push([way.as_slice(), std::slice::from_ref(next)].concat());
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

/// The file that defines what a path names, re-exports followed.
fn defining<T>(files: &BTreeMap<ModulePath, T>, exports: &BTreeMap<ModulePath, ModulePath>, mut path: ModulePath) -> Option<ModulePath> {
    for _ in 0..10 {
        let length = (0..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
        let followed = path.get(..=length).and_then(|name| exports.get(name)).filter(|target| target.as_slice() != &path[..=length]);
        match followed {
            Some(target) => path = [target.as_slice(), &path[length + 1..]].concat(),
            None => return Some(path[..length].to_vec()),
        }
    }
    None
}
