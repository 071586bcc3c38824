//! Layers at the clock that the chips' power limit allows: priced at the highest and, where the chips would draw more than their limit, at the
//! lowest; in between a time is `a + b / clock` through both (see `execution/paced.rs`).

use std::cell::OnceCell;

use super::layer::{Task, TrainingLayer};
use crate::execution::{ClockPace, Stage, lowest_clock};
use crate::units::Seconds;

/// Layers under one TP, CP, EP and micro-batch at any clock.
#[derive(Debug)]
pub struct LayersByClock<'t, 'a> {
    task: &'t Task<'a>,
    degrees: [u32; 4],
    /// At the highest clock.
    pub fast: Vec<TrainingLayer>,
    slow: OnceCell<Vec<TrainingLayer>>,
}

impl<'t, 'a> LayersByClock<'t, 'a> {
    /// Layers under `[tp, cp, ep, sequences of a micro-batch]`.
    #[must_use]
    pub fn new(task: &'t Task<'a>, degrees: [u32; 4]) -> Self {
        Self { task, degrees, fast: task.layers(degrees), slow: OnceCell::new() }
    }

    /// At `clock`, a share of the highest.
    #[must_use]
    pub fn at(&self, clock: f64) -> Vec<TrainingLayer> {
        if clock >= 1.0 {
            return self.fast.clone();
        }
        let lowest = lowest_clock(self.task.device.power());
        let slow = self.slow.get_or_init(|| self.task.at_clock(lowest).layers(self.degrees));
        let place = ClockPace::place(clock, lowest);
        self.fast.iter().zip(slow).map(|(fast, slow)| between(fast, slow, place)).collect()
    }
}

fn between(fast: &TrainingLayer, slow: &TrainingLayer, place: f64) -> TrainingLayer {
    let mix = |fast: Seconds, slow: Seconds| fast + (slow - fast) * place;
    let stages = |fast: &[Stage], slow: &[Stage]| -> Vec<Stage> {
        fast.iter().zip(slow).map(|(fast, slow)| Stage { time: mix(fast.time, slow.time), ..*fast }).collect()
    };
    TrainingLayer {
        forward: stages(&fast.forward, &slow.forward),
        backward: stages(&fast.backward, &slow.backward),
        pointwise: mix(fast.pointwise, slow.pointwise),
        beside: [0, 1].map(|direction: usize| mix(fast.beside[direction], slow.beside[direction])),
        ..fast.clone()
    }
}
