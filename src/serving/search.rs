//! The best mapping and batch: every legal one is tried, in parallel.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::aggregated;
use super::batch::{Floor, NEAR_BEST};
use super::decode;
use super::infeasible::Infeasible;
use super::operating_point::{OperatingPoint, Role, Rough};
use super::prefill;
use crate::execution::Machine;
use crate::execution::Mapping;
use crate::input::document::{CacheTier, ExpertChips};
use crate::units::TokensPerSecond;

/// An operating point of one phase, scaled to the whole supernode.
#[derive(Clone, Debug, PartialEq)]
pub struct PhasePoint {
    /// The operating point of one instance.
    pub point: OperatingPoint,
    /// Instances on the supernode.
    pub instances: u32,
    /// Tokens per second of the whole supernode when all its chips do this.
    pub rate: TokensPerSecond,
    /// Mappings tried.
    pub tried: usize,
}

/// Everything that a search found.
#[derive(Clone, Debug)]
pub struct MappingSearch {
    /// Points that work, as many as are described, the best first: most tokens per second, unless sorted by something else; of equals the
    /// smallest instance first.
    pub found: Vec<PhasePoint>,
    /// Why the others do not.
    pub refused: Vec<Infeasible>,
    /// Mappings tried, those that work and are not described among them.
    pub tried: usize,
    /// Every mapping that works with the tokens per second of the whole supernode; of those that cannot be the best no rate need be known.
    pub rates: Vec<(Mapping, TokensPerSecond)>,
}

/// Which of the points that work are described, each with the pass behind it: that takes longer than to find them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Described {
    /// The one with the most tokens per second. Mappings that cannot be it are left after two passes.
    One {
        /// A mapping that is likely to be near the best one, such as that of a machine that differs little: the nearer it is, the more of the
        /// others can be left. The answer is the same without it.
        likely: Option<Mapping>,
    },
    /// The ten with the most tokens per second.
    Best,
    /// All, to sort them by something else.
    All,
}

impl Described {
    fn limit(self) -> usize {
        match self {
            Self::One { .. } => 1,
            Self::Best => 10,
            Self::All => usize::MAX,
        }
    }
}

impl MappingSearch {
    /// The first point.
    ///
    /// # Errors
    /// Why the mapping that comes nearest does not work.
    pub fn best(&self) -> Result<PhasePoint, Infeasible> {
        self.found.first().cloned().ok_or_else(|| self.nearest())
    }

    /// Puts the points with the most of `merit` first; of equals the one with more tokens per second stays first.
    pub fn sort_by(&mut self, merit: impl Fn(&PhasePoint) -> f64) {
        self.found.sort_by_cached_key(|phase| Descending(merit(phase)));
    }

    /// The groups of mappings that reach this share of the best rate. All mappings must have been searched to the end.
    #[must_use]
    pub fn groups_that_reach(&self, share: f64) -> MappingGroups {
        let most = self.rates.iter().map(|(_, rate)| *rate).fold(TokensPerSecond::ZERO, TokensPerSecond::max);
        MappingGroups(self.rates.iter().filter(|(_, rate)| *rate >= most * share).map(|(mapping, _)| group_of(*mapping)).collect())
    }

    fn nearest(&self) -> Infeasible {
        let nearest = self.refused.iter().fold(None, |nearest, no| Some(no.clone().nearer(nearest)));
        nearest.unwrap_or(Infeasible::Cache { mapping: Mapping::ONE, sequences: 0 })
    }
}

/// What mappings of a group have in common: ranks of a TP group and of the experts, of a pipeline stage, and of experts on chips of their own.
type GroupKey = (u32, u32, u32, Option<u32>);

fn group_of(mapping: Mapping) -> GroupKey {
    (mapping.tp, mapping.ep, mapping.dp * mapping.sp, mapping.ffn)
}

/// Some groups of mappings. Those of a group are tried together: they differ in their pipeline stages and in how sequences are shared.
#[derive(Clone, Debug, Default)]
pub struct MappingGroups(BTreeSet<GroupKey>);

