//! Kernels of one rank.

use super::bench::{Bench, bandwidth_in, share_in, time_in};
use crate::input::cases::{Case, Settings, Unit};
use crate::input::document::{Attention, Chip, GatedDelta, Gqa, Kernels, Model, Precision, Precisions};
use crate::network::Pricing;
use crate::units::Seconds;
use crate::workload::{AttentionBatch, Device, Operator, RoutedTokens, Work, attention_block, distinct_tokens, kernel, layer_attention};

fn format(settings: &Settings, key: &str) -> Result<Precision, String> {
    settings.one_of(key, &Precision::ALL.map(|precision| (precision.name(), precision)))
}

/// Time, share of peak, or memory bandwidth.
fn measured(case: &Case, device: &Device, work: &Work, time: Seconds) -> Result<f64, String> {
    match case.unit {
        Unit::GigabytesPerSecond => bandwidth_in(case.unit, work.bytes() / time),
        Unit::TeraflopPerSecond => Ok((work.flop() / time).get() / 1e12),
        Unit::Percent if case.settings.optional("share") == Some("memory") => share_in(case.unit, work.bytes() / time / device.memory_bandwidth),
        Unit::Percent => share_in(case.unit, work.flop() / time / device.peak(work.precision())),
        unit => time_in(unit, time),
    }
}

/// Settings of a product, and those that name whose kernel it is.
const GEMM_SETTINGS: [&str; 8] = ["groups", "rows", "columns", "depth", "format", "quantised", "engine", "release"];

/// The same of routed experts.
const EXPERT_SETTINGS: [&str; 13] =
    ["hidden", "width", "experts", "top_k", "ranks", "tokens", "slots", "routing", "format", "present", "multiplied", "engine", "release"];

/// One rank with the kernels of the engine's release that the case names.
fn device_of_engine(bench: &Bench<'_>, case: &Case) -> Result<Device, String> {
    case.settings.text("release")?;
    let engine = case.settings.text("engine")?;
    if !bench.device.kernels.engines.contains_key(engine) {
        return Err(format!("the chip states no kernels of `{engine}`"));
    }
    let mut device = bench.device.clone();
    device.kernels.run_by(engine);
    Ok(device)
}

/// A call on its own.
pub fn gemm(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&GEMM_SETTINGS[..6])?;
    product(bench.device.clone(), case)
}

/// A call of an engine's kernel on its own.
pub fn engine_gemm(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&GEMM_SETTINGS)?;
    product(device_of_engine(bench, case)?, case)
}

fn product(mut device: Device, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    let precision = format(settings, "format")?;
    let batch = settings.number_or("groups", 1.0)?;
    let (rows, columns, depth) = (settings.number("rows")?, settings.number("columns")?, settings.number("depth")?);
    let work = Work::Gemm { batch, rows, columns, depth, precision };
    let kernel = Kernels::nearest(&device.kernels.gemm, precision).ok_or("the chip has no matrix multiplication")?;
    let mut launch = device.kernels.gemm_launch(precision);
    if settings.flag("quantised")? {
        device.kernels.gemm.values_mut().for_each(|kernel| kernel.quantise_bytes = 0.0);
    } else {
        launch += kernel.quantise_launch.as_ref().map_or(Seconds::ZERO, |figure| figure.value);
    }
    device.repeat_product(columns * depth * precision.bytes(), work.bytes().get());
    let time = launch + kernel::gemm_time(&device, batch, rows, columns, depth, precision);
    measured(case, &device, &work, time)
}

/// Sequences that make tokens.
fn decoding(settings: &Settings) -> Result<AttentionBatch, String> {
    let (sequences, context) = (settings.number("sequences")?, settings.number("context")?);
    Ok(AttentionBatch { sequences, new_tokens: settings.number_or("queries", 1.0)?, context, prefill: false })
}

/// Whole prompts, as long as their context; a token sees half of it on average.
fn reading(settings: &Settings) -> Result<AttentionBatch, String> {
    let (sequences, prompt) = (settings.number("sequences")?, settings.number("context")?);
    Ok(AttentionBatch { sequences, new_tokens: prompt, context: prompt / 2.0, prefill: true })
}

/// The model's attention block for one rank of a TP group that leaves it `heads` heads.
fn block(case: &Case, model: &Model, weights: Precision, heads: u32, batch: &AttentionBatch) -> Result<Vec<Operator>, String> {
    let settings = &case.settings;
    let cache = format(settings, "cache")?;
    let precisions = Precisions { weights, experts: None, attention: cache, kv_cache: cache, dispatch: weights, combine: Precision::Bf16 };
    let all = model.last().map_or(heads, |group| group.attention.heads());
    if !all.is_multiple_of(heads) {
        return Err(format!("{all} heads do not divide into parts of {heads}"));
    }
    Ok(attention_block(model, &precisions, all / heads, batch))
}

