//! `topologies/parts/cpus/*.toml`: a host processor.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use crate::units::{Bytes, BytesPerSecond, Figure, Watts};

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
    pub memory_capacity: Figure<Bytes>,
    /// What the socket reaches on the fabric, one direction.
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
}
