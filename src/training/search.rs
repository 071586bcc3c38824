//! Every layout of a machine that fits in memory, fastest first; and where none does, the nearest thing that works.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::layer::Task;
use super::layout::{TrainingLayout, TrainingRequest, layouts};
use super::memory::memory;
use super::paced::LayersByClock;
use super::step::{TrainingStep, train_step};
use crate::input::document::Training;
use crate::units::Bytes;

/// Everything that a search found.
#[derive(Clone, Debug)]
pub struct TrainingSearch {
    /// Layouts that fit, most tokens per second first; of equals the one with the smaller degrees.
    pub found: Vec<TrainingStep>,
    /// Layouts that do not fit.
    pub too_large: usize,
    /// Of those, the one that needs least memory.
    pub nearest: Option<(TrainingLayout, Bytes)>,
}

/// A layout that works, if none of the requested layouts does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// A layout that fits.
    pub layout: TrainingLayout,
    /// Ranks that it takes.
    pub ranks: u32,
    /// Tokens of a sequence.
    pub sequence: u32,
}

/// Machines this many times larger are looked at for one that would do.
const MOST_TIMES: u32 = 1024;

/// Layouts with equal layers: equal TP, CP, EP and micro-batch.
type LayoutsByLayer = BTreeMap<[u32; 4], Vec<TrainingLayout>>;

fn alike(layouts: Vec<TrainingLayout>) -> LayoutsByLayer {
    let mut groups = LayoutsByLayer::new();
    for layout in layouts {
        groups.entry([layout.tp, layout.cp, layout.ep, layout.micro_batch]).or_default().push(layout);
    }
    groups
}

/// Prices every layout that answers the request and fits.
#[must_use]
pub fn search(task: &Task<'_>, training: &Training, request: &TrainingRequest) -> TrainingSearch {
    let fabric = task.communication.network().fabric();
    let groups: Vec<_> = alike(layouts(training, task.model, fabric.chips * fabric.chip.ranks, request)).into_iter().collect();
    let parts: Vec<TrainingSearch> = groups.par_iter().map(|(degrees, layouts)| of_group(task, training, *degrees, layouts)).collect();
    let mut all = TrainingSearch { found: Vec::new(), too_large: 0, nearest: None };
    for part in parts {
        all.too_large += part.too_large;
        all.found.extend(part.found);
        all.nearest = nearer(all.nearest, part.nearest);
    }
    all.found.sort_by(|a, b| a.time.get().total_cmp(&b.time.get()).then(a.layout.cmp(&b.layout)));
    all
}

fn of_group(task: &Task<'_>, training: &Training, degrees: [u32; 4], layouts: &[TrainingLayout]) -> TrainingSearch {
    let mut result = TrainingSearch { found: Vec::new(), too_large: 0, nearest: None };
    let layers = LayersByClock::new(task, degrees);
    for layout in layouts {
        let needed = memory(task, training, &layers.fast, layout).total();
        if needed <= task.device.usable_memory {
            result.found.push(train_step(task, training, &layers, *layout));
        } else {
            result.too_large += 1;
            result.nearest = nearer(result.nearest, Some((*layout, needed)));
        }
    }
    result
}

fn nearer(a: Option<(TrainingLayout, Bytes)>, b: Option<(TrainingLayout, Bytes)>) -> Option<(TrainingLayout, Bytes)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.1 < a.1 { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Alternative if no requested layout fits: another layout on the same machine; else a layout on two, four, ... times as many ranks of the same
/// kind; else a layout on the same machine with sequences of a half, a quarter, ... of the length.
///
/// `open` is a task of the same machine whose transfers are those of an open request.
#[must_use]
pub fn remedy(open: &Task<'_>, training: &Training, request: &TrainingRequest) -> Option<Remedy> {
    let fabric = open.communication.network().fabric();
    let ranks = fabric.chips * fabric.chip.ranks;
    let same = (*request != TrainingRequest::default()).then(|| fitting(open, training, ranks, request)).flatten();
    let larger = || {
        let sizes = std::iter::successors(Some(2_u32), |times| times.checked_mul(2)).take_while(|times| *times <= MOST_TIMES);
        sizes.filter_map(|times| ranks.checked_mul(times)).find_map(|ranks| fitting(open, training, ranks, request))
    };
    let remedy = |layout: TrainingLayout, sequence: u32| Remedy { layout, ranks: layout.ranks(), sequence };
    same.or_else(larger).map(|layout| remedy(layout, training.sequence)).or_else(|| {
        let mut shorter = training.clone();
        while shorter.sequence > 1 {
            shorter.sequence /= 2;
            let task = open.with_sequence(f64::from(shorter.sequence));
            if let Some(layout) = fitting(&task, &shorter, ranks, request) {
                return Some(remedy(layout, shorter.sequence));
            }
        }
        None
    })
}

/// Of a machine of so many ranks of this kind, the layout that fits on fewest if that is more than there are; of those the one nearest to
/// what was asked for, and of those the one that needs least memory. TP and EP stay as large as the machine at hand allows.
fn fitting(task: &Task<'_>, training: &Training, ranks: u32, wish: &TrainingRequest) -> Option<TrainingLayout> {
    let fabric = task.communication.network().fabric();
    let own = fabric.chips * fabric.chip.ranks;
    let known = |layout: &TrainingLayout| layout.tp <= own && (layout.ep == 1 || task.has_group(layout.ep));
    let all = layouts(training, task.model, ranks, &TrainingRequest::default());
    let groups: Vec<_> = alike(all.into_iter().filter(known).collect()).into_iter().collect();
    let best = |(degrees, layouts): &([u32; 4], Vec<TrainingLayout>)| {
        let layers = task.layers(*degrees);
        let candidate = |layout: &TrainingLayout| Candidate {
            ranks: layout.ranks().max(own),
            distance: wish.distance(layout),
            needed: memory(task, training, &layers, layout).total(),
            layout: *layout,
        };
        layouts.iter().map(candidate).filter(|candidate| candidate.needed <= task.device.usable_memory).min_by(nearer_to_work)
    };
    groups.par_iter().filter_map(best).min_by(nearer_to_work).map(|candidate| candidate.layout)
}

/// A layout that fits.
struct Candidate {
    ranks: u32,
    distance: f64,
    needed: Bytes,
    layout: TrainingLayout,
}

fn nearer_to_work(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    let by_memory = || a.needed.get().total_cmp(&b.needed.get());
    a.ranks.cmp(&b.ranks).then(a.distance.total_cmp(&b.distance)).then_with(by_memory).then(a.layout.cmp(&b.layout))
}
