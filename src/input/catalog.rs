//! What ships with the program, embedded in the binary, and how a name or a path leads to a text.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use include_dir::{Dir, include_dir};

use sha2::{Digest, Sha256};

use super::document::{FileKind, Kind};
use super::problem::{Place, Problem, Problems, Source, suggest};

static TOPOLOGIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/topologies");
static WORKLOADS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/workloads");
static VALIDATION: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/validation");
static STUDIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/studies");

/// The name on the command line that means standard input.
pub const STANDARD_INPUT: &str = "-";

/// No description comes near this; a file beyond it is a mistake.
const LARGEST_FILE: u64 = 4 << 20;

/// Traces and tables of other programs reach hundreds of MiB.
const LARGEST_FOREIGN_FILE: u64 = 2 << 30;

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// As given; below the folder of its kind for a shipped one.
    pub path: String,
    /// `sha256:` and the digits.
    pub hash: String,
    /// Its text, where it is TOML.
    text: Option<String>,
}

impl InputFile {
    /// What it states as sources of its figures: key and address.
    #[must_use]
    pub fn sources(&self) -> Vec<(String, String)> {
        let table = self.text.as_deref().and_then(|text| text.parse::<toml::Table>().ok());
        let sources = table.as_ref().and_then(|table| table.get("sources")?.as_table());
        sources.into_iter().flatten().filter_map(|(key, address)| Some((key.clone(), address.as_str()?.to_owned()))).collect()
    }
}

thread_local! {
    /// What this thread has read since it last forgot. Files are read where a question is asked, before its work spreads over threads.
    static READ: RefCell<BTreeMap<String, InputFile>> = const { RefCell::new(BTreeMap::new()) };
}

/// Writes down that a file was read.
fn note(path: &str, bytes: &[u8]) {
    // `./own.toml` and `own.toml` are one file, under the name that was read first.
    let key = path.trim_start_matches("./");
    READ.with_borrow_mut(|read| {
        if !read.contains_key(key) {
            let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            let text = str::from_utf8(bytes).ok().filter(|_| path.ends_with(".toml")).map(str::to_owned);
            read.insert(key.to_owned(), InputFile { path: path.to_owned(), hash: format!("sha256:{digits}"), text });
        }
    });
}

/// The files that this thread has read since they were last forgotten, sorted by path.
#[must_use]
pub fn inputs() -> Vec<InputFile> {
    READ.with_borrow(|read| read.values().cloned().collect())
}

/// Begins another question: what was read for the last one no longer counts.
pub fn forget_inputs() {
    READ.take();
}

/// Names of the shipped files of a kind, sorted.
#[must_use]
pub fn shipped<K: FileKind>() -> Vec<String> {
    shipped_in(K::FOLDER)
}

/// Names of the shipped files directly in `folder` (a path from the project's root), sorted.
#[must_use]
pub fn shipped_in(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = files(folder).filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort_unstable();
    names
}

/// Names of the shipped files directly in `folder` that end in `extension`, sorted.
#[must_use]
pub fn shipped_with(folder: &str, extension: &str) -> Vec<String> {
    let with_extension = files(folder).filter(|file| file.path().extension().is_some_and(|found| found == extension));
    let mut names: Vec<String> = with_extension.filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort_unstable();
    names
}

fn files(folder: &str) -> impl Iterator<Item = &'static include_dir::File<'static>> {
    let (root, below) = folder.split_once('/').unwrap_or((folder, ""));
    let dir = match root {
        "topologies" => Some(&TOPOLOGIES),
        "workloads" => Some(&WORKLOADS),
        "validation" => Some(&VALIDATION),
        "studies" => Some(&STUDIES),
        _ => None,
    };
    let dir = if below.is_empty() { dir } else { dir.and_then(|dir| dir.get_dir(below)) };
    dir.into_iter().flat_map(Dir::files)
}

/// Whether the shipped file of that name gives this title to what it describes.
fn has_title(folder: &str, name: &str, title: &str) -> bool {
    let file = files(folder).find(|file| file.path().file_stem().is_some_and(|stem| stem == name));
    // Reading a file as TOML takes far longer than looking for the words in it.
    let text = file.and_then(|file| file.contents_utf8()).filter(|text| text.contains(title));
    let table = text.and_then(|text| text.parse::<toml::Table>().ok());
    table.is_some_and(|table| table.values().any(|head| head.get("name").and_then(toml::Value::as_str) == Some(title)))
}

/// Where a reference stands: the file that makes it and the words there.
#[derive(Clone, Debug)]
pub struct Mention {
    /// The text that names it, for underlining; `None` on the command line.
    pub place: Option<Place>,
    /// Folder that relative paths start from; `None` for shipped files.
    pub folder: Option<PathBuf>,
}

