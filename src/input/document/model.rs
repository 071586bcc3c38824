//! `workloads/models/*.toml`: the architecture of a language model, as its published configuration gives it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Attention, Origin};
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
    /// Groups of equal layers. Interleaved kinds are counted together: time and memory do not depend on their order.
    #[schemars(length(min = 1, max = 64))]
    pub layer: Vec<LayerGroup>,
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

    /// The experts of the first group that has any; `None` in a dense model.
    #[must_use]
    pub fn experts(&self) -> Option<&Experts> {
        self.layer.iter().find_map(|group| group.ffn.experts())
    }
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

/// Feed-forward block of a layer: gated, three matrices.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ffn {
    /// One block for all tokens.
    Dense {
        /// Its width.
        #[schemars(range(min = 1))]
        width: u32,
    },
    /// A mixture of experts.
    Experts(Experts),
}

impl Ffn {
    /// The experts, if there are any.
    #[must_use]
    pub fn experts(&self) -> Option<&Experts> {
        match self {
            Self::Experts(experts) => Some(experts),
            Self::Dense { .. } => None,
        }
    }
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
    /// Experts that every token passes, each as wide as a routed one.
    #[serde(default)]
    pub shared: u32,
    /// Width of one expert.
    #[schemars(range(min = 1))]
    pub width: u32,
    /// Width of the stream that routed experts work on, where a projection narrows it for them; the residual stream's if absent.
    pub latent: Option<u32>,
}

impl Experts {
    /// Width of what is sent to routed experts, in a model whose residual stream is `hidden` wide.
    #[must_use]
    pub fn stream(&self, hidden: u32) -> u32 {
        self.latent.unwrap_or(hidden)
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
    pub draft: Option<At<String>>,
}

impl Speculation {
    /// Expected tokens a step: 1 + a + a^2 + ... + a^k for k proposed ones (Leviathan et al., arXiv 2211.17192, equation 1).
    #[must_use]
    pub fn tokens_per_step(&self) -> f64 {
        (0..=self.draft_tokens).scan(1.0, |chance, _| Some(std::mem::replace(chance, *chance * self.acceptance.value.get()))).sum()
    }
}
