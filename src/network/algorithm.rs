//! How collectives are carried out: for each algorithm its phases, and when it applies.
//!
//! S is the size as nccl-tests means it, n the number of ranks. A phase plays a pattern in a number of rounds. `share` is the fraction of S that
//! one unit of the pattern's weight moves in all rounds together; `message` is the fraction of S in one contiguous piece.
//!
//! Ranks that fill several hosts behind NICs use all rails: a ring enters and leaves each host by the same NIC, one ring for each; a tree
//! joins equal positions of all hosts, one for each position. Transfers inside the hosts are a phase that runs at the same time as the phase
//! between the hosts. Sources: `src/graph/connect.cc`, `src/graph/search.cc` and `src/graph/tuning.cc` of NCCL 2.27.

use super::op::Op;
use super::pattern::{TrafficPattern, tree_depth};
use crate::input::document::Algorithm;

impl Algorithm {
    /// Whether another algorithm is at least as fast in every term, so a search need not price this one. Pairwise all-to-all is dominated: it
    /// exchanges with one partner after the other, direct with all partners at once.
    #[must_use]
    pub fn is_dominated(self) -> bool {
        self == Self::Pairwise
    }
}

/// What carries an algorithm's pieces from rank to rank. It decides which of the library's shares of the wire applies, and what the steps wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Neighbours of a ring, step by step.
    Rings,
    /// Peers that send to each other.
    Peers,
    /// Switches that add up or copy.
    Switches,
    /// Such switches inside hosts, trees of ranks between them.
    SwitchesBelowTrees,
}

impl Carrier {
    /// One arm for each algorithm, so that a new one is thought about.
    pub fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ring | Algorithm::MultiRing => Self::Rings,
            Algorithm::HalvingDoubling | Algorithm::DoubleTree | Algorithm::Direct | Algorithm::OneShot => Self::Peers,
            Algorithm::Hierarchical | Algorithm::Pairwise | Algorithm::Bruck | Algorithm::EngineKernel => Self::Peers,
            Algorithm::InNetwork => Self::Switches,
            Algorithm::SwitchTree => Self::SwitchesBelowTrees,
        }
    }

    /// Whether switches add up.
    pub fn reduces(self) -> bool {
        matches!(self, Self::Switches | Self::SwitchesBelowTrees)
    }
}

/// Rounds of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Phase {
    pub pattern: TrafficPattern,
    /// Number of rounds, one after the other.
    pub rounds: f64,
    /// Fraction of S that one unit of weight moves in all rounds together.
    pub share: f64,
    /// Fraction of S in one contiguous message.
    pub message: f64,
    /// Depth of the pipeline: ranks that a chunk passes one after the other.
    pub stages: f64,
    /// Whether the phase runs at the same time as the previous phase.
    pub beside: bool,
    /// Whether only ranks on rails take part, if the domains hold unequal numbers of ranks. The other ranks hand their parts to neighbours.
    pub on_rails: bool,
}

impl Phase {
    /// One round between neighbours, after the phase before it.
    fn new(pattern: TrafficPattern, rounds: f64, share: f64, message: f64) -> Self {
        Self { pattern, rounds, share, message, stages: 2.0, beside: false, on_rails: false }
    }

    /// One round in which every pair moves so much of the size in one message.
    pub fn whole(pattern: TrafficPattern, share: f64) -> Self {
        Self::new(pattern, 1.0, share, share)
    }

    /// The same phase, running at the same time as the previous phase.
    fn beside(self) -> Self {
        Self { beside: true, ..self }
    }

    /// The same phase among the ranks on rails only.
    fn on_rails(self) -> Self {
        Self { on_rails: true, ..self }
    }
}

