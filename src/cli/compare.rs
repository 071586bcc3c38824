//! `supernode compare`: designs side by side.

use super::page::{PageArgument, fabric_picture};
use super::power_limits::PowerOptions;
use super::{EngineArgument, Outcome, Output};
use crate::fabric::{self, Fabric};
use crate::input::problem::Problems;
use crate::input::spec::{Spec, load_prices, load_reliability, load_supernode, load_target, load_workload};
use crate::report::{self, CompareReport, View};
use crate::study::{DEFAULT_WORKLOAD, compare, with_chip};

/// Simulate several supernodes under one workload and target, side by side
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped names or paths; ratios are relative to the first
    #[arg(required = true, num_args = 1.., value_name = "SUPERNODE")]
    supernodes: Vec<String>,

    /// What is served; the first supernode's own choice if absent
    #[arg(long)]
    workload: Option<String>,

    #[command(flatten)]
    engine: EngineArgument,

    /// The demand that results are held against
    #[arg(long, default_value = "doubao-2026-04")]
    target: String,

    /// Give every design the first one's chip (compute, memory, kernels, power), so that only the interconnect differs
    #[arg(long)]
    same_chips: bool,

    #[command(flatten)]
    limits: PowerOptions,

    #[command(flatten)]
    page: PageArgument,
}

pub fn run(arguments: &Arguments, format: report::Format) -> Outcome {
    let mut problems = Vec::new();
    let mut specs = Vec::new();
    for name in &arguments.supernodes {
        match load_supernode(name) {
            Ok(spec) => specs.push(spec),
            Err(found) => problems.extend(found.into_list()),
        }
    }
    Problems::check(problems, ())?;
    let name = arguments.workload.clone().or_else(|| specs[0].workload.clone()).unwrap_or_else(|| DEFAULT_WORKLOAD.to_owned());
    let mut workload = load_workload(&name)?;
    for spec in &mut specs {
        arguments.engine.deploy(spec, &mut workload)?;
    }
    let target = load_target(&arguments.target)?;
    let chip = specs[0].chip.clone();
    if arguments.same_chips {
        specs = specs.iter().map(|spec| with_chip(spec, &chip)).collect();
    }
    let specs = arguments.limits.apply_to_all(specs)?;
    let pue: Vec<f64> = specs.iter().map(|spec| spec.supply.pue.value.get()).collect();
    let (prices, reliability) = (load_prices()?, load_reliability()?);
    let mut designs = Vec::new();
    for spec in specs {
        let fabric = fabric::build(&spec)?;
        designs.push((spec, fabric));
    }
    let engine = |(spec, _): &(Spec, Fabric)| workload.deployed_on(spec).engine.as_ref().map(|deployed| deployed.id.clone());
    let engines = designs.iter().map(engine).collect();
    let (rows, refusals) = compare(&designs, &workload, &target, &prices, &reliability);
    let report = CompareReport {
        supernodes: arguments.supernodes.clone(),
        rows,
        refusals,
        engines,
        prices: prices.date.clone(),
        workload: (workload.id, workload.workload.name),
        target: (target.id, target.target.name),
        pue,
        same_chip: arguments.same_chips.then_some(chip.name),
    };
    let view = View { table: "designs", x: "racks_w", y: "served_tokens_per_s", by: "supernode", lines: false };
    let pictures = || designs.iter().map(|(spec, fabric)| fabric_picture(spec, fabric)).collect();
    arguments.page.write(&report, Some(("designs", report.records())), view, pictures)?;
    Ok(Output::report(&report, format).with_rows("designs", || report.records()))
}
