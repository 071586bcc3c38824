//! What to change next: each hardware parameter made 10 % better, alone, and what that gains.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::columns::{Better, COMPARED};
use super::progress::Progress;
use super::same_chip::with_chip_of;
use super::simulate::{DEFAULT_WORKLOAD, MappingChoice, Simulation, simulate_on};
use crate::fabric;
use crate::input::catalog::Mention;
use crate::input::edit::{Edits, LeafValue, ValuePath, quantity, written};
use crate::input::file_cache::{FileCache, FileReader, Log};
use crate::input::problem::{Problem, Problems};
use crate::input::spec::{Asked, EngineSpec, Spec, TargetSpec, WorkloadSpec, load_supernode_from, load_target_from, load_workload_from};
use crate::network::{Network, RoutedFabrics};
use crate::units::{Figure, Ratio, Watts};

/// How much better a parameter is made.
pub const BETTER: f64 = 1.1;

/// What the designs of one study share: files without other values in them, and fabrics that traffic cannot tell apart.
#[derive(Default)]
pub struct Shared {
    /// Files.
    pub files: FileCache,
    /// Fabrics.
    pub fabrics: RoutedFabrics,
}

/// What is served.
#[derive(Clone, Debug, Default)]
pub struct Serves {
    /// Workload, by name or path; the supernode's own if absent.
    pub workload: Option<String>,
    /// Another model in its place, by name or path.
    pub model: Option<String>,
    /// Other values in the place of the workload's.
    pub asked: Asked,
    /// The engine in place of those that the workload and the machine name; `Some(None)` for none.
    pub engine: Option<Option<Arc<EngineSpec>>>,
    /// Power limit of every chip in place of its own.
    pub cap: Option<Watts>,
    /// Power of the hall over power of its racks in place of the machine's own.
    pub pue: Option<Ratio>,
}

impl Serves {
    /// A workload as its file has it.
    #[must_use]
    pub fn named(workload: &str) -> Self {
        Self { workload: Some(workload.to_owned()), ..Self::default() }
    }

    /// The workload for a machine, whose own engine gives way to the one asked for.
    fn load(&self, reader: &FileReader<'_>, spec: &mut Spec) -> Result<WorkloadSpec, Problems> {
        if let Some(cap) = self.cap {
            spec.chip.power.cap = Some(Figure::plain(cap));
            spec.chip.power.check().map_err(|why| Problem::new(format!("{}: {why}", spec.chip.name)))?;
        }
        if let Some(pue) = self.pue {
            spec.supply.pue = Figure::plain(pue);
        }
        let name = self.workload.as_deref().or(spec.workload.as_deref()).unwrap_or(DEFAULT_WORKLOAD);
        let workload = load_workload_from(reader, name, &Mention::on_command_line(), self.model.as_deref())?;
        let mut workload = workload.asked(&self.asked).map_err(Problem::new)?;
        if let Some(engine) = &self.engine {
            spec.engine = None;
            workload.engine.clone_from(engine);
        }
        Ok(workload)
    }
}

/// What is asked about.
#[derive(Clone, Debug)]
pub struct SensitivityCase {
    /// Supernode, by name or path.
    pub supernode: String,
    /// What is served.
    pub serves: Serves,
    /// Target, by name or path.
    pub target: String,
    /// A machine whose chip, library and engine take the place of its own, by name or path.
    pub chip_of: Option<String>,
}

impl SensitivityCase {
    /// Simulates it as its files are, and writes down every value in them.
    ///
    /// # Errors
    /// Every problem of the files and of the fabric.
    pub fn fabric_metrics(&self, shared: &Shared) -> Result<(Simulation, Vec<LeafValue>), Problems> {
        self.logged(shared, &MappingChoice::default())
    }

    /// The same with every mapping searched to the end.
    ///
    /// # Errors
    /// Every problem of the files and of the fabric.
    pub fn explained(&self, shared: &Shared) -> Result<(Simulation, Vec<LeafValue>), Problems> {
        self.logged(shared, &MappingChoice { explained: true, ..MappingChoice::default() })
    }

