//! `supernode list`: what ships.

use clap::ValueEnum;
use serde_json::{Value as Json, json};

use super::{Outcome, Output};
use crate::input::catalog::shipped_in;
use crate::input::document::{
    ChipFile, ClipFile, CpuFile, EngineFile, FileKind, LibraryFile, LinkFile, MemoryFile, ModelFile, NicFile, ProtocolFile, StudyFile, SupernodeFile,
    SwitchFile, TargetFile, TrainingFile, WorkloadFile,
};
use crate::report::{self, Report, Section, Table};

/// List what ships with the program, one name a line
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to list
    #[arg(value_enum, default_value_t = Kind::Supernodes)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Supernodes,
    Chips,
    Switches,
    Links,
    Protocols,
    Cpus,
    Nics,
    Memories,
    Libraries,
    Engines,
    Models,
    Workloads,
    Clips,
    Trainings,
    Targets,
    Studies,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Supernodes => SupernodeFile::FOLDER,
            Self::Chips => ChipFile::FOLDER,
            Self::Switches => SwitchFile::FOLDER,
            Self::Links => LinkFile::FOLDER,
            Self::Protocols => ProtocolFile::FOLDER,
            Self::Cpus => CpuFile::FOLDER,
            Self::Nics => NicFile::FOLDER,
            Self::Memories => MemoryFile::FOLDER,
            Self::Libraries => LibraryFile::FOLDER,
            Self::Engines => EngineFile::FOLDER,
            Self::Models => ModelFile::FOLDER,
            Self::Workloads => WorkloadFile::FOLDER,
            Self::Clips => ClipFile::FOLDER,
            Self::Trainings => TrainingFile::FOLDER,
            Self::Targets => TargetFile::FOLDER,
            Self::Studies => StudyFile::FOLDER,
        }
    }
}

struct Names(Vec<String>);

impl Report for Names {
    fn json(&self) -> Json {
        json!({ "names": self.0 })
    }

    fn sections(&self) -> Vec<Section> {
        let mut table = Table::new(&["<name"]);
        self.0.iter().for_each(|name| table.row([name.clone()]));
        vec![Section::Table(table)]
    }
}

pub fn run(arguments: &Arguments, format: report::Format) -> Outcome {
    let names = shipped_in(arguments.kind.folder());
    if format == report::Format::Text {
        return Ok(Output::done(names.iter().map(|name| format!("{name}\n")).collect()));
    }
    Ok(Output::report(&Names(names), format))
}
