//! `supernode flows`: when each flow ends, how fast it runs, and which channels are in its way.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use super::packet_flows::PacketFlowsPart;
use super::records::{Cells, Records};
use super::trace_events::{Slice, TraceEvents};
use crate::network::{Flow, FlowRun, Hold, RateStretch};
use crate::units::{Seconds, render};

/// Flows on one machine.
#[derive(Clone, Debug)]
pub struct FlowsReport {
    /// Shipped name or path.
    pub supernode: String,
    /// The list.
    pub file: String,
    /// How traffic spreads.
    pub routing: String,
    /// As asked for.
    pub flows: Vec<Flow>,
    /// What they do.
    pub run: FlowRun,
    /// Name of each node.
    pub nodes: Vec<String>,
    /// Sending and receiving node of each channel.
    pub channel_ends: Vec<(u32, u32)>,
    /// Payload rate of each channel, bytes/s.
    pub capacities: Vec<f64>,
    /// The same flows packet by packet, if asked for.
    pub packets: Option<PacketFlowsPart>,
}

/// Flows, channels and bottlenecks that tables for people list.
const LISTED: usize = 20;
/// Counters of a trace.
const COUNTERS: usize = 12;

impl FlowsReport {
    /// `chip:3 -> nvswitch2:1`.
    fn channel(&self, channel: u32) -> String {
        let (from, to) = self.channel_ends[channel as usize];
        format!("{} -> {}", self.nodes[from as usize], self.nodes[to as usize])
    }

    fn hold(&self, hold: Hold) -> String {
        match hold {
            Hold::Channel(channel) => self.channel(channel),
            Hold::Cap => "its cap".to_owned(),
            Hold::Window => "its chip's window".to_owned(),
        }
    }

    /// What held a flow back for the longest time.
    fn longest_hold(&self, flow: usize) -> Option<Hold> {
        let rates = self.run.rates.as_deref()?;
        let of_flow =
            rates[rates.partition_point(|stretch| (stretch.flow as usize) < flow)..].iter().take_while(|stretch| stretch.flow as usize == flow);
        let mut held: Vec<(Hold, f64)> = Vec::new();
        for stretch in of_flow {
            let time = (stretch.to - stretch.from).get();
            match held.iter_mut().find(|(hold, _)| *hold == stretch.hold) {
                Some(known) => known.1 += time,
                None => held.push((stretch.hold, time)),
            }
        }
        held.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map(|(hold, _)| hold)
    }

    /// A row a flow.
    #[must_use]
    pub fn flow_records(&self) -> Records {
        let number = |value: &dyn Fn(usize) -> f64| Cells::Number((0..self.flows.len()).map(|flow| Some(value(flow))).collect());
        let whole = |value: &dyn Fn(usize) -> i64| Cells::Whole((0..self.flows.len()).map(|flow| Some(value(flow))).collect());
        let hold = (0..self.flows.len()).map(|flow| self.longest_hold(flow).map(|hold| self.hold(hold)));
        let columns = vec![
            ("flow".to_owned(), whole(&|flow| i64::try_from(flow).unwrap_or(i64::MAX))),
            ("src".to_owned(), whole(&|flow| i64::from(self.flows[flow].source))),
            ("dst".to_owned(), whole(&|flow| i64::from(self.flows[flow].destination))),
            ("bytes".to_owned(), number(&|flow| self.flows[flow].bytes.get())),
            ("start_s".to_owned(), number(&|flow| self.run.spans[flow].start.get())),
            ("end_s".to_owned(), number(&|flow| self.run.spans[flow].end.get())),
            ("bottleneck".to_owned(), Cells::Text(hold.collect())),
        ];
        Records { columns, about: self.about() }
    }

    /// A row a flow and rate.
    #[must_use]
    pub fn rate_records(&self) -> Option<Records> {
        let rates = self.run.rates.as_deref()?;
        let number = |value: &dyn Fn(&RateStretch) -> f64| Cells::Number(rates.iter().map(|stretch| Some(value(stretch))).collect());
        let columns = vec![
            ("flow".to_owned(), Cells::Whole(rates.iter().map(|stretch| Some(i64::from(stretch.flow))).collect())),
            ("from_s".to_owned(), number(&|stretch| stretch.from.get())),
            ("to_s".to_owned(), number(&|stretch| stretch.to.get())),
            ("rate_bytes_per_s".to_owned(), number(&|stretch| stretch.rate.get())),
            ("bottleneck".to_owned(), Cells::Text(rates.iter().map(|stretch| Some(self.hold(stretch.hold))).collect())),
        ];
        Some(Records { columns, about: self.about() })
    }

