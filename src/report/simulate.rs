//! `supernode simulate`: what an engineer would paste into a design review.

use serde_json::{Value as Json, json};

use super::explain;
use super::format::{Report, Section, Table};
use super::power::{power_json, power_sections};
use crate::serving::{DecodePoint, Mapping, No, Phase, PrefillPoint, Step};
use crate::study::{Comparison, Simulation};
use crate::units::{Seconds, render};

/// A simulation with the names of what was simulated.
#[derive(Clone, Debug)]
pub struct SimulateReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// Chip part's name.
    pub chip: String,
    /// Ranks (software-visible devices) of one chip.
    pub ranks_per_chip: u32,
    /// Shipped name or path of the workload, and its name.
    pub workload: (String, String),
    /// Shipped name or path of the target, and its name.
    pub target: (String, String),
    /// Names of the levels, innermost first.
    pub levels: Vec<String>,
    /// Result.
    pub simulation: Simulation,
    /// Predictions beside published figures of this machine.
    pub published: Vec<Comparison>,
    /// Whether the mappings that were not chosen are shown too.
    pub explain: bool,
}

fn mapping_json(mapping: &Mapping) -> Json {
    json!({ "tp": mapping.tp, "ep": mapping.ep, "dp": mapping.dp, "pp": mapping.pp })
}

fn bound_json(step: &Step) -> Json {
    let bound = &step.bound;
    json!({ "compute_s": bound.compute, "memory_s": bound.memory, "communication_s": bound.communication, "launch_s": bound.launch,
        "power_limit_s": bound.power })
}

