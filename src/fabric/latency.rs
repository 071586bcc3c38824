//! Latency of one hop: first bit out of one node to first bit out of the next.

use super::graph::{Endpoint, Fabric};
use crate::input::document::{Forwarding, Link, Medium};
use crate::units::{Bytes, Seconds};

/// Latency of a link, one direction: `length x delay + SerDes + FEC + what the medium adds`.
#[must_use]
pub fn channel_latency(link: &Link) -> Seconds {
    let medium = match &link.medium {
        Medium::Trace {} | Medium::Copper {} => Seconds::ZERO,
        Medium::Retimed { retimers, retimer_latency, .. } => retimer_latency.value * f64::from(*retimers),
        Medium::Optical { module_latency, circuit, .. } => {
            module_latency.value + circuit.as_ref().map_or(Seconds::ZERO, |circuit| circuit.latency.value)
        }
    };
    link.delay_per_metre.value * link.length.value + link.serdes_latency.value + link.fec_latency.value + medium
}

/// Latency that a node adds to a path: a chip or CPU, at either end or passing traffic on, its endpoint; a switch its port-to-port time, plus
/// the whole packet where it stores before it forwards (`packet` at the rate of the outgoing link, `packet_time`).
#[must_use]
pub fn node_latency(fabric: &Fabric, endpoint: Endpoint, packet_time: Seconds) -> Seconds {
    match endpoint {
        Endpoint::Chip | Endpoint::Cpu(_) => fabric.chip.io.endpoint_latency.value,
        Endpoint::Nic(part) => fabric.nics[part as usize].1.latency.value,
        Endpoint::Memory(part) => fabric.memories[part as usize].1.latency.value,
        Endpoint::Switch(part) => {
            let switch = &fabric.switches[part as usize].switch;
            match switch.forwarding {
                Forwarding::CutThrough => switch.latency.value,
                Forwarding::StoreAndForward => switch.latency.value + packet_time,
            }
        }
    }
}

/// Time of one full packet on a link: what a store-and-forward switch waits for.
#[must_use]
pub fn packet_time(fabric: &Fabric, link: u16) -> Seconds {
    let link = &fabric.links[link as usize];
    let payload = link.protocol.max_payload.value;
    payload.max(Bytes::new(1.0)) / super::framing::payload_rate(link, payload)
}
