//! Which kind each layer is: how its tokens are mixed, and whether its feed-forward block is dense or a mixture of experts.
//!
//! Files say it in one of four ways: a word for each layer, a letter for each, a list of the layers of one kind, or a rule
//! ("every fourth"). Where a file says nothing, the rule of the model's class holds.

use serde_json::Value as Json;

use super::aliases::{EXPERT_KEYS, LAYER_KEYS, TOP_KEYS};
use super::families::Linear;
use super::json::ConfigTable;

/// How a layer mixes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mixer {
    /// Attention over the whole context.
    Full,
    /// Attention over a window, or over the chunk that a token is in: this key holds its length.
    Window(&'static str),
    /// A state instead of a cache.
    Linear(Linear),
    /// A short convolution.
    Convolution,
    /// Attention and a state-space layer side by side.
    Both,
    /// None.
    Absent,
}

/// What follows in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConfigBlock {
    /// One block for all tokens.
    Dense,
    /// A mixture of experts.
    Experts,
    /// None.
    Absent,
}

/// Lists with one entry for each layer, from which the number of layers follows where it is not given.
const LISTS: [&str; 5] = ["layers_block_type", "layer_types", "hybrid_override_pattern", "block_configs", "hybrid_layer_pattern"];

/// Rules that say nothing new beside a list.
const RULES: [&str; 10] = [
    "full_attention_interval",
    "sliding_window_pattern",
    "_sliding_window_pattern",
    "use_sliding_window",
    "max_window_layers",
    "attn_layer_period",
    "attn_layer_offset",
    "layer_group_size",
    "no_rope_layer_interval",
    "attn_type_list",
];

/// The same for experts.
const EXPERT_RULES: [&str; 5] = ["first_k_dense_replace", "moe_layer_freq", "decoder_sparse_step", "mlp_only_layers", "interleave_moe_layer_step"];

/// The number of layers, and a report of lists that do not have as many entries.
pub(super) fn count(table: &ConfigTable<'_>) -> u32 {
    let length = |key: &str| match table.fields.get(key) {
        Some(Json::Array(list)) => Some(list.len()),
        Some(Json::String(letters)) => Some(letters.chars().count()),
        _ => None,
    };
    let listed = LISTS.into_iter().find_map(|key| length(key).map(|length| (key, length)));
    let given = LAYER_KEYS.iter().any(|key| table.has(key)).then(|| table.need(&LAYER_KEYS));
    if let (Some(layers), Some((key, length))) = (given, listed)
        && length != layers as usize
    {
        table.wrong(key, &format!("has {length} entries for {layers} layers"), "one entry for each layer expected");
    }
    match (given, listed) {
        (Some(layers), _) => layers,
        (None, Some((_, length))) => u32::try_from(length).unwrap_or(u32::MAX),
        (None, None) => table.need(&LAYER_KEYS),
    }
}

/// The kind of a layer of `layers`.
pub(super) fn kind(table: &ConfigTable<'_>, layer: u32, layers: u32) -> (Mixer, ConfigBlock) {
    if let Some(letter) = table.text("hybrid_override_pattern").and_then(|pattern| pattern.chars().nth(layer as usize)) {
        return lettered(table, letter);
    }
    if table.family.single {
        return single(table, layer);
    }
    if table.family.parallel {
        return (Mixer::Both, ConfigBlock::Dense);
    }
    let mixer = if table.has("compress_ratios") || table.has("compress_rates") {
        Mixer::Full
    } else if let Some(mixer) = worded(table, layer).or_else(|| listed(table, layer)) {
        table.settle(&RULES);
        mixer
    } else {
        ruled(table, layer, layers)
    };
    (mixer, if is_sparse(table, layer) { ConfigBlock::Experts } else { ConfigBlock::Dense })
}

/// Nemotron-H's letters.
fn lettered(table: &ConfigTable<'_>, letter: char) -> (Mixer, ConfigBlock) {
    match letter {
        'M' => (Mixer::Linear(table.family.linear), ConfigBlock::Absent),
        '*' => (Mixer::Full, ConfigBlock::Absent),
        '-' => (Mixer::Absent, ConfigBlock::Dense),
        'E' => (Mixer::Absent, ConfigBlock::Experts),
        other => {
            let label = format!("`{other}` is none of `M` (Mamba), `*` (attention), `-` (dense), `E` (experts)");
            table.wrong("hybrid_override_pattern", "has an unknown letter", label);
            (Mixer::Full, ConfigBlock::Dense)
        }
    }
}

