//! What clients of a fleet of instances measure: runs recorded request by request, and benchmarks of prompts and answers on chips of their own.

use super::bench::{Bench, time_in, tokens_in};
use super::serving::{MOST_REQUESTS, ROUNDS, SHORTEST, deploy_engine, mapping};
use crate::execution::Mapping;
use crate::input::cases::{Case, Settings};
use crate::input::spec::WorkloadSpec;
use crate::input::trace::load_trace;
use crate::network::Pricing;
use crate::serving::queueing::{ArrivingRequest, Picoseconds, RouterPolicy, SchedulerRules, Trace};
use crate::study::{Layout, Metric, Mode, ServePlan, ServeResult};
use crate::units::{Seconds, SplitMix64, TokensPerSecond};

const TRACE_SETTINGS: [&str; 12] =
    ["trace", "figure", "engine", "workload", "tp", "dp", "instances", "budget", "running", "block", "router", "found"];

/// A figure of a run that an engine measured request by request: its arrivals and lengths are replayed, `figure` says what is compared, as
/// `ttft_p99`, `tpot_mean`, `output_rate` or `makespan`.
pub fn trace(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&TRACE_SETTINGS)?;
    let figure = case.settings.text("figure")?;
    let key: Vec<String> =
        TRACE_SETTINGS.iter().filter(|key| **key != "figure").map(|key| format!("{key}={:?}", case.settings.optional(key))).collect();
    let key = key.join(";");
    if !bench.traced.contains_key(&key) {
        let found = traced(bench, case);
        bench.traced.insert(key.clone(), found);
    }
    let served = bench.traced[&key].as_ref().map_err(Clone::clone)?;
    let time = |metric: Metric, percentile: &str| {
        let found = metric.of(served).and_then(|times| times.named(percentile));
        time_in(case.unit, Seconds::new(found.ok_or_else(|| format!("`{figure}` is not a figure of a run"))?))
    };
    match figure {
        "makespan" => time_in(case.unit, served.makespan),
        "output_rate" => tokens_in(case.unit, TokensPerSecond::new(served.output_rate)),
        _ => {
            let (metric, percentile) = figure.split_once('_').unwrap_or((figure, "mean"));
            let metric = Metric::ALL.iter().find(|entry| entry.1 == metric).ok_or_else(|| format!("`{figure}` is not a figure of a run"))?;
            time(metric.0, percentile)
        }
    }
}

/// The router with this name.
fn router(name: &str) -> Result<RouterPolicy, String> {
    let known = RouterPolicy::ALL.iter().find(|entry| entry.1 == name).map(|entry| entry.0);
    known.ok_or_else(|| format!("`router={name}` is not a router: {}", RouterPolicy::ALL.map(|entry| entry.1).join(", ")))
}

fn traced(bench: &mut Bench<'_>, case: &Case) -> Result<ServeResult, String> {
    let settings = &case.settings;
    let mut workload: WorkloadSpec = bench.workload(settings.text("workload")?)?;
    deploy_engine(bench, settings, &mut workload)?;
    let file = load_trace(settings.text("trace")?)
        .map_err(|problems| problems.list().first().map_or_else(String::new, |problem| problem.message.clone()))?;
    let or = |key: &str, absent: u32| if settings.optional(key).is_some() { settings.count(key) } else { Ok(absent) };
    let (tp, dp) = (or("tp", 1)?, or("dp", 1)?);
    let ep = if workload.model.experts().is_some() { tp * dp } else { 1 };
    let mut rules = SchedulerRules::of(workload.engine.as_ref().and_then(|deployed| deployed.engine.scheduler.as_ref()));
    (rules.budget, rules.sequences, rules.block) = (or("budget", rules.budget)?, or("running", rules.sequences)?, or("block", rules.block)?);
    let policy = settings.optional("router").map_or(Ok(RouterPolicy::LeastLoaded), router)?;
    let chips = bench.spec.chips() * bench.spec.chip.ranks;
    let asked = u64::from(tp) * u64::from(dp) * u64::from(or("instances", 1)?);
    if asked > u64::from(chips) {
        return Err(format!("tp x dp x instances is {asked} ranks, the machine has {chips}"));
    }
    let layout = Layout {
        candidates: Some(vec![Mapping { tp, ep, dp, ..Mapping::ONE }]),
        micro_batches: Some(1),
        instances: Some(or("instances", 1)?),
        policy,
        rules: Some(rules),
        ..Layout::default()
    };
    let mut trace = Trace::of(&file);
    // A file with time stamps has no tokens: those that the engine's prefix cache found are spread over all prompts.
    let all: f64 = trace.requests.iter().map(|request| f64::from(request.input)).sum();
    let found = settings.number_or("found", 0.0)? / all;
    if found > 1.0 {
        return Err(format!("`found` is more than the {all} prompt tokens of the run"));
    }
    for request in &mut trace.requests {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a prompt")]
        let tokens = (f64::from(request.input) * found) as u32;
        request.found = tokens;
    }
    Ok(ServePlan::new(bench.spec, bench.network, &workload, &trace, &layout)?.serve(&trace))
}

