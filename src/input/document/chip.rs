//! `topologies/parts/chips/*.toml`: an accelerator package.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Origin;
use crate::units::{Bytes, BytesPerSecond, Figure, FlopPerSecond, Hertz, JoulesPerBit, JoulesPerFlop, Ratio, Seconds, Watts, render};

/// A number format of weights and GEMMs, of the KV cache, or of tokens on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 16-bit brain float (and IEEE half, which runs at the same rate).
    Bf16,
    /// 8-bit integer.
    Int8,
    /// 8-bit float, one scale a tensor.
    Fp8,
    /// 8-bit float, a scale for each block of 128 x 128 weights and 1 x 128 activations.
    Fp8Block,
    /// 4-bit float with a scale for each 16 elements.
    Fp4,
    /// 4-bit weights with a scale for each 32, 16-bit activations.
    W4a16,
    /// 4-bit weights with a scale for each 32, 8-bit activations.
    W4a8,
}

impl Precision {
    /// All of them, widest first.
    pub const ALL: [Self; 7] = [Self::Bf16, Self::Int8, Self::Fp8, Self::Fp8Block, Self::Fp4, Self::W4a16, Self::W4a8];

    /// Bytes of a stored weight or cache element, block scales included.
    #[must_use]
    pub fn bytes(self) -> f64 {
        match self {
            Self::Bf16 => 2.0,
            Self::Int8 | Self::Fp8 | Self::Fp8Block => 1.0,
            Self::Fp4 => 0.5625,
            Self::W4a16 | Self::W4a8 => 0.53125,
        }
    }

    /// Bytes of an activation that a GEMM of this format reads, block scales included.
    #[must_use]
    pub fn activation_bytes(self) -> f64 {
        match self {
            Self::Bf16 | Self::W4a16 => 2.0,
            Self::Int8 | Self::Fp8 | Self::Fp8Block => 1.0,
            Self::Fp4 => 0.5625,
            Self::W4a8 => 1.03125,
        }
    }

    /// The format whose multipliers do the work.
    #[must_use]
    pub fn computes_in(self) -> Self {
        match self {
            Self::Fp8Block | Self::W4a8 => Self::Fp8,
            Self::W4a16 => Self::Bf16,
            other => other,
        }
    }

    /// Whether weights are narrower than what the multipliers read, and are widened on the way.
    #[must_use]
    pub fn is_weight_only(self) -> bool {
        matches!(self, Self::W4a16 | Self::W4a8)
    }

    /// The name used in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Fp8 => "fp8",
            Self::Fp8Block => "fp8-block",
            Self::Fp4 => "fp4",
            Self::W4a16 => "w4a16",
            Self::W4a8 => "w4a8",
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
    /// Last-level cache; absent where it makes no difference to repeated kernels.
    pub cache: Option<Cache>,
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
    #[schemars(extend("x-positive" = true))]
    pub bf16: Figure<FlopPerSecond>,
    /// INT8; absent if there is no faster path than BF16.
    #[schemars(extend("x-positive" = true))]
    pub int8: Option<Figure<FlopPerSecond>>,
    /// FP8; absent if there is none.
    #[schemars(extend("x-positive" = true))]
    pub fp8: Option<Figure<FlopPerSecond>>,
    /// FP4; absent if there is none.
    #[schemars(extend("x-positive" = true))]
    pub fp4: Option<Figure<FlopPerSecond>>,
}

impl Compute {
    /// Peak of a format; narrower formats without a path of their own run at the rate of the next wider one.
    #[must_use]
    pub fn peak(&self, precision: Precision) -> FlopPerSecond {
        let rate = |figure: &Option<Figure<FlopPerSecond>>| figure.as_ref().map(|figure| figure.value);
        let bf16 = self.bf16.value;
        // An eight-bit deployment uses whichever eight-bit path the chip has.
        let eight = |first, second| rate(first).or_else(|| rate(second)).unwrap_or(bf16);
        match precision.computes_in() {
            Precision::Int8 => eight(&self.int8, &self.fp8),
            Precision::Fp8 => eight(&self.fp8, &self.int8),
            Precision::Fp4 => rate(&self.fp4).unwrap_or_else(|| eight(&self.fp8, &self.int8)),
            _ => bf16,
        }
    }
}

/// High-bandwidth memory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Capacity.
    #[schemars(extend("x-positive" = true))]
    pub capacity: Figure<Bytes>,
    /// Peak bandwidth.
    #[schemars(extend("x-positive" = true))]
    pub bandwidth: Figure<BytesPerSecond>,
    /// Share of the capacity that weights and KV cache may fill; the rest is activations, buffers and the runtime.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub usable: Figure<Ratio>,
}