    fn about(&self) -> Vec<(String, String)> {
        let program = format!("supernode {}", env!("CARGO_PKG_VERSION"));
        vec![("program".to_owned(), program), ("supernode".to_owned(), self.supernode.clone()), ("flows".to_owned(), self.file.clone())]
    }

    /// Bytes that wait for each kind of channel over time, with packets.
    #[must_use]
    pub fn queue_svg(&self) -> Option<String> {
        self.packets.as_ref().map(|packets| packets.series.chart(format!("Queues on {}, {}", self.supernode, self.file)).svg())
    }

    /// A process for each sending chip; counters of the busiest channels, and of what waits for each kind of channel with packets.
    #[must_use]
    pub fn chrome_trace(&self) -> Json {
        let mut trace = TraceEvents::default();
        trace.process(0, "busiest channels");
        let mut senders: Vec<u32> = self.flows.iter().map(|flow| flow.source).collect();
        senders.sort_unstable();
        senders.dedup();
        for &chip in &senders {
            trace.process(chip + 1, &format!("chip {chip}"));
        }
        let mut order: Vec<usize> = (0..self.flows.len()).collect();
        order.sort_by(|&a, &b| self.run.spans[a].start.get().total_cmp(&self.run.spans[b].start.get()).then(a.cmp(&b)));
        for flow in order {
            let (asked, span) = (&self.flows[flow], self.run.spans[flow]);
            let name = format!("flow {flow}: to chip {}, {}", asked.destination, render(asked.bytes));
            let bottleneck = self.longest_hold(flow).map(|hold| self.hold(hold));
            let args = json!({ "flow": flow, "src": asked.source, "dst": asked.destination, "bytes": asked.bytes, "bottleneck": bottleneck });
            trace.slice(&Slice { process: asked.source + 1, row: "sends", name: &name, start: span.start, end: span.end, args });
        }
        self.counters(&mut trace);
        if let Some(packets) = &self.packets {
            let process = senders.last().map_or(1, |last| last + 2);
            trace.process(process, "queues of packets");
            packets.series.counters(&mut trace, process);
        }
        trace.finish(&self.supernode, &self.file)
    }

    /// Load of the busiest channels over time. Only flows that a channel holds back are sure to cross it, so each channel's counter sums
    /// those.
    fn counters(&self, trace: &mut TraceEvents) {
        let Some(rates) = self.run.rates.as_deref() else { return };
        for bottleneck in self.run.bottlenecks.iter().take(COUNTERS) {
            let name = format!("held back by {}, flows", self.channel(bottleneck.channel));
            let held = rates.iter().filter(|stretch| stretch.hold == Hold::Channel(bottleneck.channel));
            let mut changes: Vec<(f64, i32)> = held.flat_map(|stretch| [(stretch.from.get(), 1), (stretch.to.get(), -1)]).collect();
            changes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let mut flows = 0;
            for (index, (at, change)) in changes.iter().enumerate() {
                flows += change;
                if changes.get(index + 1).is_none_or(|next| next.0 > *at) {
                    trace.counter(0, &name, Seconds::new(*at), f64::from(flows));
                }
            }
        }
    }
}

