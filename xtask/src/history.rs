//! One line a case and commit: how many instructions the hot paths take.

use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome};

const HISTORY: &str = "benches/history.csv";

/// Appends what `.ci/instructions` counted last to the history, unless the history has this commit, and draws the picture of the book.
pub fn append() -> Outcome {
    let counted = counted(&target().join("gungraun"))?;
    if counted.is_empty() {
        return Err("nothing is counted: run .ci/instructions, which needs valgrind".to_owned());
    }
    let [date, commit] = ["--format=%cs", "--format=%h"].map(|format| shell::output("git", &["show", "--no-patch", "--abbrev=10", format]));
    let (date, commit) = (date?, commit?);
    let history = shell::read(HISTORY)?;
    if history.lines().any(|line| line.split(',').nth(1) == Some(commit.trim())) {
        eprintln!("{HISTORY} has {} already", commit.trim());
        return Ok(());
    }
    let lines = counted.iter().map(|(case, count)| format!("{},{},{case},{count}\n", date.trim(), commit.trim()));
    shell::write(HISTORY, &(history + &lines.collect::<String>()))?;
    shell::run("cargo", &["test", "--quiet", "--test", "suite", "book::history"], &[("SUPERNODE_BLESS", "1")])
}

/// Where `.ci/instructions` builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("benches/instructions/target"), PathBuf::from)
}

/// Cases and their instructions, from the files that callgrind left below a folder.
fn counted(folder: &Path) -> Outcome<Vec<(String, u64)>> {
    let mut counts = Vec::new();
    let Ok(files) = std::fs::read_dir(folder) else { return Ok(counts) };
    for file in files {
        let path = file.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        if path.is_dir() {
            counts.extend(counted(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "out") {
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let count = instructions(&text).ok_or_else(|| format!("{}: no line `summary:` with instructions", path.display()))?;
            counts.push((case(&path), count));
        }
    }
    counts.sort();
    Ok(counts)
}

/// `callgrind.ring.chips_384.out` is `ring/384`.
fn case(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.trim_start_matches("callgrind.").replace(".chips_", "/")
}

/// The first event of callgrind is the number of instructions.
fn instructions(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("summary: "))?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_callgrind_name_their_case() {
        assert_eq!(case(Path::new("a/callgrind.all_to_all_full.chips_384.out")), "all_to_all_full/384");
        assert_eq!(instructions("# callgrind format\nevents: Ir Dr\nsummary: 130302973 41028386\n"), Some(130_302_973));
        assert_eq!(instructions("summary: none\n"), None);
    }
}
