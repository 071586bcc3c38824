//! A few destinations stand for all where symmetries of the machine map the pattern onto itself.
//!
//! Let G be the symmetries that keep the pattern and the group of ranks. The total load of a channel is the mean of the loads over
//! the channel's orbit under G, and that mean needs one receiver of every orbit of receivers, counted as often as the orbit has
//! members. So one walk for each class of chips is enough, and the channels of a class share one load.
//!
//! G is known where the ranks are the first chips in level order. Written as a number whose digits are the levels, their count cuts the
//! children of a level into those used whole, the one used in part, and the rest; a level below the last digit that is not zero is not
//! cut. All symmetries inside a child act on every child alike, and where a level's children are interchangeable, those on one side of the
//! cut may be exchanged. So a receiver's class is the machine's and its side of every cut, and so is a channel's, by both ends. A level whose
//! children are not interchangeable (a ring) may hold all ranks in its first child, or in whole sectors ([`Fabric::sectors`]) or lines: the
//! layers of a torus, say, each of which symmetries map onto itself. A hash keeps no symmetry.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graph::NodeIndex;

use super::channel_loads::ChannelLoads;
use super::group::Group;
use super::known_bytes::LevelProperty;
use super::network::Network;
use super::pattern::TrafficPattern;
use super::profile::{EqualChannels, Profile};
use crate::fabric::{Endpoint, Fabric, Node};

/// Loads of a few receivers, each as often as it has likes, and what share one load.
#[derive(Debug)]
pub(super) struct Collapsed {
    loads: ChannelLoads,
    sides: Sides,
    /// Those that stand for all.
    receivers: Vec<u32>,
}

impl Network<'_> {
    /// The loads of one receiver of each class; `None` where no known symmetry allows it.
    pub(super) fn collapsed(&self, group: &Group, pattern: TrafficPattern) -> Option<Collapsed> {
        let fabric = self.fabric();
        let ranks = group.ranks();
        let policy = self.router().policy();
        let keeps = policy.respects_symmetry() && pattern.looks_alike_from_everywhere();
        // Ways that leave a part of the machine do not see it as symmetric as it is inside.
        let stays = ranks == fabric.chips || policy.stays_on_shortest_paths();
        if !(keeps && stays && group.in_level_order()) {
            return None;
        }
        let sides = self.cuts(ranks).map(|cuts| Sides::new(fabric, &cuts)).or_else(|| Sides::of_runs(fabric, ranks))?;
        let sides = sides.with_orbits_numbered(self);
        let mut classes: BTreeMap<(u32, u16), (u32, f64)> = BTreeMap::new();
        for &chip in group.chips() {
            classes.entry((node(fabric, chip).class, sides.of(chip))).or_insert((chip, 0.0)).1 += 1.0;
        }
        // Walks of single receivers run one after the other; a full one uses all cores.
        if classes.len() > 16 && classes.len() > ranks as usize / 4 {
            return None;
        }
        let mut loads: Option<ChannelLoads> = None;
        for &(receiver, members) in classes.values() {
            let mut one = self.loads_of(group, pattern, &[receiver]);
            match &mut loads {
                Some(sum) => sum.add(&one, members),
                None => {
                    one.scale(members);
                    loads = Some(one);
                }
            }
        }
        let receivers = classes.values().map(|(receiver, _)| *receiver).collect();
        loads.map(|loads| Collapsed { loads, sides, receivers })
    }

    /// The orbit of every channel: the channels of its class whose ends lie on the same sides as its own.
    fn orbits<'a>(&'a self, sides: &'a Sides) -> impl Iterator<Item = usize> + 'a {
        let kinds = usize::from(sides.kinds);
        let key = move |class: u32, ends: [u32; 2]| ends.into_iter().fold(class as usize, |key, end| key * kinds + usize::from(sides.of(end)));
        self.channel_classes().iter().zip(self.router().channels()).map(move |(&class, channel)| sides.number(key(class, [channel.from, channel.to])))
    }
}

impl Collapsed {
    /// Loads of the whole machine together, to be shared out among the channels of each class.
    pub fn of_machine(loads: ChannelLoads) -> Self {
        Self { loads, sides: Sides::none(), receivers: Vec::new() }
    }

    /// The receivers that stand for all.
    pub fn receivers(&self) -> &[u32] {
        &self.receivers
    }

