//! Runs the built program in a folder of its own.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder with files.
pub struct Project(PathBuf);

impl Project {
    /// An empty folder; `name` is unique among the tests.
    pub fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        self.bytes(name, text.as_bytes())
    }

    pub fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        std::fs::write(self.0.join(name), bytes).unwrap();
        self
    }

    pub fn folder(self, name: &str) -> Self {
        std::fs::create_dir_all(self.0.join(name)).unwrap();
        self
    }

    /// The folder.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// Text of a file there.
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Runs `supernode` there.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let command = Command::new(env!("CARGO_BIN_EXE_supernode")).args(arguments).current_dir(&self.0).output();
        Run(command.unwrap())
    }
}

/// What the program left behind.
pub struct Run(Output);

impl Run {
    /// Standard output of a run that ended well.
    pub fn output(&self) -> String {
        assert_eq!(self.0.status.code(), Some(0), "{}", String::from_utf8_lossy(&self.0.stderr));
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    /// Exit code and standard output.
    pub fn code_and_output(&self) -> (Option<i32>, String) {
        (self.0.status.code(), String::from_utf8_lossy(&self.0.stdout).into_owned())
    }

    pub fn succeeds(&self, expected: &str) {
        assert_eq!(self.output(), expected);
    }

    /// Standard error of a run that refused its input.
    pub fn error(&self) -> String {
        assert_eq!(self.0.status.code(), Some(2));
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Exit code 2, nothing on standard output, exactly this on standard error.
    pub fn fails(&self, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&self.0.stderr), expected);
        assert_eq!(self.0.status.code(), Some(2));
        assert!(self.0.stdout.is_empty(), "results belong on standard output only when there are some");
    }
}
