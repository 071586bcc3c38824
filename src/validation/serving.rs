//! Latencies that clients of a serving engine measure: a replay of its public benchmark.

use std::sync::Arc;

use super::bench::{Bench, energy_in, power_in, time_in, tokens_in};
use crate::execution::{Machine, Mapping, Step};
use crate::footprint::chip_power;
use crate::input::cases::{Case, Settings};
use crate::input::spec::{EngineSpec, WorkloadSpec};
use crate::input::trace::load_trace;
use crate::network::Pricing;
use crate::serving::queueing::{RouterPolicy, SchedulerRules, Trace};
use crate::serving::{Batching, ClientTraffic, ReplayedService, benchmark};
use crate::study::{Layout, Metric, ServePlan, ServeResult};
use crate::units::{Joules, Seconds, TokensPerSecond};

/// Requests of public benchmarks over those in flight.
const ROUNDS: u32 = 10;
/// Shortest over longest length in public benchmarks, in per cent.
const SHORTEST: f64 = 80.0;
/// Tokens that an engine takes into one pass.
const BUDGET: u32 = 8192;

const SETTINGS: [&str; 24] = [
    "engine",
    "release",
    "workload",
    "model",
    "weights",
    "experts",
    "attention",
    "cache",
    "tp",
    "ep",
    "dp",
    "concurrency",
    "prompt",
    "output",
    "shortest",
    "rounds",
    "budget",
    "running",
    "paged",
    "whole",
    "separate",
    "poll",
    "wait",
    "wait_share",
];

/// A figure of an engine that prefills and decodes on the same chips with a fixed number of requests in flight.
pub fn serving(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&SETTINGS)?;
    let served = served(bench, case)?;
    match case.quantity.as_str() {
        "serving_ttft" | "unseen_ttft" => time_in(case.unit, served.first_token),
        "serving_gap" => time_in(case.unit, served.gap),
        "serving_rate" => tokens_in(case.unit, served.rate),
        "serving_power" => power_in(case.unit, served.power),
        "serving_energy" => energy_in(case.unit, Joules::new(served.power.get() / served.rate.get())),
        _ => time_in(case.unit, served.per_token),
    }
}

/// Replays the case once for all of its figures.
fn served(bench: &mut Bench<'_>, case: &Case) -> Result<ReplayedService, String> {
    let key = case.settings.to_string();
    if let Some(known) = bench.served.get(&key) {
        return known.clone();
    }
    let found = replayed(bench, case);
    bench.served.insert(key, found.clone());
    found
}

fn replayed(bench: &mut Bench<'_>, case: &Case) -> Result<ReplayedService, String> {
    let settings = &case.settings;
    let mut workload = bench.restated(settings)?;
    let (tp, dp) = (settings.count("tp")?, settings.count("dp")?);
    let ranks = u64::from(tp) * u64::from(dp);
    let fabric = bench.network.fabric();
    if ranks > u64::from(fabric.chips) * u64::from(fabric.chip.ranks) {
        return Err(format!("{ranks} ranks do not fit on {} chips", fabric.chips));
    }
    let mapping = mapping(&workload, settings, [tp, dp])?;
    let or = |key: &str, absent: u32| if settings.optional(key).is_some() { settings.count(key) } else { Ok(absent) };
    let traffic = ClientTraffic {
        concurrency: settings.count("concurrency")?,
        rounds: or("rounds", ROUNDS)?,
        prompt: settings.count("prompt")?,
        output: settings.count("output")?,
        shortest: (settings.number_or("shortest", SHORTEST)? / 100.0).min(1.0),
    };
    if u64::from(traffic.concurrency) * u64::from(traffic.rounds) > MOST_REQUESTS {
        return Err(format!("more than {MOST_REQUESTS} requests"));
    }
    let engine =
        settings.optional("engine").map(|name| Ok::<_, String>(EngineSpec { id: name.to_owned(), engine: bench.parts.engine(name)?.clone() }));
    workload.engine = engine.transpose()?.map(Arc::new);
    let machine = Machine::new(bench.network, &bench.spec.library, &bench.parts.chip, &workload);
    let batching = Batching {
        groups: dp,
        budget: or("budget", BUDGET)?,
        running: or("running", u32::MAX)?,
        cached: 0.0,
        front_end: Seconds::ZERO,
        paged: settings.flag("paged")?,
        whole: settings.flag("whole")?,
        separate: settings.flag("separate")?,
        poll: or("poll", 1)?,
        wait: or("wait", 0)?,
        wait_share: settings.number_or("wait_share", 0.0)? / 100.0,
    };
    let chip = &bench.parts.chip;
    let chips = f64::from(mapping.chips(chip.ranks));
    let draws = |step: &Step| chip_power(&chip.power, chip.ranks, step) * chips;
    benchmark(&machine, mapping, &traffic, &batching, &draws).map_err(|no| no.to_string())
}

/// TP and DP as given, and EP: over all ranks where the case does not say, or 1 where every expert is divided.
fn mapping(workload: &WorkloadSpec, settings: &Settings, [tp, dp]: [u32; 2]) -> Result<Mapping, String> {
    let spread = if workload.model.experts().is_some() { tp * dp } else { 1 };
    let ep = if settings.optional("ep").is_some() { settings.count("ep")? } else { spread };
    let mapping = Mapping { tp, ep, dp, ..Mapping::ONE };
    if ep == spread || (ep == 1 && mapping.tokens_on_every_rank()) {
        Ok(mapping)
    } else {
        Err(format!("`ep={ep}` with tp={tp} and dp={dp}: experts are on ep = tp x dp = {spread} ranks, or with dp=1 divided over all of them: ep=1"))
    }
}

/// A replay of more requests is a slip of the finger.
const MOST_REQUESTS: u64 = 1_000_000;

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
    let mut workload = bench.workload(settings.text("workload")?)?;
    let engine =
        settings.optional("engine").map(|name| Ok::<_, String>(EngineSpec { id: name.to_owned(), engine: bench.parts.engine(name)?.clone() }));
    workload.engine = engine.transpose()?.map(Arc::new);
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
