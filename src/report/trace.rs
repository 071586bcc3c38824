//! A pass as Chrome trace JSON: opens in Perfetto and in `chrome://tracing`.
//!
//! One process for each phase, one thread for each micro-batch and resource, one counter of watts for each place. Timestamps are
//! microseconds from the start of the pass.

use serde_json::{Value as Json, json};

use super::power::place_name;
use crate::execution::{Limit, MOST_MICRO_BATCHES, Resource, Step, TimelineEntry, timeline};
use crate::footprint::PowerStretch;
use crate::units::Seconds;

/// One phase of a trace.
#[derive(Clone, Copy, Debug)]
pub struct TracedPass<'a> {
    /// Phase.
    pub name: &'a str,
    /// The pass.
    pub step: &'a Step,
    /// What the machine draws while it runs the pass.
    pub power: &'a [PowerStretch],
    /// Names of the levels, innermost first.
    pub levels: &'a [String],
}

/// The passes side by side.
#[must_use]
pub fn chrome_trace(passes: &[TracedPass<'_>]) -> Json {
    let events: Vec<Json> = (1u32..).zip(passes).flat_map(|(process, pass)| process_events(process, pass)).collect();
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}

fn process_events(process: u32, pass: &TracedPass<'_>) -> Vec<Json> {
    let mut events = vec![json!({ "ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": { "name": pass.name } })];
    let micro_batches = pass.step.segments.iter().map(|segment| segment.micro_batches).max().unwrap_or(1);
    for micro_batch in 0..micro_batches {
        for resource in resources(pass.step) {
            let label = format!("micro-batch {micro_batch}, {}", resource_name(resource));
            let thread = thread(micro_batch, resource);
            events.push(json!({ "ph": "M", "name": "thread_name", "pid": process, "tid": thread, "args": { "name": label } }));
        }
    }
    events.extend(timeline(pass.step).iter().map(|moment| stage_event(process, moment)));
    events.extend(pass.power.iter().map(|stretch| power_event(process, stretch, pass.levels)));
    // A counter keeps its last value until it is told another.
    if let Some(last) = pass.power.last() {
        let start = last.end;
        events.push(power_event(process, &PowerStretch { start, ..last.clone() }, pass.levels));
    }
    events
}

/// Cores and wires; those between attention and experts too where they have chips of their own.
fn resources(step: &Step) -> impl Iterator<Item = Resource> {
    let apart = step.segments.iter().flat_map(|segment| &segment.stages).any(|stage| stage.resource == Resource::Experts);
    Resource::ALL.into_iter().filter(move |resource| apart || matches!(resource, Resource::Compute | Resource::Fabric))
}

fn stage_event(process: u32, moment: &TimelineEntry) -> Json {
    let (category, colour) = category(moment);
    let work = &moment.work;
    json!({
        "ph": "X",
        "name": moment.stage.name,
        "cat": category,
        "cname": colour,
        "pid": process,
        "tid": thread(moment.micro_batch, moment.stage.resource),
        "ts": moment.start.microseconds(),
        "dur": moment.stage.time.microseconds(),
        "args": {
            "layer": moment.layer,
            "micro_batch": moment.micro_batch,
            "bound_by": category,
            "exposed_us": moment.exposed.microseconds(),
            "hidden_us": (moment.stage.time - moment.exposed).max(Seconds::ZERO).microseconds(),
            "flop": work.flop.iter().copied().sum::<crate::units::Flop>(),
            "memory_bytes": work.memory,
            "sent_bytes": work.sent,
        },
    })
}

/// What a stage waits for, and one of the viewers' colours for it.
fn category(moment: &TimelineEntry) -> (&'static str, &'static str) {
    match moment.work.limit {
        Limit::Launch => ("launch", "generic_work"),
        Limit::Compute => ("compute", "thread_state_running"),
        Limit::Memory => ("memory bandwidth", "thread_state_iowait"),
        Limit::Communication if moment.exposed <= Seconds::ZERO => ("hidden communication", "thread_state_runnable"),
        Limit::Communication if moment.exposed < moment.stage.time => ("partly exposed communication", "bad"),
        Limit::Communication => ("exposed communication", "terrible"),
    }
}

fn power_event(process: u32, stretch: &PowerStretch, levels: &[String]) -> Json {
    let places: serde_json::Map<String, Json> =
        stretch.power.by_place().into_iter().map(|(place, watts)| (place_name(place, levels), json!(watts))).collect();
    json!({ "ph": "C", "name": "power, W", "pid": process, "tid": 0, "ts": stretch.start.microseconds(), "args": places })
}

fn thread(micro_batch: u32, resource: Resource) -> u32 {
    let place = match resource {
        Resource::Compute => 1,
        Resource::Fabric => 2,
        // Beyond those of all micro-batches.
        Resource::Experts => 2 * MOST_MICRO_BATCHES + 1,
        Resource::Return => 2 * MOST_MICRO_BATCHES + 2,
    };
    2 * micro_batch + place
}

fn resource_name(resource: Resource) -> &'static str {
    match resource {
        Resource::Compute => "compute",
        Resource::Fabric => "fabric",
        Resource::Experts => "compute of experts",
        Resource::Return => "fabric, way back",
    }
}
