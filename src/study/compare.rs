//! Designs side by side under one workload and target.

use super::band::Band;
use super::columns::{Better, COMPARED, FigureColumn};
use super::simulate::{MappingChoice, Simulation, simulate_with};
use crate::fabric::Fabric;
use crate::footprint::{failures, part_classes};
use crate::input::document::Reliability;
use crate::input::spec::{Spec, TargetSpec, WorkloadSpec};

/// One figure of every design.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedRow {
    /// What it is; also its JSON key, with the SI unit at its end.
    pub key: &'static str,
    /// What people call it, with the unit that the scaled values have.
    pub name: &'static str,
    /// SI value over printed value.
    pub scale: f64,
    /// Which way it is better.
    pub better: Better,
    /// By design; `None` where the design has no such figure.
    pub values: Vec<Option<f64>>,
    /// By design: lowest and highest value where the chip is a guess; `None` where it is not, or nothing can be said.
    pub bands: Vec<Option<[f64; 2]>>,
}

impl ComparedRow {
    /// The designs that may be best: those whose better end no other design surely beats. Where no design is a band, those with the best value;
    /// none where there is nothing to choose.
    #[must_use]
    pub fn best(&self) -> Vec<usize> {
        // The worse end and the better end of each design.
        let ends: Vec<Option<[f64; 2]>> = self.values.iter().zip(&self.bands).map(|(value, band)| band.or(value.map(|value| [value; 2]))).collect();
        let ends: Vec<Option<[f64; 2]>> = match self.better {
            Better::More => ends,
            Better::Less => ends.into_iter().map(|band| band.map(|[low, high]| [-high, -low])).collect(),
            Better::Neither => return Vec::new(),
        };
        let sure = ends.iter().flatten().map(|[worse, _]| *worse).fold(f64::NEG_INFINITY, f64::max);
        let may_win = |band: &Option<[f64; 2]>| band.is_some_and(|[_, better]| better >= sure);
        let winners: Vec<usize> = ends.iter().enumerate().filter(|(_, band)| may_win(band)).map(|(index, _)| index).collect();
        if winners.len() == self.values.len() { Vec::new() } else { winners }
    }
}

/// Simulates every design and lays the figures side by side, in the order given; what money and failures say stands last. `bands` has what
/// is open about the designs whose chip is a guess. Beside the figures, by design, the simulation.
#[must_use]
pub fn compare(
    designs: &[(Spec, Fabric)],
    bands: &[Option<Band>],
    workload: &WorkloadSpec,
    target: &TargetSpec,
    choice: &MappingChoice,
    reliability: &Reliability,
) -> (Vec<ComparedRow>, Vec<Simulation>) {
    // One after the other: each search is parallel in itself.
    let simulations: Vec<Simulation> = designs.iter().map(|(spec, fabric)| simulate_with(spec, fabric, workload, target, choice)).collect();
    let row = |column: &FigureColumn| {
        let values: Vec<Option<f64>> = simulations.iter().map(column.value).collect();
        let bands = bands.iter().zip(&values).map(|(band, value)| band.as_ref()?.of(column, *value)).collect();
        ComparedRow { key: column.key, name: column.name, scale: column.scale, better: column.better, values, bands }
    };
    let mut rows: Vec<ComparedRow> = COMPARED.iter().map(row).collect();
    let accounts: Vec<[Option<f64>; 3]> =
        designs.iter().zip(&simulations).map(|((_, fabric), simulation)| account(fabric, simulation, reliability)).collect();
    let last = |place: usize, key, name, scale, better| {
        let values = accounts.iter().map(|account| account[place]).collect();
        ComparedRow { key, name, scale, better, values, bands: vec![None; accounts.len()] }
    };
    rows.push(last(0, "capital_usd", "hardware to buy, M$", 1e6, Better::Less));
    rows.push(last(1, "served_per_kilodollar_tokens_per_s", "served a k$ of it", 1.0, Better::More));
    rows.push(last(2, "failures_per_year", "failures a year", 1.0, Better::Less));
    (rows, simulations)
}

/// Dollars to buy the machine, where it has a price; tokens a second for a thousand of them; failures of all parts in a year.
fn account(fabric: &Fabric, simulation: &Simulation, reliability: &Reliability) -> [Option<f64>; 3] {
    let capital = simulation.money.as_ref().and_then(|money| money.cost.purchase()).map(|(price, _)| price.value);
    let served = simulation.verdict.service.rate.get();
    let (classes, _) = part_classes(fabric);
    #[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
    let failing: f64 = classes.iter().map(|class| failures(reliability, fabric, class.example).per_year * class.count as f64).sum();
    [capital, (served > 0.0).then_some(served).zip(capital).map(|(served, capital)| served / capital * 1e3), Some(failing)]
}
