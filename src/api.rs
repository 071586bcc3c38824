//! The library for other programs: machines and workloads by name or from text, and the questions that the commands answer.
//!
//! Nothing here reads a file unless the caller names one. Results own what they hold, serialise to the JSON that the command of the same
//! name prints, and can be sent to other threads.

use std::convert::Infallible;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Serialize, Serializer};

use crate::fabric::{Fabric, build};
use crate::input::catalog::{FoundText, Mention, find};
use crate::input::document::{StudyFile, SupernodeFile, TargetFile, TrainingFile, WorkloadFile};
use crate::input::file_cache::FileReader;
use crate::input::problem::{Problem, Problems};
use crate::input::spec::{Spec, TargetSpec, TrainingSpec, WorkloadSpec, supernode_of, target_of, training_of, workload_of};
use crate::input::study::study_of;
use crate::network::{Collective, CollectiveError, Network, Pricing};
use crate::report::{Records, Report, SimulateReport, TrainingReport};
use crate::study::{Demands, MappingChoice, Space, SweptRow, simulate_on, simulate_training, sweep, swings, training_watts};
use crate::training::TrainingRequest;
use crate::units::Bytes;
use crate::workload::Device;
use crate::workload::kernel::cautions;

pub use crate::input::document::Algorithm;
pub use crate::network::Op;

/// What is wrong with an input, with every problem underlined as the command line shows it.
#[derive(Clone)]
pub struct Error(Problems);

impl Error {
    /// The problems in the order in which they were found, each rendered.
    pub fn problems(&self) -> impl Iterator<Item = String> + '_ {
        self.0.list().iter().map(ToString::to_string)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The rendered problems too: what `main` prints when it returns an error.
impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl std::error::Error for Error {}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self(problems)
    }
}

fn shipped(name: &str) -> Mention {
    // Without a folder a path leads nowhere; without a place it would be read as if given on the command line.
    debug_assert!(!name.is_empty());
    Mention { place: None, folder: None }
}

fn shipped_only(name: &str) -> Result<(), Error> {
    if name.contains(['/', '\\']) || name.ends_with(".toml") || name == "-" {
        let problem = Problem::new(format!("`{name}` is a path, not a shipped name")).help("read it with `from_file`");
        return Err(Error(problem.into()));
    }
    Ok(())
}

/// A machine, ready for questions.
#[derive(Clone, Debug)]
pub struct Supernode {
    spec: Spec,
    fabric: Fabric,
}

impl Supernode {
    /// A machine that ships with the program; `supernode list` names them.
    ///
    /// # Errors
    /// That no machine has this name, with the nearest one.
    pub fn named(name: &str) -> Result<Self, Error> {
        shipped_only(name)?;
        let reader = FileReader::default();
        Self::of(supernode_of(&reader, find::<SupernodeFile>(name, &shipped(name))?, name)?)
    }

