//! What remains of a machine when parts fail: one at a time, a given set, or as chance has it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::clip::simulate_clip;
use super::progress::Progress;
use super::verdict::service;
use crate::execution::{Communication, Machine, Mapping, mappings_for};
use crate::fabric::{Endpoint, Fabric};
use crate::footprint::{Damage, FailedPart, PartClass, all_parts, damaged, failures, inventory, part_classes};
use crate::input::document::{Algorithm, Clip, Library, Reliability, TokenKernel};
use crate::input::spec::{Spec, TargetSpec, WorkloadSpec};
use crate::network::{Collective, Group, Network, Op, Placement, Pricing, TrafficPattern};
use crate::serving::{Role, best, best_batch, clip_at, prefill_at};
use crate::units::SplitMix64;
use crate::units::{Bytes, BytesPerSecond, Seconds, TokensPerSecond};

/// Size at which collectives are compared: long enough for the wire to dominate.
const LONG: Bytes = Bytes::new(1_073_741_824.0);

/// Classes whose damages cost more than looking for symmetries between them does.
const CLASSES_PER_SEARCH_FOR_SYMMETRIES: usize = 16;

/// What a machine still does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remaining {
    /// Chips that work and reach each other.
    pub chips: u32,
    /// All-to-all of long messages over all of them: bus bandwidth of one chip, at the wire.
    pub all_to_all: BytesPerSecond,
    /// All-reduce of 1 GiB over all of them: bus bandwidth; absent where it was not asked for.
    pub all_reduce: Option<BytesPerSecond>,
    /// Tokens per second of the target's mix.
    pub tokens: TokensPerSecond,
}

/// A machine with the operating points it was planned for, ready to be damaged.
///
/// After a failure the mappings stay: the tokens and experts of a lost chip move to the others, so rates fall with the chips; transfers
/// of every group slow down as the all-to-all of the whole machine does, since a group waits for its slowest channel and a search for a
/// placement that avoids the damage is not assumed; the decode batch shrinks until the time per token holds again.
pub struct DegradedMachine<'a> {
    spec: &'a Spec,
    fabric: &'a Fabric,
    network: &'a Network<'a>,
    target: &'a TargetSpec,
    machine: Machine<'a>,
    decode: Option<(Mapping, u32, f64)>,
    prefill: Option<(Mapping, u32, f64)>,
    prompts: f64,
    video: Option<(&'a Clip, Communication<'a>, u32)>,
    sound: Remaining,
    /// Time of the all-reduce on the sound machine by each algorithm; worked out when it is first asked for.
    sound_times: OnceLock<Vec<(Algorithm, Seconds)>>,
}

impl<'a> DegradedMachine<'a> {
    /// Finds the best mappings of the undamaged machine.
    #[must_use]
    pub fn new(spec: &'a Spec, network: &'a Network<'a>, workload: &'a WorkloadSpec, target: &'a TargetSpec) -> Self {
        let fabric = network.fabric();
        let candidates = mappings_for(workload, fabric.chips, spec.levels[0].size, fabric.chip.ranks);
        let machine = Machine::new(network, &spec.library, &spec.chip, workload);
        let decode = workload.workload.decode.as_ref().and_then(|phase| best(&machine, Role::Decode(phase), &candidates).ok());
        let prefill = workload.workload.prefill.as_ref().and_then(|phase| best(&machine, Role::Prefill(phase), &candidates).ok());
        let prompts = prefill.as_ref().map_or(0.0, |found| found.point.batch);
        let decode = decode.map(|found| (found.point.mapping, found.point.micro_batches, f64::from(found.instances)));
        let prefill = prefill.map(|found| (found.point.mapping, found.point.micro_batches, f64::from(found.instances)));
        let video = target.clip.as_ref().and_then(|clip| {
            let ranks = simulate_clip(spec, network, &inventory(fabric), clip).best?.ranks;
            Some((clip, Communication::new(network, &spec.library), ranks))
        });
        let nothing = Remaining { chips: 0, all_to_all: BytesPerSecond::ZERO, all_reduce: None, tokens: TokensPerSecond::ZERO };
        let mut degraded =
            Self { spec, fabric, network, target, machine, decode, prefill, prompts, video, sound: nothing, sound_times: OnceLock::new() };
        let all_to_all = all_to_all(network);
        degraded.sound = Remaining {
            chips: fabric.chips,
            all_to_all,
            all_reduce: degraded.all_reduce(network).map(|found| found.0),
            tokens: degraded.tokens(fabric.chips, 1.0),
        };
        degraded
    }

