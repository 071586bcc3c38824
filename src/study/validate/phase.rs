//! Decode and prefill of a whole model.

use super::super::simulate::machine;
use super::bench::{Bench, share_in, time_in, tokens_in};
use crate::input::cases::Case;
use crate::network::Pricing;
use crate::serving::{DecodePoint, Mapping, PrefillPoint, decode_at, prefill_at};
use crate::units::TokensPerSecond;

/// One instance over all ranks of `chips` chips, one attention group a rank.
fn instance(chips: u32, ranks_per_chip: u32) -> Mapping {
    let ranks = chips * ranks_per_chip;
    Mapping { tp: 1, ep: ranks, dp: ranks, pp: 1 }
}

/// A figure of a decode step at a given batch.
pub fn decode(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["workload", "chips", "batch", "context", "speculation", "micro_batches"])?;
    let workload = bench.workload(settings.text("workload")?)?;
    let phase = workload.workload.decode.as_ref().ok_or("the workload has no decode phase")?;
    let ranks_per_chip = bench.spec.chip.ranks;
    let chips = settings.count("chips")?;
    let mapping = instance(chips, ranks_per_chip);
    if chips > bench.network.fabric().chips {
        return Err(format!("the machine has fewer than {chips} chips"));
    }
    let machine = machine(bench.network, bench.spec, &workload, &[mapping]);
    let (batch, context) = (settings.count("batch")?, settings.count("context")?);
    let (speculation, micro_batches) = (settings.flag("speculation")?, settings.count("micro_batches")?.min(8));
    let at = |speculation: bool, micro_batches: u32| {
        let mut phase = phase.clone();
        phase.context.set(context);
        if !speculation {
            phase.speculation = None;
        }
        decode_at(&machine, &phase, mapping, (batch / ranks_per_chip).max(1), micro_batches)
    };
    let point = at(speculation, micro_batches);
    let per_chip = |point: &DecodePoint| TokensPerSecond::new(point.rate.get() / f64::from(chips));
    match case.quantity.as_str() {
        "tpot" => time_in(case.unit, point.tpot),
        "decode_layer" => time_in(case.unit, point.step.layer),
        "decode_overlap_gain" => share_in(case.unit, per_chip(&point) / per_chip(&at(speculation, 1)) - 1.0),
        "decode_layer_saving" => share_in(case.unit, 1.0 - point.step.layer / at(speculation, 1).step.layer),
        "speculation_gain" => share_in(case.unit, per_chip(&point) / per_chip(&at(false, micro_batches)) - 1.0),
        _ => tokens_in(case.unit, per_chip(&point)),
    }
}

/// A figure of a prefill pass of `tokens` tokens a chip.
pub fn prefill(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["workload", "chips", "tokens", "micro_batches"])?;
    let workload = bench.workload(settings.text("workload")?)?;
    let phase = workload.workload.prefill.as_ref().ok_or("the workload has no prefill phase")?;
    let ranks_per_chip = bench.spec.chip.ranks;
    let chips = settings.count("chips")?;
    let mapping = instance(chips, ranks_per_chip);
    if chips > bench.network.fabric().chips {
        return Err(format!("the machine has fewer than {chips} chips"));
    }
    let machine = machine(bench.network, bench.spec, &workload, &[mapping]);
    let prompts = settings.number("tokens")? / f64::from(ranks_per_chip) / f64::from(*phase.prompt);
    let at = |micro_batches: u32| prefill_at(&machine, phase, mapping, prompts, micro_batches).map_err(|no| no.to_string());
    let per_chip = |point: &PrefillPoint| TokensPerSecond::new(point.rate.get() / f64::from(chips));
    let point = at(settings.count("micro_batches")?.min(8))?;
    match case.quantity.as_str() {
        "prefill_overlap_gain" => share_in(case.unit, per_chip(&point) / per_chip(&at(1)?) - 1.0),
        _ => tokens_in(case.unit, per_chip(&point)),
    }
}

/// Time per output token, or to the first, of an engine that prefills and decodes on the same chips with a fixed number of requests in
/// flight.
///
/// A group of B requests makes a token each in t_d. While one request makes its L tokens, every other one of the group ends once and the
/// prompt of its successor is read in t_p, which everybody waits for:
///
/// ```text
/// TPOT = t_d + (B - 1) / L x t_p
/// TTFT = t_p + TPOT / 2 + u t_p / (2 (1 - u)),   u = B t_p / (L TPOT)
/// ```
///
/// The last term is the mean wait before a server with fixed service time and random arrivals (Pollaczek and Khinchine), u its load.
pub fn serving(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["workload", "tp", "dp", "concurrency", "prompt", "output"])?;
    let workload = bench.workload(settings.text("workload")?)?;
    let (tp, dp) = (settings.count("tp")?, settings.count("dp")?);
    let ranks = u64::from(tp) * u64::from(dp);
    let fabric = bench.network.fabric();
    if ranks > u64::from(fabric.chips) * u64::from(fabric.chip.ranks) {
        return Err(format!("{ranks} ranks do not fit on {} chips", fabric.chips));
    }
    let ep = if workload.model.experts().is_some() { tp * dp } else { 1 };
    let mapping = Mapping { tp, ep, dp, pp: 1 };
    let machine = machine(bench.network, bench.spec, &workload, &[mapping]);
    let mut decode = workload.workload.decode.clone().ok_or("the workload has no decode phase")?;
    let mut prefill = workload.workload.prefill.clone().ok_or("the workload has no prefill phase")?;
    let (prompt, output) = (settings.count("prompt")?, settings.count("output")?);
    let requests = settings.count("concurrency")?.div_ceil(dp);
    decode.context.set(prompt.saturating_add(output / 2));
    prefill.prompt.set(prompt);
    let step = decode_at(&machine, &decode, mapping, requests, 1).tpot;
    let reading = prefill_at(&machine, &prefill, mapping, 1.0, 1).map_err(|no| no.to_string())?.step.time;
    let (in_flight, length) = (f64::from(requests), f64::from(output));
    let tpot = step + reading * ((in_flight - 1.0) / length);
    if case.quantity == "serving_tpot" {
        return time_in(case.unit, tpot);
    }
    let load = (reading * in_flight / (tpot * length)).min(0.95);
    time_in(case.unit, reading + tpot / 2.0 + reading * (load / (2.0 * (1.0 - load))))
}
