//! Traffic patterns: which rank sends to which rank in a round.

use super::group::Group;

/// A traffic pattern among the ranks of a group, one byte a unit of weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrafficPattern {
    /// Every rank to every other rank.
    AllPairs,
    /// Every rank to the next rank, the last one to the first.
    Ring,
    /// Several rings at once, an equal part of the byte on each.
    ///
    /// Ring j enters a block at position j and steps through it by the (j mod c)-th of the c strides coprime to the block's size; so
    /// rings leave a block by different chips, and use both directions and, in a full mesh, many of its links. Odd rings visit the
    /// blocks in falling order.
    MultiRing {
        /// Ranks in the blocks through which every ring passes one after the other; divides the group.
        block: u32,
        /// How many rings.
        rings: u32,
    },
    /// Every rank half of the byte to the next rank and half to the previous one.
    BothWays,
    /// Every rank half of the byte to the next rank and half to the previous one of its line along one dimension of a grid; positions that are
    /// not taken are passed over.
    Neighbours {
        /// Positions in level order from one to the next of the line.
        below: u32,
        /// Positions of the line.
        size: u32,
        /// Whether no dimension lies further out.
        outermost: bool,
    },
    /// Every rank to the rank this many places further on, modulo the size of the group.
    Shift(u32),
    /// Pairs whose numbers differ in one bit; both directions.
    Exchange(u32),
    /// The edges of both trees of a double binary tree, both directions.
    Trees,
    /// The same among the ranks at each position of all blocks.
    RailTrees {
        /// Ranks in a block; divides the group.
        block: u32,
    },
    /// Every rank to every other rank of its block.
    Inside {
        /// Ranks in a block; divides the group.
        block: u32,
    },
    /// Every rank to every rank whose position differs at this level only.
    Across {
        /// The level, 0 innermost.
        level: u8,
        /// Chips in one child of the level.
        below: u32,
        /// Children of the level.
        size: u32,
    },
    /// Every rank to the ranks at the same position in all other groups of the innermost level.
    Equals {
        /// Chips in a group of the innermost level.
        node: u32,
    },
    /// Each of the first ranks to each of the rest.
    OneSided {
        /// Ranks that send.
        senders: u32,
    },
    /// The first rank to all others.
    FromRoot,
    /// The first rank to the last.
    OnePair,
    /// Every rank sends one byte that switches add up on the way to a root, and the root's byte is copied to every rank: an equal part
    /// of the byte has its root at each of the nearest switches that all ranks reach.
    Aggregate {
        /// Towards the roots.
        up: bool,
        /// From the roots.
        down: bool,
    },
    /// [`TrafficPattern::Aggregate`] up and down inside each block.
    AggregateInside {
        /// Ranks in a block; divides the group.
        block: u32,
    },
    /// The same among the ranks at each position of all blocks, by switches behind their NICs.
    AggregateRails {
        /// Ranks in a block; divides the group.
        block: u32,
    },
}

impl TrafficPattern {
    /// Ranks that send to one rank, at most.
    #[must_use]
    pub fn senders_at_most(self, ranks: u32) -> u32 {
        match self {
            Self::AllPairs => ranks - 1,
            Self::Ring | Self::Shift(_) | Self::Exchange(_) | Self::FromRoot | Self::OnePair => 1,
            Self::Aggregate { .. } | Self::AggregateInside { .. } | Self::AggregateRails { .. } => 1,
            Self::Inside { block } => block - 1,
            Self::BothWays | Self::Neighbours { .. } => 2,
            Self::MultiRing { rings, .. } => rings,
            Self::OneSided { senders } => senders,
            Self::Trees | Self::RailTrees { .. } => 6,
            Self::Across { size, .. } => size - 1,
            Self::Equals { node } => ranks.div_ceil(node) - 1,
        }
    }

    /// Whether switches add up and copy, so that ranks do not wait for each other in rounds.
    #[must_use]
    pub fn is_reduced_by_switches(self) -> bool {
        matches!(self, Self::Aggregate { .. } | Self::AggregateInside { .. } | Self::AggregateRails { .. })
    }

