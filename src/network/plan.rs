//! The price of one op among one group of ranks, for any size: every algorithm that applies, with its traffic played once. What a call
//! then takes stands in `cost.rs`.
//!
//! Several ranks of one package add up (or share out) over the link between its dies first, and then each takes part with its share; in an
//! all-to-all both run at once.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::algorithm::{Phase, Rails, Shape, phases};
use super::collective::Protocol;
use super::cost::{Call, Cost, Played, Work, best_efficiency, launch, reduces};
use super::custom_all_reduce::{EngineCost, engine_cost};
use super::group::Group;
use super::network::Network;
use super::op::Op;
use super::pattern::Pattern;
use super::profile::Profile;
use crate::input::document::{Algorithm, Algorithms, Library};
use crate::units::{Bytes, Seconds};

/// A group of chips, what algorithms ask of it, and its traffic patterns, each played when it is first asked for.
#[derive(Debug)]
pub(super) struct Members {
    pub group: Group,
    pub shape: Shape,
    /// Groups that lie beside it in the same way and do the same at once.
    siblings: Vec<Group>,
    profiles: RwLock<BTreeMap<Pattern, Arc<Profile>>>,
}

/// Groups with siblings have their all-to-all played up to this many ranks: it has no symmetry to use, and where more ranks exchange
/// gradients and weights, rings and trees are what libraries run.
const PAIRS_BESIDE_SIBLINGS: u32 = 64;

impl Members {
    pub fn new(network: &Network<'_>, group: Group) -> Self {
        Self::beside(network, group, Vec::new())
    }

    /// With groups that do the same at once.
    pub fn beside(network: &Network<'_>, group: Group, siblings: Vec<Group>) -> Self {
        let shape = shape(network, &group);
        Self { group, shape, siblings, profiles: RwLock::default() }
    }

    fn can_play(&self, phases: &[Phase]) -> bool {
        let few = self.siblings.is_empty() || self.group.ranks() <= PAIRS_BESIDE_SIBLINGS;
        few || !phases.iter().any(|phase| matches!(phase.pattern, Pattern::AllPairs | Pattern::Across { .. } | Pattern::FromRoot))
    }

    fn play(&self, network: &Network<'_>, pattern: Pattern) -> Profile {
        if self.siblings.is_empty() {
            return network.play(&self.group, pattern);
        }
        let mut loads = network.loads_of_groups(&self.siblings, pattern);
        loads.add(&network.loads(&self.group, pattern), 1.0);
        Profile { sent_bytes: loads.sent / (self.siblings.len() + 1) as f64, ..network.profile(&loads) }
    }

    /// The pattern, played. Two threads may play the same pattern; a lock held meanwhile could block a thread that the walk waits for.
    pub fn profile(&self, network: &Network<'_>, pattern: Pattern) -> Arc<Profile> {
        if let Some(known) = self.profiles.read().unwrap_or_else(PoisonError::into_inner).get(&pattern) {
            return Arc::clone(known);
        }
        let played = Arc::new(self.play(network, pattern));
        Arc::clone(self.profiles.write().unwrap_or_else(PoisonError::into_inner).entry(pattern).or_insert(played))
    }
}

/// What algorithms ask of a group.
pub(super) fn shape(network: &Network<'_>, group: &Group) -> Shape {
    let level_sizes = network.fabric().level_sizes.clone();
    let reduces = !network.aggregation_roots(group).is_empty();
    Shape { ranks: group.ranks(), widths: group.as_box(&level_sizes), level_sizes, reduces, rails: rails(network, group) }
}

/// Ranks in equal numbers in several scale-up domains, one domain after the other.
fn rails(network: &Network<'_>, group: &Group) -> Option<Rails> {
    let chips = network.domain_chips();
    let domain = |rank: u32| group.chip(rank) / chips;
    let inside = (0..group.ranks()).take_while(|&rank| domain(rank) == domain(0)).count() as u32;
    let domains = group.ranks() / inside.max(1);
    let mut seen: Vec<u32> = (0..domains).map(|number| domain(number * inside)).collect();
    seen.sort_unstable();
    seen.dedup();
    let even = group.ranks() == inside * domains && (0..group.ranks()).all(|rank| domain(rank) == domain(rank / inside * inside));
    if domains < 2 || !even || seen.len() != domains as usize {
        return None;
    }
    let reduces = inside > 1 && !network.aggregation_roots(&Group::of(group.chips()[..inside as usize].to_vec())).is_empty();
    Some(Rails { inside, domains, reduces })
}