/// Properties of a group that decide which algorithms apply.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GroupShape {
    pub ranks: u32,
    /// Positions taken at each level, innermost first, if all their combinations are; see [`super::Group::as_box`].
    pub widths: Option<Vec<u32>>,
    /// At each level the ranks of the smallest line: `widths`, or fewer where chips are lost. `None` if the ranks are no box even with holes.
    pub lines: Option<Vec<u32>>,
    /// Dimensions of a grid, innermost first, if neighbours along each are joined and the ranks fill a box of it; else none.
    pub grid: Vec<GridDimension>,
    /// Children of each level of the machine.
    pub level_sizes: Vec<u32>,
    /// Whether reducing switches reach all ranks.
    pub reduces: bool,
    /// Where the ranks spread over several scale-up domains that NICs join.
    pub rails: Option<RankRails>,
}

/// One dimension of a grid of chips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GridDimension {
    /// Chips from one position to the next.
    pub below: u32,
    /// Positions.
    pub size: u32,
    /// Steps until a piece has reached all positions.
    pub steps: u32,
    /// Payload rate from a chip to its two neighbours together.
    pub rate: f64,
    /// Whether no dimension lies further out.
    pub outermost: bool,
}

/// Ranks on rails: an equal number in each of several scale-up domains, in the order of the domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RankRails {
    /// Ranks in each domain.
    pub inside: u32,
    /// Domains.
    pub domains: u32,
    /// Whether switches that reduce join the ranks of a domain.
    pub reduces: bool,
    /// Whether such switches join the ranks of each rail behind their NICs.
    pub rails_reduce: bool,
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
    /// The ranks are inside one scale-up domain.
    OneDomain,
}

/// More rings than this would only repeat the strides.
const RINGS_MAX: u32 = 16;

/// The phases of an algorithm for an op.
pub(super) fn phases(op: Op, algorithm: Algorithm, shape: &GroupShape) -> Result<Vec<Phase>, Obstacle> {
    let n = f64::from(shape.ranks);
    let direct = Phase::new(TrafficPattern::AllPairs, 1.0, 1.0 / n, 1.0 / n);
    // Reduce-scatter and all-gather are mirror images; an all-reduce is both.
    let passes = if op == Op::AllReduce { 2.0 } else { 1.0 };
    match (op, algorithm) {
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter, Algorithm::Ring) => Ok(ring(shape, passes)),
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter, Algorithm::MultiRing) => {
            if shape.rails.is_some() {
                return Ok(ring(shape, passes));
            }
            if !shape.grid.is_empty() {
                return Ok(grid_rings(shape, passes));
            }
            match innermost_block(shape) {
                Ok(block) => Ok(vec![rings(shape.ranks, block, passes)]),
                // Where chips are lost, one ring that runs both ways.
                Err(_) if shape.lines.is_some() => Ok(vec![both_ways(n, passes)]),
                Err(obstacle) => Err(obstacle),
            }
        }
        (Op::Broadcast, Algorithm::Ring) => Ok(chain(shape)),
        (Op::Broadcast, Algorithm::MultiRing) => chains(shape),
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter, Algorithm::HalvingDoubling) => halving_doubling(shape.ranks, passes),
        (Op::AllReduce, Algorithm::DoubleTree) => Ok(double_tree(shape)),
        (Op::AllReduce, Algorithm::SwitchTree) => switch_tree(shape),
        (Op::AllReduce, Algorithm::Direct) => Ok(vec![direct, direct]),
        (Op::AllGather | Op::ReduceScatter | Op::AllToAll, Algorithm::Direct) => Ok(vec![direct]),
        // The root scatters, then all gather.
        (Op::Broadcast, Algorithm::Direct) => Ok(vec![Phase { pattern: TrafficPattern::FromRoot, ..direct }, direct]),
        (Op::Send, Algorithm::Direct) => Ok(vec![Phase::new(TrafficPattern::OnePair, 1.0, 1.0, 1.0)]),
        (Op::AllReduce, Algorithm::OneShot) => Ok(vec![Phase { share: 1.0, message: 1.0, ..direct }]),
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter | Op::AllToAll, Algorithm::Hierarchical) => hierarchical(op, shape, passes),
        (Op::AllReduce | Op::AllGather | Op::ReduceScatter | Op::Broadcast, Algorithm::InNetwork) => in_network(op, shape),
        (Op::AllToAll, Algorithm::Pairwise) => {
            let round = |places| Phase { pattern: TrafficPattern::Shift(places), ..direct };
            Ok((1..shape.ranks).map(round).collect())
        }
        (Op::AllToAll, Algorithm::Bruck) => Ok(bruck(shape.ranks)),
        (_, Algorithm::Ring | Algorithm::MultiRing | Algorithm::HalvingDoubling | Algorithm::DoubleTree | Algorithm::SwitchTree) => Err(Obstacle::Op),
        (_, Algorithm::OneShot | Algorithm::Hierarchical | Algorithm::InNetwork) => Err(Obstacle::Op),
        // Not played on channels: `custom_all_reduce.rs` has its form.
        (_, Algorithm::Pairwise | Algorithm::Bruck | Algorithm::EngineKernel) => Err(Obstacle::Op),
    }
}

