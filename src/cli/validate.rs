//! `supernode validate`: predicted beside measured.

use std::path::PathBuf;

use super::output_file::{begin, cannot_write};
use super::{CommandResult, Exit, Output, bad_option};
use crate::input::cases::{Case, load_cases, shipped_cases};
use crate::input::problem::{Problems, suggest};
use crate::report::{self, ValidateReport, scatter};
use crate::validation::{bounds_text, exceeded, load_bounds, load_outside, scores, summaries, validate};

/// Compare predictions with measurements: the shipped ones, or your own
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only measurements of this system
    #[arg(long, value_name = "SYSTEM")]
    system: Option<String>,

    /// Only measurements of this quantity
    #[arg(long, value_name = "QUANTITY")]
    quantity: Option<String>,

    /// Measurements in the format of docs/validation.md: a path, or the name of a shipped file; all shipped ones if absent
    #[arg(long, value_name = "FILE")]
    cases: Vec<String>,

    /// Print medians and percentiles only, without a row for each case; text does so if all shipped measurements are asked for
    #[arg(long, conflicts_with = "full")]
    summary: bool,

    /// Show every single case
    #[arg(long)]
    full: bool,

    /// Draw predicted over measured into this SVG file
    #[arg(long, value_name = "SVG")]
    scatter: Option<PathBuf>,

    /// Table of medians with which --strict compares the errors
    #[arg(long, value_name = "FILE", default_value = "medians")]
    bounds: String,

    /// Write the medians of this run as such a table
    #[arg(long, value_name = "FILE")]
    write_bounds: Option<PathBuf>,

    /// End with exit code 1 if a median is more than two points worse than its bound
    #[arg(long)]
    strict: bool,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let drawing = begin("--scatter", arguments.scatter.as_ref())?.zip(arguments.scatter.as_ref());
    let medians = begin("--write-bounds", arguments.write_bounds.as_ref())?.zip(arguments.write_bounds.as_ref());
    let all = arguments.cases.is_empty() && arguments.system.is_none() && arguments.quantity.is_none();
    let files = if arguments.cases.is_empty() { shipped_cases() } else { arguments.cases.clone() };
    let mut cases = Vec::new();
    for file in &files {
        cases.extend(load_cases(file)?);
    }
    cases = keep(cases, "--system", arguments.system.as_deref(), |case| &case.system)?;
    cases = keep(cases, "--quantity", arguments.quantity.as_deref(), |case| &case.quantity)?;
    let bounds = if arguments.strict { load_bounds(&arguments.bounds)? } else { Vec::new() };
    let compared = validate(&cases);
    let scores = scores(&compared);
    let summaries = summaries(&compared, &load_outside("outside")?);
    let worse = || exceeded(&scores, &bounds).into_iter().map(|(score, bound)| (score.clone(), bound.clone())).collect();
    let exceeded: Option<Vec<_>> = arguments.strict.then(worse);
    if let Some((file, path)) = drawing {
        file.whole(scatter(&compared)).map_err(|error| cannot_write("--scatter", path, &error))?;
    }
    if let Some((file, path)) = medians {
        file.whole(bounds_text(&scores)).map_err(|error| cannot_write("--write-bounds", path, &error))?;
    }
    let missed = exceeded.as_ref().is_some_and(|worse| !worse.is_empty());
    let report = ValidateReport {
        cases: compared,
        scores,
        summaries,
        exceeded,
        summary: arguments.summary || (all && !arguments.full && format == report::Format::Text),
    };
    let mut output = Output::report(&report, format);
    if missed {
        output.exit = Exit::Missed;
    }
    Ok(output)
}

/// The cases with the wanted word; none at all is a slip.
fn keep(cases: Vec<Case>, option: &str, wanted: Option<&str>, word: impl Fn(&Case) -> &String) -> Result<Vec<Case>, Problems> {
    let Some(wanted) = wanted else { return Ok(cases) };
    let mut known: Vec<String> = cases.iter().map(|case| word(case).clone()).collect();
    known.sort_unstable();
    known.dedup();
    if !known.iter().any(|name| name == wanted) {
        let hint = suggest(wanted, known.iter().map(String::as_str));
        return Err(bad_option(option, format!("no measurement has `{wanted}`; {hint}")));
    }
    Ok(cases.into_iter().filter(|case| word(case) == wanted).collect())
}