/// The attention kernel of a block.
fn attention_of(bench: &Bench<'_>, case: &Case, block: &[Operator]) -> Result<f64, String> {
    let attention = block.iter().find(|operator| matches!(operator.work, Work::Attention { .. })).ok_or("the model has no attention")?;
    let mut device = bench.device.clone();
    device.repeat(attention.work.bytes().get());
    measured(case, &device, &attention.work, kernel::attention_time(&device, &attention.work))
}

const LATENT_MODEL: &str = "deepseek-r1";

/// The kernel over a latent cache of `model` (DeepSeek's unless the case names another).
pub fn mla_decode(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&["model", "heads", "sequences", "queries", "context", "cache", "share"])?;
    let model = bench.model(case.settings.optional("model").unwrap_or(LATENT_MODEL))?;
    let block = block(case, &model, Precision::Bf16, case.settings.count("heads")?, &decoding(&case.settings)?)?;
    attention_of(bench, case, &block)
}

/// The whole block: projections, absorbed products and attention, one after the other.
pub fn mla_module(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    module(bench, case, &decoding(&case.settings)?)
}

/// The same over whole prompts.
pub fn mla_prefill(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    module(bench, case, &reading(&case.settings)?)
}

fn module(bench: &mut Bench<'_>, case: &Case, batch: &AttentionBatch) -> Result<f64, String> {
    case.settings.only(&["model", "heads", "sequences", "queries", "context", "cache", "format"])?;
    let model = bench.model(case.settings.optional("model").unwrap_or(LATENT_MODEL))?;
    let block = block(case, &model, format(&case.settings, "format")?, case.settings.count("heads")?, batch)?;
    time_in(case.unit, block.iter().map(|operator| kernel::time(&bench.device, operator)).sum())
}

/// The kernel over grouped keys and values when decoding; `heads` and `kv_heads` are those of one rank.
pub fn gqa_decode(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    gqa(bench, case, &decoding(&case.settings)?)
}

/// The same over whole prompts, with the kernel ahead that prepares queries, keys and values.
pub fn gqa_prefill(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    gqa(bench, case, &reading(&case.settings)?)
}

/// Whether the kernel for single heads runs a measurement of decode attention in this format.
#[must_use]
pub fn runs_single_heads(chip: &Chip, case: &Case, precision: Precision) -> bool {
    let count = |key: &str| case.settings.number(key).unwrap_or(1.0);
    let (kv_heads, cores) = (count("kv_heads"), f64::from(chip.cores) / f64::from(chip.ranks));
    let rows = count("heads") / kv_heads * case.settings.number_or("queries", 1.0).unwrap_or(1.0);
    kernel::takes_single_heads(&chip.kernels, precision, cores, count("sequences") * kv_heads, rows, count("context"))
}

fn gqa(bench: &mut Bench<'_>, case: &Case, batch: &AttentionBatch) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["heads", "kv_heads", "head_dim", "value_dim", "sequences", "context", "cache"])?;
    let (heads, kv_heads, head_dim) = (settings.count("heads")?, settings.count("kv_heads")?, settings.count("head_dim")?);
    let value_dim = settings.optional("value_dim").map(|_| settings.count("value_dim")).transpose()?;
    if batch.prefill && value_dim.is_some() {
        return expanded(bench, case, [heads, kv_heads, head_dim, value_dim.unwrap_or(head_dim)], batch);
    }
    // Only the attention block is asked for, and that does not depend on the rest of the model.
    let mut model = bench.model(LATENT_MODEL)?;
    let grouped =
        Gqa { heads, kv_heads, head_dim, value_dim, window: None, output_gate: false, value_is_key: false, shares_cache: false, index: None };
    for group in &mut model.layer {
        group.attention.set(Attention::Gqa(grouped));
    }
    let block = block(case, &model, Precision::Bf16, heads, batch)?;
    attention_of(bench, case, &block)
}

/// One token a sequence of the gated delta rule.
pub fn delta_decode(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    // States are as large after any context.
    let batch = AttentionBatch { sequences: case.settings.number("sequences")?, new_tokens: 1.0, context: 1.0, prefill: false };
    delta(bench, case, &batch)
}

/// Whole prompts of the gated delta rule.
pub fn delta_prefill(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    delta(bench, case, &reading(&case.settings)?)
}

/// The recurrence alone; heads are those of one rank.
fn delta(bench: &Bench<'_>, case: &Case, batch: &AttentionBatch) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["key_heads", "value_heads", "key_dim", "value_dim", "sequences", "context", "state"])?;
    let [key_heads, value_heads, key_dim, value_dim] =
        [settings.count("key_heads")?, settings.count("value_heads")?, settings.count("key_dim")?, settings.count("value_dim")?];
    let attention = Attention::GatedDelta(GatedDelta { key_heads, value_heads, key_dim, value_dim, gate_rank: None });
    let bf16 = Precision::Bf16;
    let precisions = Precisions { weights: bf16, experts: None, attention: bf16, kv_cache: bf16, dispatch: bf16, combine: bf16 };
    let block = layer_attention(&attention, key_heads * key_dim, &precisions, 1, &[*batch]);
    let mut work = block.iter().map(|operator| operator.work).find(|work| matches!(work, Work::Recurrence { .. })).ok_or("no recurrence")?;
    // A benchmark may hand in a state of 16 bit and take one of 32.
    if settings.optional("state").is_some()
        && settings.one_of("state", &[("fp32", false), ("bf16", true)])?
        && let Work::Recurrence { bytes, .. } = &mut work
    {
        *bytes = *bytes * 0.75;
    }
    let mut device = bench.device.clone();
    if !batch.prefill {
        device.repeat(work.bytes().get());
    }
    measured(case, &device, &work, kernel::recurrence_time(&device, &work))
}