    /// Without damage.
    #[must_use]
    pub fn sound(&self) -> Remaining {
        self.sound
    }

    /// What remains; the all-reduce only if `whole` is asked for, since its many algorithms take most of the time.
    #[must_use]
    pub fn after(&self, damage: &Damage, whole: bool) -> Remaining {
        if damage.is_empty() {
            return self.sound;
        }
        let rest = damaged(self.fabric, damage);
        let network = Network::new(&rest);
        let intact = IntactMachine { degraded: self, rest: &rest };
        let all_to_all = intact.no_faster(all_to_all(&network), self.sound.all_to_all, IntactMachine::all_to_all);
        let slowed = if all_to_all > BytesPerSecond::ZERO { (self.sound.all_to_all / all_to_all).max(1.0) } else { 1.0 };
        let all_reduce = if whole { self.all_reduce_of_rest(&network) } else { None };
        let all_reduce = all_reduce.map(|(rate, algorithm)| {
            intact.no_faster(rate, self.sound.all_reduce.unwrap_or(rate), |intact| {
                // Most often the algorithm that is the fastest after the damage is as fast before it, and no other need be priced.
                let same = intact.all_reduce(Some(algorithm)).filter(|same| *same >= rate);
                same.or_else(|| intact.all_reduce(None)).unwrap_or(rate)
            })
        });
        Remaining { chips: rest.chips, all_to_all, all_reduce, tokens: self.tokens(rest.chips, slowed) }
    }

    fn all_reduce(&self, network: &Network<'_>) -> Option<(BytesPerSecond, Algorithm)> {
        all_reduce_by(Pricing::new(network, &self.spec.library), network.fabric().chips, None)
    }

    /// The same on what damage left: no algorithm is faster there than on the sound machine, but for what fewer ranks save.
    fn all_reduce_of_rest(&self, network: &Network<'_>) -> Option<(BytesPerSecond, Algorithm)> {
        let chips = network.fabric().chips;
        let fewer = f64::from(chips) / f64::from(self.fabric.chips);
        let floors = self.sound_times().iter().map(|&(algorithm, time)| (algorithm, time * fewer)).collect();
        all_reduce_by(Pricing::new(network, &self.spec.library).no_faster_than(floors), chips, None)
    }

    fn sound_times(&self) -> &[(Algorithm, Seconds)] {
        if let Some(known) = self.sound_times.get() {
            return known;
        }
        // Outside of the lock: a thread that waits for its part of a walk may be handed a task that asks for the same.
        let collective = Collective { op: Op::AllReduce, ranks: self.fabric.chips, bytes: LONG };
        let timings = Pricing::new(self.network, &self.spec.library).ranking(&collective).unwrap_or_default();
        let times = timings.iter().map(|timing| (timing.algorithm, timing.total())).collect();
        self.sound_times.get_or_init(|| times)
    }

    /// Tokens per second of `chips` chips whose wires are `slowed` times slower.
    fn tokens(&self, chips: u32, slowed: f64) -> TokensPerSecond {
        let library = slowed_library(&self.spec.library, slowed);
        let workload = self.machine.workload;
        let communication: Communication<'_> = self.machine.communication.with_library(&library);
        let machine = Machine { communication, device: self.machine.device.clone(), workload };
        let share = f64::from(chips) / f64::from(self.fabric.chips);
        let decode = self.decode.zip(workload.workload.decode.as_ref()).and_then(|((mapping, micro_batches, instances), phase)| {
            best_batch(&machine, phase, mapping, micro_batches).ok().map(|point| point.rate * (instances * share))
        });
        let prefill = self.prefill.zip(workload.workload.prefill.as_ref()).and_then(|((mapping, micro_batches, instances), phase)| {
            prefill_at(&machine, phase, mapping, self.prompts, micro_batches).ok().map(|point| point.rate * (instances * share))
        });
        let video = self.video.as_ref().and_then(|(clip, communication, ranks)| {
            let point = clip_at(&communication.with_library(&library), &machine.device, clip, *ranks)?;
            Some(TokensPerSecond::new(point.clips_per_second() * clip.billed_tokens() * share))
        });
        service(&self.target.target, prefill, decode, video).rate
    }
}

