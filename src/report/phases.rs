//! The phases of a simulation, one beside the other: rates, mappings, latencies, where the time of a step goes.

use serde_json::{Value as Json, json};

use super::clip::point_json;
use super::format::Table;
use super::prefixes::prefix_json;
use super::simulate::SimulateReport;
use crate::execution::{Mapping, Step};
use crate::serving::{AggregatedPoint, DecodePoint, Infeasible, Phase, Point, PrefillPoint};
use crate::study::{ClipSimulation, grouped};
use crate::units::{Seconds, render};

fn mapping_json(mapping: &Mapping) -> Json {
    json!(mapping)
}

/// Degrees in the words of the field; sequence parallelism and ranks for experts alone only where there are some.
fn short_mapping(mapping: &Mapping) -> String {
    let shared = if mapping.sp > 1 { format!(" SP{}", mapping.sp) } else { String::new() };
    let apart = mapping.ffn.map_or(String::new(), |ffn| format!(" FFN{ffn}"));
    format!("TP{} EP{} DP{} PP{}{shared}{apart}", mapping.tp, mapping.ep, mapping.dp, mapping.pp)
}

fn bound_json(step: &Step) -> Json {
    let bound = &step.bound;
    json!({ "compute_s": bound.compute, "memory_s": bound.memory, "communication_s": bound.communication, "launch_s": bound.launch,
        "power_limit_s": bound.power })
}

impl SimulateReport {
    /// What every phase says; its latencies under the keys given.
    fn phase_json<P: Point>(&self, found: &Result<Phase<P>, Infeasible>, latencies: impl Fn(&P) -> Vec<(&'static str, Seconds)>) -> Json {
        let Ok(phase) = found else { return Json::Null };
        let (point, step) = (&phase.point, phase.point.step());
        let mut json = json!({
            "tokens_per_s": phase.rate,
            "tokens_per_s_per_chip": phase.rate.get() / self.chips(),
            "batch_per_chip": point.batch_per_chip(self.ranks_per_chip),
            "mapping": mapping_json(&point.mapping()),
            "instances": phase.instances,
            "micro_batches": point.micro_batches(),
        });
        for (key, time) in latencies(point) {
            json[key] = json!(time);
        }
        json["step_s"] = json!(step.time);
        if step.drafting > Seconds::ZERO {
            json["draft_s"] = json!(step.drafting);
        }
        json["bound_by"] = json!(step.bound.largest().0);
        json["time"] = bound_json(step);
        json
    }

    pub(super) fn decode_json(&self, found: &Result<Phase<DecodePoint>, Infeasible>) -> Json {
        self.phase_json(found, |point| vec![("tpot_s", point.tpot)])
    }

    pub(super) fn prefill_json(&self, found: &Result<Phase<PrefillPoint>, Infeasible>) -> Json {
        let mut json = self.phase_json(found, |point| vec![("ttft_s", point.ttft)]);
        if let Some(phase) = found.as_ref().ok().filter(|phase| phase.point.prefixes.capacity.is_some()) {
            json["prefix_cache"] = prefix_json(&phase.point.prefixes);
        }
        if let Ok(Some(handover)) = found.as_ref().map(|phase| &phase.point.handover) {
            json["kv_transfer"] = json!({ "prompt_bytes": handover.prompt, "time_s": handover.time, "exposed_s": handover.exposed });
        }
        json
    }

    pub(super) fn aggregated_json(&self, found: &Result<Phase<AggregatedPoint>, Infeasible>) -> Json {
        let mut json = self.phase_json(found, |point| vec![("tpot_s", point.tpot), ("ttft_s", point.ttft)]);
        if let Ok(phase) = found {
            json["requests_per_s"] = json!(phase.point.requests_per_second * f64::from(phase.instances));
            json["chunk_tokens"] = json!(phase.point.chunk);
            json["passes_with_a_chunk"] = json!(phase.point.reading);
            if phase.point.prefixes.capacity.is_some() {
                json["prefix_cache"] = prefix_json(&phase.point.prefixes);
            }
        }
        json
    }

    pub(super) fn video_json(&self, video: &ClipSimulation) -> Json {
        json!({
            "clip": video.name,
            "tokens_per_s": video.rate(),
            "tokens_per_s_per_chip": video.rate().map(|rate| rate.get() / self.chips()),
            "billed_tokens_per_clip": video.billed,
            "best": video.best.as_ref().map(point_json),
        })
    }

    pub(super) fn phase_table(&self) -> Table {
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
        let simulation = &self.simulation;
        if let Some(Ok(phase)) = &simulation.decode {
            table.row(self.phase_row("decode", phase, format!("TPOT {}", render(phase.point.tpot))));
        }
        if let Some(Ok(phase)) = &simulation.prefill {
            table.row(self.phase_row("prefill", phase, format!("TTFT {}", render(phase.point.ttft))));
        }
        if let Some(Ok(phase)) = &simulation.aggregated {
            let latency = format!("TPOT {}, TTFT {}", render(phase.point.tpot), render(phase.point.ttft));
            table.row(self.phase_row("both on the same chips", phase, latency));
        }
        if let Some((video, best)) = simulation.video.as_ref().and_then(|video| Some((video, video.best.as_ref()?))) {
            let rate = video.rate().unwrap_or_default().get();
            table.row([
                "video".to_owned(),
                grouped(rate),
                grouped(rate / self.chips()),
                format!("SP{}", best.ranks),
                best.ranks.div_ceil(self.ranks_per_chip).to_string(),
                best.instances.to_string(),
                "-".to_owned(),
                "1".to_owned(),
                format!("{} a clip", render(best.time)),
                best.bound_by().to_owned(),
            ]);
        }
        table
    }

    fn phase_row<P: Point>(&self, name: &str, phase: &Phase<P>, latency: String) -> [String; 10] {
        let (point, mapping) = (&phase.point, phase.point.mapping());
        let batch = point.batch_per_chip(self.ranks_per_chip);
        [
            name.to_owned(),
            grouped(phase.rate.get()),
            grouped(phase.rate.get() / self.chips()),
            short_mapping(&mapping),
            mapping.chips(self.ranks_per_chip).to_string(),
            phase.instances.to_string(),
            if batch < 10.0 { format!("{batch:.1}") } else { format!("{batch:.0}") },
            point.micro_batches().to_string(),
            latency,
            point.step().bound.largest().0.to_owned(),
        ]
    }

    pub(super) fn time_table(&self) -> Table {
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
        if let Some(Ok(phase)) = &self.simulation.aggregated {
            row("both, with a chunk", &phase.point.step);
        }
        table
    }
}
