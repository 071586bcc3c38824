//! The best design of a space too large for a grid: differential evolution over mixed axes, then steps to neighbours.
//!
//! Storn and Price, Differential evolution (J. Global Optimization 11, 1997), scheme best/1/bin; a design is a vector of shares along
//! its axes, so lists, ranges and choices evolve alike. Constraints by Deb's rules (Computer Methods in Applied Mechanics and
//! Engineering 186, 2000): a design that keeps them beats one that does not, of two that do not the smaller violation wins. At the
//! end every axis of the best design is moved one entry up and down until nothing improves.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::progress::{Pieces, Progress};
use super::space::{DesignOutcome, Space};
use super::sweep::Demands;
use crate::units::SplitMix64;

/// How long to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchBudget {
    /// Designs to simulate at most.
    pub designs: usize,
    /// Equal seeds search alike.
    pub seed: u64,
}

/// A design that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// Its entries in the label columns.
    pub labels: Vec<String>,
    /// What it gives.
    pub outcome: DesignOutcome,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// Every design tried, in order.
    pub tried: Vec<Tried>,
    /// The best that keeps the constraints.
    pub best: Option<usize>,
    /// Whether every design of the space was tried.
    pub exhausted: bool,
}

/// Scale of differences, and chance that a trial takes an entry from its mutant: Storn and Price's advice for quick convergence.
const SCALE: f64 = 0.7;
const CROSSOVER: f64 = 0.8;
/// Every so many trials of a list a fresh draw, since differences of equal entries are zero.
const FRESH: f64 = 0.1;

struct Searcher<'a> {
    space: &'a Space,
    demands: &'a Demands,
    sizes: Vec<usize>,
    known: BTreeMap<Vec<u64>, usize>,
    tried: Vec<Tried>,
    limit: usize,
    pieces: Pieces<'a>,
}

/// Searches a space for the most of its first objective.
#[must_use]
pub fn optimize(space: &Space, demands: &Demands, budget: SearchBudget, progress: Progress<'_>) -> Optimum {
    let sizes = space.sizes();
    let all = sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size)).filter(|all| *all > 0 && *all <= budget.designs);
    let pieces = progress.pieces(all.unwrap_or(budget.designs));
    let mut searcher = Searcher { space, demands, sizes, known: BTreeMap::new(), tried: Vec::new(), limit: budget.designs, pieces };
    if let Some(all) = all {
        let everything: Vec<Vec<f64>> = (0..all).map(|index| searcher.corner(index)).collect();
        searcher.try_all(&everything);
    } else {
        searcher.evolve(budget.seed);
    }
    let best = searcher.best();
    Optimum { tried: searcher.tried, best, exhausted: all.is_some() }
}

