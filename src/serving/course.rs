//! A whole pass, stage by stage: when each runs, what it waits for, what of it nothing hides, and what work it does.

use super::step::Step;
use super::timeline::{Slot, Stage, schedule};
use crate::input::document::Precision;
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::{Device, Operator};

/// What holds a stage back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// Launches alone: no arithmetic, no memory traffic.
    #[default]
    Launch,
    /// Its arithmetic would take longer than its memory traffic, both at the chip's peaks.
    Compute,
    /// The other way round.
    Memory,
    /// It is a transfer.
    Communication,
}

/// Work of one rank in one stage of one layer, for one micro-batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageWork {
    /// Operations by format, in [`Precision::ALL`] order.
    pub flop: [Flop; Precision::ALL.len()],
    /// To and from memory.
    pub memory: Bytes,
    /// Sent to other ranks.
    pub sent: Bytes,
    /// What holds the stage back.
    pub limit: Limit,
}

impl StageWork {
    pub(super) fn of(device: &Device, operators: &[Operator]) -> Self {
        let mut work = Self::default();
        let mut arithmetic = Seconds::ZERO;
        for operator in operators {
            let precision = operator.work.precision();
            work.flop[precision as usize] += operator.work.flop();
            work.memory += operator.work.bytes();
            arithmetic += operator.work.flop() / device.peak(precision);
        }
        if !operators.is_empty() {
            work.limit = if arithmetic > work.memory / device.memory_bandwidth { Limit::Compute } else { Limit::Memory };
        }
        work
    }

    /// The same where only this share of the ranks does it: what one does on average.
    pub(super) fn on(self, share: f64) -> Self {
        Self { flop: self.flop.map(|flop| flop * share), memory: self.memory * share, sent: self.sent * share, ..self }
    }

    pub(super) fn transfer(sent: Bytes) -> Self {
        Self { sent, limit: Limit::Communication, ..Self::default() }
    }
}

/// A stage of a pass in its place, stretched by the power limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Which micro-batch, from 0.
    pub micro_batch: u32,
    /// Which layer of the pass, from 0; launch, head and handover count as one each.
    pub layer: u32,
    /// The stage.
    pub stage: Stage,
    /// When it starts, from the start of the pass.
    pub start: Seconds,
    /// Time in which all wires stand still if it occupies cores, and all cores if it is a transfer: what nothing hides.
    pub exposed: Seconds,
    /// What one rank does in it.
    pub work: StageWork,
}

/// All stages of a pass in the order of its segments.
#[must_use]
pub fn course(step: &Step) -> Vec<Moment> {
    let mut moments = Vec::new();
    let (mut start, mut layer) = (Seconds::ZERO, 0);
    for segment in &step.segments {
        let slots = schedule(&segment.stages, segment.micro_batches, segment.layers);
        let mut end = Seconds::ZERO;
        for slot in &slots {
            end = end.max(slot.start + slot.stage.time);
            // Stages of one name do the same.
            let place = segment.stages.iter().position(|stage| stage.name == slot.stage.name).unwrap_or(0);
            moments.push(Moment {
                micro_batch: slot.micro_batch,
                layer: layer + slot.layer,
                stage: Stage { time: slot.stage.time * step.slowdown, ..slot.stage },
                start: (start + slot.start) * step.slowdown,
                exposed: exposed(slot, &slots) * step.slowdown,
                work: segment.work[place],
            });
        }
        start += end;
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
