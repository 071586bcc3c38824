//! When each flow ends, if all share the channels max-min fairly at every instant.
//!
//! Between two events (a flow starts, a flow ends) rates are constant, so a flow with `left` bytes ends after `left / rate`.
//! At each event the rates are put right: flow by flow through `levels` when few changed, from scratch when many did.
//!
//! *Exact*: every end is an event, except that ends within `TIE` of each other are one.
//!
//! *Within a tolerance*: ends within a relative window `w` of the first are taken together, at the instant that splits
//! them so that bytes given too early and bytes given too late cancel. Each still ends when it would at its last rate.
//! What is then certain is this:
//!
//! ```text
//! rates are the exact rates for transfers of  bytes[f] * (1 + e[f]),   sum over each window of e[f] * bytes[f] = 0
//! ```
//!
//! and `Completion::size_error` gives the largest `|e|` that occurred. The times themselves have no such proof: max-min
//! fairness is not monotone, a flow that ends sooner can slow a third one down. So they are checked: the transfer is worked
//! out with windows `w` and `w / 2`, and `w` is halved until no end differs by more than half the tolerance.
//! Since the error shrinks about in step with `w`, the finer of the two, which is returned, is then within the tolerance.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;

use super::levels::Levels;
use super::max_min::TIE;
use super::reduce::reduce;
use super::service::{End, Service};
use super::sharing::{MAGNITUDE_MAX, MAGNITUDE_MIN, Sharing};
use super::table::Table;

/// Windows below this cost more than an exact run.
const WINDOW_MIN: f64 = 1e-6;

/// Filling from scratch beats settling when more flows than this start or end at once: a few, or one in so many holders.
const SETTLED_CHANGES: usize = 4;
const HOLDERS_PER_SETTLED_CHANGE: usize = 64;

/// What the flows of a sharing problem carry, and when they may start:
///
/// ```text
/// start[f] = delay_s[f] + max(release_s[f], end of every flow that f waits for)
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransfersInput {
    /// Bytes of each single flow; 0 ends as it starts.
    pub bytes: Vec<f64>,
    /// Earliest start of each flow in seconds. `None`: all at 0.
    pub release_s: Option<Vec<f64>>,
    /// Seconds between the last end waited for (or the release) and the start. `None`: all 0.
    pub delay_s: Option<Vec<f64>>,
    /// `(flow, other)`: `flow` waits for `other` to end.
    pub waits_for: Vec<(u32, u32)>,
}

/// Transfers that have been checked against their sharing problem.
#[derive(Clone, Debug)]
pub struct Transfers<'a> {
    sharing: &'a Sharing,
    input: TransfersInput,
    waiters: Waiters,
}

/// What is wrong with transfers, and where.
#[expect(missing_docs, reason = "the messages below say what each field is")]
#[derive(Clone, Debug, PartialEq)]
pub enum TransfersError {
    Length {
        what: &'static str,
        found: usize,
        flows: usize,
    },
    Bytes {
        flow: usize,
        found: f64,
    },
    Time {
        what: &'static str,
        flow: usize,
        found: f64,
    },
    UnknownFlow {
        flow: u32,
        flows: usize,
    },
    /// The flow waits, directly or through others, for itself.
    Cycle {
        flow: u32,
    },
    Tolerance {
        found: f64,
    },
}

impl fmt::Display for TransfersError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { what, found, flows } => write!(out, "{what}: {found} entries for {flows} flows"),
            Self::Bytes { flow, found } => {
                write!(out, "flow {flow} carries {found} bytes: expected 0 or a value between {MAGNITUDE_MIN:e} and {MAGNITUDE_MAX:e}")
            }
            Self::Time { what, flow, found } => write!(out, "{what} of flow {flow} is {found} s: expected a value between 0 and {MAGNITUDE_MAX:e}"),
            Self::UnknownFlow { flow, flows } => write!(out, "a dependency names flow {flow}: there are {flows} flows"),
            Self::Cycle { flow } => write!(out, "flow {flow} waits for itself through its dependencies"),
            Self::Tolerance { found } => write!(out, "tolerance {found}: expected a value above 0 and below 1"),
        }
    }
}

impl std::error::Error for TransfersError {}

/// How close the times must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// To rounding.
    Exact,
    /// Relative, on the end of every flow; see the top of this file for what is proven and what is checked.
    Within(f64),
}

