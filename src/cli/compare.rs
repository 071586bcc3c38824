//! `supernode compare`: designs side by side.

use super::draws::DrawsArgument;
use super::page::{PageArgument, fabric_picture};
use super::serving_options::ServingOptions;
use super::{CommandResult, Output};
use crate::fabric::{self, Fabric};
use crate::input::problem::Problems;
use crate::input::spec::{Spec, load_reliability, load_target};
use crate::report::{self, CompareReport, View};
use crate::study::{Band, MappingChoice, SensitivityCase, Simulation, band, compare, with_chip_of};

/// Simulate several supernodes under one workload and target, side by side
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped names or paths; ratios are relative to the first
    #[arg(required = true, num_args = 1.., value_name = "SUPERNODE")]
    supernodes: Vec<String>,

    #[command(flatten)]
    serving: ServingOptions,

    /// The demand that results are held against
    #[arg(long, default_value = "doubao-2026-04")]
    target: String,

    /// Give every design the first one's chip (compute, memory, kernels, power), communication library and engine, so that only the
    /// interconnect differs
    #[arg(long)]
    same_chips: bool,

    #[command(flatten)]
    draws: DrawsArgument,

    #[command(flatten)]
    page: PageArgument,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let mut specs = arguments.serving.money.machines(&arguments.supernodes)?;
    let workload = arguments.serving.load_for_all(&mut specs)?;
    let chosen = arguments.serving.chosen_for(specs.first());
    if let Some(printed) = arguments.serving.printed(&workload) {
        return printed;
    }
    let target = load_target(&arguments.target)?;
    let chip = specs[0].chip.name.clone();
    if arguments.same_chips {
        let first = specs[0].clone();
        specs = specs.iter().map(|spec| with_chip_of(spec, &first)).collect();
    }
    let pue: Vec<f64> = specs.iter().map(|spec| spec.supply.pue.value.get()).collect();
    let choice = MappingChoice { prices: Some(arguments.serving.money.prices()?), ..MappingChoice::default() };
    let reliability = load_reliability()?;
    let mut designs = Vec::new();
    for spec in specs {
        let fabric = fabric::build(&spec)?;
        designs.push((spec, fabric));
    }
    let engine = |(spec, _): &(Spec, Fabric)| workload.deployed_on(spec).engine.as_ref().map(|deployed| deployed.id.clone());
    let engines = designs.iter().map(engine).collect();
    let bands = bands(arguments, &designs, &workload.id, &choice)?;
    let (rows, simulations) = compare(&designs, &bands, &workload, &target, &choice, &reliability);
    let mut serves = arguments.serving.serves()?;
    serves.workload = Some(workload.id.clone());
    let chip_of = arguments.same_chips.then(|| arguments.supernodes[0].clone());
    let case =
        |name: &String| SensitivityCase { supernode: name.clone(), serves: serves.clone(), target: target.id.clone(), chip_of: chip_of.clone() };
    let ranges = arguments.supernodes.iter().zip(&simulations).map(|(name, simulation)| arguments.draws.ranges(&case(name), simulation));
    let ranges = ranges.collect::<Option<Vec<_>>>().unwrap_or_default();
    let report = CompareReport {
        ranges,
        supernodes: arguments.supernodes.clone(),
        rows,
        refusals: simulations.iter().map(Simulation::serves_nothing).collect(),
        engines,
        prices: simulations.iter().filter_map(|simulation| simulation.money.as_ref()).map(report::price_note).collect(),
        workload: (workload.id, workload.workload.name),
        target: (target.id, target.target.name),
        pue,
        standing: designs.iter().map(|(spec, _)| spec.standing.clone()).collect(),
        same_chip: arguments.same_chips.then_some(chip),
    };
    let view = View { table: "designs", x: "racks_w", y: "served_tokens_per_s", by: "supernode", lines: false };
    let pictures = || designs.iter().map(|(spec, fabric)| fabric_picture(spec, fabric)).collect();
    arguments.page.write(&report, Some(("designs", report.records())), view, pictures)?;
    Ok(Output::noted(&report, chosen, format).with_rows("designs", || report.records()))
}

/// By design: what is open where its chip is a guess. Where all have the same chip only the interconnect is compared.
fn bands(arguments: &Arguments, designs: &[(Spec, Fabric)], workload: &str, choice: &MappingChoice) -> Result<Vec<Option<Band>>, Problems> {
    let of = |((spec, _), name): (&(Spec, Fabric), &String)| {
        if arguments.same_chips || !spec.is_stand_in() {
            return Ok(None);
        }
        let mut serves = arguments.serving.serves()?;
        serves.workload = Some(workload.to_owned());
        serves.pue = Some(spec.supply.pue.value);
        band(&SensitivityCase { supernode: name.clone(), serves, target: arguments.target.clone(), chip_of: None }, choice).map(Some)
    };
    designs.iter().zip(&arguments.supernodes).map(of).collect()
}
