//! Payload on the wire: what coding, packet headers and flits leave of the signalling rate.

use crate::input::document::{Protocol, Semantics};
use crate::input::spec::LinkSpec;
use crate::units::{Bytes, BytesPerSecond};

/// Bytes on the wire, before line coding, for one message of `payload` bytes.
///
/// A message is cut into packets of at most `max_payload`; each carries `packet_overhead`; where the protocol has flits, packets of
/// successive messages fill them back to back, so that a flit costs its share of headers and no empty end.
#[must_use]
pub fn wire_bytes(protocol: &Protocol, payload: Bytes) -> Bytes {
    wire_bytes_of(protocol, payload, Semantics::Messages)
}

/// The same for loads and stores too, whose packets may be smaller.
#[must_use]
fn wire_bytes_of(protocol: &Protocol, payload: Bytes, semantics: Semantics) -> Bytes {
    let (max_payload, overhead) = match &protocol.loads_and_stores {
        Some(stores) if semantics == Semantics::LoadsAndStores => (stores.max_payload.value, stores.packet_overhead.value),
        _ => (protocol.max_payload.value, protocol.packet_overhead.value),
    };
    let packets = (payload / max_payload).ceil().max(1.0);
    let framed = payload + overhead * packets;
    match &protocol.flit {
        None => framed,
        Some(flit) => framed * (flit.size.value / flit.payload.value),
    }
}

/// Payload rate of one link, one direction, when it carries messages of `message` bytes:
/// `lanes x lane rate x coding x message / wire bytes`, less what colliding flows lose.
#[must_use]
pub fn payload_rate(link: &LinkSpec, message: Bytes) -> BytesPerSecond {
    payload_rate_of(link, message, Semantics::Messages)
}

/// The same for loads and stores too.
#[must_use]
pub fn payload_rate_of(link: &LinkSpec, message: Bytes, semantics: Semantics) -> BytesPerSecond {
    let signalling = link.link.lane_rate.value * f64::from(link.link.lanes);
    let share = if message > Bytes::ZERO { message / wire_bytes_of(&link.protocol, message, semantics) } else { 1.0 };
    signalling * link.protocol.coding.value.get() * share * link.share
}
