//! Dollars: bought hardware, energy and rent, each for itself, or what has no price.

use serde_json::{Value as Json, json};

use crate::footprint::Spread;
use crate::study::{Dollars, Money, grouped};

pub(super) fn spread_json(spread: Spread) -> Json {
    json!({ "low": spread.low, "value": spread.value, "high": spread.high })
}

/// Hardware, energy, both, and rent.
pub(super) fn dollars_json(dollars: &Dollars) -> Json {
    json!({
        "capital": dollars.capital.map(spread_json), "energy": dollars.energy.map(spread_json),
        "owned": dollars.owned().map(spread_json), "rent": dollars.rent.map(spread_json),
    })
}

/// Three significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => grouped(value),
        middle if middle >= 1.0 => format!("{value:.2}"),
        small if small >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}

/// "0.12 (0.05 to 0.4)".
fn between(spread: Spread) -> String {
    if spread.low == spread.high { short(spread.value) } else { format!("{} ({} to {})", short(spread.value), short(spread.low), short(spread.high)) }
}

/// What a million tokens cost, bought and rented, in one cell.
pub(super) fn dollars_text(dollars: Dollars) -> String {
    match (dollars.owned(), dollars.rent) {
        (Some(owned), Some(rent)) => format!("{}; {}", between(owned), between(rent)),
        (Some(owned), None) => between(owned),
        (None, Some(rent)) => format!("not priced; {}", between(rent)),
        (None, None) => "not priced".to_owned(),
    }
}

/// Dollars of a million tokens of prompts and of answers, one line a way to pay.
pub(super) fn million_facts(input: Option<Dollars>, output: Option<Dollars>) -> Vec<(String, String)> {
    let each = |of: fn(&Dollars) -> Option<Spread>| {
        let side = |dollars: Option<Dollars>, word: &str| Some(format!("${} {word}", between(of(&dollars?)?)));
        let sides: Vec<String> = [side(input, "input"), side(output, "output")].into_iter().flatten().collect();
        (!sides.is_empty()).then(|| sides.join(", "))
    };
    let mut facts = Vec::new();
    let [owned, capital, energy, rent] = [each(Dollars::owned), each(|of| of.capital), each(|of| of.energy), each(|of| of.rent)];
    let mut fact = |name: &str, text: String| facts.push((name.to_owned(), text));
    match (owned, capital, energy) {
        (Some(owned), Some(capital), Some(energy)) => {
            fact("10^6 tokens", format!("{owned}, bought"));
            fact("  hardware", capital);
            fact("  energy", energy);
        }
        (None, _, Some(energy)) => {
            fact("10^6 tokens", "not priced to buy".to_owned());
            fact("  energy", energy);
        }
        _ => fact("10^6 tokens", "not priced to buy".to_owned()),
    }
    fact("  rented", rent.unwrap_or_else(|| "no rent known".to_owned()));
    facts
}

/// What the prices are of, and what has none.
#[must_use]
pub fn price_note(money: &Money) -> String {
    let cost = &money.cost;
    let dated = |date: &Option<String>| date.as_deref().map_or_else(|| money.date.clone(), str::to_owned);
    let bought = match cost.purchase() {
        Some((price, basis)) => format!("bought for {} M$ ({}, {})", between(price.times(1e-6)), basis.name(), dated(&cost.date)),
        None => format!("{}; name a price with --price", cost.missing().unwrap_or_default()),
    };
    let rented = cost.rent.map_or_else(String::new, |rent| {
        format!("; rented for ${} an hour, power and hosts included ({})", between(rent.times(3600.0)), dated(&cost.rent_date))
    });
    format!("{bought}{rented}; at {}", money.load.sentence())
}

pub(super) fn money_json(money: &Money) -> Json {
    let cost = &money.cost;
    json!({
        "capital_usd": cost.purchase().map(|(price, _)| spread_json(price)),
        "capital_from": cost.purchase().map(|(_, basis)| basis.name()),
        "parts_usd": cost.parts().map(spread_json),
        "published_price_usd": cost.published.map(spread_json),
        "rent_usd_per_s": cost.rent.map(spread_json),
        "unpriced": cost.unpriced,
        "prices": money.date,
        "utilisation": money.load.utilisation.value, "utilisation_from": money.load.utilisation.basis.name(),
        "peak_to_mean": money.load.peak_to_mean, "spare": money.load.spare, "mean_load": money.load.mean(), "mean_load_facility_w": money.power,
    })
}
