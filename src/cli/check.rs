//! `supernode check`: parse and validate files of any kind.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use serde_json::{Value as Json, json};

use super::money_options::MoneyOptions;
use super::{CommandResult, Exit, Output};
use crate::fabric;
use crate::input::catalog::{FoundText, Mention, STANDARD_INPUT, read as read_text, shipped as shipped_names};
use crate::input::document::{
    ChipFile, CpuFile, DemandFile, EngineFile, FileKind, Kind, LibraryFile, LinkFile, MemoryFile, Model, ModelFile, NicFile, Prices, PricesFile,
    ProtocolFile, ReliabilityFile, SupernodeFile, SwitchFile,
};
use crate::input::extends::{kind_of, read_layers};
use crate::input::file_cache::{FileReader, Log};
use crate::input::hugging_face;
use crate::input::problem::{Problem, Problems};
use crate::input::read::parse;
use crate::input::spec::{load_clip, load_supernode, load_supernode_from, load_target, load_training, load_workload};
use crate::input::study::load_study;
use crate::report::{Format, Report, Section, Table};
use crate::study::{Demands, MachineFacts, RuleFinding, Severity, Space, check_figures, check_link, check_machine, findings};
use crate::units::counted;
use crate::validation::load_bounds;

/// Read and validate files: every problem is underlined, and design rules find machines that could not be built, priced or trusted
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// TOML files of any kind, - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,

    /// Findings that count as errors, beside errors: for CI
    #[arg(long, value_enum, value_name = "SEVERITY")]
    deny: Option<Denied>,

    #[command(flatten)]
    money: MoneyOptions,
}

/// From which severity on a finding is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Denied {
    Warnings,
    Notes,
}

/// What was found in a file.
struct CheckedFile {
    file: String,
    /// What it holds, or its problems.
    holds: Result<String, Problems>,
    findings: Vec<RuleFinding>,
    /// Whether it passes.
    ok: bool,
}

/// Files and what was found in each.
struct Sound(Vec<CheckedFile>);

impl Report for Sound {
    fn output(&self) -> &'static str {
        "check"
    }

    fn json(&self) -> Json {
        let files = self.0.iter().map(|checked| {
            let problems = checked.holds.as_ref().err().map_or(&[][..], Problems::list).iter().map(problem_json);
            let findings = checked.findings.iter().map(finding_json);
            let holds = checked.holds.as_ref().ok();
            json!({ "file": checked.file, "ok": checked.ok, "holds": holds, "findings": problems.chain(findings).collect::<Vec<_>>() })
        });
        json!({ "files": files.collect::<Vec<_>>() })
    }

    fn sections(&self) -> Vec<Section> {
        let mut table = Table::new(&["<file", "<holds", "<rule", "<finding"]);
        for checked in &self.0 {
            let holds = checked.holds.as_ref().map_or("-", String::as_str);
            table.row([checked.file.clone(), holds.to_owned(), String::new(), String::new()]);
            for finding in &checked.findings {
                table.row([String::new(), String::new(), finding.rule.name.to_owned(), finding.message.clone()]);
            }
        }
        vec![Section::Table(table)]
    }
}

fn finding_json(finding: &RuleFinding) -> Json {
    json!({ "rule": finding.rule.name, "severity": finding.severity.name(), "message": finding.message, "help": finding.rule.mend,
        "path": null, "line": null, "column": null })
}

/// A problem of the file itself, with the place of its first letter.
fn problem_json(problem: &Problem) -> Json {
    let place = problem.place.as_ref().map(|(place, label)| {
        let before = place.source.text.get(..place.span.start).unwrap_or_default();
        let (line, start) = (1 + before.matches('\n').count(), before.rfind('\n').map_or(0, |newline| newline + 1));
        (place.source.name.clone(), line, 1 + before[start..].chars().count(), label.clone())
    });
    let message = match &place {
        Some((.., label)) if !label.is_empty() => format!("{} ({label})", problem.message),
        _ => problem.message.clone(),
    };
    json!({ "rule": "invalid-file", "severity": "error", "message": message, "help": problem.help,
        "path": place.as_ref().map(|place| &place.0), "line": place.as_ref().map(|place| place.1), "column": place.as_ref().map(|place| place.2) })
}

