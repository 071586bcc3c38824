//! Watts of a whole machine.

use super::bench::{Bench, power_in};
use crate::footprint::{Duty, inventory, power};
use crate::input::cases::Case;
use crate::network::{Pricing, Profile};

/// What the racks draw: every part at its rating (the number on the plate), or powered and waiting.
pub fn machine(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&["at"])?;
    let rated = case.settings.one_of("at", &[("rating", true), ("idle", false)])?;
    let fabric = bench.network.fabric();
    let drawn = power(bench.spec, fabric, &inventory(fabric), &Duty::default(), &Profile::silent(fabric));
    power_in(case.unit, if rated { drawn.rated() } else { drawn.total() })
}
