//! `workloads/*.toml`: a model under load: precisions, lengths and the service level.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Origin, Precision, Speculation};
use crate::units::{Figure, Ratio, Seconds};

/// A model, how it is stored, and what its users ask.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Model file.
    pub model: At<String>,
    /// Number formats.
    pub precision: Precisions,
    /// Copies and balance of the experts; needed for a mixture of experts.
    pub experts: Option<ExpertPlacement>,
    /// Token generation; absent if only prefill is asked for.
    pub decode: Option<DecodePhase>,
    /// Prompt processing; absent if only decode is asked for.
    pub prefill: Option<PrefillPhase>,
}

/// Number formats of what is stored, computed and sent.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Precisions {
    /// Weights and GEMMs.
    pub weights: Precision,
    /// Attention over the cache.
    pub attention: Precision,
    /// KV cache.
    pub kv_cache: Precision,
    /// Tokens on their way to experts.
    pub dispatch: Precision,
    /// Tokens on their way back.
    pub combine: Precision,
}

/// How many copies of experts there are and how evenly they are used.
///
/// Ranks beyond the routed experts and their copies hold shared experts, to which every token is then sent; with fewer ranks each
/// has the shared experts beside its routed ones and tokens stay where they are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpertPlacement {
    /// Copies of busy experts beyond one each.
    #[serde(default)]
    pub redundant: u32,
    /// Load of the busiest rank over the mean, beyond the scatter of random routing.
    pub imbalance: Figure<Ratio>,
}

/// Token generation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecodePhase {
    /// Mean tokens in the cache of a sequence.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub context: At<u32>,
    /// Longest allowed mean time per output token.
    pub tpot_limit: At<Figure<Seconds>>,
    /// Speculative decoding.
    pub speculation: Option<Speculation>,
}

/// Prompt processing.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrefillPhase {
    /// Tokens of a prompt.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub prompt: At<u32>,
    /// Longest allowed time to first token.
    pub ttft_limit: At<Figure<Seconds>>,
    /// Share of the prompt's tokens found in the prefix cache.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cache_hit: f64,
}
