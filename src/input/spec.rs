//! What the files mean: every name followed to its part. A [`Spec`] that exists is right; nothing later checks user input again.
//!
//! | question | file |
//! | --- | --- |
//! | how is a file read and everything that it names? | `load.rs` |
//! | where does a name lead, do the figures of a file fit together? | `names.rs` |
//! | what does a user ask for in place of what a workload says? | `asked.rs` |
//! | what does a level consist of? | `level.rs` |
//! | what holds chips and joins none? | `packages.rs` |
//! | how are the children of a level joined? | `pattern.rs` |

use std::sync::Arc;

mod asked;
mod level;
mod load;
mod names;
mod packages;
mod pattern;

use super::document::{
    AttachTo, Auxiliary, Chip, Clip, Cpu, Engine, Library, Link, MemoryExpander, Model, Nic, Prices, Protocol, Routing, Standing, StandingKind,
    Supply, Switch, Target, Training, Workload,
};
use super::problem::Place;
use crate::units::{Date, TokensPerSecond, counted};
pub use asked::Asked;
pub use load::{
    engine_text, library_text, load_clip, load_engine, load_library, load_link, load_model, load_prices, load_prices_from, load_reliability,
    load_supernode, load_supernode_from, load_target, load_target_from, load_training, load_workload, load_workload_from, load_workload_with,
    part_texts, supernode_of, supernode_text, target_of, training_of, workload_of,
};
pub use pattern::{CircuitsSpec, CustomEnd, CustomSpec, DragonflySpec, LeafSpec, PatternSpec, PcieTreeSpec, SpinesSpec};

/// Beyond this the description is a slip of the finger; the largest machines planned are below 10^6 chips.
pub const MOST_CHIPS: u64 = 1_000_000;

/// Parallel links of one part.
#[derive(Clone, Debug)]
pub struct Cable {
    /// Link part.
    pub link: LinkSpec,
    /// How many in parallel.
    pub count: u32,
}

/// What holds chips and joins none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageSpec {
    /// "tray", "rack".
    pub name: String,
    /// Chips of one.
    pub chips: u32,
}

/// A validated supernode.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Accelerator package.
    pub chip: Chip,
    /// Name of its part.
    pub chip_part: String,
    /// Communication library.
    pub library: Library,
    /// Chips under one operating system.
    pub host_chips: u32,
    /// How traffic spreads over its ways.
    pub routing: Routing,
    /// Nested levels, innermost first; never empty.
    pub levels: Vec<LevelSpec>,
    /// Trays, drawers and racks, innermost first.
    pub packages: Vec<PackageSpec>,
    /// Parts beside the fabric.
    pub auxiliaries: Vec<Auxiliary>,
    /// From the grid to the chips.
    pub supply: Supply,
    /// Workload to run when none is named.
    pub workload: Option<String>,
    /// Serving engine for workloads that name none.
    pub engine: Option<EngineSpec>,
    /// Published measurements of this machine.
    pub published: Option<String>,
    /// What the description is of, where it is not of a machine that runs.
    pub standing: Option<Standing>,
    /// Addresses of what describes the machine.
    pub sources: Vec<String>,
    /// Whether it differs from what its files say: a study has put other values in, or another chip.
    pub edited: bool,
}

impl Spec {
    /// Chips in the whole supernode.
    #[must_use]
    pub fn chips(&self) -> u32 {
        self.levels.iter().map(|level| level.size).product()
    }

    /// Whether its chip is a guess, so that results are bands.
    #[must_use]
    pub fn is_stand_in(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.kind == StandingKind::StandIn)
    }

    /// Ranks (software-visible devices) in the whole supernode.
    #[must_use]
    pub fn ranks(&self) -> u32 {
        self.chips() * self.chip.ranks
    }
}

/// A link part with its protocol.
#[derive(Clone, Debug)]
pub struct LinkSpec {
    /// Name in the catalog.
    pub id: String,
    /// The link.
    pub link: Link,
    /// Its protocol.
    pub protocol: Protocol,
    /// Of its rate, what the fullest of several such links carries that a hash chooses from; 1 where traffic spreads evenly.
    pub share: f64,
}

/// A switch part.
#[derive(Clone, Debug)]
pub struct SwitchSpec {
    /// Name in the catalog.
    pub id: String,
    /// The switch.
    pub switch: Switch,
}

