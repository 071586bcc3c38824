//! Timeline of the pipeline stages in one optimizer step.
//!
//! Every stage does its micro-batches in the order of 1F1B, interleaved where it has several parts of the model (Narayanan et al. 2021,
//! section 2.2); a part starts when the stage is free and the part before it has handed over. All stages are as slow as the slowest,
//! which makes the pipeline end where `step.rs` says. Inside a pass kernels are drawn first and what nothing hides of their transfers
//! after them, though layers do both in turn.

use super::step::{TrainingPass, TrainingStep};
use crate::input::document::PipelineSchedule;
use crate::units::Seconds;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineEvent {
    /// Kernels forward.
    Forward,
    /// Kernels backward, what is computed again included.
    Backward,
    /// Nothing to do.
    Bubble,
    /// Transfers of layers beside kernels.
    Hidden,
    /// Transfers of layers that nothing hides.
    Exposed,
    /// Waiting for the framework's host.
    Host,
    /// To the next part of the model, or back.
    HandOver,
    /// Weights on their way, beside kernels or not.
    Gather,
    /// Gradients on their way, beside kernels or not.
    Reduce,
    /// The update.
    Optimizer,
}

/// An event in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingTimelineEntry {
    /// Stage of the pipeline, from 0.
    pub stage: u32,
    /// What happens.
    pub event: PipelineEvent,
    /// Micro-batch, from 0, and part of the model on the stage.
    pub of: Option<(u32, u32)>,
    /// Whether kernels run beside it.
    pub hidden: bool,
    /// From the start of the step.
    pub start: Seconds,
    /// How long.
    pub time: Seconds,
}

/// A pass of one micro-batch through one part of the model.
#[derive(Clone, Copy)]
struct PipelineTurn {
    back: bool,
    micro_batch: u32,
    part: u32,
}

/// Passes of a stage in order: forward passes until the last stage begins backward, then one forward and one backward pass in turn.
fn turns(stage: u32, stages: u32, micro_batches: u32, parts: u32) -> Vec<PipelineTurn> {
    let total = micro_batches * parts;
    let ahead = if parts > 1 { (stages - stage - 1) * 2 + (parts - 1) * stages } else { stages - stage - 1 };
    let ahead = ahead.min(total);
    let turn = |index: u32, back: bool| {
        let (round, place) = (index / (stages * parts), index % (stages * parts));
        let part = place / stages;
        PipelineTurn { back, micro_batch: round * stages + place % stages, part: if back { parts - 1 - part } else { part } }
    };
    let mut turns: Vec<PipelineTurn> = (0..ahead).map(|index| turn(index, false)).collect();
    for index in 0..total - ahead {
        turns.extend([turn(ahead + index, false), turn(index, true)]);
    }
    turns.extend((total - ahead..total).map(|index| turn(index, true)));
    turns
}

/// Start of every turn of every stage, counted from the start of the pipeline.
fn starts(step: &TrainingStep, [ahead, back]: [Seconds; 2]) -> Vec<Vec<(PipelineTurn, Seconds)>> {
    let (p, v, m) = (step.layout.pp, step.layout.interleave, step.micro_batches);
    let plan: Vec<Vec<PipelineTurn>> = (0..p).map(|stage| turns(stage, p, m, v)).collect();
    let place = |part: u32, micro_batch: u32| (part * m + micro_batch) as usize;
    // Ends of passes through each part of the whole model, in its order.
    let mut ends = [vec![None::<Seconds>; (p * v * m) as usize], vec![None; (p * v * m) as usize]];
    let mut done: Vec<Vec<(PipelineTurn, Seconds)>> = plan.iter().map(|turns| Vec::with_capacity(turns.len())).collect();
    let mut free = vec![Seconds::ZERO; p as usize];
    loop {
        let mut moved = false;
        for (stage, turns) in (0..p).zip(&plan) {
            while let Some(turn) = turns.get(done[stage as usize].len()) {
                let part = turn.part * p + stage;
                let ready = match (turn.back, part) {
                    (false, 0) => Some(Seconds::ZERO),
                    (false, _) => ends[0][place(part - 1, turn.micro_batch)],
                    (true, part) if part == p * v - 1 => ends[0][place(part, turn.micro_batch)],
                    (true, _) => ends[1][place(part + 1, turn.micro_batch)],
                };
                let Some(ready) = ready else { break };
                let start = ready.max(free[stage as usize]);
                let end = start + if turn.back { back } else { ahead };
                free[stage as usize] = end;
                ends[usize::from(turn.back)][place(part, turn.micro_batch)] = Some(end);
                done[stage as usize].push((*turn, start));
                moved = true;
            }
        }
        if !moved {
            return done;
        }
    }
}

