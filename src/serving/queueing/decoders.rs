//! Sequences that make one token in every pass. Counting them down is nearly all work of a run, so their state is small and contiguous.
//!
//! While a sequence is here, its [`RequestProgress`] is not updated except for its blocks; [`Decoders::sync`] updates it. Every sequence here takes part
//! in every pass, so the time since the last token is equal for all of them.

use super::clock::Picoseconds;
use super::sequence::RequestProgress;

/// State of a sequence that a pass changes.
#[derive(Clone, Copy, Debug)]
struct Decoder {
    request: u32,
    /// Tokens of the answer still to be made.
    left: u32,
    /// Free token slots in the blocks of the sequence.
    room: u32,
}

/// Sequences of one attention group.
#[derive(Debug, Default)]
pub struct Decoders {
    all: Vec<Decoder>,
    /// Tokens in their caches, each with the one being made.
    context: u64,
    /// When their last tokens came.
    last: Picoseconds,
}

impl Decoders {
    /// How many.
    pub fn count(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    /// Tokens in their caches, each with the one being made.
    pub fn context(&self) -> u64 {
        self.context
    }

    /// Adds a sequence. Its last token came at `last`, like the last token of every other sequence here.
    pub fn add(&mut self, request: u32, sequence: &RequestProgress, block: u32, last: Picoseconds) {
        debug_assert!(sequence.decoding() && !sequence.ended(), "it makes tokens");
        self.last = last;
        self.context += u64::from(sequence.computed) + 1;
        let room = (sequence.covered + sequence.owned * block).saturating_sub(sequence.computed);
        self.all.push(Decoder { request, left: sequence.output - sequence.made, room });
    }

    /// Number of sequences that need a block for their next token.
    pub fn short(&self) -> u64 {
        self.all.iter().map(|one| u64::from(one.room == 0)).sum()
    }

    /// Gives a block to each that needs one; the caller has taken them.
    pub fn grow(&mut self, sequences: &mut [RequestProgress], block: u32) {
        for one in self.all.iter_mut().filter(|one| one.room == 0) {
            one.room = block;
            sequences[one.request as usize].owned += 1;
        }
    }

    /// Every sequence makes a token at `now`. Finished sequences are removed and returned with their state. Also returns the time since the last
    /// token and the number of remaining sequences.
    pub fn step(&mut self, now: Picoseconds, sequences: &mut [RequestProgress], ended: &mut Vec<u32>) -> (Picoseconds, u64) {
        let gap = now.since(self.last);
        self.last = now;
        self.context += self.all.len() as u64;
        let mut any = false;
        for one in &mut self.all {
            one.left -= 1;
            one.room -= 1;
            any |= one.left == 0;
        }
        if any {
            let context = &mut self.context;
            self.all.retain(|one| {
                if one.left == 0 {
                    let sequence = &mut sequences[one.request as usize];
                    Self::update(sequence, 0, now);
                    *context -= u64::from(sequence.computed) + 1;
                    ended.push(one.request);
                }
                one.left > 0
            });
        }
        (gap, self.all.len() as u64)
    }

    fn update(sequence: &mut RequestProgress, left: u32, last: Picoseconds) {
        sequence.made = sequence.output - left;
        sequence.computed = sequence.known() - 1;
        sequence.last = last;
    }

    /// Updates the progress of all sequences and removes them.
    pub fn sync(&mut self, sequences: &mut [RequestProgress]) {
        for one in self.all.drain(..) {
            Self::update(&mut sequences[one.request as usize], one.left, self.last);
        }
        self.context = 0;
    }
}