impl SimulateReport {
    fn chips(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "chip counts are far below 2^53")]
        let chips = self.simulation.inventory.chips as f64;
        chips
    }

    fn decode_json(&self, found: &Result<Phase<DecodePoint>, No>) -> Json {
        match found {
            Ok(phase) => json!({
                "tokens_per_s": phase.rate,
                "tokens_per_s_per_chip": phase.rate.get() / self.chips(),
                "batch_per_chip": phase.point.batch_per_chip(self.ranks_per_chip),
                "mapping": mapping_json(&phase.point.mapping),
                "instances": phase.instances,
                "micro_batches": phase.point.micro_batches,
                "tpot_s": phase.point.tpot,
                "step_s": phase.point.step.time,
                "bound_by": phase.point.step.bound.largest().0,
                "time": bound_json(&phase.point.step),
            }),
            Err(_) => Json::Null,
        }
    }

    fn prefill_json(&self, found: &Result<Phase<PrefillPoint>, No>) -> Json {
        match found {
            Ok(phase) => json!({
                "tokens_per_s": phase.rate,
                "tokens_per_s_per_chip": phase.rate.get() / self.chips(),
                "batch_per_chip": phase.point.batch_per_chip(self.ranks_per_chip),
                "mapping": mapping_json(&phase.point.mapping),
                "instances": phase.instances,
                "micro_batches": phase.point.micro_batches,
                "ttft_s": phase.point.ttft,
                "step_s": phase.point.step.time,
                "bound_by": phase.point.step.bound.largest().0,
                "time": bound_json(&phase.point.step),
            }),
            Err(_) => Json::Null,
        }
    }

    /// Why the target is missed although the input is right: the reasons of the impossible phases.
    fn refusals(&self) -> Vec<(&'static str, String)> {
        let decode = self.simulation.decode.as_ref().and_then(|found| found.as_ref().err()).map(|no| ("decode", no.to_string()));
        let prefill = self.simulation.prefill.as_ref().and_then(|found| found.as_ref().err()).map(|no| ("prefill", no.to_string()));
        decode.into_iter().chain(prefill).collect()
    }

    fn verdict_sentence(&self) -> String {
        let verdict = &self.simulation.verdict;
        let (_, target) = &self.target;
        let refusals = self.refusals();
        if let Some((phase, reason)) = refusals.first() {
            return format!("misses: {reason} ({phase})");
        }
        let word = if verdict.meets() { "meets" } else { "misses" };
        let bound = self.bound_by();
        let many = verdict.supernodes().map_or(String::new(), |count| format!("; {count:.0} such supernodes would serve it"));
        format!("{word} {target}: {:.4} of its peak of {:.3e} tokens/s{many}; bound by {bound}", verdict.ratio(), verdict.demand.get())
    }

    /// What holds back the phase that takes most of the chips.
    fn bound_by(&self) -> String {
        let share = self.simulation.verdict.service.prefill_share;
        let decode = self.simulation.decode.as_ref().and_then(|found| found.as_ref().ok()).map(|found| found.point.step.bound.largest());
        let prefill = self.simulation.prefill.as_ref().and_then(|found| found.as_ref().ok()).map(|found| found.point.step.bound.largest());
        let (phase, bound) = if share > 0.5 { ("prefill", prefill) } else { ("decode", decode) };
        bound.map_or("nothing that runs".to_owned(), |(name, _)| format!("{name} in {phase}"))
    }

    fn phase_table(&self) -> Table {
        let mut table = Table::new(&[
            "<phase",
            "tokens/s",
            "per chip",
            "<mapping",
            "chips each",
            "instances",
            "batch/chip",
            "µ-batches",
            "<latency",
            "<bound by",
        ]);
        let mapping = |mapping: &Mapping| format!("TP{} EP{} DP{} PP{}", mapping.tp, mapping.ep, mapping.dp, mapping.pp);
        if let Some(Ok(phase)) = &self.simulation.decode {
            let point = &phase.point;
            table.row([
                "decode".to_owned(),
                format!("{:.0}", phase.rate.get()),
                format!("{:.0}", phase.rate.get() / self.chips()),
                mapping(&point.mapping),
                point.mapping.chips(self.ranks_per_chip).to_string(),
                phase.instances.to_string(),
                format!("{:.0}", point.batch_per_chip(self.ranks_per_chip)),
                point.micro_batches.to_string(),
                format!("TPOT {}", render(point.tpot)),
                point.step.bound.largest().0.to_owned(),
            ]);
        }
        if let Some(Ok(phase)) = &self.simulation.prefill {
            let point = &phase.point;
            table.row([
                "prefill".to_owned(),
                format!("{:.0}", phase.rate.get()),
                format!("{:.0}", phase.rate.get() / self.chips()),
                mapping(&point.mapping),
                point.mapping.chips(self.ranks_per_chip).to_string(),
                phase.instances.to_string(),
                format!("{:.1}", point.batch_per_chip(self.ranks_per_chip)),
                point.micro_batches.to_string(),
                format!("TTFT {}", render(point.ttft)),
                point.step.bound.largest().0.to_owned(),
            ]);
        }
        table
    }

    fn time_table(&self) -> Table {
        let mut table = Table::new(&["<phase", "step", "compute", "memory", "exposed transfers", "launches", "<one layer, one µ-batch"]);
        let mut row = |phase: &str, step: &Step| {
            let share = |part: Seconds| format!("{:.0} %", 100.0 * (part / step.time));
            let bound = &step.bound;
            let stages = step.stages.iter().map(|stage| format!("{} {}", stage.name, render(stage.time))).collect::<Vec<_>>().join(", ");
            table.row([
                phase.to_owned(),
                render(step.time),
                share(bound.compute),
                share(bound.memory),
                share(bound.communication),
                share(bound.launch),
                stages,
            ]);
        };
        if let Some(Ok(phase)) = &self.simulation.decode {
            row("decode", &phase.point.step);
        }
        if let Some(Ok(phase)) = &self.simulation.prefill {
            row("prefill", &phase.point.step);
        }
        table
    }

    fn explain_sections(&self) -> Vec<Section> {
        let decode = self.simulation.decode_search.iter().flat_map(|search| explain::sections("decode", "TPOT", search, self.ranks_per_chip));
        let prefill = self.simulation.prefill_search.iter().flat_map(|search| explain::sections("prefill", "TTFT", search, self.ranks_per_chip));
        decode.chain(prefill).filter(|_| self.explain).collect()
    }

    fn explain_json(&self) -> Json {
        json!({
            "decode": self.simulation.decode_search.as_ref().map(|search| explain::json(search, self.ranks_per_chip)),
            "prefill": self.simulation.prefill_search.as_ref().map(|search| explain::json(search, self.ranks_per_chip)),
        })
    }

    fn published_sections(&self) -> Vec<Section> {
        if self.published.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new(&["<id", "<quantity", "<unit", "published", "predicted", "error"]);
        let mut left_out: Vec<(String, Vec<&str>)> = Vec::new();
        let mut errors = Vec::new();
        for case in &self.published {
            match (&case.predicted, case.error()) {
                (Ok(predicted), Some(error)) => {
                    let measured =
                        case.measured.1.map_or(significant(case.measured.0), |to| format!("{} to {}", significant(case.measured.0), significant(to)));
                    table.row([
                        case.id.clone(),
                        case.quantity.clone(),
                        case.unit.clone(),
                        measured,
                        significant(*predicted),
                        format!("{:+.1} %", 100.0 * error),
                    ]);
                    errors.push(error.abs());
                }
                (Err(reason), _) => match left_out.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, ids)) => ids.push(case.id.as_str()),
                    None => left_out.push((reason.clone(), vec![case.id.as_str()])),
                },
                _ => {}
            }
        }
        errors.sort_by(f64::total_cmp);
        let median = errors.get(errors.len() / 2).copied().unwrap_or(0.0);
        let within = errors.iter().filter(|error| **error <= 0.15).count();
        let mut sections = vec![
            Section::Title("Predicted beside published".into()),
            Section::Table(table),
            Section::Note(format!("{} figures predicted: median error {:.1} %, {within} within 15 %.", errors.len(), 100.0 * median)),
        ];
        if !left_out.is_empty() {
            let reasons = left_out.into_iter().map(|(reason, ids)| (reason, ids.join(", "))).collect();
            sections.push(Section::Note("Not predicted, and why:".into()));
            sections.push(Section::Facts(reasons));
        }
        sections
    }
}

