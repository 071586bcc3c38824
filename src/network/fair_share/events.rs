//! One pass through the starts and ends of transfers.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::live::{Begin, Live};
use super::max_min::TIE;
use super::service::ServiceEnd;
use super::table::SharingTable;
use super::times::Completion;
use super::transfers::Transfers;

/// Seconds, in order.
#[derive(Clone, Copy, PartialEq)]
struct OrderedTime(f64);

impl Eq for OrderedTime {}

impl Ord for OrderedTime {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for OrderedTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// When each transfer starts and ends, if ends in one `window` count as one. It is relative to the time since the beginning, and to
/// the time each flow has run.
pub(crate) fn run(transfers: &Transfers<'_>, table: &Arc<SharingTable>, window: f64) -> Completion {
    EventRun::new(transfers, table, window).finish()
}

struct EventRun<'a> {
    transfers: &'a Transfers<'a>,
    window: f64,
    now_s: f64,
    runs: Vec<bool>,
    has_ended: Vec<bool>,
    /// Flows that have not ended.
    remaining: usize,
    awaited: Vec<u32>,
    /// Flows that wait for a time alone, by that time.
    starts: BTreeMap<OrderedTime, Vec<u32>>,
    live: Live,
    answer: Completion,
}

impl<'a> EventRun<'a> {
    fn new(transfers: &'a Transfers<'a>, table: &Arc<SharingTable>, window: f64) -> Self {
        let flows = table.flows();
        let awaited = transfers.waiters().awaited.clone();
        let mut run = Self {
            transfers,
            window,
            now_s: 0.0,
            runs: vec![false; flows],
            has_ended: vec![false; flows],
            remaining: flows,
            awaited,
            starts: BTreeMap::new(),
            live: Live::new(Arc::clone(table), window > TIE),
            answer: Completion {
                start_s: transfers.input().release_s.clone().unwrap_or_else(|| vec![0.0; flows]),
                end_s: vec![0.0; flows],
                reshares: 0,
                size_error: 0.0,
                end_difference: 0.0,
            },
        };
        for flow in (0..flows as u32).filter(|&flow| transfers.waiters().awaited[flow as usize] == 0) {
            run.schedule(flow);
        }
        run
    }

    fn schedule(&mut self, flow: u32) {
        let start_s = &mut self.answer.start_s[flow as usize];
        *start_s += self.transfers.input().delay_s.as_ref().map_or(0.0, |delays| delays[flow as usize]);
        self.starts.entry(OrderedTime(*start_s)).or_default().push(flow);
    }

    /// Every turn of the loop ends or starts at least one flow, and each does so once.
    fn finish(mut self) -> Completion {
        loop {
            let next_start_s = self.starts.first_key_value().map_or(f64::INFINITY, |(time, _)| time.0);
            let next_end_s = self.live.next_end_s();
            if next_start_s == f64::INFINITY && next_end_s == f64::INFINITY {
                return self.answer;
            }
            let ended = if next_end_s <= next_start_s { self.ends_together(next_end_s, next_start_s) } else { Vec::new() };
            let now_s = if ended.is_empty() { next_start_s } else { balance(&ended) };
            self.now_s = self.now_s.max(now_s);
            self.live.advance(self.now_s);
            for end in &ended {
                self.end(end);
            }
            let begun = self.start_due();
            if !ended.is_empty() || !begun.is_empty() {
                self.answer.reshares += 1;
                self.live.change(&ended, &begun, &self.runs, &self.has_ended, self.remaining);
            }
        }
    }

    /// The ends to take as one with the first: none later than the next start, and all within the window.
    fn ends_together(&self, first_s: f64, next_start_s: f64) -> Vec<ServiceEnd> {
        let mut ends = self.live.ends_by((first_s * (1.0 + self.window)).min(next_start_s));
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

    fn end(&mut self, end: &ServiceEnd) {
        let off = end.rate * (end.time_s - self.now_s).abs() / self.transfers.input().bytes[end.flow as usize];
        self.answer.size_error = self.answer.size_error.max(off);
        self.runs[end.flow as usize] = false;
        self.release_waiters(end.flow, end.time_s);
    }

    fn release_waiters(&mut self, flow: u32, end_s: f64) {
        self.has_ended[flow as usize] = true;
        self.remaining -= 1;
        self.answer.end_s[flow as usize] = end_s;
        let transfers = self.transfers;
        for &waiter in transfers.waiters().of(flow) {
            let start_s = &mut self.answer.start_s[waiter as usize];
            *start_s = start_s.max(end_s);
            self.awaited[waiter as usize] -= 1;
            if self.awaited[waiter as usize] == 0 {
                self.schedule(waiter);
            }
        }
    }

    /// Starts every flow that is due; one without bytes ends at once, which may make others due.
    fn start_due(&mut self) -> Vec<Begin> {
        let mut begun = Vec::new();
        while let Some(due) = self.starts.first_entry().filter(|due| due.key().0 <= self.now_s * (1.0 + TIE)) {
            let (time, flows) = due.remove_entry();
            for flow in flows {
                let bytes = self.transfers.input().bytes[flow as usize];
                if bytes == 0.0 {
                    self.release_waiters(flow, time.0);
                } else {
                    begun.push(Begin { flow, bytes });
                    self.runs[flow as usize] = true;
                }
            }
        }
        begun
    }
}

/// The instant at which the bytes that flows still lack equal the bytes that others got too many.
fn balance(ends: &[ServiceEnd]) -> f64 {
    let first_s = ends.iter().map(|end| end.time_s).fold(f64::INFINITY, f64::min);
    let rate: f64 = ends.iter().map(|end| end.rate).sum();
    let lacking: f64 = ends.iter().map(|end| end.rate * (end.time_s - first_s)).sum();
    first_s + lacking / rate
}