    fn logged(&self, shared: &Shared, choice: &MappingChoice) -> Result<(Simulation, Vec<LeafValue>), Problems> {
        let log = Mutex::new(Log::default());
        let simulation = self.run(shared, FileReader::of(&shared.files).logged(&log), choice)?;
        let log = log.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((simulation, log.leaves))
    }

    /// Every value in its files.
    ///
    /// # Errors
    /// Every problem of the files.
    pub fn leaves(&self, shared: &Shared) -> Result<Vec<LeafValue>, Problems> {
        let log = Mutex::new(Log::default());
        self.load(FileReader::of(&shared.files).logged(&log))?;
        Ok(log.into_inner().unwrap_or_else(PoisonError::into_inner).leaves)
    }

    /// Simulates it with other values.
    ///
    /// # Errors
    /// Every problem of the files and of the fabric.
    pub fn with(&self, shared: &Shared, edits: &Edits, choice: &MappingChoice) -> Result<Simulation, Problems> {
        self.run(shared, FileReader::of(&shared.files).with(edits), choice)
    }

    /// Whether the supernode can be built with other values.
    fn builds(&self, shared: &Shared, edits: &Edits) -> bool {
        let spec = load_supernode_from(&FileReader::of(&shared.files).with(edits), &self.supernode, &Mention::on_command_line());
        spec.is_ok_and(|spec| fabric::build(&spec).is_ok())
    }

    fn run(&self, shared: &Shared, reader: FileReader<'_>, choice: &MappingChoice) -> Result<Simulation, Problems> {
        let (spec, workload, target) = self.load(reader)?;
        let fabric = fabric::build(&spec)?;
        Ok(simulate_on(&spec, &Network::among(&fabric, &shared.fabrics), &workload, &target, choice))
    }

    fn load(&self, reader: FileReader<'_>) -> Result<(Spec, WorkloadSpec, TargetSpec), Problems> {
        let mention = Mention::on_command_line();
        let mut spec = load_supernode_from(&reader, &self.supernode, &mention)?;
        if let Some(other) = &self.chip_of {
            spec = with_chip_of(&spec, &load_supernode_from(&reader, other, &mention)?);
        }
        let workload = self.serves.load(&reader, &mut spec)?;
        Ok((spec, workload, load_target_from(&reader, &self.target, &mention)?))
    }
}

/// A hardware parameter: the values that it is made of, and which way it is better.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// What people call it.
    pub name: &'static str,
    /// Which way it is better.
    pub better: Better,
    /// Its values, with `*` for any key or item and `**` for any keys.
    pub paths: &'static [&'static str],
}

/// Link rate is the first of them; a longer list says more, not better.
pub const PARAMETERS: [Parameter; 13] = [
    Parameter { name: "link rate", better: Better::More, paths: &["link[*].lane_rate"] },
    Parameter {
        name: "hop latency",
        better: Better::Less,
        paths: &[
            "link[*].serdes_latency",
            "link[*].fec_latency",
            "link[*].medium.**.retimer_latency",
            "link[*].medium.**.module_latency",
            "switch[*].latency",
            "chip[*].io.endpoint_latency",
        ],
    },
    Parameter { name: "cable length", better: Better::Less, paths: &["link[*].length"] },
    Parameter {
        name: "launch of collectives",
        better: Better::Less,
        paths: &[
            "library[*].launch",
            "library[*].round",
            "library[*].**.base",
            "library[*].**.fan_out",
            "library[*].**.per_peer",
            "library[*].*.*.launch",
        ],
    },
    Parameter { name: "share of the wire reached", better: Better::More, paths: &["library[*].wire_efficiency", "library[*].**.efficiency"] },
    Parameter { name: "launch of kernels", better: Better::Less, paths: &["chip[*].kernels.**.launch", "chip[*].kernels.**.graph_launch"] },
    Parameter { name: "HBM bandwidth", better: Better::More, paths: &["chip[*].memory.bandwidth"] },
    Parameter { name: "HBM capacity", better: Better::More, paths: &["chip[*].memory.capacity"] },
    Parameter { name: "FLOP/s", better: Better::More, paths: &["chip[*].compute.*"] },
    Parameter { name: "power limit of a chip", better: Better::More, paths: &["chip[*].power.tdp"] },
    Parameter {
        name: "energy of arithmetic and memory",
        better: Better::Less,
        paths: &["chip[*].power.energy_per_flop", "chip[*].power.memory_energy"],
    },
    Parameter {
        name: "energy of links and switches",
        better: Better::Less,
        paths: &["chip[*].power.io_energy", "link[*].serdes_energy", "switch[*].power.*", "link[*].medium.**.module_power"],
    },
    Parameter { name: "cores that communication takes", better: Better::Less, paths: &["library[*].core_share"] },
];