    /// The machine that a text describes. Names in it lead to shipped parts.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        Self::of(supernode_of(&FileReader::default(), FoundText::in_memory("supernode.toml", text), "supernode.toml")?)
    }

    /// The machine that a file describes. Paths in it start from its folder.
    ///
    /// # Errors
    /// That the file cannot be read, or every problem of its text.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let name = path_name(path.as_ref());
        Self::of(supernode_of(&FileReader::default(), find::<SupernodeFile>(&name, &Mention::on_command_line())?, &name)?)
    }

    fn of(spec: Spec) -> Result<Self, Error> {
        let fabric = build(&spec)?;
        Ok(Self { spec, fabric })
    }

    /// Name people use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Number of chips.
    #[must_use]
    pub fn chips(&self) -> u32 {
        self.fabric.chips
    }

    /// Serves `workload` with the best mapping, and holds the result against `target`.
    #[must_use]
    pub fn simulate_for(&self, workload: &ServingWorkload, target: &DemandTarget) -> ServingResult {
        let network = Network::new(&self.fabric);
        let simulation = simulate_on(&self.spec, &network, &workload.0, &target.0, &MappingChoice::default());
        ServingResult(Box::new(SimulateReport {
            supernode: self.spec.id.clone(),
            title: format!("{} ({})", self.spec.name, self.spec.vendor),
            standing: self.spec.standing.clone(),
            band: None,
            chip: self.spec.chip.name.clone(),
            ranks_per_chip: self.spec.chip.ranks,
            workload: (workload.0.id.clone(), workload.0.workload.name.clone()),
            target: (target.0.id.clone(), target.0.target.name.clone()),
            speculation: workload.0.speculation(),
            notes: workload.0.notes.clone(),
            levels: self.fabric.level_names.clone(),
            transients: swings(&self.spec, &network, &simulation),
            simulation,
            ranges: None,
            published: Vec::new(),
            medians: Vec::new(),
            cautions: cautions(&self.spec.chip, &workload.0),
            explain: false,
            packets: None,
        }))
    }

    /// As [`Supernode::simulate_for`] with the target that `supernode simulate` takes if none is given.
    ///
    /// ```
    /// let machine = supernode::Supernode::named("gb200-nvl72")?;
    /// let workload = supernode::ServingWorkload::named("llama-3.1-70b-fp8")?;
    /// let result = machine.simulate(&workload)?;
    /// assert!(result.decode_tokens_per_s().unwrap() > 0.0);
    /// # Ok::<(), supernode::Error>(())
    /// ```
    ///
    /// # Errors
    /// None in a program that is as it was built: the target ships.
    pub fn simulate(&self, workload: &ServingWorkload) -> Result<ServingResult, Error> {
        Ok(self.simulate_for(workload, &DemandTarget::named(DEFAULT_TARGET)?))
    }

    /// A collective over the first `ranks` chips by the machine's own library, with the fastest algorithm that it offers. `bytes` is what
    /// nccl-tests calls size.
    ///
    /// ```
    /// let machine = supernode::Supernode::named("gb200-nvl72")?;
    /// let result = machine.collective(supernode::Op::AllReduce, 8, 256.0 * 1048576.0)?;
    /// assert!(result.time_s > result.lower_bound_s);
    /// # Ok::<(), supernode::Error>(())
    /// ```
    ///
    /// # Errors
    /// Ranks or a size that make no sense on this machine.
    pub fn collective(&self, op: Op, ranks: u32, bytes: f64) -> Result<CollectiveResult, Error> {
        let network = Network::new(&self.fabric);
        let collective = Collective { op, ranks, bytes: Bytes::new(bytes) };
        let mut pricing = Pricing::new(&network, &self.spec.library);
        let failed = |error: CollectiveError| Error(Problem::new(error.to_string()).into());
        let timing = pricing.price(&collective, None).map_err(failed)?;
        let lower_bound = pricing.lower_bound(&collective).map_err(failed)?;
        Ok(CollectiveResult {
            op,
            ranks,
            bytes,
            algorithm: timing.algorithm,
            time_s: timing.total().get(),
            algbw_bytes_per_s: timing.algorithm_bandwidth(&collective).get(),
            busbw_bytes_per_s: timing.bus_bandwidth(&collective).get(),
            lower_bound_s: lower_bound.get(),
        })
    }

    /// A step of training with the fastest layout that fits.
    #[must_use]
    pub fn train(&self, workload: &TrainingWorkload) -> TrainingResult {
        let simulation = simulate_training(&self.spec, &self.fabric, &workload.0, &TrainingRequest::default());
        TrainingResult(Box::new(TrainingReport {
            supernode: self.spec.id.clone(),
            title: format!("{} ({})", self.spec.name, self.spec.vendor),
            levels: self.fabric.level_names.clone(),
            chips: self.fabric.chips,
            usable_memory: Device::new(&self.spec.chip).usable_memory,
            workload: (workload.0.id.clone(), workload.0.training.name.clone(), workload.0.model.name.clone()),
            month: None,
            transients: simulation.best().and_then(|step| training_watts(&self.spec, &self.fabric, step).transients),
            simulation,
            explain: false,
        }))
    }
}

/// The demand that `supernode simulate` takes if none is given.
const DEFAULT_TARGET: &str = "doubao-2026-04";

fn path_name(path: &Path) -> String {
    let name = path.display().to_string();
    // A bare word would be taken for a shipped name.
    if name.contains(['/', '\\']) { name } else { format!("./{name}") }
}

