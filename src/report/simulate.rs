//! `supernode simulate`: what an engineer would paste into a design review.

use serde_json::{Value as Json, json};

use super::answer::{answer_json, answer_section};
use super::comparison::{comparison_json, comparison_sections};
use super::drawn_ranges::{ranges_fact, ranges_json};
use super::explain;
use super::format::{Report, Section};
use super::money::{dollars_json, money_json};
use super::packet_replay::{packet_replay_json, packet_replay_sections};
use super::power::{power_json, power_sections};
use super::prefixes::prefix_text;
use super::standing::{standing_fact, standing_words};
use super::transients::{transients_json, transients_sections};
use crate::footprint::Transients;
use crate::input::document::{Precisions, Standing};
use crate::serving::{OperatingPoint, PhasePoint};
use crate::study::{Band, DrawnRanges, PacketReplay, Simulation, columns, grouped};
use crate::units::{Seconds, TokensPerSecond, render};
use crate::validation::{Comparison, MedianBound, scores};

/// A simulation with the names of what was simulated.
#[derive(Clone, Debug)]
pub struct SimulateReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// What the description is of, where it is not of a machine that runs.
    pub standing: Option<Standing>,
    /// The same machine at both ends of what is guessed of its chip, where the chip is a guess.
    pub band: Option<Band>,
    /// Chip part's name.
    pub chip: String,
    /// Ranks (software-visible devices) of one chip.
    pub ranks_per_chip: u32,
    /// Shipped name or path of the workload, and its name.
    pub workload: (String, String),
    /// Shipped name or path of the target, and its name.
    pub target: (String, String),
    /// How tokens are proposed in decode, where speculation is on.
    pub speculation: Option<String>,
    /// What a reader must know of the model and the workload.
    pub notes: Vec<String>,
    /// Names of the levels, innermost first.
    pub levels: Vec<String>,
    /// Result.
    pub simulation: Simulation,
    /// How far values with a range move it, if that was asked for and can be drawn.
    pub ranges: Option<DrawnRanges>,
    /// How far watts swing within a step, by phase.
    pub transients: Vec<(&'static str, Transients)>,
    /// Predictions beside published figures of this machine.
    pub published: Vec<Comparison>,
    /// Median errors of this machine's measurements by quantity, as they are committed.
    pub medians: Vec<MedianBound>,
    /// What no measurement backs.
    pub cautions: Vec<String>,
    /// Whether the mappings that were not chosen are shown too.
    pub explain: bool,
    /// Decode with packets, if asked for.
    pub packets: Option<PacketReplay>,
}

/// What a band is told of.
const SERVED: [&str; 3] = ["served_tokens_per_s", "served_per_chip_tokens_per_s", "served_per_kilowatt_tokens_per_s"];

/// Quantities from the nearest to tokens a second on.
const NEAREST: [&str; 9] = ["decode_rate", "prefill_rate", "tpot", "serving_tpot", "serving_ttft", "collective", "exchange", "experts", "gemm"];

fn formats_json(formats: &Precisions) -> Json {
    json!({ "weights": formats.weights.name(), "experts": formats.experts().name(), "attention": formats.attention.name(),
        "kv_cache": formats.kv_cache.name(), "dispatch": formats.dispatch.name(), "combine": formats.combine.name() })
}

/// The serving engine in force.
pub(super) fn engine_text(engine: Option<&str>) -> String {
    engine.map_or_else(|| "none: kernels and transfers alone, no host time".to_owned(), str::to_owned)
}

/// How much of it: two digits of a share however small, in per cent below one, as a factor from there on.
fn share_of(ratio: f64) -> String {
    let percent = 100.0 * ratio;
    match percent {
        large if large >= 1000.0 => format!("{} times", grouped(ratio)),
        above if above >= 100.0 => format!("{ratio:.1} times"),
        // Never the whole of what is missed.
        nearly if nearly >= 99.0 => format!("{:.1} % of", (10.0 * nearly).floor() / 10.0),
        some if some >= 10.0 => format!("{some:.0} % of"),
        few if few >= 1.0 || few <= 0.0 => format!("{few:.1} % of"),
        small => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few digits")]
            let decimals = (1.0 - small.log10().floor()).min(12.0) as usize;
            format!("{small:.decimals$} % of")
        }
    }
}

