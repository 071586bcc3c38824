//! Where holders meet: which flows two of them share, and how hard one pushes on another.
//!
//! The *push* of `a` on `b` is the summed weight on `b` of the flows that `a` holds. When the level of `a` moves by `d`, the
//! load on `b` moves by `push * d`; nothing else couples two channels.

use super::table::SharingTable;

const NOWHERE: u32 = u32::MAX;

/// A square table of all pairs is kept if at least one in so many exists: one look instead of a search.
const SPARSE_MIN: usize = 4;

/// Pushes are padded to a multiple of this, so that the processor need not guess how long the rest of a loop is.
pub(super) const STRIDE: usize = 8;

#[derive(Debug)]
pub(crate) struct Crossings {
    holders: usize,
    /// The pairs of each holder with higher ones, by the higher one; a *pair* is a place in `higher`.
    pair_start: Vec<usize>,
    higher: Vec<u32>,
    /// Pair of each holder with each higher one, row by row, `NOWHERE` if they never meet; empty if that would be mostly so.
    square: Vec<u32>,
    /// One bit for each holder and each other that it pushes on, row by row; empty where `square` is. Small enough to stay
    /// in a near cache, where it spares most looks into the tables above.
    pushes_on: Vec<u64>,
    pairs: Vec<Pair>,
    /// Flows of all pairs that share more than one, end to end.
    shared_flow: Vec<u32>,
    pushes: Vec<Pushes>,
}

/// Two holders that meet, lower number first.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// Where its flows lie in `shared_flow`; the flow itself if there is but one.
    shared_start: u32,
    shared_flows: u32,
    /// Of the lower on the higher, and of the higher on the lower.
    push: [LevelPush; 2],
}

#[derive(Clone, Copy, Debug)]
struct LevelPush {
    /// Where it stands among its holder's pushes.
    slot: u32,
    /// How many flows it stands for.
    flows: u32,
}

/// The pushes of one holder that are not zero.
#[derive(Debug, Default)]
struct Pushes {
    /// Padded to whole strides with numbers beyond the last holder, another for each place of a stride: additions to one would wait
    /// for each other.
    on: Vec<u32>,
    weight: Vec<f64>,
    pair: Vec<u32>,
    /// How many weights are not 1.
    uneven: usize,
}

impl Crossings {
    pub fn new(table: &SharingTable) -> Self {
        let holders = table.holders();
        let mut pair_start = vec![0];
        let mut higher = Vec::new();
        let mut pairs: Vec<Pair> = Vec::new();
        let mut shared_flow: Vec<u32> = Vec::new();
        let mut meetings: Vec<(u32, u32)> = Vec::new();
        for holder in 0..holders as u32 {
            meetings.clear();
            for (flow, _) in table.column(holder) {
                meetings.extend(table.row(flow).filter(|&(other, _)| other > holder).map(|(other, _)| (other, flow)));
            }
            meetings.sort_unstable();
            for shared in meetings.chunk_by(|a, b| a.0 == b.0) {
                higher.push(shared[0].0);
                let mut shared_start = shared[0].1;
                if shared.len() > 1 {
                    shared_start = shared_flow.len() as u32;
                    shared_flow.extend(shared.iter().map(|&(_, flow)| flow));
                }
                pairs.push(Pair { shared_start, shared_flows: shared.len() as u32, push: [LevelPush { slot: NOWHERE, flows: 0 }; 2] });
            }
            pair_start.push(higher.len());
        }
        let mut square = Vec::new();
        let mut pushes_on = Vec::new();
        if holders * holders <= SPARSE_MIN * 2 * pairs.len() {
            square.resize(holders * holders, NOWHERE);
            for holder in 0..holders {
                for pair in pair_start[holder]..pair_start[holder + 1] {
                    square[holder * holders + higher[pair] as usize] = pair as u32;
                }
            }
            pushes_on.resize((holders * holders).div_ceil(64), 0);
        }
        let pushes = std::iter::repeat_with(Pushes::default).take(holders).collect();
        Self { holders, pair_start, higher, square, pushes_on, pairs, shared_flow, pushes }
    }

    /// The pair of two holders; `None` if no flow crosses both.
    pub fn pair(&self, a: u32, b: u32) -> Option<usize> {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        if !self.square.is_empty() {
            let pair = self.square[low as usize * self.holders + high as usize];
            return (pair != NOWHERE).then_some(pair as usize);
        }
        let start = self.pair_start[low as usize];
        let others = &self.higher[start..self.pair_start[low as usize + 1]];
        others.binary_search(&high).ok().map(|place| start + place)
    }

