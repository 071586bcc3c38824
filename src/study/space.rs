//! The space of a study: which designs it holds, what each one is, and what it gives.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::columns::{COMPARED, DETAILED, FigureColumn};
use super::packet_columns::{PACKET_COLUMNS, packet_columns};
use super::sensitivity::Shared;
use super::simulate::{DEFAULT_WORKLOAD, MappingChoice, PhaseResult, Simulation, simulate_on};
use crate::execution::MappingRequest;
use crate::fabric::{self, Fabric};
use crate::input::catalog::Mention;
use crate::input::document::{Method, Prices, StandingKind};
use crate::input::edit::{LeafValue, ValuePath};
use crate::input::file_cache::{FileReader, Log};
use crate::input::problem::{Problem, Problems};
use crate::input::spec::{Spec, TargetSpec, WorkloadSpec, load_prices_from, load_supernode_from, load_target_from, load_workload_from};
use crate::input::study::{AxisValue, StudySpec};
use crate::network::{Collective, Network, Op, Pricing};
use crate::units::Bytes;
use crate::units::SplitMix64;

/// More designs than this are a slip of the finger, or a case for another method.
pub const MOST_POINTS: u64 = 10_000_000;

/// A study with its space laid out.
pub struct Space {
    /// The study.
    pub spec: StudySpec,
    /// Designs that a sweep tries.
    pub points: u64,
    shared: Shared,
    /// By supernode: how a machine stands that does not run as described.
    standings: OnceLock<BTreeMap<String, &'static str>>,
    /// Strata by dimension and point, for a Latin hypercube.
    strata: Vec<Vec<u32>>,
}

/// One design of a space.
#[derive(Clone, Debug)]
pub struct Point {
    /// Number of its supernode in the study.
    pub supernode: usize,
    /// Number of its workload; 0 where the study names none.
    pub workload: usize,
    /// Number of its target.
    pub target: usize,
    /// Its value on every axis.
    pub values: Vec<AxisValue>,
}

/// Values drawn from the ranges of figures, as TOML text.
pub type DrawnValues<'a> = &'a [(ValuePath, String)];

/// Machine, workload and target of a design, and prices.
type Read = (Spec, WorkloadSpec, TargetSpec, Option<Prices>);

/// What one design gives.
#[derive(Clone, Debug, PartialEq)]
pub struct DesignOutcome {
    /// By column of [`Space::figures`]; `None` where the design has no such figure. All of them where it cannot be built.
    pub figures: Vec<Option<f64>>,
    /// Why it cannot be built, or why a phase does not run; empty where all is well.
    pub note: String,
}

/// A design whose files are read and whose fabric is built.
pub struct Design {
    /// Supernode.
    pub spec: Spec,
    /// Its graph.
    pub fabric: Fabric,
    /// Workload.
    pub workload: WorkloadSpec,
    /// Target.
    pub target: TargetSpec,
    /// How its mapping is chosen.
    pub choice: MappingChoice,
}

impl Space {
    /// Lays a study out.
    ///
    /// # Errors
    /// A space with more than [`MOST_POINTS`] designs to try.
    pub fn new(mut spec: StudySpec) -> Result<Self, Problems> {
        // Sizes that have their columns already need no others.
        spec.message_sizes.retain(|size| !columns().any(|column| column.key == format!("all_reduce_{}_s", size_name(size.value))));
        let sizes = dimensions(&spec);
        let grid = sizes.iter().try_fold(1u64, |product, size| product.checked_mul(*size as u64));
        let points = match spec.method {
            Method::Grid => grid.filter(|points| *points <= MOST_POINTS).ok_or_else(|| too_many(&spec, &sizes))?,
            Method::LatinHypercube(draws) | Method::Random(draws) => draws.points,
        };
        let strata = match spec.method {
            Method::LatinHypercube(draws) => (0..sizes.len()).map(|dimension| shuffled(draws.points, draws.seed, dimension as u64)).collect(),
            Method::Grid | Method::Random(_) => Vec::new(),
        };
        Ok(Self { spec, points, shared: Shared::default(), standings: OnceLock::new(), strata })
    }

    /// Lays a study out to be searched, not swept: its space may be of any size.
    #[must_use]
    pub fn unbounded(spec: StudySpec) -> Self {
        Self { spec, points: 0, shared: Shared::default(), standings: OnceLock::new(), strata: Vec::new() }
    }