    /// Ranks that send. If all blocks are alike, only the first block is played.
    #[must_use]
    pub fn senders(self, ranks: u32) -> u32 {
        match self {
            Self::FromRoot | Self::OnePair => 1,
            Self::OneSided { senders } => senders,
            Self::AllPairs | Self::Ring | Self::MultiRing { .. } | Self::Shift(_) | Self::Exchange(_) | Self::Trees => ranks,
            Self::RailTrees { .. } | Self::Across { .. } | Self::Equals { .. } | Self::Aggregate { .. } | Self::AggregateRails { .. } => ranks,
            Self::BothWays | Self::Neighbours { .. } => ranks,
            Self::Inside { block } | Self::AggregateInside { block } => block,
        }
    }

    /// Whether the pattern is invariant under all permutations of the children of every level.
    #[must_use]
    pub fn looks_alike_from_everywhere(self) -> bool {
        matches!(self, Self::AllPairs | Self::Across { .. } | Self::Equals { .. })
    }

    /// Smallest shift of all ranks, modulo the size of the group, that maps the pattern onto itself. `None` if there is no such shift, or if other
    /// symmetries are stronger.
    #[must_use]
    pub fn turns_by(self) -> Option<u32> {
        match self {
            Self::Ring | Self::BothWays | Self::Shift(_) => Some(1),
            Self::Neighbours { below, size, outermost } => Some(if outermost { below } else { below * size }),
            Self::MultiRing { block, .. } => Some(block),
            Self::Exchange(distance) => Some(distance * 2),
            Self::Equals { node } => Some(node),
            Self::AllPairs | Self::Trees | Self::RailTrees { .. } | Self::Across { .. } | Self::OneSided { .. } | Self::FromRoot | Self::OnePair => {
                None
            }
            // Played over one block alone, or by switches.
            Self::Inside { .. } | Self::AggregateInside { .. } | Self::AggregateRails { .. } | Self::Aggregate { .. } => None,
        }
    }

    /// Whether a rank sends and whether it receives, for patterns in which each sending rank sends one byte to each receiving rank. `None` for
    /// other patterns.
    #[must_use]
    pub fn roles(self, rank: u32) -> Option<(bool, bool)> {
        match self {
            Self::AllPairs => Some((true, true)),
            Self::OneSided { senders } => Some((rank < senders, rank >= senders)),
            _ => None,
        }
    }

    /// Calls `each` with every rank that sends to `receiver` and the weight of what it sends.
    pub fn each_sender(self, group: &Group, receiver: u32, mut each: impl FnMut(u32, f64)) {
        let ranks = group.ranks();
        match self {
            Self::AllPairs => (0..ranks).filter(|&sender| sender != receiver).for_each(|sender| each(sender, 1.0)),
            Self::Ring => each((receiver + ranks - 1) % ranks, 1.0),
            Self::BothWays => [1, ranks - 1].into_iter().for_each(|places| each((receiver + places) % ranks, 0.5)),
            Self::Neighbours { below, size, .. } => {
                let own = group.place(receiver);
                let position = own / below % size;
                let at = |steps: u32| own - position * below + (position + steps) % size * below;
                let next = (1..size).find_map(|steps| group.rank_at(at(steps)));
                let previous = (1..size).rev().find_map(|steps| group.rank_at(at(steps)));
                next.into_iter().chain(previous).for_each(|sender| each(sender, 0.5));
            }
            Self::Shift(places) => each((receiver + ranks - places % ranks) % ranks, 1.0),
            Self::Exchange(distance) => {
                if receiver ^ distance < ranks {
                    each(receiver ^ distance, 1.0);
                }
            }
            Self::MultiRing { block, rings } => {
                for ring in 0..rings {
                    each(ring_predecessor(ranks, block, ring, receiver), 1.0 / f64::from(rings));
                }
            }
            Self::Trees => double_tree_neighbours(receiver, ranks, each),
            Self::RailTrees { block } => {
                let (own, position) = (receiver / block, receiver % block);
                double_tree_neighbours(own, ranks / block, |sender, weight| each(sender * block + position, weight));
            }
            Self::Inside { block } => {
                let first = receiver / block * block;
                (first..first + block).filter(|&sender| sender != receiver).for_each(|sender| each(sender, 1.0));
            }
            Self::Across { below, size, .. } => {
                let receiving = group.place(receiver);
                let first = receiving - receiving / below % size * below;
                let line = (0..size).map(|place| first + place * below);
                group.ranks_on(line.filter(|&place| place != receiving), |sender| each(sender, 1.0));
            }
            Self::Equals { node } => {
                let receiving = group.chip(receiver);
                let last = if group.in_level_order() { ranks - 1 } else { group.chips().iter().copied().max().unwrap_or(0) };
                let line = (receiving % node..=last).step_by(node as usize);
                group.ranks_on(line.filter(|&chip| chip != receiving), |sender| each(sender, 1.0));
            }
            Self::OneSided { senders } => {
                if receiver >= senders {
                    (0..senders).for_each(|sender| each(sender, 1.0));
                }
            }
            Self::FromRoot => {
                if receiver != 0 {
                    each(0, 1.0);
                }
            }
            Self::OnePair => {
                if receiver == ranks - 1 {
                    each(0, 1.0);
                }
            }
            // No rank sends to a rank: switches stand between.
            Self::Aggregate { .. } | Self::AggregateInside { .. } | Self::AggregateRails { .. } => {}
        }
    }
}

