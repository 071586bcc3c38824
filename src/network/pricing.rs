//! From a collective to its time, with one library on one network: every price of `plan.rs` that a person asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::algorithm::{GroupShape, Phase, phases};
use super::bound::{Cuts, lower_bound};
use super::collective::{BYTES_MAX, Collective, CollectiveError, LevelUse, Timing};
use super::cost::{Call, Engines};
use super::group::{Group, Placement};
use super::network::Network;
use super::op::Op;
use super::pattern::TrafficPattern;
use super::plan::{CollectivePlan, Members, Round, shape};
use crate::input::document::{Algorithm, Library};
use crate::units::{Bytes, Seconds};

/// Prices collectives; plays each traffic pattern once.
#[derive(Debug)]
pub struct Pricing<'a> {
    network: &'a Network<'a>,
    library: &'a Library,
    placement: Placement,
    ranks_per_chip: u32,
    captured: bool,
    engines: Engines<'a>,
    floors: Vec<(Algorithm, Seconds)>,
    members: BTreeMap<u32, (Arc<Members>, Cuts)>,
    plans: BTreeMap<(Op, u32), CollectivePlan>,
}

impl<'a> Pricing<'a> {
    /// Groups are the first chips in level order, one rank on each; calls start outside of a captured graph.
    #[must_use]
    pub fn new(network: &'a Network<'a>, library: &'a Library) -> Self {
        Self::placed(network, library, Placement::ByLevel)
    }

    /// As [`Pricing::new`], with ranks laid on chips in another way.
    #[must_use]
    pub fn placed(network: &'a Network<'a>, library: &'a Library, placement: Placement) -> Self {
        let (members, plans) = (BTreeMap::new(), BTreeMap::new());
        Self { network, library, placement, ranks_per_chip: 1, captured: false, engines: Engines::All, floors: Vec::new(), members, plans }
    }

    /// With so many ranks on every chip of the group, which the link between its dies joins.
    #[must_use]
    pub fn with_ranks_per_chip(self, ranks_per_chip: u32) -> Self {
        Self { ranks_per_chip: ranks_per_chip.max(1), members: BTreeMap::new(), plans: BTreeMap::new(), ..self }
    }

    /// With calls inside a captured graph, where the all-reduce kernels of serving engines take part too.
    #[must_use]
    pub fn in_graph(self, engines: Engines<'a>) -> Self {
        Self { captured: true, engines, ..self }
    }

    /// With a lower bound of the time of each algorithm, known for instance from the machine before it lost parts. An algorithm whose bound is
    /// above the best time so far is not simulated.
    #[must_use]
    pub fn no_faster_than(self, floors: Vec<(Algorithm, Seconds)>) -> Self {
        Self { floors, ..self }
    }

    /// As [`Pricing::price`], inside a captured graph as [`Pricing::in_graph`] says.
    ///
    /// # Errors
    /// As [`Pricing::price`].
    pub fn price_in_graph(&mut self, collective: &Collective, algorithm: Option<Algorithm>, engines: Engines<'_>) -> Result<Timing, CollectiveError> {
        self.check(collective)?;
        self.priced(collective, algorithm, &Call { captured: true, engines, ..self.call(collective.bytes) })
    }

    /// Prices `collective` with the given algorithm, or with the fastest that the library offers.
    ///
    /// # Errors
    /// A group, a size or an algorithm that makes no sense here.
    pub fn price(&mut self, collective: &Collective, algorithm: Option<Algorithm>) -> Result<Timing, CollectiveError> {
        self.check(collective)?;
        self.priced(collective, algorithm, &self.call(collective.bytes))
    }

    fn priced(&self, collective: &Collective, algorithm: Option<Algorithm>, call: &Call<'_>) -> Result<Timing, CollectiveError> {
        let plan = &self.plans[&(collective.op, collective.ranks)];
        Ok(match algorithm {
            None => plan.fastest(call).ok_or(CollectiveError::TooFewRanks)?.map_err(unreachable)?,
            Some(Algorithm::EngineKernel) if collective.op == Op::AllReduce => plan.engine_cost(call).ok_or(CollectiveError::NoEngineKernel)?,
            Some(algorithm) => {
                let phases = phases_on(collective.op, algorithm, &plan.members.shape)?;
                plan.one(call, algorithm, phases).map_err(unreachable)?
            }
        })
    }

