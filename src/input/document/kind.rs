//! The one list of file kinds. `check`, `list`, `schema`, studies and the reader all take theirs from here.

use super::{
    ChipFile, ClipFile, CpuFile, DemandFile, EngineFile, FileKind, LibraryFile, LinkFile, MemoryFile, ModelFile, NicFile, PricesFile, ProtocolFile,
    ReliabilityFile, StudyFile, SupernodeFile, SwitchFile, TargetFile, TrainingFile, WorkloadFile,
};

macro_rules! file_kinds {
    ($($variant:ident($file:ident), $plural:literal;)+) => {
        /// A kind of file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = concat!("See [`", stringify!($file), "`].")] $variant,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: [Self; [$($plural),+].len()] = [$(Self::$variant),+];

            /// The key of the table by which a file says what it holds, and the word for the kind: "chip".
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => <$file as FileKind>::KIND,)+
                }
            }

            /// The word for several: "chips".
            #[must_use]
            pub fn plural(self) -> &'static str {
                match self {
                    $(Self::$variant => $plural,)+
                }
            }

            /// Folder of the shipped files.
            #[must_use]
            pub fn folder(self) -> &'static str {
                match self {
                    $(Self::$variant => <$file as FileKind>::FOLDER,)+
                }
            }

            /// Tables of such a file, besides `sources`.
            #[must_use]
            pub fn tables(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => <$file as FileKind>::TABLES,)+
                }
            }

            /// The JSON Schema of such a file.
            #[must_use]
            pub fn schema(self) -> &'static serde_json::Value {
                match self {
                    $(Self::$variant => <$file as FileKind>::schema(),)+
                }
            }
        }
    };
}

file_kinds! {
    Study(StudyFile), "studies";
    Supernode(SupernodeFile), "supernodes";
    Workload(WorkloadFile), "workloads";
    Clip(ClipFile), "clips";
    Training(TrainingFile), "trainings";
    Target(TargetFile), "targets";
    Chip(ChipFile), "chips";
    Switch(SwitchFile), "switches";
    Link(LinkFile), "links";
    Protocol(ProtocolFile), "protocols";
    Cpu(CpuFile), "cpus";
    Nic(NicFile), "nics";
    Memory(MemoryFile), "memories";
    Library(LibraryFile), "libraries";
    Engine(EngineFile), "engines";
    Model(ModelFile), "models";
    Reliability(ReliabilityFile), "reliabilities";
    Prices(PricesFile), "prices";
    Demand(DemandFile), "demands";
}

impl Kind {
    /// Whether a question has one file of the kind: a machine, and what is asked of it. A part stands beside others of its kind.
    #[must_use]
    pub fn is_one_to_a_question(self) -> bool {
        match self {
            Self::Study | Self::Supernode | Self::Workload | Self::Clip | Self::Training | Self::Target | Self::Demand => true,
            Self::Chip
            | Self::Switch
            | Self::Link
            | Self::Protocol
            | Self::Cpu
            | Self::Nic
            | Self::Memory
            | Self::Library
            | Self::Engine
            | Self::Model
            | Self::Reliability
            | Self::Prices => false,
        }
    }

    /// The kind that has a table of this name.
    #[must_use]
    pub fn with_table(table: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.tables().contains(&table))
    }
}
