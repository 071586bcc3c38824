//! What of a fabric its traffic sees, and the answers that depend on nothing else.
//!
//! Designs often differ in what no route sees: the rate of a link, the bandwidth of a memory, the constants of a library. Networks of such
//! designs share what is [`KnownLoads`], so that a pattern is walked once for all of them.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

use super::channel_class::channel_classes;
use super::computed_once::{computed, kept, open};
use super::known_bytes::{KnownBytes, LevelProperty};
use super::pattern::TrafficPattern;
use super::profile::Profile;
use crate::fabric::{Fabric, Node, Orbits, Router, RoutingPolicy};
use crate::input::document;
use crate::units::Seconds;

/// Pairs of chips with equally many links between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Links on the shortest path.
    pub hops: u32,
    /// Of all pairs.
    pub share: f64,
    /// Fastest pair.
    pub latency_min: Seconds,
    /// Mean over the pairs.
    pub latency_mean: Seconds,
    /// Slowest pair.
    pub latency_max: Seconds,
}

/// A shift of all chips that is a symmetry of the machine.
#[derive(Debug)]
pub(super) struct ChipRotation {
    /// By how many chips.
    pub step: u32,
    /// By channel, the number of its orbit: one of its members.
    pub orbit_of_channel: Vec<u32>,
}

/// Channels that carry the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    /// Bytes over each.
    pub bytes: f64,
    /// Index into [`Fabric::links`].
    pub link: u16,
    /// Parallel links.
    pub count: u32,
}

/// A fabric as its traffic sees it: nodes, channels and latencies, but no rates.
#[derive(Debug)]
pub(super) struct RoutedFabric {
    pub router: Router,
    /// By channel; read by every use of symmetry.
    pub channel_classes: Vec<u32>,
    nodes: Vec<Node>,
    /// By edge.
    levels: Vec<u8>,
    level_sizes: Vec<u32>,
    radices: Vec<Vec<u32>>,
    /// Sectors and lines.
    runs: [Option<u32>; 2],
    /// By switch part, whether it reduces.
    reduces: Vec<bool>,
    /// By switch part, limit and rest of its fan-in efficiency, as bits: profiles hold it.
    fan_in: Vec<Option<[u64; 2]>>,
    /// Chips of a host, and ranks of a chip.
    ranks: [u32; 2],
}

/// The first children of a machine as one of their own.
#[derive(Debug)]
pub(super) struct PartOfMachine {
    pub fabric: Fabric,
    pub routed: Arc<RoutedFabric>,
    pub known: Arc<KnownLoads>,
}