    /// Time that no algorithm can beat. On a machine without symmetry it can take longer to find than the price.
    ///
    /// # Errors
    /// As [`Pricing::price`].
    pub fn lower_bound(&mut self, collective: &Collective) -> Result<Seconds, CollectiveError> {
        self.check(collective)?;
        let (members, cuts) = &self.members[&collective.ranks];
        let farthest = match collective.op {
            Op::Broadcast => TrafficPattern::FromRoot,
            Op::Send => TrafficPattern::OnePair,
            Op::AllReduce | Op::AllGather | Op::ReduceScatter | Op::AllToAll => TrafficPattern::AllPairs,
        };
        let farthest = members.profile(self.network, farthest, false).latency;
        let chips = Collective { ranks: members.group.ranks(), ..*collective };
        Ok(lower_bound(self.network, &chips, cuts, farthest))
    }

    /// The fastest algorithm that the program knows, if the library does not offer it and it is faster than all that the library offers.
    ///
    /// # Errors
    /// As [`Pricing::price`].
    pub fn faster_elsewhere(&mut self, collective: &Collective) -> Result<Option<Timing>, CollectiveError> {
        let offered = self.price(collective, None)?;
        let known = self.plans[&(collective.op, collective.ranks)].fastest_known(&self.call(collective.bytes));
        let Some(Ok(known)) = known else { return Ok(None) };
        let is_faster = known.total() < offered.total() && known.algorithm != offered.algorithm;
        Ok(is_faster.then_some(known))
    }

    /// Every algorithm that the library offers, fastest first; ties keep the order of [`Algorithm::ALL`].
    ///
    /// # Errors
    /// A group or a size that makes no sense here.
    pub fn ranking(&mut self, collective: &Collective) -> Result<Vec<Timing>, CollectiveError> {
        self.check(collective)?;
        let mut timings = self.plans[&(collective.op, collective.ranks)].all(&self.call(collective.bytes));
        timings.sort_by(|a, b| a.total().get().total_cmp(&b.total().get()));
        Ok(timings)
    }

    /// The rounds of an algorithm on the bare fabric, and the group of chips that plays them.
    ///
    /// # Errors
    /// As [`Pricing::price`], and where hosts hold unequal numbers of ranks.
    pub fn rounds(&mut self, collective: &Collective, algorithm: Algorithm) -> Result<(Group, Vec<Round>), CollectiveError> {
        self.check(collective)?;
        let plan = &self.plans[&(collective.op, collective.ranks)];
        let phases = played_phases(collective, algorithm, &plan.members.shape)?;
        if plan.leaves_ranks_out(&phases) {
            return Err(CollectiveError::UnevenRails);
        }
        Ok((plan.members.group.clone(), plan.rounds(&self.call(collective.bytes), &phases)))
    }

    /// How busy each level is while `collective` runs as `timing` says, the busiest first.
    ///
    /// # Errors
    /// As [`Pricing::price`].
    pub fn level_use(&mut self, collective: &Collective, timing: &Timing) -> Result<Vec<LevelUse>, CollectiveError> {
        self.check(collective)?;
        let fabric = self.network.fabric();
        let members = &self.members[&collective.ranks].0;
        let phases = played_phases(collective, timing.algorithm, &members.shape).unwrap_or_default();
        let mut levels: Vec<LevelUse> = Vec::new();
        for phase in &phases {
            for peak in members.profile(self.network, phase.pattern, phase.on_rails).peaks.clone() {
                let busiest = peak.time(fabric, collective.bytes * phase.share, collective.bytes * phase.message) / timing.total();
                let mean = busiest * peak.mean_bytes_per_link / peak.bytes_per_link;
                match levels.iter_mut().find(|level| level.peak.is_of_the_kind_of(&peak)) {
                    Some(level) => (level.busiest, level.mean) = (level.busiest + busiest, level.mean + mean),
                    None => levels.push(LevelUse { peak, busiest, mean }),
                }
            }
        }
        levels.retain(|level| level.busiest > 0.0);
        levels.sort_by(|a, b| b.busiest.total_cmp(&a.busiest));
        Ok(levels)
    }