impl SimulateReport {
    pub(super) fn chips(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "chip counts are far below 2^53")]
        let chips = self.simulation.inventory.chips as f64;
        chips
    }

    /// The formats that run, and what they stand for where this chip has a faster one than the workload names.
    fn formats_sentence(&self) -> String {
        let [named, run] = &self.simulation.formats;
        let list = |formats: &Precisions| {
            let parts = [("weights", formats.weights), ("attention", formats.attention), ("cache", formats.kv_cache), ("dispatch", formats.dispatch)];
            parts.map(|(part, format)| format!("{part} {}", format.name())).join(", ")
        };
        if named == run {
            list(run)
        } else {
            format!("{}; the workload names {} weights, this chip's {} is better", list(run), named.weights.name(), run.weights.name())
        }
    }

    /// Prompts and answers on chips of their own against both on the same.
    fn layout_facts(&self) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        for (name, found) in [("prefix cache", &self.simulation.prefill), ("prefix cache, on the same chips", &self.simulation.aggregated)] {
            let point = found.as_ref().and_then(|found| Some(&found.as_ref().ok()?.point));
            if let Some(text) = point.and_then(|point| prefix_text(point.prefixes.as_ref()?, point.step.time)) {
                facts.push((name.to_owned(), text));
            }
        }
        if let Some(Ok(phase)) = &self.simulation.prefill
            && let Some(transfer) = &phase.point.kv_transfer
        {
            let [bytes, exposed] = [render(transfer.prompt), render(transfer.exposed)];
            let share = 100.0 * (transfer.time / phase.point.step.time);
            facts.push(("KV transfer".to_owned(), format!("{bytes} a prompt, {share:.1} % of a pass beside it, {exposed} of it waited for")));
        }
        if let Some(Ok(phase)) = &self.simulation.decode
            && phase.point.step.drafting > Seconds::ZERO
        {
            let (step, drafting) = (phase.point.step.time, phase.point.step.drafting);
            facts.push(("draft model".to_owned(), format!("{} of a decode step, {:.0} %", render(drafting), 100.0 * (drafting / step))));
        }
        let Some(split) = self.simulation.requests_per_second else { return facts };
        facts.push(("on chips of their own".to_owned(), format!("{split:.2} requests/s of the workload's lengths")));
        if let Some(arrivals) = self.simulation.arrivals_per_second {
            let taken = if split > 0.0 { format!("{:.0} % of that", 100.0 * arrivals / split) } else { "nothing serves them".to_owned() };
            facts.push(("arrivals".to_owned(), format!("{arrivals} requests/s, {taken}")));
        }
        if let Some(goodput) = self.simulation.goodput {
            facts.push((
                "goodput".to_owned(),
                format!("{goodput:.2} requests/s on the same chips keep both limits for nine requests in ten (Poisson arrivals, served in time)"),
            ));
        }
        facts.push((
            "on the same chips".to_owned(),
            match &self.simulation.aggregated {
                Some(Ok(PhasePoint { instances, point: OperatingPoint { requests: Some(requests), .. }, .. })) => {
                    let (rate, reading) = (requests.per_second * f64::from(*instances), 100.0 * requests.reading);
                    format!("{rate:.2} requests/s, {reading:.0} % of the passes read {:.0} prompt tokens, at most {}", requests.read, requests.chunk)
                }
                Some(Ok(_)) => "whole requests are not counted".to_owned(),
                Some(Err(no)) => no.to_string(),
                None => "not asked for".to_owned(),
            },
        ));
        facts
    }

    fn verdict_sentence(&self) -> String {
        let verdict = &self.simulation.verdict;
        let (_, target) = &self.target;
        if let Some(reason) = self.simulation.serves_nothing() {
            return format!("misses: {reason}");
        }
        let word = if verdict.meets() { "meets" } else { "misses" };
        let bound = self.bound_by();
        let many = self
            .simulation
            .supernodes()
            .filter(|count| *count > 1.0)
            .map_or(String::new(), |count| format!("; {} such supernodes, spares included, would serve it", grouped(count)));
        let (share, demand) = (share_of(verdict.ratio()), verdict.demand.get());
        let peak = if demand < 1e9 { grouped(demand) } else { format!("{demand:.3e}") };
        format!("{word} {target}: {share} its peak of {peak} tokens/s{many}; bound by {bound}")
    }

    /// Lowest and highest value of a figure over what is guessed of the chip.
    fn over_band(&self, key: &str) -> Option<[f64; 2]> {
        let column = columns().find(|column| column.key == key)?;
        self.band.as_ref()?.of(column, (column.value)(&self.simulation))
    }

    /// What the machine is and what is open about it, where it is not one that runs.
    fn standing_facts(&self) -> Vec<(String, String)> {
        let standing = self.standing.as_ref().map(|standing| ("standing".to_owned(), standing_fact(standing)));
        let band = self.over_band(SERVED[0]).zip(self.over_band(SERVED[2])).map(|([low, high], [least, most])| {
            let text = "tokens/s served, with all guessed figures of chip and links at the worst and at the best end of their ranges";
            let [low, high, least, most] = [low, high, least, most].map(grouped);
            ("band".to_owned(), format!("{low} to {high} {text}; {least} to {most} a kW"))
        });
        standing.into_iter().chain(band).collect()
    }

    /// What is asked first: whether the target is met and what is in the way, tokens, watts, and how sure that is.
    fn answer(&self) -> Section {
        let simulation = &self.simulation;
        let service = &simulation.verdict.service;
        let mut facts = vec![("verdict".to_owned(), self.verdict_sentence())];
        if service.rate > TokensPerSecond::ZERO {
            let (rate, prefill) = (grouped(service.rate.get()), 100.0 * service.prefill_share);
            let video = simulation.video.as_ref().map_or(String::new(), |_| format!(", {:.0} % make video", 100.0 * service.video_share));
            facts.push(("serves".to_owned(), format!("{rate} tokens/s of the target's mix, {prefill:.0} % of the chips in prefill{video}")));
        }
        let energy = simulation.energy_per_token.map_or(String::new(), |energy| format!(", {} a token served", render(energy)));
        let working = if energy.is_empty() { ", waiting" } else { "" };
        facts.push(("draws".to_owned(), format!("{} at the racks{working}{energy}", render(simulation.power.total()))));
        facts.extend(self.ranges.as_ref().and_then(|ranges| ranges_fact(ranges, &self.supernode)));
        facts.push(("errors".to_owned(), self.errors_text()));
        facts.extend(self.standing_facts());
        Section::Facts(facts)
    }

    /// How far predictions of this machine are from what is published of it.
    fn errors_text(&self) -> String {
        match scores(&self.published).into_iter().find(|score| score.system.is_none() && score.quantity.is_none()) {
            Some(score) => format!(
                "{} published figures of this machine are predicted below: the median error is {:.1} %, nine in ten are within {:.0} %",
                score.count,
                100.0 * score.median,
                100.0 * score.ninetieth
            ),
            None if !self.medians.is_empty() => self.medians_text(),
            None => format!(
                "no published measurements are linked to this machine; `supernode uncertainty {}` says what the ranges of its parts leave open",
                self.supernode
            ),
        }
    }

    /// The medians of what is nearest to tokens first, five at most.
    fn medians_text(&self) -> String {
        let rank = |quantity: &str| NEAREST.iter().position(|known| *known == quantity).unwrap_or(NEAREST.len());
        let mut medians: Vec<&MedianBound> = self.medians.iter().collect();
        medians.sort_by_key(|median| rank(&median.quantity));
        let shown: Vec<String> = medians.iter().take(5).map(|median| format!("{} {:.0} %", median.quantity, 100.0 * median.median)).collect();
        format!(
            "median error against measurements of this machine: {}; `supernode validate --system {}` shows all, inside and outside the fit",
            shown.join(", "),
            self.supernode
        )
    }

    fn chips_text(&self) -> String {
        let ranks = if self.ranks_per_chip > 1 { format!(", {} ranks each", self.ranks_per_chip) } else { String::new() };
        format!("{} x {}{ranks}", self.simulation.inventory.chips, self.chip)
    }

    /// What holds back the phase that takes most of the chips.
    fn bound_by(&self) -> String {
        let service = &self.simulation.verdict.service;
        let decode = self.simulation.decode.as_ref().and_then(|found| found.as_ref().ok()).map(|found| found.point.step.bound.largest());
        let prefill = self.simulation.prefill.as_ref().and_then(|found| found.as_ref().ok()).map(|found| found.point.step.bound.largest());
        let video = self.simulation.video.as_ref().and_then(|video| Some(video.best.as_ref()?.bound_by()));
        let decode_share = 1.0 - service.prefill_share - service.video_share;
        let (phase, bound) = if service.video_share > service.prefill_share.max(decode_share) {
            ("video", video)
        } else if service.prefill_share > decode_share {
            ("prefill", prefill.map(|(name, _)| name))
        } else {
            ("decode", decode.map(|(name, _)| name))
        };
        bound.map_or("nothing that runs".to_owned(), |name| format!("{name} in {phase}"))
    }

    fn explain_sections(&self) -> Vec<Section> {
        let decode = self.simulation.decode_search.iter().flat_map(|search| explain::sections("decode", "TPOT", search, self.ranks_per_chip));
        let prefill = self.simulation.prefill_search.iter().flat_map(|search| explain::sections("prefill", "TTFT", search, self.ranks_per_chip));
        let aggregated = self
            .simulation
            .aggregated_search
            .iter()
            .flat_map(|search| explain::sections("both on the same chips", "TPOT", search, self.ranks_per_chip));
        decode.chain(prefill).chain(aggregated).filter(|_| self.explain).collect()
    }

    fn explain_json(&self) -> Json {
        json!({
            "decode": self.simulation.decode_search.as_ref().map(|search| explain::json(search, self.ranks_per_chip)),
            "prefill": self.simulation.prefill_search.as_ref().map(|search| explain::json(search, self.ranks_per_chip)),
            "aggregated": self.simulation.aggregated_search.as_ref().map(|search| explain::json(search, self.ranks_per_chip)),
        })
    }
}

