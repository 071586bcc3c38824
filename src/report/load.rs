//! `supernode load`: latency against offered load, the saturation point, and where packets wait.

use serde_json::{Value as Json, json};

use super::chart::{ChartLine, LineChart};
use super::format::{Report, Section, Table};
use super::queues::QueueSeries;
use super::trace_events::TraceEvents;
use crate::network::LoadCurve;
use crate::network::packets::LatencyHistogram;
use crate::units::{Seconds, render};

/// Latency against load on one machine.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// Shipped name or path.
    pub supernode: String,
    /// As asked for.
    pub pattern: String,
    /// How traffic spreads.
    pub routing: String,
    /// The curve.
    pub curve: LoadCurve,
    /// Words for the queue places of each point, in their order.
    pub places: Vec<Vec<String>>,
    /// Queues of each point over time, where they were looked at.
    pub over_time: Vec<QueueSeries>,
    /// What the packet level assumed.
    pub notes: Vec<String>,
}

/// Queues listed.
const PLACES: usize = 5;

fn percentile(latency: &LatencyHistogram, share: f64) -> Seconds {
    Seconds::new(latency.percentile(share) / 1e12)
}

fn mean(latency: &LatencyHistogram) -> Seconds {
    Seconds::new(latency.mean() / 1e12)
}

impl LoadReport {
    /// Bytes that wait for a channel, a line for each level, link and direction, over the offered load.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut lines: Vec<ChartLine> = Vec::new();
        for (point, places) in self.curve.points.iter().zip(&self.places) {
            for (queue, name) in point.queues.iter().zip(places) {
                let value = (point.offered, queue.mean.get() / 1024.0);
                match lines.iter_mut().find(|line| line.name == *name) {
                    Some(line) => line.points.push(value),
                    None => lines.push(ChartLine { name: name.clone(), points: vec![value] }),
                }
            }
        }
        let ticks = self.curve.points.iter().map(|point| (point.offered, format!("{:.2}", point.offered))).collect();
        let title = format!("Queues on {}, {}", self.supernode, self.pattern);
        LineChart {
            title,
            x: "offered load, share of what a chip can send".to_owned(),
            y: "KiB that wait for a channel, mean".to_owned(),
            ticks,
            lines,
            log: false,
        }
        .svg()
    }

    /// A process for each load, whose counters are the bytes that wait.
    #[must_use]
    pub fn chrome_trace(&self) -> Json {
        let mut trace = TraceEvents::default();
        for ((point, series), process) in self.curve.points.iter().zip(&self.over_time).zip(0..) {
            trace.process(process, &format!("queues at load {:.3}", point.offered));
            series.counters(&mut trace, process);
        }
        trace.finish(&self.supernode, &self.pattern)
    }
}

impl Report for LoadReport {
    fn output(&self) -> &'static str {
        "load"
    }

    fn json(&self) -> Json {
        let curve = &self.curve;
        let point = |(point, places): (&crate::network::LoadPoint, &Vec<String>)| {
            let latency = &point.latency;
            let queue = |(queue, channels): (&crate::network::QueuePlace, &String)| json!({ "channels": channels, "mean_bytes": queue.mean, "peak_bytes": queue.peak });
            json!({
                "offered": point.offered,
                "accepted": point.accepted,
                "latency_s": {
                    "mean": mean(latency),
                    "p50": percentile(latency, 0.5),
                    "p90": percentile(latency, 0.9),
                    "p95": percentile(latency, 0.95),
                    "p99": percentile(latency, 0.99),
                    "p999": percentile(latency, 0.999),
                },
                "over_flow_latency": mean(latency) / curve.flow_latency,
                "packets": latency.count(),
                "lost_packets": point.lost,
                "hops": point.hops,
                "queues": point.queues.iter().zip(places).take(PLACES).map(queue).collect::<Vec<_>>(),
            })
        };
        json!({
            "supernode": self.supernode,
            "pattern": self.pattern,
            "routing": self.routing,
            "saturation": curve.saturation,
            "flow_saturation": curve.flow_saturation,
            "flow_latency_s": curve.flow_latency,
            "points": curve.points.iter().zip(&self.places).map(point).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }

    fn sections(&self) -> Vec<Section> {
        let curve = &self.curve;
        let mut table = Table::new(&["offered", "accepted", "mean µs", "p50 µs", "p99 µs", "p99.9 µs", "mean over flow level", "packets"]);
        for point in &curve.points {
            let time = |time: Seconds| format!("{:.3}", time.microseconds());
            table.row([
                format!("{:.3}", point.offered),
                format!("{:.3}", point.accepted),
                time(mean(&point.latency)),
                time(percentile(&point.latency, 0.5)),
                time(percentile(&point.latency, 0.99)),
                time(percentile(&point.latency, 0.999)),
                format!("{:.2} x", mean(&point.latency) / curve.flow_latency),
                point.latency.count().to_string(),
            ]);
        }
        let saturation = match curve.saturation {
            Some(load) => format!(
                "Saturation at {load:.3} of what chips can send ({:.3} at flow level, ratio {:.2}).",
                curve.flow_saturation,
                load / curve.flow_saturation
            ),
            None => format!("No saturation up to the last load ({:.3} at flow level).", curve.flow_saturation),
        };
        let mut sections = vec![
            Section::Title(format!("load on {}, {}, routing {}", self.supernode, self.pattern, self.routing)),
            Section::Table(table),
            Section::Note(saturation),
            Section::Note(format!(
                "Flow level: mean of the paths and one packet, {}. Latency includes waiting at the sender.",
                render(curve.flow_latency)
            )),
        ];
        let lost: u64 = curve.points.iter().map(|point| point.lost).sum();
        if lost > 0 {
            let note =
                format!("{lost} packets were lost on links or in full buffers and sent again; their latency counts from when they first came.");
            sections.push(Section::Note(note));
        }
        if let (Some(point), Some(places)) = (curve.points.last(), self.places.last()) {
            let mut queues = Table::new(&["<waiting for", "mean KiB", "peak KiB"]);
            for (queue, channels) in point.queues.iter().zip(places).take(PLACES) {
                queues.row([channels.clone(), format!("{:.2}", queue.mean.get() / 1024.0), format!("{:.1}", queue.peak.get() / 1024.0)]);
            }
            sections.push(Section::Note(format!("Where packets wait at {:.3}, bytes a channel:", point.offered)));
            sections.push(Section::Table(queues));
        }
        sections.extend(self.notes.iter().map(|note| Section::Note(format!("{note}."))));
        sections
    }
}
