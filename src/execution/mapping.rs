//! How a model is laid over ranks.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::schedule::MOST_MICRO_BATCHES;
use crate::input::document::{ExpertChips, Model};
use crate::input::spec::WorkloadSpec;
use crate::workload::can_split;

/// Parallel degrees of one instance of the model. Attention groups of `tp x sp` ranks, `dp` of them, make up the instance; a mixture of
/// experts spreads its experts over all `ep = tp x sp x dp` ranks, a dense model has `ep = 1`. One attention group alone may divide every
/// expert over its `tp` ranks instead: `ep = 1`. With `ffn` the experts have ranks of their own beside the attention groups, and `ep = ffn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mapping {
    /// Ranks that share one attention block.
    pub tp: u32,
    /// Ranks that share the experts of a layer.
    pub ep: u32,
    /// Attention groups, each with its own sequences.
    pub dp: u32,
    /// Pipeline stages.
    pub pp: u32,
    /// Ranks with equal heads that share the tokens of a prompt, or the cache of a sequence.
    pub sp: u32,
    /// Ranks that hold experts and nothing else, beside those of the attention groups; absent where both share ranks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ffn: Option<u32>,
}

impl Mapping {
    /// Everything on one rank.
    pub const ONE: Self = Self { tp: 1, ep: 1, dp: 1, pp: 1, sp: 1, ffn: None };

    /// Ranks of one attention group.
    #[must_use]
    pub fn group(&self) -> u32 {
        self.tp * self.sp
    }

    /// Whether every rank of the instance has all tokens after attention: one attention group divides heads, and what its ranks make of
    /// experts, whole or divided, an all-reduce adds up. No token is sent to an expert.
    #[must_use]
    pub fn tokens_on_every_rank(&self) -> bool {
        self.tp > 1 && self.sp == 1 && self.dp == 1 && self.ffn.is_none()
    }

    /// Ranks that share one expert.
    #[must_use]
    pub fn expert_shares(&self) -> u32 {
        if self.tokens_on_every_rank() && self.ep == 1 { self.tp } else { 1 }
    }

    /// Ranks that share the shared experts: those of a TP group that has all tokens.
    #[must_use]
    pub fn shared_expert_shares(&self) -> u32 {
        if self.tokens_on_every_rank() { self.tp } else { 1 }
    }

    /// Ranks of one instance.
    #[must_use]
    pub fn ranks(&self) -> u32 {
        self.attention_ranks() + self.ffn.unwrap_or(0)
    }

    /// Ranks of all attention groups and pipeline stages.
    #[must_use]
    pub fn attention_ranks(&self) -> u32 {
        self.group() * self.dp * self.pp
    }

    /// Where experts have chips of their own: the chips of the attention groups, and those of the experts.
    #[must_use]
    fn afd_split(&self, ranks_per_chip: u32) -> Option<[u32; 2]> {
        self.ffn.map(|ffn| [self.attention_ranks(), ffn].map(|ranks| ranks.div_ceil(ranks_per_chip)))
    }

    /// Of all ranks, the shares that the work of attention groups and that of experts fall on: all, where both share ranks.
    #[must_use]
    pub fn shares(&self) -> [f64; 2] {
        let all = f64::from(self.ranks());
        self.ffn.map_or([1.0; 2], |ffn| [f64::from(self.attention_ranks()) / all, f64::from(ffn) / all])
    }

    /// Layers of the fullest pipeline stage over all layers: 1/pp if they divide.
    #[must_use]
    pub fn fullest_stage(&self, layers: u32) -> f64 {
        f64::from(layers.div_ceil(self.pp)) / f64::from(layers)
    }

    /// Chips that one instance fills.
    #[must_use]
    pub fn chips(&self, ranks_per_chip: u32) -> u32 {
        self.afd_split(ranks_per_chip).map_or_else(|| self.ranks().div_ceil(ranks_per_chip), |[attention, experts]| attention + experts)
    }
}

/// Pipeline stages that the search tries.
const STAGES: [u32; 5] = [1, 2, 4, 8, 16];

