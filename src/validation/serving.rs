//! Latencies that clients of a serving engine measure: a replay of its public benchmark.

use std::sync::Arc;

use super::bench::{Bench, energy_in, power_in, time_in, tokens_in};
use crate::execution::{Machine, Mapping, Step};
use crate::footprint::chip_power;
use crate::input::cases::{Case, Settings};
use crate::input::spec::{EngineSpec, WorkloadSpec};
use crate::network::Pricing;
use crate::serving::{Batching, ClientTraffic, ReplayedService, benchmark};
use crate::units::{Joules, Seconds};

/// Requests of public benchmarks over those in flight.
pub(super) const ROUNDS: u32 = 10;
/// Shortest over longest length in public benchmarks, in per cent.
pub(super) const SHORTEST: f64 = 80.0;
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
    let ep = settings.optional("ep").map(|_| settings.count("ep")).transpose()?;
    let mapping = mapping(&workload, [tp, dp], ep)?;
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
    deploy_engine(bench, settings, &mut workload)?;
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

/// Puts the engine that the case names, with the bench's constants, in the place of the workload's; none if it names none.
pub(super) fn deploy_engine(bench: &mut Bench<'_>, settings: &Settings, workload: &mut WorkloadSpec) -> Result<(), String> {
    let engine =
        settings.optional("engine").map(|name| Ok::<_, String>(EngineSpec { id: name.to_owned(), engine: bench.parts.engine(name)?.clone() }));
    workload.engine = engine.transpose()?.map(Arc::new);
    Ok(())
}

/// TP and DP as given, and EP: over all ranks where the case does not say, or 1 where every expert is divided.
pub(super) fn mapping(workload: &WorkloadSpec, [tp, dp]: [u32; 2], ep: Option<u32>) -> Result<Mapping, String> {
    let spread = if workload.model.experts().is_some() { tp * dp } else { 1 };
    let ep = ep.unwrap_or(spread);
    let mapping = Mapping { tp, ep, dp, ..Mapping::ONE };
    if ep == spread || (ep == 1 && mapping.tokens_on_every_rank()) {
        Ok(mapping)
    } else {
        Err(format!("`ep={ep}` with tp={tp} and dp={dp}: experts are on ep = tp x dp = {spread} ranks, or with dp=1 divided over all of them: ep=1"))
    }
}

/// A replay of more requests is a slip of the finger.
pub(super) const MOST_REQUESTS: u64 = 1_000_000;
