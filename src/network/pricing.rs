//! From a collective to its time, with one library on one network.
//!
//! With N rounds and T the serialisation of the real fabric (bytes over rate on the most loaded channel), the library's protocols take
//!
//! ```text
//! low latency   launch + N (round + path) + T / e_l
//! bulk          launch + N (round + path) + x + sqrt((d R)^2 + 2 d R x),   x = (T + own / 2) / e
//! in switch     as bulk, with e_s for e and without own
//! ```
//!
//! and the fastest is taken. `own` is the copy of a rank's own n-th of the buffer inside the chip, at twice the wire's rate. The root
//! is the ramp of a pipeline over d stages with the best size of chunk: k chunks cost k x o + d T / k. d is 1 between neighbours and
//! the depth of a tree or chain that passes chunks on. The forms and their constants are fitted to measured NCCL tables; see
//! `docs/model.md`.

use std::collections::BTreeMap;

use super::algorithm::{Phase, Shape, phases};
use super::bound::{Cuts, lower_bound};
use super::collective::{BYTES_MAX, Collective, CollectiveError, LevelUse, Protocol, Timing};
use super::group::{Group, Placement};
use super::network::Network;
use super::op::Op;
use super::pattern::Pattern;
use super::profile::{Peak, Profile};
use crate::input::document::{Algorithm, Algorithms, Library};
use crate::units::{Bytes, Seconds};

/// A peer's messages of an all-to-all run on one of this many channels of the library, so that few peers do not fill the wire under
/// the low-latency protocol (NCCL; seen alike on three link generations).
const LOW_LATENCY_CHANNELS: f64 = 32.0;

/// Prices collectives; plays each traffic pattern once.
#[derive(Debug)]
pub struct Pricing<'a> {
    network: &'a Network<'a>,
    library: &'a Library,
    placement: Placement,
    groups: BTreeMap<u32, Members>,
    profiles: BTreeMap<(Pattern, u32), Profile>,
}

/// A round of an algorithm on the bare fabric, without the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Who talks to whom.
    pub pattern: Pattern,
    /// How often it is played, one after the other.
    pub times: f64,
    /// What one unit of the pattern's weight moves each time.
    pub bytes: Bytes,
    /// Path and wire at max-min fair rates, each time.
    pub time: Seconds,
}

/// A group and what algorithms ask of it.
#[derive(Debug)]
struct Members {
    group: Group,
    shape: Shape,
    cuts: Cuts,
}

impl<'a> Pricing<'a> {
    /// Groups are the first chips in level order; no pattern played yet.
    #[must_use]
    pub fn new(network: &'a Network<'a>, library: &'a Library) -> Self {
        Self::placed(network, library, Placement::ByLevel)
    }

    /// As [`Pricing::new`], with ranks laid on chips in another way.
    #[must_use]
    pub fn placed(network: &'a Network<'a>, library: &'a Library, placement: Placement) -> Self {
        Self { network, library, placement, groups: BTreeMap::new(), profiles: BTreeMap::new() }
    }

    /// Prices `collective` with the given algorithm, or with the fastest that applies.
    ///
    /// # Errors
    /// A group, a size or an algorithm that makes no sense here.
    pub fn price(&mut self, collective: &Collective, algorithm: Option<Algorithm>) -> Result<Timing, CollectiveError> {
        match algorithm {
            Some(algorithm) => {
                let phases = self.phases(collective, algorithm)?;
                self.time(collective, algorithm, &phases)
            }
            None => self.fastest(collective),
        }
    }

    /// The first of [`Pricing::ranking`], without playing the patterns of algorithms that cannot win.
    fn fastest(&mut self, collective: &Collective) -> Result<Timing, CollectiveError> {
        let mut applicable: Vec<_> = self.applicable(collective)?.into_iter().enumerate().collect();
        applicable.sort_by(|a, b| self.least(collective, &a.1.1).get().total_cmp(&self.least(collective, &b.1.1).get()));
        let mut best: Option<(f64, usize, Timing)> = None;
        for (order, (algorithm, phases)) in applicable {
            if best.as_ref().is_some_and(|best| self.least(collective, &phases).get() > best.0) {
                break;
            }
            if best.as_ref().is_some_and(|best| self.takes_longer_than(best.0, collective, &phases)) {
                continue;
            }
            let timing = self.time(collective, algorithm, &phases)?;
            let total = timing.total().get();
            // Of equals the one that comes first in the list of algorithms, as in the ranking.
            if best.as_ref().is_none_or(|best| (total, order) < (best.0, best.1)) {
                best = Some((total, order, timing));
            }
        }
        best.map(|(_, _, timing)| timing).ok_or(CollectiveError::TooFewRanks)
    }

