//! Whether the figures of parts are those of things that exist.

use std::collections::BTreeMap;

use super::{RuleFinding, Severity};
use crate::input::edit::{LeafValue, ValuePath};
use crate::units::Dimension::{
    self, Bandwidth, ComputeRate, Data, DelayPerLength, EnergyPerBit, EnergyPerOperation, Frequency, Length, Power, Ratio, Time,
};
use crate::units::{measured, si};

/// What exists or is announced of a figure, in SI units (bandwidths in B/s, energies in J).
struct Range {
    path: &'static str,
    dimension: Dimension,
    what: &'static str,
    low: f64,
    high: f64,
}

const fn range(path: &'static str, dimension: Dimension, what: &'static str, low: f64, high: f64) -> Range {
    Range { path, dimension, what, low, high }
}

/// The first that fits a figure counts: what a kind of file holds in general stands below what is known of one figure.
const RANGES: [Range; 55] = [
    range("chip[*].compute.*", ComputeRate, "1 TFLOP/s to 100 PFLOP/s", 1e12, 1e17),
    range("chip[*].memory.capacity", Data, "8 GB to 2 TB", 8e9, 2e12),
    range("chip[*].memory.bandwidth", Bandwidth, "100 GB/s to 50 TB/s", 1e11, 5e13),
    range("chip[*].cache.capacity", Data, "100 kB to 10 GB", 1e5, 1e10),
    range("chip[*].cache.bandwidth", Bandwidth, "500 GB/s to 200 TB/s", 5e11, 2e14),
    range("chip[*].power.tdp", Power, "50 W to 5 kW", 50.0, 5e3),
    range("chip[*].power.cap", Power, "50 W to 5 kW", 50.0, 5e3),
    range("chip[*].power.idle", Power, "2 W to 1.5 kW", 2.0, 1.5e3),
    range("chip[*].power.active", Power, "up to 2 kW", 0.0, 2e3),
    range("chip[*].power.energy_per_flop", EnergyPerOperation, "0.02 to 20 pJ/FLOP", 2e-14, 2e-11),
    range("chip[*].power.memory_energy", EnergyPerBit, "0.3 to 60 pJ/bit", 3e-13, 6e-11),
    range("chip[*].power.io_energy", EnergyPerBit, "0.1 to 60 pJ/bit", 1e-13, 6e-11),
    range("chip[*].power.**", Frequency, "100 MHz to 10 GHz", 1e8, 1e10),
    range("chip[*].io.endpoint_latency", Time, "1 ns to 10 us", 1e-9, 1e-5),
    range("chip[*].io.die_to_die", Bandwidth, "10 GB/s to 100 TB/s", 1e10, 1e14),
    range("chip[*].io.load_store_window", Data, "1 kB to 1 GB", 1e3, 1e9),
    range("chip[*].kernels.launch", Time, "0.2 to 100 us", 2e-7, 1e-4),
    range("chip[*].kernels.**", Time, "up to 10 ms", 0.0, 1e-2),
    range("chip[*].kernels.**", Bandwidth, "10 MB/s to 50 TB/s", 1e7, 5e13),
    range("chip[*].kernels.**", Data, "up to 1 GB", 0.0, 1e9),
    range("link[*].lane_rate", Bandwidth, "1 Gbit/s to 4 Tbit/s", 1.25e8, 5e11),
    range("link[*].length", Length, "5 mm to 2 km", 5e-3, 2e3),
    range("link[*].delay_per_metre", DelayPerLength, "3.4 to 10 ns/m", LIGHT, 1e-8),
    range("link[*].serdes_latency", Time, "up to 1 us", 0.0, 1e-6),
    range("link[*].fec_latency", Time, "up to 1 us", 0.0, 1e-6),
    range("link[*].serdes_energy", EnergyPerBit, "up to 60 pJ/bit", 0.0, 6e-11),
    range("link[*].medium.optical.circuit.**", Time, "up to 1 us", 0.0, 1e-6),
    range("link[*].medium.optical.circuit.**", Power, "1 W to 5 kW", 1.0, 5e3),
    range("link[*].medium.**", Time, "up to 1 us", 0.0, 1e-6),
    range("link[*].medium.**", Power, "100 mW to 200 W", 0.1, 200.0),
    range("protocol[*].**", Data, "up to 64 KiB", 0.0, 65536.0),
    range("switch[*].latency", Time, "20 ns to 10 us", 2e-8, 1e-5),
    range("switch[*].buffer", Data, "10 kB to 100 GB", 1e4, 1e11),
    range("switch[*].power.idle", Power, "1 W to 5 kW", 1.0, 5e3),
    range("switch[*].power.energy_per_bit", EnergyPerBit, "up to 60 pJ/bit", 0.0, 6e-11),
    range("cpu[*].memory_capacity", Data, "8 GB to 20 TB", 8e9, 2e13),
    range("cpu[*].**", Power, "1 W to 2 kW", 1.0, 2e3),
    range("cpu[*].**", Time, "1 ns to 10 us", 1e-9, 1e-5),
    range("cpu[*].**", Bandwidth, "1 GB/s to 10 TB/s", 1e9, 1e13),
    range("nic[*].**", Power, "1 to 500 W", 1.0, 500.0),
    range("nic[*].message_interval", Time, "100 ps to 10 us", 1e-10, 1e-5),
    range("nic[*].**", Time, "20 ns to 20 us", 2e-8, 2e-5),
    range("nic[*].**", EnergyPerBit, "up to 60 pJ/bit", 0.0, 6e-11),
    range("memory[*].capacity", Data, "1 GB to 1 PB", 1e9, 1e15),
    range("memory[*].bandwidth", Bandwidth, "1 GB/s to 20 TB/s", 1e9, 2e13),
    range("memory[*].**", Time, "20 ns to 100 us", 2e-8, 1e-4),
    range("memory[*].**", Power, "1 W to 5 kW", 1.0, 5e3),
    range("library[*].**", Time, "up to 10 ms", 0.0, 1e-2),
    range("library[*].**", Bandwidth, "10 MB/s to 50 TB/s", 1e7, 5e13),
    range("library[*].**", Data, "up to 1 GB", 0.0, 1e9),
    range("supply[*].pue", Ratio, "1 to 3", 1.0, 3.0),
    range("supply[*].conversion_efficiency", Ratio, "0.5 to 1", 0.5, 1.0),
    range("supply[*].racks.limit", Power, "1 kW to 3 MW", 1e3, 3e6),
    range("auxiliary[*].power", Power, "100 mW to 1 MW", 0.1, 1e6),
    range("reliability[*].**", Time, "1 min to 1 year", 60.0, 3.2e7),
];

