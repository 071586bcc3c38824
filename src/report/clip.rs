//! `supernode simulate --clip`: seconds for a clip, clips in an hour.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use crate::serving::ClipPoint;
use crate::study::ClipSimulation;
use crate::units::render;

/// Clips with the names of what was simulated.
#[derive(Clone, Debug)]
pub struct ClipReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// Chips of the supernode.
    pub chips: u32,
    /// Shipped name or path of the clip, and its name.
    pub clip: (String, String),
    /// Result.
    pub simulation: ClipSimulation,
}

fn point_json(point: &ClipPoint) -> Json {
    json!({
        "sequence_parallel": point.ranks,
        "seconds_per_clip_s": point.time,
        "transfers_s": point.transfers,
        "instances": point.instances,
        "clips_per_hour": point.clips_per_second() * 3600.0,
    })
}

impl Report for ClipReport {
    fn json(&self) -> Json {
        json!({
            "supernode": self.supernode,
            "clip": self.clip.0,
            "chips": self.chips,
            "tokens_per_clip": self.simulation.tokens,
            "flop_per_pass": self.simulation.flop_per_pass,
            "best": self.simulation.best.as_ref().map(point_json),
            "points": self.simulation.points.iter().map(point_json).collect::<Vec<_>>(),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let simulation = &self.simulation;
        let mut table = Table::new(&["ranks a clip", "instances", "time a clip", "transfers", "clips/hour", "clips/hour/chip", "<"]);
        for point in &simulation.points {
            let hourly = point.clips_per_second() * 3600.0;
            table.row([
                point.ranks.to_string(),
                point.instances.to_string(),
                render(point.time),
                format!("{:.1} %", 100.0 * (point.transfers / point.time)),
                format!("{hourly:.1}"),
                format!("{:.3}", hourly / f64::from(self.chips)),
                if simulation.best == Some(*point) { "best".to_owned() } else { String::new() },
            ]);
        }
        let mut facts = vec![
            ("clip".to_owned(), self.clip.1.clone()),
            ("chips".to_owned(), self.chips.to_string()),
            ("tokens".to_owned(), simulation.tokens.to_string()),
            ("one pass".to_owned(), format!("{:.2} PFLOP", simulation.flop_per_pass.get() / 1e15)),
        ];
        if simulation.best.is_none() {
            let reason = if simulation.points.is_empty() { "no: the weights do not fit on a rank" } else { "no: none is fast enough" };
            facts.push(("possible".to_owned(), reason.to_owned()));
        }
        vec![Section::Title(self.title.clone()), Section::Facts(facts), Section::Title("Clips".into()), Section::Table(table)]
    }
}