macro_rules! described {
    ($(#[$about:meta])* $name:ident($spec:ident), $file:ident, $words:literal, $of:expr) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        pub struct $name($spec);

        impl $name {
            #[doc = concat!("One that ships with the program; `supernode list ", $words, "` names them.")]
            ///
            /// # Errors
            /// That none has this name, with the nearest one.
            pub fn named(name: &str) -> Result<Self, Error> {
                shipped_only(name)?;
                let of: fn(&FileReader<'_>, FoundText, &str) -> Result<$spec, Problems> = $of;
                Ok(Self(of(&FileReader::default(), find::<$file>(name, &shipped(name))?, name)?))
            }

            /// The one that a text describes. Names in it lead to what ships.
            ///
            /// # Errors
            /// Every problem of the text.
            pub fn from_toml(text: &str) -> Result<Self, Error> {
                let name = concat!($words, ".toml");
                let of: fn(&FileReader<'_>, FoundText, &str) -> Result<$spec, Problems> = $of;
                Ok(Self(of(&FileReader::default(), FoundText::in_memory(name, text), name)?))
            }

            /// The one that a file describes. Paths in it start from its folder.
            ///
            /// # Errors
            /// That the file cannot be read, or every problem of its text.
            pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
                let name = path_name(path.as_ref());
                let of: fn(&FileReader<'_>, FoundText, &str) -> Result<$spec, Problems> = $of;
                Ok(Self(of(&FileReader::default(), find::<$file>(&name, &Mention::on_command_line())?, &name)?))
            }
        }
    };
}

described! {
    /// A model, its formats, and what its users ask for.
    ServingWorkload(WorkloadSpec), WorkloadFile, "workloads", |reader, found, name| workload_of(reader, found, name, None)
}

described! {
    /// A model and how it is trained.
    TrainingWorkload(TrainingSpec), TrainingFile, "trainings", |reader, found, name| training_of(reader, found, name, None)
}

described! {
    /// A demand in tokens.
    DemandTarget(TargetSpec), TargetFile, "targets", target_of
}

/// A space of designs: machines, workloads and any values of their files as axes.
pub struct Study {
    space: Space,
    demands: Demands,
}

impl Study {
    /// A study that ships with the program; `supernode list studies` names them.
    ///
    /// # Errors
    /// That none has this name, with the nearest one.
    pub fn named(name: &str) -> Result<Self, Error> {
        shipped_only(name)?;
        Self::of(find::<StudyFile>(name, &shipped(name))?, name)
    }

    /// The study that a text describes. Names in it lead to what ships.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        Self::of(FoundText::in_memory("study.toml", text), "study.toml")
    }

    /// The study that a file describes. Paths in it start from its folder.
    ///
    /// # Errors
    /// That the file cannot be read, or every problem of its text.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let name = path_name(path.as_ref());
        Self::of(find::<StudyFile>(&name, &Mention::on_command_line())?, &name)
    }

    fn of(found: FoundText, name: &str) -> Result<Self, Error> {
        let space = Space::new(study_of(&FileReader::default(), found, name)?)?;
        let demands = Demands::of(&space)?;
        space.preview()?;
        Ok(Self { space, demands })
    }

    /// Number of designs.
    #[must_use]
    pub fn designs(&self) -> u64 {
        self.space.points
    }

    /// Simulates every design, on all threads; rows in the order of the designs whatever their number.
    #[must_use]
    pub fn run(&self) -> StudyResult {
        let indices: Vec<u64> = (0..self.space.points).collect();
        let rows = Mutex::new(Vec::new());
        let swept: Result<(), Infallible> = sweep(&self.space, &indices, |row| {
            rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
            ControlFlow::Continue(())
        });
        match swept {
            Ok(()) => {}
        }
        let mut rows: Vec<SweptRow> = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
        rows.sort_by_key(|row| row.index);
        StudyResult(Records::of(&self.space, &self.demands, &rows))
    }
}

/// The time of a collective.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CollectiveResult {
    /// What is done.
    pub op: Op,
    /// Chips that take part.
    pub ranks: u32,
    /// What nccl-tests calls size.
    pub bytes: f64,
    /// The fastest algorithm that the library offers.
    pub algorithm: Algorithm,
    /// Time of one call.
    pub time_s: f64,
    /// Size over time.
    pub algbw_bytes_per_s: f64,
    /// That times the op's factor, as nccl-tests defines it.
    pub busbw_bytes_per_s: f64,
    /// What no algorithm can beat.
    pub lower_bound_s: f64,
}

/// What a machine serves, with the JSON of `supernode simulate`.
#[derive(Clone, Debug)]
pub struct ServingResult(Box<SimulateReport>);

impl ServingResult {
    /// Output tokens a second of the whole machine decoding; `None` if the workload does not decode or nothing fits.
    #[must_use]
    pub fn decode_tokens_per_s(&self) -> Option<f64> {
        Some(self.0.simulation.decode.as_ref()?.as_ref().ok()?.rate.get())
    }

    /// Prompt tokens a second of the whole machine reading prompts; `None` if the workload has no prompts or nothing fits.
    #[must_use]
    pub fn prefill_tokens_per_s(&self) -> Option<f64> {
        Some(self.0.simulation.prefill.as_ref()?.as_ref().ok()?.rate.get())
    }

    /// Watts at the grid while the machine serves the target's mix.
    #[must_use]
    pub fn watts(&self) -> f64 {
        self.0.simulation.power.total().get()
    }

    /// Whether the target is met.
    #[must_use]
    pub fn meets_target(&self) -> bool {
        self.0.simulation.verdict.meets()
    }

    /// Served over demanded.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.0.simulation.verdict.ratio()
    }
}

/// A step of training, with the JSON of `supernode train`.
#[derive(Clone, Debug)]
pub struct TrainingResult(Box<TrainingReport>);

impl TrainingResult {
    /// Time of the fastest step; `None` if no layout fits.
    #[must_use]
    pub fn step_s(&self) -> Option<f64> {
        Some(self.0.simulation.best()?.time.get())
    }

    /// Tokens a second of the whole machine; `None` if no layout fits.
    #[must_use]
    pub fn tokens_per_s(&self) -> Option<f64> {
        let simulation = &self.0.simulation;
        Some(simulation.rate(simulation.best()?).get())
    }
}

/// The designs of a study, one a row.
#[derive(Clone, Debug)]
pub struct StudyResult(Records);

impl StudyResult {
    /// Names of the columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.columns.iter().map(|(name, _)| name.as_str())
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.rows()
    }
}

impl Serialize for ServingResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.json().serialize(serializer)
    }
}

impl Serialize for TrainingResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.json().serialize(serializer)
    }
}

impl Serialize for StudyResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.objects())
    }
}
