//! Parameters outside the decoder: vision towers, tables of positions, embeddings of every layer.

use serde_json::{Map, Value as Json};

use super::aliases::HIDDEN_KEYS;
use super::json::ConfigTable;
use crate::input::document::{Tower, ffn_matrices};

/// The towers of a model of `layers` layers; `whole` is the file, in which vision stands beside the language model.
pub(super) fn read(table: &ConfigTable<'_>, whole: &Map<String, Json>, layers: u32) -> Vec<Tower> {
    let hidden = f64::from(table.need(&HIDDEN_KEYS));
    let mut towers = Vec::new();
    // Products of unlikely sizes are too large for whole numbers: up to 2^53 these are as exact.
    let mut add = |name: &str, parameters: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is too large stays too large")]
        let parameters = parameters as u64;
        if parameters > 0 {
            towers.push(Tower { name: name.to_owned(), parameters });
        }
    };
    if let Some((key, more)) = table.family.positions {
        add("positions", (f64::from(table.need(&[key])) + f64::from(more)) * hidden);
    }
    let learned = table.has("learned_pos_emb") && table.flag("learned_pos_emb");
    let alibi = table.fields.get("attn_config").and_then(|inside| inside.get("alibi")).and_then(Json::as_bool) == Some(true);
    if learned && !alibi {
        add("positions", f64::from(table.maybe(&["max_seq_len"]).unwrap_or(0)) * hidden);
    }
    let narrow = f64::from(table.maybe(&["hidden_size_per_layer_input"]).unwrap_or(0));
    if narrow > 0.0 {
        // A table for each layer, the projection that makes all of them from the first embedding, and gate and projection in each layer.
        let vocabulary = f64::from(table.maybe(&["vocab_size_per_layer_input"]).unwrap_or(0));
        add("embeddings of every layer", f64::from(layers) * narrow * (vocabulary + 3.0 * hidden));
    } else {
        table.mark("vocab_size_per_layer_input");
    }
    if let Some(inputs) = table.maybe(&["altup_num_inputs"]) {
        let rank = f64::from(table.maybe(&["laurel_rank"]).unwrap_or(0));
        add("parallel streams", 2.0 * f64::from(inputs.saturating_sub(1)) * hidden * hidden + 2.0 * f64::from(layers) * hidden * rank);
    }
    for key in ["vision_config", "audio_config"] {
        if let Some(fields) = whole.get(key).and_then(Json::as_object) {
            match tower(fields, hidden) {
                Some(parameters) => add(if key == "vision_config" { "vision" } else { "audio" }, parameters),
                None => table.reader.warn(format!("`{key}` is not counted: its shape is not read")),
            }
        }
    }
    towers
}

/// Parameters of a tower of transformer blocks: attention of four square matrices, a feed-forward block, patches in and a projector out.
fn tower(fields: &Map<String, Json>, hidden: f64) -> Option<f64> {
    let number = |keys: &[&str]| keys.iter().find_map(|key| fields.get(*key).and_then(Json::as_u64)).map(|number| number as f64);
    let width = number(&["vt_hidden_size", "hidden_size", "embed_dim", "width"])?;
    // Qwen2-VL: `hidden_size` is the language model's, `embed_dim` the tower's.
    let width = number(&["embed_dim"]).unwrap_or(width);
    let layers = number(&["depth", "vt_num_hidden_layers", "num_hidden_layers", "layers"])?;
    let ratio = fields.get("mlp_ratio").and_then(Json::as_f64).map(|ratio| (ratio * width).floor());
    let inner = number(&["intermediate_size", "vt_intermediate_size"]).or(ratio)?;
    let kind = fields.get("model_type").and_then(Json::as_str).unwrap_or_default();
    let gated = ["qwen2_5_vl", "pixtral", "gemma4_vision"].contains(&kind);
    let patch = number(&["patch_size"]).unwrap_or(0.0);
    let patches = width * 3.0 * patch * patch * number(&["temporal_patch_size"]).unwrap_or(1.0);
    let positions = number(&["num_position_embeddings", "position_embedding_size"]).unwrap_or(0.0) * width;
    let attention = number(&["qkv_hidden_size"]).unwrap_or(width);
    let blocks = layers * (4.0 * width * attention + f64::from(ffn_matrices(gated)) * width * inner);
    let merged = merged_width(fields, width);
    let mergers = 1.0 + fields.get("deepstack_visual_indexes").and_then(Json::as_array).map_or(0.0, |list| list.len() as f64);
    let out = number(&["out_hidden_size"]).unwrap_or(hidden);
    Some(blocks + patches + positions + mergers * (merged * merged + merged * out))
}

/// Width of the patches that are joined before the projector; a tower that joins none is projected at once.
fn merged_width(fields: &Map<String, Json>, width: f64) -> f64 {
    let side = fields.get("spatial_merge_size").and_then(Json::as_f64);
    let sides = fields.get("merge_kernel_size").and_then(Json::as_array).map(|sides| sides.iter().filter_map(Json::as_f64).product());
    width * side.map(|side| side * side).or(sides).unwrap_or(1.0)
}
