//! A collective or a send as it runs beside others: what it waits for on its own, and what it moves over channels that others use too.
//!
//! Alone it takes exactly what [`Pricing`] says. Launch, rounds, paths and ramp stay as they are; the time on the wire (serialisation and
//! waiting) is spread over the phases of its algorithm as they load the channels, and grows where a channel is shared:
//!
//! ```text
//! time = fixed + wire x (shared / free)       free, shared: the phases at full rates, without and with the others
//! ```
//!
//! as `concurrent.rs` has it for groups that start together.

use std::collections::BTreeMap;

use super::collective::{Collective, CollectiveError, LibraryProtocol, Timing};
use super::group::{Group, Placement};
use super::network::Network;
use super::op::Op;
use super::plan::rail_ranks;
use super::pricing::Pricing;
use crate::input::document::Library;
use crate::units::{Bytes, Seconds};

/// A transfer ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct PricedStream {
    /// What it takes alone.
    pub alone: Timing,
    /// The part of it that nobody else can change.
    pub fixed: Seconds,
    /// What it moves, phase after phase.
    pub phases: Vec<StreamPhase>,
}

/// One phase: a rate of 1 byte/s puts `row` on the channels.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamPhase {
    /// Channels, and how much of the rate each carries.
    pub row: Vec<(u32, f64)>,
    /// Bytes at that rate, the library's overheads on the wire included.
    pub bytes: f64,
}

/// How the sends of one kernel move their bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelWire {
    /// The library's protocol.
    pub protocol: LibraryProtocol,
    /// Share of the wire that it reaches.
    pub efficiency: f64,
    /// Once a kernel: the copy inside the chip, and filling the pipeline.
    pub once: Seconds,
}

/// Prices transfers of any group of chips; each group and op is played once.
#[derive(Debug)]
pub struct StreamPrices<'a> {
    network: &'a Network<'a>,
    library: &'a Library,
    capacities: Vec<f64>,
    groups: BTreeMap<Vec<u32>, Pricing<'a>>,
}

impl<'a> StreamPrices<'a> {
    /// Nothing has been priced yet.
    #[must_use]
    pub fn new(network: &'a Network<'a>, library: &'a Library) -> Self {
        Self { network, library, capacities: network.capacities(), groups: BTreeMap::new() }
    }

    /// One collective among `chips`, by the fastest algorithm that the library offers.
    ///
    /// # Errors
    /// A group or a size that makes no sense here.
    pub fn collective(&mut self, op: Op, chips: &[u32], bytes: Bytes) -> Result<PricedStream, CollectiveError> {
        let (network, library) = (self.network, self.library);
        let pricing = self.groups.entry(chips.to_vec()).or_insert_with(|| Pricing::placed(network, library, Placement::Explicit(chips.to_vec())));
        let collective = Collective { op, ranks: u32::try_from(chips.len()).unwrap_or(u32::MAX), bytes };
        let alone = pricing.price(&collective, None)?;
        let group = Group::of(chips.to_vec());
        let phases = pricing.phases_in(&collective, alone.algorithm, &group)?;
        let rails = if phases.iter().any(|phase| phase.on_rails) { rail_ranks(network, &group) } else { None };
        let members = rails.as_ref().unwrap_or(&group);
        let phases = phases.iter().map(|phase| {
            let loads = network.loads(members, phase.pattern);
            let row = (0u32..).zip(&loads.bytes).filter(|(_, load)| **load > 0.0).map(|(channel, &load)| (channel, load)).collect();
            StreamPhase { row, bytes: bytes.get() * phase.share }
        });
        Ok(self.scaled(alone, phases.collect()))
    }

    /// How a kernel that runs several sends, one after the other, moves their bytes: by the protocol that is faster for all of them together, as
    /// the library chooses for its own rings. `largest` is the largest send, which the kernel also copies inside its chip. `None` where a send
    /// leaves its scale-up domain, or the library has no such choice.
    #[must_use]
    pub fn kernel(&self, sends: &[&PricedStream], largest: Bytes) -> Option<KernelWire> {
        let at_full_rate: Option<Seconds> = sends.iter().map(|send| self.at_full_rate(send)).sum();
        let at_full_rate = at_full_rate?;
        let bulk = self.library.wire_efficiency.value.get();
        let own = largest / (self.network.sending_rate() * 2.0);
        let (busy, fill) = ((at_full_rate + own).get() / bulk, self.library.ramp.value.get());
        let once = own.get() / bulk + (fill * fill + 2.0 * fill * busy).sqrt();
        let quick = self.library.low_latency_efficiency.as_ref().map(|figure| figure.value.get());
        match quick {
            Some(quick) if at_full_rate.get() / quick < at_full_rate.get() / bulk + once => {
                Some(KernelWire { protocol: LibraryProtocol::LowLatency, efficiency: quick, once: Seconds::ZERO })
            }
            _ => Some(KernelWire { protocol: LibraryProtocol::Bulk, efficiency: bulk, once: Seconds::new(once) }),
        }
    }

    /// A send as part of such a kernel; its first one fills the pipeline.
    #[must_use]
    pub fn in_kernel(&self, send: &PricedStream, wire: &KernelWire, is_first: bool) -> PricedStream {
        let Some(at_full_rate) = self.at_full_rate(send) else { return send.clone() };
        let before = send.alone.serialisation + send.alone.waiting;
        let stretch = if before > Seconds::ZERO { at_full_rate / wire.efficiency / before } else { 1.0 };
        let ramp = if is_first { wire.once } else { Seconds::ZERO };
        let (serialisation, waiting) = (send.alone.serialisation * stretch, send.alone.waiting * stretch);
        let alone = Timing { protocol: wire.protocol, serialisation, waiting, ramp, ..send.alone };
        let phases = send.phases.iter().map(|phase| StreamPhase { row: phase.row.clone(), bytes: phase.bytes * stretch }).collect();
        PricedStream { alone, fixed: alone.launch + alone.synchronisation + alone.propagation + ramp, phases }
    }

    /// Time on the wire of a send inside a domain, without the library's overheads.
    fn at_full_rate(&self, send: &PricedStream) -> Option<Seconds> {
        let leaves = send.alone.bottleneck.zip(self.network.nic_level()).is_some_and(|(peak, level)| usize::from(peak.level) >= level);
        let efficiency = match send.alone.protocol {
            LibraryProtocol::Bulk => Some(self.library.wire_efficiency.value.get()),
            LibraryProtocol::LowLatency => self.library.low_latency_efficiency.as_ref().map(|figure| figure.value.get()),
            LibraryProtocol::InSwitch => None,
        };
        efficiency.filter(|_| !leaves).map(|efficiency| (send.alone.serialisation + send.alone.waiting) * efficiency)
    }

    /// Stretches the phases so that alone they take the time on the wire that the library reaches.
    fn scaled(&self, alone: Timing, mut phases: Vec<StreamPhase>) -> PricedStream {
        let wire = alone.serialisation + alone.waiting;
        let time =
            |phase: &StreamPhase| phase.row.iter().map(|&(channel, load)| phase.bytes * load / self.capacities[channel as usize]).fold(0.0, f64::max);
        let free: f64 = phases.iter().map(time).sum();
        let stretch = if free > 0.0 { wire.get() / free } else { 0.0 };
        for phase in &mut phases {
            phase.bytes *= stretch;
        }
        phases.retain(|phase| phase.bytes > 0.0 && !phase.row.is_empty());
        let fixed = if phases.is_empty() { alone.total() } else { alone.total() - wire };
        PricedStream { alone, fixed: fixed.max(Seconds::ZERO), phases }
    }
}
