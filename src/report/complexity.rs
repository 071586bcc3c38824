//! The complexity of a fabric, as `describe` shows it.

use serde_json::{Value as Json, json};

use super::format::{Section, Table};
use crate::footprint::Complexity;
use crate::units::render;

pub(super) fn complexity_json(complexity: &Complexity) -> Json {
    let lanes: Vec<Json> = complexity.lanes.iter().map(|line| json!({ "part": line.part, "used": line.used, "free": line.free })).collect();
    let blasts: Vec<Json> = complexity
        .blast_radius
        .iter()
        .map(|blast| json!({ "part": blast.part, "count": blast.count, "chips_lost": blast.chips, "bandwidth_lost": blast.bandwidth }))
        .collect();
    json!({
        "tiers": complexity.tiers, "distinct_parts": complexity.distinct_parts, "cables": complexity.cables,
        "cable_length_m": complexity.cable_length, "retimers": complexity.retimers, "lanes": lanes, "blast_radius": blasts,
    })
}

pub(super) fn complexity_sections(complexity: &Complexity) -> Vec<Section> {
    let mut facts = vec![
        ("switch tiers".to_owned(), complexity.tiers.to_string()),
        ("distinct parts".to_owned(), complexity.distinct_parts.to_string()),
        ("cables".to_owned(), format!("{}, {} together", complexity.cables, render(complexity.cable_length))),
        ("retimers".to_owned(), complexity.retimers.to_string()),
    ];
    for line in &complexity.lanes {
        facts.push((format!("lanes of {}", line.part), format!("{} used, {} free", line.used, line.free)));
    }
    let mut blasts = Table::new(&["<when one fails", "count", "chips lost", "fabric lost"]);
    for blast in &complexity.blast_radius {
        blasts.row([blast.part.clone(), blast.count.to_string(), blast.chips.to_string(), format!("{:.3} %", 100.0 * blast.bandwidth)]);
    }
    vec![Section::Title("Complexity".into()), Section::Facts(facts), Section::Table(blasts)]
}