impl Report for SimulateReport {
    fn output(&self) -> &'static str {
        "simulate"
    }

    fn json(&self) -> Json {
        let simulation = &self.simulation;
        let verdict = &simulation.verdict;
        let [standing, because] = standing_words(self.standing.as_ref());
        let band = SERVED.map(|key| (key.to_owned(), json!(self.over_band(key)))).into_iter().collect::<serde_json::Map<_, _>>();
        let mut json = json!({
            "supernode": self.supernode,
            "standing": standing,
            "standing_because": because,
            "band": self.band.is_some().then_some(band),
            "workload": self.workload.0,
            "speculation": self.speculation,
            "notes": self.notes,
            "engine": simulation.engine,
            "formats": formats_json(&simulation.formats[1]),
            "chips": simulation.inventory.chips,
            "injection_bytes_per_s": simulation.fabric_metrics.injection,
            "bisection_bytes_per_s": simulation.fabric_metrics.bisection,
            "latency_s": { "min": simulation.fabric_metrics.latency_min, "mean": simulation.fabric_metrics.latency_mean, "max": simulation.fabric_metrics.latency_max },
            "decode": simulation.decode.as_ref().map(|found| self.phase_json(found)),
            "prefill": simulation.prefill.as_ref().map(|found| self.phase_json(found)),
            "aggregated": simulation.aggregated.as_ref().map(|found| self.phase_json(found)),
            "video": simulation.video.as_ref().map(|video| self.video_json(video)),
            "requests_per_s": simulation.requests_per_second,
            "goodput_requests_per_s": simulation.goodput,
            "request": answer_json(&simulation.answer),
            "money": simulation.money.as_ref().map(|money| {
                let mut json = money_json(money);
                json["usd_per_million_tokens"] = money.per_million(verdict.service.rate.get()).as_ref().map_or(Json::Null, dollars_json);
                json
            }),
            "supernodes": simulation.supernodes(),
            "arrivals_per_s": simulation.arrivals_per_second,
            "power": power_json(&simulation.power, verdict.service.rate, &self.levels),
            "transients": transients_json(&self.transients, &simulation.power),
            "verdict": {
                "target": self.target.0,
                "meets": verdict.meets(),
                "ratio": verdict.ratio(),
                "demand_tokens_per_s": verdict.demand,
                "served_tokens_per_s": verdict.service.rate,
                "prefill_share": verdict.service.prefill_share,
                "video_share": verdict.service.video_share,
                "bound_by": self.bound_by(),
                "text": self.verdict_sentence(),
            },
            "uncertainty": self.ranges.as_ref().map(ranges_json),
            "published": self.published.iter().map(comparison_json).collect::<Vec<_>>(),
            "cautions": self.cautions,
        });
        if let Some(replay) = &self.packets {
            json["packets"] = packet_replay_json(replay);
        }
        if self.explain {
            json["explain"] = self.explain_json();
        }
        json
    }

    fn sections(&self) -> Vec<Section> {
        let simulation = &self.simulation;
        let metrics = &simulation.fabric_metrics;
        let mut facts = vec![
            ("chips".to_owned(), self.chips_text()),
            ("workload".to_owned(), self.workload.1.clone()),
            ("engine".to_owned(), engine_text(simulation.engine.as_deref())),
            ("formats".to_owned(), self.formats_sentence()),
            ("speculation".to_owned(), self.speculation.clone().unwrap_or_else(|| "off".to_owned())),
            ("injection".to_owned(), format!("{} a chip, one way", render(metrics.injection))),
            ("bisection".to_owned(), format!("{}, one way", render(metrics.bisection))),
            (
                "latency".to_owned(),
                format!("{} nearest, {} farthest, one way, without software", render(metrics.latency_min), render(metrics.latency_max)),
            ),
        ];
        for (op, bytes, time, bus) in &simulation.collectives {
            let size = if bytes.get() < 1e8 { "1 MiB" } else { "1 GiB" };
            facts.push((format!("{} {size}", op.name()), format!("{}, busbw {}", render(*time), render(*bus))));
        }
        let answer = answer_section(&simulation.answer, simulation.money.as_ref());
        let mut sections = vec![Section::Title(self.title.clone()), answer, self.answer()];
        sections.extend(self.notes.iter().map(|note| Section::Note(format!("Note: {note}."))));
        sections.push(Section::Facts(facts));
        sections.push(Section::Title("Tokens".into()));
        sections.push(Section::Table(self.phase_table()));
        for (phase, reason) in self.simulation.refusals() {
            sections.push(Section::Note(format!("{phase}: {reason}")));
        }
        sections.extend(self.cautions.iter().map(|caution| Section::Note(caution.clone())));
        let layout = self.layout_facts();
        if !layout.is_empty() {
            sections.push(Section::Facts(layout));
        }
        let time = self.time_table();
        if !time.rows.is_empty() {
            sections.push(Section::Title("Where the time of a step goes".into()));
            sections.push(Section::Table(time));
        }
        sections.extend(self.packets.iter().flat_map(packet_replay_sections));
        sections.extend(self.explain_sections());
        sections.extend(power_sections(&simulation.power, simulation.verdict.service.rate, "served", &self.levels));
        sections.extend(transients_sections(&self.transients, &simulation.power));
        if !self.published.is_empty() {
            sections.push(Section::Title("Predicted beside published".into()));
            sections.extend(comparison_sections(&self.published));
        }
        sections
    }
}

#[cfg(test)]
mod tests {
    use super::share_of;

    #[test]
    fn shares_keep_two_digits() {
        let shares = [0.0, 3.7e-5, 0.001_367, 0.0137, 0.137, 0.9999, 1.0, 2.34, 1234.0].map(share_of);
        assert_eq!(shares, ["0.0 % of", "0.0037 % of", "0.14 % of", "1.4 % of", "14 % of", "99.9 % of", "1.0 times", "2.3 times", "1 234 times"]);
    }
}
