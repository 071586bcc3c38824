//! A training step as Chrome trace JSON: opens in Perfetto and in `chrome://tracing`.
//!
//! One process for each stage of the pipeline, with threads for its kernels, for transfers of layers and between stages, and for gradients
//! and weights; before them one with a counter of the racks' watts. Timestamps are microseconds from the start of the step.

use serde_json::{Value as Json, json};

use crate::study::TrainingWatts;
use crate::training::{PipelineEvent, TrainingStep, TrainingTimelineEntry, training_timeline};
use crate::units::{Seconds, Watts};

/// The threads of a stage.
const THREADS: [&str; 3] = ["kernels", "transfers", "gradients and weights"];

/// A step, stage by stage.
#[must_use]
pub fn training_trace(step: &TrainingStep, drawn: &TrainingWatts) -> Json {
    let layout = &step.layout;
    let ranks = layout.tp * layout.dp;
    let mut events = Vec::new();
    for stage in 0..layout.pp {
        let name = format!("stage {stage}, ranks {} to {}", stage * ranks, (stage + 1) * ranks - 1);
        events.push(json!({ "ph": "M", "name": "process_name", "pid": stage + 1, "tid": 0, "args": { "name": name } }));
        for (thread, name) in (1..).zip(THREADS) {
            events.push(json!({ "ph": "M", "name": "thread_name", "pid": stage + 1, "tid": thread, "args": { "name": name } }));
        }
    }
    events.extend(training_timeline(step).iter().map(event));
    events.push(json!({ "ph": "M", "name": "process_name", "pid": 0, "tid": 0, "args": { "name": "power" } }));
    events.extend(drawn.duties.iter().zip(&drawn.watts).map(|((start, _, _), watts)| power_event(*start, *watts)));
    // A counter keeps its last value until it is told another.
    if let (Some((_, end, _)), Some(watts)) = (drawn.duties.last(), drawn.watts.last()) {
        events.push(power_event(*end, *watts));
    }
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}

fn power_event(at: Seconds, watts: Watts) -> Json {
    json!({ "ph": "C", "name": "power, W", "pid": 0, "tid": 0, "ts": at.microseconds(), "args": { "racks": watts } })
}

fn event(moment: &TrainingTimelineEntry) -> Json {
    // Colours are among those that trace viewers know by name.
    let (name, thread, colour) = match moment.event {
        PipelineEvent::Forward => ("forward", 1, "thread_state_running"),
        PipelineEvent::Backward => ("backward", 1, "thread_state_iowait"),
        PipelineEvent::Bubble => ("bubble", 1, "terrible"),
        PipelineEvent::Host => ("waiting for the host", 1, "terrible"),
        PipelineEvent::Optimizer => ("optimizer", 1, "generic_work"),
        PipelineEvent::Hidden => ("hidden communication", 2, "thread_state_runnable"),
        PipelineEvent::Exposed => ("exposed communication", 2, "bad"),
        PipelineEvent::HandOver => ("hand over", 2, "bad"),
        PipelineEvent::Gather => ("all-gather of weights", 3, if moment.hidden { "thread_state_runnable" } else { "bad" }),
        PipelineEvent::Reduce => ("reduce-scatter of gradients", 3, if moment.hidden { "thread_state_runnable" } else { "bad" }),
    };
    json!({
        "ph": "X",
        "name": moment.of.map_or(name.to_owned(), |(micro_batch, _)| format!("{name} {micro_batch}")),
        "cat": name,
        "cname": colour,
        "pid": moment.stage + 1,
        "tid": thread,
        "ts": moment.start.microseconds(),
        "dur": moment.time.microseconds(),
        "args": { "micro_batch": moment.of.map(|of| of.0), "part": moment.of.map(|of| of.1), "hidden": moment.hidden },
    })
}
