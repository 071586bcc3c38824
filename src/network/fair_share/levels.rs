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

use super::crossings::Crossings;
use super::dirty_set::DirtySet;
use super::max_min::{self, NOBODY, TIE};
use super::service::Service;
use super::table::Table;

/// Changes of level too small to pass on: below what rounding does to the level itself.
const SAME_LEVEL: f64 = 4.0 * f64::EPSILON;

/// Exchanges and level changes one settling may take, per holder.
const STEPS_PER_HOLDER_MAX: usize = 64;

/// `foreign` is kept by adding differences, which rounds each time; it is added up afresh after so many settlings.
const SETTLINGS_PER_RECOUNT: usize = 4096;

pub(crate) struct Levels {
    table: Arc<Table>,
    standing: Vec<Standing>,
    /// Apart from the rest, since pushes write it and read nothing else.
    foreign: Vec<f64>,
    /// Who holds each flow; `NOBODY` if it does not run.
    holder: Vec<u32>,
    order: Vec<u32>,
    /// Place of each holder in `order`.
    place: Vec<u32>,
    /// Places whose holder must be settled.
    marks: DirtySet,
    crossings: Option<Crossings>,
    /// Whether loads and `crossings` know who holds what.
    pushes_known: bool,
    settlings: usize,
}

/// What a holder is and does; (1) but for `foreign`.
#[derive(Clone, Copy)]
struct Standing {
    /// Bytes/s of each flow held; infinite for a channel that holds none.
    level: f64,
    limit: f64,
    own: f64,
    /// `1 / own`, since levels are worked out far more often than flows change hands.
    per_own: f64,
    /// `own` when it was last added up.
    own_counted: f64,
    own_flows: u32,
    is_ceiling: bool,
}

impl Standing {
    fn set_own(&mut self, own: f64) {
        self.own = own;
        self.per_own = 1.0 / own;
    }

