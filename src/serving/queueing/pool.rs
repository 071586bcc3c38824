//! The paged cache of an attention group: blocks of running sequences, and blocks of prompts that are kept for others.
//!
//! A *unit* is a span of a prompt that other prompts may share (a block of the trace). A unit owns the cache blocks that end in it, because only
//! whole blocks are shared. Sequences that use a unit hold it. A unit that no sequence holds is kept until its blocks are needed; the least
//! recently used unit is evicted first. All other blocks belong to one sequence each and are only counted. Those that a preempted sequence gave up
//! can still be found by the sequence itself until they are needed, the last of them first.

use std::collections::VecDeque;

/// No unit.
const NONE: u32 = 0;

/// State of a unit. An absent unit is all zero, so a table of absent units takes no memory until it is written. Every attention group has such
/// a table.
#[derive(Clone, Copy)]
enum Word {
    /// Sequences that hold it.
    Holders,
    /// Cache blocks of the unit (zero if it is shorter than a block) plus one; zero if the unit is absent.
    Size,
    /// Neighbours in the order of use if no sequence holds the unit: their numbers plus one.
    Older,
    Newer,
}

/// Blocks of one attention group.
#[derive(Clone, Debug)]
pub struct BlockPool {
    capacity: u64,
    /// Blocks that belong to one sequence each.
    owned: u64,
    /// Blocks of units that sequences hold.
    held: u64,
    /// Blocks of units that no sequence holds.
    idle: u64,
    /// Blocks that preempted sequences gave up and may find again, by request, the oldest first. They are overwritten before idle units: a sequence is
    /// preempted when next to none is idle.
    left: VecDeque<(u32, u32)>,
    /// By number; empty where nothing is shared.
    units: Vec<[u32; 4]>,
    /// Number of a unit plus one.
    oldest: u32,
    newest: u32,
}

impl BlockPool {
    /// `capacity` blocks, for prompts with `distinct` units.
    #[must_use]
    pub fn new(capacity: u64, distinct: u32) -> Self {
        Self { capacity, owned: 0, held: 0, idle: 0, left: VecDeque::new(), units: vec![[0; 4]; distinct as usize], oldest: NONE, newest: NONE }
    }

    fn get(&self, unit: u32, word: Word) -> u32 {
        self.units[unit as usize][word as usize]
    }

    fn set(&mut self, unit: u32, word: Word, value: u32) {
        self.units[unit as usize][word as usize] = value;
    }

    /// Cache blocks of a unit that is here.
    fn blocks(&self, unit: u32) -> u64 {
        u64::from(self.get(unit, Word::Size).saturating_sub(1))
    }

    /// All blocks.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Blocks that sequences hold.
    #[must_use]
    pub fn in_use(&self) -> u64 {
        self.owned + self.held
    }

