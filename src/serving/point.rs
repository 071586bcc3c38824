//! What operating points of all phases have in common.

use crate::execution::Mapping;
use crate::execution::Step;
use crate::units::{Seconds, TokensPerSecond};

/// An operating point of any phase: a mapping, a batch, and what they bring.
pub trait Point: Clone + Send {
    /// Degrees.
    fn mapping(&self) -> Mapping;
    /// Sequences, or prompts, of one attention group and pipeline stage.
    fn sequences(&self) -> f64;
    /// Micro-batches.
    fn micro_batches(&self) -> u32;
    /// Tokens per second of one instance.
    fn rate(&self) -> TokensPerSecond;
    /// What the service level limits: TPOT or TTFT.
    fn latency(&self) -> Seconds;
    /// Whether memory, not time, keeps the batch from growing.
    fn fills_memory(&self) -> bool;
    /// The pass behind it.
    fn step(&self) -> &Step;

    /// Sequences or prompts in flight on one chip.
    fn batch_per_chip(&self, ranks_per_chip: u32) -> f64 {
        let mapping = self.mapping();
        self.sequences() * f64::from(mapping.dp * mapping.pp) / f64::from(mapping.chips(ranks_per_chip))
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
