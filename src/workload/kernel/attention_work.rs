//! What an attention kernel works on.

use crate::input::document::Precision;
use crate::units::Bytes;

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

/// Attention of `sequences` over their caches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionWork {
    /// Sequences.
    pub sequences: f64,
    /// Cached tokens that each query sees, on average.
    pub context: f64,
    /// Groups of query rows that share cache entries, in one sequence.
    pub units: f64,
    /// Query rows of a unit.
    pub rows: f64,
    /// Operations of one row on one cached token.
    pub flop_per_row: f64,
    /// Cache bytes a token that one unit reads.
    pub unit_bytes: Bytes,
    /// Cache bytes a token of one sequence, all units together.
    pub sequence_bytes: Bytes,
    /// Query, output and partial results of one sequence.
    pub query_bytes: Bytes,
    /// Of one sequence's prompt: what a kernel ahead reads and writes that rotates queries and keys, casts them, and stores keys and values. Zero where
    /// the kernel at hand does it, as in decode.
    pub prepared_bytes: Bytes,
    /// Which kernel.
    pub latent: bool,
    /// Of prompts, if each token attends to entries of its own choice once there are enough.
    pub chosen: Option<Chosen>,
    /// Whether it scores entries for a choice, or gathers those that were chosen.
    pub sparse: bool,
    /// Cache format.
    pub precision: Precision,
}
