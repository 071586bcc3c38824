//! A list of flows with packets: when each ends, and what waits where in the meantime.

use super::flows::{Flow, FlowSpan};
use super::network::Network;
use super::packet_level::PacketLevel;
use super::packet_options::PacketOptions;
use super::packets::{PacketError, picoseconds};
use super::queue_places::{QueuePlace, QueuesOverTime, queue_kinds, queue_places};
use crate::units::Seconds;

/// Flows that ran packet by packet.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketFlows {
    /// By flow.
    pub spans: Vec<FlowSpan>,
    /// Packets over channels.
    pub hops: u64,
    /// Where packets waited, most first.
    pub places: Vec<QueuePlace>,
    /// What waited over time.
    pub queues: QueuesOverTime,
    /// What was assumed, a sentence each.
    pub notes: Vec<String>,
}

impl PacketFlows {
    /// Until the last byte has arrived.
    #[must_use]
    pub fn makespan(&self) -> Seconds {
        self.spans.iter().map(|span| span.end).fold(Seconds::ZERO, Seconds::max)
    }
}

impl Network<'_> {
    /// Runs flows to their ends packet by packet, and looks at the queues every so often.
    ///
    /// # Errors
    /// A flow whose rate is capped, chips that do not exist or are not joined, routing that packets do not follow.
    pub fn run_with_packets(&self, flows: &[Flow], options: &PacketOptions, every: Seconds) -> Result<PacketFlows, PacketError> {
        let chips = self.fabric().chips;
        let mut ends: Vec<u32> = flows.iter().flat_map(|flow| [flow.source, flow.destination]).collect();
        ends.sort_unstable();
        ends.dedup();
        if let Some(&chip) = ends.last().filter(|&&chip| chip >= chips) {
            return Err(PacketError::Setting(format!("chip {chip} is not in the machine, which has chips 0 to {}", chips.saturating_sub(1))));
        }
        if let Some(capped) = flows.iter().position(|flow| flow.cap.is_some()) {
            return Err(PacketError::Setting(format!("flow {capped} has a cap on its rate, which packets do not follow")));
        }
        if ends.is_empty() {
            return Ok(PacketFlows { spans: Vec::new(), hops: 0, places: Vec::new(), queues: QueuesOverTime::default(), notes: Vec::new() });
        }
        let level = PacketLevel::new(self, &ends, options)?;
        let (kinds, groups) = queue_kinds(self.fabric());
        let (spans, outcome) = level.run_watched(flows, picoseconds(every).max(1), groups)?;
        let queues = QueuesOverTime::new(kinds, &outcome.samples);
        Ok(PacketFlows { spans, hops: outcome.counts.hops, places: queue_places(self.fabric(), &outcome), queues, notes: level.notes().to_vec() })
    }
}
