//! The paged cache of an attention group: blocks of running sequences, and blocks of prompts that are kept for others.
//!
//! A *unit* is what a trace calls a block: a span of a prompt that other prompts may share. It takes the cache blocks that end in it: only
//! whole blocks are shared. A unit is held by the sequences that use it; while none does it stays until its blocks are needed, least recently used first. All
//! other blocks belong to one sequence each and are only counted.

/// No unit.
const NONE: u32 = u32::MAX;

/// State of a unit.
#[derive(Clone, Copy, Debug)]
struct Unit {
    /// Sequences that hold it.
    holders: u32,
    /// Whether it is here.
    present: bool,
    /// Cache blocks that it takes: none if it is shorter than a block.
    blocks: u32,
    /// Neighbours in the order of use, if nobody holds it.
    older: u32,
    newer: u32,
}

const ABSENT: Unit = Unit { holders: 0, present: false, blocks: 0, older: NONE, newer: NONE };

/// Blocks of one attention group.
#[derive(Clone, Debug)]
pub struct Pool {
    capacity: u64,
    /// Blocks that belong to one sequence each.
    owned: u64,
    /// Blocks of units that sequences hold.
    held: u64,
    /// Blocks of units that nobody holds.
    idle: u64,
    /// By number; empty where nothing is shared.
    units: Vec<Unit>,
    oldest: u32,
    newest: u32,
}

impl Pool {
    /// `capacity` blocks, for prompts with `distinct` units.
    #[must_use]
    pub fn new(capacity: u64, distinct: u32) -> Self {
        Self { capacity, owned: 0, held: 0, idle: 0, units: vec![ABSENT; distinct as usize], oldest: NONE, newest: NONE }
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

    /// Blocks that are empty or that nobody holds.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.capacity - self.in_use()
    }

    /// Whether the unit is here.
    #[must_use]
    pub fn has(&self, unit: u32) -> bool {
        self.units[unit as usize].present
    }

    /// Blocks of the unit if a sequence holds it: another that holds it too takes none that is available.
    #[must_use]
    pub fn held_blocks(&self, unit: u32) -> u64 {
        let unit = &self.units[unit as usize];
        if unit.holders > 0 { u64::from(unit.blocks) } else { 0 }
    }

    /// Takes `blocks` blocks for one sequence, which must be available; names of units that give way are added to `evicted`.
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

    /// Holds a unit that is here.
    pub fn hold(&mut self, unit: u32) {
        let state = self.units[unit as usize];
        debug_assert!(state.present, "the unit is here");
        if state.holders == 0 {
            self.unlink(unit);
            self.idle -= u64::from(state.blocks);
            self.held += u64::from(state.blocks);
        }
        self.units[unit as usize].holders += 1;
    }

    /// Makes `blocks` blocks of one sequence a unit that it holds. If the unit is here already, the sequence holds that one and its own
    /// blocks become empty.
    pub fn publish(&mut self, unit: u32, blocks: u32) {
        self.give(u64::from(blocks));
        if self.has(unit) {
            self.hold(unit);
        } else {
            self.units[unit as usize] = Unit { holders: 1, present: true, blocks, ..ABSENT };
            self.held += u64::from(blocks);
        }
    }

    /// A sequence holds the unit no more. What was let go last is evicted last.
    pub fn release(&mut self, unit: u32) {
        let state = &mut self.units[unit as usize];
        debug_assert!(state.holders > 0, "no unit is let go twice");
        state.holders -= 1;
        if state.holders == 0 {
            let blocks = u64::from(state.blocks);
            self.held -= blocks;
            self.idle += blocks;
            self.append(unit);
        }
    }

    /// Evicts until what is held, owned and kept fits.
    fn make_room(&mut self, evicted: &mut Vec<u32>) {
        while self.in_use() + self.idle > self.capacity {
            let unit = self.oldest;
            self.idle -= u64::from(self.units[unit as usize].blocks);
            self.unlink(unit);
            self.units[unit as usize] = ABSENT;
            evicted.push(unit);
        }
    }

    fn append(&mut self, unit: u32) {
        self.units[unit as usize].older = self.newest;
        self.units[unit as usize].newer = NONE;
        match self.newest {
            NONE => self.oldest = unit,
            newest => self.units[newest as usize].newer = unit,
        }
        self.newest = unit;
    }

    fn unlink(&mut self, unit: u32) {
        let Unit { older, newer, .. } = self.units[unit as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.units[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.units[newer as usize].older = older,
        }
    }
}

/// Units kept in one memory beside the chips' own, least recently used first to go.
#[derive(Clone, Debug)]
pub struct Tier {
    pool: Pool,
}

impl Tier {
    /// Room for `capacity` units.
    #[must_use]
    pub fn new(capacity: u64, distinct: u32) -> Self {
        Self { pool: Pool::new(capacity, distinct) }
    }

    /// Whether the unit is here.
    #[must_use]
    pub fn has(&self, unit: u32) -> bool {
        self.pool.has(unit)
    }

    /// Puts a unit here as the one used last; names of units that give way are added to `evicted`.
    pub fn touch(&mut self, unit: u32, evicted: &mut Vec<u32>) {
        if self.pool.capacity == 0 {
            evicted.push(unit);
        } else if self.has(unit) {
            self.pool.unlink(unit);
            self.pool.append(unit);
        } else {
            self.pool.units[unit as usize] = Unit { present: true, blocks: 1, ..ABSENT };
            self.pool.idle += 1;
            self.pool.append(unit);
            self.pool.make_room(evicted);
        }
    }
}
