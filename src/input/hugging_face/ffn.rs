//! Feed-forward block of one layer.

use serde_json::Value as Json;

use super::aliases::{EXPERT_KEYS, HIDDEN_KEYS, TOP_KEYS};
use super::families::UNKNOWN;
use super::json::ConfigTable;
use super::layers::ConfigBlock;
use crate::input::document::{Dense, Experts, Ffn};

const WIDTH_KEYS: [&str; 5] = ["intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "ffn_hidden_dim"];
/// The feed-forward block of a layer.
pub(super) fn read(table: &ConfigTable<'_>, block: ConfigBlock, layer: u32, layers: u32) -> Ffn {
    match block {
        ConfigBlock::Absent => Ffn::None,
        ConfigBlock::Dense => Ffn::Dense(Dense { width: dense_width(table, layer, layers), gated: table.family.gated }),
        ConfigBlock::Experts => Ffn::Experts(experts(table, layer)),
    }
}

fn dense_width(table: &ConfigTable<'_>, layer: u32, layers: u32) -> u32 {
    let at = Some(layer);
    // Llama 4 and MiniMax M3 name the width of their dense layers beside that of their experts.
    if let Some(own) = table.positive_at(&["intermediate_size_mlp", "dense_intermediate_size"], at) {
        return own;
    }
    // Granite 4 without experts has the shared expert alone.
    if table.has("shared_intermediate_size") && table.maybe(&EXPERT_KEYS) == Some(0) {
        table.mark("intermediate_size");
        return table.need(&["shared_intermediate_size"]);
    }
    // OpenELM: a multiple of the stream for each layer, rounded up.
    if let Some(factor) = table.entry("ffn_multipliers", layer).and_then(Json::as_f64) {
        let divisor = table.positive_at(&["ffn_dim_divisor"], None).unwrap_or(1);
        return divisible(factor * f64::from(table.need(&HIDDEN_KEYS)), divisor);
    }
    if let Some(ratio) = table.positive_at(&["expansion_ratio"], None) {
        return ratio * table.need(&HIDDEN_KEYS);
    }
    let Some(width) = table.positive_at(&WIDTH_KEYS, at) else {
        // GPT-2, Falcon, BLOOM: four times the stream where the file does not say.
        if !table.family.gated && !WIDTH_KEYS.iter().any(|key| table.has(key)) {
            return 4 * table.need(&HIDDEN_KEYS);
        }
        return table.need_at(&WIDTH_KEYS, at);
    };
    if table.has("block_auto_adjust_ff_dim") && table.flag("block_auto_adjust_ff_dim") {
        let factor = table.value("block_ffn_dim_multiplier").and_then(Json::as_f64).unwrap_or(1.0);
        let multiple = table.positive_at(&["block_multiple_of"], None).unwrap_or(1);
        let narrow = (f64::from(2 * width) / 3.0).floor() * factor;
        return multiple * (narrow.floor() / f64::from(multiple)).ceil() as u32;
    }
    ["block_auto_adjust_ff_dim", "block_ffn_dim_multiplier", "block_multiple_of"].into_iter().for_each(|key| table.mark(key));
    // Gemma 4 doubles the blocks of layers that share a cache.
    let shared = table.maybe(&["num_kv_shared_layers"]).unwrap_or(0);
    if table.flag("use_double_wide_mlp") && layer >= layers.saturating_sub(shared) { 2 * width } else { width }
}

/// The nearest multiple of `divisor`, and not less than nine tenths of `width`.
fn divisible(width: f64, divisor: u32) -> u32 {
    let nearest = (width / f64::from(divisor) + 0.5).floor().max(1.0) as u32 * divisor;
    if f64::from(nearest) < 0.9 * width { nearest + divisor } else { nearest }
}

fn experts(table: &ConfigTable<'_>, layer: u32) -> Experts {
    if !std::ptr::eq(table.family, &raw const UNKNOWN) {
        // Widths of dense layers, of which a known type need not have any.
        table.settle(&["intermediate_size", "intermediate_size_mlp", "dense_intermediate_size", "use_double_wide_mlp"]);
    }
    let at = Some(layer);
    let inside = table.table("ffn_config");
    let routed = inside.and_then(|inside| inside.positive_at(&["moe_num_experts"], at)).unwrap_or_else(|| table.need_at(&EXPERT_KEYS, at));
    let top_k = inside.and_then(|inside| inside.positive_at(&["moe_top_k"], at)).unwrap_or_else(|| table.need_at(&TOP_KEYS, at));
    let width = inside
        .and_then(|inside| inside.positive_at(&["ffn_hidden_size"], at))
        .unwrap_or_else(|| table.need_at(&["moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size", "intermediate_size"], at));
    let (shared, shared_width) = shared(table, layer, width);
    let zero = table.maybe(&["zero_expert_num"]).unwrap_or(0);
    if zero > 0 {
        let real = f64::from(top_k) * f64::from(routed) / f64::from(routed + zero);
        table.reader.warn(format!("{zero} of {} experts do nothing: of {top_k} choices {real:.1} compute on average", routed + zero));
        return Experts {
            routed,
            top_k: real.round().max(1.0) as u32,
            shared,
            width,
            shared_width,
            latent: None,
            gated: table.family.gated,
            skew: None,
        };
    }
    if top_k > routed {
        let key = TOP_KEYS.into_iter().find(|key| table.has(key)).unwrap_or(TOP_KEYS[0]);
        table.wrong(key, &format!("chooses {top_k} of {routed} experts"), format!("at most {routed}"));
    }
    let latent = table.positive_at(&["routed_expert_hidden_size", "moe_latent_size"], None);
    Experts { routed, top_k, shared, width, shared_width, latent, gated: table.family.gated, skew: None }
}

/// Shared experts and the width of one where a routed one has another: by number, by the width of all together, or a dense block beside
/// the routed experts.
fn shared(table: &ConfigTable<'_>, layer: u32, width: u32) -> (u32, Option<u32>) {
    let at = Some(layer);
    let beside = |own: u32| (1, Some(own).filter(|own| *own != width));
    // Grok 2, Gemma 4: the dense block of the layer stays beside the experts. Arctic: a block as wide as the stream.
    if table.flag("residual_moe") || table.flag("enable_moe_block") {
        return beside(table.need_at(&["intermediate_size"], at));
    }
    if table.flag("use_residual") {
        return beside(table.need(&HIDDEN_KEYS));
    }
    let together = table
        .maybe_at(&["shared_expert_intermediate_size", "share_expert_dim", "shared_intermediate_size", "moe_shared_expert_intermediate_size"], at);
    let number = table.maybe_at(&["n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert"], at);
    match (number, together) {
        // Every Llama 4 layer of experts has one shared expert; a file of its own does not say so.
        (None, None) if table.has("interleave_moe_layer_step") => (1, None),
        (None | Some(0), None | Some(0)) | (Some(0), Some(_)) => (0, None),
        (Some(number), None | Some(0)) => (number, None),
        (None, Some(own)) => beside(own),
        (Some(number), Some(own)) => {
            // Some files give the width of one, some that of all: Nemotron 3 has one of 3 712, Step 3.5 one of 1 280.
            if number > 1 && own == number * width { (number, None) } else { (number, Some(own).filter(|own| *own != width)) }
        }
    }
}