/// `rings` rings of n - 1 steps a pass.
fn rings(ranks: u32, block: u32, passes: f64) -> Phase {
    let (n, rings) = (f64::from(ranks), block.min(RINGS_MAX));
    let rounds = passes * (n - 1.0);
    Phase::new(TrafficPattern::MultiRing { block, rings }, rounds, rounds / n, 1.0 / n / f64::from(rings))
}

/// Rings both ways along every dimension of a grid at once: as many parts of the buffer as dimensions, each of which takes the dimensions in
/// an order of its own, so that all links are busy all the time. Each dimension carries a share in proportion to its links.
fn grid_rings(shape: &GroupShape, passes: f64) -> Vec<Phase> {
    let n = f64::from(shape.ranks);
    let (sent, rate) = (passes * (n - 1.0) / n, shape.grid.iter().map(|dimension| dimension.rate).sum::<f64>());
    let rings = 2.0 * shape.grid.len() as f64;
    let phase = |dimension: &GridDimension| {
        let &GridDimension { below, size, outermost, .. } = dimension;
        let steps = passes * f64::from(dimension.steps);
        Phase::new(TrafficPattern::Neighbours { below, size, outermost }, steps, sent * dimension.rate / rate, 1.0 / n / rings)
    };
    let mut phases: Vec<Phase> = shape.grid.iter().map(phase).collect();
    phases.iter_mut().skip(1).for_each(|phase| phase.beside = true);
    phases
}

/// One ring of all ranks, half of the buffer each way.
fn both_ways(n: f64, passes: f64) -> Phase {
    Phase::new(TrafficPattern::BothWays, passes * (n - 1.0), passes * (n - 1.0) / n, 0.5 / n)
}

/// A broadcast along a ring, cut open before the root: every link carries the whole buffer once, and the last rank starts n - 1 hops later. Over
/// several domains as many chains as a domain has NICs, each with its part of the buffer.
fn chain(shape: &GroupShape) -> Vec<Phase> {
    let n = f64::from(shape.ranks);
    let Some(RankRails { inside, domains, .. }) = shape.rails else {
        return vec![Phase { stages: n, ..Phase::new(TrafficPattern::Ring, n - 1.0, 1.0, 1.0) }];
    };
    let (w, domains) = (f64::from(inside), f64::from(domains));
    let across = Phase { stages: domains, ..Phase::new(TrafficPattern::Shift(inside), domains - 1.0, 1.0 / w, 1.0 / w) };
    let mut phases = vec![across.on_rails()];
    if inside > 1 {
        let hops = domains * (w - 1.0);
        let inside = Phase { stages: hops + 1.0, ..Phase::new(TrafficPattern::Inside { block: inside }, hops, 1.0 / w, 1.0 / w) };
        phases.push(inside.beside().on_rails());
    }
    phases
}

/// The same along several rings at once.
fn chains(shape: &GroupShape) -> Result<Vec<Phase>, Obstacle> {
    if shape.rails.is_some() {
        return Ok(chain(shape));
    }
    let (n, block) = (f64::from(shape.ranks), innermost_block(shape)?);
    let rings = block.min(RINGS_MAX);
    Ok(vec![Phase { stages: n, ..Phase::new(TrafficPattern::MultiRing { block, rings }, n - 1.0, 1.0, 1.0 / f64::from(rings)) }])
}

