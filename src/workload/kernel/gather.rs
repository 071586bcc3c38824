//! Attention of prompts whose tokens choose cache entries.
//!
//! ```text
//! t = launch + tokens x (token + ceil( heads / tile rows ) x entries x entry)      where entries are gathered
//! t = launch + tokens x token + dense attention                                    elsewhere
//! ```
//!
//! Every token gathers entries of its own, so that a tile of the multipliers holds the heads of one token: 8 heads take as long as 64 on Hopper, and as 128 on Blackwell. The kernel
//! always goes over as many entries as a token may choose. Entries count and not their bytes, because in 8 bit they come only 1.4 times as fast as in 16. `token` is what the kernels
//! around need for each: they quantise and rotate the indexer's queries and keys, sort, and turn choices into addresses.
//!
//! Up to as many tokens as may be chosen, prompts are dense, unless the library has no dense kernel for them (`always`; TensorRT-LLM 1.3.0rc20 on Hopper).

use super::attention_work::{AttentionWork, Chosen};
use crate::input::document::SparsePromptKernel;
use crate::units::Seconds;
use crate::workload::device::Device;

/// Added to a kernel's start where it is sparse: a dozen small kernels quantise and rotate the indexer's queries and keys, sort scores and convert choices.
pub(super) fn sparse_launch(device: &Device, sparse: bool) -> Seconds {
    device.kernels.sparse_launch.as_ref().filter(|_| sparse).map_or(Seconds::ZERO, |figure| figure.value)
}

/// The kernels that choose for this work, and what they choose.
pub(super) fn choosing<'a>(device: &'a Device, work: &AttentionWork) -> Option<(&'a SparsePromptKernel, Chosen)> {
    device.kernels.sparse_prompts.as_ref().zip(work.chosen)
}

/// Whether entries are gathered.
pub(super) fn gathers(kernel: &SparsePromptKernel, work: &AttentionWork) -> bool {
    kernel.always || work.sparse
}

/// Choosing, launch included.
pub(super) fn choice_time(kernel: &SparsePromptKernel, chosen: Chosen) -> Seconds {
    kernel.launch.value + kernel.token.value * chosen.tokens
}

/// Attention over gathered entries.
pub(super) fn gather_time(kernel: &SparsePromptKernel, chosen: Chosen) -> Seconds {
    let tiles = (chosen.heads / f64::from(kernel.tile_rows)).ceil();
    kernel.entry.value * (chosen.tokens * tiles * chosen.entries)
}
