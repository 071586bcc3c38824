//! `supernode plan`: how many supernodes and megawatts a demand takes.

use std::path::PathBuf;

use super::output_file::{cannot_write, write_file};
use super::page::PageArgument;
use super::progress::progress;
use super::serving_options::ServingOptions;
use super::{CommandResult, Output, bad_option};
use crate::fabric;
use crate::input::problem::Problems;
use crate::input::spec::{load_reliability, load_supernode, load_target};
use crate::report::{self, Picture, PlanDay, PlanReport, View};
use crate::study::{Progress, days, design, fleet};
use crate::units::Date;

/// Plan supernodes, chips, racks, megawatts and money for a demand, following its growth
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped names or paths
    #[arg(required = true, value_name = "SUPERNODE")]
    supernodes: Vec<String>,

    /// The demand
    #[arg(long, default_value = "doubao-2026-04")]
    target: String,

    #[command(flatten)]
    serving: ServingOptions,

    /// First day, as 2026-04-02; the target's own if absent. With --to: every month between
    #[arg(long, value_name = "DAY", value_parser = Date::parse)]
    from: Option<Date>,

    /// Last day; the last of the target's series if absent
    #[arg(long, value_name = "DAY", value_parser = Date::parse)]
    to: Option<Date>,

    /// Extrapolate the growth beyond the published dates
    #[arg(long)]
    extrapolate: bool,

    /// Share of the steady rate that the busiest moment may take, such as 0.8; if absent what the target states, else what keeps the workload's
    /// limits in 99 of 100 moments
    #[arg(long, value_name = "SHARE", value_parser = share)]
    utilisation: Option<f64>,

    /// Draw demand against capacity over time into an SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    #[command(flatten)]
    page: PageArgument,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    if let (true, Some(first)) = (arguments.serving.print_workload, arguments.supernodes.first()) {
        let workload = arguments.serving.load(&mut load_supernode(first)?)?;
        return arguments.serving.printed(&workload).unwrap_or_else(|| Ok(Output::done(String::new())));
    }
    let (report, chosen) = planned(arguments)?;
    if let Some(path) = &arguments.plot {
        let svg = picture(&report)?;
        write_file(path, svg).map_err(|error| cannot_write("--plot", path, &error))?;
    }
    let view = View { table: "fleets", x: "date", y: "power_w", by: "supernode", lines: true };
    let pictures = || report.svg().map(|svg| Picture { title: "Demand and capacity over time", note: String::new(), svg }).into_iter().collect();
    arguments.page.write(&report, None, view, pictures)?;
    Ok(Output::noted(&report, chosen, format))
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share: &f64| *share > 0.0 && *share <= 1.0).ok_or_else(|| format!("`{text}` is not a share above 0 and up to 1"))
}

/// The picture alone.
pub fn draw(arguments: &Arguments) -> CommandResult {
    planned(arguments).and_then(|(report, _)| picture(&report)).map(Output::done)
}

fn picture(report: &PlanReport) -> Result<String, Problems> {
    report.svg().ok_or_else(|| bad_option("plan", "a picture needs at least two days; give --from and --to"))
}

/// The plan, and which workloads it chose.
fn planned(arguments: &Arguments) -> Result<(PlanReport, Option<String>), Problems> {
    let target = load_target(&arguments.target)?;
    let days = days(&target, (arguments.from, arguments.to), arguments.extrapolate).map_err(|message| bad_option("plan", message))?;
    let (prices, reliability) = (arguments.serving.money.prices()?, load_reliability()?);
    let specs = arguments.serving.money.machines(&arguments.supernodes)?;
    let chosen = arguments.serving.chosen_for(&specs);
    let designs = specs.into_iter().map(|mut spec| {
        let workload = arguments.serving.load(&mut spec)?;
        let fabric = fabric::build(&spec)?;
        let hear = progress("classes of parts");
        Ok(design((&spec, &fabric), &workload, &target, (&prices, arguments.utilisation), &reliability, Progress::to(&hear)))
    });
    let designs = designs.collect::<Result<Vec<_>, Problems>>()?;
    let days = days.into_iter().map(|(day, demand, basis)| {
        let fleets = designs.iter().map(|design| fleet(design, demand)).collect();
        PlanDay { day, demand, basis, fleets }
    });
    let report = PlanReport {
        days: days.collect(),
        designs,
        peak_to_mean: target.target.peak_to_mean.value.get(),
        prices: prices.date.clone(),
        target: (target.id.clone(), target.target.name.clone()),
    };
    Ok((report, chosen))
}