/// Three significant digits or all digits before the point.
fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 100.0 || magnitude == 0.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

impl Report for SimulateReport {
    fn json(&self) -> Json {
        let simulation = &self.simulation;
        let verdict = &simulation.verdict;
        let mut json = json!({
            "supernode": self.supernode,
            "workload": self.workload.0,
            "chips": simulation.inventory.chips,
            "injection_bytes_per_s": simulation.survey.injection,
            "bisection_bytes_per_s": simulation.survey.bisection,
            "latency_s": { "min": simulation.survey.latency_min, "mean": simulation.survey.latency_mean, "max": simulation.survey.latency_max },
            "decode": simulation.decode.as_ref().map(|found| self.decode_json(found)),
            "prefill": simulation.prefill.as_ref().map(|found| self.prefill_json(found)),
            "power": power_json(&simulation.power, verdict.service.rate, &self.levels),
            "verdict": {
                "target": self.target.0,
                "meets": verdict.meets(),
                "ratio": verdict.ratio(),
                "demand_tokens_per_s": verdict.demand,
                "served_tokens_per_s": verdict.service.rate,
                "prefill_share": verdict.service.prefill_share,
                "bound_by": self.bound_by(),
                "text": self.verdict_sentence(),
            },
            "published": self.published.iter().map(|case| json!({
                "id": case.id, "quantity": case.quantity, "unit": case.unit,
                "measured": case.measured.0, "measured_to": case.measured.1,
                "predicted": case.predicted.as_ref().ok(), "error": case.error(),
                "not_predicted": case.predicted.as_ref().err(),
            })).collect::<Vec<_>>(),
        });
        if self.explain {
            json["explain"] = self.explain_json();
        }
        json
    }

    fn sections(&self) -> Vec<Section> {
        let simulation = &self.simulation;
        let survey = &simulation.survey;
        let mut facts = vec![
            ("chips".to_owned(), format!("{} x {}, {} ranks each", simulation.inventory.chips, self.chip, self.ranks_per_chip)),
            ("workload".to_owned(), self.workload.1.clone()),
            ("injection".to_owned(), format!("{} a chip, one way", render(survey.injection))),
            ("bisection".to_owned(), format!("{}, one way", render(survey.bisection))),
            (
                "latency".to_owned(),
                format!("{} nearest, {} farthest, one way, without software", render(survey.latency_min), render(survey.latency_max)),
            ),
        ];
        for (op, bytes, time, bus) in &simulation.collectives {
            let size = if bytes.get() < 1e8 { "1 MiB" } else { "1 GiB" };
            facts.push((format!("{} {size}", op.name()), format!("{}, busbw {}", render(*time), render(*bus))));
        }
        let mut sections = vec![Section::Title(self.title.clone()), Section::Facts(facts)];
        sections.push(Section::Title("Tokens".into()));
        sections.push(Section::Table(self.phase_table()));
        for (phase, reason) in self.refusals() {
            sections.push(Section::Note(format!("{phase}: {reason}")));
        }
        sections.push(Section::Title("Where the time of a step goes".into()));
        sections.push(Section::Table(self.time_table()));
        sections.extend(self.explain_sections());
        sections.extend(power_sections(&simulation.power, simulation.verdict.service.rate, &self.levels));
        sections.push(Section::Title("Verdict".into()));
        let service = &simulation.verdict.service;
        sections.push(Section::Facts(vec![
            (
                "serves".to_owned(),
                format!("{:.0} tokens/s of the target's mix, {:.0} % of the chips in prefill", service.rate.get(), 100.0 * service.prefill_share),
            ),
            ("verdict".to_owned(), self.verdict_sentence()),
        ]));
        sections.extend(self.published_sections());
        sections
    }
}
