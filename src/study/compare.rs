//! Designs side by side under one workload and target.

use super::simulate::{Simulation, simulate};
use crate::fabric::Fabric;
use crate::input::document::{Chip, ChipIo};
use crate::input::spec::{Spec, TargetSpec, WorkloadSpec};
use crate::network::Op;

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    More,
    /// Less is better.
    Less,
    /// Neither: it describes the design.
    Neither,
}

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
    let row = |key, name, scale, better, value: &dyn Fn(&Simulation) -> Option<f64>| Row {
        key,
        name,
        scale,
        better,
        values: simulations.iter().map(value).collect(),
    };
    #[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
    let count = |number: u64| Some(number as f64);
    let decode = |simulation: &Simulation| Some(simulation.decode.as_ref()?.as_ref().ok()?.rate.get());
    let prefill = |simulation: &Simulation| Some(simulation.prefill.as_ref()?.as_ref().ok()?.rate.get());
    let chips = |simulation: &Simulation| count(simulation.inventory.chips).unwrap_or(1.0);
    let served = |simulation: &Simulation| Some(simulation.verdict.service.rate.get());
    let watts = |simulation: &Simulation| simulation.power.total().get();
    let collective = |op: Op, large: bool| {
        move |simulation: &Simulation| {
            let found = simulation.collectives.iter().find(|(other, bytes, ..)| *other == op && (bytes.get() > 1e8) == large);
            found.map(|(_, _, time, _)| time.get())
        }
    };
    use Better::{Less, More, Neither};
    vec![
        row("chips", "chips", 1.0, Neither, &|simulation| count(simulation.inventory.chips)),
        row("injection_bytes_per_s", "injection a chip, GB/s", 1e9, More, &|simulation| Some(simulation.survey.injection.get())),
        row("bisection_bytes_per_s", "bisection, TB/s", 1e12, More, &|simulation| Some(simulation.survey.bisection.get())),
        row("latency_max_s", "farthest chip, µs", 1e-6, Less, &|simulation| Some(simulation.survey.latency_max.get())),
        row("all_reduce_1mib_s", "all-reduce 1 MiB, µs", 1e-6, Less, &collective(Op::AllReduce, false)),
        row("all_reduce_1gib_s", "all-reduce 1 GiB, ms", 1e-3, Less, &collective(Op::AllReduce, true)),
        row("all_to_all_1mib_s", "all-to-all 1 MiB, µs", 1e-6, Less, &collective(Op::AllToAll, false)),
        row("all_to_all_1gib_s", "all-to-all 1 GiB, ms", 1e-3, Less, &collective(Op::AllToAll, true)),
        row("prefill_tokens_per_s", "prefill, tokens/s", 1.0, More, &prefill),
        row("prefill_per_chip_tokens_per_s", "prefill a chip", 1.0, More, &|simulation| Some(prefill(simulation)? / chips(simulation))),
        row("decode_tokens_per_s", "decode, tokens/s", 1.0, More, &decode),
        row("decode_per_chip_tokens_per_s", "decode a chip", 1.0, More, &|simulation| Some(decode(simulation)? / chips(simulation))),
        row("served_tokens_per_s", "served of the target's mix", 1.0, More, &served),
        row("served_per_chip_tokens_per_s", "served a chip", 1.0, More, &|simulation| Some(served(simulation)? / chips(simulation))),
        row("served_per_kilowatt_tokens_per_s", "served a kW", 1.0, More, &|simulation| Some(served(simulation)? / watts(simulation) * 1e3)),
        row("racks_w", "racks, kW", 1e3, Less, &|simulation| Some(watts(simulation))),
        row("racks_per_chip_w", "racks a chip, W", 1.0, Less, &|simulation| Some(watts(simulation) / chips(simulation))),
        row("switch_chips", "switch chips", 1.0, Less, &|simulation| count(simulation.inventory.switch_count())),
        row("optical_modules", "optical modules", 1.0, Less, &|simulation| count(simulation.inventory.module_count())),
        row("target_ratio", "share of the target's peak", 1.0, More, &|simulation| Some(simulation.verdict.ratio())),
        row("supernodes", "supernodes for the target", 1.0, Less, &|simulation| simulation.verdict.supernodes()),
    ]
}
