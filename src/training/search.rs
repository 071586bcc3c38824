//! Every layout of a machine that fits in memory, fastest first.

use std::collections::BTreeSet;
use std::str::FromStr;

use rayon::prelude::*;

use super::layer::Task;
use super::memory::memory;
use super::step::{TrainingLayout, TrainingStep, train_step};
use crate::input::document::{Library, Model, Training};
use crate::network::Network;
use crate::serving::{Communication, degrees};
use crate::units::Bytes;

const STAGES: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
const MICRO_BATCHES: [u32; 4] = [1, 2, 4, 8];
const PARTS: [u32; 4] = [1, 2, 4, 8];

/// Degrees that someone asks for; what is left open is searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrainingRequest {
    /// Ranks that share one block.
    pub tp: Option<u32>,
    /// Ranks that share the experts of a layer.
    pub ep: Option<u32>,
    /// Copies of the model.
    pub dp: Option<u32>,
    /// Pipeline stages.
    pub pp: Option<u32>,
    /// Sequences of a micro-batch.
    pub micro_batch: Option<u32>,
    /// Parts of the model on each stage.
    pub interleave: Option<u32>,
    /// Micro-batches that hide each other's transfers.
    pub overlap: Option<u32>,
    /// 1 if layers are computed again, 0 if not.
    pub recompute: Option<u32>,
}

impl FromStr for TrainingRequest {
    type Err = String;

    /// `tp=4,pp=2,recompute=0`: any of the degrees, in any order.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut request = Self::default();
        for degree in degrees(text) {
            let (key, number) = degree?;
            if number == 0 && key != "recompute" {
                return Err(format!("{key} must be 1 or more"));
            }
            let field = match key {
                "tp" => &mut request.tp,
                "ep" => &mut request.ep,
                "dp" => &mut request.dp,
                "pp" => &mut request.pp,
                "micro_batch" => &mut request.micro_batch,
                "interleave" => &mut request.interleave,
                "overlap" => &mut request.overlap,
                "recompute" => &mut request.recompute,
                other => return Err(format!("unknown degree `{other}`; known: tp, ep, dp, pp, micro_batch, interleave, overlap, recompute")),
            };
            *field = Some(number);
        }
        Ok(request)
    }
}

/// Everything that a search found.
#[derive(Clone, Debug)]
pub struct TrainingSearch {
    /// Layouts that fit, most tokens per second first; of equals the one with the smaller degrees.
    pub found: Vec<TrainingStep>,
    /// Layouts tried.
    pub tried: usize,
    /// Of those that do not fit, the one that needs least memory.
    pub nearest: Option<(TrainingLayout, Bytes)>,
}

fn wanted(asked: Option<u32>, value: u32) -> bool {
    asked.is_none_or(|asked| asked == value)
}

/// Stages: TP, DP, PP. Data-parallel ranks fill what is left of the machine as far as the batch divides by them.
fn shapes(training: &Training, model: &Model, ranks: u32, request: &TrainingRequest) -> Vec<(u32, u32, u32)> {
    let heads = |tp: u32| model.layer.iter().all(|group| group.attention.heads().is_multiple_of(tp));
    let mut shapes = Vec::new();
    for tp in (0..=6).map(|power| 1 << power).chain(request.tp).collect::<BTreeSet<u32>>() {
        for pp in STAGES.into_iter().chain(request.pp).collect::<BTreeSet<u32>>() {
            if !heads(tp)
                || !wanted(request.tp, tp)
                || !wanted(request.pp, pp)
                || pp > model.layers()
                || u64::from(tp) * u64::from(pp) > u64::from(ranks)
            {
                continue;
            }
            let most = ranks / (tp * pp);
            let fits = |dp: &u32| training.global_batch.is_multiple_of(*dp) && wanted(request.dp, *dp);
            shapes.extend((1..=most).rev().find(fits).map(|dp| (tp, dp, pp)));
        }
    }
    shapes
}