impl MappingGroups {
    /// Of these mappings those that are in one of the groups.
    #[must_use]
    pub fn of(&self, candidates: &[Mapping]) -> Vec<Mapping> {
        candidates.iter().filter(|mapping| self.0.contains(&group_of(**mapping))).copied().collect()
    }
}

/// More comes first.
#[derive(PartialEq)]
struct Descending(f64);

impl Eq for Descending {}

impl PartialOrd for Descending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Descending {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.total_cmp(&self.0)
    }
}

/// Numbers of micro-batches that are tried: one after the other, or two that hide each other's transfers.
pub const MICRO_BATCHES: [u32; 2] = [1, 2];

/// Micro-batches if experts have chips of their own. With one micro-batch each side waits for the other; with four micro-batches attention,
/// experts and both transfers are all busy (MegaScale-Infer, arXiv 2504.02263, section 4.1).
pub const MICRO_BATCHES_AFD: [u32; 3] = [2, 3, 4];

/// Numbers of micro-batches to try for a mapping, or the requested one.
fn parts(mapping: Mapping, asked: Option<u32>) -> Vec<u32> {
    let tried: &[u32] = if mapping.ffn.is_some() { &MICRO_BATCHES_AFD } else { &MICRO_BATCHES };
    asked.map_or_else(|| tried.to_vec(), |asked| vec![asked])
}

/// Every mapping at the batch with the most tokens or requests a second that the service level of `role` allows.
///
/// Decode is tried with experts on chips of their own, or without, or both, as its phase has it. Where prompts are read, experts share
/// chips with attention.
#[must_use]
pub fn search(machine: &Machine<'_>, role: Role<'_>, candidates: &[Mapping], micro_batches: Option<u32>, which: Described) -> MappingSearch {
    let asked = micro_batches;
    match role {
        Role::Decode(phase) => {
            let wanted = |mapping: &&Mapping| phase.expert_chips != ExpertChips::Apart || mapping.ffn.is_some();
            let candidates: Vec<Mapping> = candidates.iter().filter(wanted).copied().collect();
            let at = |mapping, floor| parts(mapping, asked).into_iter().map(|parts| decode::largest(machine, phase, mapping, parts, floor)).collect();
            let finely = |found, least| decode::at_highest_rate(machine, phase, found, least);
            search_by(machine, &candidates, at, finely, |found| Ok(decode::described(machine, phase, found)), which)
        }
        Role::Prefill(phase) => {
            let at = |mapping, floor| parts(mapping, asked).into_iter().map(|parts| prefill::most(machine, phase, mapping, parts, floor)).collect();
            search_by(machine, &shared(candidates), at, |found, _| found, |found| Ok(prefill::described(found)), which)
        }
        Role::Aggregated(request) => {
            let at =
                |mapping, floor| parts(mapping, asked).into_iter().map(|parts| aggregated::most(machine, request, mapping, parts, floor)).collect();
            search_by(machine, &shared(candidates), at, aggregated::at_highest_rate, aggregated::described, which)
        }
    }
}

/// The mapping with the most tokens per second that the service level of `role` allows.
///
/// # Errors
/// Why the mapping that comes nearest does not work.
pub fn best(machine: &Machine<'_>, role: Role<'_>, candidates: &[Mapping]) -> Result<PhasePoint, Infeasible> {
    search(machine, role, candidates, None, Described::One { likely: None }).best()
}

fn shared(candidates: &[Mapping]) -> Vec<Mapping> {
    candidates.iter().filter(|mapping| mapping.ffn.is_none()).copied().collect()
}

/// Where one point is asked for, about so many groups of candidates are searched first. They stand at equal distances in the list, so that the
/// choice is the same for any number of threads.
const PIONEERS: usize = 8;

/// A little less than a rate, for what rounding adds.
const SAME_RATE: f64 = 1.0 - 1e-12;

/// Candidates of one group: whole sequences, and shared ones.
type StageGroup = [Vec<Mapping>; 2];

