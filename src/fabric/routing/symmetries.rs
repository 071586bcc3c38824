//! Symmetries of a fabric, found in the graph itself: damaged machines, custom graphs and placements have some that no pattern of levels
//! knows of.
//!
//! A symmetry is a permutation of the nodes that maps links onto links of the same number, latency and dimension, and every node onto one of
//! its colour. Candidates come from colour refinement (Weisfeiler and Leman, 1968): nodes whose colours differ are never mapped onto each
//! other; where colours do not tell all nodes apart, one node is singled out and the colours are refined again (McKay and Piperno, Practical
//! graph isomorphism II, J. Symbolic Computation 60, 2014). Every candidate is then checked link by link, so that a wrong guess costs time
//! and nothing else. Not all symmetries need be found: those found form a group, and whatever it maps onto each other carries the same.

use std::collections::BTreeMap;

use petgraph::unionfind::UnionFind;

use super::level_moves::LevelPlaces;
use super::policy::{mix, scrambled};
use super::router::{Router, narrow};

/// Nodes and channels that the symmetries found map onto each other.
#[derive(Clone, Debug)]
pub struct Orbits {
    /// By node, the number of its orbit: one of its members.
    pub nodes: Vec<u32>,
    /// The same by channel.
    pub channels: Vec<u32>,
}

/// Candidates that may turn out not to be symmetries before the search ends.
const FAILURES_MAX: usize = 8;

/// Nodes singled out one after the other before the search ends: a torus of three dimensions needs four.
const DEPTH_MAX: usize = 12;

/// A colouring of the nodes and the steps of refinement that made it.
#[derive(Clone)]
struct Colouring {
    colours: Vec<u64>,
    rounds: usize,
}

struct SymmetrySearch<'a> {
    router: &'a Router,
    /// Exact colours that every symmetry keeps.
    given: Vec<u64>,
    /// By place in the router's half-edges: all that tells a link from others, but for its far end.
    labels: Vec<u64>,
}

/// Nodes and channels that are known to be alike.
struct KnownAlike {
    nodes: UnionFind<u32>,
    channels: UnionFind<u32>,
    /// Whether any symmetry has been found.
    found: bool,
}

impl KnownAlike {
    fn none(router: &Router) -> Self {
        Self { nodes: UnionFind::new(router.nodes()), channels: UnionFind::new(router.channels.len()), found: false }
    }

    fn add(&mut self, image: &[u32], channels: &[u32]) {
        self.found = true;
        (0u32..).zip(image).for_each(|(node, &image)| _ = self.nodes.union(node, image));
        (0u32..).zip(channels).for_each(|(channel, &image)| _ = self.channels.union(channel, image));
    }

    fn orbits(self) -> Option<Orbits> {
        self.found.then(|| Orbits { nodes: self.nodes.into_labeling(), channels: self.channels.into_labeling() })
    }
}

impl Router {
    /// The orbits of the symmetries that keep `colour`; `None` if none but the identity is found. Moves that the levels suggest are tried
    /// first, where the places of the chips are known: they cost one check each, whatever the size of the group.
    #[must_use]
    pub fn orbits(&self, colour: impl Fn(u32) -> u64, places: Option<&LevelPlaces>) -> Option<Orbits> {
        let search = SymmetrySearch::new(self, colour);
        let first = search.first_colouring();
        let mut alike = KnownAlike::none(self);
        if let Some(places) = places {
            search.try_moves(places, &first, &mut alike);
        }
        if alike.found {
            return alike.orbits();
        }
        let mut path = vec![first];
        let mut singled_out = Vec::new();
        while let Some(cell) = largest_cell(&path[path.len() - 1].colours) {
            if path.len() > DEPTH_MAX {
                return None;
            }
            let next = search.single_out(&path[path.len() - 1], cell[0], None);
            singled_out.push(cell);
            path.push(next);
        }
        let mut failures = 0;
        // Deepest first: what is found there spares candidates further up.
        for (depth, cell) in singled_out.iter().enumerate().rev() {
            let mut refuted: Vec<u32> = Vec::new();
            for &other in &cell[1..] {
                let orbit = |node: u32| alike.nodes.find(node);
                let known = orbit(other) == orbit(cell[0]) || refuted.iter().any(|&node| orbit(node) == orbit(other));
                if known || failures >= FAILURES_MAX {
                    continue;
                }
                let Some((image, image_of_channel)) = search.symmetry(&path, depth, other) else {
                    refuted.push(other);
                    failures += 1;
                    continue;
                };
                alike.add(&image, &image_of_channel);
            }
        }
        alike.orbits()
    }

