//! The figures that a simulation is summed up in: rows of a comparison, columns of a sweep.

use super::money::Dollars;
use super::simulate::{PhaseResult, Simulation};
use crate::execution::Mapping;
use crate::network::Op;
use crate::serving::PhasePoint;
use crate::units::Dimension;

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

impl Better {
    /// Whether `a` is better than `b`.
    #[must_use]
    pub fn prefers(self, a: f64, b: f64) -> bool {
        match self {
            Self::More => a > b,
            Self::Less => a < b,
            Self::Neither => false,
        }
    }
}

/// One figure of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct FigureColumn {
    /// What it is; also its JSON key, with the SI unit at its end.
    pub key: &'static str,
    /// What people call it, with the unit that the scaled values have.
    pub name: &'static str,
    /// SI value over printed value.
    pub scale: f64,
    /// Which way it is better.
    pub better: Better,
    /// The figure; `None` where the design has none.
    pub value: fn(&Simulation) -> Option<f64>,
}

use Better::{Less, More, Neither};

const fn column(key: &'static str, name: &'static str, scale: f64, better: Better, value: fn(&Simulation) -> Option<f64>) -> FigureColumn {
    FigureColumn { key, name, scale, better, value }
}

/// Rows of a comparison.
pub const COMPARED: [FigureColumn; 29] = [
    column("chips", "chips", 1.0, Neither, |simulation| Some(chips(simulation))),
    column("injection_bytes_per_s", "injection a chip, GB/s", 1e9, More, |simulation| Some(simulation.fabric_metrics.injection.get())),
    column("bisection_bytes_per_s", "bisection, TB/s", 1e12, More, |simulation| Some(simulation.fabric_metrics.bisection.get())),
    column("latency_max_s", "farthest chip, µs", 1e-6, Less, |simulation| Some(simulation.fabric_metrics.latency_max.get())),
    column("all_reduce_1mib_s", "all-reduce 1 MiB, µs", 1e-6, Less, |simulation| collective(simulation, Op::AllReduce, false)),
    column("all_reduce_1gib_s", "all-reduce 1 GiB, ms", 1e-3, Less, |simulation| collective(simulation, Op::AllReduce, true)),
    column("all_to_all_1mib_s", "all-to-all 1 MiB, µs", 1e-6, Less, |simulation| collective(simulation, Op::AllToAll, false)),
    column("all_to_all_1gib_s", "all-to-all 1 GiB, ms", 1e-3, Less, |simulation| collective(simulation, Op::AllToAll, true)),
    column("prefill_tokens_per_s", "prefill, tokens/s", 1.0, More, |simulation| prefill(simulation, |phase| phase.rate.get())),
    column("prefill_per_chip_tokens_per_s", "prefill a chip", 1.0, More, |simulation| {
        prefill(simulation, |phase| phase.rate.get()).map(|rate| rate / chips(simulation))
    }),
    column("decode_tokens_per_s", "decode, tokens/s", 1.0, More, |simulation| decode(simulation, |phase| phase.rate.get())),
    column("decode_per_chip_tokens_per_s", "decode a chip", 1.0, More, |simulation| {
        decode(simulation, |phase| phase.rate.get()).map(|rate| rate / chips(simulation))
    }),
    column("requests_per_s", "requests/s of the workload", 1.0, More, |simulation| simulation.answer.requests_per_s),
    column("output_tokens_per_s", "output, tokens/s", 1.0, More, |simulation| simulation.answer.output_tokens_per_s),
    column("tokens_per_s_per_user", "tokens/s for one user", 1.0, More, |simulation| simulation.answer.per_user()),
    column("served_tokens_per_s", "served of the target's mix", 1.0, More, |simulation| Some(served(simulation))),
    column("served_per_chip_tokens_per_s", "served a chip", 1.0, More, |simulation| Some(served(simulation) / chips(simulation))),
    column("served_per_kilowatt_tokens_per_s", "served a kW", 1.0, More, |simulation| Some(served(simulation) / watts(simulation) * 1e3)),
    column("power_limited", "time lost to the power limit, %", 0.01, Less, |simulation| Some(simulation.power.lost_to_limit())),
    column("racks_w", "racks, kW", 1e3, Less, |simulation| Some(watts(simulation))),
    column("racks_per_chip_w", "racks a chip, W", 1.0, Less, |simulation| Some(watts(simulation) / chips(simulation))),
    column("switch_chips", "switch chips", 1.0, Less, |simulation| Some(real(simulation.inventory.switch_count()))),
    column("optical_modules", "optical modules", 1.0, Less, |simulation| Some(real(simulation.inventory.module_count()))),
    column("target_ratio", "share of the target's peak", 1.0, More, |simulation| Some(simulation.verdict.ratio())),
    column("supernodes", "supernodes for the target, spares too", 1.0, Less, Simulation::supernodes),
    column("million_tokens_capital_usd", "a million tokens: hardware, $", 1.0, Less, |simulation| Some(dollars(simulation)?.capital?.value)),
    column("million_tokens_energy_usd", "a million tokens: energy, $", 1.0, Less, |simulation| Some(dollars(simulation)?.energy?.value)),
    column("million_tokens_usd", "a million tokens, bought, $", 1.0, Less, |simulation| Some(dollars(simulation)?.owned()?.value)),
    column("million_tokens_rent_usd", "a million tokens, rented, $", 1.0, Less, |simulation| Some(dollars(simulation)?.rent?.value)),
];

