//! What a guessed chip leaves open: a machine with all figures of its chip and its links at the worst end of their ranges, and with all at the
//! best.

use super::columns::{Better, FigureColumn};
use super::sensitivity::{SensitivityCase, Shared};
use super::simulate::{MappingChoice, Simulation};
use super::uncertainty::Assumption;
use crate::input::edit::{Edits, ValuePath};
use crate::input::problem::Problems;

/// The figures of a guessed chip that decide what it does, and which way each is better.
const GUESSED: [(&str, Better); 10] = [
    ("chip[*].compute.*", Better::More),
    ("chip[*].memory.capacity", Better::More),
    ("chip[*].memory.bandwidth", Better::More),
    ("chip[*].power.tdp", Better::More),
    ("chip[*].power.idle", Better::Less),
    ("chip[*].power.active", Better::Less),
    ("chip[*].power.between_kernels", Better::Less),
    ("chip[*].power.energy_per_flop", Better::Less),
    ("chip[*].power.memory_energy", Better::Less),
    ("link[*].lane_rate", Better::More),
];

/// A machine at both ends of what is guessed of it.
#[derive(Clone, Debug)]
pub struct Band {
    /// With all guessed figures at their worst, and at their best; `None` where that machine cannot be built.
    pub ends: [Option<Simulation>; 2],
}

impl Band {
    /// The lowest and the highest value of a figure, `nominal` among them; `None` where the machine has no such figure.
    #[must_use]
    pub fn of(&self, column: &FigureColumn, nominal: Option<f64>) -> Option<[f64; 2]> {
        let values = self.ends.iter().flatten().filter_map(column.value).chain(nominal);
        values.fold(None, |band: Option<[f64; 2]>, value| Some(band.map_or([value; 2], |[low, high]| [low.min(value), high.max(value)])))
    }
}

/// Simulates a machine with the figures of its chip and its links at the ends of their ranges.
///
/// # Errors
/// Problems of the design as it is.
pub fn band(case: &SensitivityCase, choice: &MappingChoice) -> Result<Band, Problems> {
    let shared = Shared::default();
    let (_, leaves) = case.fabric_metrics(&shared)?;
    let guessed: Vec<(ValuePath, Better)> = GUESSED.iter().filter_map(|(path, better)| Some((ValuePath::parse(path).ok()?, *better))).collect();
    let assumptions = Assumption::all(&leaves);
    let at = |is_best: bool| {
        let edits = assumptions.iter().filter_map(|assumption| {
            let (_, better) = guessed.iter().find(|(pattern, _)| pattern.means(&assumption.path))?;
            let high = (*better == Better::More) == is_best;
            Some((assumption.path.clone(), assumption.text(assumption.quantile(if high { 1.0 } else { 0.0 }))))
        });
        let edits: Vec<_> = edits.collect();
        case.with(&shared, &Edits::unwritten("band", edits), choice).ok()
    };
    Ok(Band { ends: [at(false), at(true)] })
}