    /// The level that (1) asks for, bytes/s. A channel that holds nothing has none, unless others overfill it: then it
    /// must sink until it meets flows it can slow down.
    fn wanted(&self, foreign: f64) -> f64 {
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

/// Settling took more steps than filling from scratch would.
#[derive(Debug)]
pub(crate) struct OutOfSteps;

impl Levels {
    /// Holds nothing yet; begin with `fill`.
    pub fn new(table: Arc<Table>) -> Self {
        let holders = table.holders();
        let standing = |holder: usize| Standing {
            level: f64::INFINITY,
            limit: table.limit[holder],
            own: 0.0,
            per_own: f64::INFINITY,
            own_counted: 0.0,
            own_flows: 0,
            is_ceiling: table.is_ceiling(holder as u32),
        };
        let standing = (0..holders).map(standing).collect();
        Self {
            standing,
            foreign: vec![0.0; holders],
            holder: vec![NOBODY; table.flows()],
            table,
            order: Vec::new(),
            place: vec![0; holders],
            marks: DirtySet::new(holders),
            crossings: None,
            pushes_known: false,
            settlings: 0,
        }
    }

    /// Whether `prepare` has nothing to do.
    pub fn knows_pushes(&self) -> bool {
        self.pushes_known
    }

    /// Solves from scratch for the flows that run: who holds each, and at what level. The caller tells the service.
    pub fn fill(&mut self, limit: &[f64], runs: impl Fn(u32) -> bool) -> (&[u32], Vec<f64>) {
        let filled = max_min::fill(&self.table, limit, runs);
        self.holder = filled.holder;
        self.order = filled.order;
        for (place, &holder) in self.order.iter().enumerate() {
            self.place[holder as usize] = place as u32;
        }
        for (standing, &level) in self.standing.iter_mut().zip(&filled.level) {
            standing.level = level;
        }
        self.marks.clean_all();
        self.pushes_known = false;
        (&self.holder, filled.level)
    }

    /// Adds up afresh what is otherwise kept by differences.
    fn recount(&mut self) {
        self.foreign.fill(0.0);
        for standing in &mut self.standing {
            standing.own = 0.0;
            standing.own_flows = 0;
        }
        for flow in 0..self.table.flows() as u32 {
            let held_by = self.holder[flow as usize];
            if held_by == NOBODY {
                continue;
            }
            let level = self.standing[held_by as usize].level;
            for (other, weight) in self.table.row(flow) {
                if other == held_by {
                    self.standing[other as usize].own += weight;
                    self.standing[other as usize].own_flows += 1;
                } else {
                    self.foreign[other as usize] += weight * level;
                }
            }
        }
        for standing in &mut self.standing {
            standing.set_own(standing.own);
            standing.own_counted = standing.own;
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
        if self.standing[holder as usize].own_flows == 0 && !self.table.is_ceiling(holder) {
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
        self.standing[holder as usize].level = level;
        service.set_rate(holder, level);
    }

    /// Enters `flow`, held by nobody, as held by `holder`.
    fn take(&mut self, flow: u32, holder: u32) {
        self.holder[flow as usize] = holder;
        let level = self.standing[holder as usize].level;
        for (other, weight) in self.table.row(flow) {
            if other == holder {
                let standing = &mut self.standing[other as usize];
                standing.own_flows += 1;
                standing.set_own(standing.own + weight);
                standing.own_counted = standing.own_counted.max(standing.own);
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
        let level = self.standing[held_by as usize].level;
        for (other, weight) in self.table.row(flow) {
            if other == held_by {
                let standing = &mut self.standing[other as usize];
                standing.own_flows -= 1;
                standing.set_own(if standing.own_flows == 0 { 0.0 } else { standing.own - weight });
            } else {
                self.foreign[other as usize] -= weight * level;
            }
            self.marks.mark(self.place[other as usize] as usize);
        }
        // Subtracting loses digits once little is left.
        let standing = &mut self.standing[held_by as usize];
        if standing.own < standing.own_counted / 16.0 {
            let own = |&flow: &u32| self.table.row(flow).find(|&(other, _)| other == held_by).map_or(0.0, |(_, weight)| weight);
            standing.set_own(service.flows_of(held_by).iter().map(own).sum());
            standing.own_counted = standing.own;
        }
        if let Some(crossings) = &mut self.crossings {
            for (other, weight) in pushed_on(&self.table, held_by, flow) {
                crossings.remove(held_by, other, weight);
            }
        }
    }

    fn wanted(&self, holder: u32) -> f64 {
        self.standing[holder as usize].wanted(self.foreign[holder as usize])
    }

    fn level(&self, holder: u32) -> f64 {
        self.standing[holder as usize].level
    }

    /// Restores (1) to (3) after flows started or stopped.
    pub fn settle(&mut self, service: &mut Service) -> Result<(), OutOfSteps> {
        let places = self.order.len();
        let mut steps_left = STEPS_PER_HOLDER_MAX * places;
        // Every place from here on is marked. Pushes mark their targets one by one until that has cost as much as looking at
        // all places; from then on all are marked, and stay so until looked at.
        let mut marked_from = places;
        let mut marks_made = 0;
        let mut next = 0;
        while let Some(place) = self.marks.first_from(next) {
            self.marks.clean(place);
            marked_from = marked_from.max(place + 1);
            let wanted = self.wanted(self.order[place]);
            if self.rises(place, wanted, service, &mut steps_left) {
                next = place;
                continue;
            }
            let settled = self.sinks(place, wanted, service, &mut steps_left);
            next = settled + 1;
            let wanted = if settled < place { self.wanted(self.order[settled]) } else { wanted };
            if self.set_level(settled, wanted, service) {
                if marked_from < places || marks_made >= places {
                    self.marks.mark_range(settled + 1..marked_from);
                    marked_from = settled + 1;
                } else {
                    marks_made += self.mark_pushed(settled);
                }
            }
            steps_left = steps_left.saturating_sub(1);
            if steps_left == 0 {
                return Err(OutOfSteps);
            }
        }
        self.settlings += 1;
        if self.settlings.is_multiple_of(SETTLINGS_PER_RECOUNT) {
            self.recount();
        }
        Ok(())
    }

    /// Moves the holder at `place` below every settled one with a higher level; gives its new place.
    fn sinks(&mut self, from: usize, mut wanted: f64, service: &mut Service, steps_left: &mut usize) -> usize {
        let mut place = from;
        while place > 0 && wanted < self.level(self.order[place - 1]) * (1.0 - TIE) && *steps_left > 0 {
            place -= 1;
            *steps_left -= 1;
            self.exchange(place, service);
            self.marks.clean(place);
            wanted = self.wanted(self.order[place]);
        }
        // The one that is now last has a new neighbour above.
        if place < from {
            self.marks.mark(from);
        }
        place
    }

    /// Moves the holder at `place` above those that will end up lower, and marks it there. False if it stays.
    fn rises(&mut self, place: usize, mut wanted: f64, service: &mut Service, steps_left: &mut usize) -> bool {
        let mut above = place;
        while above + 1 < self.order.len() && *steps_left > 0 {
            // A marked neighbour must be lower both as it stands and as it wants to be: were one enough, two marked ones with
            // levels out of date could exchange for ever.
            let next = self.order[above + 1];
            if self.level(next) >= wanted * (1.0 - TIE) || self.marks.contains(above + 1) && self.wanted(next) >= wanted * (1.0 - TIE) {
                break;
            }
            self.exchange(above, service);
            above += 1;
            *steps_left -= 1;
            wanted = self.wanted(self.order[above]);
        }
        // The one that is now first has a new neighbour below.
        if above > place {
            self.marks.mark(place);
            self.marks.mark(above);
        }
        above > place
    }

    /// Exchanges the holders at `place` and `place + 1`. Flows that both could hold go to the one that is now first.
    fn exchange(&mut self, place: usize, service: &mut Service) {
        let (from, to) = (self.order[place], self.order[place + 1]);
        self.order.swap(place, place + 1);
        self.marks.swap(place, place + 1);
        self.place[from as usize] = place as u32 + 1;
        self.place[to as usize] = place as u32;
        let is_capped = self.table.is_ceiling(from) || self.table.is_ceiling(to);
        let Some(crossings) = self.crossings.as_ref().filter(|crossings| is_capped || crossings.may_push(from, to)) else { return };
        let shared = crossings.shared(from, to);
        for place in 0..shared.flows {
            let flow = self.crossings.as_ref().map_or(NOBODY, |crossings| crossings.shared_flow(shared, place));
            if self.holder[flow as usize] == from {
                if self.standing[to as usize].own_flows == 0 && !self.table.is_ceiling(to) {
                    self.wake(to, self.level(from), service);
                }
                let left = service.leave(from, flow);
                self.release(flow, service);
                self.take(flow, to);
                service.join(to, flow, left);
            }
        }
    }

    /// Sets the level of the holder at `place`; true if others must know.
    fn set_level(&mut self, place: usize, level: f64, service: &mut Service) -> bool {
        let holder = self.order[place];
        let standing = &mut self.standing[holder as usize];
        let change = level - standing.level;
        if standing.own_flows == 0 {
            standing.level = level;
            return false;
        }
        if change.abs() <= SAME_LEVEL * level {
            return false;
        }
        standing.level = level;
        service.set_rate(holder, level);
        if let Some(crossings) = &self.crossings {
            crossings.push(holder, change, &mut self.foreign);
        }
        true
    }

    /// Marks all that the holder at `place` pushes on, and says how many.
    fn mark_pushed(&mut self, place: usize) -> usize {
        let pushed = self.crossings.as_ref().map_or(&[][..], |crossings| crossings.pushed(self.order[place]));
        for &other in pushed {
            self.marks.mark(self.place[other as usize] as usize);
        }
        pushed.len()
    }
}

/// Channels besides its holder that `flow` loads, with its weight. Ceilings neither feel a load nor pass one on.
fn pushed_on(table: &Table, held_by: u32, flow: u32) -> impl Iterator<Item = (u32, f64)> {
    let passes_on = !table.is_ceiling(held_by);
    table.row(flow).filter(move |&(other, _)| passes_on && other != held_by && !table.is_ceiling(other))
}
