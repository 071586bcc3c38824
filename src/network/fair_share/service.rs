//! Bytes delivered to flows, and who ends next.
//!
//! All flows of one holder run at its level, so one clock serves them all: `served` bytes have gone to *each* of them since
//! the clock was last set to zero. A flow that joins with `left` bytes to go is due when the clock shows
//! `served + left`. A change of level thus costs one clock, not one visit to every flow.

use super::max_min::TIE;

/// Holders whose next ends share one cached minimum.
const BLOCK: usize = 16;

/// A clock that has run this many times further than its present rate would have brought it is set back to zero, so that
/// a due time never loses digits to bytes served long ago at a far higher rate.
const OVERRUN_MAX: f64 = 1024.0;

/// A flow that reaches its last byte.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ServiceEnd {
    pub flow: u32,
    pub time_s: f64,
    /// Bytes/s at which it ends.
    pub rate: f64,
}

pub(crate) struct Service {
    now_s: f64,
    clocks: Vec<ServiceClock>,
    queues: Vec<ServiceQueue>,
    /// Place of each flow in its holder's queue.
    slot: Vec<u32>,
    /// When the first flow of each holder ends; infinite if it has none.
    next_end_s: Vec<f64>,
    block_next_end_s: Vec<f64>,
    /// Holders whose `next_end_s` must be worked out again.
    stale: Vec<u32>,
    is_stale: Vec<bool>,
}

/// How far a holder has served each of its flows. Small, since every change of level touches one.
#[derive(Clone, Copy)]
struct ServiceClock {
    /// Bytes/s to each flow.
    rate: f64,
    /// Bytes each flow had got at `since_s`.
    served: f64,
    since_s: f64,
    /// Smallest due of the queue, infinite if it is empty, NaN if it must be looked for.
    first_due: f64,
}

/// The flows of one holder, in no order.
#[derive(Clone, Default)]
struct ServiceQueue {
    /// Reading of the clock at which each flow ends.
    due: Vec<f64>,
    flow: Vec<u32>,
}

impl ServiceClock {
    fn served_at(&self, now_s: f64) -> f64 {
        self.served + self.rate * (now_s - self.since_s)
    }

    /// When the clock shows `due`; infinite if that is.
    fn end_s(&self, due: f64, now_s: f64) -> f64 {
        // An idle holder may have no rate, or one without bound.
        if due == f64::INFINITY {
            return due;
        }
        let end_s = self.since_s + (due - self.served) / self.rate;
        end_s.max(now_s)
    }
}

impl Service {
    pub fn new(holders: usize, flows: usize) -> Self {
        Self {
            now_s: 0.0,
            clocks: vec![ServiceClock { rate: 0.0, served: 0.0, since_s: 0.0, first_due: f64::INFINITY }; holders],
            queues: vec![ServiceQueue::default(); holders],
            slot: vec![u32::MAX; flows],
            next_end_s: vec![f64::INFINITY; holders],
            block_next_end_s: vec![f64::INFINITY; holders.div_ceil(BLOCK)],
            stale: Vec::new(),
            is_stale: vec![false; holders],
        }
    }

    pub fn advance(&mut self, now_s: f64) {
        self.now_s = self.now_s.max(now_s);
    }

    pub fn flows_of(&self, holder: u32) -> &[u32] {
        &self.queues[holder as usize].flow
    }

    /// From now on `holder` gives `rate` bytes/s to each of its flows.
    pub fn set_rate(&mut self, holder: u32, rate: f64) {
        let now_s = self.now_s;
        let clock = &mut self.clocks[holder as usize];
        clock.served = if clock.first_due == f64::INFINITY { 0.0 } else { clock.served_at(now_s) };
        clock.since_s = now_s;
        clock.rate = rate;
        if clock.served > OVERRUN_MAX * rate * now_s {
            for due in &mut self.queues[holder as usize].due {
                *due -= clock.served;
            }
            clock.first_due -= clock.served;
            clock.served = 0.0;
        }
        // If it must be looked for, the holder is stale and this is worked out again.
        self.next_end_s[holder as usize] = clock.end_s(clock.first_due, now_s);
        self.block_next_end_s[holder as usize / BLOCK] = f64::NAN;
    }

    /// `flow` has `left` bytes to go and is now served by `holder`.
    pub fn join(&mut self, holder: u32, flow: u32, left: f64) {
        let clock = &mut self.clocks[holder as usize];
        let queue = &mut self.queues[holder as usize];
        let due = clock.served_at(self.now_s) + left;
        if due < clock.first_due {
            clock.first_due = due;
        }
        self.slot[flow as usize] = queue.due.len() as u32;
        queue.due.push(due);
        queue.flow.push(flow);
        self.mark_stale(holder);
    }