/// What a change gains: tokens per second and tokens per joule, over what they were.
#[derive(Clone, Debug, PartialEq)]
pub struct Gain {
    /// What changes.
    pub name: String,
    /// How it changes: `+10 %`, `-9.1 %`, `off`.
    pub change: String,
    /// New values over old ones; `None` where something is switched.
    pub factor: Option<f64>,
    /// Values that it stands in.
    pub values: usize,
    /// Served tokens per second of a chip, new over old, less one; `None` where the changed design cannot be built.
    pub tokens: Option<f64>,
    /// Tokens per joule, likewise.
    pub per_joule: Option<f64>,
    /// Why it cannot be built.
    pub note: String,
}

/// A change to try.
struct TriedChange {
    name: String,
    /// In words, and as a factor where it is one.
    how: (String, Option<f64>),
    edits: Vec<(ValuePath, String)>,
    /// How the mapping is chosen.
    choice: MappingChoice,
}

/// Every gain, the largest in tokens per second first.
///
/// # Errors
/// Problems of the design as it is.
pub fn sensitivity(case: &SensitivityCase, progress: Progress<'_>) -> Result<(Simulation, Vec<Gain>), Problems> {
    let shared = Shared::default();
    let (before, leaves) = case.fabric_metrics(&shared)?;
    let choice = MappingChoice { likely: before.likely_mappings(), serving_alone: true, ..MappingChoice::default() };
    let change = |name: &str, how: &str, factor: Option<f64>, edits: Vec<(ValuePath, String)>| {
        let (name, how) = (name.to_owned(), (how.to_owned(), factor));
        TriedChange { name, how, edits, choice: choice.clone() }
    };
    let mut changes: Vec<TriedChange> = Vec::new();
    for parameter in &PARAMETERS {
        let (factor, how) = match parameter.better {
            Better::Less => (1.0 / BETTER, "-9.1 %"),
            _ => (BETTER, "+10 %"),
        };
        let edits = scaled(&leaves, parameter.paths, factor);
        changes.push(change(parameter.name, how, Some(factor), edits));
    }
    let (radix, growth) = radix(case, &shared, &leaves);
    let grown = format!("+{:.0} %", (growth - 1.0) * 100.0);
    changes.push(change("switch radix, filled with more children of the outermost level", &grown, Some(growth), radix));
    for (now, other) in [("false", "true"), ("true", "false")] {
        let switches = leaves.iter().filter(|leaf| leaf.path.root() == "switch" && leaf.path.last() == "in_network_reduction" && leaf.value == now);
        let edits: Vec<_> = switches.map(|leaf| (leaf.path.clone(), other.to_owned())).collect();
        changes.push(change("in-network reduction", if other == "true" { "on" } else { "off" }, None, edits));
    }
    let alone = MappingChoice { micro_batches: Some(1), ..choice.clone() };
    changes.push(TriedChange { choice: alone, ..change("overlap of two micro-batches", "off", None, Vec::new()) });
    changes.retain(|change| !change.edits.is_empty() || change.choice.micro_batches.is_some());
    let pieces = progress.pieces(changes.len());
    let tried = changes.into_par_iter().with_max_len(1).map(|change| {
        let gain = gain(case, &shared, &before, change);
        pieces.one_done();
        gain
    });
    let mut gains: Vec<Gain> = tried.collect();
    let size = |gain: &Gain| gain.tokens.unwrap_or(f64::NEG_INFINITY);
    gains.sort_by(|a, b| size(b).total_cmp(&size(a)));
    Ok((before, gains))
}

