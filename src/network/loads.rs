//! What every channel carries when a pattern is played once, one byte a unit of weight.
//!
//! Loads are exact. If destinations receive from many sources, the shortest-path DAG of each destination is walked once, and the bytes of all
//! sources are pushed down the DAG; equivalent destinations, sources and switches are merged before. If destinations receive from few sources,
//! the paths of each pair are searched. If symmetries of the machine map the pattern onto itself, one destination stands for all
//! (`symmetry.rs`).

use rayon::prelude::*;

use super::channel_loads::ChannelLoads;
use super::group::Group;
use super::network::Network;
use super::pattern::TrafficPattern;
use super::receiver_walk::ReceiverWalk;
use super::switch_trees::SwitchTree;
use crate::fabric::{AT_ONCE, Merge, Merged, Pathfinder, Routes, RoutingPolicy, WalkEnd};

/// Receivers are walked in at most this many fixed parts, each added up on its own, so that sums do not depend on the number of
/// threads.
const PARTS_MAX: usize = 16;

/// Walks, or searches for the paths of a pair, that one part takes at least: clearing and adding up a part's loads must not cost more
/// than what fills them.
const WALKS_PER_PART: usize = 12;
const SEARCHES_PER_PART: usize = 256;

/// Below this many senders to a receiver, searching each pair's own paths costs less than a walk over the whole fabric.
const DENSE_SENDERS: u32 = 16;

/// Below this many receivers of a part, aiming at all of them together costs as much as a walk towards each.
const RECEIVERS_PER_BLOCK: usize = 8;

/// Number of receivers whose walks cost about as much as the search for equivalent nodes.
const RECEIVERS_PER_MERGE: usize = 4;

/// Walks times channels that cost several times what looking for symmetries does.
const WALKED_CHANNELS_PER_SEARCH_FOR_SYMMETRIES: usize = 1 << 26;

/// Halvings of the interval in which the best mix of two ways lies; 2^-40 is far below any effect.
const MIX_STEPS: u32 = 60;