/// When flows start and end.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// By flow, seconds.
    pub start_s: Vec<f64>,
    /// By flow, seconds.
    pub end_s: Vec<f64>,
    /// How often rates were put right.
    pub reshares: usize,
    /// Certain: rates are exact for flows whose bytes differ from those asked for by no more than this fraction.
    pub size_error: f64,
    /// Checked: largest relative difference of any end from a run with windows twice as wide; 0 for an exact answer.
    pub end_difference: f64,
}

impl Completion {
    /// When the last flow ends; 0 without flows.
    pub fn makespan_s(&self) -> f64 {
        self.end_s.iter().copied().fold(0.0, f64::max)
    }

    fn end_difference_from(&self, other: &Self) -> f64 {
        let relative = |(&a, &b): (&f64, &f64)| if a == b { 0.0 } else { (a - b).abs() / a.max(b) };
        self.end_s.iter().zip(&other.end_s).map(relative).fold(0.0, f64::max)
    }
}

impl<'a> Transfers<'a> {
    /// Checks transfers.
    ///
    /// # Errors
    /// The first entry that is out of range, unknown or waits for itself.
    pub fn new(sharing: &'a Sharing, input: TransfersInput) -> Result<Self, TransfersError> {
        let flows = sharing.flows();
        let lengths = [
            ("bytes", input.bytes.len()),
            ("release times", input.release_s.as_ref().map_or(flows, Vec::len)),
            ("delays", input.delay_s.as_ref().map_or(flows, Vec::len)),
        ];
        if let Some(&(what, found)) = lengths.iter().find(|(_, found)| *found != flows) {
            return Err(TransfersError::Length { what, found, flows });
        }
        let carried = |&bytes: &f64| bytes == 0.0 || (MAGNITUDE_MIN..=MAGNITUDE_MAX).contains(&bytes);
        if let Some(flow) = input.bytes.iter().position(|bytes| !carried(bytes)) {
            return Err(TransfersError::Bytes { flow, found: input.bytes[flow] });
        }
        for (what, times) in [("release", &input.release_s), ("delay", &input.delay_s)] {
            let times = times.as_deref().unwrap_or_default();
            if let Some(flow) = times.iter().position(|time| !(0.0..=MAGNITUDE_MAX).contains(time)) {
                return Err(TransfersError::Time { what, flow, found: times[flow] });
            }
        }
        let waiters = Waiters::new(flows, &input.waits_for)?;
        Ok(Self { sharing, input, waiters })
    }

    /// Works out when each flow starts and ends.
    pub fn complete(&self, accuracy: Accuracy) -> Result<Completion, TransfersError> {
        let tolerance = match accuracy {
            Accuracy::Exact => None,
            Accuracy::Within(tolerance) if tolerance > 0.0 && tolerance < 1.0 => Some(tolerance),
            Accuracy::Within(found) => return Err(TransfersError::Tolerance { found }),
        };
        let reduced = reduce(self.sharing);
        let table = Table::new(&reduced.sharing);
        Ok(tolerance.and_then(|tolerance| self.complete_within(&table, tolerance)).unwrap_or_else(|| Run::new(self, &table, TIE).finish()))
    }

    /// Halves the window until the ends stop moving; `None` if that would cost more than an exact run.
    fn complete_within(&self, table: &Table, tolerance: f64) -> Option<Completion> {
        let run = |window| Run::new(self, table, window).finish();
        let mut window = tolerance / 2.0;
        let (mut coarse, mut fine) = rayon::join(|| run(window * 2.0), || run(window));
        loop {
            fine.end_difference = fine.end_difference_from(&coarse);
            if fine.end_difference <= tolerance / 2.0 {
                return Some(fine);
            }
            window /= 2.0;
            if window < WINDOW_MIN {
                return None;
            }
            coarse = std::mem::replace(&mut fine, run(window));
        }
    }
}

/// Who waits for each flow.
#[derive(Clone, Debug)]
struct Waiters {
    start: Vec<usize>,
    waiter: Vec<u32>,
    /// How many flows each flow waits for.
    awaited: Vec<u32>,
}

