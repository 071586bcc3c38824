//! Why a mapping was chosen: the best ten, and what stopped the others.

use serde_json::{Value as Json, json};

use super::format::{Section, Table};
use crate::serving::{Infeasible, MappingSearch};
use crate::study::grouped;
use crate::units::render;

/// Rows of the table.
const SHOWN: usize = 10;

/// Tables for one phase; `latency` is what its service level limits.
pub fn sections(phase: &str, latency: &str, search: &MappingSearch, ranks_per_chip: u32) -> Vec<Section> {
    let mut table =
        Table::new(&["<mapping", "instances", "µ-batches", "batch/chip", "tokens/s", "of the best", latency, "<bound by", "exposed transfers"]);
    let best = search.found.first().map_or(1.0, |best| best.rate.get());
    for phase in search.found.iter().take(SHOWN) {
        let (point, step) = (&phase.point, &phase.point.step);
        table.row([
            point.mapping.to_string(),
            phase.instances.to_string(),
            point.micro_batches.to_string(),
            format!("{:.1}", point.batch_per_chip(ranks_per_chip)),
            grouped(phase.rate.get()),
            format!("{:.1} %", 100.0 * phase.rate.get() / best),
            render(point.latency()),
            step.bound.largest().0.to_owned(),
            format!("{:.0} %", 100.0 * (step.bound.communication / step.time)),
        ]);
    }
    let mut sections = vec![Section::Title(format!("Mappings for {phase}, the best of {} tried", search.tried)), Section::Table(table)];
    let reasons: Vec<(String, String)> =
        reasons(&search.refused).into_iter().map(|(name, count, nearest)| (format!("{count} {name}"), nearest)).collect();
    if !reasons.is_empty() {
        sections.push(Section::Note("Out of the question, and the nearest of each kind:".to_owned()));
        sections.push(Section::Facts(reasons));
    }
    sections
}

/// The same as JSON.
pub fn json(search: &MappingSearch, ranks_per_chip: u32) -> Json {
    let found = search.found.iter().take(SHOWN).map(|phase| {
        let (mapping, step) = (phase.point.mapping, &phase.point.step);
        json!({
            "mapping": mapping,
            "instances": phase.instances,
            "micro_batches": phase.point.micro_batches,
            "batch_per_chip": phase.point.batch_per_chip(ranks_per_chip),
            "tokens_per_s": phase.rate,
            "latency_s": phase.point.latency(),
            "bound_by": step.bound.largest().0,
        })
    });
    let refused = reasons(&search.refused).into_iter().map(|(name, count, nearest)| json!({ "reason": name, "count": count, "nearest": nearest }));
    json!({ "best": found.collect::<Vec<_>>(), "refused": refused.collect::<Vec<_>>() })
}

/// Kinds of refusal, how many there are of each, and the one that came nearest to working.
fn reasons(refused: &[Infeasible]) -> Vec<(&'static str, usize, String)> {
    let excess = |no: &Infeasible| match no {
        Infeasible::Weights { weights, memory, .. } => *weights / *memory,
        Infeasible::Cache { sequences, .. } => 1.0 / (1.0 + f64::from(*sequences)),
        Infeasible::TooSlow { time, limit, .. } => *time / *limit,
        Infeasible::Tier { .. } | Infeasible::Chips { .. } => 0.0,
    };
    let name = |no: &Infeasible| match no {
        Infeasible::Weights { .. } => "weights do not fit",
        Infeasible::Cache { .. } => "no room for the cache",
        Infeasible::TooSlow { .. } => "too slow",
        Infeasible::Tier { .. } => "nowhere to keep prefixes",
        Infeasible::Chips { .. } => "too few chips",
    };
    ["weights do not fit", "no room for the cache", "too slow", "nowhere to keep prefixes", "too few chips"]
        .into_iter()
        .filter_map(|kind| {
            let of_kind: Vec<&Infeasible> = refused.iter().filter(|no| name(no) == kind).collect();
            let nearest = of_kind.iter().min_by(|a, b| excess(a).total_cmp(&excess(b)))?;
            Some((kind, of_kind.len(), format!("{}: {nearest}", nearest.mapping())))
        })
        .collect()
}
