//! The flows that have not ended: how fast each runs, and what it has left.
//!
//! Levels know rates, the service knows bytes; this keeps the two in step, and drops ended flows from both once they are the
//! greater part, so that the cost of an event falls with the flows that are left.

use std::sync::Arc;

use super::levels::Levels;
use super::max_min::NOBODY;
use super::service::{Service, ServiceEnd};
use super::table::SharingTable;

/// Filling from scratch beats settling when more flows than this start or end at once: a few, or one in so many holders.
const SETTLED_CHANGES: usize = 4;
const HOLDERS_PER_SETTLED_CHANGE: usize = 64;

/// After a filling, settling first needs to know who pushes on whom, which costs about as much as this many fillings; so it waits for
/// as many small changes in a row.
const SMALL_CHANGES_BEFORE_SETTLING: usize = 2;

/// Tables of fewer flows are not worth making smaller: where every change fills them afresh, and where few do.
const FILLED_FLOWS_MIN: usize = 64;
const SETTLED_FLOWS_MIN: usize = 16_384;
/// In tests, so that small problems make them smaller too.
const TESTED_FLOWS_MIN: usize = 4;

/// Most of a channel's capacity that makes good for earlier windows: the rest is to keep every flow moving.
const REPAID_MAX: f64 = 0.5;

pub(crate) struct Live {
    table: Arc<SharingTable>,
    levels: Levels,
    service: Service,
    /// The caller's number of each flow of the table.
    flow_of: Vec<u32>,
    /// The table's number of each of the caller's flows, `NOBODY` once it has been dropped.
    row_of: Vec<u32>,
    small_changes: usize,
    /// Whether ends are taken together, so that channels carry too much or too little in between.
    repays: bool,
    /// Bytes that each holder has carried too much so far.
    owed: Vec<f64>,
    /// Bytes/s by which each holder now carries less, so as to make good.
    repaid: Vec<f64>,
}

/// A flow that begins to run.
pub(crate) struct Begin {
    pub flow: u32,
    pub bytes: f64,
}

impl Live {
    /// No flow runs yet. `repays`: ends will be taken together.
    pub fn new(table: Arc<SharingTable>, repays: bool) -> Self {
        let flows = table.flows() as u32;
        Self {
            levels: Levels::new(Arc::clone(&table)),
            service: Service::new(table.holders(), table.flows()),
            owed: vec![0.0; table.holders()],
            repaid: vec![0.0; table.holders()],
            repays,
            table,
            flow_of: (0..flows).collect(),
            row_of: (0..flows).collect(),
            small_changes: 0,
        }
    }

    pub fn holders(&self) -> usize {
        self.table.holders()
    }

    pub fn advance(&mut self, now_s: f64) {
        if self.repays {
            let passed_s = now_s - self.service.now_s();
            for (owed, repaid) in self.owed.iter_mut().zip(&self.repaid) {
                *owed -= repaid * passed_s;
            }
        }
        self.service.advance(now_s);
    }

    /// When the next flow ends; infinite if none runs.
    pub fn next_end_s(&mut self) -> f64 {
        self.service.next_end_s()
    }

    /// Every flow that ends no later than `time_s` at its present rate, in no useful order. Call `next_end_s` first.
    pub fn ends_by(&self, time_s: f64) -> Vec<ServiceEnd> {
        let mut ends = self.service.ends_by(time_s);
        ends.iter_mut().for_each(|end| end.flow = self.flow_of[end.flow as usize]);
        ends
    }