impl Report for FlowsReport {
    fn output(&self) -> &'static str {
        "flows"
    }

    fn json(&self) -> Json {
        let flows = self.flows.iter().zip(&self.run.spans).enumerate().map(|(number, (flow, span))| {
            json!({
                "flow": number, "src": flow.source, "dst": flow.destination, "bytes": flow.bytes, "start_s": span.start, "end_s": span.end,
                "bottleneck": self.longest_hold(number).map(|hold| self.hold(hold)),
            })
        });
        let channels = self.run.channels.iter().map(|used| {
            json!({
                "channel": self.channel(used.channel), "bytes": used.bytes, "busy": used.busy,
                "capacity_bytes_per_s": self.capacities[used.channel as usize],
            })
        });
        // What shares a channel follows from the rates.
        let bottlenecks = self.run.rates.as_ref().map(|_| {
            let shared = self.run.bottlenecks.iter();
            shared.map(|shared| json!({ "channel": self.channel(shared.channel), "time_s": shared.time, "flows": shared.flows })).collect::<Vec<_>>()
        });
        let rates = self.run.rates.as_deref().map(|rates| {
            let stretch = |stretch: &RateStretch| {
                json!({
                    "flow": stretch.flow, "from_s": stretch.from, "to_s": stretch.to, "rate_bytes_per_s": stretch.rate,
                    "bottleneck": self.hold(stretch.hold),
                })
            };
            rates.iter().map(stretch).collect::<Vec<_>>()
        });
        let mut document = json!({
            "supernode": self.supernode,
            "routing": self.routing,
            "makespan_s": self.run.makespan(),
            "flows": flows.collect::<Vec<_>>(),
            "channels": channels.collect::<Vec<_>>(),
            "bottlenecks": bottlenecks,
            "rates": rates,
        });
        if let Some(packets) = &self.packets {
            document["fidelity"] = json!("packet");
            document["packets"] = packets.json(&self.run.spans, self.run.makespan());
        }
        document
    }

    fn sections(&self) -> Vec<Section> {
        let total: crate::units::Bytes = self.flows.iter().map(|flow| flow.bytes).sum();
        let facts = vec![
            ("flows".to_owned(), format!("{}, {}", self.flows.len(), render(total))),
            ("all have arrived after".to_owned(), render(self.run.makespan())),
        ];
        let mut flows = Table::new(&["flow", "src", "dst", "bytes", "start µs", "end µs", "mean GB/s", "<held back longest by"]);
        for (number, (flow, span)) in self.flows.iter().zip(&self.run.spans).enumerate().take(LISTED) {
            let time = (span.end - span.start).get();
            let rate = if time > 0.0 { format!("{:.3}", flow.bytes.get() / time / 1e9) } else { "-".to_owned() };
            let hold = self.longest_hold(number).map_or_else(|| "-".to_owned(), |hold| self.hold(hold));
            let [start, end] = [span.start, span.end].map(|time| format!("{:.3}", time.microseconds()));
            flows.row([number.to_string(), flow.source.to_string(), flow.destination.to_string(), render(flow.bytes), start, end, rate, hold]);
        }
        let mut channels = Table::new(&["<busiest channels", "GB/s", "bytes", "busy"]);
        for used in self.run.channels.iter().take(LISTED) {
            let capacity = format!("{:.1}", self.capacities[used.channel as usize] / 1e9);
            channels.row([self.channel(used.channel), capacity, render(used.bytes), format!("{:.1} %", 100.0 * used.busy)]);
        }
        let mut shared = Table::new(&["<shared bottleneck", "time µs", "flows", "<which"]);
        for bottleneck in self.run.bottlenecks.iter().take(LISTED) {
            let mut which = bottleneck.flows.iter().take(12).map(u32::to_string).collect::<Vec<_>>().join(" ");
            if bottleneck.flows.len() > 12 {
                which += " ...";
            }
            shared.row([
                self.channel(bottleneck.channel),
                format!("{:.3}", bottleneck.time.microseconds()),
                bottleneck.flows.len().to_string(),
                which,
            ]);
        }
        let mut sections = vec![
            Section::Title(format!("flows on {}, routing {}", self.supernode, self.routing)),
            Section::Facts(facts),
            Section::Table(flows),
            Section::Table(channels),
            Section::Table(shared),
        ];
        let more = [("flows", self.flows.len()), ("channels", self.run.channels.len()), ("shared bottlenecks", self.run.bottlenecks.len())];
        let left: Vec<String> =
            more.iter().filter(|(_, count)| *count > LISTED).map(|(name, count)| format!("{} more {name}", count - LISTED)).collect();
        if !left.is_empty() {
            sections.push(Section::Note(format!("{} are in --format json; every flow with --out FILE.", left.join(", "))));
        }
        if self.run.rates.is_none() {
            sections.push(Section::Note("Rates over time and bottlenecks are left out: too many flows change too often.".to_owned()));
        }
        if let Some(packets) = &self.packets {
            sections.extend(packets.sections(&self.run.spans, self.run.makespan()));
        }
        sections
    }
}