    /// No fabric lets these phases end sooner: launch, rounds, and the bytes through one chip's ports at the library's best.
    fn least(&self, collective: &Collective, phases: &[Phase]) -> Seconds {
        let rate = self.network.sending_rate() * self.best_efficiency();
        let each = phases.iter().map(|phase| self.library.round.value * phase.rounds + collective.bytes * phase.share / rate);
        self.library.launch.value + each.sum()
    }

    /// Whether some of the phases, played on the fabric, with the least of the others, already take longer. The last are played first:
    /// where an algorithm has many they reach farthest, and then the others need not be played at all.
    fn takes_longer_than(&mut self, limit: f64, collective: &Collective, phases: &[Phase]) -> bool {
        let efficiency = self.best_efficiency();
        let mut time = self.least(collective, phases);
        for phase in phases.iter().rev() {
            let network = self.network;
            let profile = self.profile(phase.pattern, collective.ranks);
            let (wire, _) = profile.serialisation(network.fabric(), collective.bytes * phase.share, collective.bytes * phase.message);
            let played = profile.latency * phase.rounds + wire / efficiency;
            time = time - collective.bytes * phase.share / (network.sending_rate() * efficiency) + played;
            if time.get() > limit {
                return true;
            }
        }
        false
    }

    /// The largest share of the wire that any of the library's protocols reaches.
    fn best_efficiency(&self) -> f64 {
        let library = self.library;
        let figures = [Some(&library.wire_efficiency), library.low_latency_efficiency.as_ref(), library.reduction_efficiency.as_ref()];
        figures.into_iter().flatten().map(|figure| figure.value.get()).fold(0.0, f64::max)
    }

    /// Algorithms that the library offers, that apply and are not dominated, each with its phases.
    fn applicable(&mut self, collective: &Collective) -> Result<Vec<(Algorithm, Vec<Phase>)>, CollectiveError> {
        self.check(collective)?;
        let Members { group, shape, .. } = &self.groups[&collective.ranks];
        let host_chips = self.network.fabric().host_chips;
        let several_hosts = group.chips().iter().any(|chip| chip / host_chips != group.chip(0) / host_chips);
        let listed = offered(&self.library.algorithms, collective.op);
        let added = offered(&self.library.algorithms_across_hosts, collective.op).filter(|_| several_hosts);
        let is_offered = |algorithm: &Algorithm| match listed {
            Some(listed) => listed.iter().chain(added.into_iter().flatten()).any(|known| known == algorithm),
            None => true,
        };
        let all = Algorithm::ALL.into_iter().filter(|(algorithm, _)| !algorithm.is_dominated() && is_offered(algorithm));
        Ok(all.filter_map(|(algorithm, _)| Some((algorithm, phases(collective.op, algorithm, shape).ok()?))).collect())
    }

    /// Every algorithm that applies and is not dominated, fastest first; ties keep the order of [`Algorithm::ALL`].
    ///
    /// # Errors
    /// A group or a size that makes no sense here.
    pub fn ranking(&mut self, collective: &Collective) -> Result<Vec<Timing>, CollectiveError> {
        let mut timings = Vec::new();
        for (algorithm, phases) in self.applicable(collective)? {
            timings.push(self.time(collective, algorithm, &phases)?);
        }
        timings.sort_by(|a, b| a.total().get().total_cmp(&b.total().get()));
        Ok(timings)
    }

    /// The rounds of an algorithm and the group that plays them.
    ///
    /// # Errors
    /// As [`Pricing::price`].
    pub fn rounds(&mut self, collective: &Collective, algorithm: Algorithm) -> Result<(Group, Vec<Round>), CollectiveError> {
        let phases = self.phases(collective, algorithm)?;
        let fabric = self.network.fabric();
        let mut rounds = Vec::new();
        for phase in phases {
            let profile = self.profile(phase.pattern, collective.ranks);
            let wire = profile.serialisation(fabric, collective.bytes * phase.share, collective.bytes * phase.message).0;
            let time = profile.latency + wire / phase.rounds;
            rounds.push(Round { pattern: phase.pattern, times: phase.rounds, bytes: collective.bytes * (phase.share / phase.rounds), time });
        }
        Ok((self.groups[&collective.ranks].group.clone(), rounds))
    }

