//! What the files say. One file here for each kind of TOML file; doc comments become the JSON Schema.
//!
//! Parts and models are usable as they are once they have been read. A supernode and a workload name other files, and become a
//! [`Spec`](super::spec) when those names have been followed.

/// Keeps the schema of a kind of file.
macro_rules! schema_once {
    ($file:ident) => {
        fn schema() -> &'static serde_json::Value {
            static SCHEMA: std::sync::LazyLock<serde_json::Value> = std::sync::LazyLock::new($crate::input::document::schema_of::<$file>);
            &SCHEMA
        }
    };
}

mod algorithm;
mod at;
mod attention;
mod chip;
mod clip;
mod demand;
mod engine;
mod host;
mod kernels;
mod kind;
mod library;
mod link;
mod model;
mod pattern;
mod precision;
mod prices;
mod protocol;
mod reliability;
mod study;
mod supernode;
mod switch;
mod target;
mod training;
mod workload;

use std::collections::BTreeMap;

pub use algorithm::{Algorithm, Algorithms};
pub use at::At;
pub use attention::*;
pub use chip::{Chip, ChipIo, ChipPower, Clock, Compute, Memory};
pub use clip::{Clip, Text, Transformer};
pub use demand::{Demand, DemandPoint};
pub use engine::{Admission, Engine, Scheduler, Victim};
pub use host::{Cpu, CpuPower, MemoryExpander, Nic};
pub use kernels::{
    AttentionKernel, DeltaDecodeKernel, DeltaPromptKernels, EngineKernels, ExpertKernel, GemmKernel, Kernels, PromptKernel, SparsePromptKernel,
    SplitRule,
};
pub use kind::Kind;
pub use library::{AcrossHosts, CustomAllReduce, Library, MulticastAllReduce, TokenKernel};
pub use link::{Circuit, Link, Medium, Optics};
pub use model::{Dense, Experts, Ffn, LayerGroup, Model, Speculation, Stored, Tower, ffn_matrices};
pub use pattern::*;
pub use precision::Precision;
pub use prices::{GivenPrices, Price, Prices};
pub use protocol::{Flit, FlowControl, LinkRetry, Protocol, Semantics, Transaction};
pub use reliability::{Reliability, Wear};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
pub use study::{Any, Axis, AxisChoice, Chart, Constraint, Draws, Finding, Goal, Method, PacketStudy, Stretch, StudyDocument, StudyFile, StudyTable};
pub use supernode::{Attach, AttachTo, Auxiliary, Cooling, Level, LevelNic, Racks, Routing, Standing, StandingKind, SupernodeTable, Supply};
pub use switch::{FanIn, Forwarding, Switch, SwitchPower, SwitchQueueing};
pub use target::{Target, Video};
pub use training::{Captured, Checkpoint, HostCosts, Optimizer, PipelineSchedule, StateBytes, Training};
pub use workload::{
    CacheTier, DecodePhase, ExpertChips, ExpertPlacement, Length, Objective, Precisions, PrefillPhase, PrefixCache, Request, Workload,
};

use crate::units::Confidence;

/// Keys of sources with their addresses.
pub type Sources = BTreeMap<String, String>;

/// Where the figures of a part come from, unless a figure says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Key into `[sources]`.
    pub source: Option<String>,
    /// How sure the figures are; `assumed` if absent.
    pub confidence: Option<Confidence>,
}

/// Makes the JSON Schema of a file kind; [`FileKind::schema`] keeps it.
fn schema_of<K: FileKind>() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<K>().to_value()
}

/// A file that holds one named thing.
///
/// `KIND` is both the key of its table and the word for it in messages; `FOLDER` is where shipped ones live.
pub trait FileKind: DeserializeOwned + JsonSchema {
    /// What the file holds.
    type Content: Clone + Send + Sync + 'static;
    /// "chip", "switch", ...
    const KIND: &'static str;
    /// Folder in the shipped catalog.
    const FOLDER: &'static str;
    /// Tables of the file, besides `sources`.
    const TABLES: &'static [&'static str] = &[Self::KIND];
    /// Takes the content and its sources out of the file.
    fn content(self) -> (Self::Content, Sources);
    /// The JSON Schema, made once: a study reads files many thousands of times.
    fn schema() -> &'static serde_json::Value;
}

