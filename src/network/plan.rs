//! Price of one op in one group of ranks, for any size: all algorithms that apply, with the loads of their traffic patterns. `cost.rs` computes the
//! time of a call from these loads.
//!
//! Several ranks of one package add up (or share out) over the link between its dies first, and then each takes part with its share; in an
//! all-to-all both run at once.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::algorithm::{Carrier, GroupShape, Phase, RankRails, phases};
use super::collective::{LibraryProtocol, Timing};
use super::cost::{Call, Engines, PhaseWork, PlayedPhase, best_efficiency, launch};
use super::custom_all_reduce::{EngineCost, engine_cost, multicast_cost};
use super::grid::{grid_dimensions, smallest_lines};
use super::group::Group;
use super::network::{LONG_MESSAGE, Network};
use super::op::Op;
use super::pattern::TrafficPattern;
use super::profile::Profile;
use crate::input::document::{Algorithm, Algorithms, Library, Semantics};
use crate::units::{Bytes, Seconds};

/// A group of chips, its properties for the choice of algorithms, and the loads of its traffic patterns, computed at first use.
#[derive(Debug)]
pub(super) struct Members {
    pub group: Group,
    pub shape: GroupShape,
    /// Whether the group spans several operating systems.
    pub spans_hosts: bool,
    /// Whether engines' kernels reach the memory of every rank from every other.
    in_memory_reach: bool,
    /// Groups with the same placement that run the same op at the same time.
    siblings: Vec<Group>,
    /// Of the group and its siblings the ranks on rails, where those are not all of them.
    rails: Option<(Group, Vec<Group>)>,
    profiles: RwLock<BTreeMap<(TrafficPattern, bool), Arc<Profile>>>,
}

/// Groups with siblings have their all-to-all played up to this many ranks: it has no symmetry to use, and where more ranks exchange
/// gradients and weights, rings and trees are what libraries run.
const PAIRS_BESIDE_SIBLINGS: u32 = 64;

impl Members {
    pub fn new(network: &Network<'_>, group: Group) -> Self {
        Self::beside(network, group, Vec::new())
    }

    /// With groups that run the same op at the same time.
    pub fn beside(network: &Network<'_>, group: Group, siblings: Vec<Group>) -> Self {
        let shape = shape(network, &group);
        let rails = rail_ranks(network, &group).filter(|ranks| *ranks != group);
        let rails = rails.map(|own| (own, siblings.iter().filter_map(|sibling| rail_ranks(network, sibling)).collect()));
        let fabric = network.fabric();
        let spans = |run: u32| group.chips().iter().any(|&chip| fabric.place(chip) / run != fabric.place(group.chip(0)) / run);
        let (spans_hosts, in_memory_reach) = (spans(fabric.host_chips), !spans(network.memory_reach()));
        let group = group.standing_in(fabric);
        let siblings = siblings.into_iter().map(|sibling| sibling.standing_in(fabric)).collect();
        Self { group, shape, spans_hosts, in_memory_reach, siblings, rails, profiles: RwLock::default() }
    }

    /// Whether all chips take part in level order, and no other group beside them.
    fn is_whole_machine(&self, network: &Network<'_>) -> bool {
        self.siblings.is_empty() && self.group.ranks() == network.fabric().chips && self.group.in_level_order()
    }

    fn can_play(&self, phases: &[Phase]) -> bool {
        let few = self.siblings.is_empty() || self.group.ranks() <= PAIRS_BESIDE_SIBLINGS;
        few || !phases
            .iter()
            .any(|phase| matches!(phase.pattern, TrafficPattern::AllPairs | TrafficPattern::Across { .. } | TrafficPattern::FromRoot))
    }

    fn play(&self, network: &Network<'_>, pattern: TrafficPattern, on_rails: bool) -> Profile {
        let (group, siblings) = match &self.rails {
            Some((group, siblings)) if on_rails => (group, siblings),
            _ => (&self.group, &self.siblings),
        };
        if siblings.is_empty() {
            return network.play(group, pattern);
        }
        let mut loads = network.loads_of_groups(siblings, pattern);
        loads.add(&network.loads(group, pattern), 1.0);
        Profile { sent_bytes: loads.sent / (siblings.len() + 1) as f64, ..network.profile(&loads) }
    }