    /// Gives every channel the mean of its orbit.
    pub fn spread(mut self, network: &Network<'_>) -> ChannelLoads {
        let orbits: Vec<usize> = network.orbits(&self.sides).collect();
        let mut totals = vec![(0.0, 0u32); orbits.iter().max().map_or(0, |&last| last + 1)];
        for (&orbit, &bytes) in orbits.iter().zip(&self.loads.bytes) {
            let total = &mut totals[orbit];
            *total = (total.0 + bytes, total.1 + 1);
        }
        for (&orbit, bytes) in orbits.iter().zip(&mut self.loads.bytes) {
            let (sum, channels) = totals[orbit];
            *bytes = sum / f64::from(channels);
        }
        self.loads
    }

    /// Sums up without naming a channel: one pass, then orbit by orbit.
    pub fn profile(&self, network: &Network<'_>) -> Profile {
        // By orbit and direction of the edge, which a reversible edge's orbit has both of.
        let mut alike: Vec<EqualChannels> = Vec::new();
        for ((channel, orbit), &bytes) in (0u32..).zip(network.orbits(&self.sides)).zip(&self.loads.bytes) {
            let slot = orbit * 2 + channel as usize % 2;
            if slot >= alike.len() {
                alike.resize((slot | 1) + 1, EqualChannels::NONE);
            }
            alike[slot].add(channel, bytes, network.plane(channel));
        }
        for pair in 0..alike.len() / 2 {
            let (outward, inward) = (alike[pair * 2], alike[pair * 2 + 1]);
            let channels = outward.channels + inward.channels;
            // Both directions of a reversible edge share the orbit's mean.
            let mean = if channels == 0 { 0.0 } else { (outward.bytes + inward.bytes) / f64::from(channels) };
            for one in &mut alike[pair * 2..pair * 2 + 2] {
                one.bytes = mean * f64::from(one.channels);
            }
        }
        Profile::of_alike(network.fabric(), &self.loads, alike.into_iter())
    }
}

fn node(fabric: &Fabric, number: u32) -> &Node {
    &fabric.graph.raw_nodes()[number as usize].weight
}

/// Where the first so many chips end among the children of a level.
#[derive(Clone, Copy, Debug)]
struct LevelCut {
    level: usize,
    /// Chips in one child.
    below: u32,
    /// Children.
    size: u32,
    /// Children used whole.
    whole: u32,
    /// Whether the next one is used in part.
    part: bool,
}

impl LevelCut {
    /// The side of the cut on which a node lies; one that serves all children lies on none.
    fn side(&self, node: &Node) -> u64 {
        if node.chips >= self.below * self.size {
            return 3;
        }
        match node.first_chip / self.below % self.size {
            child if child < self.whole => 0,
            child if self.part && child == self.whole => 1,
            _ => 2,
        }
    }
}

impl Network<'_> {
    /// The cuts that the first `ranks` chips make, innermost first; `None` if one of them leaves no known symmetry.
    fn cuts(&self, ranks: u32) -> Option<Vec<LevelCut>> {
        let (fabric, known) = (self.fabric(), self.known());
        let mut below = 1;
        let mut cuts = Vec::new();
        for (level, &size) in fabric.level_sizes.iter().enumerate() {
            if !ranks.is_multiple_of(below * size) {
                let cut = LevelCut { level, below, size, whole: ranks / below % size, part: !ranks.is_multiple_of(below) };
                let inside_one_child = ranks <= below;
                let any_child = || known.level_has(level, LevelProperty::Interchangeable, || children_are_interchangeable(fabric, &cut));
                if !(inside_one_child || any_child()) {
                    return None;
                }
                cuts.push(cut);
            }
            below *= size;
        }
        let reaches = |cut: &LevelCut| known.level_has(cut.level, LevelProperty::ReachesAbove, || positions_reach_above(fabric, cut));
        (!cuts.iter().any(reaches)).then_some(cuts)
    }
}

/// Whether positions under a cut meet apart from each other further up, as rails do whose switches have spines: no side of the cut tells
/// such switches apart.
fn positions_reach_above(fabric: &Fabric, cut: &LevelCut) -> bool {
    let spans = |end: NodeIndex| fabric.graph[end].chips >= cut.below * cut.size;
    let ends = |wanted: [bool; 2]| {
        let mut above = fabric.graph.raw_edges().iter().filter(|edge| usize::from(edge.weight.level) > cut.level);
        above.any(|edge| {
            let spanning = [spans(edge.source()), spans(edge.target())];
            spanning == wanted || spanning == [wanted[1], wanted[0]]
        })
    };
    ends([true, true]) && ends([false, true])
}

