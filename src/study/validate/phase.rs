//! Decode and prefill of a whole model.

use super::super::simulate::machine;
use super::bench::{Bench, share_in, time_in, tokens_in};
use crate::input::cases::Case;
use crate::input::spec::WorkloadSpec;
use crate::network::Pricing;
use crate::serving::{DecodePoint, Mapping, PrefillPoint, decode_at, prefill_at};
use crate::units::TokensPerSecond;

/// One instance over all ranks of the case's chips, one attention group a rank, with the case's workload.
fn instance(bench: &mut Bench<'_>, case: &Case) -> Result<(WorkloadSpec, u32, Mapping), String> {
    let workload = bench.workload(case.settings.text("workload")?)?;
    let chips = case.settings.count("chips")?;
    if chips > bench.network.fabric().chips {
        return Err(format!("the machine has fewer than {chips} chips"));
    }
    let ranks = chips * bench.spec.chip.ranks;
    Ok((workload, chips, Mapping { tp: 1, ep: ranks, dp: ranks, pp: 1 }))
}

/// A figure of a decode step at a given batch.
pub fn decode(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["workload", "chips", "batch", "context", "speculation", "micro_batches"])?;
    let (workload, chips, mapping) = instance(bench, case)?;
    let phase = workload.workload.decode.as_ref().ok_or("the workload has no decode phase")?;
    let machine = machine(bench.network, bench.spec, &workload, &[mapping]);
    let (batch, context) = (settings.count("batch")?, settings.count("context")?);
    let (speculation, micro_batches) = (settings.flag("speculation")?, settings.count("micro_batches")?.min(8));
    let at = |speculation: bool, micro_batches: u32| {
        let mut phase = phase.clone();
        phase.context.set(context);
        if !speculation {
            phase.speculation = None;
        }
        decode_at(&machine, &phase, mapping, (batch / bench.spec.chip.ranks).max(1), micro_batches)
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
    let (workload, chips, mapping) = instance(bench, case)?;
    let phase = workload.workload.prefill.as_ref().ok_or("the workload has no prefill phase")?;
    let machine = machine(bench.network, bench.spec, &workload, &[mapping]);
    let prompts = settings.number("tokens")? / f64::from(bench.spec.chip.ranks) / f64::from(*phase.prompt);
    let at = |micro_batches: u32| prefill_at(&machine, phase, mapping, prompts, micro_batches).map_err(|no| no.to_string());
    let per_chip = |point: &PrefillPoint| TokensPerSecond::new(point.rate.get() / f64::from(chips));
    let point = at(settings.count("micro_batches")?.min(8))?;
    match case.quantity.as_str() {
        "prefill_overlap_gain" => share_in(case.unit, per_chip(&point) / per_chip(&at(1)?) - 1.0),
        _ => tokens_in(case.unit, per_chip(&point)),
    }
}
