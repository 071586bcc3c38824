//! `topologies/parts/{cpus,nics,memories}/*.toml`: what stands beside the chips.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use crate::units::{Bytes, BytesPerSecond, Figure, JoulesPerBit, Seconds, Watts};

/// A host processor with its memory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cpu {
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Lanes towards the scale-up fabric.
    pub lanes: u32,
    /// DRAM of one socket.
    #[schemars(extend("x-positive" = true))]
    pub memory_capacity: Figure<Bytes>,
    /// What the socket reaches on the fabric, one direction.
    #[schemars(extend("x-positive" = true))]
    pub fabric_bandwidth: Figure<BytesPerSecond>,
    /// Power.
    pub power: CpuPower,
}

/// Power of a socket with its DRAM.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CpuPower {
    /// Waiting.
    pub idle: Figure<Watts>,
    /// While it feeds chips.
    pub serving: Figure<Watts>,
    /// DRAM of one socket.
    pub memory: Figure<Watts>,
    /// What its supply is built for; as `serving` if absent.
    pub limit: Option<Figure<Watts>>,
}

/// A network interface card.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nic {
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Lanes towards the chip or host.
    #[schemars(range(min = 1, max = 1024))]
    pub host_lanes: u32,
    /// Lanes towards the network.
    #[schemars(range(min = 1, max = 1024))]
    pub lanes: u32,
    /// From host side to network side, one pass, without software.
    pub latency: Figure<Seconds>,
    /// Shortest time from one message to the next; no limit if absent.
    pub message_interval: Option<Figure<Seconds>>,
    /// Powered, no traffic.
    pub idle: Figure<Watts>,
    /// Per bit that passes.
    pub energy_per_bit: Figure<JoulesPerBit>,
}

/// A memory expander: DRAM behind a controller on the fabric.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryExpander {
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Lanes towards the fabric.
    #[schemars(range(min = 1, max = 1024))]
    pub lanes: u32,
    /// DRAM behind one controller.
    #[schemars(extend("x-positive" = true))]
    pub capacity: Figure<Bytes>,
    /// What the DRAM delivers.
    #[schemars(extend("x-positive" = true))]
    pub bandwidth: Figure<BytesPerSecond>,
    /// Controller and DRAM, request in to first byte out.
    pub latency: Figure<Seconds>,
    /// Controller and DRAM, serving.
    pub power: Figure<Watts>,
}
