//! `supernode sweep`: a design space, in parallel.

mod document;
mod journal;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use super::output_file::{OutputFile, record_format};
use super::page::PageArgument;
use super::progress::{Meter, progress as told_progress};
use super::{CommandResult, Exit, Output, bad_option};
use crate::input::problem::{Problem, Problems};
use crate::input::study::load_study;
use crate::report::{self, Picture, RecordFormat, Records, SweepReport, View, picture_of};
use crate::study::{Demands, Progress, Shard, Space, SweptRow, findings, named_designs, probabilities, sweep};
use journal::{Journal, JournalOwner, Rows, is_complete, join, path_of, synced_while};

/// Try all designs of a study; an interrupted sweep goes on where it was
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Study: shipped name or path
    study: String,

    /// Write all rows to this file: .csv, .jsonl or .parquet. Without it the study is only reported
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Run only every N-th design from the I-th on, such as 0/4; put together later with --join
    #[arg(long, value_name = "I/N", requires = "out", conflicts_with = "join")]
    shard: Option<ShardArgument>,

    /// Put the shards of --out together
    #[arg(long, requires = "out")]
    join: bool,

    /// Write the report as Markdown with its pictures into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["out"])]
    document: Option<PathBuf>,

    #[command(flatten)]
    page: PageArgument,

    /// End with exit code 1 if a finding of the study is no longer true
    #[arg(long)]
    strict: bool,

    /// Try only the designs that findings name, without draws of ranges: enough to check whether the findings still hold
    #[arg(long, conflicts_with_all = ["out", "document"])]
    quick: bool,
}

#[derive(Clone, Copy, Debug)]
struct ShardArgument(Shard);

impl FromStr for ShardArgument {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((_, of)) if of > 1_000_000 => Err(format!("{of} shards are too many; at most 1000000")),
            Some((number, of)) if number < of => Ok(Self(Shard { number, of })),
            Some((number, of)) => Err(format!("shards of {of} are numbered from 0 to {}, not {number}", u64::saturating_sub(of, 1))),
            None => Err("expected a shard and how many there are, such as 0/4".to_owned()),
        }
    }
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let out = arguments.out.as_deref().map(|out| record_format("--out", out).map(|format| (out, format))).transpose()?;
    let space = Space::new(load_study(&arguments.study)?)?;
    let demands = Demands::of(&space)?;
    // Columns of findings and pictures are checked before work starts, on no rows.
    findings(&space, &demands, &[])?;
    document::check(&space)?;
    if let Some(folder) = arguments.document.as_deref().filter(|folder| !folder.is_dir()) {
        return Err(bad_option("--document", format!("`{}` is not a folder", folder.display())));
    }
    let met = space.preview()?;
    let owner = JournalOwner {
        study: space.spec.id.clone(),
        fingerprint: space.fingerprint(&met),
        designs: space.points,
        figures: space.figures().len(),
        shard: (0, 1),
        finished: false,
    };
    let rows = match out {
        None if arguments.quick => in_memory(&space, &named_designs(&space)),
        None => in_memory(&space, &(0..space.points).collect::<Vec<_>>()),
        // A study of one shard is written when that is done.
        Some((out, _)) if arguments.join && is_complete(out, &owner)? => {
            return Ok(Output::done(format!("`{}` is complete: nothing to do\n", out.display())));
        }
        Some((out, records)) if arguments.join => {
            refuse_foreign(out, &owner)?;
            let rows = ordered(join(out, &owner)?);
            write(&space, &demands, &rows, out, records)?;
            Journal::open(&path_of(out, Shard::ALL), &owner)?.0.finish(&owner)?;
            rows
        }
        Some((out, records)) => {
            let shard = arguments.shard.map_or(Shard::ALL, |shard| shard.0);
            let Some(rows) = on_disk(&space, &demands, shard, &owner, (out, records))? else {
                return Ok(Output::done(format!("`{}` is complete: nothing to do\n", out.display())));
            };
            if shard != Shard::ALL {
                return Ok(Output::done(format!("shard {}/{} of `{}`: {} designs\n", shard.number, shard.of, out.display(), rows.len())));
            }
            rows
        }
    };
    let mut told = findings(&space, &demands, &rows)?;
    if !arguments.quick {
        let probabilities = probabilities(&space, &demands, &rows, Progress::to(&told_progress("draws")))?;
        told.iter_mut().zip(probabilities).for_each(|(told, probability)| told.probability = probability);
    }
    let missed = arguments.strict && told.iter().any(|told| !told.holds);
    let mut report = SweepReport { space: &space, demands: &demands, rows: &rows, findings: told, pictures: Vec::new() };
    let view = View { table: "designs", x: "racks_per_chip_w", y: "served_per_chip_tokens_per_s", by: "supernode", lines: false };
    let pictures = || {
        let charts = space.spec.charts.iter().map(|chart| picture_of(&space, &demands, &rows, chart));
        charts.map(|svg| Picture { title: "Picture of the study", note: String::new(), svg }).collect()
    };
    arguments.page.write(&report, Some(("designs", Records::of(&space, &demands, &rows))), view, pictures)?;
    let mut output = match &arguments.document {
        Some(folder) => Output::done(document::write(&mut report, folder)?),
        None => Output::noted(&report, space.chosen_workload(), format).with_rows("designs", || Records::of(&space, &demands, &rows)),
    };
    if missed {
        output.exit = Exit::Missed;
    }
    Ok(output)
}

