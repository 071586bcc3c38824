//! `supernode describe`: the expanded fabric in numbers.

use std::ops::Mul;

use serde_json::{Value as Json, json};

use super::complexity::{complexity_json, complexity_sections};
use super::format::{Report, Section, Table};
use super::standing::{standing_fact, standing_words};
use crate::footprint::{Complexity, Inventory};
use crate::input::document::{Chip, Precision, Standing};
use crate::input::spec::PackageSpec;
use crate::network::FabricMetrics;
use crate::units::{counted, render};

/// Counts, bandwidths and latencies of one supernode.
#[derive(Clone, Debug)]
pub struct DescribeReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// What the description is of, where it is not of a machine that runs.
    pub standing: Option<Standing>,
    /// Chip part.
    pub chip: Chip,
    /// Names of the levels, innermost first.
    pub levels: Vec<String>,
    /// What holds chips and joins none, innermost first.
    pub packages: Vec<PackageSpec>,
    /// Parts.
    pub inventory: Inventory,
    /// Bandwidths and latencies.
    pub fabric_metrics: FabricMetrics,
    /// How much there is to build, plug and break.
    pub complexity: Complexity,
}

impl DescribeReport {
    fn count_of(&self, package: &PackageSpec) -> u64 {
        self.inventory.chips / u64::from(package.chips.max(1))
    }

    /// A figure of one chip, times the chips.
    #[expect(clippy::cast_precision_loss, reason = "chips are far below 2^53")]
    fn total<Q: Mul<f64, Output = Q>>(&self, of_one: Q) -> Q {
        of_one * self.inventory.chips as f64
    }
}