/// One level.
#[derive(Clone, Debug)]
pub struct LevelSpec {
    /// Name people use.
    pub name: String,
    /// Children in one group.
    pub size: u32,
    /// What joins them.
    pub link: LinkSpec,
    /// Parallel links where the pattern draws one.
    pub links: u32,
    /// Flows of a port that its switches tell apart by a hash; spread evenly if absent.
    pub queue_pairs: Option<u32>,
    /// How they are joined.
    pub pattern: PatternSpec,
    /// The NIC through which each chip reaches this level.
    pub nic: Option<NicSpec>,
    /// Endpoints beside the chips.
    pub attach: Vec<AttachSpec>,
    /// The pattern's place in the file, for problems that only the built graph shows.
    pub place: Place,
}

/// The NIC between every chip and a scale-out level.
#[derive(Clone, Debug)]
pub struct NicSpec {
    /// Name in the catalog.
    pub id: String,
    /// NIC part.
    pub nic: Nic,
    /// Chip to NIC.
    pub link: LinkSpec,
}

/// Endpoints that are not chips.
#[derive(Clone, Debug)]
pub struct AttachSpec {
    /// Name in the catalog.
    pub id: String,
    /// The part.
    pub part: AttachedPart,
    /// How many in each group.
    pub count: u32,
    /// Links to each switch of the group, or to its share of the chips.
    pub cable: Cable,
    /// Which of the two.
    pub to: AttachTo,
}

/// What is attached.
#[derive(Clone, Debug)]
pub enum AttachedPart {
    /// Host processor.
    Cpu(Cpu),
    /// Network card.
    Nic(Nic),
    /// Memory expander.
    Memory(MemoryExpander),
}

/// A serving engine with the name it was asked for by.
#[derive(Clone, Debug)]
pub struct EngineSpec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// The engine.
    pub engine: Engine,
}

/// A workload with its model.
#[derive(Clone, Debug)]
pub struct WorkloadSpec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// The workload.
    pub workload: Workload,
    /// Its model.
    pub model: Model,
    /// The shipped prices, where its objective needs them.
    pub prices: Option<Prices>,
    /// The model that proposes tokens, in this workload's formats; absent where the model drafts for itself, or nothing does.
    pub draft: Option<Arc<Self>>,
    /// What a reader of results must know: what of a `config.json` was not read, and what follows from a model that was given in place of the
    /// workload's own.
    pub notes: Vec<String>,
    /// The engine that serves the model. Without one a pass takes the time of its kernels and transfers and nothing else.
    pub engine: Option<Arc<EngineSpec>>,
}

impl WorkloadSpec {
    /// How tokens are proposed in decode, where speculation is on.
    #[must_use]
    pub fn speculation(&self) -> Option<String> {
        let speculation = self.workload.decode.as_ref()?.speculation.as_ref()?;
        let proposer = self.draft.as_ref().map_or_else(|| "the model's own MTP layers".to_owned(), |draft| draft.model.name.clone());
        let (tokens, accepted) = (speculation.draft_tokens, 100.0 * speculation.acceptance.value.get());
        Some(format!(
            "{proposer} propose{} {} a step, {accepted:.0} % accepted: {:.2} tokens a step",
            if self.draft.is_some() { "s" } else { "" },
            counted(tokens, "token"),
            speculation.tokens_per_step()
        ))
    }

    /// The same in the 8-bit format of `chip`; see [`Precisions::on`].
    ///
    /// [`Precisions::on`]: super::document::Precisions::on
    #[must_use]
    pub fn on(&self, chip: &Chip) -> Self {
        let mut workload = self.clone();
        workload.workload.precision = workload.workload.precision.on(chip);
        workload.draft = workload.draft.map(|draft| Arc::new(draft.on(chip)));
        workload
    }

    /// As it is deployed on a machine: in the 8-bit format of its chip, by its engine unless the workload names one.
    #[must_use]
    pub fn deployed_on(&self, spec: &Spec) -> Self {
        let mut workload = self.on(&spec.chip);
        workload.engine = workload.engine.or_else(|| spec.engine.clone().map(Arc::new));
        workload
    }
}

/// A target with the name it was asked for by.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// The target.
    pub target: Target,
    /// Day that the demand is of.
    pub date: Option<Date>,
    /// How the demand grew.
    pub series: Option<DemandSpec>,
    /// The clip that its video is, where it has some.
    pub clip: Option<Clip>,
}

/// A demand over time.
#[derive(Clone, Debug)]
pub struct DemandSpec {
    /// Name people use.
    pub name: String,
    /// Published figures, oldest first, each later than the one before and above zero.
    pub points: Vec<(Date, TokensPerSecond)>,
}

/// A validated training workload.
#[derive(Clone, Debug)]
pub struct TrainingSpec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// Batch, formats, state.
    pub training: Training,
    /// The model.
    pub model: Model,
}
