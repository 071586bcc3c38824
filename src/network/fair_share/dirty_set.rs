//! Which places of a list need another look, lowest first.
//!
//! One byte a place: marking is a plain store, which is what the hot loop does most, and a run of clean places is skipped
//! sixteen at a time.

use std::ops::Range;

const STRIDE: usize = 16;

#[derive(Debug)]
pub(crate) struct DirtySet {
    /// Nonzero where dirty; padded to a whole stride.
    marks: Vec<u8>,
}

impl DirtySet {
    pub fn new(places: usize) -> Self {
        Self { marks: vec![0; places.next_multiple_of(STRIDE)] }
    }

    pub fn mark(&mut self, place: usize) {
        self.marks[place] = 1;
    }

    /// As `mark`; true if the place was clean.
    pub fn mark_anew(&mut self, place: usize) -> bool {
        std::mem::replace(&mut self.marks[place], 1) == 0
    }

    pub fn mark_range(&mut self, places: Range<usize>) {
        self.marks[places].fill(1);
    }

    pub fn clean(&mut self, place: usize) {
        self.marks[place] = 0;
    }

    pub fn clean_all(&mut self) {
        self.marks.fill(0);
    }

    pub fn contains(&self, place: usize) -> bool {
        self.marks[place] != 0
    }

    pub fn swap(&mut self, a: usize, b: usize) {
        self.marks.swap(a, b);
    }

    /// The first dirty place at or after `place`.
    pub fn first_from(&self, place: usize) -> Option<usize> {
        if self.marks.get(place).is_some_and(|&mark| mark != 0) {
            return Some(place);
        }
        let head = place.next_multiple_of(STRIDE).min(self.marks.len());
        let in_head = (place..head).find(|&place| self.contains(place));
        in_head.or_else(|| {
            let (strides, _) = self.marks[head..].as_chunks::<STRIDE>();
            let stride = strides.iter().position(|stride| *stride != [0; STRIDE])?;
            let start = head + stride * STRIDE;
            (start..start + STRIDE).find(|&place| self.contains(place))
        })
    }
}
