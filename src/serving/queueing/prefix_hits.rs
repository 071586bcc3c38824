//! Blocks of a trace that prefix caches find if requests come one at a time, so that no block is held by another request. This is an upper bound
//! that does not depend on any time.

use super::pool::OutsideTier;
use super::trace::Trace;

/// Order in which the blocks of a prompt are marked as used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockOrder {
    /// The last block is the one used last.
    Forward,
    /// The first block is the one used last, so the end of a prompt is evicted first.
    Reverse,
}

/// How requests are spread over caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixSpread {
    /// One cache after the other.
    RoundRobin,
    /// To the cache that has the longest prefix, of equals the one with the fewest requests.
    LongestPrefix,
    /// To the cache with the least work: blocks given to it so far that it did not have, and those of this prompt that it does not have.
    LeastWork,
}

/// Blocks that one cache of `capacity` blocks finds; a hit is the longest run of blocks from the first on that is there.
#[must_use]
pub fn prefix_hits(trace: &Trace, capacity: u64, order: BlockOrder) -> u64 {
    spread_hits(trace, 1, capacity, order, PrefixSpread::RoundRobin).0
}

/// Blocks that `caches` caches of `capacity` blocks each find together, and how many requests each gets.
#[must_use]
pub fn spread_hits(trace: &Trace, caches: usize, capacity: u64, order: BlockOrder, spread: PrefixSpread) -> (u64, Vec<u64>) {
    let mut tiers: Vec<OutsideTier> = (0..caches).map(|_| OutsideTier::new(capacity, trace.distinct)).collect();
    let (mut given, mut work, mut hits, mut evicted) = (vec![0; caches], vec![0; caches], 0, Vec::new());
    for (number, request) in trace.requests.iter().enumerate() {
        let units = trace.prefix(request);
        let found = |tier: &OutsideTier| units.iter().take_while(|unit| tier.has(**unit)).count() as u64;
        let chosen = match spread {
            PrefixSpread::RoundRobin => number % caches,
            PrefixSpread::LongestPrefix => (0..caches).min_by_key(|index| (u64::MAX - found(&tiers[*index]), given[*index])).unwrap_or(0),
            PrefixSpread::LeastWork => (0..caches).min_by_key(|index| work[*index] + units.len() as u64 - found(&tiers[*index])).unwrap_or(0),
        };
        let hit = found(&tiers[chosen]);
        hits += hit;
        given[chosen] += 1;
        work[chosen] += units.len() as u64 - hit;
        let tier = &mut tiers[chosen];
        match order {
            BlockOrder::Forward => units.iter().for_each(|unit| tier.touch(*unit, &mut evicted)),
            BlockOrder::Reverse => units.iter().rev().for_each(|unit| tier.touch(*unit, &mut evicted)),
        }
        evicted.clear();
    }
    (hits, given)
}