const DISAGGREGATED_SETTINGS: [&str; 20] = [
    "engine",
    "release",
    "workload",
    "model",
    "weights",
    "experts",
    "attention",
    "cache",
    "tp",
    "dp",
    "ep",
    "instances",
    "prefill_tp",
    "prefill_dp",
    "prefill_ep",
    "prefill_instances",
    "concurrency",
    "prompt",
    "output",
    "rounds",
];

/// A mean time that clients measure where instances that read prompts hand them to instances that answer, with a fixed number of requests in flight.
pub fn disaggregated(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&DISAGGREGATED_SETTINGS)?;
    let key = case.settings.to_string();
    if !bench.traced.contains_key(&key) {
        let found = disaggregated_run(bench, &case.settings);
        bench.traced.insert(key.clone(), found);
    }
    let served = bench.traced[&key].as_ref().map_err(Clone::clone)?;
    let times = if case.quantity == "disaggregated_ttft" { &served.ttft } else { &served.tpot };
    time_in(case.unit, Seconds::new(times.as_ref().ok_or("no request was served")?.mean))
}

fn disaggregated_run(bench: &mut Bench<'_>, settings: &Settings) -> Result<ServeResult, String> {
    let mut workload = bench.restated(settings)?;
    deploy_engine(bench, settings, &mut workload)?;
    let laid_out = |prefix: &str| -> Result<(Mapping, u32), String> {
        let count = |name: &str| settings.count(&format!("{prefix}{name}"));
        Ok((mapping(&workload, [count("tp")?, count("dp")?], Some(count("ep")?))?, count("instances")?))
    };
    let ((reading, readers), (answering, answerers)) = (laid_out("prefill_")?, laid_out("")?);
    let concurrency = settings.count("concurrency")?;
    let rounds = settings.number_or("rounds", f64::from(ROUNDS))? as u64;
    let requests = u64::from(concurrency) * rounds;
    if requests > MOST_REQUESTS {
        return Err(format!("more than {MOST_REQUESTS} requests"));
    }
    let layout = Layout {
        mode: Mode::Apart,
        candidates: Some(vec![answering]),
        prefill_candidates: Some(vec![reading]),
        micro_batches: Some(1),
        instances: Some(answerers),
        prefill_instances: Some(readers),
        concurrency: Some(concurrency),
        ..Layout::default()
    };
    let trace = benchmark_requests(requests, [settings.count("prompt")?, settings.count("output")?]);
    Ok(ServePlan::new(bench.spec, bench.network, &workload, &trace, &layout)?.serve(&trace))
}

/// Requests of a public benchmark: lengths spread evenly from the shortest share of `longest` up to it.
fn benchmark_requests(requests: u64, longest: [u32; 2]) -> Trace {
    let mut streams = [0, 1].map(|stream| SplitMix64::new(0, stream));
    let mut length = |index: usize| {
        let least = (f64::from(longest[index]) * SHORTEST / 100.0) as u32;
        let spread = streams[index].below((longest[index] - least) as usize + 1);
        (least + u32::try_from(spread).unwrap_or(0)).max(1)
    };
    let request = |_| ArrivingRequest { arrival: Picoseconds(0), input: length(0), output: length(1), prefix: 0..0, found: 0, priority: 0 };
    Trace { requests: (0..requests).map(request).collect(), block_tokens: 1, ..Trace::default() }
}