    /// The orbits of those moves that the levels suggest which are symmetries; `None` if none is.
    #[must_use]
    pub fn orbits_of_moves(&self, places: &LevelPlaces) -> Option<Orbits> {
        let search = SymmetrySearch::new(self, |_| 0);
        let mut alike = KnownAlike::none(self);
        search.try_moves(places, &search.first_colouring(), &mut alike);
        alike.orbits()
    }
}

impl<'a> SymmetrySearch<'a> {
    fn new(router: &'a Router, colour: impl Fn(u32) -> u64) -> Self {
        let label = |half: &super::router::HalfEdge| {
            let latency = u32::from(router.latency_of[half.channel as usize]) << 16 | u32::from(half.latency_back);
            mix(router.dimension[half.channel as usize / 2], half.count, latency, 0)
        };
        let given = (0..narrow(router.nodes())).map(|node| colour(node) << 1 | u64::from(router.forwards[node as usize])).collect();
        Self { router, given, labels: router.half_edges.iter().map(label).collect() }
    }

    /// The given colours, refined.
    fn first_colouring(&self) -> Colouring {
        self.refined(self.given.iter().map(|&given| mix(given, 0, 0, 0)).collect(), None)
    }

    /// Adds the moves of `places` that are symmetries.
    fn try_moves(&self, places: &LevelPlaces, colouring: &Colouring, alike: &mut KnownAlike) {
        let layers = self.layers(places);
        let identity = |node: u32| node;
        let mut above: BTreeMap<(u32, u64), Vec<u32>> = BTreeMap::new();
        for node in (0..narrow(layers.len())).rev().filter(|&node| !places.is_chip(node)) {
            above.entry((layers[node as usize], self.below(node, &layers, identity))).or_default().push(node);
        }
        for chips in places.suggestions(&colouring.colours) {
            let Some(image) = self.extended(chips, &layers, above.clone()) else { continue };
            if image.iter().zip(&self.given).any(|(&onto, given)| self.given[onto as usize] != *given) {
                continue;
            }
            if let Some(channels) = self.router.images_of_channels(&image) {
                alike.add(&image, &channels);
            }
        }
    }

    /// Links to the nearest chip, by node.
    fn layers(&self, places: &LevelPlaces) -> Vec<u32> {
        let mut layers = vec![u32::MAX; self.router.nodes()];
        let mut order: Vec<u32> = (0..narrow(layers.len())).filter(|&node| places.is_chip(node)).collect();
        order.iter().for_each(|&chip| layers[chip as usize] = 0);
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            next += 1;
            for half in self.router.half_edges(node) {
                if layers[half.neighbour as usize] == u32::MAX {
                    layers[half.neighbour as usize] = layers[node as usize] + 1;
                    order.push(half.neighbour);
                }
            }
        }
        layers
    }

    /// What tells a node from others of its layer: its own colour, and its links to images of nodes one layer below.
    fn below(&self, node: u32, layers: &[u32], image: impl Fn(u32) -> u32) -> u64 {
        let own = self.router.first[node as usize] as usize..self.router.first[node as usize + 1] as usize;
        let around = self.router.half_edges[own.clone()].iter().zip(&self.labels[own]);
        let lower = around.filter(|(half, _)| layers[half.neighbour as usize].wrapping_add(1) == layers[node as usize]);
        lower.fold(scrambled(self.given[node as usize]), |sum, (half, label)| {
            sum.wrapping_add(scrambled(scrambled(u64::from(image(half.neighbour))) ^ label))
        })
    }

    /// The move of the chips with every other node moved where it finds the images of its neighbours one layer below; of several such nodes
    /// any will do, the next in number is taken.
    fn extended(&self, mut image: Vec<u32>, layers: &[u32], mut above: BTreeMap<(u32, u64), Vec<u32>>) -> Option<Vec<u32>> {
        let mut order: Vec<u32> = (0..narrow(layers.len())).filter(|&node| layers[node as usize] > 0).collect();
        order.sort_by_key(|&node| layers[node as usize]);
        for node in order {
            let key = (layers[node as usize], self.below(node, layers, |lower| image[lower as usize]));
            image[node as usize] = above.get_mut(&key)?.pop()?;
        }
        Some(image)
    }

    /// Refines until no more colours appear, or as often as `rounds` says, so that colourings can be held against each other.
    fn refined(&self, mut colours: Vec<u64>, rounds: Option<usize>) -> Colouring {
        let mut different = count_of(&colours);
        let mut done = 0;
        let mut next = vec![0; colours.len()];
        while rounds.is_none_or(|rounds| done < rounds) {
            for (node, next) in (0..narrow(colours.len())).zip(&mut next) {
                let own = self.router.first[node as usize] as usize..self.router.first[node as usize + 1] as usize;
                let around = self.router.half_edges[own.clone()].iter().zip(&self.labels[own]);
                // A sum does not depend on the order of the links.
                let sum = around.fold(0u64, |sum, (half, label)| sum.wrapping_add(scrambled(colours[half.neighbour as usize] ^ label)));
                *next = scrambled(colours[node as usize].wrapping_mul(3).wrapping_add(sum));
            }
            std::mem::swap(&mut colours, &mut next);
            done += 1;
            if rounds.is_none() {
                let now = count_of(&colours);
                if now == different || now == colours.len() {
                    break;
                }
                different = now;
            }
        }
        Colouring { colours, rounds: done }
    }

    fn single_out(&self, colouring: &Colouring, node: u32, rounds: Option<usize>) -> Colouring {
        let mut colours = colouring.colours.clone();
        colours[node as usize] = !colours[node as usize];
        self.refined(colours, rounds)
    }

    /// The symmetry that keeps the nodes singled out before `depth` and maps the one at `depth` onto `other`, if the candidate is one: the
    /// images of all nodes and of all channels.
    fn symmetry(&self, path: &[Colouring], depth: usize, other: u32) -> Option<(Vec<u32>, Vec<u32>)> {
        let mut colouring = self.single_out(&path[depth], other, Some(path[depth + 1].rounds));
        for step in depth + 1..path.len() - 1 {
            // The image of the next node singled out has its colour; where several have it, any is as good as the others.
            let cell = largest_cell(&path[step].colours)?;
            let colour = path[step].colours[cell[0] as usize];
            let image = (0u32..).zip(&colouring.colours).find(|entry| *entry.1 == colour)?.0;
            colouring = self.single_out(&colouring, image, Some(path[step + 1].rounds));
        }
        let (from, to) = (sorted(&path[path.len() - 1].colours), sorted(&colouring.colours));
        let mut image = vec![0; from.len()];
        for ((colour, node), (same, onto)) in from.into_iter().zip(to) {
            if colour != same || self.given[node as usize] != self.given[onto as usize] {
                return None;
            }
            image[node as usize] = onto;
        }
        let channels = self.router.images_of_channels(&image)?;
        Some((image, channels))
    }
}