/// Start of every turn where a schedule fills its waits with parts of turns: what is drawn is one turn after the other, and the wait that is left
/// behind them.
fn in_a_row(step: &TrainingStep, times: [Seconds; 2]) -> Vec<Vec<(PipelineTurn, Seconds)>> {
    let (p, v, m) = (step.layout.pp, step.layout.interleave, step.micro_batches);
    let of = |stage: u32| {
        let mut free = Seconds::ZERO;
        let place = |turn: PipelineTurn| {
            let start = free;
            free += times[usize::from(turn.back)];
            (turn, start)
        };
        turns(stage, p, m, v).into_iter().map(place).collect()
    };
    (0..p).map(of).collect()
}

/// All events of a step, stage by stage.
#[must_use]
pub fn training_timeline(step: &TrainingStep) -> Vec<TrainingTimelineEntry> {
    let v = f64::from(step.layout.interleave);
    let times = [step.forward, step.backward].map(|pass| pass.time / v + step.hop);
    let begin = step.gather.exposed;
    let starts = if step.schedule == PipelineSchedule::OneForwardOneBackward { starts(step, times) } else { in_a_row(step, times) };
    let last = starts.iter().flatten().map(|(turn, start)| *start + times[usize::from(turn.back)]).fold(Seconds::ZERO, Seconds::max);
    let in_a_row = step.schedule != PipelineSchedule::OneForwardOneBackward;
    let end = begin + last + if in_a_row { step.bubble } else { Seconds::ZERO };
    let mut moments = Vec::new();
    for (stage, turns) in (0..step.layout.pp).zip(&starts) {
        let mut add = |event, of, hidden, start: Seconds, time: Seconds| {
            if time > Seconds::ZERO {
                let (start, time) = (start * step.pace.rest, time * step.pace.rest);
                moments.push(TrainingTimelineEntry { stage, event, of, hidden, start, time });
            }
        };
        add(PipelineEvent::Gather, None, false, Seconds::ZERO, step.gather.exposed);
        let mut free = begin;
        for (turn, start) in turns {
            let start = begin + *start;
            let of = Some((turn.micro_batch, turn.part));
            // What rounding leaves is no wait.
            if start - free > last * 1e-12 {
                add(PipelineEvent::Bubble, None, false, free, start - free);
            }
            let (event, pass): (PipelineEvent, &TrainingPass) =
                if turn.back { (PipelineEvent::Backward, &step.backward) } else { (PipelineEvent::Forward, &step.forward) };
            let kernels = pass.kernels / v;
            add(event, of, false, start, kernels);
            add(PipelineEvent::Hidden, of, true, start, pass.hidden / v);
            add(PipelineEvent::Exposed, of, false, start + kernels, pass.exposed() / v);
            add(PipelineEvent::Host, of, false, start + kernels + pass.exposed() / v, pass.host / v);
            add(PipelineEvent::HandOver, of, false, start + pass.time / v, step.hop);
            free = start + times[usize::from(turn.back)];
        }
        if end - free > last * 1e-12 {
            add(PipelineEvent::Bubble, None, false, free, end - free);
        }
        let first = turns.first().map_or(begin, |(_, start)| begin + *start);
        add(PipelineEvent::Gather, None, true, first, step.gather.time - step.gather.exposed);
        let hidden = step.reduce.time - step.reduce.exposed;
        add(PipelineEvent::Reduce, None, true, (free - hidden).max(begin), hidden);
        add(PipelineEvent::Reduce, None, false, end, step.reduce.exposed);
        add(PipelineEvent::Optimizer, None, false, end + step.reduce.exposed, step.optimizer);
        add(PipelineEvent::Bubble, None, false, end + step.reduce.exposed + step.optimizer, step.straggling);
    }
    moments
}
