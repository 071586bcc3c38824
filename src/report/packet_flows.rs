//! The part of `supernode flows` that packets add: when each flow ends beside the flow level, and where packets wait.

use serde_json::{Value as Json, json};

use super::format::{Section, Table};
use super::queues::QueueSeries;
use crate::network::{FlowSpan, PacketFlows};
use crate::units::{Seconds, render};

/// Flows with packets.
#[derive(Clone, Debug)]
pub struct PacketFlowsPart {
    /// What the packets did.
    pub run: PacketFlows,
    /// Words for the places where packets waited, in their order.
    pub places: Vec<String>,
    /// What waited over time.
    pub series: QueueSeries,
}

/// Flows and places that tables for people list.
const LISTED: usize = 20;

fn ratio(packets: Seconds, flows: Seconds) -> f64 {
    if flows > Seconds::ZERO { packets / flows } else { 1.0 }
}

impl PacketFlowsPart {
    /// Keys of the object `packets`; `fair` are the spans at flow level.
    pub(super) fn json(&self, fair: &[FlowSpan], fair_makespan: Seconds) -> Json {
        let flow = |(number, (span, fair)): (usize, (&FlowSpan, &FlowSpan))| {
            let of_both = ratio(span.end - span.start, fair.end - fair.start);
            json!({ "flow": number, "start_s": span.start, "end_s": span.end, "flow_end_s": fair.end, "ratio": of_both })
        };
        let queue =
            |(place, words): (&crate::network::QueuePlace, &String)| json!({ "channels": words, "mean_bytes": place.mean, "peak_bytes": place.peak });
        json!({
            "makespan_s": self.run.makespan(),
            "flow_makespan_s": fair_makespan,
            "ratio": ratio(self.run.makespan(), fair_makespan),
            "hops": self.run.hops,
            "flows": self.run.spans.iter().zip(fair).enumerate().map(flow).collect::<Vec<_>>(),
            "queues": self.run.places.iter().zip(&self.places).map(queue).collect::<Vec<_>>(),
            "notes": self.run.notes,
        })
    }

    pub(super) fn sections(&self, fair: &[FlowSpan], fair_makespan: Seconds) -> Vec<Section> {
        let makespan = self.run.makespan();
        let facts = vec![
            ("with packets all have arrived after".to_owned(), render(makespan)),
            ("over the flow level".to_owned(), format!("{:.3} x", ratio(makespan, fair_makespan))),
            ("packets over channels".to_owned(), self.run.hops.to_string()),
        ];
        let mut flows = Table::new(&["flow", "packets: start µs", "end µs", "flow level: end µs", "ratio of times"]);
        for (number, (span, fair)) in self.run.spans.iter().zip(fair).enumerate().take(LISTED) {
            let [start, end, fair_end] = [span.start, span.end, fair.end].map(|time| format!("{:.3}", time.microseconds()));
            flows.row([number.to_string(), start, end, fair_end, format!("{:.3}", ratio(span.end - span.start, fair.end - fair.start))]);
        }
        let mut queues = Table::new(&["<packets wait for", "mean KiB a channel", "peak KiB"]);
        for (place, words) in self.run.places.iter().zip(&self.places).take(LISTED) {
            queues.row([words.clone(), format!("{:.2}", place.mean.get() / 1024.0), format!("{:.1}", place.peak.get() / 1024.0)]);
        }
        let mut sections = vec![Section::Facts(facts), Section::Table(flows), Section::Table(queues)];
        sections.extend(self.run.notes.iter().map(|note| Section::Note(format!("{note}."))));
        sections
    }
}