    /// The pattern, played among all ranks or those on rails. Two threads may play the same pattern; a lock held meanwhile could block a
    /// thread that the walk waits for.
    pub fn profile(&self, network: &Network<'_>, pattern: TrafficPattern, on_rails: bool) -> Arc<Profile> {
        let key = (pattern, on_rails && self.rails.is_some());
        if let Some(known) = self.profiles.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let played = Arc::new(self.play(network, pattern, on_rails));
        Arc::clone(self.profiles.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(played))
    }
}

/// What algorithms ask of a group.
pub(super) fn shape(network: &Network<'_>, group: &Group) -> GroupShape {
    let fabric = network.fabric();
    let level_sizes = fabric.level_sizes.clone();
    let reduces = !network.aggregation_roots(group).is_empty();
    // Chips that moved up for lost ones no longer stand where their numbers say.
    let moved = group.chips().iter().any(|&chip| fabric.place(chip) != chip);
    let widths = if moved { None } else { group.as_box(&level_sizes) };
    let lines = smallest_lines(fabric, group, &level_sizes);
    let rails = rails(network, group);
    let grid = if rails.is_none() { grid_dimensions(fabric, group) } else { Vec::new() };
    GroupShape { ranks: group.ranks(), widths, lines, grid, level_sizes, reduces, rails }
}

/// Ranks in several scale-up domains, domain by domain, as many in each: where the domains hold ranks at common positions those, so that each
/// rail stays on its switch; else the first of each domain.
pub(super) fn rail_ranks(network: &Network<'_>, group: &Group) -> Option<Group> {
    network.nic_level()?;
    let (fabric, chips) = (network.fabric(), network.domain_chips());
    if fabric.places.is_empty() && group.in_level_order() && group.ranks().is_multiple_of(chips) && group.ranks() > chips {
        return Some(group.clone());
    }
    let mut domains: BTreeMap<u32, BTreeMap<u32, u32>> = BTreeMap::new();
    for &chip in group.chips() {
        let place = fabric.place(chip);
        domains.entry(place / chips).or_default().insert(place % chips, chip);
    }
    let (first, others) = (domains.values().next()?, domains.len() - 1);
    if others == 0 {
        return None;
    }
    let fewest = domains.values().map(BTreeMap::len).min()?;
    let common: Vec<u32> = first.keys().copied().filter(|position| domains.values().all(|domain| domain.contains_key(position))).collect();
    let of_domain = |domain: &BTreeMap<u32, u32>| -> Vec<u32> {
        if common.is_empty() { domain.values().copied().take(fewest).collect() } else { common.iter().map(|position| domain[position]).collect() }
    };
    Some(Group::of(domains.values().flat_map(of_domain).collect()))
}

fn rails(network: &Network<'_>, group: &Group) -> Option<RankRails> {
    let (fabric, chips) = (network.fabric(), network.domain_chips());
    let ranks = rail_ranks(network, group)?;
    let first = fabric.place(ranks.chip(0)) / chips;
    let inside = ranks.chips().iter().take_while(|&&chip| fabric.place(chip) / chips == first).count() as u32;
    let reduces = inside > 1 && !network.aggregation_roots(&Group::of(ranks.chips()[..inside as usize].to_vec())).is_empty();
    let rails_reduce = !network.rail_roots(&ranks.rail(inside, 0)).is_empty();
    Some(RankRails { inside, domains: ranks.ranks() / inside, reduces, rails_reduce })
}

/// A phase on the bare fabric, without the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Who talks to whom.
    pub pattern: TrafficPattern,
    /// How often it is played, one after the other.
    pub times: f64,
    /// Bytes that one unit of the pattern's weight moves in each round.
    pub bytes: Bytes,
    /// Path and wire at max-min fair rates, each time.
    pub time: Seconds,
    /// Whether it runs at the same time as the rounds before it.
    pub beside: bool,
}