macro_rules! file_kind {
    ($file:ident { $key:ident : $content:ident } in $folder:literal) => {
        #[doc = concat!("A file with one `[", stringify!($key), "]`.")]
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $file {
            /// Version of the file format; 1.
            #[schemars(range(min = 1, max = 1))]
            #[expect(dead_code, reason = "held by the schema to 1")]
            schema: u32,
            #[doc = concat!("Another ", stringify!($key), " file, by name or path: this one then says only what differs.")]
            #[expect(dead_code, reason = "followed before the file is typed")]
            extends: Option<String>,
            /// What this file does without of the one that it extends, as paths such as `engine.scheduler`.
            #[expect(dead_code, reason = "followed before the file is typed")]
            remove: Option<Vec<String>>,
            $key: $content,
            /// Where the figures come from: key = address.
            #[serde(default)]
            sources: Sources,
        }

        impl FileKind for $file {
            type Content = $content;
            const KIND: &'static str = stringify!($key);
            const FOLDER: &'static str = $folder;
            fn content(self) -> ($content, Sources) {
                (self.$key, self.sources)
            }
            schema_once!($file);
        }
    };
}

file_kind!(ChipFile { chip: Chip } in "topologies/parts/chips");
file_kind!(SwitchFile { switch: Switch } in "topologies/parts/switches");
file_kind!(LinkFile { link: Link } in "topologies/parts/links");
file_kind!(ProtocolFile { protocol: Protocol } in "topologies/parts/protocols");
file_kind!(CpuFile { cpu: Cpu } in "topologies/parts/cpus");
file_kind!(NicFile { nic: Nic } in "topologies/parts/nics");
file_kind!(MemoryFile { memory: MemoryExpander } in "topologies/parts/memories");
file_kind!(LibraryFile { library: Library } in "topologies/parts/libraries");
file_kind!(EngineFile { engine: Engine } in "topologies/parts/engines");
file_kind!(ModelFile { model: Model } in "workloads/models");
file_kind!(WorkloadFile { workload: Workload } in "workloads");
file_kind!(PricesFile { prices: Prices } in "topologies/parts/prices");
file_kind!(DemandFile { demand: Demand } in "workloads/demand");
file_kind!(ReliabilityFile { reliability: Reliability } in "topologies/parts/reliability");
file_kind!(ClipFile { clip: Clip } in "workloads/clips");
file_kind!(TrainingFile { training: Training } in "workloads/training");
file_kind!(TargetFile { target: Target } in "workloads/targets");

/// A file with one `[supernode]` and its `[[level]]`s, innermost first.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SupernodeFile {
    /// Version of the file format; 1.
    #[schemars(range(min = 1, max = 1))]
    #[expect(dead_code, reason = "held by the schema to 1")]
    schema: u32,
    /// Another supernode file, by name or path: this one then says only what differs.
    #[expect(dead_code, reason = "followed before the file is typed")]
    extends: Option<String>,
    /// What this file does without of the one that it extends, as paths: `supernode.engine`, `level[rack]`, `auxiliary[NICs]`.
    #[expect(dead_code, reason = "followed before the file is typed")]
    remove: Option<Vec<String>>,
    supernode: SupernodeTable,
    /// Nested levels, innermost first.
    #[schemars(length(min = 1, max = 16))]
    level: Vec<Level>,
    /// What draws power and fills racks beside the fabric.
    #[serde(default)]
    auxiliary: Vec<Auxiliary>,
    /// From the grid to the chips.
    supply: Supply,
    /// Where the figures come from: key = address.
    #[serde(default)]
    sources: Sources,
}

/// The four parts of a supernode file.
#[derive(Clone, Debug)]
pub struct SupernodeDocument {
    /// `[supernode]`.
    pub supernode: SupernodeTable,
    /// `[[level]]`, innermost first.
    pub levels: Vec<Level>,
    /// `[[auxiliary]]`.
    pub auxiliaries: Vec<Auxiliary>,
    /// `[supply]`.
    pub supply: Supply,
}

impl FileKind for SupernodeFile {
    type Content = SupernodeDocument;
    const KIND: &'static str = "supernode";
    const FOLDER: &'static str = "topologies";
    const TABLES: &'static [&'static str] = &["supernode", "level", "auxiliary", "supply"];
    fn content(self) -> (SupernodeDocument, Sources) {
        let Self { supernode, level, auxiliary, supply, sources, .. } = self;
        (SupernodeDocument { supernode, levels: level, auxiliaries: auxiliary, supply }, sources)
    }
    schema_once!(SupernodeFile);
}