impl Report for DescribeReport {
    fn output(&self) -> &'static str {
        "describe"
    }

    fn json(&self) -> Json {
        let level = |level: u8| self.levels.get(level as usize).cloned().unwrap_or_default();
        let switches: Vec<Json> =
            self.inventory.switches.iter().map(|line| json!({ "part": line.part, "level": level(line.level), "count": line.count })).collect();
        let links: Vec<Json> = self
            .inventory
            .links
            .iter()
            .map(|line| {
                json!({
                    "part": line.part, "level": level(line.level), "medium": line.medium, "count": line.count,
                    "optical_modules": line.modules, "retimers": line.retimers, "optical_circuit_switches": line.circuit_switches,
                    "length_m": line.length,
                })
            })
            .collect();
        let counted = |parts: &[(String, u64)]| parts.iter().map(|(part, count)| json!({ "part": part, "count": count })).collect::<Vec<_>>();
        let distances: Vec<Json> = self
            .fabric_metrics
            .distances
            .iter()
            .map(|distance| {
                json!({
                    "hops": distance.hops, "share_of_pairs": distance.share,
                    "latency_s": { "min": distance.latency_min, "mean": distance.latency_mean, "max": distance.latency_max },
                })
            })
            .collect();
        let groups: Vec<Json> = self
            .fabric_metrics
            .groups
            .iter()
            .map(|group| {
                json!({
                    "group": group.name, "chips": group.chips, "outward_bytes_per_s": group.outward,
                    "oversubscription": group.oversubscription,
                })
            })
            .collect();
        let [standing, because] = standing_words(self.standing.as_ref());
        json!({
            "supernode": self.supernode,
            "standing": standing,
            "standing_because": because,
            "chips": self.inventory.chips,
            "switches": self.inventory.switch_count(),
            "links": self.inventory.link_count(),
            "injection_bytes_per_s": self.fabric_metrics.injection,
            "bisection_bytes_per_s": self.fabric_metrics.bisection,
            "diameter_hops": self.fabric_metrics.diameter,
            "latency_s": { "min": self.fabric_metrics.latency_min, "mean": self.fabric_metrics.latency_mean, "max": self.fabric_metrics.latency_max },
            "distances": distances,
            "groups": groups,
            "bf16_flop_per_s": self.total(self.chip.compute.bf16.value),
            "fp8_flop_per_s": self.total(self.chip.compute.peak(Precision::Fp8)),
            "memory_bytes": self.total(self.chip.memory.capacity.value),
            "memory_bytes_per_s": self.total(self.chip.memory.bandwidth.value),
            "packages": self.packages.iter().map(|package| json!({ "package": package.name, "chips": package.chips, "count": self.count_of(package) })).collect::<Vec<_>>(),
            "cpus": counted(&self.inventory.cpus),
            "nics": counted(&self.inventory.nics),
            "memory_expanders": counted(&self.inventory.memories),
            "switch_parts": switches,
            "link_parts": links,
            "optical_modules": self.inventory.module_count(),
            "complexity": complexity_json(&self.complexity),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let level = |level: u8| self.levels.get(level as usize).cloned().unwrap_or_default();
        let metrics = &self.fabric_metrics;
        let standing = self.standing.as_ref().map(|standing| ("standing".to_owned(), standing_fact(standing)));
        let mut facts = vec![
            ("chips".to_owned(), format!("{} x {}", self.inventory.chips, self.chip.name)),
            (
                "compute".to_owned(),
                format!(
                    "{} BF16, {} FP8",
                    render(self.total(self.chip.compute.bf16.value)),
                    render(self.total(self.chip.compute.peak(Precision::Fp8)))
                ),
            ),
            (
                "memory".to_owned(),
                format!("{} at {}", render(self.total(self.chip.memory.capacity.value)), render(self.total(self.chip.memory.bandwidth.value))),
            ),
            ("switch chips".to_owned(), self.inventory.switch_count().to_string()),
            ("links".to_owned(), self.inventory.link_count().to_string()),
            ("optical modules".to_owned(), self.inventory.module_count().to_string()),
            ("injection".to_owned(), format!("{} a chip, one way", render(metrics.injection))),
            ("bisection".to_owned(), format!("{}, one way", render(metrics.bisection))),
            ("diameter".to_owned(), counted(metrics.diameter, "link")),
            (
                "latency, chip to chip".to_owned(),
                format!("{} nearest, {} mean, {} farthest", render(metrics.latency_min), render(metrics.latency_mean), render(metrics.latency_max)),
            ),
            ("load, there and back".to_owned(), format!("{} nearest", render(metrics.latency_min * 2.0))),
        ];
        if !self.packages.is_empty() {
            let each = |package: &PackageSpec| format!("{} x {} of {}", self.count_of(package), package.name, counted(package.chips, "chip"));
            facts.insert(1, ("packages".to_owned(), self.packages.iter().map(each).collect::<Vec<_>>().join(", ")));
        }
        let facts = standing.into_iter().chain(facts).collect();
        let mut parts = Table::new(&["<part", "<level", "count", "<medium", "optical modules", "length m"]);
        for (part, count) in self.inventory.cpus.iter().chain(&self.inventory.nics).chain(&self.inventory.memories) {
            parts.row([part.clone(), String::new(), count.to_string(), String::new(), String::new(), String::new()]);
        }
        for line in &self.inventory.switches {
            parts.row([line.part.clone(), level(line.level), line.count.to_string(), String::new(), String::new(), String::new()]);
        }
        for line in &self.inventory.links {
            let modules = if line.modules == 0 { String::new() } else { line.modules.to_string() };
            let length = format!("{:.0}", line.length.get());
            parts.row([line.part.clone(), level(line.level), line.count.to_string(), line.medium.to_owned(), modules, length]);
        }
        let mut distances = Table::new(&["links apart", "of pairs", "latency ns, least", "mean", "most"]);
        for distance in &metrics.distances {
            let nanoseconds = [distance.latency_min, distance.latency_mean, distance.latency_max].map(|time| format!("{:.0}", time.get() * 1e9));
            let [least, mean, most] = nanoseconds;
            distances.row([distance.hops.to_string(), format!("{:.2} %", 100.0 * distance.share), least, mean, most]);
        }
        let mut groups = Table::new(&["<group", "chips", "outward GB/s", "oversubscribed"]);
        for group in &metrics.groups {
            let outward = format!("{:.0}", group.outward.get() / 1e9);
            groups.row([group.name.clone(), group.chips.to_string(), outward, format!("{:.2} : 1", group.oversubscription)]);
        }
        let mut sections = vec![Section::Title(self.title.clone()), Section::Facts(facts), Section::Table(parts), Section::Table(distances)];
        if !groups.rows.is_empty() {
            sections.push(Section::Table(groups));
        }
        sections.extend(complexity_sections(&self.complexity));
        sections
    }
}
