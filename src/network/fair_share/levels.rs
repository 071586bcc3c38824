//! Max-min rates kept right while flows come and go.
//!
//! What the rates depend on is small. Each running flow has one holder `h(f)` and runs at that holder's level, so
//!
//! ```text
//! (1)  level[c] * own[c] + foreign[c] = capacity[c]      own[c]     = sum of weight[f,c] over flows that c holds
//!                                                        foreign[c] = sum of weight[f,c] * level[h(f)] over its other flows
//! (2)  h(f) is the first of f's row in an order of the holders,
//! (3)  and that order is by level.
//! ```
//!
//! (1) to (3) together say that every flow has a full channel (or a cap) on which none is faster, and no channel is
//! overfull: that is max-min fairness. By (2), (1) is triangular: a level depends on lower ones alone.
//!
//! So when a flow starts or stops, only its own channels are marked, and then the marked ones are settled from the lowest up:
//! work out the level by (1); if it breaks (3) towards the settled neighbour below or the one above, exchange the two and
//! hand over the flows they share, which restores (2); else push the change on to the channels it touches, which marks
//! them. Nothing is marked: (1) to (3) hold again. Channels below the lowest mark, in other components, or behind a channel
//! whose level stayed are never read.
//!
//! Where settling ends, (1) to (3) hold, so its answer is right however it got there. That it always ends soon is not proven:
//! it behaves as an insertion sort and no test has seen it do otherwise. So it carries a budget; past it, `settle` gives up
//! and the caller fills from scratch.

use std::sync::Arc;

use super::crossings::{Crossings, STRIDE};
use super::dirty_set::DirtySet;
use super::max_min::{self, NOBODY, TIE};
use super::service::Service;
use super::table::SharingTable;

/// Changes of level too small to pass on: below what rounding does to the level itself.
pub(super) const SAME_LEVEL: f64 = 4.0 * f64::EPSILON;

pub(crate) struct Levels {
    pub(super) table: Arc<SharingTable>,
    /// In the order of the holders, from place 1. Nobody stands at either end, below and above all, so that each holder has two
    /// neighbours.
    pub(super) standing: Vec<HolderStanding>,
    /// By holder, and a stride more. Apart from the rest, since pushes write it and read nothing else.
    pub(super) foreign: Vec<f64>,
    /// By holder.
    own: Vec<Own>,
    /// Who holds each flow; `NOBODY` if it does not run.
    pub(super) holder: Vec<u32>,
    /// Place of each holder in the order.
    pub(super) place: Vec<u32>,
    /// Places whose holder must be settled.
    pub(super) marks: DirtySet,
    pub(super) crossings: Option<Crossings>,
    /// Whether loads and `crossings` know who holds what.
    pushes_known: bool,
    pub(super) settlings: usize,
}

/// What a holder is and does; (1) but for `foreign`. Small, since settling reads little else.
#[derive(Clone, Copy)]
pub(super) struct HolderStanding {
    pub holder: u32,
    pub own_flows: u32,
    /// Bytes/s of each flow held; infinite for a channel that holds none.
    pub level: f64,
    limit: f64,
    /// `1 / own`, since levels are worked out far more often than flows change hands.
    per_own: f64,
    is_ceiling: bool,
}

/// The summed weight of what a holder holds.
#[derive(Clone, Copy, Default)]
struct Own {
    weight: f64,
    /// `weight` when it was last added up.
    counted: f64,
}

impl HolderStanding {
    /// Holds nothing yet.
    fn new(holder: u32, level: f64, limit: f64, is_ceiling: bool) -> Self {
        Self { holder, own_flows: 0, level, limit, per_own: f64::INFINITY, is_ceiling }
    }

    fn hold(&mut self, weight: f64, own: &mut Own) {
        own.weight += weight;
        own.counted = own.counted.max(own.weight);
        self.own_flows += 1;
        self.per_own = 1.0 / own.weight;
    }

    fn let_go(&mut self, weight: f64, own: &mut Own) {
        self.own_flows -= 1;
        own.weight = if self.own_flows == 0 { 0.0 } else { own.weight - weight };
        self.per_own = 1.0 / own.weight;
    }

    /// The level that (1) asks for, bytes/s. A channel that holds nothing has none, unless others overfill it: then it
    /// must sink until it meets flows it can slow down.
    pub fn wanted(&self, foreign: f64) -> f64 {
        if self.is_ceiling {
            self.limit
        } else if self.own_flows > 0 {
            (self.limit - foreign) * self.per_own
        } else if foreign <= self.limit * (1.0 + TIE) {
            f64::INFINITY
        } else {
            0.0
        }
    }
}

