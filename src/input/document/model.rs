//! `workloads/models/*.toml`: the architecture of a language model, as its published configuration gives it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Attention, Origin, Precision};
use crate::units::{Figure, Ratio};

/// A decoder-only transformer: groups of equal layers between two embeddings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Width of the residual stream.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub hidden: u32,
    /// Tokens of the vocabulary.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub vocabulary: u32,
    /// Whether input and output share one embedding table.
    #[serde(default)]
    pub tied_embeddings: bool,
    /// Multi-token-prediction layers: each is one more layer of the last group and a 2 x hidden to hidden projection.
    #[serde(default)]
    pub mtp_layers: u32,
    /// Longest context that the publisher names.
    #[schemars(range(min = 1))]
    pub context: Option<u32>,
    /// Formats in which the publisher ships the weights.
    pub stored: Option<Stored>,
    /// Parameters outside the decoder: vision and audio towers, tables of positions. They stay in memory; text tokens do not use them.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub tower: Vec<Tower>,
    /// Groups of equal layers. Interleaved kinds are counted together: time and memory do not depend on their order.
    #[schemars(length(min = 1, max = 64))]
    pub layer: Vec<LayerGroup>,
    /// Keys of a `config.json` that nobody read and that may change parameters or cache.
    #[serde(skip)]
    pub ignored: Vec<String>,
    /// What was assumed in reading a `config.json`, and what it asks for that is not modelled.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

impl Model {
    /// Layers of all groups, MTP left out.
    #[must_use]
    pub fn layers(&self) -> u32 {
        self.layer.iter().map(|group| group.count).sum()
    }

    /// The last group, whose kind MTP layers have. `None` only for a model without layers, which no file can hold.
    #[must_use]
    pub fn last(&self) -> Option<&LayerGroup> {
        self.layer.last()
    }

    /// What a reader of its figures must know: keys of its `config.json` that may matter and were not read, and what was assumed.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let keys = self.ignored.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let unread = (!keys.is_empty()).then(|| format!("not read, though parameters or cache may depend on it: {keys}"));
        unread.into_iter().chain(self.warnings.iter().cloned()).collect()
    }

    /// The experts of the first group that has any; `None` in a dense model.
    #[must_use]
    pub fn experts(&self) -> Option<&Experts> {
        self.layer.iter().find_map(|group| group.ffn.experts())
    }
}

/// Formats in which a checkpoint is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Weights.
    pub weights: Precision,
    /// Weights of routed experts; as `weights` if absent.
    pub experts: Option<Precision>,
    /// KV cache, where the checkpoint carries scales for it.
    pub kv_cache: Option<Precision>,
}

/// Parameters outside the decoder.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tower {
    /// Which part of the model they are.
    pub name: String,
    /// Their number.
    #[schemars(range(min = 1, max = 1_000_000_000_000u64))]
    pub parameters: u64,
}

/// Equal layers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerGroup {
    /// How many.
    #[schemars(range(min = 1, max = 10_000))]
    pub count: u32,
    /// How tokens look at each other.
    pub attention: At<Attention>,
    /// What happens to each token alone.
    pub ffn: Ffn,
}

/// Feed-forward block of a layer.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ffn {
    /// One block for all tokens.
    Dense(Dense),
    /// A mixture of experts.
    Experts(Experts),
    /// None: the layer is token mixing alone.
    None,
}

impl Ffn {
    /// The experts, if there are any.
    #[must_use]
    pub fn experts(&self) -> Option<&Experts> {
        match self {
            Self::Experts(experts) => Some(experts),
            Self::Dense(_) | Self::None => None,
        }
    }
}

/// A feed-forward block that every token passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// Its width.
    #[schemars(range(min = 1))]
    pub width: u32,
    /// Whether a gate multiplies its activation: three matrices instead of two.
    #[serde(default = "gated")]
    pub gated: bool,
}

/// Most published blocks are gated (SwiGLU, GeGLU).
fn gated() -> bool {
    true
}

/// Matrices of a block: down, up and, where it is gated, gate.
#[must_use]
pub fn ffn_matrices(gated: bool) -> u32 {
    if gated { 3 } else { 2 }
}

/// A mixture of experts.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Routed experts.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub routed: u32,
    /// Experts chosen for a token.
    #[schemars(range(min = 1))]
    pub top_k: u32,
    /// Experts that every token passes.
    #[serde(default)]
    pub shared: u32,
    /// Width of one routed expert.
    #[schemars(range(min = 1))]
    pub width: u32,
    /// Width of one shared expert; a routed one's if absent.
    #[schemars(range(min = 1))]
    pub shared_width: Option<u32>,
    /// Width of the stream that routed experts work on, where a projection narrows it for them; the residual stream's if absent.
    pub latent: Option<u32>,
    /// Whether a gate multiplies each expert's activation: three matrices instead of two.
    #[serde(default = "gated")]
    pub gated: bool,
    /// Variance of how often the router chooses each expert over the square of the mean: 0 if all are chosen alike. A few tokens then reach fewer
    /// different experts, whose weights are read. 0.5 if absent: between 0.2, which runs of DeepSeek show, and 1.3, AIConfigurator's power law with the exponent 1.2
    /// that it estimates for Qwen3-235B, at 64 tokens.
    #[schemars(extend("x-range" = [0.0, 100.0]))]
    pub skew: Option<Figure<Ratio>>,
}

impl Experts {
    /// See `skew`.
    #[must_use]
    pub fn skew(&self) -> f64 {
        self.skew.as_ref().map_or(0.5, |figure| figure.value.get())
    }

    /// Width of what is sent to routed experts, in a model whose residual stream is `hidden` wide.
    #[must_use]
    pub fn stream(&self, hidden: u32) -> u32 {
        self.latent.unwrap_or(hidden)
    }

    /// Width of all shared experts together.
    #[must_use]
    pub fn shared_width(&self) -> u32 {
        self.shared * self.shared_width.unwrap_or(self.width)
    }

    /// Matrices of one expert.
    #[must_use]
    pub fn matrices(&self) -> u32 {
        ffn_matrices(self.gated)
    }
}

/// Speculative decoding: a draft proposes tokens, one pass of the model checks them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Speculation {
    /// Proposed tokens a step.
    #[schemars(range(min = 1, max = 16))]
    pub draft_tokens: u32,
    /// Chance that a proposed token is accepted, given that those before it were.
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub acceptance: Figure<Ratio>,
    /// The model that proposes, on the same chips: a model file with the same vocabulary. The model's own MTP layers if absent.
    #[schemars(extend("x-part" = "model"))]
    pub draft: Option<At<String>>,
}

impl Speculation {
    /// Expected tokens a step: 1 + a + a^2 + ... + a^k for k proposed ones (Leviathan et al., arXiv 2211.17192, equation 1).
    #[must_use]
    pub fn tokens_per_step(&self) -> f64 {
        (0..=self.draft_tokens).scan(1.0, |chance, _| Some(std::mem::replace(chance, *chance * self.acceptance.value.get()))).sum()
    }
}
