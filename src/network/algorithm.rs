//! How collectives are carried out: for each algorithm its phases, and when it applies.
//!
//! S is the size as nccl-tests means it, n the number of ranks. A phase is a pattern played in so many rounds; `share` is what one
//! unit of the pattern's weight moves in all of them together, `message` one contiguous piece, both as parts of S.

use super::op::Op;
use super::pattern::{Pattern, tree_depth};
use crate::input::document::Algorithm;

impl Algorithm {
    /// Whether another algorithm is at least as fast term by term, so that a free choice need not price it: pairwise all-to-all
    /// plays one after the other what direct plays at once.
    #[must_use]
    pub fn is_dominated(self) -> bool {
        self == Self::Pairwise
    }
}

/// Rounds of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Phase {
    pub pattern: Pattern,
    /// How often, one after the other.
    pub rounds: f64,
    /// Of the size S, what one unit of weight moves in all these rounds together.
    pub share: f64,
    /// Of the size S, one contiguous message.
    pub message: f64,
    /// Ranks that the data passes through one after the other, chunk by chunk.
    pub stages: f64,
}

/// What an algorithm needs to know of a group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    pub ranks: u32,
    /// Positions taken at each level, innermost first, if all their combinations are; see [`super::Group::as_box`].
    pub widths: Option<Vec<u32>>,
    /// Children of each level of the machine.
    pub level_sizes: Vec<u32>,
    /// Whether reducing switches reach all ranks.
    pub reduces: bool,
}

/// Why an algorithm does not apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It does not carry out the op on any group.
    Op,
    /// The number of ranks is not a power of two.
    PowerOfTwo {
        /// Next power of two below.
        below: u32,
        /// Next power of two above.
        above: u32,
    },
    /// The ranks do not take the same positions in every group of some level.
    Uneven {
        /// Ranks that fill one group of the innermost level.
        group: u32,
    },
    /// The ranks differ in position at one level only.
    OneLevel,
    /// No switch that reduces reaches all ranks.
    NoReducingSwitch,
}

/// More rings than this would only repeat the strides.
const RINGS_MAX: u32 = 16;

/// The phases of an algorithm for an op.
pub(super) fn phases(op: Op, algorithm: Algorithm, shape: &Shape) -> Result<Vec<Phase>, Obstacle> {
    let n = f64::from(shape.ranks);
    let direct = Phase { pattern: Pattern::AllPairs, rounds: 1.0, share: 1.0 / n, message: 1.0 / n, stages: 2.0 };
    // Reduce-scatter and all-gather are mirror images; an all-reduce is both.
    let passes = if op == Op::AllReduce { 2.0 } else { 1.0 };
    match (op, algorithm) {
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter, Algorithm::Ring) => {
            let rounds = passes * (n - 1.0);
            Ok(vec![Phase { pattern: Pattern::Ring, rounds, share: rounds / n, message: 1.0 / n, stages: 2.0 }])
        }
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter, Algorithm::MultiRing) => {
            let (block, rounds) = (innermost_block(shape)?, passes * (n - 1.0));
            let rings = block.min(RINGS_MAX);
            let message = 1.0 / n / f64::from(rings);
            Ok(vec![Phase { pattern: Pattern::MultiRing { block, rings }, rounds, share: rounds / n, message, stages: 2.0 }])
        }
        // A chain: every link carries the whole buffer once, the last rank starts n - 1 hops later.
        (Op::Broadcast, Algorithm::Ring) => Ok(vec![Phase { pattern: Pattern::Ring, rounds: n - 1.0, share: 1.0, message: 1.0, stages: n }]),
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter, Algorithm::HalvingDoubling) => halving_doubling(shape.ranks, passes),
        (Op::AllReduce, Algorithm::DoubleTree) => {
            let rounds = 2.0 * f64::from(tree_depth(shape.ranks));
            Ok(vec![Phase { pattern: Pattern::Trees, rounds, share: 0.5, message: 0.5, stages: rounds + 1.0 }])
        }
        (Op::AllReduce, Algorithm::Direct) => Ok(vec![direct, direct]),
        (Op::AllGather | Op::ReduceScatter | Op::AllToAll, Algorithm::Direct) => Ok(vec![direct]),
        // The root scatters, then all gather.
        (Op::Broadcast, Algorithm::Direct) => Ok(vec![Phase { pattern: Pattern::FromRoot, ..direct }, direct]),
        (Op::Send, Algorithm::Direct) => Ok(vec![Phase { pattern: Pattern::OnePair, share: 1.0, message: 1.0, ..direct }]),
        (Op::AllReduce, Algorithm::OneShot) => Ok(vec![Phase { share: 1.0, message: 1.0, ..direct }]),
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter | Op::AllToAll, Algorithm::Hierarchical) => hierarchical(op, shape, passes),
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter | Op::Broadcast, Algorithm::InNetwork) => in_network(op, shape),
        (Op::AllToAll, Algorithm::Pairwise) => {
            let round = |places| Phase { pattern: Pattern::Shift(places), ..direct };
            Ok((1..shape.ranks).map(round).collect())
        }
        (Op::AllToAll, Algorithm::Bruck) => Ok(bruck(shape.ranks)),
        _ => Err(Obstacle::Op),
    }
}

