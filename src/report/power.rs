//! Watts by part, by place and by purpose, as `simulate` shows them.

use serde_json::{Value as Json, json};

use super::format::{Section, Table};
use crate::footprint::{Power, PowerPlace};
use crate::study::grouped;
use crate::units::{Joules, TokensPerSecond, Watts, render};

/// What takes less of the total is added up in one row; JSON has it all.
const SMALL_SHARE: f64 = 0.005;

pub(super) fn place_name(place: PowerPlace, levels: &[String]) -> String {
    match place {
        PowerPlace::Chips => "chips".to_owned(),
        PowerPlace::Level(level) => format!("fabric of level `{}`", levels.get(level as usize).map_or("", String::as_str)),
        PowerPlace::Host => "hosts and auxiliaries".to_owned(),
        PowerPlace::Supply => "cooling and conversion".to_owned(),
    }
}

/// Energy of one served token; `None` if none is served.
fn per_token(power: Watts, rate: TokensPerSecond) -> Option<Joules> {
    (rate > TokensPerSecond::ZERO).then(|| Joules::new(power.get() / rate.get()))
}

/// Tokens per second of a megawatt at the racks.
fn per_megawatt(power: &Power, rate: TokensPerSecond) -> f64 {
    rate.get() / power.total().get() * 1e6
}

/// The contract's `power` object.
pub(super) fn power_json(power: &Power, rate: TokensPerSecond, levels: &[String]) -> Json {
    let by_part: serde_json::Map<String, Json> = power.lines.iter().map(|line| (line.part.clone(), json!(line.power()))).collect();
    let by_level: serde_json::Map<String, Json> =
        power.by_place().into_iter().map(|(place, watts)| (place_name(place, levels), json!(watts))).collect();
    let by_operator: serde_json::Map<String, Json> = power.purposes.iter().map(|(name, watts)| (name.clone(), json!(watts))).collect();
    let racks = power.racks.as_ref().map(|racks| {
        let count = f64::from(racks.count);
        json!({ "count": racks.count, "mean_w": power.total() / count, "rated_w": power.rated() / count, "limit_w": racks.limit.as_ref().map(|limit| limit.value) })
    });
    json!({
        "total_w": power.total(),
        "rated_w": power.rated(),
        "facility_w": power.facility(),
        "by_part": by_part,
        "by_level": by_level,
        "by_operator": by_operator,
        "joules_per_token": per_token(power.total(), rate),
        "tokens_per_s_per_mw": per_megawatt(power, rate),
        "capped": power.slowdown > 1.0,
        "slowdown": power.slowdown,
        "lost_to_limit": power.lost_to_limit(),
        "missing_hosts_w": power.missing_hosts,
        "racks": racks,
    })
}

/// Tables and facts; `tokens` says what becomes of the tokens whose rate is given: "served", "trained".
pub(super) fn power_sections(power: &Power, rate: TokensPerSecond, tokens: &str, levels: &[String]) -> Vec<Section> {
    let total = power.total();
    let share = |watts: Watts| format!("{:.1} %", 100.0 * (watts / total));
    let kilowatts = |watts: Watts| format!("{:.1}", watts.get() / 1e3);
    let millijoules = |watts: Watts| per_token(watts, rate).map_or(String::new(), |energy| format!("{:.1}", energy.get() * 1e3));

    let mut parts = Table::new(&["<part", "count", "kW", "share", "mJ/token", "rated kW"]);
    for line in &power.lines {
        let watts = line.power();
        parts.row([line.part.clone(), line.count.to_string(), kilowatts(watts), share(watts), millijoules(watts), kilowatts(line.rated)]);
    }
    parts.row(["racks".to_owned(), String::new(), kilowatts(total), share(total), millijoules(total), kilowatts(power.rated())]);
    let mut purposes = Table::new(&["<spent on", "kW", "share", "mJ/token"]);
    let mut small = Watts::ZERO;
    for (name, watts) in &power.purposes {
        if *watts / total < SMALL_SHARE {
            small += *watts;
        } else {
            purposes.row([name.clone(), kilowatts(*watts), share(*watts), millijoules(*watts)]);
        }
    }
    purposes.row(["all others".to_owned(), kilowatts(small), share(small), millijoules(small)]);
    let mut places = Table::new(&["<place", "kW", "share"]);
    for (place, watts) in power.by_place() {
        places.row([place_name(place, levels), kilowatts(watts), share(watts)]);
    }

    let mut facts = vec![("hall, with PUE".to_owned(), render(power.facility()))];
    if let Some(energy) = per_token(total, rate) {
        facts.push(("energy".to_owned(), format!("{} a token {tokens}", render(energy))));
        facts.push((tokens.to_owned(), format!("{} tokens/s per MW of racks", grouped(per_megawatt(power, rate)))));
    }
    if let Some(racks) = &power.racks {
        let count = f64::from(racks.count);
        let limit = racks.limit.as_ref().map_or("limit not published".to_owned(), |limit| {
            let verdict = if power.rated() / count > limit.value { "rated above the limit of" } else { "within the limit of" };
            format!("{verdict} {}", render(limit.value))
        });
        let text = format!("{} of {} on average, {} rated; {limit}", racks.count, render(total / count), render(power.rated() / count));
        facts.push(("racks".to_owned(), text));
    }
    facts.push(("lost to the chips' power limit".to_owned(), format!("{:.1} % of the time", 100.0 * power.lost_to_limit())));
    if let Some(hosts) = power.missing_hosts {
        let text = format!(
            "no host and no other part is described: typical hosts would add {}, {:.0} % of what the racks draw",
            render(hosts),
            100.0 * (hosts / total)
        );
        facts.push(("warning".to_owned(), text));
    }
    vec![Section::Title("Power".into()), Section::Table(parts), Section::Table(purposes), Section::Table(places), Section::Facts(facts)]
}
