//! What waits for channels over time: counters of a trace, and lines over the offered load or over time.

use super::chart::{ChartLine, LineChart, linear_marks, short};
use super::trace_events::TraceEvents;
use crate::fabric::Fabric;
use crate::network::QueuesOverTime;
use crate::units::{Bytes, Seconds};

/// Bytes that wait for all channels of a kind, over time; kinds for which nothing ever waits are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueSeries {
    /// Name of each kind of channel, and the bytes at each time.
    pub lines: Vec<(String, Vec<(Seconds, Bytes)>)>,
}

impl QueueSeries {
    /// Names the kinds of channels of a fabric.
    #[must_use]
    pub fn new(fabric: &Fabric, queues: &QueuesOverTime) -> Self {
        let line = |(place, kind): (usize, &crate::network::QueueKind)| {
            let points: Vec<(Seconds, Bytes)> = queues.samples.iter().map(|(time, bytes)| (*time, bytes[place])).collect();
            (kind.name(fabric), points)
        };
        let lines = queues.kinds.iter().enumerate().map(line);
        Self { lines: lines.filter(|(_, points)| points.iter().any(|point| point.1 > Bytes::ZERO)).collect() }
    }

    /// Sets a counter for each kind of channel whenever its bytes change.
    pub(super) fn counters(&self, trace: &mut TraceEvents, process: u32) {
        for (name, points) in &self.lines {
            let mut last = None;
            for &(time, bytes) in points {
                if last != Some(bytes) {
                    trace.counter(process, &format!("{name}, bytes that wait"), time, bytes.get());
                }
                last = Some(bytes);
            }
        }
    }

    /// A line for each kind of channel over time.
    pub(super) fn chart(&self, title: String) -> LineChart {
        let lines: Vec<ChartLine> = self
            .lines
            .iter()
            .map(|(name, points)| {
                let points = points.iter().map(|(time, bytes)| (time.microseconds(), bytes.get() / 1024.0)).collect();
                ChartLine { name: name.clone(), points }
            })
            .collect();
        let end = lines.iter().flat_map(|line| &line.points).map(|point| point.0).fold(0.0, f64::max);
        let ticks = linear_marks(end).into_iter().map(|at| (at, short(at))).collect();
        LineChart { title, x: "time, µs".to_owned(), y: "KiB that wait, all channels together".to_owned(), ticks, lines, log: false }
    }
}