    /// `flow` is no longer served by `holder`; gives the bytes it had to go.
    pub fn leave(&mut self, holder: u32, flow: u32) -> f64 {
        let clock = &mut self.clocks[holder as usize];
        let queue = &mut self.queues[holder as usize];
        let place = self.slot[flow as usize] as usize;
        let due = queue.due.swap_remove(place);
        queue.flow.swap_remove(place);
        if let Some(&moved) = queue.flow.get(place) {
            self.slot[moved as usize] = place as u32;
        }
        let left = (due - clock.served_at(self.now_s)).max(0.0);
        if queue.due.is_empty() {
            clock.first_due = f64::INFINITY;
        } else if due == clock.first_due {
            clock.first_due = f64::NAN;
        }
        self.mark_stale(holder);
        left
    }

    /// `flow` goes from one holder to another with what it has to go.
    pub fn hand_over(&mut self, flow: u32, from: u32, to: u32) {
        let left = self.leave(from, flow);
        self.join(to, flow, left);
    }

    pub fn now_s(&self) -> f64 {
        self.now_s
    }

    /// Takes every flow away from its holder; gives each with the bytes it has to go.
    pub fn take_left(&mut self) -> impl Iterator<Item = (u32, f64)> {
        let now_s = self.now_s;
        self.clocks.iter_mut().zip(&mut self.queues).flat_map(move |(clock, queue)| {
            let served = clock.served_at(now_s);
            clock.first_due = f64::INFINITY;
            queue.flow.drain(..).zip(queue.due.drain(..)).map(move |(flow, due)| (flow, f64::max(due - served, 0.0)))
        })
    }

    /// Hands every flow, with the bytes it has to go, to the holder given for it, at the rates given. No flow has a holder yet.
    pub fn hand_out(&mut self, holder_of: &[u32], rate: &[f64], left: impl Iterator<Item = (u32, f64)>) {
        for (clock, &rate) in self.clocks.iter_mut().zip(rate) {
            *clock = ServiceClock { rate, served: 0.0, since_s: self.now_s, first_due: f64::INFINITY };
        }
        for (flow, left) in left {
            self.join(holder_of[flow as usize], flow, left);
        }
        for holder in 0..self.clocks.len() as u32 {
            self.mark_stale(holder);
        }
    }

    fn mark_stale(&mut self, holder: u32) {
        if !std::mem::replace(&mut self.is_stale[holder as usize], true) {
            self.stale.push(holder);
        }
    }

    /// When the next flow ends; infinite if none runs.
    pub fn next_end_s(&mut self) -> f64 {
        for &holder in &self.stale {
            let clock = &mut self.clocks[holder as usize];
            if clock.first_due.is_nan() {
                clock.first_due = least(&self.queues[holder as usize].due);
            }
            self.next_end_s[holder as usize] = clock.end_s(clock.first_due, self.now_s);
            self.block_next_end_s[holder as usize / BLOCK] = f64::NAN;
            self.is_stale[holder as usize] = false;
        }
        self.stale.clear();
        for (block, members) in self.block_next_end_s.iter_mut().zip(self.next_end_s.chunks(BLOCK)) {
            if block.is_nan() {
                *block = least(members);
            }
        }
        least(&self.block_next_end_s)
    }

    /// Every flow that ends no later than `time_s` at its present rate, in no useful order. Call `next_end_s` first.
    pub fn ends_by(&self, time_s: f64) -> Vec<ServiceEnd> {
        let mut ends = Vec::new();
        for (block, members) in self.next_end_s.chunks(BLOCK).enumerate().filter(|&(block, _)| self.block_next_end_s[block] <= time_s) {
            for (member, _) in members.iter().enumerate().filter(|&(_, &next_s)| next_s <= time_s) {
                let clock = &self.clocks[block * BLOCK + member];
                let queue = &self.queues[block * BLOCK + member];
                // A little beyond what the clock will show, so that rounding hides none.
                let shown = clock.served_at(time_s) * (1.0 + TIE);
                let due = queue.flow.iter().zip(&queue.due).filter(|&(_, &due)| due <= shown);
                let due = due.map(|(&flow, &due)| ServiceEnd { flow, time_s: clock.end_s(due, self.now_s), rate: clock.rate });
                ends.extend(due.filter(|end| end.time_s <= time_s));
            }
        }
        ends
    }
}

/// Smallest value; infinite if there is none. Four running minima, so that none waits for the one before.
fn least(values: &[f64]) -> f64 {
    let lower = |a: f64, b: f64| if b < a { b } else { a };
    let (fours, rest) = values.as_chunks::<4>();
    let four = fours.iter().fold([f64::INFINITY; 4], |least, four| std::array::from_fn(|lane| lower(least[lane], four[lane])));
    four.iter().chain(rest).fold(f64::INFINITY, |least, &value| lower(least, value))
}