/// Inside one domain: one ring. Over several domains: one ring for every NIC. A ring enters and leaves a domain by the same NIC, and its steps
/// inside the domain are spread over all pairs. The number of steps between domains is the number of domains minus one; the other steps have the
/// shorter paths inside a domain.
fn ring(shape: &GroupShape, passes: f64) -> Vec<Phase> {
    let n = f64::from(shape.ranks);
    let steps = passes * (n - 1.0);
    let Some(RankRails { inside, domains, .. }) = shape.rails else {
        return vec![Phase::new(TrafficPattern::Ring, steps, steps / n, 1.0 / n)];
    };
    let (across, w) = (passes * f64::from(domains - 1), f64::from(inside));
    let mut phases = vec![Phase::new(TrafficPattern::Shift(inside), across, steps / n / w, 1.0 / n / w).on_rails()];
    if inside > 1 {
        phases.push(Phase::new(TrafficPattern::Inside { block: inside }, steps - across, steps / n / w, 1.0 / n / w).beside().on_rails());
    }
    phases
}

/// A double binary tree over the domains on every rail, each with its part of the buffer; inside a chain that carries it to the rail's rank
/// and back.
fn double_tree(shape: &GroupShape) -> Vec<Phase> {
    let Some(RankRails { inside, domains, .. }) = shape.rails else {
        let rounds = 2.0 * f64::from(tree_depth(shape.ranks));
        return vec![Phase { stages: rounds + 1.0, ..Phase::new(TrafficPattern::Trees, rounds, 0.5, 0.5) }];
    };
    let w = f64::from(inside);
    let mut phases = vec![trees_on_rails(inside, domains)];
    if inside > 1 {
        phases.push(Phase::new(TrafficPattern::Inside { block: inside }, 2.0 * (w - 1.0), 2.0 / w, 1.0 / w).beside().on_rails());
    }
    phases
}

fn trees_on_rails(inside: u32, domains: u32) -> Phase {
    let (w, rounds) = (f64::from(inside), 2.0 * f64::from(tree_depth(domains)));
    Phase { stages: rounds + 1.0, ..Phase::new(TrafficPattern::RailTrees { block: inside }, rounds, 0.5 / w, 0.5 / w).on_rails() }
}

/// Switches add up and copy inside each domain while a double binary tree on every rail joins the domains.
fn switch_tree(shape: &GroupShape) -> Result<Vec<Phase>, Obstacle> {
    let rails = shape.rails.ok_or(Obstacle::OneDomain)?;
    if !rails.reduces {
        return Err(Obstacle::NoReducingSwitch);
    }
    let w = f64::from(rails.inside);
    let stages = switch_stages(rails.inside);
    let inside = Phase { stages, ..Phase::new(TrafficPattern::AggregateInside { block: rails.inside }, 1.0, 1.0 + 1.0 / w, 1.0 / w) };
    Ok(vec![trees_on_rails(rails.inside, rails.domains), inside.beside().on_rails()])
}

/// Ranks in one child of the innermost level that the group spreads over.
fn innermost_block(shape: &GroupShape) -> Result<u32, Obstacle> {
    let widths = shape.widths.as_ref().ok_or(uneven(shape))?;
    Ok(widths.iter().copied().find(|&width| width > 1).unwrap_or(shape.ranks))
}

fn uneven(shape: &GroupShape) -> Obstacle {
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
        Phase::new(TrafficPattern::Exchange(1 << k), passes, passes * piece, piece)
    };
    Ok((0..ranks.trailing_zeros()).map(round).collect())
}