impl Searcher<'_> {
    /// Design number `index` of a countable space, in the middle of its entries.
    fn corner(&self, mut index: usize) -> Vec<f64> {
        let mut shares: Vec<f64> = self
            .sizes
            .iter()
            .rev()
            .map(|&size| {
                let entry = index % size;
                index /= size;
                (entry as f64 + 0.5) / size as f64
            })
            .collect();
        shares.reverse();
        shares
    }

    /// What tells designs apart: the entry of a list, the bits of a share.
    fn key(&self, shares: &[f64]) -> Vec<u64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and below the count")]
        let entry = |share: f64, size: usize| ((share * size as f64) as u64).min(size as u64 - 1);
        shares.iter().zip(&self.sizes).map(|(&share, &size)| if size > 0 { entry(share, size) } else { share.to_bits() }).collect()
    }

    /// Simulates, in parallel, those that are new, as far as the budget goes.
    fn try_all(&mut self, designs: &[Vec<f64>]) {
        let mut new: Vec<(Vec<u64>, &Vec<f64>)> = Vec::new();
        for shares in designs {
            let key = self.key(shares);
            let room = self.tried.len() + new.len() < self.limit;
            if room && !self.known.contains_key(&key) && new.iter().all(|(other, _)| *other != key) {
                new.push((key, shares));
            }
        }
        let (space, pieces) = (self.space, &self.pieces);
        let found: Vec<Tried> = new
            .par_iter()
            .with_max_len(1)
            .map(|(_, shares)| {
                let point = space.at(shares);
                let tried = Tried { labels: space.labels(&point), outcome: space.evaluate(&point) };
                pieces.one_done();
                tried
            })
            .collect();
        for ((key, _), tried) in new.into_iter().zip(found) {
            self.known.insert(key, self.tried.len());
            self.tried.push(tried);
        }
    }

    fn outcome(&self, shares: &[f64]) -> Option<&DesignOutcome> {
        self.known.get(&self.key(shares)).map(|at| &self.tried[*at].outcome)
    }

    /// Deb's rules: whether `a` is better than `b`.
    fn better(&self, a: &DesignOutcome, b: &DesignOutcome) -> bool {
        let merit = |outcome: &DesignOutcome| self.demands.merits(outcome).and_then(|merits| merits.first().copied());
        match (merit(a), merit(b)) {
            (Some(a), Some(b)) => a > b,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => self.demands.violation(a) < self.demands.violation(b),
        }
    }

    /// The best that was tried, the first of equals in the order of the grid.
    fn best(&self) -> Option<usize> {
        let feasible = self.known.values().copied().filter(|at| self.demands.merits(&self.tried[*at].outcome).is_some());
        feasible.fold(None, |best: Option<usize>, at| match best {
            Some(known) if !self.better(&self.tried[at].outcome, &self.tried[known].outcome) => Some(known),
            _ => Some(at),
        })
    }

    fn evolve(&mut self, seed: u64) {
        let free = self.sizes.iter().filter(|size| **size != 1).count();
        let population = (8 * free).clamp(16, 64).min(self.limit);
        let mut stream = SplitMix64::new(seed, 0);
        let mut members: Vec<Vec<f64>> = (0..population).map(|_| self.sizes.iter().map(|_| stream.uniform()).collect()).collect();
        self.try_all(&members.clone());
        // A quarter of the budget is kept for the steps to neighbours.
        let reserve = self.limit / 4;
        let mut idle = 0;
        while self.tried.len() + reserve < self.limit && idle < 20 {
            let leader = self.leader(&members);
            let trials: Vec<Vec<f64>> = (0..members.len()).map(|at| self.trial(&members, leader, at, &mut stream)).collect();
            let before = self.tried.len();
            self.try_all(&trials);
            idle = if self.tried.len() == before { idle + 1 } else { 0 };
            for (at, trial) in trials.into_iter().enumerate() {
                let wins = match (self.outcome(&trial), self.outcome(&members[at])) {
                    (Some(new), Some(old)) => !self.better(old, new),
                    (Some(_), None) => true,
                    _ => false,
                };
                if wins {
                    members[at] = trial;
                }
            }
        }
        let leader = members[self.leader(&members)].clone();
        self.climb(leader);
    }

    fn leader(&self, members: &[Vec<f64>]) -> usize {
        (1..members.len()).fold(0, |best, at| if self.leads(&members[at], &members[best]) { at } else { best })
    }

    /// best/1/bin: the leader and a scaled difference, crossed with the member.
    fn trial(&self, members: &[Vec<f64>], leader: usize, at: usize, stream: &mut SplitMix64) -> Vec<f64> {
        let (first, second) = (stream.below(members.len()), stream.below(members.len()));
        let certain = stream.below(self.sizes.len());
        (0..self.sizes.len())
            .map(|axis| {
                if stream.uniform() < FRESH {
                    return stream.uniform();
                }
                if axis != certain && stream.uniform() >= CROSSOVER {
                    return members[at][axis];
                }
                let moved = members[leader][axis] + SCALE * (members[first][axis] - members[second][axis]);
                // Beyond an end a design comes back in from there.
                let folded = if moved < 0.0 {
                    -moved
                } else if moved > 1.0 {
                    2.0 - moved
                } else {
                    moved
                };
                folded.clamp(0.0, 1.0)
            })
            .collect()
    }

    /// One entry up or down on one axis (a fiftieth of a stretch), while that helps.
    fn climb(&mut self, mut best: Vec<f64>) {
        loop {
            let mut neighbours = Vec::new();
            for (axis, &size) in self.sizes.iter().enumerate().filter(|(_, size)| **size != 1) {
                let step = if size == 0 { 0.02 } else { 1.0 / size as f64 };
                for moved in [best[axis] - step, best[axis] + step] {
                    if (0.0..=1.0).contains(&moved) {
                        let mut neighbour = best.clone();
                        neighbour[axis] = moved;
                        neighbours.push(neighbour);
                    }
                }
            }
            self.try_all(&neighbours);
            let improved = neighbours.into_iter().fold(None, |found: Option<Vec<f64>>, neighbour| {
                let rival = found.as_ref().unwrap_or(&best);
                if self.leads(&neighbour, rival) { Some(neighbour) } else { found }
            });
            match improved {
                Some(neighbour) => best = neighbour,
                None => return,
            }
        }
    }

    /// Whether `a` is better than `b`, or as good and earlier in the order of the grid: so a search and a grid name the same of equals.
    fn leads(&self, a: &[f64], b: &[f64]) -> bool {
        let (Some(new), Some(old)) = (self.outcome(a), self.outcome(b)) else { return false };
        self.better(new, old) || !self.better(old, new) && self.key(a) < self.key(b)
    }
}
