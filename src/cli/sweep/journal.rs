//! The append-only file beside a sweep's output: a row is in it as soon as it is done, so that nothing is computed twice.
//!
//! The first line says whose rows they are; each further line is one row. A line without its newline was cut off by whatever stopped
//! the sweep, and goes.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::output_file::sync_folder;
use crate::input::problem::{Problem, Problems};
use crate::study::{DesignOutcome, Shard, SweptRow};

/// Whose rows a journal holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalOwner {
    /// Name or path of the study.
    pub study: String,
    /// Differs where the study, its files or the program do.
    pub fingerprint: String,
    /// Designs of the whole study.
    pub designs: u64,
    /// Figures of a row.
    pub figures: usize,
    /// Number of the shard, and how many there are.
    pub shard: (u64, u64),
    /// Whether the output has been written and the rows are in it.
    pub finished: bool,
}

#[derive(Serialize, Deserialize)]
struct JournalLine {
    i: u64,
    f: Vec<Option<f64>>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    n: String,
}

/// Rows by number.
pub type Rows = BTreeMap<u64, DesignOutcome>;

/// An open journal.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
}

/// How often rows are sent to the disk. With the time that a disk takes, rows of at most a second are lost if the machine, not the program, stops.
const SYNC_EVERY: Duration = Duration::from_millis(500);

/// Path of the journal of an output, or of one of its shards.
pub fn path_of(out: &Path, shard: Shard) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(if shard.of == 1 { ".journal".to_owned() } else { format!(".shard-{}-of-{}", shard.number, shard.of) });
    out.with_file_name(name)
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Problems {
    Problem::new(format!("cannot {what} `{}`: {error}", path.display())).into()
}

impl Journal {
    /// Opens the journal of `owner` for more rows, with those that it has.
    ///
    /// # Errors
    /// A journal of another study; one that another process is writing.
    pub fn open(path: &Path, owner: &JournalOwner) -> Result<(Self, JournalOwner, Rows), Problems> {
        // A device or a pipe keeps nothing, and may never end.
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Problem::new(format!("`{}` is not a file", path.display())).into());
        }
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = opened.map_err(|error| failed("open", path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Problem::new(format!("another sweep is writing `{}`", path.display())).into()),
            // A file system without locks: two writers are then the user's to avoid.
            Err(TryLockError::Error(_)) => {}
        }
        let mut journal = Self { path: path.to_owned(), file, length: 0 };
        let mut bytes = Vec::new();
        journal.file.read_to_end(&mut bytes).map_err(|error| failed("read", path, &error))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let text = std::str::from_utf8(&bytes[..whole]).map_err(|_| not_a_journal(path))?;
        let (head, rows) = if whole == 0 { (owner.clone(), Rows::new()) } else { parse(path, text)? };
        if head.finished_as(owner) != *owner {
            return Err(foreign(path, &head, owner));
        }
        journal.length = whole as u64;
        journal.cut()?;
        if whole == 0 {
            journal.line(owner)?;
            journal.sync()?;
            sync_folder(path);
        }
        Ok((journal, head, rows))
    }

    /// Adds a row. It stays if the process dies; [`synced_while`] says when it also stays if the machine does.
    ///
    /// # Errors
    /// A full disk: the rows before this one stay whole.
    pub fn add(&mut self, row: &SweptRow) -> Result<(), Problems> {
        self.line(&JournalLine { i: row.index, f: row.outcome.figures.clone(), n: row.outcome.note.clone() })
    }

    /// Sends what was added to the disk, and waits until it is there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn sync(&self) -> Result<(), Problems> {
        self.file.sync_data().map_err(|error| failed("write", &self.path, &error))
    }

    /// The file, to be synchronised beside the work that adds to it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn handle(&self) -> Result<File, Problems> {
        self.file.try_clone().map_err(|error| failed("open", &self.path, &error))
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), Problems> {
        let mut text = serde_json::to_vec(value).map_err(|error| failed("write", &self.path, &error.into()))?;
        text.push(b'\n');
        if let Err(error) = self.file.write_all(&text) {
            // Half a line would hide the next one.
            self.cut()?;
            let help = "all finished rows are kept; run the same command again to go on";
            return Err(Problem::new(format!("cannot write `{}`: {error}", self.path.display())).help(help).into());
        }
        self.length += text.len() as u64;
        Ok(())
    }

    /// Drops what lies behind the last whole line.
    fn cut(&mut self) -> Result<(), Problems> {
        let cut = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::End(0)));
        cut.map(|_| ()).map_err(|error| failed("shorten", &self.path, &error))
    }

    /// Leaves only the owner behind, its rows being in the output.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(mut self, owner: &JournalOwner) -> Result<(), Problems> {
        self.length = 0;
        self.cut()?;
        self.line(&JournalOwner { finished: true, ..owner.clone() })?;
        self.sync()
    }

    /// Starts anew: a finished journal whose output is gone.
    ///
    /// # Errors
    /// What the file system says.
    pub fn restart(&mut self, owner: &JournalOwner) -> Result<(), Problems> {
        self.length = 0;
        self.cut()?;
        self.line(owner)
    }
}

