//! Layouts of a model over ranks for training: all legal layouts, and requested ones.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::execution::{Mapping, degrees};
use crate::input::document::{Model, Training};

const STAGES: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
const MICRO_BATCHES: [u32; 4] = [1, 2, 4, 8];
const PARTS: [u32; 4] = [1, 2, 4, 8];

/// Recomputation in the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recompute {
    /// Nothing: 0.
    Nothing,
    /// Outputs of norms, of activation functions, and of the expansions of latent attention: 1.
    Pointwise,
    /// Whole layers, from their inputs: 2.
    Layers,
}

impl Recompute {
    const ALL: [Self; 3] = [Self::Nothing, Self::Pointwise, Self::Layers];
}

/// How a model is laid over ranks for training, tensor-parallel ranks next to each other, then data-parallel ones, then stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrainingLayout {
    /// Ranks that share one block.
    pub tp: u32,
    /// Ranks that share the tokens of a sequence.
    pub cp: u32,
    /// Ranks of a stage that share the experts of a layer; 1 for a dense model.
    pub ep: u32,
    /// Copies of the model.
    pub dp: u32,
    /// Pipeline stages.
    pub pp: u32,
    /// Sequences of a micro-batch.
    pub micro_batch: u32,
    /// Parts of the model on each stage: 1 is plain 1F1B.
    pub interleave: u32,
    /// Micro-batches that hide each other's transfers: 1 or 2.
    pub overlap: u32,
    /// Recomputation.
    pub recompute: Recompute,
}

impl TrainingLayout {
    /// The degrees; ranks that share sequences hold copies of the model, as data-parallel ones do.
    #[must_use]
    pub fn mapping(&self) -> Mapping {
        Mapping { tp: self.tp, ep: self.ep, dp: self.dp * self.cp, pp: self.pp, ..Mapping::ONE }
    }

    /// Ranks in use.
    #[must_use]
    pub fn ranks(&self) -> u32 {
        self.tp * self.cp * self.dp * self.pp
    }

    /// Micro-batches of a step.
    #[must_use]
    pub fn micro_batches(&self, training: &Training) -> u32 {
        training.global_batch / (self.dp * self.micro_batch)
    }

    /// Of the ranks with the same common parameters, and with the same experts, those that share what is sharded.
    pub(super) fn shards(&self, training: &Training) -> [f64; 2] {
        self.copies().map(|copies| training.shard_group.map_or(copies, |group| copies.min(f64::from(group))))
    }

    /// Ranks that hold the same common parameters, and the same experts.
    pub(super) fn copies(&self) -> [f64; 2] {
        [f64::from(self.cp * self.dp), f64::from(self.tp * self.cp * self.dp / self.ep)]
    }
}

impl fmt::Display for TrainingLayout {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tp, cp, ep, dp, pp, micro_batch, interleave, overlap, recompute } = self;
        let recompute = *recompute as u8;
        let cp = if *cp > 1 { format!("cp={cp},") } else { String::new() };
        write!(out, "tp={tp},{cp}ep={ep},dp={dp},pp={pp},micro_batch={micro_batch},interleave={interleave},overlap={overlap},recompute={recompute}")
    }
}

/// Degrees that someone asks for; what is left open is searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrainingRequest {
    /// Ranks that share one block.
    pub tp: Option<u32>,
    /// Ranks that share the tokens of a sequence; one if left open.
    pub cp: Option<u32>,
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
    /// 0, 1 or 2: nothing, norms and activation functions, or whole layers are computed again.
    pub recompute: Option<u32>,
}

impl FromStr for TrainingRequest {
    type Err = String;

