//! How far the values that have a range could move a result, in a few draws with the mapping kept: what `simulate` and `compare` say without being
//! asked. [`uncertainty`](super::uncertainty) searches the mapping anew in every draw, and says what drives each figure.

use rayon::prelude::*;

use super::columns::{Better, FigureColumn};
use super::sensitivity::{SensitivityCase, Shared};
use super::simulate::{MappingChoice, PhaseResult, Simulation};
use super::space::columns;
use super::uncertainty::Assumption;
use crate::execution::Mapping;
use crate::input::edit::Edits;
use crate::input::problem::Problems;
use crate::units::quantile;

/// Draws where none are asked for: the 5 % lie between the lowest and the third lowest, and all of them take two to three times as long as the
/// search for the mapping before them.
pub const DRAWS: u64 = 24;
/// Fewer have no 5 %.
pub const FEWEST_DRAWS: u64 = 20;
/// A figure that moves by less, up or down, is not worth a line.
pub const WORTH_SAYING: f64 = 0.1;
const SEED: u64 = 1;

/// The figures that are followed.
const FIGURES: [&str; 6] = [
    "output_tokens_per_s",
    "served_tokens_per_s",
    "served_per_chip_tokens_per_s",
    "served_per_kilowatt_tokens_per_s",
    "racks_w",
    "energy_per_token_j",
];

/// A figure of a design over all draws.
#[derive(Clone, Debug)]
pub struct FigureRange {
    /// What is followed.
    pub column: FigureColumn,
    /// With every value as it is written.
    pub nominal: f64,
    /// 5 %, 50 % and 95 % of the draws lie below; `None` where a draw has no such figure.
    pub quantiles: Option<[f64; 3]>,
    /// By draw.
    values: Vec<Option<f64>>,
}

impl FigureRange {
    /// Whether 5 or 95 % lie farther from the nominal value than [`WORTH_SAYING`], or a draw has no value.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        let far = |value: f64| (value / self.nominal - 1.0).abs() > WORTH_SAYING;
        self.quantiles.is_none_or(|[low, _, high]| far(low) || far(high))
    }

    /// Draws in which there is no such figure.
    #[must_use]
    pub fn without(&self) -> usize {
        self.values.iter().filter(|value| value.is_none()).count()
    }
}

/// The figures of a design over all draws.
#[derive(Clone, Debug)]
pub struct DrawnRanges {
    /// Draws.
    pub draws: u64,
    /// Values with a range.
    pub assumptions: usize,
    /// Figures that the design has.
    pub figures: Vec<FigureRange>,
}

impl DrawnRanges {
    /// A figure by its column's key.
    #[must_use]
    pub fn figure(&self, key: &str) -> Option<&FigureRange> {
        self.figures.iter().find(|range| range.column.key == key)
    }

    /// Share of the draws in which a figure is better than another design's; a tie counts half, and having none is worse than any. Values that
    /// both have are drawn alike. `None` where a design has no such figure as written.
    #[must_use]
    pub fn beats(&self, other: &Self, key: &str) -> Option<f64> {
        let (own, others) = (self.figure(key)?, other.figure(key)?);
        let better: Better = own.column.better;
        let score = own.values.iter().zip(&others.values).map(|pair| match pair {
            (Some(own), Some(other)) if own == other => 0.5,
            (Some(own), Some(other)) => f64::from(u8::from(better.prefers(*own, *other))),
            (None, None) => 0.5,
            (own, _) => f64::from(u8::from(own.is_some())),
        });
        Some(score.sum::<f64>() / own.values.len() as f64)
    }
}

/// Draws every value of the parts and of the workload that has a range, from the triangle over its range with its peak at the value; `nominal` is
/// the design as written, whose mappings are kept.
///
/// # Errors
/// Problems of a draw.
pub fn drawn_ranges(case: &SensitivityCase, nominal: &Simulation, draws: u64) -> Result<DrawnRanges, Problems> {
    let shared = Shared::default();
    let assumptions = Assumption::all(&case.leaves(&shared)?);
    let followed: Vec<FigureColumn> = FIGURES.iter().filter_map(|key| columns().find(|column| column.key == *key)).copied().collect();
    let choice = kept(nominal);
    let row = |draw: u64| {
        let values = assumptions.iter().map(|assumption| (assumption.path.clone(), assumption.text(assumption.drawn(SEED, draw))));
        let simulation = case.with(&shared, &Edits::unwritten(&format!("draw {draw}"), values), &choice)?;
        Ok(followed.iter().map(|column| (column.value)(&simulation)).collect())
    };
    let rows: Vec<Vec<Option<f64>>> =
        if assumptions.is_empty() { Vec::new() } else { (0..draws).into_par_iter().map(row).collect::<Result<_, Problems>>()? };
    let range = |(place, column): (usize, &FigureColumn)| {
        let nominal = (column.value)(nominal).filter(|value| *value > 0.0)?;
        let values: Vec<Option<f64>> = rows.iter().map(|row| row[place].filter(|value| *value > 0.0)).collect();
        let known: Option<Vec<f64>> = values.iter().copied().collect();
        let quantiles = known.filter(|known| !known.is_empty()).map(|mut known| {
            known.sort_by(f64::total_cmp);
            [0.05, 0.5, 0.95].map(|share| quantile(&known, share))
        });
        Some(FigureRange { column: *column, nominal, quantiles, values })
    };
    let figures = if rows.is_empty() { Vec::new() } else { followed.iter().enumerate().filter_map(range).collect() };
    Ok(DrawnRanges { draws, assumptions: assumptions.len(), figures })
}

/// The mappings of a simulation and no others to choose from, and nothing but the figures that are followed.
fn kept(nominal: &Simulation) -> MappingChoice {
    let mapping = |found: &PhaseResult| Some(found.as_ref()?.as_ref().ok()?.point.mapping);
    let mut candidates: Vec<Mapping> = [&nominal.decode, &nominal.prefill, &nominal.aggregated].into_iter().filter_map(mapping).collect();
    candidates.dedup();
    MappingChoice { candidates: (!candidates.is_empty()).then_some(candidates), serving_alone: true, ..MappingChoice::default() }
}
