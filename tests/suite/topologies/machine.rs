//! Machines made of the parts in `parts`, written down as TOML and read as a user's file would be.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use supernode::fabric::{self, Fabric};
use supernode::input::problem::Problems;
use supernode::input::spec::load_supernode;

/// Path of a test part.
pub fn part(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/topologies/parts").join(name).with_extension("toml").display().to_string()
}

/// The text of a supernode with these `[[level]]`s, in which `PART(name)` stands for the path of a test part.
pub fn text(levels: &str) -> String {
    let text = format!(
        "schema = 1\n\
         [supernode]\n\
         name = \"test\"\n\
         vendor = \"nobody\"\n\
         chip = \"PART(chip)\"\n\
         library = \"cann\"\n\
         {levels}\n\
         [supply]\n\
         conversion_efficiency = 0.9\n\
         cooling_share = 0.05\n\
         pue = 1.2\n"
    );
    ["chip", "switch", "link", "circuit", "nic", "cpu", "memory"].iter().fold(text, |text, name| text.replace(&format!("PART({name})"), &part(name)))
}

/// Writes a file of its own and returns its path.
pub fn file(name: &str, content: &[u8]) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for test files");
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a test file");
    path
}

/// Reads and builds a supernode with these levels.
pub fn build(levels: &str) -> Result<Fabric, Problems> {
    let path = file("test.toml", text(levels).as_bytes());
    let fabric = load_supernode(&path.display().to_string()).and_then(|spec| fabric::build(&spec));
    let _ = std::fs::remove_dir_all(path.parent().unwrap_or(&path));
    fabric
}

/// As [`build`], for levels that must be right.
pub fn machine(levels: &str) -> Fabric {
    build(levels).unwrap_or_else(|problems| panic!("{problems}\n{levels}"))
}

/// As [`build`], for levels that must be wrong: the rendered problems, without the lines that quote the file.
pub fn complaint(levels: &str) -> String {
    let Err(problems) = build(levels) else { return "no complaint".to_owned() };
    let lines = problems.list().iter().map(|problem| {
        let label = problem.place.as_ref().map_or(String::new(), |(_, label)| format!(" | {label}"));
        let help = problem.help.as_ref().map_or(String::new(), |help| format!(" | {help}"));
        format!("{}{label}{help}", problem.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}