/// What a sweep writes on top.
pub const DETAILED: [FigureColumn; 17] = [
    column("prefix_hit", "share of a prompt found", 1.0, More, |simulation| {
        prefill(simulation, |phase| phase.point.prefixes.map_or(0.0, |prefixes| prefixes.hit))
    }),
    column("prefix_load_s", "reading prefixes, ms a pass", 1e-3, Less, |simulation| {
        prefill(simulation, |phase| phase.point.prefixes.map_or(0.0, |prefixes| prefixes.time.get()))
    }),
    column("energy_per_token_j", "energy a token, J", 1.0, Less, |simulation| Some(simulation.energy_per_token?.get())),
    column("rack_w", "one rack, kW", 1e3, Less, |simulation| {
        let racks = simulation.power.racks.as_ref()?;
        Some(watts(simulation) / f64::from(racks.count))
    }),
    column("target_facility_w", "halls for the target at its peak, MW", 1e6, Less, |simulation| {
        simulation.supernodes().map(|supernodes| supernodes * simulation.power.facility().get())
    }),
    column("decode_tpot_s", "TPOT, ms", 1e-3, Neither, |simulation| decode(simulation, |phase| phase.point.latency().get())),
    column("decode_batch_per_chip", "decode batch a chip", 1.0, Neither, |simulation| {
        let ranks = simulation.ranks_per_chip;
        decode(simulation, |phase| phase.point.batch_per_chip(ranks))
    }),
    column("decode_tp", "decode TP", 1.0, Neither, |simulation| mapped(&simulation.decode, |mapping| mapping.tp)),
    column("decode_ep", "decode EP", 1.0, Neither, |simulation| mapped(&simulation.decode, |mapping| mapping.ep)),
    column("decode_pp", "decode PP", 1.0, Neither, |simulation| mapped(&simulation.decode, |mapping| mapping.pp)),
    column("decode_micro_batches", "decode micro-batches", 1.0, Neither, |simulation| {
        decode(simulation, |phase| f64::from(phase.point.micro_batches))
    }),
    column("prefill_ttft_s", "TTFT, ms", 1e-3, Neither, |simulation| prefill(simulation, |phase| phase.point.latency().get())),
    column("prefill_tp", "prefill TP", 1.0, Neither, |simulation| mapped(&simulation.prefill, |mapping| mapping.tp)),
    column("prefill_ep", "prefill EP", 1.0, Neither, |simulation| mapped(&simulation.prefill, |mapping| mapping.ep)),
    column("prefill_pp", "prefill PP", 1.0, Neither, |simulation| mapped(&simulation.prefill, |mapping| mapping.pp)),
    column("prefill_chip_share", "share of chips that prefill", 1.0, Neither, |simulation| Some(simulation.verdict.service.prefill_share)),
    column("mappings", "mappings tried", 1.0, Neither, |simulation| Some(tried(simulation))),
];

/// Columns that count: whole numbers, and written as such.
const COUNTS: [&str; 12] = [
    "chips",
    "switch_chips",
    "optical_modules",
    "supernodes",
    "decode_tp",
    "decode_ep",
    "decode_pp",
    "decode_micro_batches",
    "prefill_tp",
    "prefill_ep",
    "prefill_pp",
    "mappings",
];

/// Whether a column counts something.
#[must_use]
pub fn is_count(key: &str) -> bool {
    COUNTS.contains(&key)
}

/// What a column's figures measure: the SI unit at the end of its key.
#[must_use]
pub fn dimension(key: &str) -> Dimension {
    let suffixes = [
        ("_tokens_per_s", Dimension::TokenRate),
        ("_bytes_per_s", Dimension::Bandwidth),
        ("_s", Dimension::Time),
        ("_w", Dimension::Power),
        ("_j", Dimension::Energy),
    ];
    suffixes.iter().find(|(suffix, _)| key.ends_with(suffix)).map_or(Dimension::Ratio, |(_, dimension)| *dimension)
}

#[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}

fn chips(simulation: &Simulation) -> f64 {
    real(simulation.inventory.chips)
}

fn served(simulation: &Simulation) -> f64 {
    simulation.verdict.service.rate.get()
}

/// For a million tokens of the target's mix, where there are prices.
fn dollars(simulation: &Simulation) -> Option<Dollars> {
    simulation.money.as_ref()?.per_million(served(simulation))
}

fn watts(simulation: &Simulation) -> f64 {
    simulation.power.total().get()
}

fn collective(simulation: &Simulation, op: Op, large: bool) -> Option<f64> {
    let found = simulation.collectives.iter().find(|(other, bytes, ..)| *other == op && (bytes.get() > 1e8) == large);
    found.map(|(_, _, time, _)| time.get())
}

fn decode(simulation: &Simulation, figure: impl Fn(&PhasePoint) -> f64) -> Option<f64> {
    Some(figure(simulation.decode.as_ref()?.as_ref().ok()?))
}

fn prefill(simulation: &Simulation, figure: impl Fn(&PhasePoint) -> f64) -> Option<f64> {
    Some(figure(simulation.prefill.as_ref()?.as_ref().ok()?))
}

fn mapped(phase: &PhaseResult, degree: fn(Mapping) -> u32) -> Option<f64> {
    Some(f64::from(degree(phase.as_ref()?.as_ref().ok()?.point.mapping)))
}

/// Mappings that were tried, of both phases.
fn tried(simulation: &Simulation) -> f64 {
    let decode = simulation.decode_search.as_ref().map_or(0, |search| search.tried);
    let prefill = simulation.prefill_search.as_ref().map_or(0, |search| search.tried);
    real((decode + prefill) as u64)
}