    /// Blocks that are empty or belong to a unit that no sequence holds.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.capacity - self.in_use()
    }

    /// Whether the unit is here.
    #[must_use]
    pub fn has(&self, unit: u32) -> bool {
        self.get(unit, Word::Size) > 0
    }

    /// Blocks of the unit if a sequence holds it already. Holding it as well needs no free block.
    #[must_use]
    pub fn held_blocks(&self, unit: u32) -> u64 {
        if self.get(unit, Word::Holders) > 0 { self.blocks(unit) } else { 0 }
    }

    /// Allocates `blocks` blocks, which must be available, for one sequence. Evicted units are added to `evicted`.
    pub fn take(&mut self, blocks: u64, evicted: &mut Vec<u32>) {
        debug_assert!(blocks <= self.available(), "the caller asks first");
        self.owned += blocks;
        self.make_room(evicted);
    }

    /// Gives back blocks of one sequence.
    pub fn give(&mut self, blocks: u64) {
        debug_assert!(blocks <= self.owned, "no block is given back twice");
        self.owned -= blocks;
    }

    /// Leaves blocks of a preempted sequence where it may find them.
    pub fn leave(&mut self, request: u32, blocks: u32) {
        self.give(u64::from(blocks));
        if blocks > 0 {
            self.left.push_back((request, blocks));
        }
    }

    /// Blocks that the preempted sequence would find.
    #[must_use]
    pub fn left_by(&self, request: u32) -> u32 {
        self.left.iter().find(|entry| entry.0 == request).map_or(0, |entry| entry.1)
    }

    /// Gives a preempted sequence back what it finds, at most `most` blocks; the rest is empty from now on.
    pub fn take_up(&mut self, request: u32, most: u32) -> u32 {
        let blocks = self.left_by(request).min(most);
        self.left.retain(|entry| entry.0 != request);
        self.owned += u64::from(blocks);
        blocks
    }

    /// Holds a unit that is here.
    pub fn hold(&mut self, unit: u32) {
        debug_assert!(self.has(unit), "the unit is here");
        let holders = self.get(unit, Word::Holders);
        if holders == 0 {
            self.unlink(unit);
            self.idle -= self.blocks(unit);
            self.held += self.blocks(unit);
        }
        self.set(unit, Word::Holders, holders + 1);
    }

    /// Makes `blocks` blocks of one sequence a unit that it holds. If the unit is here already, the sequence holds that one and its own
    /// blocks become empty.
    pub fn publish(&mut self, unit: u32, blocks: u32) {
        self.give(u64::from(blocks));
        if self.has(unit) {
            self.hold(unit);
        } else {
            self.units[unit as usize] = [1, blocks + 1, NONE, NONE];
            self.held += u64::from(blocks);
        }
    }

    /// A sequence releases the unit. The unit that was released last is evicted last.
    pub fn release(&mut self, unit: u32) {
        let holders = self.get(unit, Word::Holders);
        debug_assert!(holders > 0, "no unit is let go twice");
        self.set(unit, Word::Holders, holders - 1);
        if holders == 1 {
            let blocks = self.blocks(unit);
            self.held -= blocks;
            self.idle += blocks;
            self.append(unit);
        }
    }

    /// Overwrites what preempted sequences left, then evicts units, until all held, owned and kept blocks fit.
    fn make_room(&mut self, evicted: &mut Vec<u32>) {
        let left: u64 = self.left.iter().map(|entry| u64::from(entry.1)).sum();
        let mut excess = (self.in_use() + self.idle + left).saturating_sub(self.capacity);
        while excess > 0
            && let Some((_, blocks)) = self.left.front_mut()
        {
            let gone = u64::from(*blocks).min(excess);
            excess -= gone;
            *blocks -= u32::try_from(gone).unwrap_or(u32::MAX);
            if *blocks == 0 {
                self.left.pop_front();
            }
        }
        while self.in_use() + self.idle > self.capacity {
            let unit = self.oldest - 1;
            self.idle -= self.blocks(unit);
            self.unlink(unit);
            self.units[unit as usize] = [0; 4];
            evicted.push(unit);
        }
    }

    fn append(&mut self, unit: u32) {
        self.set(unit, Word::Older, self.newest);
        self.set(unit, Word::Newer, NONE);
        match self.newest {
            NONE => self.oldest = unit + 1,
            newest => self.set(newest - 1, Word::Newer, unit + 1),
        }
        self.newest = unit + 1;
    }

    fn unlink(&mut self, unit: u32) {
        let (older, newer) = (self.get(unit, Word::Older), self.get(unit, Word::Newer));
        match older {
            NONE => self.oldest = newer,
            older => self.set(older - 1, Word::Newer, newer),
        }
        match newer {
            NONE => self.newest = older,
            newer => self.set(newer - 1, Word::Older, older),
        }
    }
}

/// Units kept in one memory outside the chips; the least recently used unit is evicted first.
#[derive(Clone, Debug)]
pub struct OutsideTier {
    pool: BlockPool,
}

impl OutsideTier {
    /// Room for `capacity` units.
    #[must_use]
    pub fn new(capacity: u64, distinct: u32) -> Self {
        Self { pool: BlockPool::new(capacity, distinct) }
    }

    /// Whether the unit is here.
    #[must_use]
    pub fn has(&self, unit: u32) -> bool {
        self.pool.has(unit)
    }

    /// Inserts a unit as the most recently used one. Evicted units are added to `evicted`.
    pub fn touch(&mut self, unit: u32, evicted: &mut Vec<u32>) {
        if self.pool.capacity == 0 {
            evicted.push(unit);
        } else if self.has(unit) {
            self.pool.unlink(unit);
            self.pool.append(unit);
        } else {
            self.pool.units[unit as usize] = [0, 2, NONE, NONE];
            self.pool.idle += 1;
            self.pool.append(unit);
            self.pool.make_room(evicted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BlockPool;

    /// Of 10 blocks, two sequences leave 4 and 3. A third takes 8: the 3 empty ones, then the 4 of the first to leave, then one of the other.
    #[test]
    fn what_was_left_first_is_overwritten_first() {
        let mut pool = BlockPool::new(10, 0);
        pool.take(7, &mut Vec::new());
        pool.leave(5, 4);
        pool.leave(6, 3);
        pool.take(8, &mut Vec::new());
        assert_eq!([pool.left_by(5), pool.left_by(6)], [0, 2]);
        // It comes back to one block only: the other is empty.
        assert_eq!((pool.take_up(6, 1), pool.left_by(6), pool.in_use(), pool.available()), (1, 0, 9, 1));
    }
}
