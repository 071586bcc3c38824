//! One source to one destination.
//!
//! Two searches, one from each end, grow until they meet: a pair in a tree of switches is found without looking at the spines'
//! other ports, so that a route costs what its own paths cost, whatever the size of the machine.

use std::collections::BTreeSet;

use super::policy::{RoutingPolicy, mix};
use super::router::Router;
use crate::units::Seconds;

const UNREACHED: u32 = u32::MAX;

/// A channel of a route and the share of the flow that crosses it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hop {
    /// Channel number.
    pub channel: u32,
    /// Of the flow, 0 to 1.
    pub share: f64,
}

/// The way of one flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Channels with the share of the flow on each; a channel may stand twice where a detour comes back to it.
    pub hops: Vec<Hop>,
    /// Links on the longest path.
    pub length: u32,
    /// Latency of the slowest path, both endpoints included, seconds.
    pub latency: Seconds,
}

/// One side of the search.
#[derive(Debug)]
struct Side {
    /// Hops from this side's end.
    distance: Vec<u32>,
    /// Visited nodes in order; the end is the first.
    order: Vec<u32>,
    /// Where the outermost layer begins in `order`.
    layer: usize,
    /// Channels found, inner ones first, always in the direction of the traffic.
    steps: Vec<FoundStep>,
}

#[derive(Clone, Copy, Debug)]
struct FoundStep {
    tail: u32,
    head: u32,
    channel: u32,
    count: u32,
}

/// Finds routes of single pairs under the router's policy.
#[derive(Debug)]
pub struct Pathfinder<'a> {
    router: &'a Router,
    from_source: Side,
    from_destination: Side,
    /// Steps on shortest paths, ordered so that whatever reaches a node stands before whatever leaves it.
    steps: Vec<FoundStep>,
    /// Per node, valid only for the nodes of the steps above; cleared after each route.
    share: Vec<f64>,
    links: Vec<u32>,
    seen: Vec<u32>,
    lowest: Vec<u64>,
    slowest: Vec<f64>,
    useful: Vec<bool>,
    /// Nodes that Valiant routing may send traffic by.
    turns: Vec<u32>,
}

impl Side {
    fn new(nodes: usize) -> Self {
        Self { distance: vec![UNREACHED; nodes], order: Vec::new(), layer: 0, steps: Vec::new() }
    }

    fn start(&mut self, end: u32) {
        for &node in &self.order {
            self.distance[node as usize] = UNREACHED;
        }
        self.order.clear();
        self.steps.clear();
        self.order.push(end);
        self.distance[end as usize] = 0;
        self.layer = 0;
    }

    /// Half-edges that one more layer would look at.
    fn cost(&self, router: &Router) -> usize {
        self.order[self.layer..].iter().map(|&node| router.half_edges(node).len()).sum()
    }

    /// Visits the neighbours of the outermost layer that `may_lead` to the other end, given their distance from this one; `false` if there is
    /// nothing new.
    fn grow(&mut self, router: &Router, other_end: u32, backwards: bool, may_lead: impl Fn(u32, u32) -> bool) -> bool {
        let layer = self.layer..self.order.len();
        self.layer = layer.end;
        for position in layer {
            let node = self.order[position];
            let distance = self.distance[node as usize] + 1;
            for half in router.half_edges(node) {
                let neighbour = half.neighbour;
                // Ends that are neither source nor destination lead nowhere.
                if !router.forwards[neighbour as usize] && neighbour != other_end {
                    continue;
                }
                let known = &mut self.distance[neighbour as usize];
                if *known == UNREACHED {
                    if !may_lead(neighbour, distance) {
                        continue;
                    }
                    *known = distance;
                    self.order.push(neighbour);
                } else if *known != distance {
                    continue;
                }
                let step = if backwards {
                    FoundStep { tail: neighbour, head: node, channel: half.channel ^ 1, count: half.count }
                } else {
                    FoundStep { tail: node, head: neighbour, channel: half.channel, count: half.count }
                };
                self.steps.push(step);
            }
        }
        self.layer < self.order.len()
    }
}