/// Last-level cache. A benchmark that repeats one kernel reads its weights from here where they fit; a model, which reads other weights in
/// between, does not.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Capacity.
    #[schemars(extend("x-positive" = true))]
    pub capacity: Figure<Bytes>,
    /// Rate at which all cores together read from it.
    #[schemars(extend("x-positive" = true))]
    pub bandwidth: Figure<BytesPerSecond>,
}

/// Scale-up ports.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipIo {
    /// Protocols that the ports of the scale-up fabric speak, by their parts; if absent, nothing is said of it, and `check` cannot find a
    /// mismatch.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// `SerDes` lanes for the scale-up fabric.
    #[schemars(range(min = 1, max = 4096))]
    pub lanes: u32,
    /// Lanes towards hosts, NICs and memory expanders (PCIe, C2C), beside those of the fabric; 0 if absent.
    #[serde(default)]
    #[schemars(range(max = 4096))]
    pub host_lanes: u32,
    /// Between ranks of the same package, one direction; absent for single-rank packages.
    #[schemars(extend("x-positive" = true))]
    pub die_to_die: Option<Figure<BytesPerSecond>>,
    /// From the core that asks to the first lane, and back on the other side.
    pub endpoint_latency: Figure<Seconds>,
    /// Bytes of loads and stores that the chip can have in flight to others: over a round trip it moves no more. Absent if that never
    /// holds it back, as where DMA engines copy.
    #[schemars(extend("x-positive" = true))]
    pub load_store_window: Option<Figure<Bytes>>,
}

/// Power of the package.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipPower {
    /// Powered and waiting.
    pub idle: Figure<Watts>,
    /// Beyond waiting, while kernels run at the highest clock, whatever they do: clocks at speed, schedulers, caches, stalled cores; none if
    /// absent.
    pub active: Option<Figure<Watts>>,
    /// Of `active`, the share that the chip draws while work is under way but kernels do not hold its cores: between kernels, while the host
    /// starts them, and while transfers that hold few cores are waited for. Clock and voltage stay up meanwhile. Nothing if absent.
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub between_kernels: Option<Figure<Ratio>>,
    /// Sustained limit.
    #[schemars(extend("x-positive" = true))]
    pub tdp: Figure<Watts>,
    /// A lower limit that the operator sets; the sustained limit if absent.
    #[schemars(extend("x-positive" = true))]
    pub cap: Option<Figure<Watts>>,
    /// The clocks between which the chip chooses to keep to its limit; absent for a chip with one clock, which rests for a part of the time.
    pub clock: Option<Clock>,
    /// Per operation at BF16 on values like those of a model, at the highest clock; 8-bit formats take half of it, 4-bit a quarter.
    pub energy_per_flop: Figure<JoulesPerFlop>,
    /// Of that energy, the share that goes with operands whose bits change; the rest is spent on zeros too. All of it if absent.
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub toggling: Option<Figure<Ratio>>,
    /// Per bit moved between memory and cores: cell, interface, and the way through the caches.
    pub memory_energy: Figure<JoulesPerBit>,
    /// Per bit sent or received on the scale-up ports.
    pub io_energy: Figure<JoulesPerBit>,
}

/// Clocks of the matrix cores, and how the voltage follows them: constant up to the knee, from there on in a straight line.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Highest, at which short kernels run.
    #[schemars(extend("x-positive" = true))]
    pub highest: Figure<Hertz>,
    /// Lowest at which the chip works.
    #[schemars(extend("x-positive" = true))]
    pub lowest: Figure<Hertz>,
    /// From here up the voltage rises.
    #[schemars(extend("x-positive" = true))]
    pub knee: Figure<Hertz>,
    /// Voltage up to the knee, as a share of that at the highest clock.
    #[schemars(extend("x-range" = [0.1, 1.0]))]
    pub lowest_voltage: Figure<Ratio>,
}

impl ChipPower {
    /// What running kernels draw beyond waiting, whatever they do.
    #[must_use]
    pub fn active(&self) -> Watts {
        self.active.as_ref().map_or(Watts::ZERO, |active| active.value)
    }

    /// Of that, what the chip draws while its cores wait for the next kernel of work under way.
    #[must_use]
    pub fn between_kernels(&self) -> Watts {
        self.active() * self.between_kernels.as_ref().map_or(0.0, |share| share.value.get())
    }

