//! Walks towards many destinations together.
//!
//! A fabric of which no two parts are alike needs a walk towards every destination. Here up to [`AT_ONCE`] of them are aimed at together: each
//! has a bit in a word a node, so that one look at a link serves all of them. Only links that traffic of the senders crosses become steps, which
//! are then followed as those of a single walk ([`Routes`]), to the same answer.

use super::router::{Router, narrow};
use super::towards::{Routes, WalkStep};

/// Destinations aimed at together.
pub const AT_ONCE: usize = 32;

/// A destination.
#[derive(Clone, Copy, Debug)]
pub struct WalkEnd {
    /// Its node.
    pub node: u32,
    /// Whether it stands for several nodes that send to each other as well: see [`Routes::towards_set`].
    pub is_set: bool,
}

/// Shortest paths from all senders to up to [`AT_ONCE`] destinations.
#[derive(Debug)]
pub struct RouteBlock<'a> {
    router: &'a Router,
    ends: Vec<WalkEnd>,
    /// By hops: nodes, with the destinations that are so many hops away. All words below have one bit a destination.
    layers: Vec<Vec<(u32, u32)>>,
    /// By destination: steps of paths, those that end nearest to it first.
    steps: Vec<Vec<WalkStep>>,
    /// By node, destinations that it has been found to reach.
    reached: Vec<u32>,
    /// By node, its word in one layer; zero between uses.
    layer: Vec<u32>,
}

impl Router {
    /// An empty block of routes, to be aimed by [`RouteBlock::aim`].
    #[must_use]
    pub fn route_block(&self) -> RouteBlock<'_> {
        let (reached, layer) = (vec![0; self.nodes()], vec![0; self.nodes()]);
        RouteBlock { router: self, ends: Vec::new(), layers: Vec::new(), steps: vec![Vec::new(); AT_ONCE], reached, layer }
    }
}

impl RouteBlock<'_> {
    /// Aims at these destinations, at most [`AT_ONCE`], from all nodes that the caller says send.
    pub fn aim(&mut self, ends: impl Iterator<Item = WalkEnd>, sends: impl Fn(u32) -> bool) {
        self.ends.clear();
        self.ends.extend(ends.take(AT_ONCE));
        self.steps.iter_mut().for_each(Vec::clear);
        self.search(&sends);
        self.drop_idle(&sends);
        self.find_steps();
    }

    /// Sets `routes` up as a walk towards one of the destinations, by its place among those aimed at.
    pub fn lead(&mut self, place: usize, routes: &mut Routes<'_>) {
        routes.follow(self.end(place), self.ends[place].node, &mut self.steps[place]);
    }

    /// The node at which paths to a destination end: for a set one beyond all others, since the set is also on its own way.
    fn end(&self, place: usize) -> u32 {
        let WalkEnd { node, is_set } = self.ends[place];
        if is_set { narrow(self.router.nodes()) } else { node }
    }

    /// Searches outwards until every sender has been reached from every destination, or nothing new is found.
    fn search(&mut self, sends: impl Fn(u32) -> bool) {
        let router = self.router;
        self.reached.fill(0);
        let senders = (0..narrow(router.nodes())).filter(|&node| sends(node)).count();
        let mut missing = senders * self.ends.len();
        let mut newest: Vec<(u32, u32)> = Vec::new();
        for (place, &WalkEnd { node, is_set }) in self.ends.iter().enumerate() {
            newest.push((node, 1 << place));
            if !is_set {
                self.reached[node as usize] |= 1 << place;
                missing -= usize::from(sends(node));
            }
        }
        self.layers.clear();
        let mut touched = Vec::new();
        while !newest.is_empty() {
            if missing > 0 {
                let passing = newest.iter().filter(|(node, _)| self.layers.is_empty() || router.forwards[*node as usize]);
                for &(node, word) in passing {
                    for half in router.half_edges(node) {
                        let next = &mut self.layer[half.neighbour as usize];
                        if *next == 0 {
                            touched.push(half.neighbour);
                        }
                        *next |= word;
                    }
                }
            }
            self.layers.push(std::mem::take(&mut newest));
            for node in touched.drain(..) {
                let new = std::mem::take(&mut self.layer[node as usize]) & !self.reached[node as usize];
                let is_sender = sends(node);
                // Paths only end at other nodes.
                if new != 0 && (is_sender || router.forwards[node as usize]) {
                    self.reached[node as usize] |= new;
                    newest.push((node, new));
                    missing -= if is_sender { new.count_ones() as usize } else { 0 };
                }
            }
        }
    }

    /// Leaves in every layer what sends, or what traffic from farther layers passes.
    fn drop_idle(&mut self, sends: impl Fn(u32) -> bool) {
        let router = self.router;
        for hops in (1..self.layers.len()).rev() {
            let (nearer, farther) = self.layers.split_at_mut(hops + 1);
            for (node, word) in nearer[hops].iter_mut().filter(|(node, _)| !sends(*node)) {
                *word &= router.half_edges(*node).iter().fold(0, |word, half| word | self.layer[half.neighbour as usize]);
            }
            farther.first().into_iter().flatten().for_each(|&(node, _)| self.layer[node as usize] = 0);
            nearer[hops].retain(|(_, word)| *word != 0);
            nearer[hops].iter().for_each(|&(node, word)| self.layer[node as usize] = word);
        }
        self.layers.get(1).into_iter().flatten().for_each(|&(node, _)| self.layer[node as usize] = 0);
    }

    /// Files every link between two layers under the destinations whose traffic crosses it.
    fn find_steps(&mut self) {
        let router = self.router;
        for hops in 0..self.layers.len().saturating_sub(1) {
            self.layers[hops + 1].iter().for_each(|&(node, word)| self.layer[node as usize] = word);
            let heads = self.layers[hops].iter().filter(|(node, _)| hops == 0 || router.forwards[*node as usize]);
            for &(node, word) in heads {
                for half in router.half_edges(node) {
                    let mut crossing = word & self.layer[half.neighbour as usize];
                    while crossing != 0 {
                        let place = crossing.trailing_zeros() as usize;
                        crossing &= crossing - 1;
                        let head = if hops == 0 { self.end(place) } else { node };
                        self.steps[place].push(WalkStep { tail: half.neighbour, head, channel: half.channel ^ 1, count: half.count });
                    }
                }
            }
            self.layers[hops + 1].iter().for_each(|&(node, _)| self.layer[node as usize] = 0);
        }
    }
}
