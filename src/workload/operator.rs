//! One kernel of a model: what it computes and what it moves.

use crate::input::document::Precision;
use crate::units::{Bytes, Flop};

/// A kernel with its name for timelines and reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// What people call it.
    pub name: &'static str,
    /// What it does.
    pub work: Work,
    /// Whether a library with a fused kernel ahead of latent attention (MLAProlog) computes it there, with the norm before it.
    pub prolog: bool,
}

impl Operator {
    /// A kernel of its own.
    #[must_use]
    pub fn new(name: &'static str, work: Work) -> Self {
        Self { name, work, prolog: false }
    }

    /// The same as a part of the fused kernel ahead of latent attention, where the library has one.
    #[must_use]
    pub fn in_prolog(self) -> Self {
        Self { prolog: true, ..self }
    }
}

/// What the tokens of prompts choose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// Tokens.
    pub tokens: f64,
    /// Query heads, which share a choice.
    pub heads: f64,
    /// Most entries of one token.
    pub entries: f64,
}

/// What a kernel does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// `batch` independent products of a (rows x depth) activation with a (depth x columns) weight.
    Gemm {
        /// Independent products, each with its own weight.
        batch: f64,
        /// Rows: tokens.
        rows: f64,
        /// Columns: outputs.
        columns: f64,
        /// Depth: inputs.
        depth: f64,
        /// Number format.
        precision: Precision,
    },
    /// Attention of `sequences` over their caches.
    Attention {
        /// Sequences.
        sequences: f64,
        /// Cached tokens that each query sees, on average.
        context: f64,
        /// Groups of query rows that share cache entries, in one sequence.
        units: f64,
        /// Query rows of a unit.
        rows: f64,
        /// Operations of one row on one cached token.
        flop_per_row: f64,
        /// Cache bytes a token that one unit reads.
        unit_bytes: Bytes,
        /// Cache bytes a token of one sequence, all units together.
        sequence_bytes: Bytes,
        /// Query, output and partial results of one sequence.
        query_bytes: Bytes,
        /// Of one sequence's prompt: what a kernel ahead reads and writes that rotates queries and keys, casts them, and stores keys and values. Zero where
        /// the kernel at hand does it, as in decode.
        prepared_bytes: Bytes,
        /// Which kernel.
        latent: bool,
        /// Of prompts, if each token attends to entries of its own choice once there are enough.
        chosen: Option<Chosen>,
        /// Whether it scores entries for a choice, or gathers those that were chosen.
        sparse: bool,
        /// Cache format.
        precision: Precision,
    },
    /// The routed experts of one rank.
    Experts {
        /// Experts on the rank.
        local: f64,
        /// Of them, those with at least one token.
        active: f64,
        /// Token copies on the rank.
        copies: f64,
        /// Different tokens on the rank.
        tokens: f64,
        /// Width of the residual stream.
        hidden: f64,
        /// Width of an expert.
        width: f64,
        /// Number format.
        precision: Precision,
        /// Whether other ranks hold further experts.
        spread: bool,
    },
    /// Linear attention that carries a state from token to token.
    Recurrence {
        /// Sequences times heads that have a state of their own.
        states: f64,
        /// Chunks of one sequence, one after the other; zero where each sequence has one token.
        chunks: f64,
        /// Operations, all states together.
        flop: Flop,
        /// Queries, keys and values, and what else backward needs.
        inputs: Bytes,
        /// Read and written, all kernels together.
        bytes: Bytes,
    },
    /// Reads and writes without matrix work: norms, activations, residuals.
    Stream {
        /// Read and written together.
        bytes: Bytes,
    },
}

impl Work {
    /// Operations, without padding.
    #[must_use]
    pub fn flop(&self) -> Flop {
        Flop::new(match *self {
            Self::Gemm { batch, rows, columns, depth, .. } => 2.0 * batch * rows * columns * depth,
            Self::Attention { sequences, context, units, rows, flop_per_row, .. } => sequences * context * units * rows * flop_per_row,
            Self::Experts { copies, hidden, width, .. } => 2.0 * copies * 3.0 * hidden * width,
            Self::Recurrence { flop, .. } => flop.get(),
            Self::Stream { .. } => 0.0,
        })
    }

    /// Bytes to and from memory.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match *self {
            Self::Gemm { batch, rows, columns, depth, precision } => {
                let weights = depth * columns * precision.bytes();
                let activations = rows * depth * precision.activation_bytes() + 2.0 * rows * columns;
                Bytes::new(batch * (weights + activations))
            }
            Self::Attention { sequences, context, sequence_bytes, query_bytes, prepared_bytes, .. } => {
                (sequence_bytes * context + query_bytes + prepared_bytes) * sequences
            }
            Self::Experts { active, copies, tokens, hidden, width, precision, .. } => {
                let (weights, element) = (active * 3.0 * hidden * width * precision.bytes(), precision.activation_bytes());
                let activations = 4.0 * tokens * hidden + copies * (hidden * (4.0 + 2.0 * element) + width * (8.0 + 2.0 * element));
                Bytes::new(weights + activations)
            }
            Self::Recurrence { bytes, .. } | Self::Stream { bytes } => bytes,
        }
    }

    /// Kernels that a host starts for it where no captured graph does. Inputs in 8 or 4 bits are made by a kernel ahead. Prompts are rotated and stored
    /// ahead of attention. Experts are a choice, a sort, a product, an activation, a product and a sum. The delta rule of prompts is six kernels: sums of
    /// the decays, products of keys, their triangular inverse, weights, states, outputs (see flash-linear-attention).
    #[must_use]
    pub fn kernels(&self) -> u32 {
        let quantised = |precision: Precision| u32::from(precision.activation_bytes() < Precision::Bf16.activation_bytes());
        match *self {
            Self::Gemm { precision, .. } => 1 + quantised(precision),
            Self::Attention { prepared_bytes, .. } => 1 + u32::from(prepared_bytes > Bytes::ZERO),
            Self::Experts { precision, .. } => 6 + 2 * quantised(precision),
            Self::Recurrence { chunks, .. } => 1 + 5 * u32::from(chunks > 0.0),
            Self::Stream { .. } => 1,
        }
    }

    /// Number format of the multipliers; BF16 for work without any.
    #[must_use]
    pub fn precision(&self) -> Precision {
        match *self {
            Self::Gemm { precision, .. } | Self::Attention { precision, .. } | Self::Experts { precision, .. } => precision,
            Self::Recurrence { .. } | Self::Stream { .. } => Precision::Bf16,
        }
    }
}
