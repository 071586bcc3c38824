//! Decode and prefill of a whole model.

use std::sync::Arc;

use super::bench::{Bench, share_in, time_in, tokens_in};
use crate::execution::{Machine, Mapping, mappings_for};
use crate::input::cases::{Case, Settings};
use crate::input::document::{CacheTier, DecodePhase, ExpertPlacement, PrefixCache, Speculation};
use crate::input::spec::{EngineSpec, WorkloadSpec};
use crate::network::Pricing;
use crate::serving::{OperatingPoint, Role, best as best_mapping, decode_at, prefill_at};
use crate::units::{BytesPerSecond, Figure, Ratio, Seconds, TokensPerSecond};

/// One instance over all ranks of the case's chips, `tp` ranks an attention group (one if absent), with the case's workload. `imbalance` (per
/// cent of the mean), `slots` (experts with their copies), `attention` and `cache` (formats), `prompt` (tokens) and `model` take the place of the
/// workload's.
fn instance(bench: &mut Bench<'_>, case: &Case) -> Result<(WorkloadSpec, u32, Mapping), String> {
    let settings = &case.settings;
    let mut workload = bench.restated(settings)?;
    let stated = &mut workload.workload;
    if settings.optional("imbalance").is_some() || settings.optional("slots").is_some() {
        let mut placement = stated.experts.clone().unwrap_or_else(ExpertPlacement::even);
        placement.imbalance.value = Ratio::new(settings.number_or("imbalance", 100.0 * placement.imbalance.value.get())? / 100.0);
        if settings.optional("slots").is_some() {
            let routed = workload.model.experts().map_or(0, |experts| experts.routed);
            placement.redundant = settings.count("slots")?.saturating_sub(routed);
        }
        stated.experts = Some(placement);
    }
    if let (Some(phase), Some(_)) = (stated.prefill.as_mut(), settings.optional("prompt")) {
        phase.prompt.set(settings.count("prompt")?);
    }
    let chips = settings.count("chips")?;
    if chips > bench.network.fabric().chips {
        return Err(format!("the machine has fewer than {chips} chips"));
    }
    let ranks = chips * bench.spec.chip.ranks;
    let tp = if settings.optional("tp").is_some() { settings.count("tp")? } else { 1 };
    if !ranks.is_multiple_of(tp) {
        return Err(format!("{ranks} ranks do not divide by tp={tp}"));
    }
    Ok((workload, chips, Mapping { tp, ep: ranks, dp: ranks / tp, ..Mapping::ONE }))
}

const DECODE_SETTINGS: [&str; 16] = [
    "workload",
    "model",
    "chips",
    "tp",
    "engine",
    "batch",
    "requests",
    "context",
    "speculation",
    "drafts",
    "accepted",
    "micro_batches",
    "imbalance",
    "slots",
    "attention",
    "cache",
];

/// Draft tokens of the case: none unless it says `speculation` or how many `drafts`. Of these, `accepted` hundredths of tokens a step are the mean; the
/// workload's acceptance if absent.
fn speculation(settings: &Settings, phase: &DecodePhase) -> Result<Option<Speculation>, String> {
    let stated = settings.flag("speculation")?.then(|| phase.speculation.clone()).flatten();
    if settings.optional("drafts").is_none() {
        return Ok(stated);
    }
    let draft_tokens = settings.count("drafts")?.min(16);
    let usual = phase.speculation.as_ref().map(|speculation| speculation.acceptance.value);
    let mut found = Speculation { draft_tokens, acceptance: Figure::plain(usual.unwrap_or(Ratio::new(1.0))), draft: None };
    if settings.optional("accepted").is_none() {
        return if usual.is_some() { Ok(Some(found)) } else { Err("the workload states no acceptance of draft tokens".to_owned()) };
    }
    let tokens = settings.number("accepted")? / 100.0;
    if !(1.0..=f64::from(1 + draft_tokens)).contains(&tokens) {
        return Err(format!("{draft_tokens} draft tokens do not make {tokens} tokens a step"));
    }
    // Tokens a step grow with the acceptance.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        found.acceptance.value = Ratio::new(middle);
        if found.tokens_per_step() < tokens { low = middle } else { high = middle }
    }
    Ok(Some(found))
}

/// A figure of a decode step at a given batch; with the faster of one and two micro-batches where the case does not say how many.
pub fn decode(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&DECODE_SETTINGS)?;
    let (mut workload, chips, mapping) = instance(bench, case)?;
    if let Some(name) = settings.optional("engine") {
        workload.engine = Some(Arc::new(EngineSpec { id: name.to_owned(), engine: bench.parts.engine(name)?.clone() }));
    }
    let phase = workload.workload.decode.as_ref().ok_or("the workload has no decode phase")?;
    let machine = Machine::new(bench.network, &bench.spec.library, &bench.spec.chip, &workload);
    let context = settings.count("context")?;
    let sequences = if settings.optional("requests").is_some() {
        settings.count("requests")?.div_ceil(mapping.dp)
    } else {
        settings.count("batch")? * mapping.tp / bench.spec.chip.ranks
    };
    let drafts = speculation(settings, phase)?;
    let at = |speculation: &Option<Speculation>, micro_batches: u32| {
        let mut phase = phase.clone();
        phase.context.set(context);
        phase.speculation.clone_from(speculation);
        decode_at(&machine, &phase, mapping, sequences.max(1), micro_batches)
    };
    let point = if settings.optional("micro_batches").is_some() {
        at(&drafts, settings.count("micro_batches")?.min(8))
    } else {
        let [one, two] = [1, 2].map(|micro_batches| at(&drafts, micro_batches));
        if sequences > 1 && two.rate > one.rate { two } else { one }
    };
    let per_chip = |point: &OperatingPoint| TokensPerSecond::new(point.rate.get() / f64::from(chips));
    match case.quantity.as_str() {
        "tpot" => time_in(case.unit, point.latency()),
        "decode_layer" => time_in(case.unit, point.step.layer),
        "decode_overlap_gain" => share_in(case.unit, per_chip(&point) / per_chip(&at(&drafts, 1)) - 1.0),
        "decode_overlap_ratio" => share_in(case.unit, per_chip(&point) / per_chip(&at(&drafts, 1))),
        "decode_layer_saving" => share_in(case.unit, 1.0 - point.step.layer / at(&drafts, 1).step.layer),
        "speculation_gain" => share_in(case.unit, per_chip(&point) / per_chip(&at(&None, point.micro_batches)) - 1.0),
        _ => tokens_in(case.unit, per_chip(&point)),
    }
}