impl Router {
    /// A search for the routes of single pairs.
    #[must_use]
    pub fn pathfinder(&self) -> Pathfinder<'_> {
        Pathfinder::new(self)
    }
}

impl<'a> Pathfinder<'a> {
    pub(super) fn new(router: &'a Router) -> Self {
        let nodes = router.nodes();
        Self {
            router,
            from_source: Side::new(nodes),
            from_destination: Side::new(nodes),
            steps: Vec::new(),
            share: vec![0.0; nodes],
            links: vec![0; nodes],
            seen: vec![0; nodes],
            lowest: vec![0; nodes],
            slowest: vec![0.0; nodes],
            useful: vec![false; nodes],
            turns: if matches!(router.policy, RoutingPolicy::Valiant | RoutingPolicy::Adaptive) { router.turns() } else { Vec::new() },
        }
    }

    /// The route of the flow from `source` to `destination`; `None` if no path joins them.
    ///
    /// Policies that mix per pattern have no pattern here: `AllPaths` splits evenly over all ways at most one hop longer than the
    /// shortest, `Valiant` and `Adaptive` take one way by a node that a hash of the pair picks.
    pub fn route(&mut self, source: u32, destination: u32) -> Option<Route> {
        if source == destination {
            return Some(Route::default());
        }
        match self.router.policy {
            RoutingPolicy::Spray | RoutingPolicy::Ecmp { .. } | RoutingPolicy::Striped { .. } | RoutingPolicy::DimensionOrder => {
                self.shortest(source, destination)
            }
            RoutingPolicy::AllPaths => self.with_detours(source, destination),
            RoutingPolicy::Valiant | RoutingPolicy::Adaptive => {
                let position = mix(0, source, destination, 0) % (self.turns.len().max(1) as u64);
                let by = self.turns.get(usize::try_from(position).unwrap_or(0)).copied().unwrap_or(destination);
                self.by_way_of(source, by, destination)
            }
        }
    }

    fn by_way_of(&mut self, source: u32, by: u32, destination: u32) -> Option<Route> {
        if by == source || by == destination {
            return self.shortest(source, destination);
        }
        let mut route = self.shortest(source, by)?;
        let rest = self.shortest(by, destination)?;
        route.hops.extend(rest.hops);
        route.length += rest.length;
        // The turning node has been counted as the end of one path and passes traffic on at the start of the other.
        route.latency += rest.latency - Seconds::new(self.router.end_latency[by as usize]);
        Some(route)
    }

    fn with_detours(&mut self, source: u32, destination: u32) -> Option<Route> {
        let direct = self.shortest(source, destination)?;
        let router = self.router;
        let mut ways = Vec::new();
        for half in router.half_edges(source) {
            let rest = if half.neighbour == destination {
                Some(Route { latency: Seconds::new(router.end_latency[destination as usize]), ..Route::default() })
            } else if router.forwards[half.neighbour as usize] {
                self.shortest(half.neighbour, destination)
            } else {
                None
            };
            if let Some(rest) = rest.filter(|rest| rest.length <= direct.length) {
                ways.push((half, rest));
            }
        }
        let links: u32 = ways.iter().map(|(half, _)| half.count).sum();
        let mut route = Route::default();
        for (half, rest) in ways {
            let share = f64::from(half.count) / f64::from(links);
            route.hops.push(Hop { channel: half.channel, share });
            route.hops.extend(rest.hops.iter().map(|hop| Hop { channel: hop.channel, share: hop.share * share }));
            route.length = route.length.max(rest.length + 1);
            route.latency = route.latency.max(rest.latency + Seconds::new(router.hop_latency(half.channel)));
        }
        Some(route)
    }

    /// Over shortest paths only, as the policy spreads over them.
    fn shortest(&mut self, source: u32, destination: u32) -> Option<Route> {
        let length = self.meet(source, destination)?;
        self.collect_steps();
        if self.router.policy == RoutingPolicy::DimensionOrder {
            self.keep_lowest_dimension();
        }
        Some(self.spread(source, destination, length))
    }

