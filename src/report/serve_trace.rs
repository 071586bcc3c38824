//! A run of `serve` as Chrome trace JSON: opens in Perfetto.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use serde_json::{Value as Json, json};

use super::serve::ServeReport;
use crate::serving::queueing::{Picoseconds, RequestStage};

/// Rows of one instance: a request takes the lowest one that is free when it arrives, so that there are as many as requests at once.
#[derive(Default)]
struct Lanes {
    taken: BinaryHeap<Reverse<(Picoseconds, usize)>>,
    free: BinaryHeap<Reverse<usize>>,
    used: usize,
}

impl Lanes {
    fn take(&mut self, from: Picoseconds, to: Picoseconds) -> usize {
        while let Some(&Reverse((end, lane))) = self.taken.peek() {
            if end > from {
                break;
            }
            self.taken.pop();
            self.free.push(Reverse(lane));
        }
        let lane = self.free.pop().map_or(self.used, |Reverse(lane)| lane);
        self.used = self.used.max(lane + 1);
        self.taken.push(Reverse((to, lane)));
        lane
    }
}

impl ServeReport {
    /// An instance is a process, its rows hold a request each, in slices of waiting, reading and answering; queue, power and tokens over time
    /// are counters.
    #[must_use]
    pub fn chrome_trace(&self) -> Json {
        let microseconds = |seconds: f64| seconds * 1e6;
        let name = |process: u32, name: &str| json!({ "ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": { "name": name } });
        let mut events = vec![name(0, "all instances")];
        let over_time = &self.served.outcome.over_time;
        let length = over_time.length.seconds();
        let waiting = self.served.power.get() - self.served.outcome.energy / self.served.makespan.get().max(1e-12);
        for (index, span) in over_time.spans.iter().enumerate() {
            let ts = microseconds(length * index as f64);
            let counters = [
                ("waiting", span.waiting / length),
                ("running", span.running / length),
                ("power, W", waiting + span.energy / length),
                ("output tokens/s", span.tokens / length),
            ];
            events.extend(counters.map(|(name, value)| json!({ "ph": "C", "name": name, "pid": 0, "tid": 0, "ts": ts, "args": { name: value } })));
        }
        let mut instances: BTreeMap<u32, Lanes> = BTreeMap::new();
        for (index, one) in self.served.outcome.sequences.iter().enumerate() {
            let Some(scheduled) = one.scheduled.filter(|_| one.stage == RequestStage::Finished) else { continue };
            let instance = 1 + one.at[0];
            let lane = instances.entry(instance).or_default().take(one.arrived, one.last);
            let slices = [("queue", one.arrived, scheduled), ("prefill", scheduled, one.first), ("decode", one.first, one.last)];
            for (name, from, to) in slices.into_iter().filter(|(_, from, to)| to > from) {
                events.push(json!({ "ph": "X", "name": name, "pid": instance, "tid": lane, "ts": microseconds(from.seconds()),
                    "dur": microseconds(to.since(from).seconds()), "args": { "id": index, "input_tokens": one.input, "output_tokens": one.output,
                    "hit_tokens": one.found, "preempted": one.preempted } }));
            }
        }
        events.extend(instances.keys().map(|instance| name(*instance, &format!("instance {instance}"))));
        json!({ "traceEvents": events, "displayTimeUnit": "ms" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two at once take two rows; the third comes when the first has left and takes its row.
    #[test]
    fn rows_are_taken_again() {
        let mut lanes = Lanes::default();
        let take = |from, to, lanes: &mut Lanes| lanes.take(Picoseconds(from), Picoseconds(to));
        assert_eq!([take(0, 5, &mut lanes), take(1, 9, &mut lanes), take(5, 6, &mut lanes), take(8, 9, &mut lanes)], [0, 1, 0, 0]);
    }
}
