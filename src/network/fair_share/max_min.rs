//! Max-min fair rates, by progressive filling.
//!
//! Let one water level `x` (bytes/s) rise from 0, and let every flow run at `x` until something holds it:
//!
//! ```text
//! a channel c holds its flows when   held[c] + x * free[c] = capacity[c]
//! a ceiling holds its flows when     x = cap
//! ```
//!
//! where `held[c]` is the load of flows already held and `free[c]` the summed weight (count x share) of those that still
//! rise. So channel `c` saturates at `level[c] = (capacity[c] - held[c]) / free[c]`. Holding a flow elsewhere, at a
//! level no higher than `level[c]`, can only raise `level[c]`; hence a queue whose keys may be too low but never too high
//! gives the next channel after re-reading a key or two, and each flow is held once.
//!
//! Cost: every entry is read twice, every channel is queued about once: O(entries + channels log channels) unless keys go
//! stale many times over.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::sharing::Sharing;
use super::table::SharingTable;

/// Two levels closer than this (relative) count as equal: far above rounding, far below any input's precision.
pub(crate) const TIE: f64 = 1e-12;

/// Marks a flow that nothing holds: it is not running.
pub(crate) const NOBODY: u32 = u32::MAX;

/// What keeps a flow from going faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bottleneck {
    /// This channel is full, and none of its flows is faster.
    Channel(u32),
    /// The flow's own cap.
    Cap,
}

/// The answer: one rate and one reason a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Bytes/s of each single flow (of each of the `count` identical ones).
    pub rate: Vec<f64>,
    /// What holds each flow.
    pub bottleneck: Vec<Bottleneck>,
}

/// The max-min fair rates of all flows.
#[must_use]
pub fn max_min(sharing: &Sharing) -> Rates {
    let table = SharingTable::new(sharing);
    let filled = fill(&table, &table.limit, |_| true);
    let bottleneck = filled.holder.iter().map(|&holder| if table.is_ceiling(holder) { Bottleneck::Cap } else { Bottleneck::Channel(holder) });
    Rates { bottleneck: bottleneck.collect(), rate: filled.holder.iter().map(|&holder| filled.level[holder as usize]).collect() }
}

/// Progressive filling, told by holder.
pub(crate) struct Filled {
    /// Bytes/s at which each holder holds its flows; infinite for a channel that holds none.
    pub level: Vec<f64>,
    /// Who holds each flow; `NOBODY` if it does not run.
    pub holder: Vec<u32>,
    /// All holders, lowest level first. The holder of a flow is the first of its row in this order.
    pub order: Vec<u32>,
}

/// A queued holder; the lowest level comes out first, then the lowest number.
#[derive(PartialEq)]
struct Key {
    level: f64,
    holder: u32,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        other.level.total_cmp(&self.level).then(other.holder.cmp(&self.holder))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Key {}

/// Fills the channels of `table` up to `limit` (bytes/s, by holder) with the flows that run.
pub(crate) fn fill(table: &SharingTable, limit: &[f64], runs: impl Fn(u32) -> bool) -> Filled {
    let holders = table.holders();
    let mut rises: Vec<bool> = (0..table.flows() as u32).map(runs).collect();
    let mut rising = Rising { held: vec![0.0; holders], free: vec![0.0; holders], counted: vec![0.0; holders], free_flows: vec![0; holders] };
    for flow in (0..table.flows()).filter(|&flow| rises[flow]) {
        rising.add(table.row(flow as u32));
    }

    let mut answer = Filled { level: vec![f64::INFINITY; holders], holder: vec![NOBODY; table.flows()], order: Vec::with_capacity(holders) };
    let mut queue: BinaryHeap<Key> = (0..holders as u32).map(|holder| Key { level: rising.level(table, limit, holder), holder }).collect();
    let mut never_full = Vec::new();
    let mut free_flows = Vec::new();
    let mut water = 0.0_f64;
    while let Some(Key { level: queued, holder }) = queue.pop() {
        if !table.is_ceiling(holder) && rising.free_flows[holder as usize] == 0 {
            never_full.push(holder);
            continue;
        }
        // Subtracting weights one by one loses digits once little is left: then add up afresh what still rises, and
        // always before a level is used.
        let mut level = rising.level(table, limit, holder);
        if level <= queued * (1.0 + TIE) || rising.has_faded(holder) {
            free_flows.clear();
            free_flows.extend(table.column(holder).filter(|&(flow, _)| rises[flow as usize]));
            rising.recount(holder, free_flows.iter().map(|(_, weight)| weight).sum());
            level = rising.level(table, limit, holder);
        }
        if level > queued * (1.0 + TIE) {
            queue.push(Key { level, holder });
            continue;
        }
        water = water.max(level);
        answer.level[holder as usize] = water;
        answer.order.push(holder);
        for &(flow, _) in &free_flows {
            rises[flow as usize] = false;
            answer.holder[flow as usize] = holder;
            rising.hold(table.row(flow), water);
        }
    }
    never_full.sort_unstable();
    answer.order.extend(never_full);
    answer
}

/// Per holder: what is settled and what still rises.
struct Rising {
    /// Bytes/s of flows already held, here or elsewhere.
    held: Vec<f64>,
    /// Summed weight of the flows that still rise.
    free: Vec<f64>,
    /// `free` when it was last added up.
    counted: Vec<f64>,
    free_flows: Vec<u32>,
}

impl Rising {
    fn add(&mut self, row: impl Iterator<Item = (u32, f64)>) {
        for (holder, weight) in row {
            self.free[holder as usize] += weight;
            self.counted[holder as usize] += weight;
            self.free_flows[holder as usize] += 1;
        }
    }

    fn hold(&mut self, row: impl Iterator<Item = (u32, f64)>, level: f64) {
        for (holder, weight) in row {
            self.held[holder as usize] += weight * level;
            self.free[holder as usize] -= weight;
            self.free_flows[holder as usize] -= 1;
        }
    }

    fn has_faded(&self, holder: u32) -> bool {
        self.free[holder as usize] < self.counted[holder as usize] / 16.0
    }

    fn recount(&mut self, holder: u32, free: f64) {
        self.free[holder as usize] = free;
        self.counted[holder as usize] = free;
    }

    fn level(&self, table: &SharingTable, limit: &[f64], holder: u32) -> f64 {
        let index = holder as usize;
        if table.is_ceiling(holder) {
            limit[index]
        } else if self.free_flows[index] == 0 {
            f64::INFINITY
        } else {
            (limit[index] - self.held[index]).max(0.0) / self.free[index].max(f64::MIN_POSITIVE)
        }
    }
}
