//! A pass as Chrome trace JSON: opens in Perfetto and in `chrome://tracing`.
//!
//! One process for each phase, one thread for each micro-batch and resource. Timestamps are microseconds from the start of the pass.

use serde_json::{Value as Json, json};

use crate::serving::{Resource, Slot, Step, schedule};
use crate::units::Seconds;

/// The passes, each with the name of its phase.
#[must_use]
pub fn chrome_trace(passes: &[(&str, &Step)]) -> Json {
    let events: Vec<Json> = (1u32..).zip(passes).flat_map(|(process, (name, step))| process_events(process, name, step)).collect();
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}

fn process_events(process: u32, name: &str, step: &Step) -> Vec<Json> {
    let mut events = vec![json!({ "ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": { "name": name } })];
    let micro_batches = step.segments.iter().map(|segment| segment.micro_batches).max().unwrap_or(1);
    for micro_batch in 0..micro_batches {
        for resource in [Resource::Compute, Resource::Fabric] {
            let label = format!("micro-batch {micro_batch}, {}", resource_name(resource));
            let thread = thread(micro_batch, resource);
            events.push(json!({ "ph": "M", "name": "thread_name", "pid": process, "tid": thread, "args": { "name": label } }));
        }
    }
    let mut start = Seconds::ZERO;
    let mut layer = 0;
    for segment in &step.segments {
        let slots = schedule(&segment.stages, segment.micro_batches, segment.layers);
        let mut end = Seconds::ZERO;
        for slot in &slots {
            end = end.max(slot.start + slot.stage.time);
            events.push(json!({
                "ph": "X",
                "name": slot.stage.name,
                "cat": resource_name(slot.stage.resource),
                "pid": process,
                "tid": thread(slot.micro_batch, slot.stage.resource),
                "ts": (start + slot.start).microseconds(),
                "dur": slot.stage.time.microseconds(),
                "args": { "layer": layer + slot.layer, "micro_batch": slot.micro_batch, "exposed_us": exposed(slot, &slots).microseconds() },
            }));
        }
        start += end;
        layer += segment.layers;
    }
    events
}

/// Of a slot, the time in which the other resource stands still; for a transfer, what nothing hides.
fn exposed(slot: &Slot, slots: &[Slot]) -> Seconds {
    let end = slot.start + slot.stage.time;
    let beside = slots.iter().filter(|other| other.stage.resource != slot.stage.resource);
    let hidden = beside.map(|other| {
        let (from, to) = (slot.start.max(other.start), end.min(other.start + other.stage.time));
        if to > from { to - from } else { Seconds::ZERO }
    });
    (slot.stage.time - hidden.sum()).max(Seconds::ZERO)
}

fn thread(micro_batch: u32, resource: Resource) -> u32 {
    2 * micro_batch + 1 + u32::from(resource == Resource::Fabric)
}

fn resource_name(resource: Resource) -> &'static str {
    match resource {
        Resource::Compute => "compute",
        Resource::Fabric => "fabric",
    }
}