impl Mention {
    /// A name given on the command line: relative paths start from the working directory.
    #[must_use]
    pub fn on_command_line() -> Self {
        Self { place: None, folder: Some(PathBuf::new()) }
    }
}

/// A text that was found, and where paths inside it start from.
#[derive(Clone, Debug)]
pub struct FoundText {
    /// Its text.
    pub source: Arc<Source>,
    /// Folder of the file; `None` for shipped ones.
    pub folder: Option<PathBuf>,
}

impl FoundText {
    /// A text from memory. It may name what ships; a path in it leads nowhere.
    #[must_use]
    pub fn in_memory(name: &str, text: &str) -> Self {
        note(name, text.as_bytes());
        Self { source: Arc::new(Source { name: name.to_owned(), text: text.to_owned() }), folder: None }
    }

    /// Name of the file without folder and extension.
    #[must_use]
    pub fn stem(&self) -> &str {
        Path::new(&self.source.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }

    /// What the file is, wherever it lies and whatever it is called: the name of the shipped file of its kind with the same title, else its title.
    #[must_use]
    pub fn identity(&self, kind: &str, title: Option<&str>) -> String {
        let folder = Kind::ALL.into_iter().find(|known| known.word() == kind).map_or("", Kind::folder);
        if self.folder.is_none() && Path::new(&self.source.name).parent() == Some(Path::new(folder)) {
            return self.stem().to_owned();
        }
        // A kind without titles has one file.
        let title = title.unwrap_or(kind);
        shipped_in(folder).into_iter().find(|name| has_title(folder, name, title)).unwrap_or_else(|| title.to_owned())
    }
}

/// Finds the file of kind `K` that `name` means: a path if it ends in `.toml` or holds a `/`, on the command line standard input if it is
/// `-`, otherwise a shipped name.
///
/// # Errors
/// A problem that says what was looked for and the near name.
pub fn find<K: FileKind>(name: &str, mention: &Mention) -> Result<FoundText, Problems> {
    find_in(name, mention, K::FOLDER, K::KIND, "toml")
}

/// The kind of the file that ships under a name.
pub fn shipped_kind(name: &str) -> Option<&'static str> {
    Kind::ALL.into_iter().find(|kind| shipped_in(kind.folder()).iter().any(|known| known == name)).map(Kind::word)
}

/// As [`find`], for a folder and an extension of its own.
///
/// # Errors
/// A problem that says what was looked for and the near name.
pub fn find_in(name: &str, mention: &Mention, folder: &str, kind: &str, extension: &str) -> Result<FoundText, Problems> {
    let is_standard_input = name == STANDARD_INPUT && mention.place.is_none();
    let is_path = is_standard_input || name.contains(['/', '\\']) || Path::new(name).extension().is_some_and(|found| found == extension);
    let at = |problem: Problem| match &mention.place {
        Some(place) => problem.at(place.clone(), format!("names a {kind}")),
        None => problem,
    };
    if is_path {
        if mention.place.is_some() && mention.folder.is_none() {
            let problem = Problem::new(format!("`{name}` is a path, and this text has no folder"));
            return Err(at(problem.help(format!("name a shipped {kind}, or read the description from a file"))).into());
        }
        let path =
            mention.folder.as_deref().unwrap_or(Path::new("")).join(if mention.place.is_some() { name.trim_start_matches("./") } else { name });
        let source = read(&path).map_err(|problems| problems.map(at))?;
        return Ok(FoundText { folder: Some(path.parent().unwrap_or(Path::new("")).to_owned()), source: Arc::new(source) });
    }
    let file = files(folder).find(|file| file.path().file_stem().is_some_and(|stem| stem == name));
    match file.and_then(|file| Some((file.path().display(), file.contents_utf8()?))) {
        Some((path, text)) => {
            let root = folder.split('/').next().unwrap_or_default();
            let name = format!("{root}/{path}");
            note(&name, text.as_bytes());
            Ok(FoundText { source: Arc::new(Source { name, text: text.to_owned() }), folder: None })
        }
        None => {
            let known = shipped_in(folder);
            let hint = suggest(name, known.iter().map(String::as_str));
            let other = shipped_kind(name).map_or_else(String::new, |other| format!("a shipped {other} has that name; "));
            let own = if Path::new(&format!("{name}.{extension}")).exists() {
                format!("; for the file here write `./{name}.{extension}`")
            } else {
                String::new()
            };
            // A bare word is a name first; only what is no name can be meant as a path.
            if mention.place.is_none() && Path::new(name).is_dir() {
                return Err(directory(name));
            }
            Err(at(Problem::new(format!("no {kind} is named `{name}`")).help(format!("{other}{hint}{own}"))).into())
        }
    }
}

