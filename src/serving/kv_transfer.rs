//! Moving the cache of a prompt that was read to the chips that answer it, where prompts and answers have chips of their own.

use crate::execution::Machine;
use crate::execution::Mapping;
use crate::execution::draft;
use crate::network::Op;
use crate::units::{Bytes, Seconds};
use crate::workload::prompt_cache_per_token;

/// Caches of the prompts of one pass on their way over the fabric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvTransfer {
    /// Cache of one prompt, all layers.
    pub prompt: Bytes,
    /// Time to transfer the caches of all prompts of a pass, beside the pass.
    pub time: Seconds,
    /// What a prompt waits for after its pass: the last layer's cache and the way to the farthest chip. Earlier layers leave while later
    /// ones are read.
    pub exposed: Seconds,
}

impl KvTransfer {
    /// Caches of `prompts` prompts of `tokens` tokens leave an instance with this mapping. Every rank sends an equal part, at what an all-to-all
    /// of the whole machine takes; the chips that answer receive as fast.
    pub(super) fn new(machine: &Machine<'_>, mapping: &Mapping, tokens: f64, prompts: f64) -> Self {
        let workload = machine.workload;
        let communication = &machine.communication;
        let chips = f64::from(mapping.chips(communication.network().fabric().chip.ranks));
        let model = prompt_cache_per_token(&workload.model, &workload.workload.precision, tokens);
        let prompt = (model + draft::cache_per_token(workload, tokens)) * tokens;
        let fabric = communication.network().fabric();
        let ranks = fabric.chips * fabric.chip.ranks;
        let sent = prompt * prompts / (chips * f64::from(fabric.chip.ranks));
        let move_out = |bytes: Bytes| communication.collective(Op::AllToAll, ranks, bytes);
        Self { prompt, time: move_out(sent), exposed: move_out(sent / f64::from(workload.model.layers())) }
    }
}
