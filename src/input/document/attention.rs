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
    /// Linear attention with one fixed decay for each head (lightning attention).
    Lightning(Lightning),
    /// State-space layer of the second kind: heads with one decay each, computed in chunks by matrix products.
    Mamba2(Mamba2),
    /// State-space layer of the first kind: one decay for each channel and state element, computed as a scan.
    Mamba(Mamba),
    /// Short convolution between two gates.
    Convolution(Convolution),
    /// No token mixing: the layer is a feed-forward block alone.
    None,
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
            Self::Lightning(lightning) => lightning.heads,
            Self::Mamba2(mamba) => mamba.heads,
            Self::Mamba(mamba) => mamba.channels,
            Self::Convolution(convolution) => convolution.channels,
            // Nothing to divide: any number of ranks divides it.
            Self::None => 0,
        }
    }

    /// Key and value heads, among which a tensor-parallel group divides a cache; 1 if the cache has no heads.
    #[must_use]
    pub fn kv_heads(&self) -> u32 {
        match self {
            Self::Gqa(gqa) => gqa.kv_heads,
            Self::Mla(_)
            | Self::Mfa(_)
            | Self::Compressed(_)
            | Self::GatedDelta(_)
            | Self::Lightning(_)
            | Self::Mamba2(_)
            | Self::Mamba(_)
            | Self::Convolution(_)
            | Self::None => 1,
        }
    }

    /// Heads that share others evenly: how many heads, among how many, and what those are. `None` if no heads are shared.
    #[must_use]
    pub fn shared_heads(&self) -> Option<(u32, u32, &'static str)> {
        match self {
            Self::Gqa(gqa) => Some((gqa.heads, gqa.kv_heads, "key and value heads")),
            Self::GatedDelta(delta) => Some((delta.value_heads, delta.key_heads, "key heads")),
            Self::Compressed(compressed) => Some((compressed.heads, compressed.output_groups, "output groups")),
            Self::Mamba2(mamba) => Some((mamba.heads, mamba.groups, "groups")),
            Self::Mla(_) | Self::Mfa(_) | Self::Lightning(_) | Self::Mamba(_) | Self::Convolution(_) | Self::None => None,
        }
    }

    /// The term for this kind of layer in reports.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mla(mla) if mla.index.is_some() => "sparse latent attention",
            Self::Mla(_) => "latent attention",
            Self::Gqa(gqa) => gqa.kind(),
            Self::Mfa(_) => "factorised attention",
            Self::Compressed(compressed) => {
                if compressed.ratio.is_some() {
                    "compressed attention"
                } else {
                    "sliding-window attention"
                }
            }
            Self::GatedDelta(_) => "gated-delta linear attention",
            Self::Lightning(_) => "lightning linear attention",
            Self::Mamba2(_) | Self::Mamba(_) => "state space",
            Self::Convolution(_) => "short convolution",
            Self::None => "no attention",
        }
    }
}

/// Multi-head latent attention: all heads share one compressed cache entry a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mla {
    /// Query heads.
    #[schemars(range(min = 1, max = 65536))]
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
    #[schemars(range(min = 1, max = 65536))]
    pub heads: u32,
    /// Width of a scoring head and of the one key that is kept for each cache entry.
    #[schemars(range(min = 1))]
    pub dim: u32,
    /// Cache entries that are read.
    #[schemars(range(min = 1))]
    pub top: u32,
    /// Whether the layer reuses the choice of an earlier layer: no index weights, no index keys, no scores of its own.
    #[serde(default)]
    pub shared: bool,
}

impl Index {
    /// The indexer that a layer has to itself; `None` where the layer reuses the choice of an earlier one.
    #[must_use]
    pub fn own(index: Option<Self>) -> Option<Self> {
        index.filter(|index| !index.shared)
    }
}

/// Grouped-query attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gqa {
    /// Query heads.
    #[schemars(range(min = 1, max = 65536))]
    pub heads: u32,
    /// Key and value heads.
    #[schemars(range(min = 1, max = 65536))]
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
    /// Whether the layer reads the cache of an earlier layer: no key and value projections and no cache of its own.
    #[serde(default)]
    pub shares_cache: bool,
    /// Chooses the tokens that are looked at; absent if all are.
    pub index: Option<Index>,
}

impl Gqa {
    /// Width of a value head.
    #[must_use]
    pub fn value_dim(&self) -> u32 {
        self.value_dim.unwrap_or(self.head_dim)
    }

    /// Elements that one token of the sequence adds to the keys and values of one head group.
    #[must_use]
    pub fn stored_dim(&self) -> u32 {
        match (self.shares_cache, self.value_is_key) {
            (true, _) => 0,
            (false, true) => self.head_dim,
            (false, false) => self.head_dim + self.value_dim(),
        }
    }

    fn kind(&self) -> &'static str {
        match (self.window, self.index, self.shares_cache) {
            (_, _, true) => "attention over a shared cache",
            (Some(_), _, _) => "sliding-window attention",
            (None, Some(_), _) => "sparse attention",
            (None, None, _) => "full attention",
        }
    }
}

/// Multi-matrix factorisation attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mfa {
    /// Query heads.
    #[schemars(range(min = 1, max = 65536))]
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
    #[schemars(range(min = 1, max = 65536))]
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
    #[schemars(range(min = 1, max = 65536))]
    pub key_heads: u32,
    /// Value heads: each has a state of `key_dim` x `value_dim`.
    #[schemars(range(min = 1, max = 65536))]
    pub value_heads: u32,
    /// Width of a key head.
    #[schemars(range(min = 1))]
    pub key_dim: u32,
    /// Width of a value head.
    #[schemars(range(min = 1))]
    pub value_dim: u32,
    /// Rank of the projections that make decay and output gate, for each channel (Kimi Delta Attention, arXiv 2510.26692); absent
    /// where the decay is one number a head and the gate a full projection.
    #[schemars(range(min = 1))]
    pub gate_rank: Option<u32>,
}

/// Lightning attention (arXiv 2401.04658): keys and values add to a state that decays by a fixed factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lightning {
    /// Heads: each has a state of `head_dim` x `head_dim`.
    #[schemars(range(min = 1, max = 65536))]
    pub heads: u32,
    /// Width of a query, key and value head.
    #[schemars(range(min = 1))]
    pub head_dim: u32,
}

/// Mamba-2 (arXiv 2405.21060): the state-space dual form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mamba2 {
    /// Heads: each has a state of `head_dim` x `state`.
    #[schemars(range(min = 1, max = 65536))]
    pub heads: u32,
    /// Channels of a head.
    #[schemars(range(min = 1))]
    pub head_dim: u32,
    /// State elements of a channel.
    #[schemars(range(min = 1))]
    pub state: u32,
    /// Groups of heads that share input and output vectors of the state.
    #[schemars(range(min = 1))]
    pub groups: u32,
}

/// Mamba (arXiv 2312.00752): the selective scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mamba {
    /// Inner channels.
    #[schemars(range(min = 1))]
    pub channels: u32,
    /// State elements of a channel.
    #[schemars(range(min = 1))]
    pub state: u32,
    /// Rank of the projection that makes the step size of each channel.
    #[schemars(range(min = 1))]
    pub step_rank: u32,
}

/// Short convolution between two gates, as LFM2 has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// Channels.
    #[schemars(range(min = 1))]
    pub channels: u32,
    /// Tokens that the convolution looks at, the newest included.
    #[schemars(range(min = 1))]
    pub taps: u32,
}