impl Waiters {
    fn new(flows: usize, waits_for: &[(u32, u32)]) -> Result<Self, TransfersError> {
        let mut start = vec![0; flows + 1];
        let mut awaited = vec![0; flows];
        for &(flow, other) in waits_for {
            if let Some(flow) = [flow, other].into_iter().find(|&flow| flow as usize >= flows) {
                return Err(TransfersError::UnknownFlow { flow, flows });
            }
            start[other as usize + 1] += 1;
            awaited[flow as usize] += 1;
        }
        for flow in 0..flows {
            start[flow + 1] += start[flow];
        }
        let mut next = start.clone();
        let mut waiter = vec![0; waits_for.len()];
        for &(flow, other) in waits_for {
            waiter[next[other as usize]] = flow;
            next[other as usize] += 1;
        }
        let waiters = Self { start, waiter, awaited };
        waiters.check_cycles().map(|()| waiters)
    }

    fn of(&self, flow: u32) -> &[u32] {
        &self.waiter[self.start[flow as usize]..self.start[flow as usize + 1]]
    }

    /// Lets flows end in any legal order; those that never can wait for themselves or for such flows.
    fn check_cycles(&self) -> Result<(), TransfersError> {
        let mut awaited = self.awaited.clone();
        let mut ready: Vec<u32> = (0..awaited.len() as u32).filter(|&flow| awaited[flow as usize] == 0).collect();
        while let Some(flow) = ready.pop() {
            for &waiter in self.of(flow) {
                awaited[waiter as usize] -= 1;
                if awaited[waiter as usize] == 0 {
                    ready.push(waiter);
                }
            }
        }
        // From a flow that cannot end, walk to one it waits for that cannot end either; after as many steps as there are
        // flows the walk is on a cycle.
        let Some(stuck) = awaited.iter().position(|&count| count > 0) else { return Ok(()) };
        let mut blocker = vec![u32::MAX; awaited.len()];
        for flow in (0..awaited.len() as u32).filter(|&flow| awaited[flow as usize] > 0) {
            for &waiter in self.of(flow) {
                blocker[waiter as usize] = flow;
            }
        }
        let flow = (0..awaited.len()).fold(stuck as u32, |flow, _| blocker[flow as usize]);
        Err(TransfersError::Cycle { flow })
    }
}

/// A time in the queue of starts; earliest first, then by flow.
#[derive(Clone, Copy, PartialEq)]
struct Start {
    time_s: f64,
    flow: u32,
}

impl Eq for Start {}

impl Ord for Start {
    fn cmp(&self, other: &Self) -> Ordering {
        self.time_s.total_cmp(&other.time_s).then(self.flow.cmp(&other.flow))
    }
}

impl PartialOrd for Start {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One pass through the events.
struct Run<'a> {
    transfers: &'a Transfers<'a>,
    /// Relative width in which ends count as one.
    window: f64,
    now_s: f64,
    runs: Vec<bool>,
    running: usize,
    awaited: Vec<u32>,
    starts: BinaryHeap<Reverse<Start>>,
    levels: Levels<'a>,
    service: Service,
    answer: Completion,
}

impl<'a> Run<'a> {
    fn new(transfers: &'a Transfers<'a>, table: &'a Table, window: f64) -> Self {
        let flows = table.flows();
        let mut run = Self {
            transfers,
            window,
            now_s: 0.0,
            runs: vec![false; flows],
            running: 0,
            awaited: transfers.waiters.awaited.clone(),
            starts: BinaryHeap::new(),
            levels: Levels::new(table),
            service: Service::new(table.holders(), flows),
            answer: Completion {
                start_s: transfers.input.release_s.clone().unwrap_or_else(|| vec![0.0; flows]),
                end_s: vec![0.0; flows],
                reshares: 0,
                size_error: 0.0,
                end_difference: 0.0,
            },
        };
        for flow in (0..flows as u32).filter(|&flow| transfers.waiters.awaited[flow as usize] == 0) {
            run.schedule(flow);
        }
        run.refill(&[]);
        run
    }

    fn schedule(&mut self, flow: u32) {
        let start_s = &mut self.answer.start_s[flow as usize];
        *start_s += self.transfers.input.delay_s.as_ref().map_or(0.0, |delays| delays[flow as usize]);
        self.starts.push(Reverse(Start { time_s: *start_s, flow }));
    }

