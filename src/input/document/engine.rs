//! `topologies/parts/engines/*.toml`: what a serving engine adds to the kernels of a pass.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Origin, Precision};
use crate::units::{Figure, Ratio, Seconds};

/// A serving engine: its host's share of a pass, and how its kernels differ from those that the chip's constants were measured with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Releases whose runs its constants were fitted to, as the runs name them.
    pub release: Option<String>,
    /// Name under which chips state the kernels that were measured for this engine (`[chip.kernels.engines.NAME]`); the chip's own kernels if absent.
    pub kernels: Option<String>,
    /// Gap between two kernels of a captured graph over the chip's: below one where kernels are launched before their predecessor ends or
    /// are fused, above one where there are more of them.
    /// As the chip's if absent.
    #[schemars(extend("x-range" = [0.001, 100.0]))]
    pub gap: Option<Figure<Ratio>>,
    /// Of the compute efficiency of the chip's matrix kernels, the share that this engine's reach; all of it if absent.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub matrix: Option<Figure<Ratio>>,
    /// Formats whose routed experts run on kernels of this engine's own that were never measured alone. Each starts and reads weights as the
    /// chip's measured kernel of the format named beside it, and pays nothing for experts without tokens.
    #[serde(default)]
    pub own_experts: BTreeMap<Precision, Precision>,
    /// Host time for each sequence of an attention group: batch assembly, sampling, detokenising. A pass waits for all of it, or, where the scheduler is
    /// `overlapped`, for what is longer than the pass before.
    pub sequence: Figure<Seconds>,
    /// Host time to launch one kernel or transfer, where a pass with prompts runs outside captured graphs; of compiled code, one operator. The host
    /// runs ahead: the slower of it and the kernels counts.
    pub launch: Figure<Seconds>,
    /// Whether it compiles models, as vLLM does with torch.compile: its host then starts whole operators, with what is fused into them, rather than
    /// kernel by kernel; false if absent.
    #[serde(default)]
    pub compiled: bool,
    /// Time that a request spends outside passes before its first token is seen, while passes go on: the server, the tokenizer and the queues
    /// between processes, both ways; none if absent.
    pub front_end: Option<Figure<Seconds>>,
    /// How it batches requests; as vLLM's API server does if absent.
    pub scheduler: Option<Scheduler>,
}

impl Engine {
    /// Whether the host prepares a pass while the one before runs.
    #[must_use]
    pub fn prepares_ahead(&self) -> bool {
        self.scheduler.as_ref().and_then(|scheduler| scheduler.overlapped).unwrap_or(false)
    }
}

/// How an engine batches requests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scheduler {
    /// Tokens that an attention group takes into one pass, those of its decoding sequences included; 8192 if absent.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub budget: Option<u32>,
    /// Sequences that run at once in an attention group; 1024 if absent.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sequences: Option<u32>,
    /// Tokens of a block of the paged cache; 16 if absent.
    #[schemars(range(min = 1, max = 65_536))]
    pub block: Option<u32>,
    /// Whether a prompt may be read in parts; true if absent.
    pub chunked: Option<bool>,
    /// Whether prompts are read beside decoding sequences (true, also if absent) or in passes of their own, before any decode pass.
    pub mixed: Option<bool>,
    /// Most tokens of one prompt in a pass; no limit if absent.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub longest_chunk: Option<u32>,
    /// Blocks that must be free before a request is admitted; `prompt` if absent.
    pub admission: Option<Admission>,
    /// Share of all blocks that stays free when a request is admitted while others run; 0 if absent.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub watermark: Option<f64>,
    /// Which sequence gives its blocks up when they run out; `last-admitted` if absent.
    pub victim: Option<Victim>,
    /// Whether a pass is scheduled while the one before it runs; false if absent.
    pub overlapped: Option<bool>,
    /// Whether blocks of earlier prompts are kept and found; true if absent.
    pub prefix_cache: Option<bool>,
    /// Whether requests with a lower priority number go first; false (first come, first served) if absent.
    pub by_priority: Option<bool>,
}

/// Blocks that must be free before a request is admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Admission {
    /// Those of its first chunk.
    FirstChunk,
    /// Those of its whole prompt, and of what it had made before it was preempted.
    #[default]
    Prompt,
    /// Those of its whole prompt and answer, beside what all running requests may still take: nothing is ever preempted.
    Request,
    /// Those of its prompt and answer, beside a share of what running requests may still take: the share starts at 0.7, falls to 0.098
    /// over 600 decode passes, and rises when a sequence is retracted (SGLang).
    Estimate,
}

/// Which sequence gives its blocks up when they run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Victim {
    /// The one admitted last, which waits at the front again (vLLM).
    #[default]
    LastAdmitted,
    /// The one with the fewest tokens made, of equals the one with the longest prompt (SGLang).
    FewestMade,
}
