//! Puts levels right from the lowest marked place upwards; what holds before and after is told in `levels.rs`.

use super::levels::{Levels, SAME_LEVEL};
use super::max_min::TIE;
use super::service::Service;

/// Exchanges and level changes one settling may take, per holder.
const STEPS_PER_HOLDER_MAX: usize = 64;

/// From one holder in so many being marked on, it is cheaper to look at all that are left than to mark them one by one.
const HOLDERS_PER_MARK: usize = 4;

/// `foreign` is kept by adding differences, which rounds each time; it is added up afresh after so many settlings.
const SETTLINGS_PER_RECOUNT: usize = 4096;

/// Settling took more steps than filling from scratch would.
#[derive(Debug)]
pub(crate) struct OutOfSteps;

impl Levels {
    /// Restores (1) to (3) after flows started or stopped.
    pub fn settle(&mut self, service: &mut Service) -> Result<(), OutOfSteps> {
        let holders = self.holders();
        let mut steps_left = STEPS_PER_HOLDER_MAX * holders;
        // Every place from here on is marked, and stays so until looked at.
        let mut marked_from = holders + 1;
        let mut marks_made = 0;
        let mut next = 0;
        while let Some(place) = self.marks.first_from(next) {
            self.marks.clean(place);
            marked_from = marked_from.max(place + 1);
            let mut settled = place;
            let changes = match self.settle_in_order(place, service) {
                Some(changes) => changes,
                None if self.rises(place, service, &mut steps_left) => {
                    next = place;
                    continue;
                }
                None => {
                    settled = self.sinks(place, service, &mut steps_left);
                    self.set_level(settled, self.wanted(settled), service)
                }
            };
            next = settled + 1;
            if changes {
                if marked_from <= holders || HOLDERS_PER_MARK * marks_made >= holders {
                    if settled + 1 < marked_from {
                        self.marks.mark_range(settled + 1..marked_from);
                    }
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

    /// Sets the level of the holder at `place` if what it wants lies between those of its neighbours, as most do; true if others must know.
    fn settle_in_order(&mut self, place: usize, service: &mut Service) -> Option<bool> {
        let [below, here, above] = self.standing[place - 1..].first_chunk()?;
        let wanted = here.wanted(self.foreign[here.holder as usize]);
        let is_in_order = above.level >= wanted * (1.0 - TIE) && wanted >= below.level * (1.0 - TIE);
        is_in_order.then(|| self.set_level(place, wanted, service))
    }

    /// Moves the holder at `place` below every settled one with a higher level; gives its new place.
    fn sinks(&mut self, from: usize, service: &mut Service, steps_left: &mut usize) -> usize {
        let mut wanted = self.wanted(from);
        let mut place = from;
        while wanted < self.standing[place - 1].level * (1.0 - TIE) && *steps_left > 0 {
            place -= 1;
            *steps_left -= 1;
            self.exchange(place, service);
            self.marks.clean(place);
            wanted = self.wanted(place);
        }
        // The one that is now last has a new neighbour above.
        if place < from {
            self.marks.mark(from);
        }
        place
    }

    /// Moves the holder at `place` above those that will end up lower, and marks it there. False if it stays.
    fn rises(&mut self, place: usize, service: &mut Service, steps_left: &mut usize) -> bool {
        let mut wanted = self.wanted(place);
        let mut above = place;
        while above < self.holders() && *steps_left > 0 {
            // A marked neighbour must be lower both as it stands and as it wants to be: were one enough, two marked ones with
            // levels out of date could exchange for ever.
            let least = wanted * (1.0 - TIE);
            if self.standing[above + 1].level >= least || self.marks.contains(above + 1) && self.wanted(above + 1) >= least {
                break;
            }
            self.exchange(above, service);
            above += 1;
            *steps_left -= 1;
            wanted = self.wanted(above);
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
        self.standing.swap(place, place + 1);
        let (to, from) = (self.standing[place].holder, self.standing[place + 1].holder);
        self.marks.swap(place, place + 1);
        self.place[from as usize] = place as u32 + 1;
        self.place[to as usize] = place as u32;
        let is_capped = self.table.is_ceiling(from) || self.table.is_ceiling(to);
        let Some(crossings) = self.crossings.as_ref().filter(|crossings| is_capped || crossings.may_push(from, to)) else { return };
        let Some(pair) = crossings.pair(from, to) else { return };
        for number in 0..crossings.shared_flows(pair) {
            let Some(flow) = self.crossings.as_ref().map(|crossings| crossings.shared_flow(pair, number)) else { return };
            if self.holder[flow as usize] == from {
                self.hand_over(flow, pair, place, service);
            }
        }
    }

    /// Sets the level of the holder at `place`; true if others must know.
    fn set_level(&mut self, place: usize, level: f64, service: &mut Service) -> bool {
        let standing = &mut self.standing[place];
        let change = level - standing.level;
        if standing.own_flows == 0 {
            standing.level = level;
            return false;
        }
        if change.abs() <= SAME_LEVEL * level {
            return false;
        }
        standing.level = level;
        let holder = standing.holder;
        service.set_rate(holder, level);
        if let Some(crossings) = &self.crossings {
            crossings.push(holder, change, &mut self.foreign);
        }
        true
    }

    /// Marks all that the holder at `place` pushes on, and says how many were not yet.
    fn mark_pushed(&mut self, place: usize) -> usize {
        let pushed = self.crossings.as_ref().map_or(&[][..], |crossings| crossings.pushed(self.standing[place].holder));
        pushed.iter().filter(|&&other| self.marks.mark_anew(self.place[other as usize] as usize)).count()
    }
}
