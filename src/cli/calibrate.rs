//! `supernode calibrate`: constants of a chip or a communication library from measurements.

use std::path::{Path, PathBuf};

use super::output_file::write_file;
use super::{CommandResult, Output, bad_option};
use crate::fabric;
use crate::input::cases::{load_cases, shipped_cases};
use crate::input::problem::{Problem, Problems};
use crate::input::spec::{Spec, engine_text, library_text, load_supernode, part_texts};
use crate::network::Network;
use crate::report::{self, CalibrateReport};
use crate::validation::calibrate::{ConstantFamily, PartKind, calibrate, outside, with_constants};
use crate::validation::{FittedParts, OutsideErrors, load_outside, outside_text};

/// Fit the constants of a chip or a communication library to measurements
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// collectives, collectives:LIBRARY, across-hosts, all-reduce:ENGINE, tokens:KERNEL, gemm:FORMAT, gemm:FORMAT@ENGINE, mla:FORMAT, gqa:FORMAT,
    /// mha:FORMAT, prompts:FORMAT, experts:FORMAT, experts:FORMAT@ENGINE, experts-low-latency:FORMAT, delta-decode, delta-prompts, gap, sparse,
    /// sparse-prompts, power or engine:NAME; several are fitted one after the other
    #[arg(required = true, value_name = "FAMILY")]
    families: Vec<String>,

    /// The machines measured, which share the part; the first one's part is written
    #[arg(long, required = true, value_name = "SYSTEM")]
    system: Vec<String>,

    /// Measurements in the format of docs/validation.md; the shipped ones if absent
    #[arg(long, value_name = "FILE")]
    cases: Vec<String>,

    /// The machine whose measured chip is the nearest relative of this chip. The errors of a prediction with the relative's kernels are printed too
    #[arg(long, value_name = "SYSTEM", requires = "outside")]
    relative: Option<String>,

    /// Update this table of errors outside the fit: each group of measurements left out in turn, each chip from its relative
    #[arg(long, value_name = "CSV")]
    outside: Option<PathBuf>,

    /// Write the part file with the fitted constants here
    #[arg(long, value_name = "TOML")]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let families = arguments.families.iter().map(|text| ConstantFamily::parse(text)).collect::<Result<Vec<_>, _>>();
    let families = families.map_err(|message| bad_option("FAMILY", message))?;
    let kind = families.first().map_or(PartKind::Chip, ConstantFamily::part);
    if families.iter().any(|family| family.part() != kind) {
        return Err(bad_option("FAMILY", "these constants stand in several files; fit those of one file after the other"));
    }
    // A slip in a name is told before the measurements are read.
    let specs = arguments.system.iter().map(|system| load_supernode(system)).collect::<Result<Vec<Spec>, Problems>>()?;
    let files = if arguments.cases.is_empty() { shipped_cases() } else { arguments.cases.clone() };
    let mut cases = Vec::new();
    for file in &files {
        cases.extend(load_cases(file)?);
    }
    let fabrics = specs.iter().map(fabric::build).collect::<Result<Vec<_>, Problems>>()?;
    let networks: Vec<Network<'_>> = fabrics.iter().map(Network::new).collect();
    let machines: Vec<(&Spec, &Network<'_>)> = specs.iter().zip(&networks).collect();
    let shared = |spec: &Spec| match &kind {
        PartKind::Chip => spec.chip.name.clone(),
        PartKind::Library(None) => spec.library.name.clone(),
        PartKind::Library(Some(name)) | PartKind::Engine(name) => name.clone(),
    };
    if let Some(other) = specs.iter().find(|spec| shared(spec) != shared(&specs[0])) {
        return Err(bad_option("--system", format!("{} and {} do not share the part", specs[0].id, other.id)));
    }
    let mut parts = FittedParts::of(&specs[0]);
    let calibrations = families.iter().map(|family| calibrate(family, &machines, &cases, &mut parts)).collect::<Result<Vec<_>, _>>();
    let calibrations = calibrations.map_err(|message| bad_option("FAMILY", message))?;
    if let Some(path) = &arguments.outside {
        let relative = arguments.relative.as_deref().map(load_supernode).transpose()?;
        let kernels = relative.as_ref().map(|spec| &spec.chip.kernels);
        let mut errors = if path.exists() { load_outside(&path.to_string_lossy())? } else { OutsideErrors::new() };
        for family in &families {
            errors.extend(outside(family, &machines, &cases, &parts, kernels).map_err(|message| bad_option("FAMILY", message))?);
        }
        write(path, &outside_text(&errors))?;
    }
    if let Some(path) = &arguments.out {
        let text = match &kind {
            PartKind::Chip => part_texts(&arguments.system[0])?.0,
            PartKind::Library(None) => part_texts(&arguments.system[0])?.1,
            PartKind::Library(Some(name)) => library_text(name)?,
            PartKind::Engine(name) => engine_text(name)?,
        };
        let text = with_constants(&text, &calibrations).map_err(|message| bad_option("--out", message))?;
        write(path, &text)?;
    }
    Ok(Output::report(&CalibrateReport { systems: arguments.system.clone(), calibrations }, format))
}

fn write(path: &Path, text: &str) -> Result<(), Problems> {
    Ok(write_file(path, text).map_err(|error| Problem::new(format!("cannot write `{}`: {error}", path.display())))?)
}