impl Network<'_> {
    /// Plays a pattern once.
    #[must_use]
    pub fn loads(&self, group: &Group, pattern: TrafficPattern) -> ChannelLoads {
        match self.collapsed(group, pattern) {
            Some(collapsed) => collapsed.spread(self),
            None => self.uncollapsed(group, pattern),
        }
    }

    /// As [`Network::loads`] where the levels' symmetries do not help.
    pub(super) fn uncollapsed(&self, group: &Group, pattern: TrafficPattern) -> ChannelLoads {
        self.rotated(group, pattern).unwrap_or_else(|| self.full_loads(group, pattern))
    }

    /// As [`Network::loads`] without use of symmetry: the judge of the collapsed form.
    #[must_use]
    pub fn full_loads(&self, group: &Group, pattern: TrafficPattern) -> ChannelLoads {
        let receivers: Vec<u32> = (0..group.ranks()).collect();
        self.loads_of(group, pattern, &receivers)
    }

    /// What reaches the given receivers.
    pub(super) fn loads_of(&self, group: &Group, pattern: TrafficPattern, receivers: &[u32]) -> ChannelLoads {
        if let TrafficPattern::Aggregate { up, down } = pattern {
            return self.aggregate(group, up, down, &self.aggregation_roots(group));
        }
        if let TrafficPattern::AggregateRails { block } = pattern {
            let mut loads = ChannelLoads::silent(self.router().channels().len());
            for rail in (0..block).map(|position| group.rail(block, position)) {
                loads.add(&self.aggregate(&rail, true, true, &self.rail_roots(&rail)), 1.0);
            }
            return loads;
        }
        // Blocks are alike; the first shows what a channel of each carries.
        if let TrafficPattern::AggregateInside { block } | TrafficPattern::Inside { block } = pattern {
            let first = Group::of(group.chips()[..block as usize].to_vec());
            let aggregates = matches!(pattern, TrafficPattern::AggregateInside { .. });
            return if aggregates {
                self.aggregate(&first, true, true, &self.aggregation_roots(&first))
            } else {
                self.full_loads(&first, TrafficPattern::AllPairs)
            };
        }
        let dense = is_dense(group, pattern);
        match self.router().policy() {
            RoutingPolicy::Ecmp { .. } | RoutingPolicy::Striped { .. } => self.pair_by_pair(group, pattern, receivers),
            RoutingPolicy::Spray | RoutingPolicy::DimensionOrder if dense => self.shortest(group, pattern, receivers),
            RoutingPolicy::Spray | RoutingPolicy::DimensionOrder => self.pair_by_pair(group, pattern, receivers),
            RoutingPolicy::AllPaths => {
                let shortest = self.shortest(group, pattern, receivers);
                self.best_mix(shortest, &self.walked(group, pattern, &all_once(receivers), PushedPaths::Detours))
            }
            RoutingPolicy::Valiant => self.by_way_of_all(group, pattern, receivers),
            RoutingPolicy::Adaptive => {
                let shortest = self.shortest(group, pattern, receivers);
                self.best_mix(shortest, &self.by_way_of_all(group, pattern, receivers))
            }
        }
    }

    /// Everything over shortest paths only.
    fn shortest(&self, group: &Group, pattern: TrafficPattern, receivers: &[u32]) -> ChannelLoads {
        self.walked_by_sets(group, pattern, receivers)
            .or_else(|| self.walked_by_level_orbits(group, pattern, receivers))
            .unwrap_or_else(|| self.walked(group, pattern, &all_once(receivers), PushedPaths::Shortest))
    }

    /// One walk for each orbit of receivers under the moves that keep levels, for patterns that such moves map onto themselves: all ranks of
    /// a machine that has all its chips.
    fn walked_by_level_orbits(&self, group: &Group, pattern: TrafficPattern, receivers: &[u32]) -> Option<ChannelLoads> {
        let by_level = matches!(pattern, TrafficPattern::Across { .. } | TrafficPattern::Equals { .. });
        let chips = self.fabric().level_sizes.iter().product::<u32>();
        let whole = receivers.len() == group.chips().len() && group.ranks() == chips && self.fabric().chips == chips && group.in_level_order();
        if !(by_level && whole && receivers.len() * self.router().channels().len() >= WALKED_CHANNELS_PER_SEARCH_FOR_SYMMETRIES) {
            return None;
        }
        let orbits = self.level_orbits()?;
        let standing = one_of_each(receivers, |receiver| orbits.nodes[receiver as usize], orbits.nodes.len());
        let mut loads = self.walked(group, pattern, &standing, PushedPaths::Shortest);
        loads.average_over(&orbits.channels);
        Some(loads)
    }

    /// One walk for each receiver, as far as those that send to it; it counts as often as it has likes.
    fn walked(&self, group: &Group, pattern: TrafficPattern, receivers: &[(u32, f64)], push: PushedPaths) -> ChannelLoads {
        in_parts(
            self.router().channels().len(),
            receivers,
            WALKS_PER_PART,
            || ReceiverWalk::new(self.router()),
            |walk: &mut ReceiverWalk<'_>, &(receiver, likes), loads| {
                walk.aim(group, pattern, receiver, likes);
                loads.sent += walk.sent();
                walk.lengthen(loads);
                match push {
                    PushedPaths::Shortest => walk.push(&mut loads.bytes),
                    PushedPaths::Detours => walk.push_with_detours(&mut loads.bytes),
                }
            },
        )
    }

    /// One walk for each set of equivalent receivers, over the fabric with equivalent nodes merged. `None` if the pattern treats equivalent nodes
    /// differently, or if there are so few receivers that the search for equivalent nodes costs more than it saves.
    fn walked_by_sets(&self, group: &Group, pattern: TrafficPattern, receivers: &[u32]) -> Option<ChannelLoads> {
        if receivers.len() < RECEIVERS_PER_MERGE {
            return None;
        }
        let router = self.router();
        let mut roles = vec![(false, false); router.nodes()];
        for (&chip, rank) in group.chips().iter().zip(0..) {
            roles[chip as usize].0 = pattern.roles(rank)?.0;
        }
        for &receiver in receivers {
            roles[group.chip(receiver) as usize].1 = pattern.roles(receiver)?.1;
        }
        let merged = router.merged(|node| match (router.forwards(node), roles[node as usize]) {
            (true, (false, false)) => Merge::With(0),
            // An end that forwards traffic could be on the path to an equivalent end.
            (true, _) => Merge::Alone,
            (false, (false, false)) => Merge::LeaveOut,
            (false, (sends, receives)) => Merge::With(u8::from(sends) + 2 * u8::from(receives)),
        });
        let role = |set: u32| roles[merged.sets[set as usize][0] as usize];
        let sets_that = |does: &dyn Fn(u32) -> bool| (0u32..).zip(&merged.sets).map(|(set, _)| set).filter(|&set| does(set)).collect::<Vec<u32>>();
        let (sending, receiving) = (sets_that(&|set| role(set).0), sets_that(&|set| role(set).1));
        let members = |set: u32| &merged.sets[set as usize][..];
        let orbits = (receiving.len() * merged.router.channels().len() >= WALKED_CHANNELS_PER_SEARCH_FOR_SYMMETRIES)
            .then(|| {
                let alone = |set: u32| merged.router.forwards(set) && role(set) != (false, false);
                let roles = |set: u32| u64::from(role(set).0) | u64::from(role(set).1) << 1 | u64::from(alone(set)) << 2;
                let places = self.level_places(merged.sets.len(), |chip| merged.set_of(chip));
                merged.router.orbits(|set| roles(set) | (members(set).len() as u64) << 3, Some(&places))
            })
            .flatten();
        let standing = match &orbits {
            Some(orbits) => one_of_each(&receiving, |set| orbits.nodes[set as usize], orbits.nodes.len()),
            None => all_once(&receiving),
        };
        let mut loads = walked_over_sets(&merged, &sending, &standing);
        if let Some(orbits) = orbits {
            loads.average_over(&orbits.channels);
        }
        loads.bytes = merged.spread(&loads.bytes);
        Some(loads)
    }

    /// One search for each pair.
    fn pair_by_pair(&self, group: &Group, pattern: TrafficPattern, receivers: &[u32]) -> ChannelLoads {
        let receivers_per_part = SEARCHES_PER_PART / (pattern.senders_at_most(group.ranks()).max(1) as usize);
        in_parts(
            self.router().channels().len(),
            receivers,
            receivers_per_part.max(1),
            || self.router().pathfinder(),
            |paths: &mut Pathfinder<'_>, &receiver, loads| {
                let destination = group.chip(receiver);
                pattern.each_sender(group, receiver, |sender, weight| {
                    let source = group.chip(sender);
                    loads.sent += weight;
                    match paths.route(source, destination) {
                        Some(route) => {
                            for hop in &route.hops {
                                loads.bytes[hop.channel as usize] += hop.share * weight;
                            }
                            loads.lengthen(route.latency, route.length);
                        }
                        None => loads.unreachable = loads.unreachable.or(Some((source, destination))),
                    }
                });
            },
        )
    }

    /// Valiant routing: every byte goes to a turning node first, each equally likely, and from there to its destination. Loads
    /// need only what each rank sends and receives in all.
    fn by_way_of_all(&self, group: &Group, pattern: TrafficPattern, receivers: &[u32]) -> ChannelLoads {
        let mut sent = vec![0.0; group.chips().len()];
        let mut received = vec![0.0; group.chips().len()];
        for &receiver in receivers {
            pattern.each_sender(group, receiver, |sender, weight| {
                sent[sender as usize] += weight;
                received[receiver as usize] += weight;
            });
        }
        let turns = self.router().turns();
        let each = 1.0 / turns.len().max(1) as f64;
        let mut there = in_parts(
            self.router().channels().len(),
            &turns,
            WALKS_PER_PART,
            || self.router().routes(),
            |routes: &mut Routes<'_>, &turn, loads| {
                routes.towards_all(turn);
                let sources = group.chips().iter().zip(&sent).filter(|&(&chip, &bytes)| bytes > 0.0 && chip != turn);
                for (&chip, _) in sources.clone() {
                    if let (Some(latency), Some(hops)) = (routes.slowest(chip), routes.hops(chip)) {
                        loads.lengthen(latency, hops);
                    }
                }
                routes.push(sources.map(|(&chip, &bytes)| (chip, bytes * each)), &mut loads.bytes);
            },
        );
        let onwards = in_parts(
            self.router().channels().len(),
            receivers,
            WALKS_PER_PART,
            || self.router().routes(),
            |routes: &mut Routes<'_>, &receiver, loads| {
                let bytes = received[receiver as usize];
                if bytes == 0.0 {
                    return;
                }
                let destination = group.chip(receiver);
                routes.towards_all(destination);
                for &turn in &turns {
                    match (routes.slowest(turn), routes.hops(turn)) {
                        (Some(latency), Some(hops)) => loads.lengthen(latency, hops),
                        _ => loads.unreachable = loads.unreachable.or(Some((turn, destination))),
                    }
                }
                routes.push(turns.iter().filter(|&&turn| turn != destination).map(|&turn| (turn, bytes * each)), &mut loads.bytes);
            },
        );
        there.sent = sent.iter().sum();
        let (latency, hops) = (there.latency + onwards.latency, there.hops + onwards.hops);
        there.add(&onwards, 1.0);
        (there.latency, there.hops) = (latency, hops);
        there
    }

    /// The mix of two ways to carry a pattern whose busiest channel is least busy. The time of a mix is a maximum of linear
    /// functions of the mixed-in share, hence convex: the interval that holds the best share shrinks by a third at each step.
    fn best_mix(&self, shortest: ChannelLoads, longer: &ChannelLoads) -> ChannelLoads {
        let capacity = self.capacities();
        let time = |share: f64| {
            let carried = shortest.bytes.iter().zip(&longer.bytes).zip(&capacity);
            carried.map(|((short, long), rate)| (short + share * (long - short)) / rate).fold(0.0, f64::max)
        };
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..MIX_STEPS {
            let third = (high - low) / 3.0;
            // Of equal times the shorter ways are taken.
            if time(low + third) <= time(high - third) { high -= third } else { low += third }
        }
        let share = if time(0.0) <= time(low) * (1.0 + 1e-9) { 0.0 } else { low };
        let mut mixed = ChannelLoads::silent(shortest.bytes.len());
        mixed.add(&shortest, 1.0 - share);
        if share > 0.0 {
            mixed.add(longer, share);
        }
        mixed
    }

    /// In-network reduction towards the nearest switches that all ranks reach, multicast from them; silent where there are none.
    fn aggregate(&self, group: &Group, up: bool, down: bool, roots: &[u32]) -> ChannelLoads {
        let mut loads = ChannelLoads::silent(self.router().channels().len());
        loads.sent = f64::from(group.ranks());
        let mut routes = self.router().routes();
        for &root in roots {
            routes.towards_all(root);
            for &chip in group.chips() {
                if let (Some(latency), Some(hops)) = (routes.slowest(chip), routes.hops(chip)) {
                    // Every byte goes up and comes down, whichever half is merged; the root is passed once.
                    loads.lengthen(latency * 2.0 - self.router().end_latency(root), hops * 2);
                }
            }
        }
        for SwitchTree { channels, part, .. } in self.trees_to(group, roots) {
            for channel in channels {
                if up {
                    loads.bytes[channel as usize] += part;
                }
                if down {
                    loads.bytes[channel as usize ^ 1] += part;
                }
            }
        }
        loads
    }
}