/// One op among one group.
#[derive(Debug)]
pub(super) struct CollectivePlan {
    pub op: Op,
    pub members: Arc<Members>,
    /// Ranks on every chip.
    pub per_chip: u32,
    offers: Vec<OfferedAlgorithm>,
}

/// An algorithm that applies.
#[derive(Debug)]
struct OfferedAlgorithm {
    algorithm: Algorithm,
    phases: Vec<Phase>,
    played: Vec<OnceLock<PlayedPhase>>,
}

impl CollectivePlan {
    pub fn new(op: Op, members: Arc<Members>, per_chip: u32) -> Self {
        let applicable = Algorithm::ALL.into_iter().filter(|(algorithm, _)| !algorithm.is_dominated());
        let phases = applicable.filter_map(|(algorithm, _)| Some((algorithm, phases(op, algorithm, &members.shape).ok()?)));
        let offers =
            phases.filter(|(_, phases)| members.can_play(phases)).map(|(algorithm, phases)| OfferedAlgorithm::new(algorithm, phases)).collect();
        Self { op, members, per_chip, offers }
    }

    /// The fastest algorithm that the library offers and whose ranks all reach each other; of equals the first of [`Algorithm::ALL`].
    /// `None` if nothing applies.
    pub fn fastest(&self, call: &Call<'_>) -> Option<Result<Timing, (u32, u32)>> {
        let spans = self.members.spans_hosts;
        self.fastest_of(call, |offer| offers(call.library, self.op, offer, spans))
    }

    /// The same over all algorithms that apply, offered or not.
    pub fn fastest_known(&self, call: &Call<'_>) -> Option<Result<Timing, (u32, u32)>> {
        self.fastest_of(call, |_| true)
    }