    /// Finds all shortest paths; the number of links between the ends.
    fn meet(&mut self, source: u32, destination: u32) -> Option<u32> {
        self.meet_on_grid(source, destination).or_else(|| self.meet_anywhere(source, destination))
    }

    /// On a torus or mesh, if some path is no longer than the way along its lines: no other node can be on such a path. Both ends grow in turn, as
    /// they do where every layer is larger than the one before.
    fn meet_on_grid(&mut self, source: u32, destination: u32) -> Option<u32> {
        let grid = self.router.grid.as_ref().filter(|grid| grid.holds(source) && grid.holds(destination))?;
        let length = grid.links(source, destination);
        self.from_source.start(source);
        self.from_destination.start(destination);
        for grown in 0..length {
            let forwards = grown % 2 == 0;
            let (growing, other_end) = if forwards { (&mut self.from_source, destination) } else { (&mut self.from_destination, source) };
            if !growing.grow(self.router, other_end, !forwards, |node, distance| distance + grid.links(node, other_end) <= length) {
                return None;
            }
        }
        let met = |node: &u32| self.from_destination.distance[*node as usize] != UNREACHED;
        self.from_source.order[self.from_source.layer..].iter().any(met).then_some(length)
    }

    /// Grows both searches until they touch.
    fn meet_anywhere(&mut self, source: u32, destination: u32) -> Option<u32> {
        self.from_source.start(source);
        self.from_destination.start(destination);
        loop {
            let forwards = self.from_source.cost(self.router) <= self.from_destination.cost(self.router);
            let (growing, resting, other_end) = if forwards {
                (&mut self.from_source, &self.from_destination, destination)
            } else {
                (&mut self.from_destination, &self.from_source, source)
            };
            if !growing.grow(self.router, other_end, !forwards, |_, _| true) {
                return None;
            }
            let reached = |node: &u32| resting.distance[*node as usize] != UNREACHED;
            if let Some(&node) = growing.order[growing.layer..].iter().find(|node| reached(node)) {
                return Some(growing.distance[node as usize] + resting.distance[node as usize]);
            }
        }
    }

    /// Puts together the steps of the source's side that lead to where the searches met, and those of the destination's side.
    fn collect_steps(&mut self) {
        self.steps.clear();
        let source_side = &self.from_source;
        let met = |node: u32| self.from_destination.distance[node as usize] != UNREACHED;
        for step in source_side.steps.iter().rev() {
            if met(step.head) || self.useful[step.head as usize] {
                self.useful[step.tail as usize] = true;
                self.steps.push(*step);
            }
        }
        self.steps.reverse();
        for step in &self.steps {
            self.useful[step.tail as usize] = false;
        }
        // The destination's side also holds what leads away from the source; traffic that never gets there leaves it empty.
        self.steps.extend(self.from_destination.steps.iter().rev());
    }

    fn keep_lowest_dimension(&mut self) {
        let router = self.router;
        let dimension = |step: &FoundStep| router.dimension[step.channel as usize / 2];
        for step in &self.steps {
            self.lowest[step.tail as usize] = u64::MAX;
        }
        for step in &self.steps {
            let lowest = &mut self.lowest[step.tail as usize];
            *lowest = dimension(step).min(*lowest);
        }
        let lowest = &self.lowest;
        self.steps.retain(|step| dimension(step) == lowest[step.tail as usize]);
    }