impl Router {
    /// Where a permutation of the nodes maps every channel; `None` if it is no symmetry: if it maps a link onto none, or a node onto one of
    /// another latency or one that does not pass traffic on as it does.
    #[must_use]
    pub fn images_of_channels(&self, image: &[u32]) -> Option<Vec<u32>> {
        let kind = |channel: u32| {
            let (channel, back) = (channel as usize, channel as usize ^ 1);
            (self.channels[channel].count, self.latency_of[channel], self.latency_of[back], self.dimension[channel / 2])
        };
        let mut images = vec![0; self.channels.len()];
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for (node, &onto) in (0u32..).zip(image) {
            let alike = self.end_latency[node as usize] == self.end_latency[onto as usize] && self.forwards(node) == self.forwards(onto);
            if !alike || self.half_edges(node).len() != self.half_edges(onto).len() {
                return None;
            }
            here.clear();
            here.extend(self.half_edges(node).iter().map(|half| (image[half.neighbour as usize], kind(half.channel), half.channel)));
            there.clear();
            there.extend(self.half_edges(onto).iter().map(|half| (half.neighbour, kind(half.channel), half.channel)));
            here.sort_unstable();
            there.sort_unstable();
            for (here, there) in here.iter().zip(&there) {
                if (here.0, here.1) != (there.0, there.1) {
                    return None;
                }
                images[here.2 as usize] = there.2;
            }
        }
        Some(images)
    }
}

fn sorted(colours: &[u64]) -> Vec<(u64, u32)> {
    let mut sorted: Vec<(u64, u32)> = colours.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    sorted
}

fn count_of(colours: &[u64]) -> usize {
    let mut sorted = colours.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.len()
}

/// The nodes of the colour that most nodes share, in rising order; `None` where no two share one.
fn largest_cell(colours: &[u64]) -> Option<Vec<u32>> {
    let sorted = sorted(colours);
    let cells = sorted.chunk_by(|a, b| a.0 == b.0).filter(|cell| cell.len() > 1);
    // Of equals the last in the order of colours, which does not depend on the order of the nodes.
    cells.max_by_key(|cell| cell.len()).map(|cell| cell.iter().map(|entry| entry.1).collect())
}
