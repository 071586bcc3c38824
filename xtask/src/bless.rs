//! Accepts outputs that changed on purpose.

use crate::shell::{self, Outcome};

const GOLDEN: &str = "tests/suite/golden";
/// Tests that compare with files of this repository and write them anew when they are told to.
const BLESSED: [&str; 3] = ["book::", "golden::", "verdicts"];

pub fn bless(filters: &[&str]) -> Outcome {
    let filters = if filters.is_empty() { &BLESSED } else { filters };
    let arguments = [&["test", "--test", "suite", "--"], filters].concat();
    let variables = [("SUPERNODE_BLESS", "1"), ("INSTA_UPDATE", "always"), ("INSTA_FORCE_PASS", "1")];
    let tested = shell::run("cargo", &arguments, &variables);
    // Insta leaves a pending snapshot where it was not allowed to write.
    for pending in shell::stems(GOLDEN, ".snap.new")? {
        let path = format!("{GOLDEN}/{pending}.snap.new");
        std::fs::remove_file(&path).map_err(|error| format!("{path}: {error}"))?;
    }
    tested?;
    shell::run("git", &["diff", "--stat"], &[])
}