/// Every legal mapping on a machine of `chips` chips whose innermost level has `node` of them.
///
/// Instances and pipeline stages take a chip count that divides the machine into equal parts: parts of a node, or whole nodes. Heads
/// must divide by TP. A dense model fills its instance with TP and PP alone; more attention groups would be instances of their own.
#[must_use]
pub fn mappings(model: &Model, chips: u32, node: u32, ranks_per_chip: u32) -> Vec<Mapping> {
    let mixture = model.experts().is_some();
    let sizes = instance_sizes(chips, node);
    let mut found = Vec::new();
    for &stage in &sizes {
        let ranks = stage * ranks_per_chip;
        for pp in STAGES.into_iter().filter(|pp| *pp <= model.layers() && sizes.binary_search(&(stage * pp)).is_ok()) {
            for tp in tensor_degrees(model).filter(|tp| ranks.is_multiple_of(*tp)) {
                for sp in sequence_degrees(model, tp, pp).filter(|sp| ranks.is_multiple_of(tp * sp)) {
                    let dp = ranks / (tp * sp);
                    if mixture {
                        let spread = Mapping { tp, ep: ranks, dp, pp, sp, ffn: None };
                        found.push(spread);
                        found.extend(spread.tokens_on_every_rank().then_some(Mapping { ep: 1, ..spread }));
                    } else if dp == 1 {
                        found.push(Mapping { tp, ep: 1, dp, pp, sp, ffn: None });
                    }
                }
            }
        }
    }
    found
}

/// Every legal mapping on such a machine that gives experts chips of their own: of an instance's chips, the first ones for attention, as many
/// twelfths as there are, in whole nodes where it has several. None for a dense model.
#[must_use]
pub fn afd_mappings(model: &Model, chips: u32, node: u32, ranks_per_chip: u32) -> Vec<Mapping> {
    if model.experts().is_none() {
        return Vec::new();
    }
    let sizes = instance_sizes(chips, node);
    let mut found = Vec::new();
    for &whole in &sizes {
        for experts in expert_chips(whole, node) {
            let (attention, ffn) = ((whole - experts) * ranks_per_chip, experts * ranks_per_chip);
            let degrees = tensor_degrees(model).filter(|tp| attention.is_multiple_of(*tp));
            found.extend(degrees.map(|tp| Mapping { tp, ep: ffn, dp: attention / tp, ffn: Some(ffn), ..Mapping::ONE }));
        }
    }
    found
}

/// Numbers of an instance's chips that experts may have: from one twelfth of them to eleven, in whole nodes where it has several.
fn expert_chips(whole: u32, node: u32) -> Vec<u32> {
    let unit = if whole > node { node } else { 1 };
    let units = whole / unit;
    let mut counts: Vec<u32> = (1..12).map(|twelfths| (units * twelfths + 6) / 12 * unit).filter(|count| *count > 0 && *count < whole).collect();
    counts.dedup();
    counts
}

/// The mappings among which a workload wants the best one: [`mappings`], and [`afd_mappings`] where it wants those for decode.
#[must_use]
pub fn mappings_for(workload: &WorkloadSpec, chips: u32, node: u32, ranks_per_chip: u32) -> Vec<Mapping> {
    let mut found = mappings(&workload.model, chips, node, ranks_per_chip);
    if workload.workload.decode.as_ref().is_some_and(|phase| phase.expert_chips != ExpertChips::Shared) {
        found.extend(afd_mappings(&workload.model, chips, node, ranks_per_chip));
    }
    found
}

/// Chip counts of an instance: divisors of a node, then nodes in numbers that leave at least three quarters of the machine in use.
fn instance_sizes(chips: u32, node: u32) -> Vec<u32> {
    let mut sizes: Vec<u32> = (1..=node.min(chips)).filter(|size| node.is_multiple_of(*size)).collect();
    let nodes = chips / node.max(1);
    // One size for each number of instances: the largest that fits so often.
    sizes.extend((1..=nodes).map(|instances| nodes / instances * node));
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Powers of two by which the heads of every layer divide.
fn tensor_degrees(model: &Model) -> impl Iterator<Item = u32> {
    (0..=6).map(|power| 1 << power).filter(move |tp| model.layer.iter().all(|group| group.attention.heads().is_multiple_of(*tp)))
}

/// Powers of two by which the heads of a TP rank divide in every layer, where caches can be divided by their tokens. More than one is
/// tried beside as many TP ranks as there are key and value heads, one for a latent cache: up to there TP divides the cache as well and has
/// less to send. More pipeline stages and sequence parallelism both make room; they are not tried together.
fn sequence_degrees(model: &Model, tp: u32, pp: u32) -> impl Iterator<Item = u32> {
    let useful = pp == 1 && model.layer.iter().all(|group| can_split(&group.attention)) && tp == kv_heads(model);
    (0..=MOST_SEQUENCE_POWER).map(|power| 1 << power).filter(move |sp| *sp == 1 || (useful && divides(model, tp, *sp)))
}

/// The most key and value heads of any layer.
fn kv_heads(model: &Model) -> u32 {
    model.layer.iter().map(|group| group.attention.kv_heads()).max().unwrap_or(1)
}

fn divides(model: &Model, tp: u32, sp: u32) -> bool {
    model.layer.iter().all(|group| group.attention.heads().is_multiple_of(tp * sp))
}

/// Up to 16 ranks share a sequence.
const MOST_SEQUENCE_POWER: u32 = 4;

/// Degrees that someone asks for; what is left open is searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MappingRequest {
    /// Ranks that share one attention block.
    pub tp: Option<u32>,
    /// Ranks that share the experts of a layer.
    pub ep: Option<u32>,
    /// Attention groups.
    pub dp: Option<u32>,
    /// Pipeline stages.
    pub pp: Option<u32>,
    /// Ranks that share a sequence.
    pub sp: Option<u32>,
    /// Ranks that hold experts alone.
    pub ffn: Option<u32>,
    /// Micro-batches that overlap: 1 is none.
    pub micro_batches: Option<u32>,
}