/// Decode of the workload on the whole machine, all mappings searched.
pub fn best(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&["workload"])?;
    let workload = bench.workload(case.settings.text("workload")?)?;
    let phase = workload.workload.decode.as_ref().ok_or("the workload has no decode phase")?;
    let fabric = bench.network.fabric();
    let candidates = mappings_for(&workload, fabric.chips, bench.spec.levels[0].size, fabric.chip.ranks);
    let machine = Machine::new(bench.network, &bench.spec.library, &bench.spec.chip, &workload);
    let found = best_mapping(&machine, Role::Decode(phase), &candidates).map_err(|no| no.to_string())?;
    tokens_in(case.unit, TokensPerSecond::new(found.rate.get() / f64::from(fabric.chips)))
}

/// A figure of a prefill pass of `tokens` tokens a chip.
pub fn prefill(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["workload", "model", "chips", "tp", "prompt", "tokens", "micro_batches", "imbalance", "slots", "attention", "cache"])?;
    let (workload, chips, mapping) = instance(bench, case)?;
    let phase = workload.workload.prefill.as_ref().ok_or("the workload has no prefill phase")?;
    let machine = Machine::new(bench.network, &bench.spec.library, &bench.spec.chip, &workload);
    let prompts = settings.number("tokens")? * f64::from(mapping.tp) / f64::from(bench.spec.chip.ranks) / f64::from(*phase.prompt);
    let at = |micro_batches: u32| prefill_at(&machine, phase, mapping, prompts, micro_batches).map_err(|no| no.to_string());
    let per_chip = |point: &OperatingPoint| TokensPerSecond::new(point.rate.get() / f64::from(chips));
    let point = at(settings.count("micro_batches")?.min(8))?;
    match case.quantity.as_str() {
        "prefill_overlap_gain" => share_in(case.unit, per_chip(&point) / per_chip(&at(1)?) - 1.0),
        _ => tokens_in(case.unit, per_chip(&point)),
    }
}

/// What a prefix cache in the hosts' pooled memory changes for passes of `tokens` prompt tokens a chip, found ones included: with `reuse`
/// of `against` thousandths of each prompt found. With `bytes_per_s` the other side reads no faster than that a chip.
pub fn prefixes(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["workload", "chips", "tokens", "micro_batches", "reuse", "against", "bytes_per_s"])?;
    let (mut workload, _, mapping) = instance(bench, case)?;
    let phase = workload.workload.prefill.as_mut().ok_or("the workload has no prefill phase")?;
    phase.prefix_cache = Some(PrefixCache { tiers: vec![CacheTier::FabricPool], sessions: None, share: None, bandwidth: None });
    let phase = phase.clone();
    let machine = Machine::new(bench.network, &bench.spec.library, &bench.spec.chip, &workload);
    let prompts = settings.number("tokens")? / f64::from(bench.spec.chip.ranks) / f64::from(*phase.prompt);
    let micro_batches = settings.count("micro_batches")?.min(8);
    let thousandths = |key: &str| settings.optional(key).map_or(Ok(0.0), |_| settings.number(key).map(|share| (share / 1000.0).min(1.0)));
    let at = |hit: f64, most: Option<f64>| {
        let mut phase = phase.clone();
        phase.cache_hit = hit;
        if let Some(cache) = phase.prefix_cache.as_mut() {
            cache.bandwidth = most.map(|most| Figure::plain(BytesPerSecond::new(most)));
        }
        prefill_at(&machine, &phase, mapping, prompts, micro_batches).map_err(|no| no.to_string())
    };
    let (reuse, most) = (thousandths("reuse")?, settings.optional("bytes_per_s").map(|_| settings.number("bytes_per_s")).transpose()?);
    let (point, other) = (at(reuse, None)?, at(if most.is_some() { reuse } else { thousandths("against")? }, most)?);
    // All prompts of a pass take as long as the pass and what nothing hides; the benchmark's client waits for no other pass.
    let first_token = |point: &OperatingPoint| point.latency() - pass_time(point) * 0.5;
    match case.quantity.as_str() {
        "prefix_gain" => share_in(case.unit, pass_rate(&point) / pass_rate(&other)),
        _ if case.unit.is_time() => time_in(case.unit, first_token(&other) - first_token(&point)),
        _ => share_in(case.unit, 1.0 - first_token(&point) / first_token(&other)),
    }
}

/// A pass, and what of reading prefixes takes longer than it.
fn pass_time(point: &OperatingPoint) -> Seconds {
    point.step.time.max(point.prefixes.map_or(Seconds::ZERO, |prefixes| prefixes.time))
}

/// Passes a second: each reads as many prompts, found tokens included.
fn pass_rate(point: &OperatingPoint) -> f64 {
    1.0 / pass_time(point).get()
}