    /// `projection` or `stand-in` where the file of a supernode says that the machine is one.
    #[must_use]
    pub fn standing(&self, supernode: &str) -> Option<&'static str> {
        let read = || {
            let reader = FileReader::of(&self.shared.files);
            let specs =
                self.spec.supernodes.iter().filter_map(|(name, mention)| Some((name, load_supernode_from(&reader, name, mention).ok()?.standing?)));
            specs
                .filter(|(_, standing)| standing.kind != StandingKind::Running)
                .map(|(name, standing)| (name.clone(), standing.kind.name()))
                .collect()
        };
        self.standings.get_or_init(read).get(supernode).copied()
    }

    /// Keys of an outcome's figures.
    #[must_use]
    pub fn figures(&self) -> Vec<String> {
        let sizes = self.spec.message_sizes.iter().map(|size| size_name(size.value));
        let collectives = sizes.flat_map(|size| [format!("all_reduce_{size}_s"), format!("all_to_all_{size}_s")]);
        let packets = self.packet_keys().iter().map(|key| (*key).to_owned());
        columns().map(|column| column.key.to_owned()).chain(collectives).chain(packets).collect()
    }

    /// Columns that are found with packets.
    fn packet_keys(&self) -> &'static [&'static str] {
        if self.spec.study.packets.is_some() { &PACKET_COLUMNS } else { &[] }
    }

    /// Names of what differs or is chosen: the columns before the figures.
    #[must_use]
    pub fn label_names(&self) -> Vec<String> {
        let fixed = ["supernode", "workload", "target"].map(str::to_owned);
        fixed.into_iter().chain(self.spec.axes.iter().map(|axis| axis.name.clone())).collect()
    }

    /// A design's entries in those columns.
    #[must_use]
    pub fn labels(&self, point: &Point) -> Vec<String> {
        let spec = &self.spec;
        let workload = spec.workloads.get(point.workload).map_or_else(|| "its own".to_owned(), |workload| workload.0.clone());
        let fixed = [spec.supernodes[point.supernode].0.clone(), workload, spec.targets[point.target].0.clone()];
        fixed.into_iter().chain(point.values.iter().map(|value| value.label.clone())).collect()
    }

    /// Entries of every dimension: supernodes, workloads, targets, axes; 0 for a stretch without steps.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        dimensions(&self.spec)
    }

    /// The design at a share of the way along every dimension, 0 to 1.
    #[must_use]
    pub fn at(&self, shares: &[f64]) -> Point {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and below the count")]
        let entry = |share: f64, count: usize| ((share * count as f64) as usize).min(count.saturating_sub(1));
        let sizes = self.sizes();
        let values = self.spec.axes.iter().zip(&shares[3..]).map(|(axis, share)| axis.values.at(*share));
        Point {
            supernode: entry(shares[0], sizes[0]),
            workload: entry(shares[1], sizes[1]),
            target: entry(shares[2], sizes[2]),
            values: values.collect(),
        }
    }

    /// Design number `index` of the sweep.
    #[must_use]
    pub fn point(&self, index: u64) -> Point {
        let sizes = self.sizes();
        let shares: Vec<f64> = match self.spec.method {
            Method::Grid => {
                let mut rest = index;
                let mut shares: Vec<f64> = sizes.iter().rev().map(|&size| (share_of(&mut rest, size as u64) + 0.5) / size as f64).collect();
                shares.reverse();
                shares
            }
            Method::Random(draws) => {
                let mut stream = SplitMix64::new(draws.seed, index);
                sizes.iter().map(|_| stream.uniform()).collect()
            }
            Method::LatinHypercube(draws) => {
                let mut stream = SplitMix64::new(draws.seed, index);
                let stratum = |strata: &Vec<u32>| usize::try_from(index).map_or(0.0, |index| f64::from(strata[index]));
                #[expect(clippy::cast_precision_loss, reason = "at most ten million")]
                let points = self.points as f64;
                self.strata.iter().map(|strata| (stratum(strata) + stream.uniform()) / points).collect()
            }
        };
        self.at(&shares)
    }

    /// Which workload serves, where the study names none.
    #[must_use]
    pub fn chosen_workload(&self) -> Option<String> {
        let sentence =
            || format!("Workload: that of each supernode, or {DEFAULT_WORKLOAD} if it names none. `workloads` of the study takes another.");
        self.spec.workloads.is_empty().then(sentence)
    }

    /// Reads the files of a design with its values and draws in them; prices where the study states money.
    ///
    /// # Errors
    /// Every problem of the files.
    pub fn read(&self, point: &Point, draws: DrawnValues<'_>, log: Option<&Mutex<Log>>) -> Result<Read, Problems> {
        let edits = self.spec.edits(&point.values).drawn(draws.iter().cloned());
        let reader = FileReader::of(&self.shared.files).with(&edits);
        let reader = log.map_or(reader, |log| reader.logged(log));
        let (name, mention) = &self.spec.supernodes[point.supernode];
        let spec = load_supernode_from(&reader, name, mention)?;
        let workload = match self.spec.workloads.get(point.workload) {
            Some((name, mention)) => load_workload_from(&reader, name, mention, None)?,
            None => load_workload_from(&reader, spec.workload.as_deref().unwrap_or(DEFAULT_WORKLOAD), &Mention::on_command_line(), None)?,
        };
        let (name, mention) = &self.spec.targets[point.target];
        let target = load_target_from(&reader, name, mention)?;
        let prices = self.spec.study.priced.then(|| load_prices_from(&reader, &[])).transpose()?;
        Ok((spec, workload, target, prices))
    }

    /// Every value in the files of a design, after its edits.
    ///
    /// # Errors
    /// Every problem of the files.
    pub fn leaves(&self, point: &Point) -> Result<Vec<LeafValue>, Problems> {
        let log = Mutex::new(Log::default());
        self.read(point, &[], Some(&log))?;
        Ok(log.into_inner().unwrap_or_else(PoisonError::into_inner).leaves)
    }

    /// Reads and builds a design.
    ///
    /// # Errors
    /// In one line, why it cannot be built.
    pub fn design(&self, point: &Point) -> Result<Design, String> {
        self.drawn_design(point, &[])
    }

    fn drawn_design(&self, point: &Point, draws: DrawnValues<'_>) -> Result<Design, String> {
        let message = |problems: Problems| {
            let first = &problems.list()[0];
            let label = first.place.as_ref().map_or(String::new(), |(_, label)| format!(" ({label})"));
            format!("{}{label}", first.message)
        };
        let (spec, workload, target, prices) = self.read(point, draws, None).map_err(message)?;
        let fabric = fabric::build(&spec).map_err(message)?;
        let choice = MappingChoice { prices, ..choice(point, &spec, &workload)? };
        Ok(Design { spec, fabric, workload, target, choice })
    }

    /// Simulates a design.
    #[must_use]
    pub fn evaluate(&self, point: &Point) -> DesignOutcome {
        self.evaluate_drawn(point, &[])
    }

    /// Simulates a design with draws in the place of its figures.
    #[must_use]
    pub fn evaluate_drawn(&self, point: &Point, draws: DrawnValues<'_>) -> DesignOutcome {
        match self.drawn_design(point, draws) {
            Ok(design) => self.outcome(&design),
            Err(note) => DesignOutcome { figures: vec![None; self.figures().len()], note },
        }
    }

    fn outcome(&self, design: &Design) -> DesignOutcome {
        let network = Network::among(&design.fabric, &self.shared.fabrics);
        let simulation = design.simulate_on(&network);
        let mut figures: Vec<Option<f64>> = columns().map(|column| (column.value)(&simulation)).collect();
        if !self.spec.message_sizes.is_empty() {
            let mut pricing = Pricing::new(&network, &design.spec.library);
            for size in &self.spec.message_sizes {
                for op in [Op::AllReduce, Op::AllToAll] {
                    let collective = Collective { op, ranks: design.fabric.chips, bytes: size.value };
                    figures.push(pricing.price(&collective, None).ok().map(|timing| timing.total().get()));
                }
            }
        }
        if let Some(asked) = &self.spec.study.packets {
            figures.extend(packet_columns(asked, &design.spec, &design.workload, &network, &simulation));
        }
        DesignOutcome { figures, note: note(&simulation) }
    }
}

