//! The times of the next events: a tournament tree with one leaf a channel.
//!
//! Packets in flight on a channel arrive in the order in which they were sent, so only the first of them competes. Setting a leaf and
//! finding the earliest one cost `log2(leaves)` comparisons each, whatever the number of packets in flight.

use super::model::{NEVER, PicosecondTime};

/// The earliest event of every leaf, and the earliest of all.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    /// Leaves stand at `size..`; each inner place holds the smaller of its two children. An entry is a time, with the number of its leaf
    /// in the lowest bits; simultaneous events go by the number of their leaves.
    entries: Vec<u64>,
    size: usize,
    leaf_bits: u32,
}

impl Calendar {
    /// So many leaves, none of which has an event.
    pub(super) fn new(leaves: usize) -> Self {
        let size = leaves.max(2).next_power_of_two();
        Self { entries: vec![NEVER; 2 * size], size, leaf_bits: size.trailing_zeros() }
    }

    /// Times from here on do not fit an entry: 17 s with a million leaves.
    pub(super) fn horizon(&self) -> PicosecondTime {
        NEVER >> self.leaf_bits
    }

    /// Puts the next event of a leaf at `time`; what lies beyond the horizon is put there.
    pub(super) fn set(&mut self, leaf: u32, time: PicosecondTime) {
        let mut place = self.size + leaf as usize;
        let mut entry = if time == NEVER { NEVER } else { time.min(self.horizon() - 1) << self.leaf_bits | u64::from(leaf) };
        self.entries[place] = entry;
        while place > 1 {
            entry = entry.min(self.entries[place ^ 1]);
            place /= 2;
            if self.entries[place] == entry {
                return;
            }
            self.entries[place] = entry;
        }
    }

    /// The earliest event: its time and its leaf.
    pub(super) fn earliest(&self) -> Option<(PicosecondTime, u32)> {
        let entry = self.entries[1];
        let leaf = (entry & (self.size as u64 - 1)) as u32;
        (entry != NEVER).then_some((entry >> self.leaf_bits, leaf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a list that is searched from end to end.
    #[test]
    fn agrees_with_a_plain_search() {
        let mut calendar = Calendar::new(37);
        let mut plain = [NEVER; 37];
        let mut state = 1_u64;
        for _ in 0..10_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (leaf, time) = ((state >> 33) % 37, if state.is_multiple_of(5) { NEVER } else { state >> 50 });
            calendar.set(u32::try_from(leaf).unwrap(), time);
            plain[usize::try_from(leaf).unwrap()] = time;
            let earliest = *plain.iter().min().unwrap();
            let leaf = plain.iter().position(|&time| time == earliest).unwrap();
            let expected = (earliest != NEVER).then(|| (earliest, u32::try_from(leaf).unwrap()));
            assert_eq!(calendar.earliest(), expected);
        }
    }

    #[test]
    fn nothing_is_never() {
        assert_eq!(Calendar::new(0).earliest(), None);
    }
}
