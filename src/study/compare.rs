//! Designs side by side under one workload and target.

use super::columns::{Better, COMPARED, Column};
use super::simulate::{Simulation, simulate};
use crate::fabric::Fabric;
use crate::input::document::{Chip, ChipIo};
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

/// Simulates every design and lays the figures side by side, in the order given.
#[must_use]
pub fn compare(designs: &[(Spec, Fabric)], workload: &WorkloadSpec, target: &TargetSpec) -> Vec<Row> {
    // One after the other: each search is parallel in itself.
    let simulations: Vec<Simulation> = designs.iter().map(|(spec, fabric)| simulate(spec, fabric, workload, target)).collect();
    let row = |column: &Column| Row {
        key: column.key,
        name: column.name,
        scale: column.scale,
        better: column.better,
        values: simulations.iter().map(column.value).collect(),
    };
    COMPARED.iter().map(row).collect()
}