impl Design {
    /// Simulates it.
    #[must_use]
    pub fn simulate(&self) -> Simulation {
        self.simulate_on(&Network::new(&self.fabric))
    }

    fn simulate_on(&self, network: &Network<'_>) -> Simulation {
        simulate_on(&self.spec, network, &self.workload, &self.target, &self.choice)
    }
}

/// Columns that every study has.
pub fn columns() -> impl Iterator<Item = &'static FigureColumn> {
    COMPARED.iter().chain(&DETAILED)
}

fn choice(point: &Point, spec: &Spec, workload: &WorkloadSpec) -> Result<MappingChoice, String> {
    let mut request = MappingRequest::default();
    for (degree, value) in point.values.iter().flat_map(|value| &value.mapping) {
        request.set(degree, *value)?;
    }
    if request == MappingRequest::default() {
        return Ok(MappingChoice::default());
    }
    let candidates = request.candidates(workload, spec.chips(), spec.levels[0].size, spec.chip.ranks)?;
    Ok(MappingChoice { candidates: Some(candidates), micro_batches: request.micro_batches, ..MappingChoice::default() })
}

/// Why a phase does not run.
fn note(simulation: &Simulation) -> String {
    fn why(name: &str, phase: &PhaseResult) -> Option<String> {
        Some(format!("{name} {}", phase.as_ref()?.as_ref().err()?))
    }
    let video = simulation.video.as_ref().and_then(|video| Some(format!("video {}", video.refusal()?)));
    [why("prefill", &simulation.prefill), why("decode", &simulation.decode), video].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn dimensions(spec: &StudySpec) -> Vec<usize> {
    let axes = spec.axes.iter().map(|axis| axis.values.count());
    [spec.supernodes.len(), spec.workloads.len().max(1), spec.targets.len()].into_iter().chain(axes).collect()
}

/// The last digit of a number in base `size`, which is taken off it.
fn share_of(rest: &mut u64, size: u64) -> f64 {
    let digit = *rest % size.max(1);
    *rest /= size.max(1);
    #[expect(clippy::cast_precision_loss, reason = "entries of an axis are far below 2^53")]
    let digit = digit as f64;
    digit
}

/// The numbers below `count` in an order of their own for every dimension (Fisher and Yates).
fn shuffled(count: u64, seed: u64, dimension: u64) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    let mut stream = SplitMix64::new(seed ^ 0x6c68_7321, dimension);
    for last in (1..numbers.len()).rev() {
        numbers.swap(last, stream.below(last + 1));
    }
    numbers
}