/// A layer of one operator.
fn single(table: &ConfigTable<'_>, layer: u32) -> (Mixer, ConfigBlock) {
    let key = if table.has("layers_block_type") { "layers_block_type" } else { "layer_types" };
    match table.entry(key, layer).and_then(Json::as_str) {
        Some("mamba" | "linear_attention") | None => (Mixer::Linear(table.family.linear), ConfigBlock::Absent),
        Some("attention" | "full_attention") => (Mixer::Full, ConfigBlock::Absent),
        Some("mlp") => (Mixer::Absent, ConfigBlock::Dense),
        Some("moe") => (Mixer::Absent, ConfigBlock::Experts),
        Some(other) => {
            unknown(table, key, other, "`mamba`, `attention`, `mlp`, `moe`");
            (Mixer::Full, ConfigBlock::Dense)
        }
    }
}

fn unknown(table: &ConfigTable<'_>, key: &str, word: &str, known: &str) {
    table.wrong(key, &format!("has the unknown kind `{word}`"), format!("expected one of {known}"));
}

/// A word for each layer.
fn worded(table: &ConfigTable<'_>, layer: u32) -> Option<Mixer> {
    let key = ["layer_types", "layers_block_type"].into_iter().find(|key| table.has(key))?;
    let word = table.entry(key, layer)?.as_str()?;
    Some(match word {
        "full_attention" | "attention" | "global" | "indexed_attention" | "deepseek_sparse_attention" | "minimax_m3_sparse" => Mixer::Full,
        "compressed_sparse_attention" | "heavily_compressed_attention" => Mixer::Full,
        "sliding_attention" | "local" | "sliding_window" => Mixer::Window("sliding_window"),
        "chunked_attention" => Mixer::Window("attention_chunk_size"),
        "linear_attention" | "mamba" | "mamba2" => Mixer::Linear(table.family.linear),
        "conv" => Mixer::Convolution,
        "hybrid" if table.family.parallel => Mixer::Both,
        other => {
            let known = "`full_attention`, `sliding_attention`, `chunked_attention`, `linear_attention`, `mamba`, `conv`, `indexed_attention`";
            unknown(table, key, other, known);
            Mixer::Full
        }
    })
}

/// A list of the layers of one kind, or a number for each layer.
fn listed(table: &ConfigTable<'_>, layer: u32) -> Option<Mixer> {
    let linear = Mixer::Linear(table.family.linear);
    let either = |full: bool| if full { Mixer::Full } else { linear };
    if let Some(lists) = table.table("linear_attn_config") {
        // Counted from one.
        if let Some(linear_layers) = lists.lists("kda_layers", layer + 1) {
            lists.mark("full_attn_layers");
            return Some(either(!linear_layers));
        }
        return lists.lists("full_attn_layers", layer + 1).map(either);
    }
    if let Some(kind) = table.entry("attn_type_list", layer).and_then(Json::as_u64) {
        return Some(either(kind == 1));
    }
    if let Some(full) = table.lists("attn_layer_indices", layer) {
        return Some(either(full));
    }
    if let Some(full) = table.lists("full_attn_idxs", layer) {
        return Some(if full { Mixer::Full } else { Mixer::Convolution });
    }
    let windowed = table.entry("hybrid_layer_pattern", layer).and_then(Json::as_u64)?;
    Some(if windowed == 1 { Mixer::Window("sliding_window") } else { Mixer::Full })
}

/// A rule for all layers.
fn ruled(table: &ConfigTable<'_>, layer: u32, layers: u32) -> Mixer {
    let linear = Mixer::Linear(table.family.linear);
    let either = |full: bool, other: Mixer| if full { Mixer::Full } else { other };
    if let Some(period) = table.positive_at(&["attn_layer_period"], None) {
        return either(layer % period == table.maybe(&["attn_layer_offset"]).unwrap_or(0), linear);
    }
    if let Some(period) = table.positive_at(&["full_attention_interval"], None) {
        return either((layer + 1).is_multiple_of(period), linear);
    }
    if let Some(period) = table.positive_at(&["layer_group_size"], None).filter(|period| *period > 1) {
        return either((layer + 1).is_multiple_of(period) || layer >= layers / period * period, linear);
    }
    if table.has("attention_chunk_size") && table.has("interleave_moe_layer_step") {
        let chunked = Mixer::Window("attention_chunk_size");
        return match table.entry("no_rope_layers", layer).and_then(Json::as_u64) {
            Some(rotary) => either(rotary == 0, chunked),
            None => either((layer + 1).is_multiple_of(table.positive_at(&["no_rope_layer_interval"], None).unwrap_or(4)), chunked),
        };
    }
    windows(table, layer, layers)
}