impl Levels {
    /// Holds nothing yet; begin with `fill`.
    pub fn new(table: Arc<SharingTable>) -> Self {
        let holders = table.holders();
        Self {
            standing: Vec::new(),
            foreign: vec![0.0; holders + STRIDE],
            own: vec![Own::default(); holders],
            holder: vec![NOBODY; table.flows()],
            table,
            place: vec![0; holders],
            marks: DirtySet::new(holders + 2),
            crossings: None,
            pushes_known: false,
            settlings: 0,
        }
    }

    pub(super) fn holders(&self) -> usize {
        self.table.holders()
    }

    /// Whether `prepare` has nothing to do.
    pub fn knows_pushes(&self) -> bool {
        self.pushes_known
    }

    /// Solves from scratch for the flows that run: who holds each, and at what level. The caller tells the service.
    pub fn fill(&mut self, limit: &[f64], runs: impl Fn(u32) -> bool) -> (&[u32], Vec<f64>) {
        let filled = max_min::fill(&self.table, limit, runs);
        self.holder = filled.holder;
        let (table, place) = (&self.table, &mut self.place);
        let standing = |(number, holder): (usize, u32)| {
            place[holder as usize] = number as u32 + 1;
            HolderStanding::new(holder, filled.level[holder as usize], table.limit[holder as usize], table.is_ceiling(holder))
        };
        let nobody = table.holders() as u32;
        self.standing.clear();
        self.standing.push(HolderStanding::new(nobody, f64::NEG_INFINITY, 0.0, true));
        self.standing.extend(filled.order.into_iter().enumerate().map(standing));
        self.standing.push(HolderStanding::new(nobody, f64::INFINITY, 0.0, true));
        self.marks.clean_all();
        self.pushes_known = false;
        (&self.holder, filled.level)
    }

    /// Adds up afresh what is otherwise kept by differences.
    pub(super) fn recount(&mut self) {
        self.foreign.fill(0.0);
        self.own.fill(Own::default());
        for standing in &mut self.standing {
            standing.own_flows = 0;
        }
        for flow in 0..self.table.flows() as u32 {
            let held_by = self.holder[flow as usize];
            if held_by == NOBODY {
                continue;
            }
            let level = self.standing[self.place[held_by as usize] as usize].level;
            for (other, weight) in self.table.row(flow) {
                if other == held_by {
                    self.own[other as usize].weight += weight;
                    self.standing[self.place[other as usize] as usize].own_flows += 1;
                } else {
                    self.foreign[other as usize] += weight * level;
                }
            }
        }
        for standing in self.standing.iter_mut().filter(|standing| standing.holder != self.table.holders() as u32) {
            let own = &mut self.own[standing.holder as usize];
            own.counted = own.weight;
            standing.per_own = 1.0 / own.weight;
        }
    }

    /// Makes ready for `start`, `stop` and `settle` after a `fill`.
    pub fn prepare(&mut self) {
        if self.pushes_known {
            return;
        }
        self.recount();
        let mut crossings = self.crossings.take().unwrap_or_else(|| Crossings::new(&self.table));
        crossings.clear();
        for flow in 0..self.table.flows() as u32 {
            let held_by = self.holder[flow as usize];
            if held_by != NOBODY {
                for (other, weight) in pushed_on(&self.table, held_by, flow) {
                    crossings.add(held_by, other, weight);
                }
            }
        }
        self.crossings = Some(crossings);
        self.pushes_known = true;
    }

    /// `flow` begins to run with `bytes` to go. Call `prepare` before and `settle` after.
    pub fn start(&mut self, flow: u32, bytes: f64, service: &mut Service) {
        let Some((holder, _)) = self.table.row(flow).min_by_key(|&(other, _)| self.place[other as usize]) else { return };
        if self.standing[self.place[holder as usize] as usize].own_flows == 0 && !self.table.is_ceiling(holder) {
            // No level the flow could ever reach is higher, so no channel sees a load beyond its capacity from the guess.
            let row = self.table.row(flow).filter(|&(other, _)| !self.table.is_ceiling(other));
            let highest = row.map(|(other, weight)| self.table.limit[other as usize] / weight).fold(f64::INFINITY, f64::min);
            self.wake(holder, highest, service);
        }
        self.take(flow, holder);
        service.join(holder, flow, bytes);
    }

    /// `flow` has ended. Call `prepare` before and `settle` after.
    pub fn stop(&mut self, flow: u32, service: &mut Service) {
        let held_by = self.holder[flow as usize];
        if held_by != NOBODY {
            service.leave(held_by, flow);
            self.release(flow, service);
        }
    }

