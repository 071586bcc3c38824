//! Reading the same files again and again with other values in them: what no edit touches is read once and kept.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use toml::de::DeTable;

use super::catalog::{FoundText, Mention, find};
use super::document::{FileKind, Sources};
use super::edit::{Edit, Edits, LeafValue, apply, leaves};
use super::layers::FileLayers;
use super::problem::{Problem, Problems};

/// Kind of a file, a name for it, and the folder that the name is followed from.
type FileKey = (&'static str, String, Option<PathBuf>);

/// A kind of file, and the name of its text.
type CachedText = (&'static str, String);

/// Files that have been read.
#[derive(Default)]
pub struct FileCache {
    found: Mutex<BTreeMap<FileKey, FoundText>>,
    read: Mutex<BTreeMap<CachedText, Arc<dyn Any + Send + Sync>>>,
}

impl FileCache {
    /// Holds a text under a name, in place of what ships or was held under that name: whatever names that name, in a text or on the command
    /// line, finds the text in memory.
    pub fn hold<K: FileKind>(&self, name: &str, text: &str) {
        let found = FoundText::in_memory(name, text);
        open(&self.read).remove(&(K::KIND, found.source.name.clone()));
        let mut known = open(&self.found);
        for folder in [None, Some(PathBuf::new())] {
            known.insert((K::KIND, name.to_owned(), folder), found.clone());
        }
    }
}

/// What a read met.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Edits that led somewhere, by number.
    pub applied: BTreeSet<usize>,
    /// Files, by kind and name, with their texts and those of what they extend.
    pub files: BTreeMap<(&'static str, String), String>,
    /// Every value in them, after the edits.
    pub leaves: Vec<LeafValue>,
}

impl Log {
    /// What another read met, too.
    pub fn join(&mut self, other: Self) {
        self.applied.extend(other.applied);
        self.files.extend(other.files);
        self.leaves.extend(other.leaves);
    }
}

/// How files are read: from a cache or anew, with edits or as they are, logged or not.
#[derive(Clone, Copy, Default)]
pub struct FileReader<'a> {
    cache: Option<&'a FileCache>,
    edits: Option<&'a Edits>,
    log: Option<&'a Mutex<Log>>,
}

impl<'a> FileReader<'a> {
    /// Keeps what it reads.
    #[must_use]
    pub fn of(cache: &'a FileCache) -> Self {
        Self { cache: Some(cache), ..Self::default() }
    }

    /// Puts other values in.
    #[must_use]
    pub fn with(self, edits: &'a Edits) -> Self {
        Self { edits: Some(edits), ..self }
    }

    /// Writes down what it meets.
    #[must_use]
    pub fn logged(self, log: &'a Mutex<Log>) -> Self {
        Self { log: Some(log), ..self }
    }

    /// As [`find`].
    ///
    /// # Errors
    /// A problem that says what was looked for and the near name.
    pub fn find<K: FileKind>(&self, name: &str, mention: &Mention) -> Result<FoundText, Problems> {
        let Some(cache) = self.cache else { return find::<K>(name, mention) };
        let key = (K::KIND, name.to_owned(), mention.folder.clone());
        if let Some(found) = open(&cache.found).get(&key) {
            return Ok(found.clone());
        }
        let found = find::<K>(name, mention)?;
        open(&cache.found).insert(key, found.clone());
        Ok(found)
    }

    /// What stands on the cache for this text, or what `read` makes of it.
    pub(super) fn kept<K: FileKind>(
        &self,
        found: &FoundText,
        read: impl FnOnce() -> Result<(K::Content, Sources, FileLayers), Problems>,
    ) -> Result<(K::Content, Sources, FileLayers), Problems> {
        let Some(cache) = self.cache.filter(|_| self.log.is_none()) else { return read() };
        let key = (K::KIND, found.source.name.clone());
        let known = open(&cache.read).get(&key).cloned();
        if let Some(known) = known.and_then(|known| known.downcast::<(K::Content, Sources, FileLayers)>().ok()) {
            return Ok((*known).clone());
        }
        let content = read()?;
        open(&cache.read).insert(key, Arc::new(content.clone()));
        Ok(content)
    }

    /// Whether other values are put into files of hardware. A draw of a figure is the same hardware, and so is another hall's PUE.
    pub(super) fn edits_hardware(&self) -> bool {
        let hardware = ["supernode", "chip", "switch", "link", "protocol", "cpu", "nic", "memory"];
        let changes = |edit: &Edit| !edit.is_draw && edit.path.last() != "pue" && edit.path.file_kind().is_some_and(|kind| hardware.contains(&kind));
        self.edits.is_some_and(|edits| edits.list.iter().any(changes))
    }

    /// The text that asks for edits, if one of them leads into this file.
    pub(super) fn editor(&self, kind: &'static str, found: &FoundText) -> Option<&'a FileLayers> {
        let edits = self.edits?;
        edits.of_file(kind, found.stem()).next().map(|_| &edits.by)
    }

    /// Puts the edits of a file into its table, their places `offset` behind the file's own.
    pub(super) fn edit<'t>(&self, kind: &'static str, found: &FoundText, table: &mut DeTable<'t>, offset: usize)
    where
        'a: 't,
    {
        let Some(edits) = self.edits else { return };
        for (number, edit) in edits.of_file(kind, found.stem()) {
            let applied = apply(edit, table, offset);
            if let Some(log) = self.log.filter(|_| applied) {
                open(log).applied.insert(number);
            }
        }
    }

    /// Writes down a file that was read; its text is that of all its layers, which say whose each figure is.
    ///
    /// # Errors
    /// That another file of the kind has the same name: values are put into files by name.
    pub(super) fn note(
        &self,
        kind: &'static str,
        (found, text): (&FoundText, &str),
        (table, own): (&DeTable<'_>, usize),
        layers: &FileLayers,
    ) -> Result<(), Problem> {
        let Some(log) = self.log else { return Ok(()) };
        let mut log = open(log);
        match log.files.insert((kind, found.stem().to_owned()), text.to_owned()) {
            None => {
                log.leaves.extend(leaves(kind, found.stem(), (table, own), layers));
                Ok(())
            }
            Some(known) if known == text => Ok(()),
            Some(_) => {
                let problem = Problem::new(format!("`{}` is the second {kind} file called `{}`", found.source.name, found.stem()));
                Err(problem.help("ranges are drawn and studies put values in by the name of a file: give one of the two another name"))
            }
        }
    }
}

/// A lock that a panic elsewhere does not spoil: what it guards is whole after every statement.
fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