/// On which sides of all cuts every node lies, as a small number.
#[derive(Debug)]
struct Sides {
    /// By node; empty where nothing is cut.
    of: Vec<u16>,
    /// Numbers in use.
    kinds: u16,
    /// The orbits that have channels, rising, where there would be many more numbers than those; else empty, and any number will do.
    orbits: Vec<usize>,
}

impl Sides {
    fn new(fabric: &Fabric, cuts: &[LevelCut]) -> Self {
        if cuts.is_empty() {
            return Self::none();
        }
        let mut known: BTreeMap<u64, u16> = BTreeMap::new();
        let number = |node: &Node| {
            let sides = cuts.iter().fold(0, |sides, cut| sides * 4 + cut.side(node));
            let next = u16::try_from(known.len()).unwrap_or(u16::MAX);
            *known.entry(sides).or_insert(next)
        };
        let of = fabric.graph.node_weights().map(number).collect();
        Self { of, kinds: u16::try_from(known.len()).unwrap_or(u16::MAX), orbits: Vec::new() }
    }

    /// Nothing is cut.
    fn none() -> Self {
        Self { of: Vec::new(), kinds: 1, orbits: Vec::new() }
    }

    /// Every sector, or else every line, is a side, and what serves several lies on none; `None` unless the ranks fill whole ones.
    fn of_runs(fabric: &Fabric, ranks: u32) -> Option<Self> {
        let fill = |runs: &u32| ranks.is_multiple_of(fabric.chips / runs) && *runs < u32::from(u16::MAX);
        let runs = fabric.sectors.filter(fill).or_else(|| fabric.lines.filter(fill))?;
        let run = fabric.chips / runs;
        let number = |node: &Node| u16::try_from(if node.chips <= run { node.first_chip / run } else { runs }).unwrap_or(u16::MAX);
        let kinds = u16::try_from(runs + 1).unwrap_or(u16::MAX);
        Some(Self { of: fabric.graph.node_weights().map(number).collect(), kinds, orbits: Vec::new() })
    }

    fn of(&self, node: u32) -> u16 {
        self.of.get(node as usize).copied().unwrap_or(0)
    }

    /// Numbers the orbits one after the other where an account of all possible ones would be longer than one of all channels.
    fn with_orbits_numbered(mut self, network: &Network<'_>) -> Self {
        let classes = network.channel_classes().iter().max().map_or(0, |&last| last as usize + 1);
        if classes * usize::from(self.kinds).pow(2) > 4 * network.channel_classes().len().max(1024) {
            let mut orbits: Vec<usize> = network.orbits(&self).collect();
            orbits.sort_unstable();
            orbits.dedup();
            self.orbits = orbits;
        }
        self
    }

    fn number(&self, orbit: usize) -> usize {
        if self.orbits.is_empty() { orbit } else { self.orbits.binary_search(&orbit).unwrap_or(0) }
    }
}

/// Whether any two children of a level may be exchanged: each of its links joins a child to something that serves all of them
/// (switch, spine, rail), or its links join every pair of children (full mesh).
fn children_are_interchangeable(fabric: &Fabric, cut: &LevelCut) -> bool {
    let (below, size) = (cut.below, cut.size);
    let group = below * size;
    let child = |node: &Node| if node.chips <= below { Some(node.first_chip / below) } else { None };
    let serves_all = |node: &Node| node.chips >= group;
    // Hosts and memories that only send and receive for themselves carry nothing between chips.
    let idle = |node: &Node| !node.forwards && node.endpoint != Endpoint::Chip;
    let mut pairs = BTreeSet::new();
    for edge in fabric.graph.raw_edges().iter().filter(|edge| usize::from(edge.weight.level) == cut.level) {
        let [a, b] = [edge.source(), edge.target()].map(|end| &fabric.graph[end]);
        if a.first_chip >= group || b.first_chip >= group || idle(a) || idle(b) {
            continue;
        }
        match (child(a), child(b)) {
            (Some(a), Some(b)) if a != b => {
                pairs.insert((a.min(b), a.max(b)));
            }
            (Some(_), Some(_)) => {}
            (a_child, b_child) => {
                if !((a_child.is_some() || serves_all(a)) && (b_child.is_some() || serves_all(b))) {
                    return false;
                }
            }
        }
    }
    pairs.is_empty() || pairs.len() as u64 == u64::from(size) * u64::from(size - 1) / 2
}
