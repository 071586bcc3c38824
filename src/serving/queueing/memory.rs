//! Caches of an attention group: blocks on its chips, and units of prompts in memory outside the chips.

use super::pool::{BlockPool, OutsideTier};
use super::sequence::{Record, RequestProgress};

/// Caches of one attention group.
#[derive(Debug)]
pub struct GroupMemory {
    /// The chips' own.
    pub pool: BlockPool,
    /// DRAM of the group's hosts, where the workload names it.
    pub host: Option<OutsideTier>,
    /// Units that were just evicted from the chips.
    evicted: Vec<u32>,
    lost: Vec<u32>,
}

impl GroupMemory {
    /// Empty caches.
    #[must_use]
    pub fn new(pool: BlockPool, host: Option<OutsideTier>) -> Self {
        Self { pool, host, evicted: Vec::new(), lost: Vec::new() }
    }

    /// Allocates the blocks that a sequence needs for `tokens` cached tokens. False if not enough blocks are available.
    pub fn grow(&mut self, sequence: &mut RequestProgress, tokens: u32, block: u32, pooled: &mut Option<OutsideTier>) -> bool {
        let more = sequence.blocks_for(tokens, block).saturating_sub(sequence.owned);
        if more == 0 {
            return true;
        }
        if u64::from(more) > self.pool.available() {
            return false;
        }
        self.pool.take(u64::from(more), &mut self.evicted);
        self.move_down(pooled);
        sequence.owned += more;
        true
    }

    /// Takes blocks that are available.
    pub fn take(&mut self, blocks: u64, pooled: &mut Option<OutsideTier>) {
        self.pool.take(blocks, &mut self.evicted);
        self.move_down(pooled);
    }

    /// Moves units that the chips evicted to the hosts, and units that the hosts evict to the shared memory.
    fn move_down(&mut self, pooled: &mut Option<OutsideTier>) {
        if self.evicted.is_empty() {
            return;
        }
        for unit in self.evicted.drain(..) {
            match &mut self.host {
                Some(host) => host.touch(unit, &mut self.lost),
                None => self.lost.push(unit),
            }
        }
        if let Some(pooled) = pooled {
            let mut gone = Vec::new();
            self.lost.drain(..).for_each(|unit| pooled.touch(unit, &mut gone));
        }
        self.lost.clear();
    }

    /// Longest prefix of `units` on the chips, and how many further units the memory outside the chips holds without a gap.
    #[must_use]
    pub fn find(&self, units: &[u32], pooled: Option<&OutsideTier>) -> CacheHits {
        let here = units.iter().take_while(|unit| self.pool.has(**unit)).count();
        let beside =
            |unit: u32| self.pool.has(unit) || self.host.as_ref().is_some_and(|host| host.has(unit)) || pooled.is_some_and(|tier| tier.has(unit));
        let more = if self.host.is_some() || pooled.is_some() { units[here..].iter().take_while(|unit| beside(**unit)).count() } else { 0 };
        let shared = units[..here].iter().map(|unit| self.pool.held_blocks(*unit)).sum();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        CacheHits { tokens: 0, units: count(here + more), here: count(here), own: 0, shared }
    }

    /// Lets a sequence hold the units that were found for it. Returns the tokens read from the hosts and from the shared memory.
    pub fn admit(
        &mut self,
        (sequence, record): (&mut RequestProgress, &mut Record),
        units: &[u32],
        found: CacheHits,
        sizes: [u32; 2],
        pooled: &mut Option<OutsideTier>,
    ) -> [u64; 2] {
        let [unit_tokens, block] = sizes;
        let mut loaded = [0; 2];
        for (index, &unit) in units.iter().enumerate().take(found.units as usize) {
            let (end, blocks) = span(sequence.input, record.units, unit_tokens, block);
            if self.pool.has(unit) {
                self.pool.hold(unit);
            } else {
                let host = self.host.as_mut().filter(|host| host.has(unit));
                // What the hosts dropped for a unit of this very prompt is read from them all the same.
                let shared = host.is_none() && pooled.as_ref().is_some_and(|pooled| pooled.has(unit));
                loaded[usize::from(shared)] += u64::from(end - unit_tokens * record.units);
                match (host, pooled.as_mut()) {
                    (Some(host), _) => host.touch(unit, &mut self.lost),
                    (None, Some(pooled)) => pooled.touch(unit, &mut self.lost),
                    (None, None) => {}
                }
                if u64::from(blocks) > self.pool.available() {
                    debug_assert!(index >= found.here as usize, "admission has seen to the room");
                    break;
                }
                self.pool.take(u64::from(blocks), &mut self.evicted);
                self.move_down(pooled);
                self.pool.publish(unit, blocks);
            }
            record.units += 1;
            sequence.covered = end / block * block;
        }
        sequence.computed = found.tokens;
        loaded
    }

    /// Makes the units of a prompt that `cached` computed tokens complete findable for other requests.
    pub fn publish(&mut self, (sequence, record): (&mut RequestProgress, &mut Record), units: &[u32], cached: u32, sizes: [u32; 2]) {
        let [unit_tokens, block] = sizes;
        while let Some(&unit) = units.get(record.units as usize) {
            let (end, blocks) = span(sequence.input, record.units, unit_tokens, block);
            if end > cached || blocks > sequence.owned {
                break;
            }
            self.pool.publish(unit, blocks);
            sequence.owned -= blocks;
            record.units += 1;
            sequence.covered = end / block * block;
        }
    }

    /// Frees the blocks of a sequence and releases its units, the last unit first.
    pub fn drop_all(&mut self, (sequence, record): (&mut RequestProgress, &mut Record), units: &[u32]) {
        self.pool.give(u64::from(sequence.owned));
        for &unit in units[..record.units as usize].iter().rev() {
            self.pool.release(unit);
        }
        (sequence.owned, record.units, sequence.covered) = (0, 0, 0);
    }
}

/// End of unit `unit` in a prompt of `input` tokens, and the number of cache blocks that end in the unit.
fn span(input: u32, unit: u32, unit_tokens: u32, block: u32) -> (u32, u32) {
    let start = unit_tokens * unit;
    let end = (start + unit_tokens).min(input);
    (end, end / block - start / block)
}

/// Units that a waiting request finds in the caches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheHits {
    /// Tokens that need not be read.
    pub tokens: u32,
    /// Number of leading units of the prompt that some memory holds.
    pub units: u32,
    /// How many of these units the chips hold.
    pub here: u32,
    /// Blocks that the sequence itself left when it was preempted.
    pub own: u32,
    /// Blocks of these units that other sequences hold already. Holding them as well needs no free block.
    pub shared: u64,
}
