//! Number formats.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number format of weights and GEMMs, of the KV cache, or of tokens on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 16-bit brain float (and IEEE half, which runs at the same rate).
    Bf16,
    /// 8-bit integer.
    Int8,
    /// 8-bit float, one scale a tensor.
    Fp8,
    /// 8-bit float, a scale for each block of 128 x 128 weights and 1 x 128 activations.
    Fp8Block,
    /// 4-bit float with a scale for each 16 elements.
    Fp4,
    /// 4-bit weights with a scale for each 32, 16-bit activations.
    W4a16,
    /// 4-bit weights with a scale for each 32, 8-bit activations.
    W4a8,
}

impl Precision {
    /// All of them, widest first.
    pub const ALL: [Self; 7] = [Self::Bf16, Self::Int8, Self::Fp8, Self::Fp8Block, Self::Fp4, Self::W4a16, Self::W4a8];

    /// Bytes of a stored weight or cache element, block scales included.
    #[must_use]
    pub fn bytes(self) -> f64 {
        match self {
            Self::Bf16 => 2.0,
            Self::Int8 | Self::Fp8 | Self::Fp8Block => 1.0,
            Self::Fp4 => 0.5625,
            Self::W4a16 | Self::W4a8 => 0.53125,
        }
    }

    /// Bytes of an activation that a GEMM of this format reads, block scales included.
    #[must_use]
    pub fn activation_bytes(self) -> f64 {
        match self {
            Self::Bf16 | Self::W4a16 => 2.0,
            Self::Int8 | Self::Fp8 | Self::Fp8Block => 1.0,
            Self::Fp4 => 0.5625,
            Self::W4a8 => 1.03125,
        }
    }

    /// The format whose multipliers do the work.
    #[must_use]
    pub fn computes_in(self) -> Self {
        match self {
            Self::Fp8Block | Self::W4a8 => Self::Fp8,
            Self::W4a16 => Self::Bf16,
            other => other,
        }
    }

    /// Whether weights are narrower than what the multipliers read, and are widened on the way.
    #[must_use]
    pub fn is_weight_only(self) -> bool {
        matches!(self, Self::W4a16 | Self::W4a8)
    }

    /// The name used in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Fp8 => "fp8",
            Self::Fp8Block => "fp8-block",
            Self::Fp4 => "fp4",
            Self::W4a16 => "w4a16",
            Self::W4a8 => "w4a8",
        }
    }
}