/// One op among one group.
#[derive(Debug)]
pub(super) struct Plan {
    pub op: Op,
    pub members: Arc<Members>,
    /// Ranks on every chip.
    pub per_chip: u32,
    offers: Vec<Offer>,
}

/// An algorithm that applies.
#[derive(Debug)]
struct Offer {
    algorithm: Algorithm,
    phases: Vec<Phase>,
    played: Vec<OnceLock<Played>>,
}

impl Plan {
    pub fn new(op: Op, members: Arc<Members>, per_chip: u32) -> Self {
        let applicable = Algorithm::ALL.into_iter().filter(|(algorithm, _)| !algorithm.is_dominated());
        let phases = applicable.filter_map(|(algorithm, _)| Some((algorithm, phases(op, algorithm, &members.shape).ok()?)));
        let offers = phases.filter(|(_, phases)| members.can_play(phases)).map(|(algorithm, phases)| Offer::new(algorithm, phases)).collect();
        Self { op, offers, members, per_chip }
    }

    /// The fastest algorithm that the library offers and whose ranks all reach each other; of equals the first of [`Algorithm::ALL`].
    /// `None` if nothing applies.
    pub fn fastest(&self, call: &Call<'_>) -> Option<Result<Cost, (u32, u32)>> {
        let spans = self.spans_hosts(call.network);
        self.fastest_of(call, |algorithm| offers(call.library, self.op, algorithm, spans))
    }

    /// The same over all algorithms that apply, offered or not.
    pub fn fastest_known(&self, call: &Call<'_>) -> Option<Result<Cost, (u32, u32)>> {
        self.fastest_of(call, |_| true)
    }

    fn fastest_of(&self, call: &Call<'_>, is_offered: impl Fn(Algorithm) -> bool) -> Option<Result<Cost, (u32, u32)>> {
        if self.is_one_package() {
            return Some(Ok(self.inside_package(call)));
        }
        let engine = self.engine_cost(call);
        let mut best = engine.map(|cost| (cost.total(), self.offers.len(), cost));
        let mut unreachable = None;
        let mut order: Vec<(Seconds, usize)> = self
            .offers
            .iter()
            .enumerate()
            .filter(|(_, offer)| is_offered(offer.algorithm))
            .map(|(number, offer)| (self.least(call, offer), number))
            .collect();
        order.sort_unstable_by(|a, b| a.0.get().total_cmp(&b.0.get()).then(a.1.cmp(&b.1)));
        for (least, number) in order {
            let limit = best.as_ref().map_or(Seconds::new(f64::INFINITY), |best| best.0);
            if least > limit {
                break;
            }
            match self.cost(call, &self.offers[number], limit) {
                Ok(Some(cost)) => {
                    let total = cost.total();
                    if best.as_ref().is_none_or(|best| (total.get(), number) < (best.0.get(), best.1)) {
                        best = Some((total, number, cost));
                    }
                }
                Ok(None) => {}
                Err(pair) => unreachable = Some(pair),
            }
        }
        best.map(|(_, _, cost)| Ok(cost)).or(unreachable.map(Err))
    }

    /// Every algorithm that the library offers, in the order of [`Algorithm::ALL`].
    pub fn all(&self, call: &Call<'_>) -> Vec<Cost> {
        if self.is_one_package() {
            return vec![self.inside_package(call)];
        }
        let spans = self.spans_hosts(call.network);
        let offered = self.offers.iter().filter(|offer| offers(call.library, self.op, offer.algorithm, spans));
        let limit = Seconds::new(f64::INFINITY);
        offered.filter_map(|offer| self.cost(call, offer, limit).ok().flatten()).chain(self.engine_cost(call)).collect()
    }

