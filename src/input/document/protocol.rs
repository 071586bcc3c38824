//! `topologies/parts/protocols/*.toml`: how payload is framed on the wire.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use crate::units::{Bytes, Figure, Ratio, render};

/// A link protocol, as far as bandwidth goes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Bits that carry data over bits signalled: line code and FEC. 128b/130b is 0.9846; Ethernet port rates are already net.
    #[schemars(extend("x-range" = [0.01, 1.0]))]
    pub coding: Figure<Ratio>,
    /// Largest payload of one packet.
    #[schemars(extend("x-positive" = true))]
    pub max_payload: Figure<Bytes>,
    /// Everything around the payload of one packet: headers, trailers, gaps.
    pub packet_overhead: Figure<Bytes>,
    /// Packets of loads and stores, where they differ from those of long messages.
    pub loads_and_stores: Option<Transaction>,
    /// Fixed-size units that packets are cut into; absent where packets go as they are.
    pub flit: Option<Flit>,
    /// What keeps a sender from overrunning its receiver; credits if absent. Read at packet level only.
    pub flow_control: Option<FlowControl>,
    /// How a link repairs damaged packets; not at all if absent. Read at packet level only.
    pub link_retry: Option<LinkRetry>,
    /// Chance that a bit arrives damaged after FEC; none if absent. Read at packet level only, where asked for.
    #[schemars(extend("x-range" = [0.0, 0.1]))]
    pub bit_error_rate: Option<Figure<Ratio>>,
}

/// What keeps a sender from overrunning its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowControl {
    /// The sender counts the receiver's room.
    Credits,
    /// The receiver stops and restarts the sender (priority flow control, IEEE 802.1Qbb).
    Pause,
}

/// How a link repairs damaged packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkRetry {
    /// It sends the damaged packet and all that followed it again.
    GoBackN,
    /// It sends only the damaged packet again.
    Selective,
}

/// Packets of loads and stores.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// Largest payload of one packet.
    #[schemars(extend("x-positive" = true))]
    pub max_payload: Figure<Bytes>,
    /// Everything around the payload of one packet.
    pub packet_overhead: Figure<Bytes>,
}

/// What a transfer consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// Messages of a library that posts them to engines.
    #[default]
    Messages,
    /// Loads and stores of the cores into the memory of other chips.
    LoadsAndStores,
}

/// Fixed-size units on the wire, which hold no more payload than they are long.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "WrittenFlit")]
pub struct Flit {
    /// On the wire.
    pub size: Figure<Bytes>,
    /// Of it, room for packets.
    pub payload: Figure<Bytes>,
}

/// Fixed-size units on the wire.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Flit")]
struct WrittenFlit {
    /// On the wire.
    #[schemars(extend("x-positive" = true))]
    size: Figure<Bytes>,
    /// Of it, room for packets.
    #[schemars(extend("x-positive" = true))]
    payload: Figure<Bytes>,
}

impl TryFrom<WrittenFlit> for Flit {
    type Error = String;

    fn try_from(WrittenFlit { size, payload }: WrittenFlit) -> Result<Self, String> {
        // A link would carry more than its lanes signal, without a bound.
        if payload.value > size.value {
            return Err(format!("a flit of {} has no room for {} of payload", render(size.value), render(payload.value)));
        }
        Ok(Self { size, payload })
    }
}