/// Expert-parallel degrees of a stage.
fn expert_degrees(model: &Model, stage: u32, request: &TrainingRequest) -> Vec<u32> {
    let Some(experts) = model.experts() else { return if wanted(request.ep, 1) { vec![1] } else { vec![] } };
    let divides = |ep: &u32| stage.is_multiple_of(*ep) && experts.routed.is_multiple_of(*ep) && wanted(request.ep, *ep);
    (1..=stage.min(experts.routed)).filter(divides).collect()
}

/// Transfers of all groups that the search asks for.
#[must_use]
pub fn communication<'a>(
    network: &'a Network<'a>,
    library: &'a Library,
    training: &Training,
    model: &Model,
    request: &TrainingRequest,
) -> Communication<'a> {
    let per_chip = network.fabric().chip.ranks;
    let mut sizes = BTreeSet::new();
    for (tp, dp, pp) in shapes(training, model, network.fabric().chips * per_chip, request) {
        sizes.extend([tp, tp * dp, tp * dp * pp].map(|ranks| ranks.div_ceil(per_chip)));
        sizes.extend(expert_degrees(model, tp * dp, request).iter().map(|ep| ep.div_ceil(per_chip)));
    }
    Communication::new(network, library, sizes)
}

/// Prices every layout that answers the request and fits.
#[must_use]
pub fn search(task: &Task<'_>, training: &Training, request: &TrainingRequest) -> TrainingSearch {
    let fabric = task.communication.network().fabric();
    let shapes = shapes(training, task.model, fabric.chips * fabric.chip.ranks, request);
    let parts: Vec<TrainingSearch> = shapes.par_iter().map(|&shape| of_shape(task, training, request, shape)).collect();
    let mut all = TrainingSearch { found: Vec::new(), tried: 0, nearest: None };
    for part in parts {
        all.tried += part.tried;
        all.found.extend(part.found);
        all.nearest = nearer(all.nearest, part.nearest);
    }
    all.found.sort_by(|a, b| a.time.get().total_cmp(&b.time.get()).then(a.layout.cmp(&b.layout)));
    all
}

fn nearer(a: Option<(TrainingLayout, Bytes)>, b: Option<(TrainingLayout, Bytes)>) -> Option<(TrainingLayout, Bytes)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.1 < a.1 { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn of_shape(task: &Task<'_>, training: &Training, request: &TrainingRequest, (tp, dp, pp): (u32, u32, u32)) -> TrainingSearch {
    let mut result = TrainingSearch { found: Vec::new(), tried: 0, nearest: None };
    for ep in expert_degrees(task.model, tp * dp, request) {
        let sizes = MICRO_BATCHES.into_iter().chain(request.micro_batch).collect::<BTreeSet<u32>>();
        for micro_batch in sizes.into_iter().filter(|size| wanted(request.micro_batch, *size) && training.global_batch.is_multiple_of(dp * size)) {
            let layers = task.layers(tp, ep, micro_batch);
            let number = training.global_batch / (dp * micro_batch);
            for interleave in PARTS {
                let in_parts = interleave == 1 || pp > 1 && number.is_multiple_of(pp) && pp * interleave <= task.model.layers();
                if !in_parts || !wanted(request.interleave, interleave) {
                    continue;
                }
                for (overlap, recompute) in [(1, false), (1, true), (2, false), (2, true)] {
                    let overlaps = overlap == 1 || ep > 1 && number.is_multiple_of(2);
                    if !overlaps || !wanted(request.overlap, overlap) || !wanted(request.recompute, u32::from(recompute)) {
                        continue;
                    }
                    let layout = TrainingLayout { tp, ep, dp, pp, micro_batch, interleave, overlap, recompute };
                    result.tried += 1;
                    let needed = memory(task, training, &layers, &layout).total();
                    if needed <= task.device.usable_memory {
                        result.found.push(train_step(task, training, &layers, layout));
                    } else {
                        result.nearest = nearer(result.nearest, Some((layout, needed)));
                    }
                }
            }
        }
    }
    result
}
