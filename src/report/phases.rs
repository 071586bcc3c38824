//! The phases of a simulation, one beside the other: rates, mappings, latencies, where the time of a step goes.

use serde_json::{Value as Json, json};

use super::clip::point_json;
use super::format::Table;
use super::prefixes::prefix_json;
use super::simulate::SimulateReport;
use crate::execution::{Mapping, Step};
use crate::serving::{Infeasible, OperatingPoint, PhasePoint};
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

/// What the service level limits, by name.
fn latencies(point: &OperatingPoint) -> String {
    let named = [("TPOT", point.tpot), ("TTFT", point.ttft)];
    named.into_iter().filter_map(|(name, time)| Some(format!("{name} {}", render(time?)))).collect::<Vec<_>>().join(", ")
}

impl SimulateReport {
    /// What an instance does in any role; keys of what it has nothing to do with are left out.
    pub(super) fn phase_json(&self, found: &Result<PhasePoint, Infeasible>) -> Json {
        let Ok(phase) = found else { return Json::Null };
        let (point, step) = (&phase.point, &phase.point.step);
        let mut json = json!({
            "tokens_per_s": phase.rate,
            "tokens_per_s_per_chip": phase.rate.get() / self.chips(),
            "batch_per_chip": point.batch_per_chip(self.ranks_per_chip),
            "mapping": mapping_json(&point.mapping),
            "instances": phase.instances,
            "micro_batches": point.micro_batches,
        });
        for (key, time) in [("tpot_s", point.tpot), ("ttft_s", point.ttft)] {
            if let Some(time) = time {
                json[key] = json!(time);
            }
        }
        json["step_s"] = json!(step.time);
        if step.drafting > Seconds::ZERO {
            json["draft_s"] = json!(step.drafting);
        }
        json["bound_by"] = json!(step.bound.largest().0);
        json["time"] = bound_json(step);
        if let Some(requests) = &point.requests {
            json["requests_per_s"] = json!(requests.per_second * f64::from(phase.instances));
            json["chunk_tokens"] = json!(requests.chunk);
            json["passes_with_a_chunk"] = json!(requests.reading);
            json["tokens_read_in_one"] = json!(requests.read);
        }
        if let Some(prefixes) = point.prefixes.as_ref().filter(|prefixes| prefixes.capacity.is_some()) {
            json["prefix_cache"] = prefix_json(prefixes);
        }
        if let Some(transfer) = &point.kv_transfer {
            json["kv_transfer"] = json!({ "prompt_bytes": transfer.prompt, "time_s": transfer.time, "exposed_s": transfer.exposed });
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
        for (name, found) in [("decode", &simulation.decode), ("prefill", &simulation.prefill), ("both on the same chips", &simulation.aggregated)] {
            if let Some(Ok(phase)) = found {
                table.row(self.phase_row(name, phase));
            }
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

    fn phase_row(&self, name: &str, phase: &PhasePoint) -> [String; 10] {
        let (point, mapping) = (&phase.point, phase.point.mapping);
        let batch = point.batch_per_chip(self.ranks_per_chip);
        [
            name.to_owned(),
            grouped(phase.rate.get()),
            grouped(phase.rate.get() / self.chips()),
            short_mapping(&mapping),
            mapping.chips(self.ranks_per_chip).to_string(),
            phase.instances.to_string(),
            if batch < 10.0 { format!("{batch:.1}") } else { format!("{batch:.0}") },
            point.micro_batches.to_string(),
            latencies(point),
            point.step.bound.largest().0.to_owned(),
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
        let simulation = &self.simulation;
        for (name, found) in [("decode", &simulation.decode), ("prefill", &simulation.prefill), ("both, with a chunk", &simulation.aggregated)] {
            if let Some(Ok(phase)) = found {
                row(name, &phase.point.step);
            }
        }
        table
    }
}