    /// One algorithm, offered or not; its phases must be those of `phases` for this group.
    pub fn one(&self, call: &Call<'_>, algorithm: Algorithm, phases: Vec<Phase>) -> Result<Cost, (u32, u32)> {
        let limit = Seconds::new(f64::INFINITY);
        let known = self.offers.iter().find(|offer| offer.algorithm == algorithm);
        let cost = match known {
            Some(offer) => self.cost(call, offer, limit)?,
            None => self.cost(call, &Offer::new(algorithm, phases), limit)?,
        };
        Ok(cost.unwrap_or_else(|| self.inside_package(call)))
    }

    /// The engines' kernels, in a captured graph, among ranks that are in reach of each other's memory.
    pub fn engine_cost(&self, call: &Call<'_>) -> Option<Cost> {
        if !call.captured || self.op != Op::AllReduce || self.per_chip > 1 || self.members.shape.rails.is_some() {
            return None;
        }
        let reach = call.network.memory_reach();
        let group = &self.members.group;
        if group.chips().iter().any(|chip| chip / reach != group.chip(0) / reach) {
            return None;
        }
        let kernels = call.library.captured_all_reduce.iter().filter(|(engine, _)| call.engines.include(engine));
        let profile = self.members.profile(call.network, Pattern::AllPairs);
        if profile.unreachable.is_some() {
            return None;
        }
        let costs = kernels.map(|(_, kernel)| engine_cost(call.network, &profile, kernel, group, call.bytes));
        let EngineCost { launch, barrier, moving, bottleneck } = costs.min_by(|a, b| a.total().get().total_cmp(&b.total().get()))?;
        Some(Cost {
            algorithm: Algorithm::EngineKernel,
            protocol: Protocol::LowLatency,
            launch,
            synchronisation: barrier,
            propagation: Seconds::ZERO,
            serialisation: moving,
            waiting: Seconds::ZERO,
            ramp: Seconds::ZERO,
            bottleneck,
        })
    }

    fn is_one_package(&self) -> bool {
        self.members.group.ranks() == 1
    }

    /// Whether the group spans several operating systems.
    pub fn spans_hosts(&self, network: &Network<'_>) -> bool {
        let host_chips = network.fabric().host_chips;
        let group = &self.members.group;
        group.chips().iter().any(|chip| chip / host_chips != group.chip(0) / host_chips)
    }

    /// Ranks that take part.
    fn ranks(&self) -> f64 {
        f64::from(self.members.group.ranks() * self.per_chip)
    }

    /// What all ranks of a chip together bring to an op among chips.
    fn chip_bytes(&self, bytes: Bytes) -> Bytes {
        match self.op {
            Op::AllReduce | Op::AllGather | Op::ReduceScatter | Op::Broadcast => bytes,
            Op::AllToAll | Op::Send => bytes * f64::from(self.per_chip),
        }
    }

    /// Time on the link between the dies of a package at full rate, and rounds there.
    fn between_dies(&self, call: &Call<'_>) -> (Seconds, f64) {
        let p = f64::from(self.per_chip);
        if self.per_chip < 2 {
            return (Seconds::ZERO, 0.0);
        }
        let (share, rounds) = match self.op {
            Op::AllReduce => (2.0 * (p - 1.0) / p, 2.0),
            Op::AllGather | Op::ReduceScatter => ((p - 1.0) / p, 1.0),
            Op::AllToAll => ((p - 1.0) / self.ranks(), if self.is_one_package() { 1.0 } else { 0.0 }),
            Op::Broadcast => (1.0, 1.0),
            Op::Send => (if self.is_one_package() { 1.0 } else { 0.0 }, 0.0),
        };
        let rate = call.network.fabric().chip.io.die_to_die.as_ref().map(|rate| rate.value);
        (rate.map_or(Seconds::ZERO, |rate| call.bytes * share / rate), rounds)
    }

    /// All ranks on one chip.
    fn inside_package(&self, call: &Call<'_>) -> Cost {
        let (busy, rounds) = self.between_dies(call);
        Cost {
            algorithm: Algorithm::Direct,
            protocol: Protocol::Bulk,
            launch: launch(call, false, false),
            synchronisation: call.library.round.value * rounds,
            propagation: Seconds::ZERO,
            serialisation: busy / call.library.wire_efficiency.value.get(),
            waiting: Seconds::ZERO,
            ramp: Seconds::ZERO,
            bottleneck: None,
        }
    }