/// Those that send to `place` of a double binary tree over `0..places`.
fn double_tree_neighbours(place: u32, places: u32, mut each: impl FnMut(u32, f64)) {
    for shift in [0, 1] {
        let shifted = (place + places - shift) % places;
        let unshifted = |place: u32| (place + shift) % places;
        if let Some(parent) = tree_parent(shifted, places) {
            each(unshifted(parent), 1.0);
        }
        tree_children(shifted, places, |child| each(unshifted(child), 1.0));
    }
}

/// The rank before `rank` on the given ring of [`TrafficPattern::MultiRing`].
fn ring_predecessor(ranks: u32, block: u32, ring: u32, rank: u32) -> u32 {
    let blocks = ranks / block;
    // The first few strides only: a block may have thousands. One is coprime to everything, so there is always a next.
    let stride = (1..block.max(2)).filter(|&stride| coprime(stride, block)).cycle().nth(ring as usize).unwrap_or(1);
    let (own, position) = (rank / block, rank % block);
    if position != ring % block {
        return own * block + (position + block - stride) % block;
    }
    // The entry of this block: the last stop in the block before, one stride short of its own entry.
    let before = if ring.is_multiple_of(2) { (own + blocks - 1) % blocks } else { (own + 1) % blocks };
    before * block + (position + block - stride % block) % block
}