/// Bus bandwidth of a long all-reduce over all chips, and its algorithm.
fn all_reduce_by(mut pricing: Pricing<'_>, chips: u32, algorithm: Option<Algorithm>) -> Option<(BytesPerSecond, Algorithm)> {
    let timing = pricing.price(&Collective { op: Op::AllReduce, ranks: chips, bytes: LONG }, algorithm).ok()?;
    Some((LONG / timing.total() * Op::AllReduce.bus_factor(chips), timing.algorithm))
}

/// The machine without damage, asked for what the chips that survive would do on it.
struct IntactMachine<'a, 'b> {
    degraded: &'b DegradedMachine<'a>,
    rest: &'b Fabric,
}

impl IntactMachine<'_, '_> {
    /// A rate after damage, at most that of the same chips on the undamaged machine: a part that is there could have been left unused.
    fn no_faster(&self, rate: BytesPerSecond, sound: BytesPerSecond, same_chips: impl Fn(&Self) -> BytesPerSecond) -> BytesPerSecond {
        if rate <= sound {
            return rate;
        }
        if self.rest.chips == self.degraded.fabric.chips { sound } else { rate.min(same_chips(self)) }
    }

    fn survivors(&self) -> Vec<u32> {
        (0..self.rest.chips).map(|chip| self.rest.place(chip)).collect()
    }

    fn all_to_all(&self) -> BytesPerSecond {
        let network = self.degraded.network;
        let profile = network.play(&Group::of(self.survivors()), TrafficPattern::AllPairs);
        LONG * f64::from(self.rest.chips - 1) / profile.serialisation(network.fabric(), LONG, LONG).0
    }

    fn all_reduce(&self, algorithm: Option<Algorithm>) -> Option<BytesPerSecond> {
        let DegradedMachine { network, spec, .. } = self.degraded;
        let pricing = Pricing::placed(network, &spec.library, Placement::Explicit(self.survivors()));
        Some(all_reduce_by(pricing, self.rest.chips, algorithm)?.0)
    }
}

fn slowed_library(library: &Library, slowed: f64) -> Library {
    let mut library = library.clone();
    let slow = |kernel: &mut TokenKernel| kernel.efficiency.value = kernel.efficiency.value / slowed;
    slow(&mut library.dispatch);
    slow(&mut library.combine);
    library.bulk_dispatch.iter_mut().for_each(slow);
    library.bulk_combine.iter_mut().for_each(slow);
    library.token_kernels.values_mut().for_each(slow);
    let kernels = library.captured_all_reduce.values_mut().map(|kernel| &mut kernel.efficiency);
    let multicast = library.multicast_all_reduce.iter_mut().chain(&mut library.registered_all_reduce).map(|kernel| &mut kernel.efficiency);
    let reduction = library.reduction_efficiency.iter_mut().chain(&mut library.low_latency_efficiency);
    let across = library.across_hosts.iter_mut().map(|across| &mut across.wire_efficiency);
    for share in kernels.chain(multicast).chain(reduction).chain(across).chain([&mut library.wire_efficiency]) {
        share.value = share.value / slowed;
    }
    library
}

/// Bus bandwidth of one chip when all talk to all in long messages: what it sends over the time of the most loaded channel.
fn all_to_all(network: &Network<'_>) -> BytesPerSecond {
    let chips = network.fabric().chips;
    if chips < 2 {
        return BytesPerSecond::ZERO;
    }
    let (time, _) = network.bytes_of_all_pairs().serialisation(network.fabric(), LONG, LONG);
    LONG * f64::from(chips - 1) / time
}

/// The failure of one part.
#[derive(Clone, Debug, PartialEq)]
pub struct SingleFailure {
    /// The part and those like it.
    pub class: PartClass,
    /// What remains without it.
    pub remaining: Remaining,
    /// Failures a year of all parts of the class.
    pub failures_per_year: f64,
    /// Share of time that one of them is out.
    pub out: f64,
    /// Share of the tokens lost while it is.
    pub tokens_lost: f64,
}

