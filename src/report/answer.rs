//! The first lines of `supernode simulate`: what the user's own requests get, and what a token of them takes.

use serde_json::{Value as Json, json};

use super::format::Section;
use super::money::{dollars_json, million_facts, price_note};
use crate::study::{Money, RequestAnswer, grouped};
use crate::units::{Seconds, render};

/// "12.3", "1 234": three significant digits of a rate.
fn rate(value: f64) -> String {
    match value {
        large if large >= 100.0 => grouped(value),
        middle if middle >= 10.0 => format!("{middle:.1}"),
        small => format!("{small:.2}"),
    }
}

fn named(names: [&str; 2], times: [Option<Seconds>; 2]) -> Option<String> {
    let each: Vec<String> = names.into_iter().zip(times).filter_map(|(name, time)| Some(format!("{name} {}", render(time?)))).collect();
    (!each.is_empty()).then(|| each.join(", "))
}

/// What is asked: lengths and limits.
fn asked(answer: &RequestAnswer) -> String {
    let lengths = answer.lengths.map_or_else(
        || "none stated: prompts and answers are rated each alone (give --input and --output)".to_owned(),
        |[input, output]| format!("{} tokens in, {} out", grouped(f64::from(input)), grouped(f64::from(output))),
    );
    let limits = named(["TTFT", "TPOT"], answer.limits).map_or_else(String::new, |limits| format!(", within {limits}"));
    format!("{lengths}, {:.0} % of the input cached{limits}", 100.0 * answer.hit)
}

/// Facts about the requests of a workload.
pub(super) fn answer_section(answer: &RequestAnswer, money: Option<&Money>) -> Section {
    let mut facts = vec![("request".to_owned(), asked(answer))];
    let mut fact = |name: &str, text: String| facts.push((name.to_owned(), text));
    if let Some(reason) = &answer.refusal {
        fact("serves", format!("nothing: {reason}"));
        return Section::Facts(facts);
    }
    if let Some(requests) = answer.requests_per_s {
        let chips =
            if answer.together { "on the same chips".to_owned() } else { format!("{:.0} % of the chips read prompts", 100.0 * answer.reading) };
        fact("serves", format!("{} requests/s, {chips}", rate(requests)));
    }
    let apart = if answer.requests_per_s.is_none() { " of all chips" } else { "" };
    let tokens = [("output", answer.output_tokens_per_s), ("input", answer.input_tokens_per_s)];
    let tokens: Vec<String> = tokens.into_iter().filter_map(|(name, value)| Some(format!("{} {name}", rate(value?)))).collect();
    fact("tokens/s", format!("{}{apart}", tokens.join(", ")));
    let reached = named(["TTFT", "TPOT"], answer.latencies).unwrap_or_default();
    match answer.per_user() {
        Some(user) => fact("one user", format!("{} tokens/s; {reached}", rate(user))),
        None => fact("one user", reached),
    }
    if let Some((arrive, requests)) = answer.arrivals_per_s.zip(answer.requests_per_s) {
        let machines = answer.machines().filter(|count| *count > 1.0).map_or_else(String::new, |count| format!("; {} machines", grouped(count)));
        let word = if requests >= arrive { "are served" } else { "are too many" };
        fact("arrivals", format!("{} requests/s {word}, {:.0} % of what it serves{machines}", rate(arrive), 100.0 * arrive / requests));
    }
    let alone = if answer.requests_per_s.is_none() { "a token of output alone" } else { "a token of output" };
    let energy = [("a token, input and output alike", answer.energy_per_token), (alone, answer.energy_per_output_token)];
    let energy: Vec<String> = energy.into_iter().filter_map(|(name, energy)| Some(format!("{} {name}", render(energy?)))).collect();
    if !energy.is_empty() {
        fact("energy", format!("{} ({} at the racks)", energy.join(", "), render(answer.power)));
    }
    if let Some(money) = money {
        facts.extend(million_facts(answer.dollars[0], answer.dollars[1]));
        facts.push(("prices".to_owned(), price_note(money)));
    }
    Section::Facts(facts)
}

pub(super) fn answer_json(answer: &RequestAnswer) -> Json {
    let [input, output] = answer.dollars.map(|dollars| dollars.as_ref().map(dollars_json));
    json!({
        "input_tokens": answer.lengths.map(|lengths| lengths[0]), "output_tokens": answer.lengths.map(|lengths| lengths[1]),
        "cache_hit": answer.hit, "ttft_limit_s": answer.limits[0], "tpot_limit_s": answer.limits[1],
        "served": answer.is_served(), "refusal": answer.refusal, "mode": if answer.together { "together" } else { "apart" },
        "requests_per_s": answer.requests_per_s, "arrivals_per_s": answer.arrivals_per_s,
        "input_tokens_per_s": answer.input_tokens_per_s, "output_tokens_per_s": answer.output_tokens_per_s,
        "tokens_per_s_per_user": answer.per_user(), "ttft_s": answer.latencies[0], "tpot_s": answer.latencies[1],
        "prefill_share": answer.reading, "power_w": answer.power,
        "joules_per_token": answer.energy_per_token, "joules_per_output_token": answer.energy_per_output_token,
        "usd_per_million_input_tokens": input, "usd_per_million_output_tokens": output,
    })
}
