//! `supernode simulate`: the main job.

use std::path::{Path, PathBuf};

use super::draws::DrawsArgument;
use super::output_file::{cannot_write, write_file};
use super::page::{PageArgument, fabric_picture};
use super::serving_options::ServingOptions;
use super::{CommandResult, DEFAULT_TARGET, Exit, Output, bad_option, fidelity};
use crate::execution::MappingRequest;
use crate::fabric::{self, Fabric};
use crate::footprint::inventory;
use crate::input::cases::load_cases;
use crate::input::problem::Problems;
use crate::input::spec::{Spec, WorkloadSpec, load_clip, load_target};
use crate::network::Network;
use crate::report::{self, ClipReport, Picture, SimulateReport, TracedPass, View, chrome_trace, timeline_svg, trace_file};
use crate::study::{
    Band, MappingChoice, PacketReplay, SensitivityCase, Simulation, band, packet_replay, simulate_clip, simulate_on, swings, watts_over_a_step,
};
use crate::validation::{compare_published, load_bounds};
use crate::workload::kernel::cautions;

/// Simulate a workload on a supernode: bandwidth, latency, power, tokens per second, verdict
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    #[command(flatten)]
    serving: ServingOptions,

    /// A video clip in place of a workload: shipped name or path
    #[arg(long, conflicts_with_all = ["workload", "model", "engine", "mapping", "objective", "explain", "trace", "target", "strict", "fidelity", "input", "output", "hit", "ttft", "tpot", "rate", "precision", "print_workload"])]
    clip: Option<String>,

    /// The demand with which the result is compared; doubao-2026-04 if absent
    #[arg(long)]
    target: Option<String>,

    /// Fixed degrees, such as tp=4,ep=32; open ones are searched. Keys: tp, ep, dp, pp, sp, ffn (decode's experts on so many ranks of their own), micro_batches (1 is no overlap)
    #[arg(long, value_name = "DEGREES")]
    mapping: Option<String>,

    /// Show the ten best mappings of each phase, and why others lost
    #[arg(long)]
    explain: bool,

    /// Write the timeline of one pass of each phase, with watts beside it, as Chrome trace JSON (opens in Perfetto)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    draws: DrawsArgument,

    #[command(flatten)]
    fidelity: fidelity::FidelityArguments,

    #[command(flatten)]
    page: PageArgument,

    /// End with exit code 1 if the target that is named is missed, or, where none is, if the workload is not served within its limits and as
    /// fast as it arrives
    #[arg(long)]
    strict: bool,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let mut spec = arguments.serving.money.machine(&arguments.supernode)?;
    if let Some(clip) = &arguments.clip {
        return run_clip(spec, clip, &arguments.page, format);
    }
    let workload = arguments.serving.load(&mut spec)?;
    let chosen = arguments.serving.chosen_for([&spec]);
    if let Some(printed) = arguments.serving.printed(&workload) {
        return printed;
    }
    let target = load_target(arguments.target.as_deref().unwrap_or(DEFAULT_TARGET))?;
    let published = spec.published.as_deref().map(load_cases).transpose()?;
    let fabric = fabric::build(&spec)?;
    let choice = choice(arguments, &spec, &workload)?;
    let network = Network::new(&fabric);
    let simulation = simulate_on(&spec, &network, &workload, &target, &choice);
    if let Some(path) = &arguments.trace {
        write_trace(path, &spec, &fabric, &workload.id, &simulation)?;
    }
    let published = published.map_or_else(Vec::new, |cases| compare_published(&spec, &network, &cases));
    let medians = load_bounds("medians")?.into_iter().filter(|bound| bound.system == spec.id).collect();
    let packets = replayed(arguments, &spec, &network, &workload, &simulation)?;
    let pictures = if arguments.page.is_asked() { pictures(&spec, &fabric, &simulation) } else { Vec::new() };
    let serves = arguments.serving.serves()?;
    let case = SensitivityCase { supernode: arguments.supernode.clone(), serves, target: target.id.clone(), chip_of: None };
    let ranges = arguments.draws.ranges(&case, &simulation);
    let transients = swings(&spec, &network, &simulation);
    let meets = if arguments.target.is_some() { simulation.verdict.meets() } else { simulation.answer.is_served() };
    let cautions = cautions(&spec.chip, &workload);
    let band = guessed(arguments, &spec, &workload.id, &target.id, &choice)?;
    let report = SimulateReport {
        speculation: workload.speculation(),
        notes: workload.notes.into_iter().chain(arguments.draws.note(&simulation)).collect(),
        supernode: spec.id,
        title: format!("{} ({})", spec.name, spec.vendor),
        standing: spec.standing,
        band,
        ranks_per_chip: spec.chip.ranks,
        chip: spec.chip.name,
        levels: fabric.level_names.clone(),
        workload: (workload.id, workload_title(workload.workload.name, &workload.model.name, arguments.serving.model.is_some())),
        target: (target.id, target.target.name),
        simulation,
        ranges,
        transients,
        published,
        medians,
        cautions,
        explain: arguments.explain || arguments.page.is_asked(),
        packets,
    };
    let view = View { table: "mappings", x: "latency_s", y: "tokens_per_s", by: "phase", lines: false };
    arguments.page.write(&report, None, view, || pictures)?;
    let report = SimulateReport { explain: arguments.explain, ..report };
    let mut output = Output::noted(&report, chosen, format);
    if arguments.strict && !meets {
        output.exit = Exit::Missed;
    }
    Ok(output)
}