impl MappingRequest {
    /// The mappings that answer the request: those of the search that fit it, or the one that it spells out.
    ///
    /// # Errors
    /// Why there is none, with the nearest that there is.
    pub fn candidates(&self, workload: &WorkloadSpec, chips: u32, node: u32, ranks_per_chip: u32) -> Result<Vec<Mapping>, String> {
        let model = &workload.model;
        let legal = match self.ffn {
            Some(_) if model.experts().is_none() => return Err("a dense model has no experts to give ranks of their own".to_owned()),
            Some(_) => afd_mappings(model, chips, node, ranks_per_chip),
            None => mappings_for(workload, chips, node, ranks_per_chip),
        };
        let fits = |wanted: Option<u32>, found: u32| wanted.is_none_or(|wanted| wanted == found);
        let matching = |mapping: &&Mapping| {
            fits(self.tp, mapping.tp)
                && fits(self.ep, mapping.ep)
                && fits(self.dp, mapping.dp)
                && fits(self.pp, mapping.pp)
                && fits(self.sp, mapping.sp)
                && fits(self.ffn, mapping.ffn.unwrap_or(0))
        };
        let found: Vec<Mapping> = legal.iter().filter(matching).copied().collect();
        if !found.is_empty() {
            return Ok(found);
        }
        self.spelt_out(model, chips, ranks_per_chip).map(|mapping| vec![mapping]).map_err(|reason| {
            let distance = |mapping: &&Mapping| {
                let apart = |wanted: Option<u32>, found: u32| wanted.map_or(0.0, |wanted| (f64::from(wanted.max(1)) / f64::from(found)).ln().abs());
                apart(self.tp, mapping.tp)
                    + apart(self.ep, mapping.ep)
                    + apart(self.dp, mapping.dp)
                    + apart(self.pp, mapping.pp)
                    + apart(self.sp, mapping.sp)
                    + apart(self.ffn, mapping.ffn.unwrap_or(1))
            };
            let nearest = legal.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
            let nearest = nearest.map_or(String::new(), |mapping| format!("; the nearest that works is {mapping}"));
            format!("{reason}{nearest}")
        })
    }

