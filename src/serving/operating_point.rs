//! An operating point: a mapping, a batch, and their results, for decode, for prefill, and for both on the same chips.

use super::kv_transfer::KvTransfer;
use super::prefix_cache::PrefixUse;
use crate::execution::{Mapping, Step};
use crate::input::document::{DecodePhase, PrefillPhase, Request};
use crate::units::{Seconds, TokensPerSecond};

/// Role of an instance, with its limits.
#[derive(Clone, Copy, Debug)]
pub enum Role<'a> {
    /// Decodes prompts that other instances read.
    Decode(&'a DecodePhase),
    /// Reads prompts that other instances answer.
    Prefill(&'a PrefillPhase),
    /// It does both.
    Aggregated(&'a Request),
}

/// One instance in one role at one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingPoint {
    /// Degrees.
    pub mapping: Mapping,
    /// Sequences of one attention group and pipeline stage that make tokens; where an instance reads prompts only, prompts in one pass, or,
    /// below one, the share of a prompt.
    pub batch: f64,
    /// Micro-batches.
    pub micro_batches: u32,
    /// Mean time per output token of a sequence; absent where no tokens are made.
    pub tpot: Option<Seconds>,
    /// Time to first token; absent where no prompts are read.
    pub ttft: Option<Seconds>,
    /// Tokens per second of one instance: answer tokens, or prompt tokens if it only reads prompts. Prompt tokens that an unbounded prefix cache
    /// would find do not count, even if they are read again because the cache evicted them.
    pub rate: TokensPerSecond,
    /// Whether memory, not time, keeps the batch from growing.
    pub fills_memory: bool,
    /// Prefixes found in caches, and the time to read them beside a pass with prompts. Absent if no prompts are read.
    pub prefixes: Option<PrefixUse>,
    /// Transfer of the caches to the decoding chips. Absent if the same chips answer, or if nothing is decoded.
    pub kv_transfer: Option<KvTransfer>,
    /// Whole requests; absent where an instance does a part of each.
    pub requests: Option<WholeRequests>,
    /// The pass behind it; where it does both, one that reads a chunk.
    pub step: Step,
}

/// Whole requests on one instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WholeRequests {
    /// Requests that it ends in a second.
    pub per_second: f64,
    /// Most prompt tokens that an attention group reads in a pass.
    pub chunk: u32,
    /// Prompt tokens that it reads on average in a pass that reads any.
    pub read: f64,
    /// Fraction of passes that read prompt tokens.
    pub reading: f64,
}

impl OperatingPoint {
    /// The limited latency: time per output token, or time to first token if the instance makes no tokens.
    #[must_use]
    pub fn latency(&self) -> Seconds {
        self.tpot.or(self.ttft).unwrap_or(Seconds::ZERO)
    }

    /// Sequences or prompts in flight on one chip.
    #[must_use]
    pub fn batch_per_chip(&self, ranks_per_chip: u32) -> f64 {
        self.batch * f64::from(self.mapping.dp * self.mapping.pp) / f64::from(self.mapping.chips(ranks_per_chip))
    }
}

/// A point that works, without the pass behind it.
#[derive(Debug)]
pub(super) struct Rough<T> {
    pub mapping: Mapping,
    /// Tokens per second of one instance.
    pub rate: TokensPerSecond,
    /// Whether memory, not time, keeps the batch from growing.
    pub fills_memory: bool,
    /// What describes it.
    pub of: T,
}
