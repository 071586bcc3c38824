//! `supernode schema`: JSON Schemas of the files, for editors and other tools.

use clap::ValueEnum;
use serde_json::{Map, Value as Json, json};

use super::Output;
use crate::input::document::{
    ChipFile, CpuFile, DemandFile, EngineFile, LibraryFile, LinkFile, MemoryFile, ModelFile, NicFile, PricesFile, ProtocolFile, ReliabilityFile,
    StudyFile, SupernodeFile, SwitchFile, TargetFile, TrainingFile, WorkloadFile,
};
use crate::input::read::schema;

/// Print the JSON Schema of a kind of file
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Kind of file
    #[arg(value_enum, default_value_t = Kind::Supernode)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Supernode,
    Chip,
    Switch,
    Link,
    Protocol,
    Cpu,
    Nic,
    Memory,
    Library,
    Engine,
    Model,
    Workload,
    Training,
    Target,
    Demand,
    Prices,
    Reliability,
    Study,
}

pub fn run(arguments: &Arguments) -> Output {
    let schema = match arguments.kind {
        Kind::Supernode => extensible(schema::<SupernodeFile>()),
        Kind::Chip => schema::<ChipFile>(),
        Kind::Switch => schema::<SwitchFile>(),
        Kind::Link => schema::<LinkFile>(),
        Kind::Protocol => schema::<ProtocolFile>(),
        Kind::Cpu => schema::<CpuFile>(),
        Kind::Nic => schema::<NicFile>(),
        Kind::Memory => schema::<MemoryFile>(),
        Kind::Library => schema::<LibraryFile>(),
        Kind::Engine => schema::<EngineFile>(),
        Kind::Model => schema::<ModelFile>(),
        Kind::Workload => schema::<WorkloadFile>(),
        Kind::Training => schema::<TrainingFile>(),
        Kind::Target => schema::<TargetFile>(),
        Kind::Demand => schema::<DemandFile>(),
        Kind::Prices => schema::<PricesFile>(),
        Kind::Reliability => schema::<ReliabilityFile>(),
        Kind::Study => schema::<StudyFile>(),
    };
    Output::done(format!("{schema:#}\n"))
}

/// Asks for the required keys only where a file does not extend another: what it leaves out stands there.
fn extensible(mut schema: Json) -> Json {
    let mut required = |table: &str| -> Json {
        let table = schema.pointer_mut(table).and_then(Json::as_object_mut);
        table.and_then(|table| table.shift_remove("required")).unwrap_or_else(|| json!([]))
    };
    let (file, supernode, level) = (required(""), required("/$defs/Supernode"), required("/$defs/Level"));
    let complete = json!({
        "required": file,
        "properties": { "supernode": { "required": supernode }, "level": { "items": { "required": level } } },
    });
    let rule: Map<String, Json> = [("if".to_owned(), json!({ "required": ["extends"] })), ("else".to_owned(), complete)].into_iter().collect();
    if let Some(root) = schema.as_object_mut() {
        root.extend(rule);
    }
    schema
}