    /// `tp=4,pp=2,recompute=0`: any of the degrees, in any order.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut request = Self::default();
        for degree in degrees(text) {
            let (key, number) = degree?;
            let field = match key {
                "tp" => &mut request.tp,
                "cp" => &mut request.cp,
                "ep" => &mut request.ep,
                "dp" => &mut request.dp,
                "pp" => &mut request.pp,
                "micro_batch" => &mut request.micro_batch,
                "interleave" => &mut request.interleave,
                "overlap" => &mut request.overlap,
                "recompute" => &mut request.recompute,
                other => return Err(format!("unknown degree `{other}`; known: tp, cp, ep, dp, pp, micro_batch, interleave, overlap, recompute")),
            };
            if number == 0 && key != "recompute" {
                return Err(format!("{key} must be 1 or more"));
            }
            if field.replace(number).is_some() {
                return Err(format!("{key} is given twice"));
            }
        }
        if request.overlap.is_some_and(|overlap| overlap > 2) {
            return Err("overlap is 1 or 2".to_owned());
        }
        if request.recompute.is_some_and(|recompute| recompute > 2) {
            return Err("recompute is 0 (nothing), 1 (norms and activation functions) or 2 (whole layers)".to_owned());
        }
        Ok(request)
    }
}

fn wanted(asked: Option<u32>, value: u32) -> bool {
    asked.is_none_or(|asked| asked == value)
}

/// A menu of degrees with the one that is asked for, and that alone if there is one.
fn choices(menu: &[u32], asked: Option<u32>) -> BTreeSet<u32> {
    menu.iter().copied().chain(asked).filter(|degree| wanted(asked, *degree)).collect()
}

/// TP, CP, DP and PP of every layout.
///
/// DP takes every number that divides the batch and leaves less than half of the ranks idle, or the largest that divides where none does:
/// fewer copies than half do at most half of the work in the same time, and hold more.
pub(super) fn shapes(training: &Training, model: &Model, ranks: u32, request: &TrainingRequest) -> Vec<[u32; 4]> {
    let cp = request.cp.unwrap_or(1);
    if !training.sequence.is_multiple_of(cp) {
        return Vec::new();
    }
    let heads = |tp: &u32| model.layer.iter().all(|group| group.attention.heads().is_multiple_of(*tp));
    let mut shapes = Vec::new();
    for tp in choices(&[1, 2, 4, 8, 16, 32, 64], request.tp).into_iter().filter(heads) {
        for pp in choices(&STAGES, request.pp).into_iter().filter(|pp| *pp <= model.layers()) {
            let most = u64::from(ranks) / (u64::from(tp) * u64::from(cp) * u64::from(pp));
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            let divides = |dp: &u32| training.global_batch.is_multiple_of(*dp);
            match request.dp {
                Some(dp) => shapes.extend((dp <= most && divides(&dp)).then_some([tp, cp, dp, pp])),
                None => {
                    let largest = (1..=most.min(training.global_batch)).rev().find(divides);
                    let others = (most / 2 + 1..largest.unwrap_or(0)).filter(divides);
                    shapes.extend(others.chain(largest).map(|dp| [tp, cp, dp, pp]));
                }
            }
        }
    }
    shapes
}

/// Expert-parallel degrees of a stage.
pub(super) fn expert_degrees(model: &Model, stage: u32, request: &TrainingRequest) -> Vec<u32> {
    let Some(experts) = model.experts() else { return if wanted(request.ep, 1) { vec![1] } else { vec![] } };
    let divides = |ep: &u32| stage.is_multiple_of(*ep) && experts.routed.is_multiple_of(*ep) && wanted(request.ep, *ep);
    (1..=stage.min(experts.routed)).filter(divides).collect()
}

/// Every layout on `ranks` ranks that satisfies the request, whether it fits in memory or not.
#[must_use]
pub fn layouts(training: &Training, model: &Model, ranks: u32, request: &TrainingRequest) -> Vec<TrainingLayout> {
    let mut layouts = Vec::new();
    for [tp, cp, dp, pp] in shapes(training, model, ranks, request) {
        for ep in expert_degrees(model, tp * cp * dp, request) {
            let whole = |size: &u32| dp.checked_mul(*size).is_some_and(|sequences| training.global_batch.is_multiple_of(sequences));
            for micro_batch in choices(&MICRO_BATCHES, request.micro_batch).into_iter().filter(whole) {
                let number = training.global_batch / (dp * micro_batch);
                // Interleaved stages take micro-batches in rounds of as many as there are stages (Narayanan et al. 2021, section 2.2). The
                // first and the last part may be the embedding and the head alone.
                let parts =
                    |v: &u32| *v == 1 || pp > 1 && number.is_multiple_of(pp) && pp.checked_mul(*v).is_some_and(|parts| parts <= model.layers() + 2);
                for interleave in choices(&PARTS, request.interleave).into_iter().filter(parts) {
                    let pairs = |overlap: &u32| *overlap == 1 || ep > 1 && number.is_multiple_of(2);
                    for overlap in choices(&[1, 2], request.overlap).into_iter().filter(pairs) {
                        for recompute in Recompute::ALL.into_iter().filter(|recompute| wanted(request.recompute, *recompute as u32)) {
                            layouts.push(TrainingLayout { tp, cp, ep, dp, pp, micro_batch, interleave, overlap, recompute });
                        }
                    }
                }
            }
        }
    }
    layouts
}