/// One walk for each set of receivers, over the merged fabric; many walks are made together.
fn walked_over_sets(merged: &Merged, sending: &[u32], standing: &[(u32, f64)]) -> ChannelLoads {
    let members = |set: u32| &merged.sets[set as usize][..];
    let mut sends = vec![false; merged.sets.len()];
    sending.iter().for_each(|&set| sends[set as usize] = true);
    let sends = |node: u32| sends[node as usize];
    added_up(merged.router.channels().len(), standing, WALKS_PER_PART, |part, loads| {
        let (mut walks, mut routes) = (merged.router.route_block(), merged.router.routes());
        let together = part.len() >= RECEIVERS_PER_BLOCK;
        for block in part.chunks(AT_ONCE) {
            if together {
                walks.aim(block.iter().map(|&(set, _)| WalkEnd { node: set, is_set: members(set).len() > 1 }), sends);
            }
            for (place, &(set, likes)) in block.iter().enumerate() {
                let receivers = members(set);
                // How many receivers each of a set's members sends to.
                let hear = |source: u32| (receivers.len() - usize::from(source == set)) as f64;
                let sources = || sending.iter().copied().filter(|&source| hear(source) > 0.0);
                match receivers {
                    _ if together => walks.lead(place, &mut routes),
                    [_] => routes.towards(set, sources().count(), sends),
                    _ => routes.towards_set(set, sources().count(), sends),
                }
                let weight = |source: u32| members(source).len() as f64 * hear(source) * likes;
                for source in sources() {
                    loads.sent += weight(source);
                    match (routes.slowest(source), routes.hops(source)) {
                        (Some(latency), Some(hops)) => loads.lengthen(latency, hops),
                        _ => loads.unreachable = loads.unreachable.or(pair_of(members(source), receivers)),
                    }
                }
                routes.push(sources().map(|source| (source, weight(source))), &mut loads.bytes);
            }
        }
    })
}