fn gain(case: &SensitivityCase, shared: &Shared, before: &Simulation, change: TriedChange) -> Gain {
    let TriedChange { name, how: (how, factor), edits, choice } = change;
    let values = edits.len();
    let after = case.with(shared, &Edits::unwritten("sensitivity", edits), &choice);
    let over = |figure: fn(&Simulation) -> Option<f64>| {
        let (new, old) = (figure(after.as_ref().ok()?)?, figure(before)?);
        (old > 0.0).then(|| new / old - 1.0)
    };
    let note = after.as_ref().err().map_or(String::new(), |problems| problems.list()[0].message.clone());
    Gain { name, change: how, factor, values, tokens: over(served_per_chip), per_joule: over(served_per_joule), note }
}

/// Served tokens per second of a chip.
pub(super) fn served_per_chip(simulation: &Simulation) -> Option<f64> {
    COMPARED.iter().find(|column| column.key == "served_per_chip_tokens_per_s").and_then(|column| (column.value)(simulation))
}

/// Served tokens per joule of the racks.
pub(super) fn served_per_joule(simulation: &Simulation) -> Option<f64> {
    Some(1.0 / simulation.energy_per_token?.get())
}

/// The values that paths mean, times a factor. Ratios stay at most one.
fn scaled(leaves: &[LeafValue], paths: &[&str], factor: f64) -> Vec<(ValuePath, String)> {
    let patterns: Vec<ValuePath> = paths.iter().filter_map(|path| ValuePath::parse(path).ok()).collect();
    let chosen = leaves.iter().filter(|leaf| patterns.iter().any(|pattern| pattern.means(&leaf.path)));
    chosen
        .filter_map(|leaf| {
            let (number, unit) = quantity(&leaf.value)?;
            let is_share = unit.is_empty() && (leaf.path.last().ends_with("efficiency"));
            let new = if is_share { (number * factor).min(1.0) } else { number * factor };
            Some((leaf.path.clone(), written(new, &unit, &leaf.value)))
        })
        .collect()
}

/// Switches with more lanes and as many more children of the outermost level: at least a tenth, and the first number beyond it that can be
/// built (CPUs are shared by whole numbers of chips).
fn radix(case: &SensitivityCase, shared: &Shared, leaves: &[LeafValue]) -> (Vec<(ValuePath, String)>, f64) {
    let number = |leaf: &LeafValue| quantity(&leaf.value).map(|(number, _)| number);
    let switches = leaves.iter().filter(|leaf| leaf.path.root() == "switch" && ["lanes", "ports"].contains(&leaf.path.last()));
    let outermost = leaves.iter().rfind(|leaf| leaf.path.root() == "level" && leaf.path.last() == "size" && leaf.path.depth() == 2);
    let Some((outermost, size)) = outermost.and_then(|leaf| Some((leaf, number(leaf)?))) else { return (Vec::new(), 1.0) };
    let up = |factor: f64| {
        let lanes = switches.clone().filter_map(|leaf| Some((leaf.path.clone(), format!("{}", (number(leaf)? * factor).ceil()))));
        lanes.chain([(outermost.path.clone(), format!("{}", (size * factor).round()))]).collect::<Vec<_>>()
    };
    if switches.clone().next().is_none() {
        return (Vec::new(), 1.0);
    }
    let mut children = (size * BETTER).ceil();
    while children < 2.0 * size && !case.builds(shared, &Edits::unwritten("sensitivity", up(children / size))) {
        children += 1.0;
    }
    (up(children / size), children / size)
}