/// Prompts over a latent cache that is expanded to keys and values of every head, of which the kernel ahead prepares the rotated part alone.
fn expanded(bench: &mut Bench<'_>, case: &Case, shape: [u32; 4], batch: &AttentionBatch) -> Result<f64, String> {
    let model = bench.model(LATENT_MODEL)?;
    let [heads, kv_heads, head_dim, value_dim] = shape;
    match model.last().map(|group| (*group.attention).clone()) {
        Some(Attention::Mla(mla)) if kv_heads == heads && [mla.nope_dim + mla.rope_dim, mla.value_dim] == [head_dim, value_dim] => {
            let block = block(case, &model, Precision::Bf16, heads, batch)?;
            attention_of(bench, case, &block)
        }
        _ => Err(format!("no latent cache is expanded to {kv_heads} heads of {head_dim} and {value_dim}")),
    }
}

/// Experts of the busiest rank.
pub fn experts(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&EXPERT_SETTINGS[..11])?;
    grouped(&bench.device, case)
}

/// The same with an engine's kernel.
pub fn engine_experts(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&EXPERT_SETTINGS)?;
    grouped(&device_of_engine(bench, case)?, case)
}

fn grouped(device: &Device, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    let experts = settings.count("experts")?;
    let slots = if settings.optional("slots").is_some() { settings.count("slots")? } else { experts };
    let routed =
        RoutedTokens { tokens: settings.number("tokens")?, experts, top_k: settings.number("top_k")?, ranks: settings.count("ranks")?, slots };
    if routed.slots < experts || routed.slots < routed.ranks {
        return Err(format!("{slots} slots on {} ranks do not hold {experts} experts", routed.ranks));
    }
    let mut rows = rows(&routed, settings.text("routing")?)?;
    let precision = format(settings, "format")?;
    let (widths, spread) = ([settings.number("hidden")?, settings.number("width")?], routed.ranks > 1);
    // Benchmarks of the kernel alone give every rank all tokens of the group; behind a dispatch only those that were sent arrive.
    if settings.one_of("present", &[("all", false), ("sent", true)])? {
        rows.tokens = distinct_tokens(routed.tokens, rows.copies);
    }
    // A kernel that does not know which experts are on the rank multiplies the copies of all, with the weights that it has.
    if settings.optional("multiplied").is_some() && settings.one_of("multiplied", &[("local", false), ("all", true)])? {
        rows = kernel::GroupedRows::even(rows.local, rows.active, routed.tokens * routed.top_k, rows.tokens);
    }
    let mut time = kernel::grouped_time(device, &rows, widths, precision, spread);
    if has_low_latency(&device.kernels, case) {
        let limited = routed.group_limited(&rows);
        let other = kernel::low_latency_time(device, &limited, widths, precision, spread);
        time = other.filter(|other| *other < time).unwrap_or(time);
    }
    time_in(case.unit, time)
}

/// Experts of a model for which the measured release has the kernel for few tokens. Its benchmark (`collector/trtllm/collect_moe.py` of
/// aiconfigurator) times that one with the router of DeepSeek-V3, and its table has the faster of both.
const MOST_EXPERTS: u32 = 256;

/// Whether a measurement is the faster of two kernels.
#[must_use]
pub fn has_low_latency(kernels: &Kernels, case: &Case) -> bool {
    let settings = &case.settings;
    let known = |precision: &Precision| settings.optional("format") == Some(precision.name());
    let few = settings.count("experts").is_ok_and(|experts| experts <= MOST_EXPERTS);
    few && settings.optional("slots").is_none() && kernels.experts_low_latency.keys().any(known)
}

/// `balanced`, `power_law_ALPHA`, or `power_law_ALPHA_eplb` where copies of heavy experts fill the slots.
fn rows(routed: &RoutedTokens, routing: &str) -> Result<kernel::GroupedRows, String> {
    if routing == "balanced" {
        return Ok(routed.balanced());
    }
    let alpha = routing.strip_prefix("power_law_").ok_or_else(|| format!("`routing={routing}` is neither `balanced` nor `power_law_ALPHA`"))?;
    let (alpha, copied) = alpha.strip_suffix("_eplb").map_or((alpha, false), |alpha| (alpha, true));
    match alpha.parse::<f64>() {
        Ok(alpha) if alpha > 0.0 && alpha < 10.0 && alpha != 1.0 => Ok(routed.power_law(alpha, copied)),
        _ => Err(format!("`{alpha}` is not the exponent of a power law: a number between 0 and 10, not 1")),
    }
}