    /// Gives a level to a channel that holds no flow yet, so that it can take one; settling corrects it.
    fn wake(&mut self, holder: u32, level: f64, service: &mut Service) {
        self.standing[self.place[holder as usize] as usize].level = level;
        service.set_rate(holder, level);
    }

    /// Enters `flow`, held by nobody, as held by `holder`.
    fn take(&mut self, flow: u32, holder: u32) {
        self.holder[flow as usize] = holder;
        let level = self.standing[self.place[holder as usize] as usize].level;
        for (other, weight) in self.table.row(flow) {
            if other == holder {
                self.standing[self.place[other as usize] as usize].hold(weight, &mut self.own[other as usize]);
            } else {
                self.foreign[other as usize] += weight * level;
            }
            self.marks.mark(self.place[other as usize] as usize);
        }
        if let Some(crossings) = &mut self.crossings {
            for (other, weight) in pushed_on(&self.table, holder, flow) {
                crossings.add(holder, other, weight);
            }
        }
    }

    /// Undoes `take`.
    fn release(&mut self, flow: u32, service: &Service) {
        let held_by = self.holder[flow as usize];
        self.holder[flow as usize] = NOBODY;
        let level = self.standing[self.place[held_by as usize] as usize].level;
        for (other, weight) in self.table.row(flow) {
            if other == held_by {
                self.standing[self.place[other as usize] as usize].let_go(weight, &mut self.own[other as usize]);
            } else {
                self.foreign[other as usize] -= weight * level;
            }
            self.marks.mark(self.place[other as usize] as usize);
        }
        self.refresh_own(held_by, service);
        if let Some(crossings) = &mut self.crossings {
            for (other, weight) in pushed_on(&self.table, held_by, flow) {
                crossings.remove(held_by, other, weight);
            }
        }
    }

    /// Subtracting loses digits once little is left.
    fn refresh_own(&mut self, holder: u32, service: &Service) {
        let Own { weight, counted } = self.own[holder as usize];
        if weight < counted / 16.0 {
            let own = |&flow: &u32| self.table.row(flow).find(|&(other, _)| other == holder).map_or(0.0, |(_, weight)| weight);
            let weight = service.flows_of(holder).iter().map(own).sum();
            self.own[holder as usize] = Own { weight, counted: weight };
            self.standing[self.place[holder as usize] as usize].per_own = 1.0 / weight;
        }
    }

    /// Gives `flow` from the holder at `place + 1` to the one at `place`, at one look: `release`, then `take`. The two are `pair` in
    /// the crossings.
    pub(super) fn hand_over(&mut self, flow: u32, pair: usize, place: usize, service: &mut Service) {
        let (to, from) = (self.standing[place].holder, self.standing[place + 1].holder);
        let is_capped = self.table.is_ceiling(from) || self.table.is_ceiling(to);
        let level = self.standing[place + 1].level;
        if self.standing[place].own_flows == 0 && !self.table.is_ceiling(to) {
            self.wake(to, level, service);
        }
        let new_level = self.standing[place].level;
        service.hand_over(flow, from, to);
        self.holder[flow as usize] = to;
        let Some(crossings) = &mut self.crossings else { return };
        for (other, weight) in self.table.row(flow) {
            let foreign = &mut self.foreign[other as usize];
            if other == from {
                self.standing[place + 1].let_go(weight, &mut self.own[other as usize]);
                *foreign += weight * new_level;
                if !is_capped {
                    crossings.add_to(pair, to, from, weight);
                }
            } else if other == to {
                *foreign -= weight * level;
                self.standing[place].hold(weight, &mut self.own[other as usize]);
                if !is_capped {
                    crossings.remove_from(pair, from, to, weight);
                }
            } else {
                *foreign -= weight * level;
                *foreign += weight * new_level;
                self.marks.mark(self.place[other as usize] as usize);
                if !self.table.is_ceiling(other) {
                    if !self.table.is_ceiling(from) {
                        crossings.remove(from, other, weight);
                    }
                    if !self.table.is_ceiling(to) {
                        crossings.add(to, other, weight);
                    }
                }
            }
        }
        self.marks.mark_range(place..place + 2);
        self.refresh_own(from, service);
    }

    /// The level that the holder at `place` should have, by (1).
    pub(super) fn wanted(&self, place: usize) -> f64 {
        let standing = &self.standing[place];
        standing.wanted(self.foreign[standing.holder as usize])
    }
}

/// Channels besides its holder that `flow` loads, with its weight. Ceilings neither feel a load nor pass one on.
fn pushed_on(table: &SharingTable, held_by: u32, flow: u32) -> impl Iterator<Item = (u32, f64)> {
    let passes_on = !table.is_ceiling(held_by);
    table.row(flow).filter(move |&(other, _)| passes_on && other != held_by && !table.is_ceiling(other))
}
