//! Token mixing of one layer.

use serde_json::Value as Json;

use super::aliases::HIDDEN_KEYS;
use super::families::Linear;
use super::json::ConfigTable;
use super::layers::Mixer;
use crate::input::document::{Attention, Compressed, Convolution, GatedDelta, Gqa, Index, Lightning, Mamba, Mamba2, Mfa, Mla};

const HEAD_KEYS: [&str; 6] = ["num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads", "num_query_heads"];
const HEAD_DIM_KEYS: [&str; 3] = ["head_dim", "attention_head_dim", "kv_channels"];

/// Taps that state-space and linear layers are priced with.
const TAPS: u32 = 4;

/// The token mixing of a layer; attention and a state-space layer side by side are two.
pub(super) fn read(table: &ConfigTable<'_>, mixer: Mixer, layer: u32, layers: u32) -> Vec<Attention> {
    match mixer {
        Mixer::Absent => vec![Attention::None],
        Mixer::Convolution => vec![convolution(table)],
        Mixer::Linear(linear) => vec![self::linear(table, linear)],
        Mixer::Both => vec![grouped(table, None, layer, layers), self::linear(table, table.family.linear)],
        Mixer::Window(key) => vec![grouped(table, Some(key), layer, layers)],
        Mixer::Full => vec![full(table, layer, layers)],
    }
}

fn full(table: &ConfigTable<'_>, layer: u32, layers: u32) -> Attention {
    if table.has("compress_ratios") || table.has("compress_rates") {
        compressed(table, layer)
    } else if table.has("kv_lora_rank") {
        latent(table, layer)
    } else if table.has("share_q_dim") {
        let [heads, query_rank] = [table.need(&HEAD_KEYS), table.need(&["share_q_dim"])];
        ["num_attention_groups", "num_key_value_heads"].into_iter().for_each(|key| table.mark(key));
        Attention::Mfa(Mfa { heads, query_rank, head_dim: table.need(&["head_dim"]) })
    } else {
        grouped(table, None, layer, layers)
    }
}

fn latent(table: &ConfigTable<'_>, layer: u32) -> Attention {
    // Follow from the ranks.
    ["head_dim", "num_key_value_heads", "qk_head_dim"].into_iter().for_each(|key| table.mark(key));
    Attention::Mla(Mla {
        heads: table.need(&["num_attention_heads"]),
        query_rank: table.maybe(&["q_lora_rank"]).unwrap_or(0),
        kv_rank: table.need(&["kv_lora_rank"]),
        nope_dim: table.need(&["qk_nope_head_dim"]),
        rope_dim: table.need(&["qk_rope_head_dim"]),
        value_dim: table.need(&["v_head_dim"]),
        output_gate: table.flag("mla_use_output_gate"),
        index: index(table).map(|index| Index { shared: shares_index(table, layer), ..index }),
    })
}

fn index(table: &ConfigTable<'_>) -> Option<Index> {
    table.value("index_n_heads")?;
    let [heads, dim, top] = [["index_n_heads"], ["index_head_dim"], ["index_topk"]].map(|key| table.need(&key));
    Some(Index { heads, dim, top, shared: false })
}

/// Whether a layer reuses the tokens that an earlier one chose.
fn shares_index(table: &ConfigTable<'_>, layer: u32) -> bool {
    let period = table.positive_at(&["index_topk_freq"], None);
    let first = table.maybe(&["index_skip_topk_offset"]).unwrap_or(0);
    match table.entry("indexer_types", layer).and_then(Json::as_str) {
        Some("shared") => true,
        Some("full") => false,
        Some(other) => {
            table.wrong("indexer_types", &format!("has the unknown kind `{other}`"), "expected one of `full`, `shared`");
            false
        }
        // The layers before `first` choose, and then every `period`-th.
        None => period.is_some_and(|period| layer >= first && !(layer + 1 - first).is_multiple_of(period)),
    }
}

fn compressed(table: &ConfigTable<'_>, layer: u32) -> Attention {
    let listed = table.entry("compress_ratios", layer);
    let worded = || {
        let word = table.entry("layer_types", layer)?.as_str()?;
        table.value("compress_rates")?.get(word)
    };
    let ratio = listed.or_else(worded).and_then(Json::as_u64).and_then(|ratio| u32::try_from(ratio).ok()).filter(|ratio| *ratio > 1);
    // All heads share one entry.
    ["num_key_value_heads", "qk_rope_head_dim"].into_iter().for_each(|key| table.mark(key));
    let index = index(table);
    Attention::Compressed(Compressed {
        heads: table.need(&["num_attention_heads"]),
        head_dim: table.need(&["head_dim"]),
        query_rank: table.need(&["q_lora_rank"]),
        output_groups: table.need(&["o_groups"]),
        output_rank: table.need(&["o_lora_rank"]),
        window: table.need(&["sliding_window"]),
        ratio,
        // Only entries that stand for few tokens are many enough to choose among.
        index: index.filter(|_| ratio == Some(4)),
    })
}