/// Runs `send` for every item, in parallel, and adds up what it leaves behind in an order that does not depend on the threads.
fn in_parts<Item: Sync, Scratch>(
    channels: usize,
    items: &[Item],
    items_per_part: usize,
    scratch: impl Fn() -> Scratch + Sync,
    send: impl Fn(&mut Scratch, &Item, &mut ChannelLoads) + Sync,
) -> ChannelLoads {
    added_up(channels, items, items_per_part, |part, loads| {
        let mut scratch = scratch();
        for item in part {
            send(&mut scratch, item, loads);
        }
    })
}

/// The same with `send` given all items of a part.
fn added_up<Item: Sync>(channels: usize, items: &[Item], items_per_part: usize, send: impl Fn(&[Item], &mut ChannelLoads) + Sync) -> ChannelLoads {
    let parts = (items.len() / items_per_part).clamp(1, PARTS_MAX);
    let one_part = |part: &[Item]| {
        let mut loads = ChannelLoads::silent(channels);
        send(part, &mut loads);
        loads
    };
    let size = items.len().div_ceil(parts).max(1);
    let mut filled: Vec<ChannelLoads> = items.par_chunks(size).map(one_part).collect();
    let Some((total, rest)) = filled.split_first_mut() else {
        return ChannelLoads::silent(channels);
    };
    for part in rest {
        total.add(part, 1.0);
    }
    filled.swap_remove(0)
}

