//! Files that commands write: whole or not at all, whatever stops the program.
//!
//! What is written goes to `NAME.partial-PROCESS` beside the file and takes its name at the end, on the disk. So a file of an earlier run stays until
//! the new one is whole, and two programs that write one file leave the whole file of one of them. A link is followed to the file that it
//! leads to. A device or a pipe is written as it is, as is a file in a folder that takes no new one.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::bad_option;
use crate::input::problem::Problems;
use crate::report::RecordFormat;

/// A file under way.
pub struct OutputFile {
    out: BufWriter<File>,
    /// What it is called so far, and what it will be called; `None` where it is written in place.
    names: Option<(PathBuf, PathBuf)>,
}

impl OutputFile {
    /// Begins a file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let known = path.metadata().ok();
        let path = if known.is_some() { path.canonicalize()? } else { path.to_owned() };
        let in_place = |path: &Path| Ok(Self { out: BufWriter::new(File::create(path)?), names: None });
        if known.as_ref().is_some_and(|known| !known.is_file()) {
            return in_place(&path);
        }
        let mut partial = path.clone().into_os_string();
        partial.push(format!(".partial-{}", std::process::id()));
        let partial = PathBuf::from(partial);
        // Left by a program that had this number before; a link of that name goes and is not followed.
        let _ = std::fs::remove_file(&partial);
        match File::create_new(&partial) {
            Ok(file) => {
                if let Some(known) = known {
                    file.set_permissions(known.permissions())?;
                }
                Ok(Self { out: BufWriter::new(file), names: Some((partial, path)) })
            }
            Err(error) if known.is_some() && matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidFilename) => in_place(&path),
            Err(error) => Err(error),
        }
    }

    /// Writes all of it and ends it.
    ///
    /// # Errors
    /// As [`OutputFile::finish`].
    pub fn whole(mut self, content: impl AsRef<[u8]>) -> io::Result<()> {
        self.write_all(content.as_ref())?;
        self.finish()
    }

    /// Ends it: it is on the disk and has its name.
    ///
    /// # Errors
    /// What the file system says; an earlier file of that name is still there then.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        let Some((partial, path)) = self.names.take() else { return Ok(()) };
        let done = self.out.get_ref().sync_all().and_then(|()| std::fs::rename(&partial, &path));
        match &done {
            Ok(()) => sync_folder(&path),
            Err(_) => drop(std::fs::remove_file(&partial)),
        }
        done
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for OutputFile {
    /// What was not finished leaves nothing behind.
    fn drop(&mut self) {
        if let Some((partial, _)) = &self.names {
            let _ = std::fs::remove_file(partial);
        }
    }
}

/// Sends the name of a new file to the disk, where folders can be sent.
pub fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Begins the file that an option names, before the work that fills it: what cannot be written is refused at once.
///
/// # Errors
/// What the file system says, with the option.
pub fn begin(option: &str, path: Option<&PathBuf>) -> Result<Option<OutputFile>, Problems> {
    path.map(|path| OutputFile::create(path).map_err(|error| cannot_write(option, path, &error))).transpose()
}

/// What is said of a file that an option names and that cannot be written.
pub fn cannot_write(option: &str, path: &Path, error: &io::Error) -> Problems {
    bad_option(option, format!("cannot write `{}`: {error}", path.display()))
}

/// Writes a file whose content is known.
///
/// # Errors
/// What the file system says.
pub fn write_file(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    OutputFile::create(path)?.whole(content)
}

/// Endings as a sentence: `.csv, .jsonl or .parquet`.
fn one_of(endings: &[&str]) -> String {
    let dotted: Vec<String> = endings.iter().map(|ending| format!(".{ending}")).collect();
    match dotted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => dotted.concat(),
    }
}

/// The kind of file that a path's ending names.
pub(super) fn record_format(option: &str, path: &Path) -> Result<RecordFormat, Problems> {
    match path.extension().and_then(|extension| RecordFormat::of_ending(extension.to_str()?)) {
        Some(RecordFormat::Parquet) if !cfg!(feature = "parquet") => {
            Err(bad_option(option, "this build writes no Parquet; build it with `--features parquet`, or write .csv or .jsonl"))
        }
        Some(format) => Ok(format),
        None => Err(bad_option(option, format!("`{}` should end in {}", path.display(), one_of(RecordFormat::ENDINGS)))),
    }
}
