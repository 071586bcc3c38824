//! Payload on the wire: what coding, packet headers and flits leave of the signalling rate.

use crate::input::document::Protocol;
use crate::input::spec::LinkSpec;
use crate::units::{Bytes, BytesPerSecond};

/// Bytes on the wire, before line coding, for one message of `payload` bytes.
///
/// A message is cut into packets of at most `max_payload`; each carries `packet_overhead`; where the protocol has flits, packets of
/// successive messages fill them back to back, so that a flit costs its share of headers and no empty end.
#[must_use]
pub fn wire_bytes(protocol: &Protocol, payload: Bytes) -> Bytes {
    let packets = (payload / protocol.max_payload.value).ceil().max(1.0);
    let framed = payload + protocol.packet_overhead.value * packets;
    match &protocol.flit {
        None => framed,
        Some(flit) => framed * (flit.size.value / flit.payload.value),
    }
}

/// Payload rate of one link, one direction, when it carries messages of `message` bytes:
/// `lanes x lane rate x coding x message / wire bytes`.
#[must_use]
pub fn payload_rate(link: &LinkSpec, message: Bytes) -> BytesPerSecond {
    let signalling = link.link.lane_rate.value * f64::from(link.link.lanes);
    let share = if message > Bytes::ZERO { message / wire_bytes(&link.protocol, message) } else { 1.0 };
    signalling * link.protocol.coding.value.get() * share
}