impl TrainingRequest {
    /// Checks that some layout answers.
    ///
    /// # Errors
    /// Why none does, with the nearest that there is.
    pub fn check(&self, training: &Training, model: &Model, ranks: u32) -> Result<(), String> {
        if !layouts(training, model, ranks, self).is_empty() {
            return Ok(());
        }
        let nearest = layouts(training, model, ranks, &Self::default()).into_iter().min_by(|a, b| self.distance(a).total_cmp(&self.distance(b)));
        let nearest = nearest.map_or(String::new(), |layout| format!("; the nearest that works is {layout}"));
        Err(format!("{}{nearest}", self.reason(training, model, ranks)))
    }

    /// Distance of a layout from the request: the sum of the logarithms of the ratios.
    pub(super) fn distance(&self, layout: &TrainingLayout) -> f64 {
        let apart = |asked: Option<u32>, found: u32| asked.map_or(0.0, |asked| (f64::from(asked.max(1)) / f64::from(found.max(1))).ln().abs());
        let TrainingLayout { tp, cp, ep, dp, pp, micro_batch, interleave, overlap, recompute } = *layout;
        let pairs = [(self.tp, tp), (self.cp, cp), (self.ep, ep), (self.dp, dp), (self.pp, pp), (self.micro_batch, micro_batch)];
        let rest = [(self.interleave, interleave), (self.overlap, overlap), (self.recompute, recompute as u32)];
        pairs.into_iter().chain(rest).map(|(asked, found)| apart(asked, found)).sum()
    }

    fn reason(&self, training: &Training, model: &Model, ranks: u32) -> String {
        let [tp, cp, dp, pp] = [self.tp, self.cp, self.dp, self.pp].map(|degree| u64::from(degree.unwrap_or(1)));
        let batch = u64::from(training.global_batch);
        let heads = model.layer.iter().map(|group| group.attention.heads()).find(|heads| !u64::from(*heads).is_multiple_of(tp));
        let experts = model.experts().map(|experts| experts.routed);
        let (micro_batch, ep) = (u64::from(self.micro_batch.unwrap_or(1)), self.ep.unwrap_or(1));
        if let Some(heads) = heads {
            format!("{heads} heads do not divide by tp={tp}")
        } else if pp > u64::from(model.layers()) {
            format!("{} layers do not fill pp={pp} stages", model.layers())
        } else if !u64::from(training.sequence).is_multiple_of(cp) {
            format!("sequences of {} tokens do not divide by cp={cp}", training.sequence)
        } else if tp.saturating_mul(cp).saturating_mul(dp).saturating_mul(pp) > u64::from(ranks) {
            let taken = tp.saturating_mul(cp).saturating_mul(dp).saturating_mul(pp);
            let shared = if cp > 1 { format!("cp={cp},") } else { String::new() };
            format!("tp={tp},{shared}dp={dp},pp={pp} takes {taken} ranks, the supernode has {ranks}")
        } else if !batch.is_multiple_of(dp.saturating_mul(micro_batch)) {
            format!("a batch of {batch} sequences does not divide by dp x micro_batch = {}", dp.saturating_mul(micro_batch))
        } else if ep > 1 && experts.is_none() {
            format!("the model has no experts that ep={ep} ranks could share")
        } else if let Some(experts) = experts.filter(|experts| !experts.is_multiple_of(ep)) {
            format!("{experts} experts do not divide by ep={ep}")
        } else {
            "no layout has these degrees".to_owned()
        }
    }
}