    /// Every turn of the loop ends or starts at least one flow, and each does so once.
    fn finish(mut self) -> Completion {
        loop {
            let next_start_s = self.starts.peek().map_or(f64::INFINITY, |start| start.0.time_s);
            let next_end_s = self.service.next_end_s();
            if next_start_s == f64::INFINITY && next_end_s == f64::INFINITY {
                return self.answer;
            }
            let ended = if next_end_s <= next_start_s { self.ends_together(next_end_s, next_start_s) } else { Vec::new() };
            let now_s = if ended.is_empty() { next_start_s } else { balance(&ended) };
            self.now_s = self.now_s.max(now_s);
            self.service.advance(self.now_s);
            for end in &ended {
                self.end(end);
            }
            let started = self.start_due();
            self.reshare(&ended, &started);
        }
    }

    /// The ends to take as one with the first: none later than the next start, and all within the window, relative to the
    /// time each flow has run as well as to the time since the beginning.
    fn ends_together(&self, first_s: f64, next_start_s: f64) -> Vec<End> {
        let mut ends = self.service.ends_by((first_s * (1.0 + self.window)).min(next_start_s));
        ends.sort_unstable_by(|a, b| a.time_s.total_cmp(&b.time_s).then(a.flow.cmp(&b.flow)));
        let mut width_s = f64::INFINITY;
        let together = ends.iter().take_while(|end| {
            width_s = width_s.min(self.window * (end.time_s - self.answer.start_s[end.flow as usize]));
            end.time_s - first_s <= width_s
        });
        let together = together.count().max(1);
        ends.truncate(together);
        ends
    }

    fn end(&mut self, end: &End) {
        let off = end.rate * (end.time_s - self.now_s).abs() / self.transfers.input.bytes[end.flow as usize];
        self.answer.size_error = self.answer.size_error.max(off);
        self.runs[end.flow as usize] = false;
        self.running -= 1;
        self.release_waiters(end.flow, end.time_s);
    }

    fn release_waiters(&mut self, flow: u32, end_s: f64) {
        self.answer.end_s[flow as usize] = end_s;
        let transfers = self.transfers;
        for &waiter in transfers.waiters.of(flow) {
            let start_s = &mut self.answer.start_s[waiter as usize];
            *start_s = start_s.max(end_s);
            self.awaited[waiter as usize] -= 1;
            if self.awaited[waiter as usize] == 0 {
                self.schedule(waiter);
            }
        }
    }

    /// Starts every flow that is due; one without bytes ends at once, which may make others due.
    fn start_due(&mut self) -> Vec<u32> {
        let mut started = Vec::new();
        while let Some(&Reverse(start)) = self.starts.peek() {
            if start.time_s > self.now_s * (1.0 + TIE) {
                break;
            }
            self.starts.pop();
            if self.transfers.input.bytes[start.flow as usize] == 0.0 {
                self.release_waiters(start.flow, start.time_s);
            } else {
                started.push(start.flow);
                self.runs[start.flow as usize] = true;
                self.running += 1;
            }
        }
        started
    }

    fn reshare(&mut self, ended: &[End], started: &[u32]) {
        let changes = ended.len() + started.len();
        if changes == 0 {
            return;
        }
        self.answer.reshares += 1;
        let few = changes <= SETTLED_CHANGES.max(self.levels.holders() / HOLDERS_PER_SETTLED_CHANGE) && self.running > 0;
        if !(few && self.settle(ended, started)) {
            self.refill(started);
        }
    }

    fn refill(&mut self, started: &[u32]) {
        let (runs, bytes) = (&self.runs, &self.transfers.input.bytes);
        let (holder, level) = self.levels.fill(|flow| runs[flow as usize]);
        self.service.hand_out(holder, &level, started.iter().map(|&flow| (flow, bytes[flow as usize])));
    }

    /// False if settling ran out of steps: everything is then to be filled again, with no flow lost.
    fn settle(&mut self, ended: &[End], started: &[u32]) -> bool {
        self.levels.prepare();
        for end in ended {
            self.levels.stop(end.flow, &mut self.service);
        }
        for &flow in started {
            self.levels.start(flow, self.transfers.input.bytes[flow as usize], &mut self.service);
        }
        self.levels.settle(&mut self.service).is_ok()
    }
}

/// The instant at which the bytes that flows still lack equal the bytes that others got too many.
fn balance(ends: &[End]) -> f64 {
    let first_s = ends.iter().map(|end| end.time_s).fold(f64::INFINITY, f64::min);
    let rate: f64 = ends.iter().map(|end| end.rate).sum();
    let lacking: f64 = ends.iter().map(|end| end.rate * (end.time_s - first_s)).sum();
    first_s + lacking / rate
}
