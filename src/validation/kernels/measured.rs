//! What the measurements of a family of kernels consist of, and what all of them share.

use super::super::bench::{Bench, bandwidth_in, share_in, time_in};
use super::super::constant::Named;
use super::super::quantity::MeasuredQuantity;
use crate::input::cases::{Case, Settings, Unit};
use crate::input::document::{Chip, EngineKernels, Kernels, Precision};
use crate::units::Seconds;
use crate::workload::{AttentionBatch, Device, Work};

/// What can be measured of a family of kernels, and which constants that fixes.
pub struct MeasuredFamily {
    /// Quantities that files of cases may name.
    pub quantities: &'static [MeasuredQuantity],
    /// Constants that are fitted together.
    pub constants: &'static [KernelConstants],
}

/// Constants of `[chip.kernels]` that are fitted together.
pub struct KernelConstants {
    /// Name on the command line.
    pub name: &'static str,
    /// Key below `[chip.kernels]`; `None` if the constants stand in that table itself.
    pub table: Option<&'static str>,
    /// The quantity that fixes them. Only times count: shares and rates come from other hosts.
    pub quantity: &'static str,
    /// The setting of a measurement that names the number format, where there is a table for each format.
    pub format: Option<&'static str>,
    /// The settings that measurements share which are left out of a fit together.
    pub group: &'static [&'static str],
    /// Whether this kernel runs a measurement, where there are two for one quantity.
    pub runs: fn(&Case, &Chip, Precision) -> bool,
    /// The constants; `None` if the chip has none to start from.
    pub constants: fn(&mut Kernels, Precision) -> Option<Vec<Named<'_>>>,
    /// The same of kernels that a serving engine brings.
    pub of_engine: Option<EngineConstants>,
}

/// Constants of an engine's own kernels.
pub struct EngineConstants {
    /// The quantity that fixes them.
    pub quantity: &'static str,
    /// The constants; `None` if the engine has none to start from.
    pub constants: fn(&mut EngineKernels, Precision) -> Option<Vec<Named<'_>>>,
}

/// Of every measurement of a quantity with one kernel.
pub(super) fn always(_: &Case, _: &Chip, _: Precision) -> bool {
    true
}

/// The number format that a setting names.
pub(super) fn format(settings: &Settings, key: &str) -> Result<Precision, String> {
    settings.one_of(key, &Precision::ALL.map(|precision| (precision.name(), precision)))
}

/// Time, share of peak, or memory bandwidth.
pub(super) fn measured(case: &Case, device: &Device, work: &Work, time: Seconds) -> Result<f64, String> {
    match case.unit {
        Unit::GigabytesPerSecond => bandwidth_in(case.unit, work.bytes() / time),
        Unit::TeraflopPerSecond => Ok((work.flop() / time).get() / 1e12),
        Unit::Percent if case.settings.optional("share") == Some("memory") => share_in(case.unit, work.bytes() / time / device.memory_bandwidth),
        Unit::Percent => share_in(case.unit, work.flop() / time / device.peak(work.precision())),
        unit => time_in(unit, time),
    }
}

/// One rank with the kernels of the engine's release that the case names.
pub(super) fn device_of_engine(bench: &Bench<'_>, case: &Case) -> Result<Device, String> {
    case.settings.text("release")?;
    let engine = case.settings.text("engine")?;
    if !bench.device.kernels.engines.contains_key(engine) {
        return Err(format!("the chip states no kernels of `{engine}`"));
    }
    let mut device = bench.device.clone();
    device.kernels.run_by(engine);
    Ok(device)
}

/// Sequences that make tokens.
pub(super) fn decoding(settings: &Settings) -> Result<AttentionBatch, String> {
    let (sequences, context) = (settings.number("sequences")?, settings.number("context")?);
    Ok(AttentionBatch { sequences, new_tokens: settings.number_or("queries", 1.0)?, context, prefill: false })
}

/// Whole prompts, as long as their context; a token sees half of it on average.
pub(super) fn reading(settings: &Settings) -> Result<AttentionBatch, String> {
    let (sequences, prompt) = (settings.number("sequences")?, settings.number("context")?);
    Ok(AttentionBatch { sequences, new_tokens: prompt, context: prompt / 2.0, prefill: true })
}