    /// How busy each level is while `collective` runs as `timing` says, the busiest first.
    ///
    /// # Errors
    /// As [`Pricing::price`].
    pub fn level_use(&mut self, collective: &Collective, timing: &Timing) -> Result<Vec<LevelUse>, CollectiveError> {
        let phases = self.phases(collective, timing.algorithm)?;
        let fabric = self.network.fabric();
        let mut levels: Vec<LevelUse> = Vec::new();
        for phase in &phases {
            for peak in self.profile(phase.pattern, collective.ranks).peaks.clone() {
                let busiest = peak.time(fabric, collective.bytes * phase.share, collective.bytes * phase.message) / timing.total();
                let mean = busiest * peak.mean_bytes_per_link / peak.bytes_per_link;
                match levels.iter_mut().find(|level| level.peak.is_of_the_kind_of(&peak)) {
                    Some(level) => (level.busiest, level.mean) = (level.busiest + busiest, level.mean + mean),
                    None => levels.push(LevelUse { peak, busiest, mean }),
                }
            }
        }
        levels.sort_by(|a, b| b.busiest.total_cmp(&a.busiest));
        Ok(levels)
    }

    /// Checks the collective and lays its ranks on chips.
    pub(super) fn check(&mut self, collective: &Collective) -> Result<(), CollectiveError> {
        let fabric = self.network.fabric();
        let &Collective { ranks, bytes, .. } = collective;
        if ranks < 2 {
            return Err(CollectiveError::TooFewRanks);
        }
        if ranks > fabric.chips {
            return Err(CollectiveError::TooManyRanks { ranks, chips: fabric.chips });
        }
        if bytes <= Bytes::ZERO || bytes.get().is_nan() {
            return Err(CollectiveError::NoBytes);
        }
        if bytes > BYTES_MAX {
            return Err(CollectiveError::TooManyBytes);
        }
        if !self.groups.contains_key(&ranks) {
            let group = self.placement.group(ranks, fabric)?;
            let shape = self.shape(&group);
            let cuts = Cuts::of(self.network, &group);
            self.groups.insert(ranks, Members { group, shape, cuts });
        }
        Ok(())
    }

    fn shape(&self, group: &Group) -> Shape {
        let level_sizes = self.network.fabric().level_sizes.clone();
        let reduces = !self.network.aggregation_roots(group).is_empty();
        Shape { ranks: group.ranks(), widths: group.as_box(&level_sizes), level_sizes, reduces }
    }

    fn phases(&mut self, collective: &Collective, algorithm: Algorithm) -> Result<Vec<Phase>, CollectiveError> {
        self.check(collective)?;
        phases_on(collective.op, algorithm, &self.groups[&collective.ranks].shape)
    }

    /// As [`Pricing::price`] for the first group, with an algorithm that applies to all of `groups`.
    pub(super) fn price_in(&mut self, collective: &Collective, algorithm: Option<Algorithm>, groups: &[Group]) -> Result<Timing, CollectiveError> {
        if algorithm.is_some() {
            return self.price(collective, algorithm);
        }
        let ranking = self.ranking(collective)?;
        let shapes: Vec<Shape> = groups.iter().map(|group| self.shape(group)).collect();
        let applies = |timing: &Timing| shapes.iter().all(|shape| phases(collective.op, timing.algorithm, shape).is_ok());
        ranking.into_iter().find(applies).ok_or(CollectiveError::TooFewRanks)
    }

    /// The phases of an algorithm in another group of as many ranks.
    pub(super) fn phases_in(&self, collective: &Collective, algorithm: Algorithm, group: &Group) -> Result<Vec<Phase>, CollectiveError> {
        phases_on(collective.op, algorithm, &self.shape(group))
    }

    fn profile(&mut self, pattern: Pattern, ranks: u32) -> &Profile {
        let (network, group) = (self.network, &self.groups[&ranks].group);
        self.profiles.entry((pattern, ranks)).or_insert_with(|| network.play(group, pattern))
    }

    fn time(&mut self, collective: &Collective, algorithm: Algorithm, phases: &[Phase]) -> Result<Timing, CollectiveError> {
        let (network, library) = (self.network, self.library);
        let mut work = Work::default();
        for phase in phases {
            let profile = self.profile(phase.pattern, collective.ranks);
            if let Some((from, to)) = profile.unreachable {
                return Err(CollectiveError::Unreachable { from, to });
            }
            work.add(network, profile, phase, collective);
        }
        let own_part = collective.bytes / f64::from(collective.ranks) / (network.sending_rate() * 2.0);
        let (protocol, stretched, ramp) = work.fastest(collective, algorithm, library, own_part);
        let own = if work.wire > Seconds::ZERO { work.ports / work.wire } else { 1.0 };
        let farthest = match collective.op {
            Op::Broadcast => Pattern::FromRoot,
            Op::Send => Pattern::OnePair,
            _ => Pattern::AllPairs,
        };
        let farthest = self.profile(farthest, collective.ranks).latency;
        Ok(Timing {
            algorithm,
            protocol,
            launch: library.launch.value,
            synchronisation: library.round.value * work.rounds,
            propagation: work.propagation,
            serialisation: stretched * own,
            waiting: stretched * (1.0 - own),
            ramp,
            bottleneck: work.bottleneck,
            lower_bound: lower_bound(network, collective, &self.groups[&collective.ranks].cuts, farthest),
        })
    }
}