/// The points of a group, with its place among all groups.
type GroupPoints<T> = (usize, Vec<Result<Rough<T>, Infeasible>>);

fn search_by<T: Send + Sync>(
    machine: &Machine<'_>,
    candidates: &[Mapping],
    points: impl Fn(Mapping, Floor) -> Vec<Result<Rough<T>, Infeasible>> + Sync,
    finely: impl Fn(Rough<T>, TokensPerSecond) -> Rough<T> + Sync,
    describe: impl Fn(&Rough<T>) -> Result<OperatingPoint, Infeasible> + Sync,
    which: Described,
) -> MappingSearch {
    let fabric = machine.communication.network().fabric();
    let instances = |mapping: Mapping| fabric.chips / mapping.chips(fabric.chip.ranks);
    let rate = |point: &Rough<T>| point.rate * f64::from(instances(point.mapping));
    let room = room_is_worth_something(machine);
    // `least` is a rate of the whole supernode. A mapping that stays below it is not searched to the end. Whether it works at all decides
    // whether mappings that share sequences are tried.
    let of_group = |group: StageGroup, least: TokensPerSecond| {
        let must_tell = !group[1].is_empty();
        let floor = |mapping| Floor { rate: least * (1.0 / f64::from(instances(mapping).max(1))), must_tell };
        while_it_lacks(group, room, |mapping| points(mapping, floor(mapping)))
    };
    let groups = by_stage(candidates);
    let holds = |group: &StageGroup, likely: &Mapping| group.iter().any(|mappings| mappings.contains(likely));
    let stride = groups.len() / PIONEERS;
    let is_pioneer = |place: usize, group: &StageGroup| match which {
        Described::One { likely: Some(likely) } => holds(group, &likely),
        Described::One { likely: None } => stride > 1 && place.is_multiple_of(stride),
        Described::Best | Described::All => false,
    };
    let (pioneers, others): (Vec<_>, Vec<_>) = groups.into_iter().enumerate().partition(|(place, group)| is_pioneer(*place, group));
    let search = |groups: Vec<(usize, StageGroup)>, least: TokensPerSecond| -> Vec<GroupPoints<T>> {
        groups.into_par_iter().map(|(place, group)| (place, of_group(group, least))).collect()
    };
    let mut groups = search(pioneers, TokensPerSecond::ZERO);
    let found = groups.iter().flat_map(|(_, points)| points).flatten().map(rate).fold(TokensPerSecond::ZERO, TokensPerSecond::max);
    groups.extend(search(others, found * NEAR_BEST));
    // In the order of the candidates: of equals the first stays first.
    groups.sort_unstable_by_key(|(place, _)| *place);
    let tried: Vec<Result<Rough<T>, Infeasible>> = groups.into_iter().flat_map(|(_, points)| points).collect();
    let count = tried.len();
    let (mut points, mut refused) = (Vec::new(), Vec::new());
    for point in tried {
        match point {
            Ok(point) => points.push(point),
            Err(no) => refused.push(no),
        }
    }
    let points = at_highest_rates(points, which, rate, instances, finely);
    let mut works: Vec<(TokensPerSecond, u32, Rough<T>)> = points.into_iter().map(|point| (rate(&point), instances(point.mapping), point)).collect();
    // Stable: of equals the first stays first.
    works.sort_by(|a, b| b.0.get().total_cmp(&a.0.get()));
    let rates = works.iter().map(|(rate, _, point)| (point.mapping, *rate)).collect();
    works.truncate(which.limit());
    let described: Vec<Result<PhasePoint, Infeasible>> = works
        .par_iter()
        .map(|(rate, instances, point)| Ok(PhasePoint { point: describe(point)?, instances: *instances, rate: *rate, tried: count }))
        .collect();
    let mut found = Vec::with_capacity(described.len());
    for point in described {
        match point {
            Ok(point) => found.push(point),
            Err(no) => refused.push(no),
        }
    }
    MappingSearch { found, refused, tried: count, rates }
}