impl JournalOwner {
    /// As it was before it finished, to compare.
    fn finished_as(&self, other: &Self) -> Self {
        Self { finished: other.finished, ..self.clone() }
    }
}

fn foreign(path: &Path, head: &JournalOwner, owner: &JournalOwner) -> Problems {
    let what = if head.study == owner.study {
        format!("`{}` has rows of `{}` as it was before it, its files or the program changed", path.display(), head.study)
    } else {
        format!("`{}` has rows of another study, `{}`", path.display(), head.study)
    };
    Problem::new(what).help("remove it with its output, or choose another --out").into()
}

/// Does `work`, during which a thread sends what a journal has been given to the disk every [`SYNC_EVERY`]. An error of the disk is met by the
/// [`Journal::sync`] at the end.
pub fn synced_while<T>(journal: &File, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (running, ended) = channel::<()>();
        scope.spawn(move || {
            let mut synced = 0;
            while ended.recv_timeout(SYNC_EVERY) == Err(RecvTimeoutError::Timeout) {
                let length = journal.metadata().map_or(0, |metadata| metadata.len());
                if length != synced && journal.sync_data().is_ok() {
                    synced = length;
                }
            }
        });
        let done = work();
        drop(running);
        done
    })
}

fn not_a_journal(path: &Path) -> Problem {
    Problem::new(format!("`{}` is not the journal of a sweep", path.display())).help("remove it, or choose another --out")
}

/// The owner and the rows of a journal's whole lines.
pub(super) fn parse(path: &Path, text: &str) -> Result<(JournalOwner, Rows), Problems> {
    let not_ours = || not_a_journal(path);
    let mut lines = text.lines();
    let head: JournalOwner = lines.next().and_then(|line| serde_json::from_str(line).ok()).ok_or_else(not_ours)?;
    let mut rows = Rows::new();
    let shard = Shard { number: head.shard.0, of: head.shard.1.max(1) };
    for (number, line) in lines.enumerate() {
        let JournalLine { i, f, n } = serde_json::from_str(line).map_err(|_| not_ours())?;
        if f.len() != head.figures || i >= head.designs || !shard.holds(i) {
            let message = format!("line {} of `{}` is not a row of its study", number + 2, path.display());
            return Err(Problem::new(message).help("remove that line; its design is computed again").into());
        }
        rows.insert(i, DesignOutcome { figures: f, note: n });
    }
    Ok((head, rows))
}

/// Whether the output of `owner` has been written, with all rows in it.
///
/// # Errors
/// A journal beside the output that is none.
pub fn is_complete(out: &Path, owner: &JournalOwner) -> Result<bool, Problems> {
    let path = path_of(out, Shard::ALL);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if text.is_empty() || !out.exists() {
        return Ok(false);
    }
    let (head, _) = parse(&path, &text)?;
    Ok(head.finished && head.finished_as(owner) == *owner)
}

/// The rows of all shards of an output.
///
/// # Errors
/// No shards, shards of several cuts, one of another study, rows that are missing: run the shards named.
pub fn join(out: &Path, owner: &JournalOwner) -> Result<Rows, Problems> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prefix = out.file_name().unwrap_or_default().to_owned();
    prefix.push(".shard-");
    let entries = std::fs::read_dir(folder).map_err(|error| failed("read", folder, &error))?;
    let mut cuts = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(rest) = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes()) else { continue };
        let numbers = std::str::from_utf8(rest).ok().and_then(|rest| rest.split_once("-of-"));
        match numbers.and_then(|(number, of)| Some((number.parse::<u64>().ok()?, of.parse::<u64>().ok()?))) {
            Some((number, of)) if number < of => cuts.push(of),
            _ => {
                let message = format!("`{}` is named like a shard and is none", entry.path().display());
                return Err(Problem::new(message).help("remove it, or give it another name").into());
            }
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    let of = match cuts.as_slice() {
        [of] => *of,
        [] => return Err(Problem::new(format!("no shards of `{}` are here", out.display())).help("run the study with --shard 0/N, 1/N ...").into()),
        several => {
            let cuts = several.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            return Err(Problem::new(format!("`{}` was cut into shards more than once: by {cuts}", out.display()))
                .help("remove all but one cut")
                .into());
        }
    };
    let mut rows = Rows::new();
    let mut unfinished = Vec::new();
    for number in 0..of {
        let shard = Shard { number, of };
        let path = path_of(out, shard);
        let expected = JournalOwner { shard: (number, of), ..owner.clone() };
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let (head, found) = if whole == 0 { (expected.clone(), Rows::new()) } else { parse(&path, &text[..whole])? };
        if head.finished_as(&expected) != expected {
            return Err(foreign(&path, &head, &expected));
        }
        let wanted = (0..owner.designs).filter(|index| shard.holds(*index)).count();
        if found.len() < wanted {
            unfinished.push(format!("{number}/{of} ({} of {wanted} designs)", found.len()));
        }
        rows.extend(found);
    }
    if unfinished.is_empty() && rows.len() as u64 == owner.designs {
        return Ok(rows);
    }
    let message = format!("{} of {of} shards of `{}` are not finished: {}", unfinished.len(), out.display(), unfinished.join(", "));
    Err(Problem::new(message).help("run them again with --shard; they go on where they were").into())
}