/// The number of rows that the text of a journal holds.
///
/// # Errors
/// What is not the journal of a sweep, and a row that is not of its study.
#[cfg(feature = "internals")]
pub fn read_journal(name: &str, text: &str) -> Result<usize, Problems> {
    journal::parse(Path::new(name), text).map(|(_, rows)| rows.len())
}

/// Rows of a small study, kept nowhere.
fn in_memory(space: &Space, indices: &[u64]) -> Vec<SweptRow> {
    let rows = Mutex::new(Rows::new());
    let meter = Meter::new(indices.len() as u64, 0, "designs");
    let swept: Result<(), std::convert::Infallible> = sweep(space, indices, |row| {
        rows.lock().unwrap_or_else(PoisonError::into_inner).insert(row.index, row.outcome);
        meter.one_done();
        ControlFlow::Continue(())
    });
    match swept {
        Ok(()) => {}
    }
    meter.finish();
    ordered(rows.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn ordered(rows: Rows) -> Vec<SweptRow> {
    rows.into_iter().map(|(index, outcome)| SweptRow { index, outcome }).collect()
}

/// An output that nothing says is this study's is someone's.
fn refuse_foreign(out: &Path, owner: &JournalOwner) -> Result<(), Problems> {
    // An empty journal says nothing of whose the output is.
    let has_journal = path_of(out, Shard::ALL).metadata().is_ok_and(|journal| journal.len() > 0);
    if out.exists() && !has_journal {
        let message = format!("`{}` exists, and nothing says that it belongs to `{}`", out.display(), owner.study);
        return Err(Problem::new(message).help("remove it, or choose another --out").into());
    }
    Ok(())
}

/// Rows of a shard (or all), going on where its journal ends; `None` if the output is complete already.
fn on_disk(
    space: &Space,
    demands: &Demands,
    shard: Shard,
    owner: &JournalOwner,
    (out, format): (&Path, RecordFormat),
) -> Result<Option<Vec<SweptRow>>, Problems> {
    let owner = JournalOwner { shard: (shard.number, shard.of), ..owner.clone() };
    if shard == Shard::ALL {
        refuse_foreign(out, &owner)?;
    }
    let (mut journal, head, mut rows) = Journal::open(&path_of(out, shard), &owner)?;
    if head.finished && out.exists() {
        return Ok(None);
    }
    if head.finished {
        journal.restart(&owner)?;
    }
    let mine: Vec<u64> = (0..space.points).filter(|index| shard.holds(*index)).collect();
    let missing: Vec<u64> = mine.iter().copied().filter(|index| !rows.contains_key(index)).collect();
    let meter = Meter::new(mine.len() as u64, rows.len() as u64, "designs");
    let handle = journal.handle()?;
    let shared = Mutex::new((journal, rows));
    let finished = |row: SweptRow| {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(problems) = shared.0.add(&row) {
            return ControlFlow::Break(problems);
        }
        shared.1.insert(row.index, row.outcome);
        meter.one_done();
        ControlFlow::Continue(())
    };
    let swept = synced_while(&handle, || sweep(space, &missing, finished));
    // Also of a sweep that ends here for want of room.
    shared.lock().unwrap_or_else(PoisonError::into_inner).0.sync()?;
    swept?;
    meter.finish();
    let journal;
    (journal, rows) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows = ordered(rows);
    if shard == Shard::ALL {
        write(space, demands, &rows, out, format)?;
        journal.finish(&owner)?;
    }
    Ok(Some(rows))
}

/// Writes the output whole or not at all.
fn write(space: &Space, demands: &Demands, rows: &[SweptRow], out: &Path, format: RecordFormat) -> Result<(), Problems> {
    let written = OutputFile::create(out).and_then(|mut file| {
        Records::of(space, demands, rows).write(format, &mut file)?;
        file.finish()
    });
    written.map_err(|error| {
        let problem = Problem::new(format!("cannot write `{}`: {error}", out.display()));
        problem.help("all rows are kept in the journal beside it; run the same command again to write it").into()
    })
}