/// What has been walked on a fabric.
#[derive(Debug, Default)]
pub(super) struct KnownLoads {
    /// Of patterns over the first ranks in level order.
    profiles: Mutex<BTreeMap<(TrafficPattern, u32), Profile>>,
    /// Of all pairs from one run of chips to another.
    one_sided: Mutex<BTreeMap<[u32; 4], Profile>>,
    /// By children.
    parts: Mutex<BTreeMap<u32, Arc<PartOfMachine>>>,
    /// By the unit of their steps.
    rotations: Mutex<BTreeMap<u32, Option<Arc<ChipRotation>>>>,
    distances: OnceLock<Vec<Distance>>,
    between_halves: OnceLock<Vec<Carried>>,
    level_orbits: OnceLock<Option<Orbits>>,
    /// Of all pairs, without latencies.
    bytes_of_all_pairs: OnceLock<Profile>,
    /// Shared with fabrics of other latencies.
    bytes: Arc<KnownBytes>,
    /// What the floor above keeps of a fabric; this floor does not know its type.
    kept_above: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl RoutedFabric {
    pub fn new(fabric: &Fabric, policy: RoutingPolicy) -> Self {
        Self::with_router(fabric, Router::new(fabric, policy))
    }

    pub fn with_router(fabric: &Fabric, router: Router) -> Self {
        Self {
            router,
            channel_classes: channel_classes(fabric),
            nodes: fabric.graph.node_weights().copied().collect(),
            levels: fabric.graph.edge_weights().map(|edge| edge.level).collect(),
            level_sizes: fabric.level_sizes.clone(),
            radices: fabric.radices.clone(),
            runs: [fabric.sectors, fabric.lines],
            reduces: fabric.switches.iter().map(|part| part.switch.in_network_reduction).collect(),
            fan_in: fabric.switches.iter().map(|part| part.switch.fan_in.as_ref().map(fan_in_bits)).collect(),
            ranks: [fabric.host_chips, fabric.chip.ranks],
        }
    }

    /// Whether traffic cannot tell the two apart; what differs most often is looked at first.
    fn is_like(&self, other: &Self) -> bool {
        self.router == other.router && self.has_parts_of(other)
    }

    /// Whether bytes go the same ways on both, whatever the latencies.
    fn carries_alike(&self, other: &Self) -> bool {
        self.router.routes_alike(&other.router) && self.has_parts_of(other)
    }

    fn has_parts_of(&self, other: &Self) -> bool {
        (&self.runs, &self.reduces, &self.fan_in, &self.ranks) == (&other.runs, &other.reduces, &other.fan_in, &other.ranks)
            && (&self.level_sizes, &self.radices) == (&other.level_sizes, &other.radices)
            && self.channel_classes == other.channel_classes
            && self.levels == other.levels
            && self.nodes == other.nodes
    }
}

impl KnownLoads {
    /// Nothing is known but what was counted on fabrics of other latencies.
    pub fn with_bytes(bytes: Arc<KnownBytes>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// What is shared with fabrics of other latencies.
    pub fn bytes(&self) -> &KnownBytes {
        &self.bytes
    }

    /// The profile of a pattern over the first `ranks` chips. A walk runs outside of the lock: two threads may then make the same one.
    pub fn profile(&self, pattern: TrafficPattern, ranks: u32, play: impl FnOnce() -> Profile) -> Profile {
        kept(&self.profiles, (pattern, ranks), play)
    }

    /// Whether a level has a property.
    pub fn level_has(&self, level: usize, property: LevelProperty, judge: impl FnOnce() -> bool) -> bool {
        self.bytes.level_has(level, property, judge)
    }

    /// The machine of the first so many children.
    pub fn part(&self, children: u32, make: impl FnOnce() -> PartOfMachine) -> Arc<PartOfMachine> {
        kept(&self.parts, children, || Arc::new(make()))
    }

    /// The shortest rotation by a multiple of `unit` chips.
    pub fn rotation(&self, unit: u32, search: impl FnOnce() -> Option<ChipRotation>) -> Option<Arc<ChipRotation>> {
        kept(&self.rotations, unit, || search().map(Arc::new))
    }

    /// How far apart pairs of chips are.
    pub fn distances(&self, walk: impl FnOnce() -> Vec<Distance>) -> &[Distance] {
        computed(&self.distances, walk).as_slice()
    }

    /// What channels carry when every chip of one half of the machine sends one byte to every chip of the other.
    pub fn between_halves(&self, walk: impl FnOnce() -> Vec<Carried>) -> &[Carried] {
        computed(&self.between_halves, walk).as_slice()
    }

    /// What the floor above keeps of a fabric: made when it is first asked for. Only the first type that asks is kept.
    pub fn kept_above<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        let kept = computed(&self.kept_above, || -> Arc<dyn Any + Send + Sync> { Arc::new(make()) });
        Arc::clone(kept).downcast().unwrap_or_else(|_| Arc::new(make()))
    }

    /// The bytes of all pairs, latencies left out.
    pub fn bytes_of_all_pairs(&self, play: impl FnOnce() -> Profile) -> &Profile {
        computed(&self.bytes_of_all_pairs, play)
    }

    /// The same if they have been counted.
    pub fn counted_bytes_of_all_pairs(&self) -> Option<&Profile> {
        self.bytes_of_all_pairs.get()
    }

    /// What symmetries that keep the levels map onto each other; `None` where there are none.
    pub fn level_orbits(&self, search: impl FnOnce() -> Option<Orbits>) -> Option<&Orbits> {
        computed(&self.level_orbits, search).as_ref()
    }

    /// The profile of all pairs from one run of chips to another.
    pub fn one_sided(&self, sources: &Range<u32>, destinations: &Range<u32>, play: impl FnOnce() -> Profile) -> Profile {
        kept(&self.one_sided, [sources.start, sources.end, destinations.start, destinations.end], play)
    }
}

fn fan_in_bits(fan_in: &document::FanIn) -> [u64; 2] {
    [&fan_in.limit, &fan_in.rest].map(|figure| figure.value.get().to_bits())
}

/// Fabrics that designs are likely to share; older ones are forgotten.
const FABRICS_MAX: usize = 8;

/// Fabrics that have been routed: designs that differ in nothing that traffic sees share one.
#[derive(Debug, Default)]
pub struct RoutedFabrics {
    known: Mutex<Vec<(Arc<RoutedFabric>, Arc<KnownLoads>)>>,
}

impl RoutedFabrics {
    /// The one that is like `routed`, with all that is known of it; `routed` itself if there is none.
    pub(super) fn like(&self, routed: RoutedFabric) -> (Arc<RoutedFabric>, Arc<KnownLoads>) {
        let known = open(&self.known).clone();
        if let Some(like) = known.into_iter().find(|(known, _)| known.is_like(&routed)) {
            return like;
        }
        let mut known = open(&self.known);
        let alike = known.iter().find(|(known, _)| known.carries_alike(&routed)).map(|(_, loads)| Arc::clone(&loads.bytes));
        let new = (Arc::new(routed), Arc::new(KnownLoads::with_bytes(alike.unwrap_or_default())));
        if known.len() == FABRICS_MAX {
            known.remove(0);
        }
        known.push(new.clone());
        new
    }
}
