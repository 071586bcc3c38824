//! Options that set a power limit of the chips, or the overhead of the hall, in place of what files say.

use super::bad_option;
use crate::input::problem::Problems;
use crate::input::spec::Spec;
use crate::units::{Figure, Ratio, Watts, parse, render};

/// What the operator and the hall decide.
#[derive(Debug, clap::Args)]
pub struct PowerOptions {
    /// Power limit of every chip, such as 500W: chips run at the highest clock that keeps to it. No effect above their own limit
    #[arg(long, value_name = "WATTS")]
    power_cap: Option<String>,

    /// Power of the hall over power of its racks, such as 1.2, in place of what the machine's file says (`own`). Machines that are compared
    /// stand in the hall of the first unless this says otherwise
    #[arg(long, value_name = "RATIO")]
    pue: Option<String>,
}

impl PowerOptions {
    /// The machine under the limit and in the hall that were asked for.
    ///
    /// # Errors
    /// A value that is no limit or no ratio, or a limit at which the chips cannot work.
    pub fn apply(&self, spec: Spec) -> Result<Spec, Problems> {
        let mut spec = spec;
        if let Some(cap) = self.cap()? {
            spec.chip.power.cap = Some(Figure::plain(cap));
            spec.chip.power.check().map_err(|why| bad_option("--power-cap", format!("{}: {why}", spec.chip.name)))?;
        }
        if let Some(pue) = self.pue()? {
            spec.supply.pue = Figure::plain(pue);
        }
        Ok(spec)
    }

    /// The same for several machines, which stand in one hall: that of the first if none was asked for.
    ///
    /// # Errors
    /// As [`PowerOptions::apply`].
    pub fn apply_to_all(&self, specs: Vec<Spec>) -> Result<Vec<Spec>, Problems> {
        let hall = specs.first().map(|spec| spec.supply.pue.clone());
        let apply = |spec: Spec| -> Result<Spec, Problems> {
            let mut spec = self.apply(spec)?;
            if let (None, Some(hall)) = (&self.pue, &hall) {
                spec.supply.pue = hall.clone();
            }
            Ok(spec)
        };
        specs.into_iter().map(apply).collect()
    }

    /// The power limit that was asked for.
    ///
    /// # Errors
    /// A value that is none.
    pub fn cap(&self) -> Result<Option<Watts>, Problems> {
        let Some(text) = &self.power_cap else { return Ok(None) };
        let watts: Watts = parse(text).map_err(|why| bad_option("--power-cap", why))?;
        if watts <= Watts::ZERO {
            return Err(bad_option("--power-cap", format!("{} is no limit to work under", render(watts))));
        }
        Ok(Some(watts))
    }

    /// The overhead that was asked for.
    ///
    /// # Errors
    /// A value that is none.
    pub fn pue(&self) -> Result<Option<Ratio>, Problems> {
        let Some(text) = self.pue.as_deref().filter(|text| *text != OWN) else { return Ok(None) };
        let ratio: Ratio = parse(text).map_err(|why| bad_option("--pue", why))?;
        if !(1.0..=10.0).contains(&ratio.get()) {
            return Err(bad_option("--pue", "expected a ratio from 1 to 10, or `own`: the hall draws at least what its racks do"));
        }
        Ok(Some(ratio))
    }
}

/// Each machine in its own hall.
const OWN: &str = "own";
