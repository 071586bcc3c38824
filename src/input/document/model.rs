//! `workloads/models/*.toml`: the architecture of a language model, as its published configuration gives it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Origin};

/// A decoder-only transformer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Transformer layers.
    #[schemars(range(min = 1, max = 10_000))]
    pub layers: u32,
    /// Width of the residual stream.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub hidden: u32,
    /// Tokens of the vocabulary.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub vocabulary: u32,
    /// Attention.
    pub attention: At<Attention>,
    /// Feed-forward blocks.
    pub ffn: At<Ffn>,
    /// Multi-token-prediction layers: each is one more transformer layer and a 2 x hidden to hidden projection.
    #[serde(default)]
    pub mtp_layers: u32,
}

/// Attention of every layer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Attention {
    /// Multi-head latent attention: all heads share one compressed cache entry a token.
    Mla {
        /// Query heads.
        #[schemars(range(min = 1))]
        heads: u32,
        /// Width of the compressed query; 0 if queries are projected at once.
        query_rank: u32,
        /// Width of the compressed cache entry.
        #[schemars(range(min = 1))]
        kv_rank: u32,
        /// Width of a head without position.
        nope_dim: u32,
        /// Width of the shared rotary part.
        rope_dim: u32,
        /// Width of a value head.
        value_dim: u32,
    },
    /// Grouped-query attention; multi-head if `kv_heads` equals `heads`.
    Gqa {
        /// Query heads.
        #[schemars(range(min = 1))]
        heads: u32,
        /// Key and value heads.
        #[schemars(range(min = 1))]
        kv_heads: u32,
        /// Width of a head.
        #[schemars(range(min = 1))]
        head_dim: u32,
    },
}

/// Feed-forward blocks: gated, three matrices each.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ffn {
    /// Layers, from the first, whose block is dense.
    pub dense_layers: u32,
    /// Width of the dense block.
    pub dense_width: u32,
    /// Mixture of experts in the other layers; absent in a dense model.
    pub experts: Option<Experts>,
}

/// A mixture of experts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Routed experts.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub routed: u32,
    /// Experts chosen for a token.
    #[schemars(range(min = 1))]
    pub top_k: u32,
    /// Experts that every token passes.
    pub shared: u32,
    /// Width of one expert.
    #[schemars(range(min = 1))]
    pub width: u32,
}

/// Speculative decoding: a draft proposes tokens, one pass of the model checks them.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Speculation {
    /// Proposed tokens a step.
    #[schemars(range(min = 1, max = 16))]
    pub draft_tokens: u32,
    /// Chance that a proposed token is accepted, given that those before it were.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub acceptance: f64,
}

impl Speculation {
    /// Expected tokens a step: 1 + a + a^2 + ... + a^draft.
    #[must_use]
    pub fn tokens_per_step(&self) -> f64 {
        (0..=self.draft_tokens).scan(1.0, |chance, _| Some(std::mem::replace(chance, *chance * self.acceptance))).sum()
    }
}