/// The failure of every part, one of each class, worst first; with the all-reduce if `whole` is asked for.
///
/// Classes whose parts differ in latency alone share one answer: where long messages go does not depend on it.
#[must_use]
pub fn single_failures(degraded: &DegradedMachine<'_>, reliability: &Reliability, whole: bool, progress: Progress<'_>) -> Vec<SingleFailure> {
    let (classes, _) = part_classes(degraded.fabric);
    let orbits = if classes.len() > CLASSES_PER_SEARCH_FOR_SYMMETRIES { degraded.network.orbits_of_bytes() } else { None };
    let like = |part: FailedPart| match (&orbits, part) {
        (Some(orbits), FailedPart::Node(node)) => FailedPart::Node(orbits.nodes[node as usize]),
        (Some(orbits), FailedPart::Link(edge)) => FailedPart::Link(orbits.channels[edge as usize * 2].min(orbits.channels[edge as usize * 2 + 1])),
        (None, part) => part,
    };
    // One example of all that are alike.
    let mut examples: BTreeMap<FailedPart, FailedPart> = BTreeMap::new();
    for class in &classes {
        examples.entry(like(class.example)).or_insert(class.example);
    }
    let pieces = progress.pieces(examples.len());
    let after = |(like, example): (&FailedPart, &FailedPart)| {
        let remaining = degraded.after(&Damage::of(&[*example]), whole);
        pieces.one_done();
        (*like, remaining)
    };
    let remains: BTreeMap<FailedPart, Remaining> = examples.par_iter().map(after).collect();
    let mut found: Vec<SingleFailure> = classes
        .into_iter()
        .map(|class| {
            let remaining = remains[&like(class.example)];
            let wear = failures(reliability, degraded.fabric, class.example);
            #[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
            let count = class.count as f64;
            let tokens_lost = lost(degraded, &remaining);
            SingleFailure { failures_per_year: wear.per_year * count, out: wear.out, tokens_lost, class, remaining }
        })
        .collect();
    found.sort_by(|a, b| b.tokens_lost.total_cmp(&a.tokens_lost).then(a.remaining.all_to_all.get().total_cmp(&b.remaining.all_to_all.get())));
    found
}

/// What remains after the failure of each part in turn, in the order of the graph: without use of symmetry, the judge of
/// [`single_failures`].
#[must_use]
pub fn every_single_failure(degraded: &DegradedMachine<'_>) -> Vec<(FailedPart, Remaining)> {
    all_parts(degraded.fabric).into_par_iter().map(|part| (part, degraded.after(&Damage::of(&[part]), false))).collect()
}

fn lost(degraded: &DegradedMachine<'_>, remaining: &Remaining) -> f64 {
    if degraded.sound.tokens > TokensPerSecond::ZERO { 1.0 - remaining.tokens / degraded.sound.tokens } else { 0.0 }
}

/// Share of the tokens that the machine serves over the years, repairs under way: exact to first order in the share of time that a
/// part is out, that is while two failures at once are rare.
#[must_use]
pub fn availability(singles: &[SingleFailure]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
    let lost: f64 = singles.iter().map(|single| single.class.count as f64 * single.out * single.tokens_lost).sum();
    (1.0 - lost).max(0.0)
}

/// How many parts of each kind fail, drawn by `seed`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Chips.
    pub chips: usize,
    /// Switches.
    pub switches: usize,
    /// Links.
    pub links: usize,
    /// Seed of the draw.
    pub seed: u64,
}

/// Draws that many different parts of each kind.
///
/// # Errors
/// The machine has fewer.
pub fn drawn(fabric: &Fabric, draw: &Draw) -> Result<Vec<FailedPart>, String> {
    let mut random = SplitMix64::new(draw.seed, 0);
    let kind = |part: &FailedPart| match part {
        FailedPart::Link(_) => 2,
        FailedPart::Node(node) => match fabric.graph[petgraph::graph::NodeIndex::new(*node as usize)].endpoint {
            Endpoint::Chip => 0,
            Endpoint::Switch(_) => 1,
            _ => 3,
        },
    };
    let mut drawn = Vec::new();
    for (index, (wanted, word)) in [(draw.chips, "chips"), (draw.switches, "switches"), (draw.links, "links")].into_iter().enumerate() {
        let mut pool: Vec<FailedPart> =
            if wanted > 0 { all_parts(fabric).into_iter().filter(|part| kind(part) == index).collect() } else { Vec::new() };
        if wanted > pool.len() {
            return Err(format!("{wanted} {word} asked for, the machine has {}", pool.len()));
        }
        for _ in 0..wanted {
            drawn.push(pool.swap_remove(random.below(pool.len())));
        }
    }
    Ok(drawn)
}

