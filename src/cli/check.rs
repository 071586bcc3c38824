//! `supernode check`: parse and validate files of any kind.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::{Outcome, Output};
use crate::fabric;
use crate::input::catalog::{Found, STANDARD_INPUT, read as read_text, shipped as shipped_names};
use crate::input::document::{
    ChipFile, CpuFile, DemandFile, EngineFile, FileKind, Kind, LibraryFile, LinkFile, MemoryFile, Model, ModelFile, NicFile, PricesFile,
    ProtocolFile, ReliabilityFile, SupernodeFile, SwitchFile,
};
use crate::input::extends::{kind_of, read_layers};
use crate::input::file_cache::Reader;
use crate::input::hugging_face;
use crate::input::problem::{Problem, Problems};
use crate::input::read::parse;
use crate::input::spec::{load_clip, load_supernode, load_target, load_training, load_workload};
use crate::input::study::load_study;
use crate::report::{Format, Report, Section, Table};
use crate::study::{Demands, Space, findings};

/// Read and validate files; every problem is underlined
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// TOML files of any kind, - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
}

/// Files that are right and what each holds.
struct Sound(Vec<(String, String)>);

impl Report for Sound {
    fn output(&self) -> &'static str {
        "check"
    }

    fn json(&self) -> serde_json::Value {
        json!({ "files": self.0.iter().map(|(file, holds)| json!({ "file": file, "ok": true, "holds": holds })).collect::<Vec<_>>() })
    }

    fn sections(&self) -> Vec<Section> {
        let mut table = Table::new(&["<file", "<holds"]);
        self.0.iter().for_each(|(file, holds)| table.row([file.clone(), holds.clone()]));
        vec![Section::Table(table)]
    }
}

pub fn run(arguments: &Arguments, format: Format) -> Outcome {
    let mut sound = Vec::new();
    let mut problems = Vec::new();
    for file in &arguments.files {
        match check(file) {
            Ok(what) => sound.push((file.clone(), what)),
            Err(found) => problems.extend(found.into_list()),
        }
    }
    let output = match format {
        Format::Text => Output::done(sound.iter().map(|(file, what)| format!("{file}: ok, {what}\n")).collect()),
        other => Output::report(&Sound(sound), other),
    };
    Problems::check(problems, output)
}

/// Checks a file of this kind, given by its path and text, and describes its contents.
fn check_kind(kind: Kind, path: &str, found: Found) -> Result<String, Problems> {
    match kind {
        Kind::Study => check_study(path),
        Kind::Supernode => check_supernode(path),
        Kind::Workload => load_workload(path).map(|spec| format!("workload {}", spec.workload.name)),
        Kind::Clip => load_clip(path).map(|clip| format!("clip {}", clip.name)),
        Kind::Training => load_training(path, None).map(|spec| format!("training {}", spec.training.name)),
        Kind::Target => load_target(path).map(|spec| format!("target {}", spec.target.name)),
        Kind::Chip => part::<ChipFile>(found).map(|chip| format!("chip {}", chip.name)),
        Kind::Switch => part::<SwitchFile>(found).map(|switch| format!("switch {}", switch.name)),
        Kind::Link => part::<LinkFile>(found).map(|link| format!("link {}", link.name)),
        Kind::Protocol => part::<ProtocolFile>(found).map(|protocol| format!("protocol {}", protocol.name)),
        Kind::Cpu => part::<CpuFile>(found).map(|cpu| format!("CPU {}", cpu.name)),
        Kind::Nic => part::<NicFile>(found).map(|nic| format!("NIC {}", nic.name)),
        Kind::Memory => part::<MemoryFile>(found).map(|memory| format!("memory {}", memory.name)),
        Kind::Library => part::<LibraryFile>(found).map(|library| format!("library {}", library.name)),
        Kind::Engine => part::<EngineFile>(found).map(|engine| format!("engine {}", engine.name)),
        Kind::Model => part::<ModelFile>(found).map(|model| format!("model {}", model.name)),
        Kind::Reliability => part::<ReliabilityFile>(found).map(|_| "failure rates of parts".to_owned()),
        Kind::Prices => part::<PricesFile>(found).map(|prices| format!("prices of {}", prices.date)),
        Kind::Demand => part::<DemandFile>(found).map(|demand| format!("demand {}", demand.name)),
    }
}

/// Says what the file holds.
fn check(file: &str) -> Result<String, Problems> {
    let source = Arc::new(read_text(Path::new(file)).map_err(|problems| problems.map(|problem| shipped(problem, file)))?);
    // A path without a slash would be taken for a shipped name.
    let path = if file.contains('/') || file == STANDARD_INPUT { file.to_owned() } else { format!("./{file}") };
    // A model as the hub holds it. No TOML file starts with a brace.
    if source.text.trim_start().starts_with('{') {
        return hugging_face::read(&source).map(|model| configuration(&model));
    }
    let table = parse(&source, &source.text)?;
    let holds = |kind: &str| table.get_ref().contains_key(kind);
    let found = Found { folder: Some(Path::new(file).parent().unwrap_or(Path::new("")).to_owned()), source: Arc::clone(&source) };
    // A file that extends another need not repeat its table.
    let extended = || kind_of(&found).and_then(Kind::with_table);
    match Kind::ALL.into_iter().find(|kind| holds(kind.word())).or_else(extended) {
        Some(kind) => check_kind(kind, &path, found),
        None if holds("extends") => check_supernode(&path),
        None => {
            // Not recognisable: read it as a supernode, whose errors say what is expected.
            part::<SupernodeFile>(found)?;
            Err(Problem::new(format!("`{file}` holds nothing known")).into())
        }
    }
}

/// Contents of a `config.json`, and keys that were not read.
fn configuration(model: &Model) -> String {
    let mut holds = format!("model {}, {} layers", model.name, model.layers());
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
fn part<K: FileKind>(found: Found) -> Result<K::Content, Problems> {
    read_layers::<K>(found, &Reader::default()).map(|(content, _, _)| content)
}

fn check_supernode(path: &str) -> Result<String, Problems> {
    let spec = load_supernode(path)?;
    let fabric = fabric::build(&spec)?;
    Ok(format!("supernode {}, {} chips, {} links", spec.name, fabric.chips, fabric.link_count()))
}

/// The checks that `sweep` runs before it starts.
fn check_study(path: &str) -> Result<String, Problems> {
    let space = Space::new(load_study(path)?)?;
    let demands = Demands::of(&space)?;
    findings(&space, &demands, &[])?;
    space.preview()?;
    Ok(format!("study {}, {} designs", space.spec.study.name, space.points))
}