/// Seconds that light in a vacuum takes for a metre.
const LIGHT: f64 = 1.0 / 299_792_458.0;

/// Beyond the range by this it is an error.
const FAR: f64 = 100.0;

/// Holds every figure of the files against what exists.
#[must_use]
pub fn check_figures(leaves: &[LeafValue]) -> Vec<RuleFinding> {
    let ranges: Vec<(ValuePath, &Range)> = RANGES.iter().filter_map(|entry| Some((ValuePath::parse(entry.path).ok()?, entry))).collect();
    let mut findings: Vec<RuleFinding> = leaves.iter().filter_map(|leaf| held(&ranges, leaf)).collect();
    findings.extend(leaves.iter().filter_map(memory_units));
    findings.extend(leaves.iter().filter_map(|leaf| idle_above_limit(leaf, leaves)));
    findings.extend(inherited(leaves));
    findings
}

fn number(leaf: &LeafValue) -> Option<f64> {
    si(leaf.value.trim_matches('"'))
}

fn held(ranges: &[(ValuePath, &Range)], leaf: &LeafValue) -> Option<RuleFinding> {
    let (value, dimension) = measured(leaf.value.trim_matches('"'))?;
    let (_, entry) = ranges.iter().find(|(path, entry)| entry.dimension == dimension && path.means(&leaf.path))?;
    if (entry.low..=entry.high).contains(&value) {
        return None;
    }
    let faster_than_light = entry.path == "link[*].delay_per_metre" && value < LIGHT;
    let severity = if value > entry.high * FAR || value < entry.low / FAR || faster_than_light { Severity::Error } else { Severity::Warning };
    let why = if faster_than_light { ": faster than light" } else { "" };
    let message = format!("{} = {} lies outside what exists, {}{why}", leaf.path, leaf.value, entry.what);
    Some(RuleFinding::new("implausible", message).at_severity(severity))
}