/// Which layers look at a window where no list says so.
fn windows(table: &ConfigTable<'_>, layer: u32, layers: u32) -> Mixer {
    let key = if table.has("window_size") { "window_size" } else { "sliding_window" };
    if table.maybe(&["sliding_window", "window_size"]).is_none_or(|window| window == 0) {
        table.settle(&RULES);
        return Mixer::Full;
    }
    let either = |full: bool| if full { Mixer::Full } else { Mixer::Window(key) };
    if table.has("use_sliding_window") {
        // Qwen: a window in the upper layers, if at all.
        let on = table.flag("use_sliding_window");
        table.mark("max_window_layers");
        let first = table.maybe(&["max_window_layers"]).unwrap_or(0);
        return either(!on || layer < first);
    }
    if let Some(letters) = table.fields.get("sliding_window_pattern").and_then(Json::as_str) {
        // EXAONE: L is local, G is global, and the last layer is global.
        table.mark("sliding_window_pattern");
        let letter = letters.chars().nth(layer as usize % letters.chars().count().max(1));
        return either(letter == Some('G') || layer + 1 == layers);
    }
    let period = table.positive_at(&["sliding_window_pattern", "_sliding_window_pattern", "global_attn_every_n_layers"], None);
    match period.or(table.family.window_period) {
        Some(period) => either((layer + 1).is_multiple_of(period)),
        None => Mixer::Window(key),
    }
}

/// Whether a layer has a mixture of experts.
fn is_sparse(table: &ConfigTable<'_>, layer: u32) -> bool {
    let inside = table.fields.get("ffn_config").and_then(|inside| inside.get("moe_num_experts")).is_some();
    if table.fields.get("enable_moe_block").is_some() && !table.flag("enable_moe_block") {
        table.settle(&EXPERT_KEYS);
        table.settle(&TOP_KEYS);
        table.settle(&["moe_intermediate_size", "expert_intermediate_size"]);
        return false;
    }
    if !inside && table.maybe_at(&EXPERT_KEYS, Some(layer)).is_none_or(|experts| experts <= 1) {
        table.settle(&EXPERT_RULES);
        table.settle(&TOP_KEYS);
        return false;
    }
    let worded = table.entry("mlp_layer_types", layer).and_then(Json::as_str);
    if worded.is_some() || table.fields.get("moe_layer_freq").is_some_and(Json::is_array) {
        table.settle(&EXPERT_RULES);
    }
    match worded {
        Some("dense") => return false,
        Some("sparse" | "moe" | "hash_moe") => return true,
        Some(other) => unknown(table, "mlp_layer_types", other, "`dense`, `sparse`"),
        None => {}
    }
    if let Some(sparse) = table.entry("moe_layer_freq", layer).and_then(Json::as_u64) {
        return sparse != 0;
    }
    if let Some(sparse) = table.text("moe_layers_enum") {
        return sparse.split(',').any(|entry| entry.trim().parse() == Ok(layer));
    }
    if let Some(sparse) = table.lists("moe_layers", layer) {
        return sparse;
    }
    let dense_below = table.maybe(&["first_k_dense_replace", "moe_layer_num_skipped", "num_dense_layers", "moe_layer_start_index"]);
    let dense_above = table.maybe(&["moe_layer_end_index"]).filter(|last| layer > *last);
    if dense_below.is_some_and(|first| layer < first) || dense_above.is_some() || table.lists("mlp_only_layers", layer) == Some(true) {
        return false;
    }
    if let Some(period) = table.positive_at(&["expert_layer_period"], None) {
        return layer % period == table.maybe(&["expert_layer_offset"]).unwrap_or(0);
    }
    let frequency = if table.fields.get("moe_layer_freq").is_some_and(Json::is_number) { table.maybe(&["moe_layer_freq"]) } else { None };
    if frequency.is_some_and(|frequency| !layer.is_multiple_of(frequency.max(1))) {
        return false;
    }
    let step = table.positive_at(&["decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_interval", "moe_layer_frequency"], None);
    step.is_none_or(|step| (layer + 1).is_multiple_of(step))
}