/// Whether a walk towards a receiver costs less than a search for each pair. Neighbours on rings are close to each other.
pub(super) fn is_dense(group: &Group, pattern: TrafficPattern) -> bool {
    pattern.senders_at_most(group.ranks()) >= DENSE_SENDERS && !matches!(pattern, TrafficPattern::MultiRing { .. })
}

/// Every receiver, counted once.
fn all_once(receivers: &[u32]) -> Vec<(u32, f64)> {
    receivers.iter().map(|&receiver| (receiver, 1.0)).collect()
}

/// One receiver of every orbit, the first, and how many it stands for.
fn one_of_each(receivers: &[u32], orbit: impl Fn(u32) -> u32, orbits: usize) -> Vec<(u32, f64)> {
    let mut standing: Vec<(u32, f64)> = Vec::new();
    let mut place_of = vec![usize::MAX; orbits];
    for &receiver in receivers {
        let place = &mut place_of[orbit(receiver) as usize];
        if *place == usize::MAX {
            *place = standing.len();
            standing.push((receiver, 0.0));
        }
        standing[*place].1 += 1.0;
    }
    standing
}

/// A sender and another chip that it sends to.
fn pair_of(senders: &[u32], receivers: &[u32]) -> Option<(u32, u32)> {
    let source = *senders.first()?;
    receivers.iter().find(|&&receiver| receiver != source).map(|&receiver| (source, receiver))
}

/// Over which paths a walk pushes.
#[derive(Clone, Copy, Debug)]
enum PushedPaths {
    Shortest,
    Detours,
}
