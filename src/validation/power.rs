//! Watts of a whole machine, and of a chip that multiplies matrices until its clock has settled.

use super::bench::{Bench, power_in};
use crate::execution::{Activity, pace, work_power};
use crate::footprint::{Duty, inventory, power};
use crate::input::cases::{Case, Unit};
use crate::input::document::Precision;
use crate::network::{Pricing, Profile};
use crate::units::{Figure, Watts};
use crate::workload::{Device, GemmWork, Operator, Work, kernel};

/// What the racks draw: every part at its rating (the number on the plate), or powered and waiting.
pub fn machine(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&["at"])?;
    let rated = case.settings.one_of("at", &[("rating", true), ("idle", false)])?;
    let fabric = bench.network.fabric();
    let drawn = power(bench.spec, fabric, &inventory(fabric), &Duty::default(), &Profile::silent(fabric));
    power_in(case.unit, if rated { drawn.rated() } else { drawn.total() })
}

/// One rank of the bench's chip under a limit of `watts`, which a case may set.
///
/// # Errors
/// A limit at which the chip cannot work.
pub fn device_under(bench: &Bench<'_>, case: &Case) -> Result<Device, String> {
    if case.settings.optional("power_cap").is_none() {
        return Ok(bench.device.clone());
    }
    let mut chip = bench.parts.chip.clone();
    chip.power.cap = Some(Figure::plain(Watts::new(case.settings.number("power_cap")?)));
    chip.power.check()?;
    Ok(Device::new(&chip))
}

/// A product that is repeated until the clock has settled: operations a second, or watts of the chip. `data` says what is multiplied:
/// values like those of a model, or zeros, on which no multiplier's bits change.
pub fn sustained_product(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["rows", "columns", "depth", "format", "quantised", "data", "power_cap"])?;
    let precision = settings.one_of("format", &Precision::ALL.map(|precision| (precision.name(), precision)))?;
    let zeros = settings.optional("data").is_some() && settings.one_of("data", &[("random", false), ("zeros", true)])?;
    let mut device = device_under(bench, case)?;
    if settings.flag("quantised")? {
        device.kernels.gemm.values_mut().for_each(|kernel| kernel.quantise_bytes = 0.0);
    }
    let (rows, columns, depth) = (settings.number("rows")?, settings.number("columns")?, settings.number("depth")?);
    let work = Work::Gemm(GemmWork { batch: 1.0, rows, columns, depth, precision });
    let mut activity = Activity::default();
    activity.add_by_name(&Operator::new("product", work), if zeros { device.power().on_zeros() } else { 1.0 });
    let ranks = f64::from(device.ranks_per_chip());
    let time = |clock: f64| kernel::gemm_time(&device.at_clock(clock), 1.0, rows, columns, depth, precision);
    let draws = |clock: f64| work_power(device.power(), &activity, ranks, clock, [time(clock); 2]);
    let pace = pace(device.power(), draws);
    let settled = time(pace.clock) * pace.rest;
    match case.unit {
        Unit::TeraflopPerSecond => Ok((work.flop() * ranks / settled).get() / 1e12),
        unit => power_in(unit, device.power().idle.value + draws(pace.clock) / pace.rest),
    }
}