/// Reads a text file, refusing what cannot be one.
///
/// # Errors
/// A problem that names the path and the reason.
pub fn read(path: &Path) -> Result<Source, Problems> {
    if path == Path::new(STANDARD_INPUT) {
        return standard_input();
    }
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| Problem::new(format!("cannot read `{shown}`: {}", reason(&error))))?;
    if metadata.is_dir() {
        return Err(directory(&shown.to_string()));
    }
    refuse_named_pipe(path, &metadata)?;
    decoded(&shown.to_string(), bytes_up_to(path, LARGEST_FILE)?)
}

/// The text of a file that another program wrote: it may be far longer than a description.
///
/// # Errors
/// A problem that names the path and the reason.
pub fn read_foreign(path: &Path, expected: &str) -> Result<Source, Problems> {
    let name = path.display().to_string();
    let text = String::from_utf8(read_foreign_bytes(path, expected)?).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Problem::new(format!("`{name}` is not text: byte {offset} is not UTF-8")).help(format!("expected {expected} in UTF-8"))
    })?;
    let text = text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned);
    Ok(Source { name, text })
}

/// The bytes of a file that another program wrote.
///
/// # Errors
/// A problem that names the path and the reason.
pub fn read_foreign_bytes(path: &Path, expected: &str) -> Result<Vec<u8>, Problems> {
    let shown = path.display();
    if path == Path::new(STANDARD_INPUT) {
        let mut bytes = Vec::new();
        let read = std::io::stdin().take(LARGEST_FOREIGN_FILE + 1).read_to_end(&mut bytes);
        read.map_err(|_| Problem::new("cannot read standard input"))?;
        note("standard input", &bytes);
        return Ok(bytes);
    }
    if path.is_dir() {
        return Err(Problem::new(format!("`{shown}` is a directory")).help(format!("expected {expected}")).into());
    }
    if let Ok(metadata) = std::fs::metadata(path) {
        refuse_named_pipe(path, &metadata)?;
    }
    let bytes = bytes_up_to(path, LARGEST_FOREIGN_FILE)?;
    if bytes.len() as u64 > LARGEST_FOREIGN_FILE {
        let limit = LARGEST_FOREIGN_FILE >> 30;
        return Err(Problem::new(format!("`{shown}` is too long")).help(format!("files up to {limit} GiB are read")).into());
    }
    note(&shown.to_string(), &bytes);
    Ok(bytes)
}

/// Devices and pipes have no length: what is read counts, not what is announced.
fn bytes_up_to(path: &Path, limit: u64) -> Result<Vec<u8>, Problems> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| Problem::new(format!("cannot read `{}`: {}", path.display(), reason(&error))))?;
    Ok(bytes)
}

/// A shell's own pipes stand below /dev and have a writer; a named pipe without one would be waited for.
fn refuse_named_pipe(path: &Path, metadata: &std::fs::Metadata) -> Result<(), Problems> {
    if !is_pipe(metadata) || path.starts_with("/dev") || path.starts_with("/proc") {
        return Ok(());
    }
    let shown = path.display();
    Err(Problem::new(format!("`{shown}` is a named pipe")).help(format!("redirect it: `- < {shown}`")).into())
}

#[cfg(unix)]
fn is_pipe(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_: &std::fs::Metadata) -> bool {
    false
}

/// Standard input: a stream that can be read only once, however often a command asks for it.
fn standard_input() -> Result<Source, Problems> {
    static READ: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let bytes = READ.get_or_init(|| {
        let mut bytes = Vec::new();
        std::io::stdin().take(LARGEST_FILE + 1).read_to_end(&mut bytes).ok().map(|_| bytes)
    });
    let bytes = bytes.clone().ok_or_else(|| Problem::new("cannot read standard input"))?;
    decoded("standard input", bytes)
}

fn directory(shown: &str) -> Problems {
    Problem::new(format!("`{shown}` is a directory")).help("expected a TOML file").into()
}

/// The text that a file's bytes are, without the byte order mark that some editors put first.
fn decoded(shown: &str, bytes: Vec<u8>) -> Result<Source, Problems> {
    if bytes.len() as u64 > LARGEST_FILE {
        let limit = LARGEST_FILE >> 20;
        return Err(Problem::new(format!("`{shown}` is too long")).help(format!("files up to {limit} MiB are read")).into());
    }
    note(shown, &bytes);
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Problems::from(Problem::new(format!("`{shown}` is not text: byte {offset} is not UTF-8")).help("expected a TOML file in UTF-8"))
    })?;
    let text = text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned);
    Ok(Source { name: shown.to_owned(), text })
}

fn reason(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file",
        std::io::ErrorKind::PermissionDenied => "permission denied",
        _ => "it cannot be opened",
    }
}
