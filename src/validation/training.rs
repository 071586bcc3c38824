//! Steps of training.

use super::bench::{Bench, power_in, share_in, time_in, tokens_in};
use super::power::device_under;
use crate::execution::makespan;
use crate::input::cases::{Case, Settings, Unit};
use crate::input::document::{At, Captured, Optimizer, PipelineSchedule, Precision};
use crate::input::spec::TrainingSpec;
use crate::network::Pricing;
use crate::study::{describe_training, training_task};
use crate::training::{TrainingRequest, search};
use crate::units::TokensPerSecond;

/// Number formats that a case may name.
const FORMATS: [(&str, Precision); 4] =
    [("bf16", Precision::Bf16), ("fp8", Precision::Fp8), ("fp8-block", Precision::Fp8Block), ("fp4", Precision::Fp4)];

/// The workload of a case, with what the case says of sequence, batch, format and gradients in its place.
fn workload(bench: &mut Bench<'_>, settings: &Settings) -> Result<TrainingSpec, String> {
    let mut workload = bench.training(settings.text("workload")?)?;
    let training = &mut workload.training;
    if settings.optional("sequence").is_some() {
        training.sequence = settings.count("sequence")?;
    }
    if settings.optional("global_batch").is_some() {
        training.global_batch = settings.count("global_batch")?;
    }
    if settings.optional("format").is_some() {
        training.gemm.set(settings.one_of("format", &FORMATS)?);
    }
    if settings.optional("gradient_bytes").is_some() {
        training.state.gradients = settings.number("gradient_bytes")?;
    }
    if settings.optional("all_to_all").is_some() {
        training.all_to_all = settings.flag("all_to_all")?;
    }
    if settings.optional("shard_weights").is_some() {
        training.shard_weights = settings.flag("shard_weights")?;
    }
    if settings.optional("offload").is_some() {
        training.offload_layers = settings.count("offload")?;
    }
    if settings.optional("captured").is_some()
        && let Some(host) = &mut training.host
    {
        host.captured =
            settings.one_of("captured", &[("nothing", Captured::Nothing), ("all-but-experts", Captured::AllButExperts), ("step", Captured::Step)])?;
    }
    if settings.optional("schedule").is_some() {
        let known = [
            ("one-forward-one-backward", PipelineSchedule::OneForwardOneBackward),
            ("zero-bubble", PipelineSchedule::ZeroBubble),
            ("dual-pipe", PipelineSchedule::DualPipe),
        ];
        training.schedule = settings.one_of("schedule", &known)?;
    }
    if settings.optional("optimizer").is_some() {
        training.optimizer = settings.one_of("optimizer", &[("adam", Optimizer::Adam), ("muon", Optimizer::Muon)])?;
    }
    if settings.optional("shard_gradients").is_some() {
        training.shard_gradients = settings.flag("shard_gradients")?;
    }
    if settings.optional("chunked_tensor").is_some() {
        training.chunked_tensor = settings.flag("chunked_tensor")?;
    }
    if settings.optional("dispatch").is_some() {
        let format = settings.one_of("dispatch", &FORMATS)?;
        match training.dispatch.as_mut() {
            Some(written) => written.set(format),
            None => training.dispatch = Some(At::new(0..0, format)),
        }
    }
    Ok(workload)
}

/// Degrees that a case names; the others are those of the fastest layout that fits.
fn request(settings: &Settings) -> Result<TrainingRequest, String> {
    let degree = |key: &str| settings.optional(key).map(|_| settings.count(key)).transpose();
    Ok(TrainingRequest {
        tp: degree("tp")?,
        cp: degree("cp")?,
        ep: degree("ep")?,
        dp: degree("dp")?,
        pp: degree("pp")?,
        micro_batch: degree("micro_batch")?,
        interleave: degree("interleave")?,
        overlap: degree("overlap")?,
        recompute: settings.optional("recompute").map(|_| settings.number("recompute")).transpose()?.map(|recompute| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0, 1 or 2")]
            let recompute = recompute as u32;
            recompute
        }),
    })
}

/// A figure of a step: its time, tokens a second and chip, model operations a second and chip, their share of the peak, or the watts of
/// the machine.
pub fn step(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&[
        "workload",
        "sequence",
        "global_batch",
        "format",
        "gradient_bytes",
        "tp",
        "cp",
        "ep",
        "dp",
        "pp",
        "micro_batch",
        "interleave",
        "overlap",
        "dispatch",
        "all_to_all",
        "chunked_tensor",
        "shard_weights",
        "offload",
        "power_cap",
        "captured",
        "schedule",
        "optimizer",
        "shard_gradients",
        "recompute",
    ])?;
    let workload = workload(bench, settings)?;
    let request = request(settings)?;
    let (network, spec) = (bench.network, bench.spec);
    let fabric = network.fabric();
    request.check(&workload.training, &workload.model, fabric.chips * fabric.chip.ranks)?;
    let task = training_task(network, &bench.parts.library, device_under(bench, case)?, &workload);
    let found = search(&task, &workload.training, &request);
    let simulation = describe_training(spec, &task, &workload, found, None);
    let Some(step) = simulation.best() else { return Err("does not fit".to_owned()) };
    match (case.quantity.as_str(), case.unit) {
        ("training_power", unit) => power_in(unit, simulation.power.total()),
        (_, Unit::TokensPerSecond) => tokens_in(case.unit, TokensPerSecond::new(simulation.rate(step).get() / f64::from(simulation.chips(step)))),
        (_, Unit::TeraflopPerSecond) => Ok(simulation.flop_rate(step).get() / 1e12),
        (_, Unit::Percent | Unit::Ratio) => share_in(case.unit, simulation.utilisation(step)),
        (_, unit) => time_in(unit, step.time),
    }
}

/// Forward and backward of `layers` expert layers on one rank for one micro-batch, where two hide each other's transfers: half of what two
/// take. Norms, activation functions and expansions of latent attention are run again.
pub fn layers(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["workload", "layers", "tp", "ep", "dp", "pp", "micro_batch"])?;
    let workload = workload(bench, settings)?;
    let request = request(settings)?;
    let fabric = bench.network.fabric();
    request.check(&workload.training, &workload.model, fabric.chips * fabric.chip.ranks)?;
    let task = training_task(bench.network, &bench.parts.library, bench.device.clone(), &workload);
    let kinds = task.layers([settings.count("tp")?, 1, settings.count("ep")?, settings.count("micro_batch")?]);
    let layer = kinds.iter().find(|layer| layer.expert_parameters > 0.0).ok_or("the model has no experts")?;
    let count = settings.count("layers")?;
    let two = makespan(&layer.forward, 2, count) + makespan(&layer.backward, 2, count);
    time_in(case.unit, two * 0.5 + layer.pointwise * f64::from(count))
}