    /// Energy of an operation on zeros over that on values like those of a model.
    #[must_use]
    pub fn on_zeros(&self) -> f64 {
        1.0 - self.toggling.as_ref().map_or(1.0, |share| share.value.get())
    }

    /// The limit in force.
    #[must_use]
    pub fn limit(&self) -> Watts {
        self.cap.as_ref().map_or(self.tdp.value, |cap| if cap.value < self.tdp.value { cap.value } else { self.tdp.value })
    }

    /// What is impossible about it.
    ///
    /// # Errors
    /// A limit that leaves nothing to work with, or clocks in the wrong order.
    pub fn check(&self) -> Result<(), String> {
        let idle = self.idle.value;
        if self.tdp.value <= idle {
            return Err(format!("`tdp` is {}, no more than the {} that the chip draws waiting", render(self.tdp.value), render(idle)));
        }
        if let Some(cap) = self.cap.as_ref().filter(|cap| cap.value <= idle) {
            return Err(format!("the cap of {} is no more than the {} that the chip draws waiting", render(cap.value), render(idle)));
        }
        match &self.clock {
            Some(clock) if clock.lowest.value > clock.highest.value => {
                Err(format!("the lowest clock, {}, is above the highest, {}", render(clock.lowest.value), render(clock.highest.value)))
            }
            _ => Ok(()),
        }
    }
}

/// How far the chip's kernels reach towards its peaks: few constants, each with a mechanism, by number format.
///
/// A format without constants of its own takes those of the nearest format listed before it in [`Precision::ALL`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kernels {
    /// Between one kernel and the next inside a captured graph: dispatch, synchronisation, ramp, tail.
    pub launch: Figure<Seconds>,
    /// Start of a whole captured graph from the host.
    pub graph_launch: Figure<Seconds>,
    /// Share of the memory bandwidth that a streaming kernel reaches.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub stream_efficiency: Figure<Ratio>,
    /// Whether two overlapped decode streams (attention; experts with their transfers) each run on a share of the cores. The share is
    /// chosen best, in whole cores. Otherwise kernels follow each other on all cores and only transfers run beside them.
    pub decode_streams_split_cores: bool,
    /// What the kernels of sparse attention that score and choose entries take to start, and as much again those that look up and gather the chosen
    /// ones, beyond a dense kernel; nothing if absent.
    pub sparse_launch: Option<Figure<Seconds>>,
    /// Whether the library computes norm, projections, rotation and cache entry before latent attention in one kernel when it decodes.
    #[serde(default)]
    pub fused_prolog: bool,
    /// Share of a dense attention kernel's efficiency that one reaches which chooses cache entries or gathers those chosen; all of it if
    /// absent.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub sparse_attention: Option<Figure<Ratio>>,
    /// The measured relative whose kernel constants these are, where this chip's own kernels were never measured.
    pub measured_on: Option<String>,
    /// Matrix multiplication.
    pub gemm: BTreeMap<Precision, GemmKernel>,
    /// Attention over a latent cache (MLA), by cache format.
    pub mla: BTreeMap<Precision, AttentionKernel>,
    /// Attention over grouped keys and values (GQA), by cache format.
    pub gqa: BTreeMap<Precision, AttentionKernel>,
    /// Decode attention where every head has keys and values of its own; that of `gqa` if empty.
    #[serde(default)]
    pub mha: BTreeMap<Precision, AttentionKernel>,
    /// Attention of prompts over keys and values of heads, by cache format; `gqa` at the memory's rate if empty.
    #[serde(default)]
    pub prompts: BTreeMap<Precision, PromptKernel>,
    /// Routed experts of one rank.
    pub experts: BTreeMap<Precision, ExpertKernel>,
    /// A second kernel for routed experts, made for few tokens; engines time both and take the faster. Only for the formats named.
    #[serde(default)]
    pub experts_low_latency: BTreeMap<Precision, ExpertKernel>,
    /// What serving engines run in the place of the kernels above, by the engine's name: those of the release that its file names.
    #[serde(default)]
    pub engines: BTreeMap<String, EngineKernels>,
}

/// Kernels of one serving engine that were measured apart from the chip's, by number format. For formats that are not here it runs the chip's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EngineKernels {
    /// Matrix multiplication.
    #[serde(default)]
    pub gemm: BTreeMap<Precision, GemmKernel>,
    /// Routed experts of one rank.
    #[serde(default)]
    pub experts: BTreeMap<Precision, ExpertKernel>,
}