/// What a list offers for an op; `None` where the op is not listed.
fn offered(algorithms: &Algorithms, op: Op) -> Option<&Vec<Algorithm>> {
    match op {
        Op::AllReduce => algorithms.all_reduce.as_ref(),
        Op::AllGather => algorithms.all_gather.as_ref(),
        Op::ReduceScatter => algorithms.reduce_scatter.as_ref(),
        Op::AllToAll => algorithms.all_to_all.as_ref(),
        Op::Broadcast => algorithms.broadcast.as_ref(),
        Op::Send => algorithms.send.as_ref(),
    }
}

/// The phases of an algorithm, or what would work instead.
fn phases_on(op: Op, algorithm: Algorithm, shape: &Shape) -> Result<Vec<Phase>, CollectiveError> {
    phases(op, algorithm, shape).map_err(|obstacle| {
        let applies = |other: &Algorithm| phases(op, *other, shape).is_ok();
        let instead = Algorithm::ALL.into_iter().map(|(other, _)| other).filter(applies).collect();
        CollectiveError::DoesNotApply { algorithm, op, obstacle, instead }
    })
}

/// What the phases of an algorithm ask of the fabric.
#[derive(Debug, Default)]
struct Work {
    rounds: f64,
    propagation: Seconds,
    /// On the most loaded channels.
    wire: Seconds,
    /// On the chips' own ports.
    ports: Seconds,
    /// Deepest pipeline.
    stages: f64,
    bottleneck: Option<Peak>,
    longest_phase: Seconds,
}

impl Work {
    fn add(&mut self, network: &Network<'_>, profile: &Profile, phase: &Phase, collective: &Collective) {
        let fabric = network.fabric();
        let (bytes, message) = (collective.bytes * phase.share, collective.bytes * phase.message);
        let (time, peak) = profile.serialisation(fabric, bytes, message);
        let at_ports = profile.peaks.iter().filter(|peak| peak.at_chip).map(|peak| peak.time(fabric, bytes, message));
        let ports = at_ports.fold(Seconds::ZERO, Seconds::max);
        // Loads and stores in flight hold each sender back on its own ports.
        let sent = bytes * (profile.sent_bytes / f64::from(phase.pattern.senders(collective.ranks)));
        let window = network.window_rate(profile.latency).map_or(Seconds::ZERO, |rate| sent / rate);
        let time = time.max(window);
        self.ports += ports.max(window);
        self.wire += time;
        self.propagation += profile.latency * phase.rounds;
        self.rounds += phase.rounds;
        self.stages = self.stages.max(phase.stages);
        if time > self.longest_phase {
            (self.longest_phase, self.bottleneck) = (time, peak);
        }
    }

    /// The fastest protocol, its time on the wire and its ramp.
    fn fastest(&self, collective: &Collective, algorithm: Algorithm, library: &Library, own_part: Seconds) -> (Protocol, Seconds, Seconds) {
        let pipelined = |wire: Seconds, efficiency: f64| {
            let (busy, fill) = (wire.get() / efficiency, library.ramp.value.get() * (self.stages - 1.0));
            (Seconds::new(busy), Seconds::new((fill * fill + 2.0 * fill * busy).sqrt()))
        };
        let bulk_efficiency = library.wire_efficiency.value.get();
        if algorithm == Algorithm::InNetwork {
            let efficiency = library.reduction_efficiency.as_ref().map_or(bulk_efficiency, |figure| figure.value.get());
            let (busy, ramp) = pipelined(self.wire, efficiency);
            return (Protocol::InSwitch, busy, ramp);
        }
        let (busy, ramp) = pipelined(self.wire + own_part, bulk_efficiency);
        if let Some(efficiency) = &library.low_latency_efficiency {
            let peers = f64::from(collective.ranks) - 1.0;
            let crowding = if collective.op == Op::AllToAll { (LOW_LATENCY_CHANNELS / peers).max(1.0) } else { 1.0 };
            let quick = self.wire * crowding / efficiency.value.get();
            if quick < busy + ramp {
                return (Protocol::LowLatency, quick, Seconds::ZERO);
            }
        }
        (Protocol::Bulk, busy, ramp)
    }
}
