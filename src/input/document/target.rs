//! `workloads/targets/*.toml`: a demand in tokens.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Origin};
use crate::units::{Figure, Ratio, TokensPerSecond};

/// A demand in tokens: of texts, input and output together; of clips, what is generated.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Mean over the day, input and output tokens together, those of clips too.
    pub demand: At<Figure<TokensPerSecond>>,
    /// Busiest moment over the mean.
    #[schemars(extend("x-range" = [1.0, 1000.0]))]
    pub peak_to_mean: Figure<Ratio>,
    /// Of the tokens of texts, the share that users send (prompts); the rest is generated.
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub input_share: Figure<Ratio>,
    /// Of the prompt tokens, the share found in a prefix cache.
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub cache_hit: Figure<Ratio>,
    /// Of a supernode's tokens per second, the share that may be used at the busiest moment; if absent, what
    /// keeps the workload's limits in 99 of 100 moments.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub utilisation: Option<Figure<Ratio>>,
    /// Supernodes kept beside those needed, as a share of them; none if absent.
    #[schemars(extend("x-range" = [0.0, 10.0]))]
    pub spare: Option<Figure<Ratio>>,
    /// Day that the demand is of.
    pub date: Option<At<String>>,
    /// How the demand grew: a file under `workloads/demand`.
    #[schemars(extend("x-part" = "demand"))]
    pub series: Option<At<String>>,
    /// The part of the demand that is video; none if absent.
    pub video: Option<Video>,
}

/// Video in a demand.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Video {
    /// Of all tokens, the share that is sold as tokens of clips: see [`Clip::billed_tokens`](super::Clip::billed_tokens).
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub share: Figure<Ratio>,
    /// What is made for them: a file under `workloads/clips`.
    #[schemars(extend("x-part" = "clip"))]
    pub clip: At<String>,
}
