//! `supernode simulate --clip`: seconds for a clip, clips in an hour.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use super::power::{power_json, power_sections};
use crate::serving::ClipPoint;
use crate::study::ClipSimulation;
use crate::units::{Joules, TokensPerSecond, render};

/// Clips with the names of what was simulated.
#[derive(Clone, Debug)]
pub struct ClipReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// Chips of the supernode.
    pub chips: u32,
    /// Names of the levels, innermost first.
    pub levels: Vec<String>,
    /// Shipped name or path of the clip.
    pub clip: String,
    /// Result.
    pub simulation: ClipSimulation,
}

pub(super) fn point_json(point: &ClipPoint) -> Json {
    json!({
        "sequence_parallel": point.ranks,
        "seconds_per_clip_s": point.time,
        "transfers_s": point.transfers,
        "power_limit_s": point.power,
        "bound_by": point.bound_by(),
        "instances": point.instances,
        "clips_per_hour": point.clips_per_second() * 3600.0,
    })
}

impl ClipReport {
    fn rate(&self) -> TokensPerSecond {
        self.simulation.rate().unwrap_or_default()
    }

    /// Of one clip, at the racks; `None` if none is made.
    fn energy(&self) -> Option<Joules> {
        let best = self.simulation.best.as_ref()?;
        Some(Joules::new(self.simulation.power.total().get() / best.clips_per_second()))
    }
}

impl Report for ClipReport {
    fn output(&self) -> &'static str {
        "simulate-clip"
    }

    fn json(&self) -> Json {
        json!({
            "supernode": self.supernode,
            "clip": self.clip,
            "chips": self.chips,
            "tokens_per_clip": self.simulation.tokens,
            "billed_tokens_per_clip": self.simulation.billed,
            "flop_per_pass": self.simulation.flop_per_pass,
            "best": self.simulation.best.as_ref().map(point_json),
            "points": self.simulation.points.iter().map(point_json).collect::<Vec<_>>(),
            "power": power_json(&self.simulation.power, self.rate(), &self.levels),
            "joules_per_clip": self.energy(),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let simulation = &self.simulation;
        let mut table = Table::new(&["ranks a clip", "instances", "time a clip", "transfers", "power limit", "clips/hour", "clips/hour/chip", "<"]);
        for point in &simulation.points {
            let hourly = point.clips_per_second() * 3600.0;
            table.row([
                point.ranks.to_string(),
                point.instances.to_string(),
                render(point.time),
                format!("{:.1} %", 100.0 * (point.transfers / point.time)),
                format!("{:.1} %", 100.0 * (point.power / point.time)),
                format!("{hourly:.1}"),
                format!("{:.3}", hourly / f64::from(self.chips)),
                if simulation.best.as_ref() == Some(point) { "best".to_owned() } else { String::new() },
            ]);
        }
        let mut facts = vec![
            ("clip".to_owned(), simulation.name.clone()),
            ("chips".to_owned(), self.chips.to_string()),
            ("tokens".to_owned(), format!("{}, sold as {:.0}", simulation.tokens, simulation.billed)),
            ("one pass".to_owned(), format!("{:.2} PFLOP", simulation.flop_per_pass.get() / 1e15)),
        ];
        if let Some(reason) = simulation.refusal() {
            facts.push(("possible".to_owned(), format!("no: {reason}")));
        }
        if let Some(energy) = self.energy() {
            facts.push(("energy".to_owned(), format!("{} a clip, at the racks", render(energy))));
        }
        let mut sections = vec![Section::Title(self.title.clone()), Section::Facts(facts), Section::Title("Clips".into()), Section::Table(table)];
        sections.extend(power_sections(&simulation.power, self.rate(), "sold", &self.levels));
        sections
    }
}