/// Many draws of what is out at a random moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Chances {
    /// Draws.
    pub draws: u32,
    /// Seed.
    pub seed: u64,
    /// Share of draws in which everything works.
    pub sound: f64,
    /// Mean tokens over those of the sound machine.
    pub expected: f64,
    /// Standard error of that mean.
    pub error: f64,
    /// Tokens over those of the sound machine that 99 % of the draws keep.
    pub kept_by_99: f64,
    /// The level asked for, and the share of draws at or above it.
    pub above: (f64, f64),
}

/// Draws what is out at `draws` random moments: every part on its own with its share of time out.
#[must_use]
pub fn chances(degraded: &DegradedMachine<'_>, reliability: &Reliability, draws: u32, seed: u64, level: f64, progress: Progress<'_>) -> Chances {
    let parts = all_parts(degraded.fabric);
    let (classes, class_of) = part_classes(degraded.fabric);
    let mut by_chance: BTreeMap<u64, Vec<FailedPart>> = BTreeMap::new();
    for part in parts {
        by_chance.entry(failures(reliability, degraded.fabric, part).out.to_bits()).or_default().push(part);
    }
    let mut states: BTreeMap<Damage, u32> = BTreeMap::new();
    for draw in 0..draws {
        *states.entry(state(&by_chance, seed, draw)).or_default() += 1;
    }
    let states: Vec<(Damage, u32)> = states.into_iter().collect();
    // Most moments have at most one part out, and parts of a class are alike: one of each stands for all.
    let mut distinct: BTreeMap<Damage, f64> = states.iter().map(|(damage, _)| (damage.representative(&classes, &class_of), 0.0)).collect();
    let pieces = progress.pieces(distinct.len());
    distinct.par_iter_mut().for_each(|(damage, kept)| {
        *kept = 1.0 - lost(degraded, &degraded.after(damage, false));
        pieces.one_done();
    });
    let of = |damage: &Damage| distinct.get(&damage.representative(&classes, &class_of)).copied().unwrap_or(0.0);
    let mut kept: Vec<(f64, u32)> = states.iter().map(|(damage, times)| (of(damage), *times)).collect();
    let sound = states.iter().filter(|(damage, _)| damage.is_empty()).map(|(_, times)| f64::from(*times)).sum::<f64>() / f64::from(draws);
    kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |of: &dyn Fn(f64) -> f64| kept.iter().map(|(share, times)| of(*share) * f64::from(*times)).sum::<f64>() / f64::from(draws);
    let expected = mean(&|share| share);
    let variance = mean(&|share| (share - expected).powi(2));
    let mut below = 0;
    let kept_by_99 = kept.iter().find_map(|(share, times)| {
        below += times;
        (f64::from(below) > 0.01 * f64::from(draws)).then_some(*share)
    });
    Chances {
        draws,
        seed,
        sound,
        expected,
        error: (variance / f64::from(draws)).sqrt(),
        kept_by_99: kept_by_99.unwrap_or(1.0),
        // A level of 1 means no loss, to rounding.
        above: (level, mean(&|share| f64::from(u8::from(share >= level - 1e-12)))),
    }
}

/// What is out in one draw. Parts with the same chance are walked in leaps from one that is out to the next.
fn state(by_chance: &BTreeMap<u64, Vec<FailedPart>>, seed: u64, draw: u32) -> Damage {
    let mut random = SplitMix64::new(seed, u64::from(draw));
    let mut out = Vec::new();
    for (chance, parts) in by_chance {
        let chance = f64::from_bits(*chance);
        if chance <= 0.0 {
            continue;
        }
        let mut next = random.failures_before_success(chance);
        while let Some(part) = parts.get(next) {
            out.push(*part);
            next = next.saturating_add(1).saturating_add(random.failures_before_success(chance));
        }
    }
    Damage::of(&out)
}