    /// Whether `from` can hold a flow that crosses `on`. True for certain if it does; a ceiling pushes on nothing and is told
    /// apart by the caller.
    pub fn may_push(&self, from: u32, on: u32) -> bool {
        let bit = from as usize * self.holders + on as usize;
        self.pushes_on.is_empty() || self.pushes_on[bit / 64] >> (bit % 64) & 1 == 1
    }

    fn flip_bit(&mut self, from: u32, on: u32) {
        let bit = from as usize * self.holders + on as usize;
        if !self.pushes_on.is_empty() {
            self.pushes_on[bit / 64] ^= 1 << (bit % 64);
        }
    }

    /// How many flows cross both holders of a pair, running or not; numbered for `shared_flow`.
    pub fn shared_flows(&self, pair: usize) -> u32 {
        self.pairs[pair].shared_flows
    }

    pub fn shared_flow(&self, pair: usize, number: u32) -> u32 {
        let Pair { shared_start, shared_flows, .. } = self.pairs[pair];
        if shared_flows == 1 { shared_start } else { self.shared_flow[(shared_start + number) as usize] }
    }

    pub fn clear(&mut self) {
        for pushes in &mut self.pushes {
            for &pair in &pushes.pair {
                self.pairs[pair as usize].push.iter_mut().for_each(|push| push.flows = 0);
            }
            pushes.on.clear();
            pushes.weight.clear();
            pushes.pair.clear();
            pushes.uneven = 0;
        }
        self.pushes_on.fill(0);
    }

    /// `from` holds one more flow, which weighs `weight` on `on`.
    pub fn add(&mut self, from: u32, on: u32, weight: f64) {
        if let Some(pair) = self.pair(from, on) {
            self.add_to(pair, from, on, weight);
        }
    }

    /// As `add`, where the pair is known.
    pub fn add_to(&mut self, pair: usize, from: u32, on: u32, weight: f64) {
        let pushes = &mut self.pushes[from as usize];
        let push = &mut self.pairs[pair].push[usize::from(from > on)];
        push.flows += 1;
        if push.flows == 1 {
            push.slot = pushes.weight.len() as u32;
            if pushes.weight.len() == pushes.on.len() {
                pushes.on.extend(self.holders as u32..(self.holders + STRIDE) as u32);
            }
            pushes.on[pushes.weight.len()] = on;
            pushes.weight.push(weight);
            pushes.pair.push(pair as u32);
            pushes.uneven += usize::from(weight != 1.0);
            self.flip_bit(from, on);
        } else {
            pushes.change_weight(push.slot as usize, weight);
        }
    }

    /// `from` holds one flow less, which weighed `weight` on `on`.
    pub fn remove(&mut self, from: u32, on: u32, weight: f64) {
        if let Some(pair) = self.pair(from, on) {
            self.remove_from(pair, from, on, weight);
        }
    }

    /// As `remove`, where the pair is known.
    pub fn remove_from(&mut self, pair: usize, from: u32, on: u32, weight: f64) {
        let pushes = &mut self.pushes[from as usize];
        let push = &mut self.pairs[pair].push[usize::from(from > on)];
        let slot = push.slot as usize;
        push.flows -= 1;
        if push.flows > 0 {
            pushes.change_weight(slot, -weight);
            return;
        }
        pushes.uneven -= usize::from(pushes.weight[slot] != 1.0);
        let last = pushes.weight.len() - 1;
        pushes.on.swap(slot, last);
        pushes.on[last] = (self.holders + last % STRIDE) as u32;
        if last.is_multiple_of(STRIDE) {
            pushes.on.truncate(last);
        }
        pushes.weight.swap_remove(slot);
        pushes.pair.swap_remove(slot);
        if let Some(&moved) = pushes.pair.get(slot) {
            let is_higher = from > pushes.on[slot];
            self.pairs[moved as usize].push[usize::from(is_higher)].slot = slot as u32;
        }
        self.flip_bit(from, on);
    }

    /// Holders that `from` pushes on.
    pub fn pushed(&self, from: u32) -> &[u32] {
        let pushes = &self.pushes[from as usize];
        &pushes.on[..pushes.weight.len()]
    }

    /// Adds `push * change` to the value of every holder that `from` pushes on. The innermost loop of all: most fabrics
    /// have equal weights, and then it need not read them. `values` are by holder, and `STRIDE` more that padding spoils.
    pub fn push(&self, from: u32, change: f64, values: &mut [f64]) {
        let pushes = &self.pushes[from as usize];
        if pushes.uneven == 0 {
            for stride in pushes.on.as_chunks::<STRIDE>().0 {
                for &on in stride {
                    values[on as usize] += change;
                }
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
