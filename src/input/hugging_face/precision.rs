//! The formats in which a checkpoint is stored, from `quantization_config` and `torch_dtype`.

use serde_json::{Map, Value as Json};

use super::json::ConfigReader;
use crate::input::document::{Precision, Stored};

/// The formats; `None` where the file does not say, or says what is not modelled, which is a warning.
pub(super) fn read(reader: &ConfigReader<'_>, fields: &Map<String, Json>, whole: &Map<String, Json>) -> Option<Stored> {
    let find = |key: &str| fields.get(key).or_else(|| whole.get(key)).filter(|value| !value.is_null());
    ["quantization_config", "compression_config", "expert_dtype"].iter().for_each(|key| {
        reader.used.borrow_mut().insert((*key).to_owned());
    });
    let Some(table) = find("quantization_config").or_else(|| find("compression_config")).and_then(Json::as_object) else {
        let word = find("torch_dtype").or_else(|| find("dtype")).and_then(Json::as_str)?;
        return ["bfloat16", "float16", "float32"].contains(&word).then_some(Stored { weights: Precision::Bf16, experts: None, kv_cache: None });
    };
    let Some(quantised) = weights(table) else {
        let method = table.get("quant_algo").or_else(|| table.get("quant_method")).and_then(Json::as_str).unwrap_or("unknown");
        reader.warn(format!("`quantization_config`: `{method}` is not one format that is modelled; the workload's formats are kept"));
        return None;
    };
    let kv_cache = cache(table);
    let experts_only = quantised == Precision::W4a16 && table.get("quant_method").and_then(Json::as_str) == Some("mxfp4");
    let narrow = |word: &str| word.contains("fp4") || word.contains("NVFP4");
    let named = table.get("moe_quant_algo").or_else(|| find("expert_dtype")).and_then(Json::as_str);
    let stored = if named.is_some_and(narrow) {
        Stored { weights: quantised, experts: Some(Precision::Fp4), kv_cache }
    } else if experts_only || leaves_attention(table) {
        Stored { weights: Precision::Bf16, experts: Some(quantised), kv_cache }
    } else {
        Stored { weights: quantised, experts: None, kv_cache }
    };
    Some(stored)
}

/// The one format of quantised matrices.
fn weights(table: &Map<String, Json>) -> Option<Precision> {
    let blocks = table.get("weight_block_size").is_some_and(Json::is_array);
    let text = |key: &str| table.get(key).and_then(Json::as_str);
    match (text("quant_method"), text("quant_algo")) {
        (Some("fp8"), _) => Some(if blocks { Precision::Fp8Block } else { Precision::Fp8 }),
        (Some("mxfp4"), _) => Some(Precision::W4a16),
        (Some("gptq" | "awq" | "auto-round"), _) => (table.get("bits").and_then(Json::as_u64) == Some(4)).then_some(Precision::W4a16),
        (_, Some("FP8")) => Some(Precision::Fp8),
        (_, Some("NVFP4")) => Some(Precision::Fp4),
        (_, Some(_)) => None,
        (Some("compressed-tensors" | "modelopt") | None, None) => group(table),
        (Some(_), None) => None,
    }
}

/// The format of the groups of `compressed-tensors`, if all have one.
fn group(table: &Map<String, Json>) -> Option<Precision> {
    let groups = table.get("config_groups")?.as_object()?;
    let mut formats = groups.values().map(|group| {
        let weights = group.get("weights")?;
        let bits = weights.get("num_bits")?.as_u64()?;
        let kind = weights.get("type").and_then(Json::as_str).unwrap_or("int");
        let activations = group.get("input_activations").and_then(|inputs| inputs.get("num_bits")).and_then(Json::as_u64);
        match (kind, bits, activations) {
            ("float", 8, Some(8)) => {
                let block = weights.get("strategy").and_then(Json::as_str) == Some("block");
                Some(if block { Precision::Fp8Block } else { Precision::Fp8 })
            }
            ("int", 8, Some(8)) => Some(Precision::Int8),
            ("float", 4, Some(4)) => Some(Precision::Fp4),
            (_, 4, None) => Some(Precision::W4a16),
            (_, 4, Some(8)) => Some(Precision::W4a8),
            _ => None,
        }
    });
    let first = formats.next()??;
    formats.all(|format| format == Some(first)).then_some(first)
}

fn cache(table: &Map<String, Json>) -> Option<Precision> {
    let scheme = table.get("kv_cache_scheme").or_else(|| table.get("kv_cache_quant_algo"))?;
    let eight = scheme.as_str() == Some("FP8") || scheme.get("num_bits").and_then(Json::as_u64) == Some(8);
    eight.then_some(Precision::Fp8)
}

/// Whether matrices of attention stay in 16 bit.
fn leaves_attention(table: &Map<String, Json>) -> bool {
    let lists = ["ignore", "modules_to_not_convert", "exclude_modules"].iter().filter_map(|key| table.get(*key).and_then(Json::as_array));
    lists.flatten().filter_map(Json::as_str).any(|module| {
        let matrix = module.trim_end_matches('*').trim_end_matches('.').trim_end_matches(".*");
        matrix.ends_with("self_attn") || matrix.ends_with("attn") || matrix.ends_with("o_proj")
    })
}