    /// Lets one byte run down the steps.
    fn spread(&mut self, source: u32, destination: u32, length: u32) -> Route {
        let router = self.router;
        for step in &self.steps {
            for node in [step.tail as usize, step.head as usize] {
                (self.share[node], self.links[node], self.seen[node], self.slowest[node]) = (0.0, 0, 0, 0.0);
            }
        }
        for step in &self.steps {
            self.links[step.tail as usize] += step.count;
        }
        let planes = self.planes_at(source);
        self.share[source as usize] = 1.0;
        let mut hops = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let (tail, head) = (step.tail as usize, step.head as usize);
            let held = self.share[tail];
            if held == 0.0 {
                continue;
            }
            let part = match router.policy {
                RoutingPolicy::Striped { seed } if step.tail == source => {
                    stripe(&planes, router.plane[step.channel as usize / 2], step, seed, destination)
                }
                RoutingPolicy::Ecmp { seed } | RoutingPolicy::Striped { seed } => {
                    let picked = mix(seed, source, destination, step.tail) % u64::from(self.links[tail]);
                    let before = u64::from(self.seen[tail]);
                    self.seen[tail] += step.count;
                    f64::from(u8::from((before..before + u64::from(step.count)).contains(&picked)))
                }
                _ => f64::from(step.count) / f64::from(self.links[tail]),
            };
            if part > 0.0 {
                hops.push(Hop { channel: step.channel, share: held * part });
                self.share[head] += held * part;
                self.slowest[head] = self.slowest[head].max(self.slowest[tail] + router.hop_latency(step.channel));
            }
        }
        let latency = Seconds::new(self.slowest[destination as usize] + router.end_latency[destination as usize]);
        Route { hops, length, latency }
    }

    /// The planes in which the source has a way, each with its first channel and its links; empty unless stripes are asked for.
    fn planes_at(&self, source: u32) -> Vec<(u16, Vec<(u32, u32)>)> {
        let mut planes: Vec<(u16, Vec<(u32, u32)>)> = Vec::new();
        if !matches!(self.router.policy, RoutingPolicy::Striped { .. }) {
            return planes;
        }
        for step in self.steps.iter().filter(|step| step.tail == source) {
            let plane = self.router.plane[step.channel as usize / 2];
            match planes.iter_mut().find(|known| known.0 == plane) {
                Some(known) => known.1.push((step.channel, step.count)),
                None => planes.push((plane, vec![(step.channel, step.count)])),
            }
        }
        planes
    }
}

/// Share of a step out of the source: an equal stripe for each plane, on the one channel of the plane that the hash picks.
fn stripe(planes: &[(u16, Vec<(u32, u32)>)], plane: u16, step: &FoundStep, seed: u64, destination: u32) -> f64 {
    let channels = planes.iter().find(|known| known.0 == plane).map_or(&[][..], |known| &known.1);
    let links: u32 = channels.iter().map(|channel| channel.1).sum();
    let picked = mix(seed, step.tail, destination, u32::from(plane)) % u64::from(links.max(1));
    let before: u64 = channels.iter().take_while(|channel| channel.0 != step.channel).map(|channel| u64::from(channel.1)).sum();
    if (before..before + u64::from(step.count)).contains(&picked) { 1.0 / planes.len() as f64 } else { 0.0 }
}

impl Router {
    /// Nodes by which Valiant routing may go: those that pass traffic on and have an end beside them, or are one. Where what passes
    /// traffic on falls apart (switches of servers, rails that join the servers' chips), only the parts beside most ends.
    #[must_use]
    pub fn turns(&self) -> Vec<u32> {
        let nodes = || 0..super::router::narrow(self.nodes());
        let ends = |node: u32| self.neighbours(node).filter(|&neighbour| !self.forwards(neighbour));
        let everything_forwards = self.forwards.iter().all(|&forwards| forwards);
        let mut parts: Vec<(usize, Vec<u32>)> = Vec::new();
        let mut seen = vec![false; self.nodes()];
        for first in nodes() {
            if !self.forwards(first) || std::mem::replace(&mut seen[first as usize], true) {
                continue;
            }
            let (mut part, mut place) = (vec![first], 0);
            while let Some(&node) = part.get(place) {
                for neighbour in self.neighbours(node).filter(|&neighbour| self.forwards(neighbour)) {
                    if !std::mem::replace(&mut seen[neighbour as usize], true) {
                        part.push(neighbour);
                    }
                }
                place += 1;
            }
            let beside: BTreeSet<u32> = part.iter().flat_map(|&node| ends(node)).collect();
            parts.push((beside.len(), part));
        }
        let most = parts.iter().map(|(ends, _)| *ends).max().unwrap_or(0);
        let mut turns: Vec<u32> = parts.into_iter().filter(|(ends, _)| *ends == most).flat_map(|(_, part)| part).collect();
        turns.retain(|&node| everything_forwards || ends(node).next().is_some());
        turns.sort_unstable();
        turns
    }
}