/// Reduce-scatter: at level l every rank holds S over the widths below l and scatters it among the positions of l. All-gather is the
/// same backwards. All-to-all: at every level each rank passes on to each position what that position's whole share is, S / width. Where chips
/// are lost, as many ranks of each line own a piece as the smallest line has; the others hand theirs in and get the result with them.
fn hierarchical(op: Op, shape: &GroupShape, passes: f64) -> Result<Vec<Phase>, Obstacle> {
    let widths = shape.lines.as_ref().ok_or(uneven(shape))?;
    if widths.iter().filter(|&&width| width > 1).count() < 2 {
        return Err(Obstacle::OneLevel);
    }
    let (mut below, mut pieces, mut phases) = (1, 1.0, Vec::new());
    for (level, (&width, &size)) in (0u8..).zip(widths.iter().zip(&shape.level_sizes)) {
        if width > 1 {
            pieces *= f64::from(width);
            let piece = if op == Op::AllToAll { 1.0 / f64::from(width) } else { 1.0 / pieces };
            let pattern = TrafficPattern::Across { level, below, size };
            let phase = Phase::new(pattern, passes, passes * piece, piece);
            // Over NICs, chunks of an all-to-all are on both stages of their way at once (NCCL's PXN).
            let beside = op == Op::AllToAll && shape.rails.is_some() && !phases.is_empty();
            phases.push(Phase { beside, ..phase });
        }
        below *= size;
    }
    Ok(phases)
}

/// All-reduce: every rank lets the switches add up one n-th of all buffers, and lets them copy the result to all, so that S leaves and
/// S / n enters it in the first half, S / n leaves and S enters it in the second; the halves overlap. One trip up and one down, whatever
/// the number of ranks: the tiers of switches are in the path.
fn in_network(op: Op, shape: &GroupShape) -> Result<Vec<Phase>, Obstacle> {
    if !shape.reduces {
        return in_network_on_rails(op, shape);
    }
    let n = f64::from(shape.ranks);
    let (up, down, share) = match op {
        Op::AllReduce => (true, true, 1.0 + 1.0 / n),
        Op::ReduceScatter => (true, false, 1.0),
        Op::AllGather => (false, true, 1.0),
        Op::AllToAll | Op::Broadcast | Op::Send => (true, true, 1.0),
    };
    Ok(vec![Phase { stages: switch_stages(shape.ranks), ..Phase::new(TrafficPattern::Aggregate { up, down }, 1.0, share, 1.0 / n) }])
}

/// All-reduce by the switches of both networks: those of each domain add up, and those of each rail the sums of all domains. On every NIC one
/// w-th of the buffer goes up and comes down once, whatever the number of domains (NCCL's `CollNet` with SHARP).
fn in_network_on_rails(op: Op, shape: &GroupShape) -> Result<Vec<Phase>, Obstacle> {
    let rails = shape.rails.filter(|rails| rails.rails_reduce && (rails.reduces || rails.inside == 1)).ok_or(Obstacle::NoReducingSwitch)?;
    if op != Op::AllReduce {
        return Err(Obstacle::NoReducingSwitch);
    }
    let (w, stages) = (f64::from(rails.inside), switch_stages(rails.inside));
    let mut phases = vec![Phase::new(TrafficPattern::AggregateRails { block: rails.inside }, 1.0, 1.0 / w, 1.0 / w).on_rails()];
    if rails.inside > 1 {
        let inside = Phase { stages, ..Phase::new(TrafficPattern::AggregateInside { block: rails.inside }, 1.0, 1.0 + 1.0 / w, 1.0 / w) };
        phases.push(inside.beside().on_rails());
    }
    Ok(phases)
}

/// Stages of the pipeline where switches add up: a chunk holds a part for every rank, so that filling it takes longer the more ranks there
/// are. Libraries' ramps are fitted on hosts of eight ranks, where this pipeline is as deep as one between neighbours.
fn switch_stages(ranks: u32) -> f64 {
    1.0 + f64::from(ranks) / 8.0
}

/// In round k every rank sends on, 2^k places ahead, the blocks whose distance still to go has bit k set.
fn bruck(ranks: u32) -> Vec<Phase> {
    let rounds = ranks.next_power_of_two().trailing_zeros();
    let round = |k: u32| {
        let blocks = (1..ranks).filter(|distance| distance >> k & 1 == 1).count() as f64 / f64::from(ranks);
        Phase::new(TrafficPattern::Shift(1 << k), 1.0, blocks, blocks)
    };
    (0..rounds).map(round).collect()
}
