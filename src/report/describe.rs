//! `supernode describe`: the expanded fabric in numbers.

use serde_json::{Value as Json, json};

use super::complexity::{complexity_json, complexity_sections};
use super::format::{Report, Section, Table};
use crate::footprint::{Complexity, Inventory};
use crate::network::Survey;
use crate::units::render;

/// Counts, bandwidths and latencies of one supernode.
#[derive(Clone, Debug)]
pub struct DescribeReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// Chip part's name.
    pub chip: String,
    /// Names of the levels, innermost first.
    pub levels: Vec<String>,
    /// Parts.
    pub inventory: Inventory,
    /// Bandwidths and latencies.
    pub survey: Survey,
    /// How much there is to build, plug and break.
    pub complexity: Complexity,
}

impl Report for DescribeReport {
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
                    "optical_modules": line.modules, "retimers": line.retimers, "length_m": line.length,
                })
            })
            .collect();
        json!({
            "supernode": self.supernode,
            "chips": self.inventory.chips,
            "switches": self.inventory.switch_count(),
            "links": self.inventory.link_count(),
            "injection_bytes_per_s": self.survey.injection,
            "bisection_bytes_per_s": self.survey.bisection,
            "diameter_hops": self.survey.diameter,
            "latency_s": { "min": self.survey.latency_min, "mean": self.survey.latency_mean, "max": self.survey.latency_max },
            "cpus": self.inventory.cpus.iter().map(|(part, count)| json!({ "part": part, "count": count })).collect::<Vec<_>>(),
            "switch_parts": switches,
            "link_parts": links,
            "optical_modules": self.inventory.module_count(),
            "complexity": complexity_json(&self.complexity),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let level = |level: u8| self.levels.get(level as usize).cloned().unwrap_or_default();
        let survey = &self.survey;
        let facts = vec![
            ("chips".to_owned(), format!("{} x {}", self.inventory.chips, self.chip)),
            ("switch chips".to_owned(), self.inventory.switch_count().to_string()),
            ("links".to_owned(), self.inventory.link_count().to_string()),
            ("optical modules".to_owned(), self.inventory.module_count().to_string()),
            ("injection".to_owned(), format!("{} a chip, one way", render(survey.injection))),
            ("bisection".to_owned(), format!("{}, one way", render(survey.bisection))),
            ("diameter".to_owned(), format!("{} links", survey.diameter)),
            (
                "latency, chip to chip".to_owned(),
                format!("{} nearest, {} mean, {} farthest", render(survey.latency_min), render(survey.latency_mean), render(survey.latency_max)),
            ),
        ];
        let mut parts = Table::new(&["<part", "<level", "count", "<medium", "optical modules", "length m"]);
        for (part, count) in &self.inventory.cpus {
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
        let mut sections = vec![Section::Title(self.title.clone()), Section::Facts(facts), Section::Table(parts)];
        sections.extend(complexity_sections(&self.complexity));
        sections
    }
}