fn coprime(a: u32, b: u32) -> bool {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

/// The places whose parent is `place`: they lie one power of two, no larger than its lowest set bit, to either side.
fn tree_children(place: u32, places: u32, mut each: impl FnMut(u32)) {
    let heights = if place == 0 { 32 - places.leading_zeros() } else { place.trailing_zeros() };
    for height in 0..=heights {
        let bit = 1u64 << height;
        for candidate in [u64::from(place).wrapping_sub(bit), u64::from(place) + bit] {
            if let Ok(child) = u32::try_from(candidate)
                && child != place
                && child < places
                && tree_parent(child, places) == Some(place)
            {
                each(child);
            }
        }
    }
}

/// Parent of a place in the in-order binary tree over `0..places` whose root is place 0: the lowest set bit of a place is its height,
/// odd places are leaves (Sanders, Speck and Träff, Parallel Computing 35, 2009, section 3).
fn tree_parent(place: u32, places: u32) -> Option<u32> {
    if place == 0 {
        return None;
    }
    let bit = place & place.wrapping_neg();
    let parent = (place ^ bit) | (bit << 1);
    Some(if parent < places { parent } else { place ^ bit })
}

/// Steps from the root of a double binary tree to its deepest leaf.
#[must_use]
pub fn tree_depth(ranks: u32) -> u32 {
    (1..ranks).map(|place| std::iter::successors(tree_parent(place, ranks), |&parent| tree_parent(parent, ranks)).count()).max().map_or(0, narrow)
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pattern: TrafficPattern, ranks: u32) -> Vec<f64> {
        let group = Group::first(ranks);
        let mut sent = vec![0.0; ranks as usize];
        for receiver in 0..ranks {
            pattern.each_sender(&group, receiver, |sender, weight| sent[sender as usize] += weight);
        }
        sent
    }

    /// Every ring of a multi-ring is one cycle through all ranks.
    #[test]
    fn each_ring_visits_every_rank_once() {
        for (ranks, block) in [(8, 8), (16, 8), (24, 8), (12, 4), (6, 6), (5, 5), (9, 3), (2, 2), (384, 8)] {
            for ring in 0..block {
                let tour = std::iter::successors(Some(0), |&rank| Some(ring_predecessor(ranks, block, ring, rank)));
                let mut visited: Vec<u32> = tour.take(ranks as usize).collect();
                assert_eq!(ring_predecessor(ranks, block, ring, visited[ranks as usize - 1]), 0, "{ranks}/{block} ring {ring} closes");
                visited.sort_unstable();
                visited.dedup();
                assert_eq!(visited.len(), ranks as usize, "{ranks}/{block} ring {ring}");
            }
        }
    }

    /// A tree over n places has n - 1 edges, each used in both directions, and there are two trees.
    #[test]
    fn two_trees_have_two_times_n_minus_one_edges() {
        for ranks in 2..70 {
            let total: f64 = sent(TrafficPattern::Trees, ranks).iter().sum();
            assert_eq!(total, 4.0 * f64::from(ranks - 1), "{ranks} ranks");
        }
    }

    /// In an even group a rank is a leaf of one tree and so has at most three neighbours in the other: it sends at most 4 halves.
    #[test]
    fn no_rank_of_an_even_double_tree_sends_more_than_four_halves() {
        for ranks in (2..200).step_by(2) {
            let most = sent(TrafficPattern::Trees, ranks).into_iter().fold(0.0, f64::max);
            assert!(most <= 4.0, "{ranks} ranks: {most}");
        }
    }

    /// Depth is the number of bits needed for the places after the root.
    #[test]
    fn trees_are_as_deep_as_the_logarithm() {
        for (ranks, depth) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4), (16, 4), (384, 9)] {
            assert_eq!(tree_depth(ranks), depth, "{ranks} ranks");
        }
    }

    /// Both ways of a ring and of the lines of a grid carry the byte once; a lost chip is passed over.
    #[test]
    fn neighbours_share_the_byte_and_pass_over_holes() {
        assert_eq!(sent(TrafficPattern::BothWays, 5), vec![1.0; 5]);
        for (below, size, outermost) in [(1, 4, false), (4, 2, true)] {
            assert_eq!(sent(TrafficPattern::Neighbours { below, size, outermost }, 8), vec![1.0; 8]);
        }
        let senders = |group: &Group, receiver| {
            let mut senders = Vec::new();
            TrafficPattern::Neighbours { below: 1, size: 4, outermost: true }.each_sender(group, receiver, |sender, _| senders.push(sender));
            senders
        };
        let whole = Group::first(4);
        assert_eq!(senders(&whole, 0), vec![1, 3]);
        // Chips 0, 1 and 3 of the line: chip 1 hears from 3 and from 0.
        assert_eq!(senders(&Group::of(vec![0, 1, 3]), 1), vec![2, 0]);
    }

    #[test]
    fn shifts_wrap_and_exchanges_pair_up() {
        assert_eq!(sent(TrafficPattern::Shift(3), 8), vec![1.0; 8]);
        assert_eq!(sent(TrafficPattern::Exchange(4), 8), vec![1.0; 8]);
        assert_eq!(sent(TrafficPattern::Ring, 2), vec![1.0; 2]);
    }
}