/// Heads with keys and values of their own or of a group; `window` is the key of their window.
fn grouped(table: &ConfigTable<'_>, window: Option<&'static str>, layer: u32, layers: u32) -> Attention {
    let at = Some(layer);
    let sliding = window.is_some();
    let other = if sliding { table.table("attention_other_setting") } else { None };
    let other_dim = other.and_then(|other| other.positive_at(&["head_dim"], at));
    let heads = other.and_then(|other| other.positive_at(&["num_attention_heads"], at)).unwrap_or_else(|| {
        let own: &[&'static str] = if sliding { &["swa_num_attention_heads", "num_sliding_attention_heads"] } else { &[] };
        let per_layer = table.positive_at(own, at).or_else(|| table.positive_at(&["num_attention_heads_per_layer"], at));
        per_layer.unwrap_or_else(|| table.need_at(&HEAD_KEYS, at))
    });
    let key_values = other.and_then(|other| other.positive_at(&["num_attention_groups"], at)).or_else(|| kv_heads(table, sliding, layer));
    let kv_heads = key_values.unwrap_or(heads);
    // Heads that are missing are a problem of their own.
    if HEAD_KEYS.iter().any(|key| table.has(key)) && !heads.is_multiple_of(kv_heads) {
        let key =
            ["num_key_value_heads", "num_kv_heads", "num_attention_heads"].into_iter().find(|key| table.has(key)).unwrap_or("num_attention_heads");
        let message = format!("{heads} query heads cannot share {kv_heads} key and value heads");
        let problem = crate::input::problem::Problem::new(message).at(table.place(key), format!("must divide {heads}"));
        table.reader.report(problem);
    }
    // Gemma 4 gives its full layers a shape of their own.
    let global = !sliding && table.has("global_head_dim");
    let own: &[&'static str] = match (sliding, global) {
        (true, _) => &["swa_head_dim"],
        (false, true) => &["global_head_dim"],
        (false, false) => &[],
    };
    let head_dim = other_dim.or_else(|| table.positive_at(own, at)).or_else(|| table.positive_at(&HEAD_DIM_KEYS, at));
    let value_keys: &[&'static str] = if sliding { &["swa_v_head_dim", "v_head_dim"] } else { &["v_head_dim"] };
    let k_eq_v = table.flag("attention_k_eq_v");
    Attention::Gqa(Gqa {
        heads,
        kv_heads,
        head_dim: head_dim.unwrap_or_else(|| table.need(&HIDDEN_KEYS) / heads).max(1),
        value_dim: table.positive_at(value_keys, at),
        window: window.map(|key| table.need(&[key])),
        output_gate: output_gate(table),
        value_is_key: k_eq_v && (global || !sliding),
        shares_cache: shares_cache(table, layer, layers),
        index: blocks(table, layer),
    })
}

/// Whether a projection of its own gates the heads' output.
fn output_gate(table: &ConfigTable<'_>) -> bool {
    let said = ["attn_output_gate", "attention_output_gate"].into_iter().find(|key| table.has(key));
    said.map_or(table.family.output_gate, |key| table.flag(key))
}

/// Key and value heads of a layer, where the file says.
fn kv_heads(table: &ConfigTable<'_>, sliding: bool, layer: u32) -> Option<u32> {
    let at = Some(layer);
    if sliding && let Some(own) = table.positive_at(&["swa_num_key_value_heads"], at) {
        return Some(own);
    }
    if !sliding && let Some(global) = table.positive_at(&["num_global_key_value_heads"], at) {
        return Some(global);
    }
    if let Some(inside) = table.table("attn_config")
        && let Some(heads) = inside.positive_at(&["kv_n_heads"], at)
    {
        return Some(heads);
    }
    // Falcon: one head for all, or groups in its later architecture; there the count of groups holds.
    if table.has("multi_query") && table.flag("multi_query") && !table.flag("new_decoder_architecture") {
        table.mark("num_kv_heads");
        return Some(1);
    }
    if table.has("multi_query_attention") && !table.flag("multi_query_attention") {
        return None;
    }
    table.positive_at(
        &["num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num", "num_attention_groups", "num_key_value_heads_per_layer"],
        at,
    )
}

/// Whether a layer reads the keys and values of an earlier one.
fn shares_cache(table: &ConfigTable<'_>, layer: u32, layers: u32) -> bool {
    let last = table.maybe(&["num_kv_shared_layers"]).unwrap_or(0);
    table.mark("cla_share_factor");
    let across = if table.flag("use_cla") { table.positive_at(&["cla_share_factor"], None) } else { None };
    layer >= layers.saturating_sub(last) || across.is_some_and(|factor| !layer.is_multiple_of(factor))
}

/// Sparse attention that chooses whole blocks of tokens.
fn blocks(table: &ConfigTable<'_>, layer: u32) -> Option<Index> {
    let inside = table.table("sparse_attention_config")?;
    let sparse = inside.entry("sparse_attention_freq", layer)?.as_u64()? > 0;
    let top = inside.maybe(&["sparse_topk_blocks"])?.checked_mul(inside.maybe(&["sparse_block_size"])?)?;
    let [heads, dim] = [inside.need(&["sparse_num_index_heads"]), inside.need(&["sparse_index_dim"])];
    let on = !inside.has("use_sparse_attention") || inside.flag("use_sparse_attention");
    (on && sparse).then_some(Index { heads, dim, top, shared: false })
}

fn linear(table: &ConfigTable<'_>, linear: Linear) -> Attention {
    match linear {
        Linear::Delta => {
            taps(table, "linear_conv_kernel_dim");
            Attention::GatedDelta(GatedDelta {
                key_heads: table.need(&["linear_num_key_heads"]),
                value_heads: table.need(&["linear_num_value_heads"]),
                key_dim: table.need(&["linear_key_head_dim"]),
                value_dim: table.need(&["linear_value_head_dim"]),
                gate_rank: None,
            })
        }
        Linear::Kda => {
            let (heads, dim, full_rank) = match table.table("linear_attn_config") {
                Some(inside) => {
                    taps(&inside, "short_conv_kernel_size");
                    (inside.need(&["num_heads"]), inside.need(&["head_dim"]), inside.flag("use_full_rank_gate"))
                }
                None => (table.need(&["linear_num_heads", "num_attention_heads"]), table.need(&["linear_head_dim", "v_head_dim"]), false),
            };
            let gate_rank = if full_rank { None } else { Some(dim) };
            Attention::GatedDelta(GatedDelta { key_heads: heads, value_heads: heads, key_dim: dim, value_dim: dim, gate_rank })
        }
        Linear::Lightning => {
            let heads = table.need(&HEAD_KEYS);
            let head_dim = table.positive_at(&HEAD_DIM_KEYS, None).unwrap_or_else(|| table.need(&HIDDEN_KEYS) / heads).max(1);
            Attention::Lightning(Lightning { heads, head_dim })
        }
        Linear::Mamba2 => mamba2(table),
        Linear::Mamba => mamba(table),
    }
}

fn mamba2(table: &ConfigTable<'_>) -> Attention {
    ["conv_kernel", "mamba_d_conv"].into_iter().for_each(|key| taps(table, key));
    let heads = table.need(&["mamba_num_heads", "mamba_n_heads", "num_heads"]);
    let inner = || {
        let expand = table.maybe(&["expand", "mamba_expand"]).unwrap_or(2);
        table.positive_at(&["mamba_d_ssm"], None).unwrap_or_else(|| expand * table.need(&HIDDEN_KEYS))
    };
    // "auto": the inner channels in equal shares.
    let auto = table.fields.get("mamba_d_head").is_some_and(Json::is_string);
    let dim_keys: &[&'static str] =
        if table.has("mamba_num_heads") || table.has("mamba_n_heads") { &["mamba_head_dim", "mamba_d_head"] } else { &["head_dim"] };
    let given = if auto { None } else { table.positive_at(dim_keys, None) };
    table.settle(&["expand", "mamba_expand", "mamba_d_ssm", "time_step_rank"]);
    if auto {
        table.mark("mamba_d_head");
    }
    Attention::Mamba2(Mamba2 {
        heads,
        head_dim: given.unwrap_or_else(|| inner() / heads).max(1),
        state: table.need(&["ssm_state_size", "mamba_d_state", "state_size"]),
        groups: table.positive_at(&["n_groups", "mamba_n_groups"], None).unwrap_or(1),
    })
}

fn mamba(table: &ConfigTable<'_>) -> Attention {
    ["conv_kernel", "mamba_d_conv"].into_iter().for_each(|key| taps(table, key));
    let hidden = table.need(&HIDDEN_KEYS);
    // Jamba's `intermediate_size` is that of its feed-forward blocks.
    let given = if table.has("mamba_expand") { None } else { table.positive_at(&["intermediate_size", "d_inner"], None) };
    let channels = match given {
        Some(channels) => {
            table.mark("expand");
            channels
        }
        None => table.maybe(&["expand", "mamba_expand"]).unwrap_or(2) * hidden,
    };
    let step = ["time_step_rank", "mamba_dt_rank"].into_iter().find(|key| table.fields.get(*key).is_some_and(Json::is_string));
    let step_rank = match step {
        // "auto": a sixteenth of the stream.
        Some(key) => {
            table.mark(key);
            hidden.div_ceil(16)
        }
        None => table.positive_at(&["time_step_rank", "mamba_dt_rank"], None).unwrap_or(hidden.div_ceil(16)),
    };
    Attention::Mamba(Mamba { channels, state: table.need(&["state_size", "mamba_d_state"]), step_rank })
}

fn convolution(table: &ConfigTable<'_>) -> Attention {
    Attention::Convolution(Convolution { channels: table.need(&HIDDEN_KEYS), taps: table.need(&["conv_L_cache"]) })
}

/// A convolution of another length is said; it is priced as one of four taps.
fn taps(table: &ConfigTable<'_>, key: &'static str) {
    if let Some(found) = table.maybe(&[key])
        && found != TAPS
    {
        table.reader.warn(format!("`{key}` = {found} is priced as {TAPS} taps"));
    }
}
