//! `workloads/clips/*.toml`: a video diffusion transformer and the clip it is asked for.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Origin, Precision};
use crate::units::{Figure, Ratio, Seconds};

/// A clip and the model that makes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Pictures.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub frames: u32,
    /// Height in pixels.
    #[schemars(range(min = 1, max = 100_000))]
    pub height: u32,
    /// Width in pixels.
    #[schemars(range(min = 1, max = 100_000))]
    pub width: u32,
    /// Denoising steps.
    #[schemars(range(min = 1, max = 10_000))]
    pub steps: u32,
    /// Passes of the model for one step: 2 with classifier-free guidance, 1 where guidance is distilled into the model.
    #[schemars(range(min = 1, max = 4))]
    pub passes_per_step: u32,
    /// Number format of weights, GEMMs and attention.
    pub precision: Precision,
    /// Of the rate of the chip's best attention kernels, the share that those of the clip's software reach; all of it if absent.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub attention: Option<Figure<Ratio>>,
    /// Longest allowed time for a clip; absent if only clips per hour count.
    pub limit: Option<At<Figure<Seconds>>>,
    /// The model.
    pub transformer: At<Transformer>,
}

/// A diffusion transformer: every token looks at every other.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transformer {
    /// Blocks.
    #[schemars(range(min = 1, max = 10_000))]
    pub blocks: u32,
    /// Width of the residual stream.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub hidden: u32,
    /// Attention heads.
    #[schemars(range(min = 1, max = 100_000))]
    pub heads: u32,
    /// Width of the feed-forward block: two matrices, not gated.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub ffn_width: u32,
    /// Frames, rows and columns of pixels that one latent stands for.
    #[schemars(length(min = 3, max = 3))]
    pub latent_stride: [u32; 3],
    /// Rows and columns of latents that one token stands for.
    #[schemars(range(min = 1, max = 64))]
    pub patch: u32,
    /// Tokens of the text.
    pub text_tokens: u32,
    /// How the text comes in.
    pub text: Text,
    /// Experts that take turns over the steps: all are stored, one runs.
    #[schemars(range(min = 1, max = 16))]
    pub experts: u32,
}

/// How a diffusion transformer sees its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Text {
    /// Each block has an attention of its own towards the text.
    CrossAttention,
    /// Text tokens stand in one row with those of the clip.
    InSequence,
}

impl Clip {
    /// Tokens of the clip: ((frames - 1) / t + 1) x height / (s p) x width / (s p).
    #[must_use]
    pub fn tokens(&self) -> u32 {
        let [time, rows, columns] = self.transformer.latent_stride;
        let patch = self.transformer.patch;
        ((self.frames - 1) / time + 1) * (self.height / (rows * patch)) * (self.width / (columns * patch))
    }

    /// Tokens that the clip is sold as: width x height x frames / 1024, the measure of Volcano Engine's price list for its video models
    /// (<https://seedance2mini.com/blog/seedance-2-mini-pricing-math-preview> quotes it), so that of its published demand. One such token
    /// stands for as many pixels as one of [`Clip::tokens`] where latents stand for 4 x 8 x 8 and tokens for 2 x 2 of them.
    #[must_use]
    pub fn billed_tokens(&self) -> f64 {
        f64::from(self.width) * f64::from(self.height) * f64::from(self.frames) / 1024.0
    }
}