    /// No fabric lets these phases end sooner: launch, rounds, and the bytes through one chip's ports at the library's best.
    fn least(&self, call: &Call<'_>, offer: &Offer) -> Seconds {
        let (library, bytes) = (call.library, self.chip_bytes(call.bytes));
        let rate = call.network.egress() * best_efficiency(library);
        let round = library.round.value.min(library.across_hosts.as_ref().map_or(library.round.value, |across| across.round.value));
        let reduces = reduces(offer.algorithm);
        let waits = offer.phases.iter().map(|phase| if reduces { Seconds::ZERO } else { round * phase.rounds }).sum();
        let largest = offer.phases.iter().map(|phase| phase.share).fold(0.0, f64::max);
        launch(call, reduces, false) + waits + bytes * largest / rate
    }

    /// What one algorithm takes; `None` where it takes longer than `limit`. The last phases are played first: where an algorithm has many
    /// they reach farthest, and then the others need not be played at all.
    fn cost(&self, call: &Call<'_>, offer: &Offer, limit: Seconds) -> Result<Option<Cost>, (u32, u32)> {
        let bytes = self.chip_bytes(call.bytes);
        let smaller = f64::from(self.per_chip * self.per_chip);
        let width = self.members.shape.rails.map_or(1, |rails| rails.inside);
        let mut work = Work::new(call, self.op, offer.algorithm, f64::from(width));
        for (number, phase) in offer.phases.iter().enumerate().rev() {
            let played = offer.played[number].get_or_init(|| self.play(call.network, phase));
            if let Some(pair) = played.unreachable {
                return Err(pair);
            }
            let message = if self.op == Op::AllToAll { bytes * phase.message / smaller } else { bytes * phase.message };
            work.add(call, phase, played, bytes, message);
            if work.least() > limit {
                return Ok(None);
            }
        }
        let (dies, rounds) = self.between_dies(call);
        let own = match self.op {
            Op::Send => Seconds::ZERO,
            Op::AllReduce | Op::AllGather | Op::ReduceScatter | Op::AllToAll | Op::Broadcast => {
                call.bytes / self.ranks() / (call.network.sending_rate() * 2.0)
            }
        };
        Ok(Some(work.total(call, offer.algorithm, self.ranks(), (dies, rounds), own)))
    }

    fn play(&self, network: &Network<'_>, phase: &Phase) -> Played {
        let profile = self.members.profile(network, phase.pattern);
        let nic_level = network.nic_level();
        let (across, inside) = profile.peaks.iter().partition(|peak| nic_level.is_some_and(|level| usize::from(peak.level) >= level));
        let senders = f64::from(phase.pattern.senders(self.members.group.ranks()));
        let peers = profile.sent_bytes / senders;
        Played { inside, across, latency: profile.latency, sent: phase.share * peers, peers, unreachable: profile.unreachable }
    }
}

impl Offer {
    fn new(algorithm: Algorithm, phases: Vec<Phase>) -> Self {
        let played = phases.iter().map(|_| OnceLock::new()).collect();
        Self { algorithm, phases, played }
    }
}

/// Whether the library offers an algorithm for an op: every one that applies where the op is not listed.
fn offers(library: &Library, op: Op, algorithm: Algorithm, spans_hosts: bool) -> bool {
    let Some(listed) = listed(&library.algorithms, op) else { return true };
    let added = listed_if(spans_hosts, &library.algorithms_across_hosts, op);
    listed.iter().chain(added).any(|known| *known == algorithm)
}

fn listed_if(wanted: bool, algorithms: &Algorithms, op: Op) -> &[Algorithm] {
    listed(algorithms, op).filter(|_| wanted).map_or(&[], Vec::as_slice)
}

/// What a list offers for an op; `None` where the op is not listed.
fn listed(algorithms: &Algorithms, op: Op) -> Option<&Vec<Algorithm>> {
    match op {
        Op::AllReduce => algorithms.all_reduce.as_ref(),
        Op::AllGather => algorithms.all_gather.as_ref(),
        Op::ReduceScatter => algorithms.reduce_scatter.as_ref(),
        Op::AllToAll => algorithms.all_to_all.as_ref(),
        Op::Broadcast => algorithms.broadcast.as_ref(),
        Op::Send => algorithms.send.as_ref(),
    }
}
