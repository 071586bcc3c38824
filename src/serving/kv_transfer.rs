//! Moving the cache of a prompt that was read to the chips that answer it, where prompts and answers have chips of their own.

use crate::execution::Machine;
use crate::execution::Mapping;
use crate::execution::draft;
use crate::units::{Bytes, Seconds};
use crate::workload::prompt_cache_per_token;

/// Caches of the prompts of one pass on their way over the fabric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvTransfer {
    /// Cache of one prompt, all layers.
    pub prompt: Bytes,
    /// Time in which the caches of all prompts of a pass leave the instance, beside the pass.
    pub time: Seconds,
    /// What a prompt waits for after its pass: the last layer's cache and the way to the farthest chip. Earlier layers leave while later
    /// ones are read.
    pub exposed: Seconds,
}

impl KvTransfer {
    /// Caches of `prompts` prompts of `tokens` tokens leave an instance with this mapping. Every rank sends an equal part, a chip at what the
    /// fabric carries when all chips send to all others; the chips that answer receive as fast.
    pub(super) fn new(machine: &Machine<'_>, mapping: &Mapping, tokens: f64, prompts: f64) -> Self {
        let workload = machine.workload;
        let communication = &machine.communication;
        let chips = f64::from(mapping.chips(communication.network().fabric().chip.ranks));
        let model = prompt_cache_per_token(&workload.model, &workload.workload.precision, tokens);
        let prompt = (model + draft::cache_per_token(workload, tokens)) * tokens;
        let time = prompt * prompts / (communication.chip_to_all() * chips);
        let library = communication.library();
        let start = library.launch.value + library.round.value + communication.farthest();
        Self { prompt, time, exposed: start + time / f64::from(workload.model.layers()) }
    }
}
