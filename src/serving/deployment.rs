//! Resources of an instance: room for caches, memory outside the chips, and the path to other instances.

use super::infeasible::Infeasible;
use super::kv_transfer::KvTransfer;
use super::prefix_cache::reach;
use super::queueing::{CacheTransfer, Picoseconds};
use crate::execution::{Machine, Mapping, cache_room, draft, weight_bytes};
use crate::input::document::{CacheTier, PrefixCache};
use crate::units::{Bytes, Seconds};
use crate::workload::{prompt_cache_per_token, sequence_cache};

/// Tokens whose caches fit beside the weights of an attention group, for sequences of `context` tokens on average. A cache that does not grow in
/// proportion to the context counts with its bytes per token of such a sequence.
///
/// # Errors
/// Weights that do not fit.
pub fn cache_tokens(machine: &Machine<'_>, mapping: &Mapping, context: f64) -> Result<f64, Infeasible> {
    let (model, workload) = (&machine.workload.model, &machine.workload.workload);
    let weights = weight_bytes(model, &workload.precision, workload.experts.as_ref(), mapping) + draft::weights(machine.workload, mapping);
    let memory = machine.device.usable_memory;
    let room = cache_room(&machine.device, weights).ok_or(Infeasible::Weights { mapping: *mapping, weights, memory })?;
    let sequence = sequence_cache(model, &workload.precision, mapping.tp, context) / f64::from(mapping.sp)
        + draft::sequence_cache(machine.workload, mapping, context);
    // Each pipeline stage works on a batch of its own; all of them share the rank's room.
    Ok(room / sequence * context)
}

/// Memory outside the chips that keeps prefixes: `[own hosts, shared]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tiers {
    /// Tokens that the hosts of one attention group keep, and tokens that the memory shared by all instances keeps.
    pub tokens: [f64; 2],
    /// Cache of a token of a prompt.
    pub per_token: Bytes,
    /// Seconds in which the chips of an attention group read a token, and what comes before; absent where there is no such memory.
    pub reading: [Option<(f64, Seconds)>; 2],
}

/// The memories that `cache` names, for prompts of `prompt` tokens.
///
/// # Errors
/// That the machine has no memory of a kind.
pub fn tiers(machine: &Machine<'_>, mapping: &Mapping, cache: &PrefixCache, prompt: f64) -> Result<Tiers, Infeasible> {
    let (model, workload) = (&machine.workload.model, &machine.workload.workload);
    let per_token = prompt_cache_per_token(model, &workload.precision, prompt) + draft::cache_per_token(machine.workload, prompt);
    let fabric = machine.communication.network().fabric();
    let groups = f64::from(fabric.chips * fabric.chip.ranks) / f64::from(mapping.group());
    let chips = f64::from(mapping.group()) / f64::from(fabric.chip.ranks);
    let share = cache.share.as_ref().map_or(1.0, |share| share.value.get());
    let mut tiers = Tiers { per_token, ..Tiers::default() };
    for &tier in &cache.tiers {
        let Some(reach) = reach(tier) else { continue };
        let refuse = |reason: String| Infeasible::Tier { mapping: *mapping, reason };
        let memory = machine.communication.far_memory(reach).map_err(refuse)?;
        let (place, parts) = match tier {
            CacheTier::HostDram => (0, groups),
            CacheTier::CxlPool | CacheTier::FabricPool | CacheTier::Hbm => (1, 1.0),
        };
        let rate = cache.bandwidth.as_ref().map_or(memory.rate, |most| memory.rate.min(most.value));
        tiers.tokens[place] += memory.capacity / per_token * share / parts;
        let start = machine.communication.library().launch.value + memory.latency;
        let seconds = (per_token / (rate * chips)).get();
        // Of two shared memories the slower one sets the pace.
        let slower = tiers.reading[place].is_none_or(|(known, _)| known < seconds);
        if slower {
            tiers.reading[place] = Some((seconds, start));
        }
    }
    Ok(tiers)
}

/// The way of a prompt's cache from an instance laid out as `mapping` to one that answers, for prompts of `prompt` tokens.
#[must_use]
pub fn kv_transfer(machine: &Machine<'_>, mapping: &Mapping, prompt: f64) -> (CacheTransfer, Bytes) {
    let one = KvTransfer::new(machine, mapping, prompt, 1.0);
    let layers = machine.workload.model.layers();
    let latency = one.exposed - one.time / f64::from(layers);
    (CacheTransfer { latency: Picoseconds::of(latency), per_token: one.time.get() * 1e12 / prompt, layers }, one.prompt)
}
