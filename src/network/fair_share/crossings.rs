//! Where holders meet: which flows two of them share, and how hard one pushes on another.
//!
//! The *push* of `a` on `b` is the summed weight on `b` of the flows that `a` holds. When the level of `a` moves by `d`, the
//! load on `b` moves by `push * d`; nothing else couples two channels.

use std::ops::Range;

use super::table::Table;

const NOWHERE: u32 = u32::MAX;

/// A square table of all pairs is kept if at least one in so many exists: one look instead of a search.
const SPARSE_MIN: usize = 4;

#[derive(Debug)]
pub(crate) struct Crossings {
    /// Neighbours of each holder, ascending; a *pair* is a place in `neighbour`.
    pair_start: Vec<usize>,
    neighbour: Vec<u32>,
    /// Pair of each holder with each, row by row, `NOWHERE` if they never meet; empty if that would be mostly so.
    square: Vec<u32>,
    pairs: Vec<Pair>,
    /// Flows of all pairs, end to end.
    shared_flow: Vec<u32>,
    pushes: Vec<Pushes>,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    /// Where its flows lie in `shared_flow`.
    shared_start: usize,
    shared_end: usize,
    /// Where it stands among its holder's pushes.
    slot: u32,
    /// How many flows that push stands for.
    flows: u32,
}

/// The pushes of one holder that are not zero.
#[derive(Debug, Default)]
struct Pushes {
    on: Vec<u32>,
    weight: Vec<f64>,
    pair: Vec<u32>,
    /// How many weights are not 1.
    uneven: usize,
}

impl Crossings {
    pub fn new(table: &Table) -> Self {
        let holders = table.holders();
        let mut pair_start = vec![0];
        let mut neighbour = Vec::new();
        let mut pairs: Vec<Pair> = Vec::new();
        let mut shared_flow: Vec<u32> = Vec::new();
        let mut meetings: Vec<(u32, u32)> = Vec::new();
        for holder in 0..holders as u32 {
            meetings.clear();
            for (flow, _) in table.column(holder) {
                meetings.extend(table.row(flow).filter(|&(other, _)| other != holder).map(|(other, _)| (other, flow)));
            }
            meetings.sort_unstable();
            for shared in meetings.chunk_by(|a, b| a.0 == b.0) {
                neighbour.push(shared[0].0);
                let shared_start = shared_flow.len();
                shared_flow.extend(shared.iter().map(|&(_, flow)| flow));
                pairs.push(Pair { shared_start, shared_end: shared_flow.len(), slot: NOWHERE, flows: 0 });
            }
            pair_start.push(neighbour.len());
        }
        let mut square = Vec::new();
        if holders * holders <= SPARSE_MIN * pairs.len() {
            square.resize(holders * holders, NOWHERE);
            for holder in 0..holders {
                for pair in pair_start[holder]..pair_start[holder + 1] {
                    square[holder * holders + neighbour[pair] as usize] = pair as u32;
                }
            }
        }
        let pushes = std::iter::repeat_with(Pushes::default).take(holders).collect();
        Self { pair_start, neighbour, square, pairs, shared_flow, pushes }
    }

    fn pair(&self, from: u32, on: u32) -> Option<usize> {
        if !self.square.is_empty() {
            let pair = self.square[from as usize * self.pushes.len() + on as usize];
            return (pair != NOWHERE).then_some(pair as usize);
        }
        let start = self.pair_start[from as usize];
        let neighbours = &self.neighbour[start..self.pair_start[from as usize + 1]];
        neighbours.binary_search(&on).ok().map(|place| start + place)
    }

    /// Where the flows that cross both holders, running or not, stand for `shared_flow`.
    pub fn shared(&self, a: u32, b: u32) -> Range<usize> {
        self.pair(a, b).map_or(0..0, |pair| self.pairs[pair].shared_start..self.pairs[pair].shared_end)
    }

    pub fn shared_flow(&self, place: usize) -> u32 {
        self.shared_flow[place]
    }

    pub fn clear(&mut self) {
        for pushes in &mut self.pushes {
            for &pair in &pushes.pair {
                self.pairs[pair as usize].flows = 0;
            }
            pushes.on.clear();
            pushes.weight.clear();
            pushes.pair.clear();
            pushes.uneven = 0;
        }
    }

    /// `from` holds one more flow, which weighs `weight` on `on`.
    pub fn add(&mut self, from: u32, on: u32, weight: f64) {
        let Some(pair) = self.pair(from, on) else { return };
        let pushes = &mut self.pushes[from as usize];
        let entry = &mut self.pairs[pair];
        entry.flows += 1;
        if entry.flows == 1 {
            entry.slot = pushes.on.len() as u32;
            pushes.on.push(on);
            pushes.weight.push(weight);
            pushes.pair.push(pair as u32);
            pushes.uneven += usize::from(weight != 1.0);
        } else {
            pushes.change_weight(entry.slot as usize, weight);
        }
    }

    /// `from` holds one flow less, which weighed `weight` on `on`.
    pub fn remove(&mut self, from: u32, on: u32, weight: f64) {
        let Some(pair) = self.pair(from, on) else { return };
        let pushes = &mut self.pushes[from as usize];
        let entry = &mut self.pairs[pair];
        let slot = entry.slot as usize;
        entry.flows -= 1;
        if entry.flows > 0 {
            pushes.change_weight(slot, -weight);
            return;
        }
        pushes.uneven -= usize::from(pushes.weight[slot] != 1.0);
        pushes.on.swap_remove(slot);
        pushes.weight.swap_remove(slot);
        pushes.pair.swap_remove(slot);
        if let Some(&moved) = pushes.pair.get(slot) {
            self.pairs[moved as usize].slot = slot as u32;
        }
    }

    /// Holders that `from` pushes on.
    pub fn pushed(&self, from: u32) -> &[u32] {
        &self.pushes[from as usize].on
    }

    /// Adds `push * change` to the value of every holder that `from` pushes on. The innermost loop of all: most fabrics
    /// have equal weights, and then it need not read them.
    pub fn push(&self, from: u32, change: f64, values: &mut [f64]) {
        let pushes = &self.pushes[from as usize];
        if pushes.uneven == 0 {
            for &on in &pushes.on {
                values[on as usize] += change;
            }
        } else {
            for (&on, &weight) in pushes.on.iter().zip(&pushes.weight) {
                values[on as usize] += weight * change;
            }
        }
    }
}

impl Pushes {
    fn change_weight(&mut self, slot: usize, change: f64) {
        let weight = &mut self.weight[slot];
        self.uneven -= usize::from(*weight != 1.0);
        *weight += change;
        self.uneven += usize::from(*weight != 1.0);
    }
}