    /// The one mapping that TP with EP or DP name, in an instance of any size.
    fn spelt_out(&self, model: &Model, chips: u32, ranks_per_chip: u32) -> Result<Mapping, String> {
        let ranks = chips * ranks_per_chip;
        if let Some(group) = model.layer.iter().find(|group| self.tp.is_some_and(|tp| tp == 0 || !group.attention.heads().is_multiple_of(tp))) {
            return Err(format!("{} heads do not divide by tp={}", group.attention.heads(), self.tp.unwrap_or(0)));
        }
        let mixture = model.experts().is_some();
        let (pp, sp) = (self.pp.unwrap_or(1), self.sp.unwrap_or(1));
        if sp > 1 {
            if !model.layer.iter().all(|group| can_split(&group.attention)) {
                return Err(format!("sp={sp} divides caches by their tokens, which compressed caches and recurrent states do not allow"));
            }
            if let Some(group) = model.layer.iter().find(|group| !group.attention.heads().is_multiple_of(self.tp.unwrap_or(1).saturating_mul(sp))) {
                let (heads, tp) = (group.attention.heads(), self.tp.unwrap_or(1));
                return Err(format!("{heads} heads do not divide by tp x sp = {}", tp.saturating_mul(sp)));
            }
        }
        if let Some(ffn) = self.ffn {
            return self.spelt_out_apart(ffn, chips, ranks_per_chip);
        }
        let mapping = match (self.tp, self.ep, self.dp) {
            (Some(tp), Some(ep), dp) if mixture && ep > 0 && ep.is_multiple_of(tp * sp) && dp.is_none_or(|dp| dp == ep / (tp * sp)) => {
                Mapping { tp, ep, dp: ep / (tp * sp), pp, sp, ffn: None }
            }
            (Some(tp), Some(1), dp) if mixture && tp > 1 && sp == 1 && dp.is_none_or(|dp| dp == 1) => Mapping { tp, ep: 1, dp: 1, pp, sp, ffn: None },
            (Some(tp), None, Some(dp)) if mixture => Mapping { tp, ep: tp.saturating_mul(sp).saturating_mul(dp), dp, pp, sp, ffn: None },
            _ => return Err("no mapping has these degrees".to_owned()),
        };
        let needed = u64::from(mapping.ep.max(mapping.group())) * u64::from(pp);
        if needed == 0 || pp > model.layers() {
            return Err("no mapping has these degrees".to_owned());
        }
        if needed > u64::from(ranks) { Err(format!("{mapping} takes {needed} ranks, the supernode has {ranks}")) } else { Ok(mapping) }
    }

    /// The one mapping that `ffn` and DP name, TP of 1 where it is left open.
    fn spelt_out_apart(&self, ffn: u32, chips: u32, ranks_per_chip: u32) -> Result<Mapping, String> {
        if self.pp.is_some_and(|pp| pp > 1) || self.sp.is_some_and(|sp| sp > 1) || self.ep.is_some_and(|ep| ep != ffn) {
            return Err("with ffn, experts are on ep = ffn ranks, without pipeline stages and without shared sequences".to_owned());
        }
        let Some(dp) = self.dp else { return Err("no mapping has these degrees".to_owned()) };
        let tp = self.tp.unwrap_or(1);
        let mapping = Mapping { tp, ep: ffn, dp, ffn: Some(ffn), ..Mapping::ONE };
        let needed = [u64::from(tp) * u64::from(dp), u64::from(ffn)].map(|ranks| ranks.div_ceil(u64::from(ranks_per_chip))).iter().sum::<u64>();
        if needed > u64::from(chips) { Err(format!("{mapping} takes {needed} chips, the supernode has {chips}")) } else { Ok(mapping) }
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "tp={},ep={},dp={},pp={}", self.tp, self.ep, self.dp, self.pp)?;
        if self.sp > 1 {
            write!(out, ",sp={}", self.sp)?;
        }
        self.ffn.map_or(Ok(()), |ffn| write!(out, ",ffn={ffn}"))
    }
}

/// The parts of `tp=4,ep=32`, in any order.
pub fn degrees(text: &str) -> impl Iterator<Item = Result<(&str, u32), String>> {
    text.split(',').map(|part| {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not key=number, as in tp=4,ep=32"))?;
        let number = value.trim().parse().map_err(|_| format!("`{value}` is not a whole number"))?;
        Ok((key.trim(), number))
    })
}

impl MappingRequest {
    /// Fixes one degree.
    ///
    /// # Errors
    /// What is wrong with the name or the number.
    pub fn set(&mut self, degree: &str, number: u32) -> Result<(), String> {
        if number == 0 {
            return Err(format!("{degree} must be 1 or more"));
        }
        let field = match degree {
            "tp" => &mut self.tp,
            "ep" => &mut self.ep,
            "dp" => &mut self.dp,
            "pp" => &mut self.pp,
            "sp" => &mut self.sp,
            "ffn" => &mut self.ffn,
            "micro_batches" if number > MOST_MICRO_BATCHES => return Err(format!("more than {MOST_MICRO_BATCHES} micro_batches are not scheduled")),
            "micro_batches" => &mut self.micro_batches,
            other => return Err(format!("unknown degree `{other}`; known: tp, ep, dp, pp, sp, ffn, micro_batches")),
        };
        if field.replace(number).is_some() {
            return Err(format!("{degree} is given twice"));
        }
        Ok(())
    }
}

impl FromStr for MappingRequest {
    type Err = String;

    /// `tp=4,ep=32,micro_batches=1`: any of the degrees, in any order.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut request = Self::default();
        for degree in degrees(text) {
            let (key, number) = degree?;
            request.set(key, number)?;
        }
        Ok(request)
    }
}