pub fn run(arguments: &Arguments, format: Format) -> CommandResult {
    let prices = arguments.money.prices()?;
    let least = match arguments.deny {
        None => Severity::Error,
        Some(Denied::Warnings) => Severity::Warning,
        Some(Denied::Notes) => Severity::Note,
    };
    let checked: Vec<CheckedFile> = arguments
        .files
        .iter()
        .map(|file| {
            let log = Mutex::new(Log::default());
            let (holds, mut findings) = match check(file, &log, &prices) {
                Ok((holds, findings)) => (Ok(holds), findings),
                Err(problems) => (Err(problems), Vec::new()),
            };
            let log = log.into_inner().unwrap_or_else(PoisonError::into_inner);
            // Of a file that is wrong its own problems come first.
            if holds.is_ok() {
                findings.extend(check_figures(&log.leaves));
            }
            findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
            let ok = holds.is_ok() && findings.iter().all(|finding| finding.severity < least);
            CheckedFile { file: file.clone(), holds, findings, ok }
        })
        .collect();
    let passes = checked.iter().all(|checked| checked.ok);
    if format != Format::Text {
        let mut output = Output::report(&Sound(checked), format);
        output.exit = if passes { Exit::Done } else { Exit::BadInput };
        return Ok(output);
    }
    let mut sound = String::new();
    let mut problems = Vec::new();
    for checked in checked {
        show(&checked, least);
        match checked.holds {
            Ok(holds) if checked.ok => sound += &format!("{}: ok, {holds}\n", checked.file),
            Ok(_) => {}
            Err(found) => problems.extend(found.into_list()),
        }
    }
    let mut output = Output::done(if passes { sound } else { String::new() });
    output.exit = if passes { Exit::Done } else { Exit::BadInput };
    Problems::check(problems, output)
}

/// Findings of a file, on standard error. Notes are counted unless they are denied: they hold of most machines.
fn show(checked: &CheckedFile, least: Severity) {
    let mut error = std::io::stderr().lock();
    let shown = |finding: &&RuleFinding| finding.severity > Severity::Note || least == Severity::Note;
    for finding in checked.findings.iter().filter(shown) {
        let word = if finding.severity >= least { "error" } else { finding.severity.name() };
        let _ = writeln!(error, "{word}[{}]: {}: {}", finding.rule.name, checked.file, finding.message);
    }
    let notes: Vec<&str> = checked.findings.iter().filter(|finding| !shown(finding)).map(|finding| finding.rule.name).collect();
    if !notes.is_empty() {
        let _ = writeln!(error, "note: {}: {} (`supernode explain RULE`; --format json shows all)", checked.file, notes.join(", "));
    }
}

/// Checks a file of this kind, given by a path that no shipped name is taken for and by its text, and says what it holds.
fn check_kind(kind: Kind, path: &str, found: FoundText, log: &Mutex<Log>) -> Result<String, Problems> {
    match kind {
        Kind::Study => check_study(path),
        // A machine and a link have rules of their own: see `check`.
        Kind::Supernode => load_supernode(path).map(|spec| format!("supernode {}", spec.name)),
        Kind::Workload => load_workload(path).map(|spec| format!("workload {}", spec.workload.name)),
        Kind::Clip => load_clip(path).map(|clip| format!("clip {}", clip.name)),
        Kind::Training => load_training(path, None).map(|spec| format!("training {}", spec.training.name)),
        Kind::Target => load_target(path).map(|spec| format!("target {}", spec.target.name)),
        Kind::Chip => part::<ChipFile>(found, log).map(|chip| format!("chip {}", chip.name)),
        Kind::Switch => part::<SwitchFile>(found, log).map(|switch| format!("switch {}", switch.name)),
        Kind::Link => part::<LinkFile>(found, log).map(|link| format!("link {}", link.name)),
        Kind::Protocol => part::<ProtocolFile>(found, log).map(|protocol| format!("protocol {}", protocol.name)),
        Kind::Cpu => part::<CpuFile>(found, log).map(|cpu| format!("CPU {}", cpu.name)),
        Kind::Nic => part::<NicFile>(found, log).map(|nic| format!("NIC {}", nic.name)),
        Kind::Memory => part::<MemoryFile>(found, log).map(|memory| format!("memory {}", memory.name)),
        Kind::Library => part::<LibraryFile>(found, log).map(|library| format!("library {}", library.name)),
        Kind::Engine => part::<EngineFile>(found, log).map(|engine| format!("engine {}", engine.name)),
        Kind::Model => part::<ModelFile>(found, log).map(|model| format!("model {}", model.name)),
        Kind::Reliability => part::<ReliabilityFile>(found, log).map(|_| "failure rates of parts".to_owned()),
        Kind::Prices => part::<PricesFile>(found, log).map(|prices| format!("prices of {}", prices.date)),
        Kind::Demand => part::<DemandFile>(found, log).map(|demand| format!("demand {}", demand.name)),
    }
}

