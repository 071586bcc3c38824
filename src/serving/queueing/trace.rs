//! Requests as they arrive: when, how long, and which blocks of their prompts others share.

use std::ops::Range;

use super::clock::Picoseconds;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivingRequest {
    /// When it arrives; with a fixed number of requests in flight only the order counts.
    pub arrival: Picoseconds,
    /// Tokens of the prompt, at least one.
    pub input: u32,
    /// Tokens of the answer, at least one.
    pub output: u32,
    /// Its blocks in [`Trace::blocks`]: the first covers the first tokens of the prompt. Empty where nothing is shared.
    pub prefix: Range<u32>,
    /// Tokens of the prompt that are always found, for workloads that state a fixed hit rate and no bounded cache.
    pub found: u32,
    /// Whom to serve first under a priority policy: the lowest number.
    pub priority: i32,
}

/// Requests in the order of their arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The requests.
    pub requests: Vec<ArrivingRequest>,
    /// Blocks of all prompts, numbered without gaps from 0; equal numbers hold equal tokens after equal tokens.
    pub blocks: Vec<u32>,
    /// Tokens of a block; the last one of a prompt may be shorter.
    pub block_tokens: u32,
    /// Number of distinct blocks.
    pub distinct: u32,
}

impl Trace {
    /// Blocks of a request's prompt, the first tokens first.
    #[must_use]
    pub fn prefix(&self, request: &ArrivingRequest) -> &[u32] {
        &self.blocks[request.prefix.start as usize..request.prefix.end as usize]
    }
}