    /// Puts rates right after some flows ended and others began. `runs` and `has_ended` are by the caller's numbers, after the
    /// change; `remaining` counts the flows that have not ended.
    pub fn change(&mut self, ended: &[ServiceEnd], begun: &[Begin], runs: &[bool], has_ended: &[bool], remaining: usize) {
        let changes = ended.len() + begun.len();
        let is_small = changes <= SETTLED_CHANGES.max(self.holders() / HOLDERS_PER_SETTLED_CHANGE);
        self.small_changes = if is_small { self.small_changes + 1 } else { 0 };
        let drops = 2 * remaining <= self.table.flows() && self.table.flows() > self.flows_min();
        let is_steady = is_small && (self.levels.knows_pushes() || self.small_changes >= SMALL_CHANGES_BEFORE_SETTLING);
        // Settling knows the true capacities only: what is still to be made good is then forgotten.
        let may_settle = is_steady && !drops && !(self.repays && self.repaid.iter().any(|&repaid| repaid != 0.0));
        if may_settle && self.settle(ended, begun) {
            return;
        }
        let mut limit = self.table.limit.clone();
        if self.repays && !is_steady {
            self.repay(ended, &mut limit);
        } else {
            self.owed.fill(0.0);
            self.repaid.fill(0.0);
        }
        let left = self.service.take_left();
        let mut left: Vec<(u32, f64)> = left.map(|(row, left)| (self.flow_of[row as usize], left)).filter(|&(flow, _)| runs[flow as usize]).collect();
        left.extend(begun.iter().map(|begin| (begin.flow, begin.bytes)));
        if drops {
            self.drop_ended(has_ended);
        }
        let (flow_of, row_of) = (&self.flow_of, &self.row_of);
        let (holder, level) = self.levels.fill(&limit, |row| runs[flow_of[row as usize] as usize]);
        self.service.hand_out(holder, &level, left.into_iter().map(|(flow, left)| (row_of[flow as usize], left)));
    }

    fn flows_min(&self) -> usize {
        match self.repays {
            _ if cfg!(test) => TESTED_FLOWS_MIN,
            true => FILLED_FLOWS_MIN,
            false => SETTLED_FLOWS_MIN,
        }
    }

    /// False if settling ran out of steps: everything is then to be filled again, with no flow lost.
    fn settle(&mut self, ended: &[ServiceEnd], begun: &[Begin]) -> bool {
        self.levels.prepare();
        for end in ended {
            self.levels.stop(self.row_of[end.flow as usize], &mut self.service);
        }
        for begin in begun {
            self.levels.start(self.row_of[begin.flow as usize], begin.bytes, &mut self.service);
        }
        self.levels.settle(&mut self.service).is_ok()
    }

    /// Notes what `ended` took from their channels beyond now, or left to others before, and changes the capacities in `limit` so
    /// that it evens out about as fast as it came about.
    fn repay(&mut self, ended: &[ServiceEnd], limit: &mut [f64]) {
        let now_s = self.service.now_s();
        for end in ended {
            for (holder, weight) in self.table.row(self.row_of[end.flow as usize]) {
                self.owed[holder as usize] += weight * end.rate * (end.time_s - now_s);
            }
        }
        let first_s = ended.iter().map(|end| end.time_s).fold(f64::INFINITY, f64::min);
        let last_s = ended.iter().map(|end| end.time_s).fold(0.0, f64::max);
        let over_s = last_s - first_s;
        for ((limit, owed), repaid) in limit.iter_mut().zip(&self.owed).zip(&mut self.repaid) {
            *repaid = if over_s > 0.0 { (owed / over_s).clamp(-REPAID_MAX * *limit, REPAID_MAX * *limit) } else { 0.0 };
            *limit -= *repaid;
        }
    }

    fn drop_ended(&mut self, has_ended: &[bool]) {
        let rows: Vec<u32> = (0..self.table.flows() as u32).filter(|&row| !has_ended[self.flow_of[row as usize] as usize]).collect();
        self.flow_of = rows.iter().map(|&row| self.flow_of[row as usize]).collect();
        self.row_of.fill(NOBODY);
        for (row, &flow) in self.flow_of.iter().enumerate() {
            self.row_of[flow as usize] = row as u32;
        }
        self.table = Arc::new(self.table.only(&rows));
        self.levels = Levels::new(Arc::clone(&self.table));
        let now_s = self.service.now_s();
        self.service = Service::new(self.table.holders(), self.table.flows());
        self.service.advance(now_s);
    }
}
