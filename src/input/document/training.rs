//! `workloads/training/*.toml`: a model that is trained, its batch, and what a parameter takes in memory.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, ExpertPlacement, Origin, Precision, Precisions};

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
    /// Whether gathers and scatters around a block that ranks share go in chunks beside the products next to them; else after each other.
    #[serde(default)]
    pub chunked_tensor: bool,
    /// Balance of the experts; even if absent.
    pub experts: Option<ExpertPlacement>,
    /// Bytes that a parameter takes.
    #[serde(default)]
    pub state: StateBytes,
    /// Whether data-parallel ranks share the optimizer's state (`ZeRO` stage 1, a "distributed optimizer") or each has all of it.
    #[serde(default = "shared")]
    pub shard_optimizer: bool,
    /// Whether they share weights and gradients too, and fetch those of a layer when they need it (`ZeRO` stage 3, "fully sharded").
    #[serde(default)]
    pub shard_weights: bool,
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
