//! Timeline of a pass, stage by stage: start, duration, exposed time and work of each stage.

use super::activity::StageWork;
use super::schedule::{Slot, Stage, schedule};
use super::step::Step;
use crate::units::Seconds;

/// A stage of a pass in its place, stretched by the power limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimelineEntry {
    /// Which micro-batch, from 0.
    pub micro_batch: u32,
    /// Which layer of the pass, from 0; launch, head and handover count as one each.
    pub layer: u32,
    /// The stage.
    pub stage: Stage,
    /// When it starts, from the start of the pass.
    pub start: Seconds,
    /// Exposed time: for a kernel, time in which no transfer runs; for a transfer, time in which no kernel runs.
    pub exposed: Seconds,
    /// What one rank does in it.
    pub work: StageWork,
    /// The chips' clock meanwhile, as a share of the highest.
    pub clock: f64,
}

/// All stages of a pass in the order of its segments.
#[must_use]
pub fn timeline(step: &Step) -> Vec<TimelineEntry> {
    let mut moments = Vec::new();
    let (mut start, mut layer) = (Seconds::ZERO, 0);
    for segment in &step.segments {
        let slots = schedule(&segment.stages, segment.micro_batches, segment.layers);
        let (mut end, rest) = (Seconds::ZERO, segment.pace.rest);
        for slot in &slots {
            end = end.max(slot.start + slot.stage.time);
            // Stages of one name do the same.
            let place = segment.stages.iter().position(|stage| stage.name == slot.stage.name).unwrap_or(0);
            moments.push(TimelineEntry {
                micro_batch: slot.micro_batch,
                layer: layer + slot.layer,
                stage: Stage { time: slot.stage.time * rest, ..slot.stage },
                start: start + slot.start * rest,
                exposed: exposed(slot, &slots) * rest,
                clock: segment.pace.clock,
                work: segment.work[place],
            });
        }
        start += end * rest;
        layer += segment.layers;
    }
    moments
}

/// Of a slot, the time in which no resource of the other kind (cores against wires) is at work.
fn exposed(slot: &Slot, slots: &[Slot]) -> Seconds {
    let end = slot.start + slot.stage.time;
    let mut beside: Vec<&Slot> = slots.iter().filter(|other| other.stage.resource.is_cores() != slot.stage.resource.is_cores()).collect();
    beside.sort_by(|a, b| a.start.get().total_cmp(&b.start.get()));
    // What is hidden so far ends here: two resources of the other kind may be at work at once.
    let mut hidden_until = slot.start;
    let hidden = beside.into_iter().map(|other| {
        let (from, to) = (hidden_until.max(other.start), end.min(other.start + other.stage.time));
        hidden_until = hidden_until.max(to);
        if to > from { to - from } else { Seconds::ZERO }
    });
    let exposed = slot.stage.time - hidden.sum();
    // What rounding leaves is nothing.
    if exposed > slot.stage.time * 1e-9 { exposed } else { Seconds::ZERO }
}
