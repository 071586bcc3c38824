//! Attention of one layer: the kinds that published models use.

use schemars::JsonSchema;
use serde::Deserialize;

/// How the tokens of a sequence look at each other.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Attention {
    /// Multi-head latent attention.
    Mla(Mla),
    /// Grouped-query attention; multi-head if `kv_heads` equals `heads`.
    Gqa(Gqa),
    /// Multi-matrix factorisation attention: low-rank queries, one shared key and value head.
    Mfa(Mfa),
    /// Compressed attention: a window of single entries and, beyond it, entries that stand for several tokens.
    Compressed(Compressed),
    /// Linear attention with a gated delta rule: a state of fixed size instead of a cache.
    GatedDelta(GatedDelta),
}

impl Attention {
    /// Heads that a tensor-parallel group divides among its ranks.
    #[must_use]
    pub fn heads(&self) -> u32 {
        match self {
            Self::Mla(mla) => mla.heads,
            Self::Gqa(gqa) => gqa.heads,
            Self::Mfa(mfa) => mfa.heads,
            Self::Compressed(compressed) => compressed.heads,
            Self::GatedDelta(delta) => delta.value_heads,
        }
    }
}

/// Multi-head latent attention: all heads share one compressed cache entry a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mla {
    /// Query heads.
    #[schemars(range(min = 1))]
    pub heads: u32,
    /// Width of the compressed query; 0 if queries are projected at once.
    pub query_rank: u32,
    /// Width of the compressed cache entry.
    #[schemars(range(min = 1))]
    pub kv_rank: u32,
    /// Width of a head without position.
    pub nope_dim: u32,
    /// Width of the shared rotary part.
    pub rope_dim: u32,
    /// Width of a value head.
    pub value_dim: u32,
    /// Whether a projection of its own gates the heads' output.
    #[serde(default)]
    pub output_gate: bool,
    /// Chooses the tokens that are looked at; absent if all are.
    pub index: Option<Index>,
}

/// A small attention that scores all cached tokens, so that the large one reads only the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Scoring heads.
    #[schemars(range(min = 1))]
    pub heads: u32,
    /// Width of a scoring head and of the one key that is kept for each cache entry.
    #[schemars(range(min = 1))]
    pub dim: u32,
    /// Cache entries that are read.
    #[schemars(range(min = 1))]
    pub top: u32,
}

/// Grouped-query attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gqa {
    /// Query heads.
    #[schemars(range(min = 1))]
    pub heads: u32,
    /// Key and value heads.
    #[schemars(range(min = 1))]
    pub kv_heads: u32,
    /// Width of a query and key head.
    #[schemars(range(min = 1))]
    pub head_dim: u32,
    /// Width of a value head; as `head_dim` if absent.
    pub value_dim: Option<u32>,
    /// Tokens that are looked back at; all if absent.
    #[schemars(range(min = 1))]
    pub window: Option<u32>,
    /// Whether a projection of its own gates the heads' output.
    #[serde(default)]
    pub output_gate: bool,
    /// Whether the value is the key: one projection, one cache entry.
    #[serde(default)]
    pub value_is_key: bool,
    /// Chooses the tokens that are looked at; absent if all are.
    pub index: Option<Index>,
}

impl Gqa {
    /// Width of a value head.
    #[must_use]
    pub fn value_dim(&self) -> u32 {
        self.value_dim.unwrap_or(self.head_dim)
    }
}

/// Multi-matrix factorisation attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mfa {
    /// Query heads.
    #[schemars(range(min = 1))]
    pub heads: u32,
    /// Width of the compressed query.
    #[schemars(range(min = 1))]
    pub query_rank: u32,
    /// Width of a head, and of the one key and the one value.
    #[schemars(range(min = 1))]
    pub head_dim: u32,
}

/// Compressed attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compressed {
    /// Query heads; all share one entry, which is key and value.
    #[schemars(range(min = 1))]
    pub heads: u32,
    /// Width of a head and of an entry.
    #[schemars(range(min = 1))]
    pub head_dim: u32,
    /// Width of the compressed query.
    #[schemars(range(min = 1))]
    pub query_rank: u32,
    /// Groups of heads whose output is narrowed together.
    #[schemars(range(min = 1))]
    pub output_groups: u32,
    /// Width to which each group's output is narrowed.
    #[schemars(range(min = 1))]
    pub output_rank: u32,
    /// Latest tokens, which keep an entry each.
    #[schemars(range(min = 1))]
    pub window: u32,
    /// Tokens that one compressed entry stands for; absent if only the window is looked at.
    #[schemars(range(min = 2))]
    pub ratio: Option<u32>,
    /// Chooses the compressed entries that are looked at; absent if all are.
    pub index: Option<Index>,
}

/// Linear attention with a gated delta rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatedDelta {
    /// Key (and query) heads.
    #[schemars(range(min = 1))]
    pub key_heads: u32,
    /// Value heads: each has a state of `key_dim` x `value_dim`.
    #[schemars(range(min = 1))]
    pub value_heads: u32,
    /// Width of a key head.
    #[schemars(range(min = 1))]
    pub key_dim: u32,
    /// Width of a value head.
    #[schemars(range(min = 1))]
    pub value_dim: u32,
}
