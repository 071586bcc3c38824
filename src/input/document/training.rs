//! `workloads/training/*.toml`: a model that is trained, its batch, and what a parameter takes in memory.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, ExpertPlacement, Origin, Precision, Precisions};
use crate::units::{BytesPerSecond, Figure, Seconds};

/// One step of training: a global batch of sequences of one length.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Model file.
    #[schemars(extend("x-part" = "model"))]
    pub model: At<String>,
    /// Number format of the GEMMs and of tokens on their way to experts: `bf16` or an 8-bit float. Attention, residuals and tokens on
    /// their way back stay in BF16. On a chip without 8-bit floats all is BF16.
    pub gemm: At<Precision>,
    /// Tokens of a sequence.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub sequence: u32,
    /// Sequences of one optimizer step, all chips together.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub global_batch: u32,
    /// Number format of tokens on their way to experts, `bf16` or an 8-bit float; that of the GEMMs if absent.
    pub dispatch: Option<At<Precision>>,
    /// Whether tokens reach their experts by the library's all-to-all, a copy for each expert, rather than by kernels made for it.
    #[serde(default)]
    pub all_to_all: bool,
    /// Whether the model adds a bias to the result of each routed expert, which frameworks do one expert after the other.
    #[serde(default)]
    pub expert_biases: bool,
    /// Whether gathers and scatters around a block that ranks share go in chunks beside the products next to them; else after each other.
    #[serde(default)]
    pub chunked_tensor: bool,
    /// Layers whose activations wait in the hosts' memory from the forward to the backward pass; as many of each pipeline stage as its share.
    #[serde(default)]
    pub offload_layers: u32,
    /// What the framework's host takes to start kernels; nothing if absent.
    pub host: Option<HostCosts>,
    /// How a pipeline orders its micro-batches.
    #[serde(default)]
    pub schedule: PipelineSchedule,
    /// Which optimizer turns gradients into weights.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// How the state is saved, and what a restart takes.
    #[serde(default)]
    pub checkpoint: Checkpoint,
    /// Balance of the experts; even if absent.
    pub experts: Option<ExpertPlacement>,
    /// Bytes that a parameter takes.
    #[serde(default)]
    pub state: StateBytes,
    /// Whether data-parallel ranks share the optimizer's state (`ZeRO` stage 1, a "distributed optimizer") or each has all of it.
    #[serde(default = "shared")]
    pub shard_optimizer: bool,
    /// Whether they share gradients too (`ZeRO` stage 2): every micro-batch scatters its gradients to the rank that keeps them.
    #[serde(default)]
    pub shard_gradients: bool,
    /// Ranks that share what is sharded, where that is not all of those with the same parameters ("hybrid sharding"); the others hold copies.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub shard_group: Option<u32>,
    /// Whether they share weights and gradients too, and fetch those of a layer when they need it (`ZeRO` stage 3, "fully sharded").
    #[serde(default)]
    pub shard_weights: bool,
}

/// What a framework's host takes to start kernels one by one. Launches run ahead of the kernels, so a layer takes the longer of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostCosts {
    /// For one kernel, with the framework's bookkeeping around it.
    pub kernel: Figure<Seconds>,
    /// What is captured once and started as a whole.
    #[serde(default)]
    pub captured: Captured,
    /// Standard deviation of a rank's time for a step over its mean: the step waits for the slowest of all ranks.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub spread: f64,
}

/// How a job survives failures.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoint {
    /// What one rank writes of its part of the weights and the optimizer's state; 1 GB/s if absent, assumed.
    #[schemars(extend("x-positive" = true))]
    pub write: Figure<BytesPerSecond>,
    /// From a failure to the next step: noticing it, a spare in its place, reading the last checkpoint; ten minutes if absent, assumed.
    pub restart: Figure<Seconds>,
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self { write: Figure::plain(BytesPerSecond::new(1e9)), restart: Figure::plain(Seconds::new(600.0)) }
    }
}

/// Kernels of a training step that are captured and cost the host nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Captured {
    /// None.
    #[default]
    Nothing,
    /// All but the routed experts, whose shapes follow the tokens.
    AllButExperts,
    /// The whole step.
    Step,
}

/// How a pipeline orders its micro-batches, with `F` forward, `B` the gradients of inputs, `W` those of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PipelineSchedule {
    /// One forward and one backward in turn: a stage waits `(p - 1) (F + B + W)`.
    #[default]
    OneForwardOneBackward,
    /// Gradients of weights fill the waits (Qi et al. 2023, "Zero Bubble Pipeline Parallelism", ZB-H1): `(p - 1) (F + B - W)`.
    ZeroBubble,
    /// From both ends at once, each stage with two parts of the model (DeepSeek-V3, arXiv 2412.19437, table 2): `(p / 2 - 1) (F + B' - 3 W)` with
    /// `B' = B + W`, of which one forward runs beside one backward.
    DualPipe,
}

/// Which optimizer turns gradients into weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Two moments for each parameter.
    #[default]
    Adam,
    /// One moment, made orthogonal by five Newton-Schulz steps on each matrix (Jordan et al. 2024, "Muon").
    Muon,
}

fn shared() -> bool {
    true
}

/// Bytes of one parameter in each part of the state.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StateBytes {
    /// The weight that the kernels read.
    #[schemars(range(min = 0.5, max = 16.0))]
    pub weights: f64,
    /// Its gradient, summed over micro-batches.
    #[schemars(range(min = 0.5, max = 16.0))]
    pub gradients: f64,
    /// Master weight and moments.
    #[schemars(range(min = 0.0, max = 32.0))]
    pub optimizer: f64,
}

impl Default for StateBytes {
    /// BF16 weights, FP32 gradients, Adam with an FP32 master copy and two FP32 moments.
    fn default() -> Self {
        Self { weights: 2.0, gradients: 4.0, optimizer: 12.0 }
    }
}

impl Training {
    /// Formats of the operators with GEMMs in `gemm`.
    #[must_use]
    pub fn precisions(&self, gemm: Precision) -> Precisions {
        let wire = if self.dispatch.as_deref().is_none_or(|format| *format != Precision::Bf16) && gemm != Precision::Bf16 {
            Precision::Fp8
        } else {
            Precision::Bf16
        };
        Precisions { weights: gemm, experts: None, attention: Precision::Bf16, kv_cache: Precision::Bf16, dispatch: wire, combine: Precision::Bf16 }
    }
}