/// Ranks in one child of the innermost level that the group spreads over.
fn innermost_block(shape: &Shape) -> Result<u32, Obstacle> {
    let widths = shape.widths.as_ref().ok_or(uneven(shape))?;
    Ok(widths.iter().copied().find(|&width| width > 1).unwrap_or(shape.ranks))
}

fn uneven(shape: &Shape) -> Obstacle {
    Obstacle::Uneven { group: shape.level_sizes.first().copied().unwrap_or(1) }
}

/// In round k rank r and rank r xor 2^k exchange half of what is left, S / 2^(k + 1); gathering runs the same rounds backwards.
/// Near partners come first, since they exchange most.
fn halving_doubling(ranks: u32, passes: f64) -> Result<Vec<Phase>, Obstacle> {
    if !ranks.is_power_of_two() {
        let above = ranks.next_power_of_two();
        return Err(Obstacle::PowerOfTwo { below: above / 2, above });
    }
    let round = |k: u32| {
        let piece = 0.5_f64.powi(k.cast_signed() + 1);
        Phase { pattern: Pattern::Exchange(1 << k), rounds: passes, share: passes * piece, message: piece, stages: 2.0 }
    };
    Ok((0..ranks.trailing_zeros()).map(round).collect())
}

/// Reduce-scatter: at level l every rank holds S over the widths below l and scatters it among the positions of l. All-gather is the
/// same backwards. All-to-all: at every level each rank passes on to each position what that position's whole share is, S / width.
fn hierarchical(op: Op, shape: &Shape, passes: f64) -> Result<Vec<Phase>, Obstacle> {
    let widths = shape.widths.as_ref().ok_or(uneven(shape))?;
    if widths.iter().filter(|&&width| width > 1).count() < 2 {
        return Err(Obstacle::OneLevel);
    }
    let (mut below, mut pieces, mut phases) = (1, 1.0, Vec::new());
    for (level, (&width, &size)) in (0u8..).zip(widths.iter().zip(&shape.level_sizes)) {
        if width > 1 {
            pieces *= f64::from(width);
            let piece = if op == Op::AllToAll { 1.0 / f64::from(width) } else { 1.0 / pieces };
            let pattern = Pattern::Across { level, below, size };
            phases.push(Phase { pattern, rounds: passes, share: passes * piece, message: piece, stages: 2.0 });
        }
        below *= size;
    }
    Ok(phases)
}

/// All-reduce: every rank lets the switches add up one n-th of all buffers, and lets them copy the result to all, so that S leaves and
/// S / n enters it in the first half, S / n leaves and S enters it in the second; the halves overlap. The switches take the place of
/// the rounds' additions, not of their handshakes: measured starts (NCCL, 2 to 8 GPUs) are those of a ring.
fn in_network(op: Op, shape: &Shape) -> Result<Vec<Phase>, Obstacle> {
    if !shape.reduces {
        return Err(Obstacle::NoReducingSwitch);
    }
    let n = f64::from(shape.ranks);
    let (up, down, share, rounds) = match op {
        Op::AllReduce => (true, true, 1.0 + 1.0 / n, 2.0 * (n - 1.0)),
        Op::ReduceScatter => (true, false, 1.0, n - 1.0),
        Op::AllGather => (false, true, 1.0, n - 1.0),
        _ => (true, true, 1.0, 1.0),
    };
    Ok(vec![Phase { pattern: Pattern::Aggregate { up, down }, rounds, share, message: 1.0 / n, stages: 2.0 }])
}

/// In round k every rank sends on, 2^k places ahead, the blocks whose distance still to go has bit k set.
fn bruck(ranks: u32) -> Vec<Phase> {
    let rounds = ranks.next_power_of_two().trailing_zeros();
    let round = |k: u32| {
        let blocks = (1..ranks).filter(|distance| distance >> k & 1 == 1).count() as f64 / f64::from(ranks);
        Phase { pattern: Pattern::Shift(1 << k), rounds: 1.0, share: blocks, message: blocks, stages: 2.0 }
    };
    (0..rounds).map(round).collect()
}
