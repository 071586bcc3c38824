//! Designs side by side under one workload and target.

use super::columns::{Better, COMPARED, Column};
use super::simulate::{Simulation, simulate};
use crate::fabric::Fabric;
use crate::footprint::{cost, energy, failures, ownership, part_classes};
use crate::input::document::{Chip, ChipIo, Prices, Reliability};
use crate::input::spec::{Spec, TargetSpec, WorkloadSpec};

/// One figure of every design.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
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
}

impl Row {
    /// The designs with the best value; none where there is nothing to choose.
    #[must_use]
    pub fn best(&self) -> Vec<usize> {
        let known = || self.values.iter().flatten().copied();
        let best = match self.better {
            Better::More => known().fold(f64::NEG_INFINITY, f64::max),
            Better::Less => known().fold(f64::INFINITY, f64::min),
            Better::Neither => return Vec::new(),
        };
        let winners: Vec<usize> = self.values.iter().enumerate().filter(|(_, value)| **value == Some(best)).map(|(index, _)| index).collect();
        if winners.len() == self.values.len() { Vec::new() } else { winners }
    }
}

/// The same chip on every fabric, so that only the interconnect differs: every design takes the compute, memory, kernels and power of
/// `chip`, and keeps its own ports.
#[must_use]
pub fn with_chip(spec: &Spec, chip: &Chip) -> Spec {
    let own = &spec.chip.io;
    let io = ChipIo { die_to_die: chip.io.die_to_die.clone(), ..own.clone() };
    Spec { chip: Chip { io, ..chip.clone() }, ..spec.clone() }
}

/// Simulates every design and lays the figures side by side, in the order given; what money and failures say stands last. Beside them, by
/// design, why it serves nothing, where it does not.
#[must_use]
pub fn compare(
    designs: &[(Spec, Fabric)],
    workload: &WorkloadSpec,
    target: &TargetSpec,
    prices: &Prices,
    reliability: &Reliability,
) -> (Vec<Row>, Vec<Option<String>>) {
    // One after the other: each search is parallel in itself.
    let simulations: Vec<Simulation> = designs.iter().map(|(spec, fabric)| simulate(spec, fabric, workload, target)).collect();
    let row = |column: &Column| Row {
        key: column.key,
        name: column.name,
        scale: column.scale,
        better: column.better,
        values: simulations.iter().map(column.value).collect(),
    };
    let mut rows: Vec<Row> = COMPARED.iter().map(row).collect();
    let accounts = designs.iter().zip(&simulations).map(|((spec, fabric), simulation)| account(spec, fabric, simulation, prices, reliability));
    let accounts: Vec<[Option<f64>; 4]> = accounts.collect();
    let last =
        |place: usize, key, name, scale, better| Row { key, name, scale, better, values: accounts.iter().map(|account| account[place]).collect() };
    rows.push(last(0, "capital_usd", "hardware from parts, M$", 1e6, Better::Less));
    rows.push(last(1, "served_per_kilodollar_tokens_per_s", "served a k$ of it", 1.0, Better::More));
    rows.push(last(2, "million_tokens_usd", "a million tokens, $", 1.0, Better::Less));
    rows.push(last(3, "failures_per_year", "failures a year", 1.0, Better::Less));
    (rows, simulations.iter().map(Simulation::serves_nothing).collect())
}

/// Dollars to buy the machine; tokens a second for a thousand of them; dollars for a million tokens while it serves without a pause (hardware
/// over its life, and energy); failures of all parts in a year.
fn account(spec: &Spec, fabric: &Fabric, simulation: &Simulation, prices: &Prices, reliability: &Reliability) -> [Option<f64>; 4] {
    let capital = cost(spec, fabric, &simulation.inventory, &simulation.power, prices).capital();
    let served = simulation.verdict.service.rate.get();
    let running = ownership(capital, prices).plus(energy(simulation.power.facility(), prices));
    let (classes, _) = part_classes(fabric);
    #[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
    let failing: f64 = classes.iter().map(|class| failures(reliability, fabric, class.example).per_year * class.count as f64).sum();
    let serves = (served > 0.0).then_some(served);
    [Some(capital.value), serves.map(|served| served / capital.value * 1e3), serves.map(|served| running.value / served * 1e6), Some(failing)]
}
