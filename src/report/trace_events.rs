//! Chrome trace JSON, event by event: opens in Perfetto and in `chrome://tracing`.
//!
//! Slices of one row must not overlap, so a slice takes the lowest row of its process that is free when it starts. Times are microseconds
//! with the nanoseconds behind the point.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::units::Seconds;

/// A trace being written.
#[derive(Clone, Debug, Default)]
pub struct TraceEvents {
    events: Vec<Json>,
    /// End of the last slice of each row, by process and group of rows.
    rows: BTreeMap<(u32, String), Vec<f64>>,
    /// Number of each row that has a name.
    threads: BTreeMap<(u32, String, usize), usize>,
    /// Rows of each process so far.
    used: BTreeMap<u32, usize>,
}

/// Something that lasts.
#[derive(Clone, Debug)]
pub struct Slice<'a> {
    /// Process that it belongs to.
    pub process: u32,
    /// Kind of row that it stands in.
    pub row: &'a str,
    /// What it is called.
    pub name: &'a str,
    /// When it starts.
    pub start: Seconds,
    /// When it ends.
    pub end: Seconds,
    /// What else is known.
    pub args: Json,
}

/// Microseconds to the nanosecond's thousandth: enough for any event, and the same text on every machine.
fn microseconds(time: Seconds) -> f64 {
    (time.get() * 1e12).round() / 1e6
}

impl TraceEvents {
    /// Names a process.
    pub fn process(&mut self, process: u32, name: &str) {
        self.events.push(json!({ "ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": { "name": name } }));
        self.events.push(json!({ "ph": "M", "name": "process_sort_index", "pid": process, "tid": 0, "args": { "sort_index": process } }));
    }

    /// Adds a slice; those of one row come in the order of their starts.
    pub fn slice(&mut self, slice: &Slice<'_>) {
        let (start, end) = (microseconds(slice.start), microseconds(slice.end));
        let rows = self.rows.entry((slice.process, slice.row.to_owned())).or_default();
        let free = rows.iter().position(|&until| until <= start);
        let row = free.unwrap_or(rows.len());
        if free.is_none() {
            rows.push(end);
        }
        rows[row] = end;
        let used = self.used.entry(slice.process).or_default();
        let thread = *self.threads.entry((slice.process, slice.row.to_owned(), row)).or_insert_with(|| {
            *used += 1;
            let name = if row == 0 { slice.row.to_owned() } else { format!("{} {}", slice.row, row + 1) };
            self.events.push(json!({ "ph": "M", "name": "thread_name", "pid": slice.process, "tid": *used, "args": { "name": name } }));
            *used
        });
        self.events.push(json!({
            "ph": "X", "name": slice.name, "pid": slice.process, "tid": thread, "ts": start, "dur": (1e6 * (end - start)).round() / 1e6, "args": slice.args,
        }));
    }

    /// Sets a counter from a moment on.
    pub fn counter(&mut self, process: u32, name: &str, at: Seconds, value: f64) {
        self.events.push(json!({ "ph": "C", "name": name, "pid": process, "tid": 0, "ts": microseconds(at), "args": { "value": value } }));
    }

    /// The trace, with what was asked and by which program it was answered.
    #[must_use]
    pub fn finish(self, machine: &str, workload: &str) -> Json {
        let about = json!({ "program": "supernode", "version": env!("CARGO_PKG_VERSION"), "supernode": machine, "workload": workload });
        json!({ "traceEvents": self.events, "displayTimeUnit": "ns", "otherData": about })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two slices at once take two rows; the third starts when the first ends and takes its row.
    #[test]
    fn slices_of_a_row_do_not_overlap() {
        let mut trace = TraceEvents::default();
        for (name, start, end) in [("a", 0.0, 2e-6), ("b", 1e-6, 3e-6), ("c", 2e-6, 4e-6)] {
            let (start, end) = (Seconds::new(start), Seconds::new(end));
            trace.slice(&Slice { process: 1, row: "flows", name, start, end, args: json!({}) });
        }
        let trace = trace.finish("m", "w");
        let threads: Vec<_> =
            trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X").map(|event| event["tid"].clone()).collect();
        assert_eq!(threads, [json!(1), json!(2), json!(1)]);
        assert_eq!(trace["otherData"]["program"], "supernode");
    }
}
