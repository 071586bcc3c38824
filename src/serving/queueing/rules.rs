//! Rules of an engine's scheduler: the settings of launch scripts, and the rules in which engines differ.

use crate::input::document::{Admission, Scheduler, Victim};

/// The rules of one engine.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerRules {
    /// Tokens that an attention group takes into one pass, those of its decoding sequences included.
    pub budget: u32,
    /// Sequences that run at once in an attention group.
    pub sequences: u32,
    /// Tokens of a cache block.
    pub block: u32,
    /// Whether a prompt may be read in parts.
    pub chunked: bool,
    /// Whether one pass may read prompts and decode. If false, prompts are read in separate passes, before any decode pass.
    pub mixed: bool,
    /// Most tokens of one prompt in a pass.
    pub longest_chunk: Option<u32>,
    /// Blocks that must be free before a request is admitted.
    pub admission: Admission,
    /// Fraction of all blocks that must stay free when a request is admitted while others run.
    pub watermark: f64,
    /// Which sequence gives its blocks up when they run out.
    pub victim: Victim,
    /// Whether a pass is scheduled while the previous pass runs. If so, arrivals and freed blocks count one pass later, and the time of the host
    /// is hidden.
    pub overlapped: bool,
    /// Whether blocks of earlier prompts are kept and found.
    pub prefix_cache: bool,
    /// Whether requests with a lower priority number go first; otherwise the first that came.
    pub by_priority: bool,
}

impl SchedulerRules {
    /// Whether a preempted sequence finds those of its blocks that were not overwritten, as vLLM's prefix cache lets it (`KVCacheManager.free` returns blocks to
    /// the queue last block first). SGLang's retraction frees them at once.
    #[must_use]
    pub fn finds_own(&self) -> bool {
        self.prefix_cache && self.victim == Victim::LastAdmitted
    }

    /// The rules of an engine's file. A missing rule is that of vLLM's API server on a chip with at least 70 GiB.
    #[must_use]
    pub fn of(scheduler: Option<&Scheduler>) -> Self {
        let open = Scheduler::default();
        let stated = scheduler.unwrap_or(&open);
        Self {
            budget: stated.budget.unwrap_or(8192),
            sequences: stated.sequences.unwrap_or(1024),
            block: stated.block.unwrap_or(16),
            chunked: stated.chunked.unwrap_or(true),
            mixed: stated.mixed.unwrap_or(true),
            longest_chunk: stated.longest_chunk,
            admission: stated.admission.unwrap_or_default(),
            watermark: stated.watermark.unwrap_or(0.0),
            victim: stated.victim.unwrap_or_default(),
            overlapped: stated.overlapped.unwrap_or(false),
            prefix_cache: stated.prefix_cache.unwrap_or(true),
            by_priority: stated.by_priority.unwrap_or(false),
        }
    }
}