/// The points with the batches of the highest rates, where that is near the best. Where one point is asked for, the others need only show that
/// they do not exceed the first.
fn at_highest_rates<T: Send>(
    mut points: Vec<Rough<T>>,
    which: Described,
    rate: impl Fn(&Rough<T>) -> TokensPerSecond + Sync,
    instances: impl Fn(Mapping) -> u32 + Sync,
    finely: impl Fn(Rough<T>, TokensPerSecond) -> Rough<T> + Sync,
) -> Vec<Rough<T>> {
    let most = points.iter().map(&rate).fold(TokensPerSecond::ZERO, TokensPerSecond::max);
    let first = points.iter().position(|point| matches!(which, Described::One { .. }) && rate(point) >= most);
    let mut reached = TokensPerSecond::ZERO;
    if let Some(place) = first {
        let point = finely(points.remove(place), TokensPerSecond::ZERO);
        reached = rate(&point) * SAME_RATE;
        points.insert(place, point);
    }
    let closer = |(place, point): (usize, Rough<T>)| {
        let near = which == Described::All || rate(&point) >= most * NEAR_BEST;
        let least = reached * (1.0 / f64::from(instances(point.mapping).max(1)));
        if near && Some(place) != first { finely(point, least) } else { point }
    };
    points.into_par_iter().enumerate().map(closer).collect()
}

/// Whether free memory of the chips keeps prefixes.
fn room_is_worth_something(machine: &Machine<'_>) -> bool {
    let workload = &machine.workload.workload;
    let caches = [
        workload.request.as_ref().and_then(|request| request.prefix_cache.as_ref()),
        workload.prefill.as_ref().and_then(|phase| phase.prefix_cache.as_ref()),
    ];
    caches.into_iter().flatten().any(|cache| cache.tiers.contains(&CacheTier::Hbm))
}

/// Candidates grouped by the ranks of a pipeline stage, in the order of the first candidate of each group. In a group: candidates without shared
/// sequences (fewest stages first) and candidates with them (fewest shares first).
fn by_stage(candidates: &[Mapping]) -> Vec<StageGroup> {
    let mut groups: Vec<StageGroup> = Vec::new();
    let mut known = BTreeMap::new();
    for &mapping in candidates {
        let index = *known.entry(group_of(mapping)).or_insert(groups.len());
        if index == groups.len() {
            groups.push([Vec::new(), Vec::new()]);
        }
        groups[index][usize::from(mapping.sp > 1)].push(mapping);
    }
    for [whole, shared] in &mut groups {
        whole.sort_unstable_by_key(|mapping| mapping.pp);
        shared.sort_unstable_by_key(|mapping| (mapping.sp, mapping.pp));
    }
    groups
}

/// More pipeline stages give each rank more memory and no speed: a token passes the same layers, with additional transfers between stages. So
/// more stages are tried only while memory is the obstacle. Ranks that share sequences also have more memory and a lower latency, but exchange
/// more data for the same work. They are tried only if whole sequences lack memory or miss the limit, or if free memory keeps prefixes.
fn while_it_lacks<T>(
    [whole, shared]: StageGroup,
    room_is_worth_something: bool,
    points: impl Fn(Mapping) -> Vec<Result<Rough<T>, Infeasible>>,
) -> Vec<Result<Rough<T>, Infeasible>> {
    let mut all = Vec::new();
    let mut wanting = whole.is_empty() || room_is_worth_something;
    for (place, mapping) in whole.into_iter().enumerate() {
        let found = points(mapping);
        let lacks_room = found.iter().any(|point| match point {
            Ok(point) => point.fills_memory,
            Err(no) => !matches!(no, Infeasible::TooSlow { .. } | Infeasible::Tier { .. }),
        });
        wanting |= place == 0 && (lacks_room || found.iter().any(Result::is_err));
        all.extend(found);
        if !lacks_room {
            break;
        }
    }
    for mapping in shared {
        if !wanting {
            break;
        }
        let found = points(mapping);
        wanting = room_is_worth_something || found.iter().any(|point| point.as_ref().is_ok_and(|point| point.fills_memory) || point.is_err());
        all.extend(found);
    }
    all
}
