//! Chores of the repository. Each runs the commands that CONTRIBUTING.md names, so that nobody has to remember them.

mod bless;
mod history;
mod pages;
mod readme;
mod release;
mod shell;

use shell::Outcome;

const HELP: &str = "\
Usage: cargo xtask CHORE [ARGUMENTS]

  bless [FILTER...]     accept the outputs as they are now: goldens, examples and pictures of the book, verdicts
  pages [PAGE...]       write generated pages anew: schemas, medians, errors, readme, studies, frontier (all without a name)
  history               append the last counts of .ci/instructions to benches/history.csv and draw docs/bench-history.svg
  docs                  build the documentation of the code and the book, warnings as errors
  release VERSION       put VERSION into every manifest and lock file; CHANGELOG.md must have its section
  notes VERSION         print the section of CHANGELOG.md, for the message of the tag

`pages` and `bless` build with the profile `dev`, as tests do. After `pages`, run `bless`: the book quotes the pages.
";

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match chore(&words) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn chore(words: &[&str]) -> Outcome {
    shell::at_root()?;
    match words {
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        ["bless", filters @ ..] => bless::bless(filters),
        ["pages", names @ ..] => pages::write(names),
        ["history"] => history::append(),
        ["docs"] => docs(),
        ["release", version] => release::set_version(version),
        ["notes", version] => release::print_notes(version),
        other => Err(format!("no chore `{}`\n\n{HELP}", other.join(" "))),
    }
}

fn docs() -> Outcome {
    shell::run("cargo", &["doc", "--no-deps", "--features", "internals"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    shell::run(".ci/book", &[], &[])
}