    fn fastest_of(&self, call: &Call<'_>, is_offered: impl Fn(&OfferedAlgorithm) -> bool) -> Option<Result<Timing, (u32, u32)>> {
        if self.is_one_package() {
            return Some(Ok(self.inside_package(call)));
        }
        let engine = self.engine_cost(call);
        let mut best = engine.map(|cost| (cost.total(), self.offers.len(), cost));
        let mut unreachable = None;
        let floor = |algorithm| call.floors.iter().find(|floor| floor.0 == algorithm).map_or(Seconds::ZERO, |floor| floor.1);
        let offered = self.offers.iter().enumerate().filter(|(_, offer)| is_offered(offer));
        let mut order: Vec<(Seconds, usize)> = offered.map(|(number, offer)| (self.least(call, offer).max(floor(offer.algorithm)), number)).collect();
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
    pub fn all(&self, call: &Call<'_>) -> Vec<Timing> {
        if self.is_one_package() {
            return vec![self.inside_package(call)];
        }
        let spans = self.members.spans_hosts;
        let offered = self.offers.iter().filter(|offer| offers(call.library, self.op, offer, spans));
        let limit = Seconds::new(f64::INFINITY);
        offered.filter_map(|offer| self.cost(call, offer, limit).ok().flatten()).chain(self.engine_cost(call)).collect()
    }

    /// One algorithm, offered or not; its phases must be those of `phases` for this group.
    pub fn one(&self, call: &Call<'_>, algorithm: Algorithm, phases: Vec<Phase>) -> Result<Timing, (u32, u32)> {
        let limit = Seconds::new(f64::INFINITY);
        let known = self.offers.iter().find(|offer| offer.algorithm == algorithm);
        let cost = match known {
            Some(offer) => self.cost(call, offer, limit)?,
            None => self.cost(call, &OfferedAlgorithm::new(algorithm, phases), limit)?,
        };
        Ok(cost.unwrap_or_else(|| self.inside_package(call)))
    }

    /// The kernels of a captured graph, among ranks that are in reach of each other's memory: inside a host those of the engines, across
    /// hosts those that let switches copy.
    pub fn engine_cost(&self, call: &Call<'_>) -> Option<Timing> {
        if !call.captured || self.op != Op::AllReduce || self.per_chip > 1 || self.members.shape.rails.is_some() {
            return None;
        }
        let (network, library, bytes) = (call.network, call.library, call.bytes);
        let group = &self.members.group;
        if !self.members.in_memory_reach {
            return None;
        }
        let profile = self.members.profile(network, TrafficPattern::AllPairs, false);
        if profile.unreachable.is_some() {
            return None;
        }
        let costs: Vec<EngineCost> = if self.members.spans_hosts {
            let engines = library.multicast_all_reduce.as_ref().filter(|_| call.engines != Engines::None);
            let kernels = engines.into_iter().chain(&library.registered_all_reduce).filter(|_| self.members.shape.reduces);
            kernels.map(|kernel| multicast_cost(network, &profile, kernel, group, bytes)).collect()
        } else {
            let kernels = library.captured_all_reduce.iter().filter(|(engine, _)| call.engines.include(engine));
            kernels.map(|(_, kernel)| engine_cost(network, &profile, kernel, group, bytes)).collect()
        };
        let fastest = costs.into_iter().min_by(|a, b| a.total().get().total_cmp(&b.total().get()))?;
        let EngineCost { launch, barrier, moving, bottleneck } = fastest;
        Some(Timing {
            algorithm: Algorithm::EngineKernel,
            protocol: LibraryProtocol::LowLatency,
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

    /// Ranks that take part.
    fn ranks(&self) -> f64 {
        f64::from(self.members.group.ranks() * self.per_chip)
    }

    /// Contribution of all ranks of one chip to an op among chips.
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
    fn inside_package(&self, call: &Call<'_>) -> Timing {
        let (busy, rounds) = self.between_dies(call);
        Timing {
            algorithm: Algorithm::Direct,
            protocol: LibraryProtocol::Bulk,
            launch: launch(call, false, false),
            synchronisation: call.library.round.value * rounds,
            propagation: Seconds::ZERO,
            serialisation: busy / call.library.wire_efficiency.value.get(),
            waiting: Seconds::ZERO,
            ramp: Seconds::ZERO,
            bottleneck: None,
        }
    }

    /// Lower bound of these phases on any fabric: launch, rounds, and the bytes through one chip's ports at the library's best share of the wire.
    fn least(&self, call: &Call<'_>, offer: &OfferedAlgorithm) -> Seconds {
        let (library, bytes) = (call.library, self.chip_bytes(call.bytes));
        let rate = call.network.egress() * best_efficiency(library);
        let round = library.round.value.min(library.across_hosts.as_ref().map_or(library.round.value, |across| across.round.value));
        let reduces = Carrier::of(offer.algorithm).reduces();
        let waits = offer.phases.iter().map(|phase| if reduces { Seconds::ZERO } else { round * phase.rounds }).sum();
        // Phases follow each other, unless one runs beside those before it. Some chip sends at least one unit of every pattern's weight.
        let (mut done, mut open) = (0.0, 0.0_f64);
        for phase in &offer.phases {
            if phase.beside {
                open = open.max(phase.share);
            } else {
                (done, open) = (done + open, phase.share);
            }
        }
        let ports = bytes * (done + open) / rate;
        // Where the bytes of all pairs have been counted, they say more than the ports.
        let pairs = call.network.known_bytes_of_all_pairs().filter(|_| self.members.is_whole_machine(call.network));
        let all_pairs = offer.phases.iter().filter(|phase| phase.pattern == TrafficPattern::AllPairs).map(|phase| phase.share).sum::<f64>();
        let wire = pairs.map_or(Seconds::ZERO, |pairs| {
            let time = |semantics| pairs.serialisation_of(call.network.fabric(), bytes * all_pairs, LONG_MESSAGE, semantics).0;
            time(Semantics::Messages).min(time(Semantics::LoadsAndStores)) / best_efficiency(library)
        });
        launch(call, reduces, false) + waits + ports.max(wire)
    }

    /// Time of one algorithm; `None` if it exceeds `limit`. The last phases are priced first, because they have the longest paths. If they exceed
    /// the limit, the other phases need not be priced.
    fn cost(&self, call: &Call<'_>, offer: &OfferedAlgorithm, limit: Seconds) -> Result<Option<Timing>, (u32, u32)> {
        let bytes = self.chip_bytes(call.bytes);
        let (width, domains) = self.members.shape.rails.map_or((1, 1), |rails| (rails.inside, rails.domains));
        let mut work = PhaseWork::new(call, self.op, offer.algorithm, (f64::from(width), f64::from(domains)));
        for (number, phase) in offer.phases.iter().enumerate().rev() {
            let played = offer.played[number].get_or_init(|| self.play(call.network, phase));
            if let Some(pair) = played.unreachable {
                return Err(pair);
            }
            work.add(call, phase, played, bytes, self.message(bytes, phase));
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

    /// Whether some phase is played by the ranks on rails alone while the group has others besides.
    pub fn leaves_ranks_out(&self, phases: &[Phase]) -> bool {
        self.members.rails.is_some() && phases.iter().any(|phase| phase.on_rails)
    }

    /// Phases as rounds on the bare fabric: what [`CollectivePlan::one`] prices, without launch, waits, efficiency and ramp of the library.
    pub fn rounds(&self, call: &Call<'_>, phases: &[Phase]) -> Vec<Round> {
        if self.is_one_package() {
            return Vec::new();
        }
        let bytes = self.chip_bytes(call.bytes);
        let round = |phase: &Phase| {
            let profile = self.members.profile(call.network, phase.pattern, phase.on_rails);
            let mut wire = profile.serialisation(call.network.fabric(), bytes * phase.share, self.message(bytes, phase)).0;
            let played = self.play(call.network, phase);
            if played.across.is_empty() {
                wire = wire.max(call.network.window_time(bytes * played.sent, played.latency));
            }
            let time = profile.latency + wire / phase.rounds;
            Round { pattern: phase.pattern, times: phase.rounds, bytes: bytes * (phase.share / phase.rounds), time, beside: phase.beside }
        };
        phases.iter().map(round).collect()
    }

    /// One contiguous message of a phase.
    fn message(&self, bytes: Bytes, phase: &Phase) -> Bytes {
        let smaller = if self.op == Op::AllToAll { f64::from(self.per_chip * self.per_chip) } else { 1.0 };
        bytes * phase.message / smaller
    }

    fn play(&self, network: &Network<'_>, phase: &Phase) -> PlayedPhase {
        let profile = self.members.profile(network, phase.pattern, phase.on_rails);
        let nic_level = network.nic_level();
        let (across, inside) = profile.peaks.iter().partition(|peak| nic_level.is_some_and(|level| usize::from(peak.level) >= level));
        let ranks = match &self.members.rails {
            Some((group, _)) if phase.on_rails => group.ranks(),
            _ => self.members.group.ranks(),
        };
        let senders = f64::from(phase.pattern.senders(ranks));
        let peers = profile.sent_bytes / senders;
        PlayedPhase { inside, across, latency: profile.latency, sent: phase.share * peers, peers, unreachable: profile.unreachable }
    }
}

impl OfferedAlgorithm {
    fn new(algorithm: Algorithm, phases: Vec<Phase>) -> Self {
        let played = phases.iter().map(|_| OnceLock::new()).collect();
        Self { algorithm, phases, played }
    }
}

/// Whether the library offers an algorithm for an op. If the library does not list the op, it offers every algorithm that applies. Switches behind
/// NICs add only for libraries that state so.
fn offers(library: &Library, op: Op, offer: &OfferedAlgorithm, spans_hosts: bool) -> bool {
    let by_rails = offer.phases.iter().any(|phase| matches!(phase.pattern, TrafficPattern::AggregateRails { .. }));
    if by_rails && !library.across_hosts.as_ref().is_some_and(|across| across.reduces_in_switches) {
        return false;
    }
    let algorithm = offer.algorithm;
    let Some(listed) = listed(&library.algorithms, op) else { return true };
    let added = listed_if(spans_hosts, &library.algorithms_across_hosts, op);
    listed.iter().chain(added).any(|known| *known == algorithm)
}

fn listed_if(wanted: bool, algorithms: &Algorithms, op: Op) -> &[Algorithm] {
    listed(algorithms, op).filter(|_| wanted).map_or(&[], Vec::as_slice)
}

/// Algorithms of a list for an op; `None` if the op is not listed.
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