/// The machine at both ends of what is guessed of its chip, where the chip is a guess.
fn guessed(arguments: &Arguments, spec: &Spec, workload: &str, target: &str, choice: &MappingChoice) -> Result<Option<Band>, Problems> {
    if !spec.is_stand_in() {
        return Ok(None);
    }
    let mut serves = arguments.serving.serves()?;
    serves.workload = Some(workload.to_owned());
    let case = SensitivityCase { supernode: arguments.supernode.clone(), serves, target: target.to_owned(), chip_of: None };
    band(&case, &MappingChoice { explained: false, ..choice.clone() }).map(Some)
}

/// The decode step with packets, if asked for.
fn replayed(
    arguments: &Arguments,
    spec: &Spec,
    network: &Network<'_>,
    workload: &WorkloadSpec,
    simulation: &Simulation,
) -> Result<Option<PacketReplay>, Problems> {
    let Some(options) = arguments.fidelity.packets()? else { return Ok(None) };
    let Some(Ok(decode)) = &simulation.decode else {
        return Err(bad_option("--fidelity packet", "there is no decode step to replay"));
    };
    Ok(packet_replay(spec, network, workload, &decode.point, options))
}

fn run_clip(spec: Spec, name: &str, page: &PageArgument, format: report::Format) -> CommandResult {
    let clip = load_clip(name)?;
    let fabric = fabric::build(&spec)?;
    let simulation = simulate_clip(&spec, &Network::new(&fabric), &inventory(&fabric), &clip);
    let title = format!("{} ({})", spec.name, spec.vendor);
    let levels = fabric.level_names.clone();
    let pictures: Vec<Picture> = page.is_asked().then(|| fabric_picture(&spec, &fabric)).into_iter().collect();
    let report = ClipReport { supernode: spec.id, title, chips: fabric.chips, levels, clip: name.to_owned(), simulation };
    let view = View { table: "points", x: "sequence_parallel", y: "clips_per_hour", by: "bound_by", lines: false };
    page.write(&report, None, view, || pictures)?;
    Ok(Output::report(&report, format))
}

fn choice(arguments: &Arguments, spec: &Spec, workload: &WorkloadSpec) -> Result<MappingChoice, Problems> {
    let prices = Some(arguments.serving.money.prices()?);
    let explained = arguments.explain;
    let Some(text) = &arguments.mapping else { return Ok(MappingChoice { prices, explained, ..MappingChoice::default() }) };
    let request: MappingRequest = text.parse().map_err(|reason| bad_option("--mapping", reason))?;
    let candidates = request.candidates(workload, spec.chips(), spec.levels[0].size, spec.chip.ranks);
    let candidates = candidates.map_err(|reason| bad_option("--mapping", reason))?;
    Ok(MappingChoice { prices, candidates: Some(candidates), micro_batches: request.micro_batches, explained, ..MappingChoice::default() })
}

/// The workload's name; with the model's where that is not the workload's own.
fn workload_title(workload: String, model: &str, replaced: bool) -> String {
    if replaced { format!("{workload}, with {model}") } else { workload }
}

/// The fabric, and the timeline of a pass of each phase.
fn pictures(spec: &Spec, fabric: &Fabric, simulation: &Simulation) -> Vec<Picture> {
    let note = "One pass of each phase. Point at a bar for its name, what bounds it and its time; --trace writes the whole pass.".to_owned();
    let timeline = timeline_svg(&traced(spec, fabric, simulation)).map(|svg| Picture { title: "Timeline", note, svg });
    std::iter::once(fabric_picture(spec, fabric)).chain(timeline).collect()
}

/// One pass of each phase as a Chrome trace.
fn traced(spec: &Spec, fabric: &Fabric, simulation: &Simulation) -> serde_json::Value {
    let decode = simulation.decode.as_ref().and_then(|found| found.as_ref().ok());
    let prefill = simulation.prefill.as_ref().and_then(|found| found.as_ref().ok());
    let decode = decode.map(|phase| ("decode", &phase.point.step, watts_over_a_step(spec, fabric, &phase.point)));
    let prefill = prefill.map(|phase| ("prefill", &phase.point.step, watts_over_a_step(spec, fabric, &phase.point)));
    let passes: Vec<_> = decode.into_iter().chain(prefill).collect();
    let traced: Vec<TracedPass<'_>> =
        passes.iter().map(|(name, step, power)| TracedPass { name, step, power, levels: &fabric.level_names }).collect();
    chrome_trace(&traced)
}

fn write_trace(path: &Path, spec: &Spec, fabric: &Fabric, workload: &str, simulation: &Simulation) -> Result<(), Problems> {
    write_file(path, trace_file(traced(spec, fabric, simulation), &spec.id, workload)).map_err(|error| cannot_write("--trace", path, &error))
}
