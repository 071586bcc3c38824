//! The kinds of input: their names, the inputs that a run begins with, and what becomes of one.

use std::path::PathBuf;

use supernode::input::catalog::shipped_in;
use supernode::input::document::Kind as FileKind;

use super::{descriptions, foreign, words};

/// What becomes of an input: whether the reader takes it. With `true` it is asked questions, too. Panics where something does not hold.
pub type Run = Box<dyn Fn(&[u8], bool) -> bool>;

/// A kind of input.
pub struct Kind {
    /// Its name, that of its folders below `corpus/` and `regressions/`.
    pub name: String,
    /// Inputs to begin with: what ships, and the corpus.
    pub seeds: Vec<Vec<u8>>,
    /// Inputs that broke something once.
    pub regressions: Vec<Vec<u8>>,
    run: Run,
}

impl Kind {
    /// Reads an input, and asks questions of what it holds if `deep`. `false` where the reader refuses it.
    ///
    /// # Panics
    /// Where something does not hold.
    pub fn run(&self, input: &[u8], deep: bool) -> bool {
        (self.run)(input, deep)
    }
}

/// Names of all kinds.
pub fn names() -> Vec<String> {
    let described = FileKind::ALL.into_iter().map(|kind| format!("toml-{}", kind.word()));
    described.chain(foreign::NAMES.map(str::to_owned)).chain(words::NAMES.map(str::to_owned)).collect()
}

/// The kind of a name.
pub fn kind(name: &str) -> Option<Kind> {
    let described = FileKind::ALL.into_iter().find(|kind| name.strip_prefix("toml-") == Some(kind.word()));
    let (shipped, run): (Vec<Vec<u8>>, Run) = match described {
        Some(kind) => (shipped(kind), descriptions::run(kind)),
        None => foreign::run(name).or_else(|| words::run(name))?,
    };
    let seeds = shipped.into_iter().chain(stored("corpus", name)).collect();
    Some(Kind { name: name.to_owned(), seeds, regressions: stored("regressions", name), run })
}

fn shipped(kind: FileKind) -> Vec<Vec<u8>> {
    let folder = root().join("..").join(kind.folder());
    let files = shipped_in(kind.folder()).into_iter().filter_map(|name| std::fs::read(folder.join(format!("{name}.toml"))).ok());
    files.collect()
}

/// The files below `folder` of a kind, in the order of their names.
fn stored(folder: &str, kind: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(root().join(folder).join(kind));
    let mut paths: Vec<PathBuf> = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.into_iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

/// The folder `fuzz`, from this crate and from the tests that include it.
fn root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    if package.ends_with("fuzz") { package } else { package.join("fuzz") }
}
