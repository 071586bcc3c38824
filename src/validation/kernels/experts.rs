//! Routed experts of one rank that were measured.

use super::super::bench::{Bench, time_in};
use super::super::constant::{Named, share, time};
use super::super::quantity::MeasuredQuantity;
use super::measured::{EngineConstants, KernelConstants, MeasuredFamily, device_of_engine, format};
use crate::input::cases::Case;
use crate::input::document::{ExpertKernel, Kernels, Precision};
use crate::network::Pricing;
use crate::workload::{Device, RoutedTokens, distinct_tokens, kernel};

/// What is measured.
pub(super) const MEASURED: MeasuredFamily = MeasuredFamily {
    quantities: &[
        MeasuredQuantity { name: "experts", meaning: "grouped multiplications of one rank's routed experts, one layer", predict: experts },
        MeasuredQuantity {
            name: "engine_experts",
            meaning: "routed experts of one rank with the kernels of an engine's release, one layer",
            predict: engine_experts,
        },
    ],
    constants: &[
        KernelConstants {
            name: "experts",
            table: Some("experts"),
            quantity: "experts",
            format: Some("format"),
            group: &["hidden", "width", "experts", "slots"],
            runs: |case, chip, _| !has_low_latency(&chip.kernels, case),
            constants: |kernels, format| kernels.experts.get_mut(&format).map(constants),
            of_engine: Some(EngineConstants { quantity: "engine_experts", constants: |own, format| own.experts.get_mut(&format).map(constants) }),
        },
        KernelConstants {
            name: "experts-low-latency",
            table: Some("experts_low_latency"),
            quantity: "experts",
            format: Some("format"),
            group: &["hidden", "width", "experts", "slots"],
            runs: |case, chip, _| has_low_latency(&chip.kernels, case),
            constants: |kernels, format| kernels.experts_low_latency.get_mut(&format).map(constants),
            of_engine: None,
        },
    ],
};

fn constants(kernel: &mut ExpertKernel) -> Vec<Named<'_>> {
    let mut found = vec![
        time("launch", &mut kernel.launch),
        time("per_expert", &mut kernel.per_expert),
        share("compute_efficiency", &mut kernel.compute_efficiency),
        share("memory_efficiency", &mut kernel.memory_efficiency),
    ];
    found.extend(kernel.per_token.as_mut().map(|figure| Named { name: "per_token", unit: ("ns", 1e-9), highest: 1e-6, figure }));
    found.extend(kernel.spread_launch.as_mut().map(|figure| time("spread_launch", figure)));
    found
}

/// Settings of routed experts, and those that name whose kernel it is.
const EXPERT_SETTINGS: [&str; 13] =
    ["hidden", "width", "experts", "top_k", "ranks", "tokens", "slots", "routing", "format", "present", "multiplied", "engine", "release"];

/// Experts of the busiest rank.
fn experts(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&EXPERT_SETTINGS[..11])?;
    grouped(&bench.device, case)
}

/// The same with an engine's kernel.
fn engine_experts(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
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
fn has_low_latency(kernels: &Kernels, case: &Case) -> bool {
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
