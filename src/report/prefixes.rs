//! What a mapping finds of earlier prompts, as JSON and in words.

use serde_json::{Value as Json, json};

use crate::serving::PrefixUse;
use crate::units::{Seconds, render};

/// All figures.
pub fn prefix_json(prefixes: &PrefixUse) -> Json {
    json!({ "hit": prefixes.hit, "capacity_bytes": prefixes.capacity, "wanted_bytes": prefixes.wanted, "chip_bytes_per_s": prefixes.rate,
        "time_s": prefixes.time, "exposed_s": prefixes.exposed })
}

/// What is found of earlier prompts, in words; nothing where nobody asks for a cache with a place.
pub fn prefix_text(prefixes: &PrefixUse, step: Seconds) -> Option<String> {
    let capacity = prefixes.capacity?;
    let wanted = prefixes.wanted.map_or(String::new(), |wanted| format!(" for {} wanted", render(wanted)));
    let reading = prefixes.rate.map_or("in place".to_owned(), |rate| {
        let share = 100.0 * (prefixes.time / step);
        format!("read at {} a chip, {share:.1} % of a pass beside it, {} of it waited for", render(rate), render(prefixes.exposed))
    });
    Some(format!("{:.1} % of a prompt found, {} of room{wanted}, {reading}", 100.0 * prefixes.hit, render(capacity)))
}
