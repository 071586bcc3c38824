//! `supernode check`: parse and validate files of any kind.

use std::path::Path;
use std::sync::Arc;

use super::{Outcome, Output};
use crate::fabric;
use crate::input::catalog::read as read_text;
use crate::input::document::{
    ChipFile, ClipFile, CpuFile, DemandFile, FileKind, LibraryFile, LinkFile, MemoryFile, ModelFile, NicFile, PricesFile, ProtocolFile,
    ReliabilityFile, StudyFile, SupernodeFile, SwitchFile, TargetFile, TrainingFile, WorkloadFile,
};
use crate::input::problem::{Problem, Problems, Source};
use crate::input::read::read;
use crate::input::spec::{load_clip, load_supernode, load_target, load_training, load_workload};
use crate::input::study::load_study;
use crate::study::{Demands, Space, findings};

/// Read and validate files; every problem is underlined
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// TOML files of any kind
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let mut text = String::new();
    let mut problems = Vec::new();
    for file in &arguments.files {
        match check(file) {
            Ok(what) => text += &format!("{file}: ok, {what}\n"),
            Err(found) => problems.extend(found.into_list()),
        }
    }
    Problems::check(problems, Output::done(text))
}

/// Says what the file holds.
fn check(file: &str) -> Result<String, Problems> {
    let source = Arc::new(read_text(Path::new(file))?);
    // A path without a slash would be taken for a shipped name.
    let path = if file.contains('/') { file.to_owned() } else { format!("./{file}") };
    match kind(&source).as_deref() {
        Some(SupernodeFile::KIND) => {
            let spec = load_supernode(&path)?;
            let fabric = fabric::build(&spec)?;
            Ok(format!("supernode {}, {} chips, {} links", spec.name, fabric.chips, fabric.link_count()))
        }
        Some(WorkloadFile::KIND) => load_workload(&path).map(|spec| format!("workload {}", spec.workload.name)),
        Some(StudyFile::KIND) => check_study(&path),
        Some(ClipFile::KIND) => load_clip(&path).map(|clip| format!("clip {}", clip.name)),
        Some(TrainingFile::KIND) => load_training(&path, None).map(|spec| format!("training {}", spec.training.name)),
        Some(TargetFile::KIND) => load_target(&path).map(|spec| format!("target {}", spec.target.name)),
        Some(ChipFile::KIND) => read::<ChipFile>(&source).map(|(chip, _)| format!("chip {}", chip.name)),
        Some(SwitchFile::KIND) => read::<SwitchFile>(&source).map(|(switch, _)| format!("switch {}", switch.name)),
        Some(LinkFile::KIND) => read::<LinkFile>(&source).map(|(link, _)| format!("link {}", link.name)),
        Some(ProtocolFile::KIND) => read::<ProtocolFile>(&source).map(|(protocol, _)| format!("protocol {}", protocol.name)),
        Some(CpuFile::KIND) => read::<CpuFile>(&source).map(|(cpu, _)| format!("CPU {}", cpu.name)),
        Some(NicFile::KIND) => read::<NicFile>(&source).map(|(nic, _)| format!("NIC {}", nic.name)),
        Some(MemoryFile::KIND) => read::<MemoryFile>(&source).map(|(memory, _)| format!("memory {}", memory.name)),
        Some(LibraryFile::KIND) => read::<LibraryFile>(&source).map(|(library, _)| format!("library {}", library.name)),
        Some(PricesFile::KIND) => read::<PricesFile>(&source).map(|(prices, _)| format!("prices of {}", prices.date)),
        Some(DemandFile::KIND) => read::<DemandFile>(&source).map(|(demand, _)| format!("demand {}", demand.name)),
        Some(ReliabilityFile::KIND) => read::<ReliabilityFile>(&source).map(|_| "failure rates of parts".to_owned()),
        Some(ModelFile::KIND) => read::<ModelFile>(&source).map(|(model, _)| format!("model {}", model.name)),
        _ => {
            // Not recognisable: read it as a supernode, whose errors say what is expected.
            read::<SupernodeFile>(&source)?;
            Err(Problem::new(format!("`{file}` holds nothing known")).into())
        }
    }
}

/// Everything that `sweep` checks before it starts.
fn check_study(path: &str) -> Result<String, Problems> {
    let space = Space::new(load_study(path)?)?;
    let demands = Demands::of(&space)?;
    findings(&space, &demands, &[])?;
    space.preview()?;
    Ok(format!("study {}, {} designs", space.spec.study.name, space.points))
}

/// The one table of the file whose name says what it holds.
fn kind(source: &Source) -> Option<String> {
    let (table, _) = toml::de::DeTable::parse_recoverable(&source.text);
    let kinds = [
        StudyFile::KIND,
        SupernodeFile::KIND,
        WorkloadFile::KIND,
        ClipFile::KIND,
        TargetFile::KIND,
        ChipFile::KIND,
        SwitchFile::KIND,
        LinkFile::KIND,
        ProtocolFile::KIND,
        CpuFile::KIND,
        NicFile::KIND,
        MemoryFile::KIND,
        LibraryFile::KIND,
        ModelFile::KIND,
        ReliabilityFile::KIND,
        PricesFile::KIND,
        DemandFile::KIND,
    ];
    let found = kinds.iter().find(|kind| table.get_ref().contains_key(**kind)).copied();
    // A file that extends another need not repeat its [supernode].
    let extends = || table.get_ref().contains_key("extends").then_some(SupernodeFile::KIND);
    found.or_else(extends).map(str::to_owned)
}
