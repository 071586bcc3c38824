//! `topologies/parts/switches/*.toml`: a switch chip.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use crate::units::{Bytes, Figure, JoulesPerBit, Ratio, Seconds, Watts};

/// A switch chip.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Protocols that its ports speak, by their parts; if absent, nothing is said of it, and `check` cannot find a mismatch.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// `SerDes` lanes: what all its links together may use.
    #[schemars(range(min = 1, max = 100_000))]
    pub lanes: u32,
    /// Ports at full breakout, where fewer than lanes.
    pub ports: Option<u32>,
    /// Port to port, first bit in to first bit out.
    pub latency: Figure<Seconds>,
    /// Whether a packet leaves before it has fully arrived.
    pub forwarding: Forwarding,
    /// Whether it adds up what its ports send (in-network reduction) and copies what one port sends (multicast).
    pub in_network_reduction: bool,
    /// Packet memory of the whole chip, shared evenly by its lanes; absent where it is not published. Read at packet level only.
    #[schemars(extend("x-positive" = true))]
    pub buffer: Option<Figure<Bytes>>,
    /// Where packets wait; at the output if absent. Read at packet level only.
    pub queueing: Option<SwitchQueueing>,
    /// How well its links to chips are filled when many chips send to each, as `supernode fan-in` finds it; fully if absent. Not read at
    /// packet level, which has the queues themselves.
    pub fan_in: Option<FanIn>,
    /// Power.
    pub power: SwitchPower,
}

/// Share of the fair rate that is left when n chips send to one: `min(1, limit + rest / n)`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FanIn {
    /// With very many senders.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub limit: Figure<Ratio>,
    /// What one sender alone would add.
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub rest: Figure<Ratio>,
}

/// Where the packets of a switch wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchQueueing {
    /// At the output, in order of arrival.
    Output,
    /// In one queue an input; its first packet holds up the rest.
    InputFifo,
    /// In one queue for each input and output.
    VirtualOutput,
}

/// When a packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarding {
    /// As soon as the header is read.
    CutThrough,
    /// When the whole packet is in.
    StoreAndForward,
}

/// Power of a switch chip.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchPower {
    /// Powered, no traffic; ports included.
    pub idle: Figure<Watts>,
    /// Per bit that passes.
    pub energy_per_bit: Figure<JoulesPerBit>,
}
