//! Any traffic: flows of any size that start when they may, and whole patterns side by side, sharing channels max-min fairly.

use std::fmt;

use super::channel_loads::ChannelLoads;
use super::fair_share::completion::Accuracy;
use super::fair_share::sharing::{Sharing, SharingError, SharingInput};
use super::fair_share::times::Completion;
use super::fair_share::transfers::{Transfers, TransfersError, TransfersInput};
use super::group::Group;
use super::network::Network;
use super::pattern::TrafficPattern;
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// Bytes from one chip to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Sending chip.
    pub source: u32,
    /// Receiving chip; the same as the source moves nothing over the fabric.
    pub destination: u32,
    /// How much.
    pub bytes: Bytes,
    /// Earliest start.
    pub start: Seconds,
    /// Flows, by their place in the list, that must have arrived before this one starts.
    pub after: Vec<u32>,
    /// What the sender's DMA engines or ports allow; `None` leaves it to the fabric. The chip's load/store window holds in any case.
    pub cap: Option<BytesPerSecond>,
}

/// When a flow runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowSpan {
    /// First byte leaves.
    pub start: Seconds,
    /// Last byte has arrived.
    pub end: Seconds,
}

/// A pattern that runs beside others.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowStream {
    /// What it does to the channels when each pair sends one byte.
    pub loads: ChannelLoads,
    /// What each pair sends.
    pub bytes: Bytes,
    /// When it starts.
    pub start: Seconds,
}

/// Why flows cannot be run.
#[derive(Clone, Debug, PartialEq)]
pub enum FlowError {
    /// A chip that the machine does not have.
    NoSuchChip {
        /// The chip.
        chip: u32,
        /// Chips in the machine.
        chips: u32,
    },
    /// No path joins the flow's ends.
    Unreachable {
        /// Sending chip.
        from: u32,
        /// Receiving chip.
        to: u32,
    },
    /// Sizes, rates or shares out of range.
    Sharing(SharingError),
    /// Times or dependencies that make no sense.
    Transfers(TransfersError),
}

