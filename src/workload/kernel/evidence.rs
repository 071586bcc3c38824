//! Which kernels of a model on a chip no measurement backs.

use std::collections::BTreeSet;

use crate::input::document::{Attention, Chip};
use crate::input::spec::WorkloadSpec;

/// Sentences for the reader of a result: kernels that were never measured anywhere, constants of another chip, and releases of the engine.
#[must_use]
pub fn cautions(chip: &Chip, workload: &WorkloadSpec) -> Vec<String> {
    let model = &workload.model;
    let kinds: BTreeSet<&str> = model.layer.iter().filter_map(|group| never_measured(chip, &group.attention)).collect();
    let kernels = kinds.into_iter().map(|kind| format!("The kernels of {kind} have never been validated: no public measurement of them is at hand."));
    let relative = chip.kernels.measured_on.iter().map(|relative| {
        format!("No kernel of {} was measured: efficiencies are those of {relative} on this chip's peaks (`supernode validate` prints how far such a step misses).", chip.name)
    });
    let experts = workload.workload.precision.experts();
    let engine = workload.engine.as_ref().map(|deployed| &deployed.engine);
    let named = engine.and_then(|engine| engine.kernels.as_ref());
    let measured = named.and_then(|own| chip.kernels.engines.get(own)).is_some_and(|own| own.experts.contains_key(&experts));
    let own = engine.filter(|engine| model.experts().is_some() && !measured && engine.own_experts.contains_key(&experts)).map(|engine| {
        format!(
            "{}'s own kernels for experts in {} were never measured alone: their starts and rates are those of another kernel.",
            engine.name,
            experts.name()
        )
    });
    let release = engine.and_then(|engine| {
        let release = engine.release.as_ref()?;
        Some(format!("Constants of {} were fitted to runs of release {release}; other releases differ.", engine.name))
    });
    kernels.chain(relative).chain(own).chain(release).collect()
}

/// What to call an attention without measured kernels; `None` for one that has them.
#[expect(clippy::match_wildcard_for_single_variants, reason = "a new kind of attention has no measurements either")]
fn never_measured(chip: &Chip, attention: &Attention) -> Option<&'static str> {
    match attention {
        // Blocks of DeepSeek V3.2 are measured on the chips that state what such kernels take to start.
        Attention::Mla(mla) => {
            mla.index.filter(|_| chip.kernels.sparse_launch.is_none()).map(|_| "sparse attention over a latent cache (indexer, choice, gather)")
        }
        Attention::Gqa(gqa) => gqa.index.map(|_| "sparse attention over grouped keys and values (indexer, choice, gather)"),
        Attention::Mfa(_) | Attention::None => None,
        Attention::Compressed(_) => Some("compressed attention (compressor, indexer, gather)"),
        Attention::GatedDelta(_) => chip.kernels.delta_prompts.is_none().then_some("linear attention with a gated delta rule"),
        Attention::Lightning(_) => Some("linear attention with a fixed decay"),
        Attention::Mamba2(_) | Attention::Mamba(_) => Some("state-space layers"),
        // Kinds without measurements are called by their terms in reports, and so is a new kind.
        other => Some(other.kind()),
    }
}
