//! How far watts swing within a step, by phase: of one rack where the machine says how many it fills, else of all of it.

use serde_json::{Value as Json, json};

use super::format::{Section, Table};
use crate::footprint::{Power, Transients};
use crate::units::{Watts, render};

/// Racks over which the machine's watts are spread evenly; one if it does not say.
fn racks(power: &Power) -> f64 {
    power.racks.as_ref().map_or(1.0, |racks| f64::from(racks.count))
}

pub(super) fn transients_json(phases: &[(&'static str, Transients)], power: &Power) -> Json {
    let racks = racks(power);
    let of = |transients: &Transients| {
        json!({
            "mean_w": transients.mean / racks, "highest_10ms_w": transients.highest_short / racks, "highest_1s_w": transients.highest_long / racks,
            "ramp_w": transients.ramp / racks, "ramp_s": transients.ramp_time, "rated_w": power.rated() / racks,
        })
    };
    phases.iter().map(|(phase, transients)| ((*phase).to_owned(), of(transients))).collect::<serde_json::Map<_, _>>().into()
}

pub(super) fn transients_sections(phases: &[(&'static str, Transients)], power: &Power) -> Vec<Section> {
    if phases.is_empty() {
        return Vec::new();
    }
    let racks = racks(power);
    let kilowatts = |watts: Watts| format!("{:.1}", watts.get() / racks / 1e3);
    let mut table = Table::new(&["<phase", "mean kW", "highest 10 ms", "highest 1 s", "rated kW", "start: up by kW", "within"]);
    for (phase, transients) in phases {
        table.row([
            (*phase).to_owned(),
            kilowatts(transients.mean),
            kilowatts(transients.highest_short),
            kilowatts(transients.highest_long),
            kilowatts(power.rated()),
            kilowatts(transients.ramp),
            render(transients.ramp_time),
        ]);
    }
    let title = if power.racks.is_some() { "Watts of a rack within a step, all chips in step" } else { "Watts within a step, all chips in step" };
    vec![Section::Title(title.into()), Section::Table(table)]
}