impl fmt::Display for FlowError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchChip { chip, chips } => write!(out, "chip {chip} is not in the machine, which has chips 0 to {}", chips.saturating_sub(1)),
            Self::Unreachable { from, to } => write!(out, "no path leads from chip {from} to chip {to}"),
            Self::Sharing(error) => error.fmt(out),
            Self::Transfers(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for FlowError {}

impl From<SharingError> for FlowError {
    fn from(error: SharingError) -> Self {
        Self::Sharing(error)
    }
}

impl From<TransfersError> for FlowError {
    fn from(error: TransfersError) -> Self {
        Self::Transfers(error)
    }
}

impl Network<'_> {
    /// Runs flows to their ends. A flow's first byte needs the latency of its slowest path, then its bytes follow at the fair rate.
    ///
    /// # Errors
    /// Chips that do not exist or are not joined, sizes and times out of range, flows that wait for themselves.
    pub fn run(&self, flows: &[Flow], accuracy: Accuracy) -> Result<Vec<FlowSpan>, FlowError> {
        let prepared = self.prepare(flows)?;
        let delays = prepared.transfers.delay_s.clone().unwrap_or_default();
        let sharing = Sharing::new(prepared.sharing)?;
        let completion = Transfers::new(&sharing, prepared.transfers)?.complete(accuracy)?;
        Ok(spans(&completion, &delays))
    }

    /// The flows as a sharing problem and what each carries.
    pub(super) fn prepare(&self, flows: &[Flow]) -> Result<PreparedFlows, FlowError> {
        let chips = self.fabric().chips;
        let mut sharing = SharingInput::new(self.capacities());
        let mut transfers = TransfersInput::default();
        let (mut caps, mut windowed, mut delays, mut releases) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut paths = self.router().pathfinder();
        for (number, flow) in (0u32..).zip(flows) {
            if let Some(chip) = [flow.source, flow.destination].into_iter().find(|&chip| chip >= chips) {
                return Err(FlowError::NoSuchChip { chip, chips });
            }
            let route = paths.route(flow.source, flow.destination);
            let route = route.ok_or(FlowError::Unreachable { from: flow.source, to: flow.destination })?;
            let stays = route.hops.is_empty();
            sharing.push_flow(one_entry_a_channel(route.hops.iter().map(|hop| (hop.channel, hop.share)).collect()));
            // What stays on its chip needs no rate; any bound will do for nothing.
            let [own, window] = [flow.cap, self.window_rate(route.latency)].map(|rate| rate.map_or(f64::INFINITY, BytesPerSecond::get));
            caps.push(if stays { 1.0 } else { own.min(window) });
            windowed.push(window < own);
            transfers.bytes.push(if stays { 0.0 } else { flow.bytes.get() });
            delays.push(route.latency.get());
            releases.push(flow.start.get());
            transfers.waits_for.extend(flow.after.iter().map(|&other| (number, other)));
        }
        (sharing.cap, transfers.delay_s, transfers.release_s) = (Some(caps), Some(delays), Some(releases));
        Ok(PreparedFlows { sharing, transfers, windowed })
    }

    /// Runs whole patterns side by side; when each one's last byte has arrived.
    ///
    /// All pairs of a pattern go at one rate, that of its slowest pair, so that a pattern's rounds stay together; between patterns
    /// every pair counts alike on the channels they share. Alone, a pattern takes exactly what [`super::Profile::serialisation`] says.
    ///
    /// # Errors
    /// Sizes and times out of range.
    pub fn run_together(&self, streams: &[FlowStream]) -> Result<Vec<Seconds>, FlowError> {
        let mut sharing = SharingInput::new(self.capacities());
        let mut transfers = TransfersInput::default();
        let (mut delays, mut releases) = (Vec::new(), Vec::new());
        for stream in streams {
            let carried = (0u32..).zip(&stream.loads.bytes).filter(|(_, bytes)| **bytes > 0.0);
            sharing.push_flow(carried.map(|(channel, &bytes)| (channel, bytes)));
            transfers.bytes.push(stream.bytes.get());
            delays.push(stream.loads.latency.get());
            releases.push(stream.start.get());
        }
        (transfers.delay_s, transfers.release_s) = (Some(delays), Some(releases));
        let sharing = Sharing::new(sharing)?;
        let completion = Transfers::new(&sharing, transfers)?.complete(Accuracy::Exact)?;
        Ok(completion.end_s.into_iter().map(Seconds::new).collect())
    }

    /// The same pattern in several groups at once, such as every tensor-parallel group's ring.
    #[must_use]
    pub fn loads_of_groups(&self, groups: &[Group], pattern: TrafficPattern) -> ChannelLoads {
        let mut loads = ChannelLoads::silent(self.router().channels().len());
        for group in groups {
            loads.add(&self.loads(group, pattern), 1.0);
        }
        loads
    }
}

/// Flows with their routes found.
pub(super) struct PreparedFlows {
    pub sharing: SharingInput,
    pub transfers: TransfersInput,
    /// Whether the chip's load/store window allows each flow less than the flow's own cap does.
    pub windowed: Vec<bool>,
}

/// When the first byte of each flow leaves and its last one arrives.
pub(super) fn spans(completion: &Completion, delays: &[f64]) -> Vec<FlowSpan> {
    let times = completion.start_s.iter().zip(&completion.end_s).zip(delays);
    times.map(|((start, end), delay)| FlowSpan { start: Seconds::new((start - delay).max(0.0)), end: Seconds::new(*end) }).collect()
}

/// Adds up what a detour sends over one channel twice.
fn one_entry_a_channel(mut entries: Vec<(u32, f64)>) -> Vec<(u32, f64)> {
    entries.sort_unstable_by_key(|entry| entry.0);
    entries.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    entries
}
