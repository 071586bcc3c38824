//! `topologies/parts/chips/*.toml`: an accelerator package.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Origin;
use crate::units::{Bytes, BytesPerSecond, Figure, FlopPerSecond, JoulesPerBit, JoulesPerFlop, Ratio, Seconds, Watts};

/// A number format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 16-bit brain float (and IEEE half, which runs at the same rate).
    Bf16,
    /// 8-bit integer.
    Int8,
    /// 8-bit float.
    Fp8,
    /// 4-bit float with block scales.
    Fp4,
    /// 4-bit integer weights.
    Int4,
}

impl Precision {
    /// Bytes of one element; scales are counted where they are sent or stored.
    #[must_use]
    pub fn bytes(self) -> f64 {
        match self {
            Self::Bf16 => 2.0,
            Self::Int8 | Self::Fp8 => 1.0,
            Self::Fp4 | Self::Int4 => 0.5,
        }
    }

    /// The name used in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Fp8 => "fp8",
            Self::Fp4 => "fp4",
            Self::Int4 => "int4",
        }
    }
}

/// An accelerator package. All figures are for the whole package, all dies together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Compute dies in the package.
    #[schemars(range(min = 1, max = 64))]
    pub dies: u32,
    /// Devices that software sees in one package: each is one rank of a model.
    #[schemars(range(min = 1, max = 64))]
    pub ranks: u32,
    /// Matrix cores (SMs, CUs, cube cores) that share the tiles of a GEMM, whole package.
    #[schemars(range(min = 1, max = 100_000))]
    pub cores: u32,
    /// Dense peak by number format.
    pub compute: Compute,
    /// High-bandwidth memory.
    pub memory: Memory,
    /// Scale-up ports.
    pub io: ChipIo,
    /// Power.
    pub power: ChipPower,
    /// How far its kernels reach.
    pub kernels: Kernels,
}

/// Dense peak rates (no sparsity).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compute {
    /// BF16 and FP16.
    pub bf16: Figure<FlopPerSecond>,
    /// INT8; absent if there is no faster path than BF16.
    pub int8: Option<Figure<FlopPerSecond>>,
    /// FP8; absent if there is none.
    pub fp8: Option<Figure<FlopPerSecond>>,
    /// FP4; absent if there is none.
    pub fp4: Option<Figure<FlopPerSecond>>,
}

impl Compute {
    /// Peak of a format; narrower formats without a path of their own run at the rate of the next wider one.
    #[must_use]
    pub fn peak(&self, precision: Precision) -> FlopPerSecond {
        let bf16 = self.bf16.value;
        let or_bf16 = |figure: &Option<Figure<FlopPerSecond>>| figure.as_ref().map_or(bf16, |figure| figure.value);
        match precision {
            Precision::Bf16 | Precision::Int4 => bf16,
            Precision::Int8 => or_bf16(&self.int8),
            Precision::Fp8 => or_bf16(&self.fp8),
            Precision::Fp4 => self.fp4.as_ref().map_or_else(|| or_bf16(&self.fp8), |figure| figure.value),
        }
    }
}

/// High-bandwidth memory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Capacity.
    pub capacity: Figure<Bytes>,
    /// Peak bandwidth.
    pub bandwidth: Figure<BytesPerSecond>,
    /// Share of the capacity that weights and KV cache may fill; the rest is activations, buffers and the runtime.
    pub usable: Figure<Ratio>,
}

/// Scale-up ports.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipIo {
    /// `SerDes` lanes for the scale-up fabric.
    #[schemars(range(min = 1, max = 4096))]
    pub lanes: u32,
    /// Lanes towards hosts, NICs and memory expanders (PCIe, C2C), beside those of the fabric; 0 if absent.
    #[serde(default)]
    #[schemars(range(max = 4096))]
    pub host_lanes: u32,
    /// Between ranks of the same package, one direction; absent for single-rank packages.
    pub die_to_die: Option<Figure<BytesPerSecond>>,
    /// From the core that asks to the first lane, and back on the other side.
    pub endpoint_latency: Figure<Seconds>,
}

/// Power of the package.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipPower {
    /// Powered and waiting.
    pub idle: Figure<Watts>,
    /// Sustained limit.
    pub tdp: Figure<Watts>,
    /// Per operation at BF16; 8-bit formats take half of it, 4-bit a quarter.
    pub energy_per_flop: Figure<JoulesPerFlop>,
    /// Per bit moved to or from memory.
    pub memory_energy: Figure<JoulesPerBit>,
    /// Per bit sent or received on the scale-up ports.
    pub io_energy: Figure<JoulesPerBit>,
}

/// How far the chip's kernels reach towards its peaks. Few constants, each measured.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kernels {
    /// Start of one operator inside a captured graph: dispatch, synchronisation, ramp, tail.
    pub launch: Figure<Seconds>,
    /// Start of a whole captured graph from the host, once a step.
    pub graph_launch: Figure<Seconds>,
    /// Matrix multiplication.
    pub gemm: GemmKernel,
    /// Attention over the KV cache.
    pub attention: AttentionKernel,
    /// Share of the memory bandwidth that a streaming kernel reaches.
    pub stream_efficiency: Figure<Ratio>,
    /// Share of the matrix cores left to attention while a second stream runs experts and communication beside it;
    /// absent if overlapped streams do not split the cores.
    pub overlap_split: Option<Figure<Ratio>>,
}

/// Dense and grouped matrix multiplication.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GemmKernel {
    /// Share of peak at full tiles and full waves.
    pub compute_efficiency: Figure<Ratio>,
    /// Share of memory bandwidth when streaming weights.
    pub memory_efficiency: Figure<Ratio>,
    /// Rows of a full tile.
    #[schemars(range(min = 1, max = 4096))]
    pub tile_m: u32,
    /// Columns of a full tile.
    #[schemars(range(min = 1, max = 4096))]
    pub tile_n: u32,
}

/// Attention.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttentionKernel {
    /// Share of peak when bound by compute.
    pub compute_efficiency: Figure<Ratio>,
    /// Share of memory bandwidth when bound by the KV cache.
    pub memory_efficiency: Figure<Ratio>,
}
