//! `supernode check`: parse and validate files of any kind.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::{Outcome, Output};
use crate::fabric;
use crate::input::catalog::{STANDARD_INPUT, read as read_text, shipped as shipped_names};
use crate::input::document::{
    ChipFile, ClipFile, CpuFile, DemandFile, EngineFile, FileKind, LibraryFile, LinkFile, MemoryFile, ModelFile, NicFile, PricesFile, ProtocolFile,
    ReliabilityFile, StudyFile, SupernodeFile, SwitchFile, TargetFile, TrainingFile, WorkloadFile,
};
use crate::input::problem::{Problem, Problems, Source};
use crate::input::read::read;
use crate::input::spec::{load_clip, load_supernode, load_target, load_training, load_workload};
use crate::input::study::load_study;
use crate::report::{Format, Report, Section, Table, render};
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
    let text = match format {
        Format::Text => sound.iter().map(|(file, what)| format!("{file}: ok, {what}\n")).collect(),
        other => render(&Sound(sound), other),
    };
    Problems::check(problems, Output::done(text))
}

/// Checks a file, given by its path and its text, and says what it holds.
type Check = fn(&str, &Arc<Source>) -> Result<String, Problems>;

/// The table that says what a file holds, and how to check it.
const KINDS: [(&str, Check); 19] = [
    (StudyFile::KIND, |path, _| check_study(path)),
    (SupernodeFile::KIND, |path, _| check_supernode(path)),
    (WorkloadFile::KIND, |path, _| load_workload(path).map(|spec| format!("workload {}", spec.workload.name))),
    (ClipFile::KIND, |path, _| load_clip(path).map(|clip| format!("clip {}", clip.name))),
    (TrainingFile::KIND, |path, _| load_training(path, None).map(|spec| format!("training {}", spec.training.name))),
    (TargetFile::KIND, |path, _| load_target(path).map(|spec| format!("target {}", spec.target.name))),
    (ChipFile::KIND, |_, source| read::<ChipFile>(source).map(|(chip, _)| format!("chip {}", chip.name))),
    (SwitchFile::KIND, |_, source| read::<SwitchFile>(source).map(|(switch, _)| format!("switch {}", switch.name))),
    (LinkFile::KIND, |_, source| read::<LinkFile>(source).map(|(link, _)| format!("link {}", link.name))),
    (ProtocolFile::KIND, |_, source| read::<ProtocolFile>(source).map(|(protocol, _)| format!("protocol {}", protocol.name))),
    (CpuFile::KIND, |_, source| read::<CpuFile>(source).map(|(cpu, _)| format!("CPU {}", cpu.name))),
    (NicFile::KIND, |_, source| read::<NicFile>(source).map(|(nic, _)| format!("NIC {}", nic.name))),
    (MemoryFile::KIND, |_, source| read::<MemoryFile>(source).map(|(memory, _)| format!("memory {}", memory.name))),
    (LibraryFile::KIND, |_, source| read::<LibraryFile>(source).map(|(library, _)| format!("library {}", library.name))),
    (EngineFile::KIND, |_, source| read::<EngineFile>(source).map(|(engine, _)| format!("engine {}", engine.name))),
    (ModelFile::KIND, |_, source| read::<ModelFile>(source).map(|(model, _)| format!("model {}", model.name))),
    (ReliabilityFile::KIND, |_, source| read::<ReliabilityFile>(source).map(|_| "failure rates of parts".to_owned())),
    (PricesFile::KIND, |_, source| read::<PricesFile>(source).map(|(prices, _)| format!("prices of {}", prices.date))),
    (DemandFile::KIND, |_, source| read::<DemandFile>(source).map(|(demand, _)| format!("demand {}", demand.name))),
];

/// Says what the file holds.
fn check(file: &str) -> Result<String, Problems> {
    let source = Arc::new(read_text(Path::new(file)).map_err(|problems| problems.map(|problem| shipped(problem, file)))?);
    // A path without a slash would be taken for a shipped name.
    let path = if file.contains('/') || file == STANDARD_INPUT { file.to_owned() } else { format!("./{file}") };
    let (table, _) = toml::de::DeTable::parse_recoverable(&source.text);
    let holds = |kind: &str| table.get_ref().contains_key(kind);
    let found = KINDS.iter().find(|(kind, _)| holds(kind)).map(|(_, check)| *check);
    // A file that extends another need not repeat its [supernode].
    let extends = || holds("extends").then_some((|path: &str, _: &Arc<Source>| check_supernode(path)) as Check);
    match found.or_else(extends) {
        Some(check) => check(&path, &source),
        None => {
            // Not recognisable: read it as a supernode, whose errors say what is expected.
            read::<SupernodeFile>(&source)?;
            Err(Problem::new(format!("`{file}` holds nothing known")).into())
        }
    }
}

/// Says of a name that ships that it needs no check.
fn shipped(problem: Problem, file: &str) -> Problem {
    if !Path::new(file).exists() && shipped_names::<SupernodeFile>().iter().any(|name| name == file) {
        return problem.help(format!("`{file}` ships with the program and is right: `supernode describe {file}`"));
    }
    problem
}

fn check_supernode(path: &str) -> Result<String, Problems> {
    let spec = load_supernode(path)?;
    let fabric = fabric::build(&spec)?;
    Ok(format!("supernode {}, {} chips, {} links", spec.name, fabric.chips, fabric.link_count()))
}

/// Everything that `sweep` checks before it starts.
fn check_study(path: &str) -> Result<String, Problems> {
    let space = Space::new(load_study(path)?)?;
    let demands = Demands::of(&space)?;
    findings(&space, &demands, &[])?;
    space.preview()?;
    Ok(format!("study {}, {} designs", space.spec.study.name, space.points))
}