/// A capacity of a chip's memory in powers of two.
fn memory_units(leaf: &LeafValue) -> Option<RuleFinding> {
    let pattern = ValuePath::parse("chip[*].memory.capacity").ok()?;
    if !pattern.means(&leaf.path) || !leaf.value.contains("iB") {
        return None;
    }
    let gigabytes = number(leaf)? / 1e9;
    Some(RuleFinding::new("memory-units", format!("{} = {} is {gigabytes:.1} GB; makers name HBM in GB", leaf.path, leaf.value)))
}

/// Idle power that leaves nothing of the limit.
fn idle_above_limit(leaf: &LeafValue, leaves: &[LeafValue]) -> Option<RuleFinding> {
    let pattern = ValuePath::parse("chip[*].power.tdp").ok()?;
    if !pattern.means(&leaf.path) {
        return None;
    }
    let idle = leaves.iter().find(|other| other.path.last() == "idle" && other.path.parent() == leaf.path.parent())?;
    let message = format!("{} = {} is no more than the {} that the chip draws waiting", leaf.path, leaf.value, idle.value);
    (number(leaf)? <= number(idle)?).then(|| RuleFinding::new("power-limits", message))
}

/// What decides how fast a chip is, beside its peaks.
const DECISIVE: [&str; 4] = ["chip[*].cores", "chip[*].memory.capacity", "chip[*].memory.bandwidth", "chip[*].power.tdp"];

/// Figures of the base in chip files that state a peak of their own.
fn inherited(leaves: &[LeafValue]) -> Vec<RuleFinding> {
    let of = |pattern: &str| -> Vec<&LeafValue> {
        let pattern = ValuePath::parse(pattern);
        leaves.iter().filter(|leaf| pattern.as_ref().is_ok_and(|pattern| pattern.means(&leaf.path))).collect()
    };
    let mut chips: BTreeMap<String, Vec<&LeafValue>> = BTreeMap::new();
    for leaf in of("chip[*].compute.*") {
        chips.entry(leaf.path.parent().to_string()).or_default().push(leaf);
    }
    let mut findings = Vec::new();
    for (compute, peaks) in chips {
        let (base, own): (Vec<&LeafValue>, Vec<&LeafValue>) = peaks.into_iter().partition(|leaf| leaf.inherited);
        let Some(stated) = own.first() else { continue };
        let chip = compute.trim_end_matches(".compute");
        let rest = DECISIVE.iter().flat_map(|pattern| of(pattern)).filter(|leaf| leaf.inherited && leaf.path.to_string().starts_with(chip));
        let list = |leaves: &[&LeafValue]| leaves.iter().map(|leaf| format!("{} = {}", leaf.path, leaf.value)).collect::<Vec<_>>().join(", ");
        let message = |leaves: &[&LeafValue]| format!("the file states {} and inherits {}", stated.path, list(leaves));
        let rest: Vec<&LeafValue> = rest.collect();
        findings.extend((!base.is_empty()).then(|| RuleFinding::new("inherited-figures", message(&base))));
        findings.extend((!rest.is_empty()).then(|| RuleFinding::new("inherited-figures", message(&rest)).at_severity(Severity::Note)));
    }
    findings
}