    /// Checks the collective, lays its ranks on chips and finds the algorithms that apply.
    pub(super) fn check(&mut self, collective: &Collective) -> Result<(), CollectiveError> {
        let fabric = self.network.fabric();
        let &Collective { ranks, bytes, op } = collective;
        if ranks < 2 {
            return Err(CollectiveError::TooFewRanks);
        }
        let chips = ranks.div_ceil(self.ranks_per_chip);
        if chips > fabric.chips {
            return Err(CollectiveError::TooManyRanks { ranks, chips: fabric.chips * self.ranks_per_chip });
        }
        if bytes <= Bytes::ZERO || bytes.get().is_nan() {
            return Err(CollectiveError::NoBytes);
        }
        if bytes > BYTES_MAX {
            return Err(CollectiveError::TooManyBytes);
        }
        if !self.members.contains_key(&ranks) {
            let group = self.placement.group(chips, fabric)?;
            let cuts = Cuts::of(self.network, &group);
            self.members.insert(ranks, (Arc::new(Members::new(self.network, group)), cuts));
        }
        let members = &self.members[&ranks].0;
        self.plans.entry((op, ranks)).or_insert_with(|| CollectivePlan::new(op, Arc::clone(members), self.ranks_per_chip.min(ranks)));
        Ok(())
    }

    fn call(&self, bytes: Bytes) -> Call<'_> {
        Call { network: self.network, library: self.library, captured: self.captured, engines: self.engines, floors: &self.floors, bytes }
    }

    /// As [`Pricing::price`] for the first group, with an algorithm that applies to all of `groups`.
    pub(super) fn price_in(&mut self, collective: &Collective, algorithm: Option<Algorithm>, groups: &[Group]) -> Result<Timing, CollectiveError> {
        if algorithm.is_some() {
            return self.price(collective, algorithm);
        }
        let ranking = self.ranking(collective)?;
        let shapes: Vec<GroupShape> = groups.iter().map(|group| shape(self.network, group)).collect();
        let applies = |timing: &Timing| shapes.iter().all(|shape| phases(collective.op, timing.algorithm, shape).is_ok());
        ranking.into_iter().find(applies).ok_or(CollectiveError::TooFewRanks)
    }

    /// The phases of an algorithm in another group of as many ranks.
    pub(super) fn phases_in(&self, collective: &Collective, algorithm: Algorithm, group: &Group) -> Result<Vec<Phase>, CollectiveError> {
        phases_on(collective.op, algorithm, &shape(self.network, group))
    }
}

fn unreachable((from, to): (u32, u32)) -> CollectiveError {
    CollectiveError::Unreachable { from, to }
}

/// The phases of an algorithm; an engine's kernel reads and writes all peers at once.
fn played_phases(collective: &Collective, algorithm: Algorithm, shape: &GroupShape) -> Result<Vec<Phase>, CollectiveError> {
    if algorithm == Algorithm::EngineKernel {
        return Ok(vec![Phase::whole(TrafficPattern::AllPairs, 2.0 / f64::from(collective.ranks))]);
    }
    phases_on(collective.op, algorithm, shape)
}

/// The phases of an algorithm, or what would work instead.
fn phases_on(op: Op, algorithm: Algorithm, shape: &GroupShape) -> Result<Vec<Phase>, CollectiveError> {
    phases(op, algorithm, shape).map_err(|obstacle| {
        let applies = |other: &Algorithm| phases(op, *other, shape).is_ok();
        let instead = Algorithm::ALL.into_iter().map(|(other, _)| other).filter(applies).collect();
        CollectiveError::DoesNotApply { algorithm, op, obstacle, instead }
    })
}