fn too_many(spec: &StudySpec, sizes: &[usize]) -> Problems {
    let product: f64 = sizes.iter().map(|size| *size as f64).product();
    let factors = sizes.iter().filter(|size| **size > 1).map(usize::to_string).collect::<Vec<_>>().join(" x ");
    let largest = spec.axes.iter().max_by_key(|axis| axis.values.count());
    let mut problem = Problem::new(format!("the grid has {factors} = {product:.3e} designs, more than the {MOST_POINTS} that a sweep tries"));
    if let Some(axis) = largest {
        problem = problem.at(axis.place.clone(), "the longest axis");
    }
    problem.help("draw from it with `method = { latin-hypercube = { points = 10000, seed = 1 } }`, or search it with `supernode optimize`").into()
}

/// `4kib`, `1mib`, `100kb`: a size as part of a column's name.
fn size_name(bytes: Bytes) -> String {
    let size = bytes.get();
    let binary = [(1_073_741_824.0, "gib"), (1_048_576.0, "mib"), (1024.0, "kib")];
    let decimal = [(1e9, "gb"), (1e6, "mb"), (1e3, "kb")];
    let whole = |(factor, name): &(f64, &str)| (size >= *factor && size % factor == 0.0).then(|| format!("{}{name}", size / factor));
    binary.iter().chain(&decimal).find_map(whole).unwrap_or_else(|| format!("{size}b"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latin_hypercube_takes_every_stratum_once() {
        for dimension in 0..3 {
            let mut strata = shuffled(100, 7, dimension);
            assert_ne!(strata, (0..100).collect::<Vec<u32>>());
            strata.sort_unstable();
            assert_eq!(strata, (0..100).collect::<Vec<u32>>());
        }
        assert_ne!(shuffled(100, 7, 0), shuffled(100, 7, 1));
    }

    #[test]
    fn sizes_have_short_names() {
        assert_eq!([1024.0, 65_536.0, 1e5, 1_048_576.0, 100.0].map(|size| size_name(Bytes::new(size))), ["1kib", "64kib", "100kb", "1mib", "100b"]);
    }
}
