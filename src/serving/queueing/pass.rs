//! Contents of a pass, and the state that its scheduler reads.

use super::pool::OutsideTier;
use super::rules::SchedulerRules;
use super::sequence::{Record, RequestProgress};
use super::trace::Trace;

/// State that the scheduler reads in addition to its own queues.
pub struct Context<'a> {
    /// The requests.
    pub trace: &'a Trace,
    /// The rules.
    pub rules: &'a SchedulerRules,
    /// By request.
    pub sequences: &'a mut [RequestProgress],
    /// By request.
    pub records: &'a mut [Record],
    /// Memory outside the chips that all instances share.
    pub pooled: &'a mut Option<OutsideTier>,
    /// Draft tokens that a decoding sequence checks in a pass.
    pub drafts: u32,
}

/// Tokens of one sequence in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassPart {
    /// The request.
    pub request: u32,
    /// Tokens, those of drafts included.
    pub tokens: u32,
    /// True for a decoding sequence, false for a prompt that is read.
    pub decoding: bool,
}

/// Sums over the parts of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PassLoad {
    /// Decoding sequences.
    pub decoding: u32,
    /// Tokens in their caches, each with the one being made.
    pub context: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u32,
    /// Twice the sum over them of the tokens that each sees.
    pub twice_seen: u64,
    /// Tokens of all attention groups, of decoding sequences with those of drafts. Zero in the load of one group.
    pub tokens_of_all_groups: u64,
    /// Prompts that are read to the end.
    pub prompts: u32,
    /// Prompt tokens read from memory outside the chips: `[own hosts, shared]`.
    pub loaded: [u64; 2],
}