impl Kernels {
    /// The entry for `precision`, or for the nearest wider format that has one; the widest of all if none is wider.
    #[must_use]
    pub fn nearest<T>(kernels: &BTreeMap<Precision, T>, precision: Precision) -> Option<&T> {
        kernels.range(..=precision).next_back().or_else(|| kernels.iter().next()).map(|(_, kernel)| kernel)
    }

    /// Puts the kernels that `engine` brings in the place of the chip's.
    pub fn run_by(&mut self, engine: &str) {
        let Some(own) = self.engines.get(engine).cloned() else { return };
        self.gemm.extend(own.gemm);
        // What a release has for few tokens is part of its own measurements.
        self.experts_low_latency.retain(|format, _| !own.experts.contains_key(format));
        self.experts.extend(own.experts);
    }

    /// Fixed cost of a product on its own, without the quantisation of its input: its format's, or that of the widest format.
    #[must_use]
    pub fn gemm_launch(&self, precision: Precision) -> Seconds {
        let own = Self::nearest(&self.gemm, precision).and_then(|kernel| kernel.launch.as_ref());
        let widest = || self.gemm.values().next().and_then(|kernel| kernel.launch.as_ref());
        own.or_else(widest).map_or(Seconds::ZERO, |figure| figure.value)
    }
}

/// Dense matrix multiplication; the form stands in `workload/kernel/gemm.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GemmKernel {
    /// Fixed cost of a call on its own, launches included, its input quantised already; that of the widest format if absent.
    pub launch: Option<Figure<Seconds>>,
    /// What the kernels that quantise the input add to it in a call on its own; none if absent.
    pub quantise_launch: Option<Figure<Seconds>>,
    /// Share of peak in the main loop of full tiles.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub compute_efficiency: Figure<Ratio>,
    /// Rate at which one core pulls its operand tiles; absent if not known, then it does not limit.
    #[schemars(extend("x-positive" = true))]
    pub operand_bandwidth: Option<Figure<BytesPerSecond>>,
    /// Share of memory bandwidth when streaming weights.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub memory_efficiency: Figure<Ratio>,
    /// Bytes moved to quantise one activation before the multiplication; 0 where none is needed or it is fused.
    pub quantise_bytes: f64,
}

fn splits_by_default() -> bool {
    true
}

/// Decode and prefill attention; the form stands in `workload/kernel/attention.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttentionKernel {
    /// Fixed cost: launch, scheduling, the kernel that merges splits.
    pub launch: Figure<Seconds>,
    /// Whether the KV length of a sequence may be split among cores.
    #[serde(default = "splits_by_default")]
    pub splits: bool,
    /// Merging one more split of the KV length.
    pub merge: Figure<Seconds>,
    /// Rate at which one core alone reads cache entries; twice its share of the memory bandwidth if absent.
    #[schemars(extend("x-positive" = true))]
    pub core_bandwidth: Option<Figure<BytesPerSecond>>,
    /// Rows of a tile that the kernel uses for up to twice as many rows over a latent cache; each of its tiles reads the cache. More rows are padded to
    /// 128. Absent if rows are padded to 16 and share one read.
    #[schemars(extend("minimum" = 1, "maximum" = 64))]
    pub narrow_rows: Option<u32>,
    /// Share of peak when bound by compute.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub compute_efficiency: Figure<Ratio>,
    /// Share of memory bandwidth when bound by the KV cache.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub memory_efficiency: Figure<Ratio>,
}

/// Attention of prompts; the form stands in `workload/kernel/prompts.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptKernel {
    /// Fixed cost of both kernels.
    pub launch: Figure<Seconds>,
    /// Share of peak.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub compute_efficiency: Figure<Ratio>,
    /// Rate at which the kernel ahead reads and writes queries, keys and values.
    #[schemars(extend("x-positive" = true))]
    pub preparation: Figure<BytesPerSecond>,
}

/// Routed experts of one rank; the form stands in `workload/kernel/experts.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpertKernel {
    /// Fixed cost: routing, permutation, two grouped GEMMs, finalisation.
    pub launch: Figure<Seconds>,
    /// Scheduling and descriptors of one local expert.
    pub per_expert: Figure<Seconds>,
    /// Sorting one token that the rank sees to its experts and adding up its results, beyond the bytes moved; none if absent.
    pub per_token: Option<Figure<Seconds>>,
    /// Share of peak; low because tiles are thin.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub compute_efficiency: Figure<Ratio>,
    /// Share of memory bandwidth when streaming weights.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub memory_efficiency: Figure<Ratio>,
}