/// Says what the file holds, and what design rules find in it.
fn check(file: &str, log: &Mutex<Log>, prices: &Prices) -> Result<(String, Vec<RuleFinding>), Problems> {
    let source = Arc::new(read_text(Path::new(file)).map_err(|problems| problems.map(|problem| shipped(problem, file)))?);
    // A path without a slash would be taken for a shipped name.
    let path = if file.contains('/') || file == STANDARD_INPUT { file.to_owned() } else { format!("./{file}") };
    // A model as the hub holds it. No TOML file starts with a brace.
    let is_json = Path::new(file).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if is_json || source.text.trim_start().starts_with('{') {
        return hugging_face::read(&source).map(|model| (configuration(&model), Vec::new()));
    }
    // The table is read again as what it is: two of them need not be in memory.
    let (kind, extends) = {
        let table = parse(&source, &source.text)?;
        let holds = |kind: &str| table.get_ref().contains_key(kind);
        (Kind::ALL.into_iter().find(|kind| holds(kind.word())), holds("extends"))
    };
    let found = FoundText { folder: Some(Path::new(file).parent().unwrap_or(Path::new("")).to_owned()), source: Arc::clone(&source) };
    // A file that extends another need not repeat its table.
    let extended = || kind_of(&found).and_then(Kind::with_table);
    match kind.or_else(extended) {
        Some(Kind::Supernode) => check_supernode(&path, log, prices),
        Some(Kind::Link) => {
            let link = part::<LinkFile>(found, log)?;
            Ok((format!("link {}", link.name), check_link(&link.name, &link).into_iter().collect()))
        }
        Some(kind) => check_kind(kind, &path, found, log).map(|holds| (holds, Vec::new())),
        None if extends => check_supernode(&path, log, prices),
        None => {
            // Not recognisable: read it as a supernode, whose errors say what is expected.
            part::<SupernodeFile>(found, log)?;
            Err(Problem::new(format!("`{file}` holds nothing known")).into())
        }
    }
}

/// Contents of a `config.json`, and keys that were not read.
fn configuration(model: &Model) -> String {
    let mut holds = format!("model {}, {}", model.name, counted(model.layers(), "layer"));
    if !model.ignored.is_empty() {
        holds += &format!("; not read: {}", model.ignored.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "));
    }
    model.warnings.iter().for_each(|warning| holds += &format!("; {warning}"));
    holds
}

/// Message for a shipped name, which needs no check.
fn shipped(problem: Problem, file: &str) -> Problem {
    if !Path::new(file).exists() && shipped_names::<SupernodeFile>().iter().any(|name| name == file) {
        return problem.help(format!("`{file}` ships with the program and is right: `supernode describe {file}`"));
    }
    problem
}

/// A file that is right as it stands, once it has been read.
fn part<K: FileKind>(found: FoundText, log: &Mutex<Log>) -> Result<K::Content, Problems> {
    read_layers::<K>(found, &FileReader::default().logged(log)).map(|(content, _, _)| content)
}

fn check_supernode(path: &str, log: &Mutex<Log>, prices: &Prices) -> Result<(String, Vec<RuleFinding>), Problems> {
    let spec = load_supernode_from(&FileReader::default().logged(log), path, &Mention::on_command_line())?;
    let fabric = fabric::build(&spec)?;
    let measured = load_bounds("medians")?.iter().any(|bound| bound.system == spec.id);
    let findings = check_machine(&spec, &fabric, &MachineFacts { prices, measured });
    Ok((format!("supernode {}, {}, {}", spec.name, counted(fabric.chips, "chip"), counted(fabric.link_count(), "link")), findings))
}

/// The checks that `sweep` runs before it starts.
fn check_study(path: &str) -> Result<String, Problems> {
    let space = Space::new(load_study(path)?)?;
    let demands = Demands::of(&space)?;
    findings(&space, &demands, &[])?;
    space.preview()?;
    Ok(format!("study {}, {}", space.spec.study.name, counted(space.points, "design")))
}
