//! `[chip.kernels]`: how far the kernels of a chip reach.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::precision::Precision;
use crate::units::{BytesPerSecond, Figure, Ratio, Seconds};

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
    /// Attention of prompts over entries that each token chooses; the kernel of the latent cache with `sparse_attention` if absent.
    pub sparse_prompts: Option<SparsePromptKernel>,
    /// The measured relative whose kernel constants these are, where this chip's own kernels were never measured.
    pub measured_on: Option<String>,
    /// Matrix multiplication.
    pub gemm: BTreeMap<Precision, GemmKernel>,
    /// Attention over a latent cache (MLA), by cache format.
    pub mla: BTreeMap<Precision, AttentionKernel>,
    /// Attention over grouped keys and values (GQA), by cache format.
    pub gqa: BTreeMap<Precision, AttentionKernel>,
    /// Decode attention that treats every head for itself: where each has keys and values of its own, and where that of `gqa` would leave most cores
    /// idle (`least_fill`); that of `gqa` if empty.
    #[serde(default)]
    pub mha: BTreeMap<Precision, AttentionKernel>,
    /// Attention of prompts over keys and values of heads, by cache format; `gqa` at the memory's rate if empty.
    #[serde(default)]
    pub prompts: BTreeMap<Precision, PromptKernel>,
    /// One token a sequence of linear attention with the gated delta rule; a kernel that streams if absent.
    pub delta_decode: Option<DeltaDecodeKernel>,
    /// Prompts of linear attention with the gated delta rule; kernels that stream if absent.
    pub delta_prompts: Option<DeltaPromptKernels>,
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
        let wider = || kernels.range(..=precision).next_back().or_else(|| kernels.iter().next()).map(|(_, kernel)| kernel);
        kernels.get(&precision).or_else(wider)
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

/// How a kernel splits the KV length of a sequence among cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SplitRule {
    /// Not at all.
    Never,
    /// Into 1, 2, 4, ... parts of at least 64 tokens, whichever number is fastest.
    #[default]
    Fastest,
    /// Into parts of 128 tokens, n of them, but at most the square root of 8 n, and no more than make eight waves.
    EightWaves,
    /// Into parts of at least 256 tokens, no more than give each core one block.
    OneWave,
    /// Into parts of at least 256 tokens, no more than give each core two blocks.
    TwoWaves,
}

/// Decode and prefill attention; the form stands in `workload/kernel/attention.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttentionKernel {
    /// Fixed cost: launch, scheduling, the kernel that merges splits.
    pub launch: Figure<Seconds>,
    /// How the KV length of a sequence is split among cores.
    #[serde(default)]
    pub splits: SplitRule,
    /// Merging one more split of the KV length; if absent, as long as one core reads its partial result.
    pub merge: Option<Figure<Seconds>>,
    /// What splitting costs once, however many parts there are; nothing if absent.
    pub merge_start: Option<Figure<Seconds>>,
    /// A block on its core, from its start to its end, with up to 64 tokens; nothing if absent, then these tokens are only read.
    pub block: Option<Figure<Seconds>>,
    /// What each query row of 128 elements adds to a block, in rows padded to 8; nothing if absent.
    pub row: Option<Figure<Seconds>>,
    /// Share of the cores that parts of 128 tokens must fill; below, the kernel of `mha` runs. It never does if absent.
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub least_fill: Option<Figure<Ratio>>,
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

/// Attention of prompts over chosen entries; the form stands in `workload/kernel/gather.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SparsePromptKernel {
    /// Fixed cost, with that of the kernels that choose.
    pub launch: Figure<Seconds>,
    /// What the kernels that choose take for each token.
    pub token: Figure<Seconds>,
    /// Gathering one entry for one tile of rows, all cores at work.
    pub entry: Figure<Seconds>,
    /// Rows of a tile: heads of one token.
    #[schemars(range(min = 1, max = 1024))]
    pub tile_rows: u32,
    /// Whether short prompts go through it too, whose tokens choose all that there is.
    #[serde(default)]
    pub always: bool,
}

/// One token of the gated delta rule; the form stands in `workload/kernel/delta.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeltaDecodeKernel {
    /// Fixed cost.
    pub launch: Figure<Seconds>,
    /// Share of memory bandwidth that reading and writing states reach.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub memory_efficiency: Figure<Ratio>,
}

/// Prompts of the gated delta rule; the form stands in `workload/kernel/delta.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeltaPromptKernels {
    /// Fixed cost of the kernels that follow each other.
    pub launch: Figure<Seconds>,
    /// One chunk of 64 tokens on a core that carries a state along.
    pub chunk: Figure<Seconds>,
    /// Share of memory bandwidth.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub memory_efficiency: Figure<Ratio>,
}

/// Routed experts of one rank; the form stands in `workload/kernel/experts.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpertKernel {
    /// Fixed cost: routing, permutation, two grouped GEMMs, finalisation.
    pub launch: Figure<Seconds>,
    /// What a start takes more on a rank that holds only a part of the experts, where the kernel sorts out the copies for other ranks; none if absent.
    pub spread_launch: Option<Figure<Seconds>>,
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
