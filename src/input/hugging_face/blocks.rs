//! `block_configs`: a search has given every layer a shape of its own (Puzzle, arXiv 2411.19146).

use serde_json::{Map, Value as Json};

use super::aliases::HIDDEN_KEYS;
use super::json::ConfigTable;
use crate::input::document::{Attention, Dense, Ffn, Gqa};

/// The layer of such a list; `None` for a file without the list.
pub(super) fn read(table: &ConfigTable<'_>, layer: u32) -> Option<(Attention, Ffn)> {
    let block = table.entry("block_configs", layer)?;
    let [attention, ffn] = ["attention", "ffn"].map(|key| block.get(key).and_then(Json::as_object));
    let (Some(attention), Some(ffn)) = (attention, ffn) else {
        table.wrong("block_configs", &format!("does not say what layer {layer} is"), "`attention` and `ffn` expected in every block");
        return Some((Attention::None, Ffn::None));
    };
    ["num_key_value_heads", "intermediate_size"].into_iter().for_each(|key| table.mark(key));
    let hidden = table.need(&HIDDEN_KEYS);
    for (part, fields) in [("attention", attention), ("ffn", ffn)] {
        let odd = ["replace_with_linear", "sparsify", "num_sink_tokens", "window_length", "unshifted_sink", "use_prefill_window_in_sink_attention"];
        for key in odd.into_iter().filter(|key| fields.get(*key).is_some_and(|value| !value.is_null() && *value != Json::Bool(false))) {
            table.reader.warn(format!("`block_configs.{part}.{key}` of layer {layer} is not read"));
        }
    }
    Some((self::attention(table, attention, hidden), self::ffn(table, ffn, hidden)))
}

fn is_absent(fields: &Map<String, Json>) -> bool {
    fields.get("no_op").and_then(Json::as_bool) == Some(true)
}

fn attention(table: &ConfigTable<'_>, fields: &Map<String, Json>, hidden: u32) -> Attention {
    if is_absent(fields) {
        return Attention::None;
    }
    let heads = table.need(&["num_attention_heads"]);
    let group = fields.get("n_heads_in_group").and_then(Json::as_u64).and_then(|group| u32::try_from(group).ok()).unwrap_or(1).max(1);
    if !heads.is_multiple_of(group) {
        table.wrong("n_heads_in_group", &format!("of {group} does not divide {heads} heads"), "a divisor of `num_attention_heads` expected");
    }
    Attention::Gqa(Gqa {
        heads,
        kv_heads: (heads / group).max(1),
        head_dim: table.positive_at(&["head_dim"], None).unwrap_or(hidden / heads).max(1),
        value_dim: None,
        window: None,
        output_gate: false,
        value_is_key: false,
        shares_cache: false,
        index: None,
    })
}

fn ffn(table: &ConfigTable<'_>, fields: &Map<String, Json>, hidden: u32) -> Ffn {
    if is_absent(fields) {
        return Ffn::None;
    }
    let own = fields.get("intermediate_size").and_then(Json::as_u64).and_then(|width| u32::try_from(width).ok());
    let multiple = fields.get("ffn_mult").and_then(Json::as_f64);
    let width = own.or_else(|| multiple.map(|multiple| width_of(multiple, hidden)));
    if width.is_none() {
        table.wrong("block_configs", "has a block without a width", "`ffn_mult` or `intermediate_size` expected in every `ffn`");
    }
    Ffn::Dense(Dense { width: width.unwrap_or(1).max(1), gated: table.family.gated })
}

/// Two thirds of a multiple of the stream, rounded up to whole tiles of 256: the rule of the publisher's own class.
fn width_of(multiple: f64, hidden: u32) -> u32 {
    const TILE: u32 = 256;
    let width = (2.0 * multiple * f64::from(hidden) / 3.0).floor();
    (width / f64::from(TILE)).ceil() as u32 * TILE
}
