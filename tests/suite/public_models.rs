//! Public models: what `config.json` is read as, against the parameters that publishers state and the cache worked out by hand.
//!
//! `tests/models/published.csv` has one row a model. `total` and `active` are the published figures with the digits that were printed; `~`
//! marks a figure of one digit, which says too little to hold a count against, and `+mtp` a total that includes the MTP layers.
//! `cache_bytes_per_token` is layers x elements x 2 bytes, by hand; an index key is 8 bit with a 4-byte scale. `facts` says where the
//! structure was read: the publisher's `file`, the `class` of transformers 5.24.0, or the publisher's `card` or paper.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use supernode::input::document::Model;
use supernode::input::hugging_face;
use supernode::input::problem::{Problems, Source};
use supernode::workload::totals;

use crate::models::BF16;

const PUBLISHED: &str = include_str!("../models/published.csv");

/// Rows that miss the published figure by more than its last digit, and why.
const MISSED: [(&str, &str); 1] =
    [("hunyuan-large", "the paper's 52 B active are 1.8 B less than attention, the shared and one routed expert of its own table add up to")];

struct Row<'a> {
    config: &'a str,
    name: &'a str,
    total: &'a str,
    active: &'a str,
    embeddings: &'a str,
    cache: &'a str,
    facts: &'a str,
    source: &'a str,
}

fn rows() -> Vec<Row<'static>> {
    let row = |line: &'static str| {
        let [config, name, total, active, embeddings, cache, facts, source] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        Row { config, name, total, active, embeddings, cache, facts, source }
    };
    PUBLISHED.lines().skip(1).map(row).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn config(name: &str) -> String {
    std::fs::read_to_string(root().join(format!("tests/models/configs/{name}.json"))).unwrap()
}

fn read(text: &str) -> Result<Model, Problems> {
    hugging_face::read(&Arc::new(Source { name: "config.json".to_owned(), text: text.to_owned() }))
}

/// Sums of products of whole numbers, by hand: `61 * (512 + 64) * 2`.
fn evaluate(text: &str) -> f64 {
    fn sum(tokens: &mut std::iter::Peekable<std::vec::IntoIter<&str>>) -> f64 {
        let mut value = product(tokens);
        while tokens.next_if_eq(&"+").is_some() {
            value += product(tokens);
        }
        value
    }
    fn product(tokens: &mut std::iter::Peekable<std::vec::IntoIter<&str>>) -> f64 {
        let mut value = factor(tokens);
        while let Some(sign) = tokens.next_if(|token| ["*", "/"].contains(token)) {
            let other = factor(tokens);
            value = if sign == "*" { value * other } else { value / other };
        }
        value
    }
    fn factor(tokens: &mut std::iter::Peekable<std::vec::IntoIter<&str>>) -> f64 {
        if tokens.next_if_eq(&"(").is_some() {
            let value = sum(tokens);
            assert_eq!(tokens.next(), Some(")"));
            return value;
        }
        tokens.next().unwrap().parse().unwrap()
    }
    let spaced = text.replace('(', "( ").replace(')', " )");
    sum(&mut spaced.split_whitespace().collect::<Vec<_>>().into_iter().peekable())
}

/// A published figure: its value and one unit of its last digit; `None` where one digit was printed.
fn figure(text: &str) -> Option<(f64, f64)> {
    let text = text.trim_end_matches("+mtp");
    if text.starts_with('~') {
        return None;
    }
    let (digits, scale) = text.split_at(text.len() - 1);
    let scale = if scale == "T" { 1e12 } else { 1e9 };
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    Some((digits.parse::<f64>().unwrap() * scale, scale / 10f64.powi(i32::try_from(decimals).unwrap())))
}

/// Computed total and active parameters, counted as the publisher counts.
fn counted(row: &Row<'_>, model: &Model) -> [f64; 2] {
    let found = totals(model, &BF16);
    let table = f64::from(model.vocabulary) * f64::from(model.hidden);
    let left_out = match row.embeddings {
        "both" | "" => 0.0,
        "output" => found.parts.embeddings - table,
        "none" => found.parts.embeddings,
        other => panic!("{other}"),
    };
    [found.parameters + if row.total.ends_with("+mtp") { found.mtp_parameters } else { 0.0 }, found.active_parameters - left_out]
}

/// Every model is read without an error. Its cache is exact. Its counts are within 1 % or, where fewer digits were printed, within one unit
/// of the last; at least 100 models are within 1 % of both.
#[test]
fn public_models_add_up() {
    let (mut wrong, mut close) = (Vec::new(), 0);
    for row in rows() {
        let model = read(&config(row.config)).unwrap_or_else(|problems| panic!("{}: {problems}", row.config));
        let found = totals(&model, &BF16).cache_per_token.get();
        let expected = evaluate(row.cache);
        if found != expected {
            wrong.push(format!("{}: cache {found}, by hand {expected}", row.config));
        }
        let mut within = true;
        for (what, published, found) in
            ["total", "active"].into_iter().zip([row.total, row.active]).zip(counted(&row, &model)).map(|((a, b), c)| (a, b, c))
        {
            let Some((figure, unit)) = (!published.is_empty()).then(|| figure(published)).flatten() else {
                within &= published.is_empty();
                continue;
            };
            within &= (found / figure - 1.0).abs() <= 0.01;
            let missed = (found / figure - 1.0).abs() > 0.01 && (found - figure).abs() > unit;
            if missed != MISSED.iter().any(|(config, _)| *config == row.config) && (missed || what == "active") {
                wrong.push(format!("{}: {what} {:.3}, published {published}", row.config, found / 1e9));
            }
        }
        close += usize::from(within);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(close >= 150, "{close} models within 1 % in all that is published");
}

/// `docs/models.md` lists the models with the figures that this test computes.
#[test]
fn the_page_lists_them() {
    let page = std::fs::read_to_string(root().join("docs/models.md")).unwrap_or_default();
    let (before, rest) = page.split_once("<!-- models -->\n").unwrap_or((&page, ""));
    let after = rest.split_once("<!-- end -->\n").map_or("", |(_, after)| after);
    let mut table = String::from(
        "| model | parameters | published | active | published | cache, B a token | by hand | facts |\n| --- | --: | --: | --: | --: | --: | --- | --- |\n",
    );
    let printed = |text: &str| text.trim_start_matches('~').replace('B', " B").replace('T', " T").replace("+mtp", " with MTP");
    for row in rows() {
        let model = read(&config(row.config)).unwrap();
        let [total, active] = counted(&row, &model).map(|count| format!("{:.2} B", count / 1e9));
        let counts = match row.embeddings {
            "output" => " (a)",
            "none" => " (b)",
            _ => "",
        };
        let (active, published) = if row.active.is_empty() { (String::new(), String::new()) } else { (active, printed(row.active) + counts) };
        let cache = totals(&model, &BF16).cache_per_token.get();
        let (name, total_published) = (format!("[{}]({})", row.name, row.source), printed(row.total));
        writeln!(table, "| {name} | {total} | {total_published} | {active} | {published} | {cache} | `{}` | {} |", row.cache, row.facts).unwrap();
    }
    let made = format!("{before}<!-- models -->\n{table}<!-- end -->\n{after}");
    if made != page {
        let out = root().join("target/models.md");
        std::fs::write(&out, made).unwrap();
        panic!("docs/models.md is not what its models add up to; what it should be is in {}", out.display());
    }
}

/// What a file means, without its name and without the lists of what was not read.
fn meaning(model: &Model) -> String {
    let bare = Model { name: String::new(), ignored: Vec::new(), warnings: Vec::new(), ..model.clone() };
    format!("{bare:?}")
}

/// Other values that a key might have.
fn others(value: &Json) -> Vec<Json> {
    match value {
        Json::Bool(flag) => vec![(!flag).into()],
        Json::Number(number) => {
            let number = number.as_f64().unwrap();
            [2.0 * number, number + 1.0, (number / 2.0).floor(), 0.0, 1.0].into_iter().map(|number| (number as u64).into()).collect()
        }
        Json::String(_) => vec!["other".into(), "M".into()],
        Json::Array(list) => vec![Json::Array(vec![]), Json::Array(list.iter().rev().cloned().collect()), Json::Array(vec![0.into()]), Json::Null],
        Json::Null => vec![2.into(), true.into(), 64.into()],
        Json::Object(_) => vec![Json::Null],
    }
}

/// Keys of the language model and of the tables inside it, with the path to each.
fn paths(fields: &Map<String, Json>) -> Vec<Vec<String>> {
    fields
        .iter()
        .flat_map(|(key, value)| match value {
            Json::Object(inside) if !inside.is_empty() => {
                paths(inside).into_iter().map(|path| [vec![key.clone()], path].concat()).collect::<Vec<_>>()
            }
            _ => vec![vec![key.clone()]],
        })
        .collect()
}

fn value_at<'a>(whole: &'a mut Json, path: &[String]) -> &'a mut Json {
    path.iter().fold(whole, |value, key| &mut value[key.as_str()])
}

/// Keys whose value follows from others where it means what it says, with the reason.
const FOLLOW: [(&str, &str); 15] = [
    ("model_type", "names the family; another family is another test"),
    ("word_embed_proj_dim", "another width than the stream's is a warning"),
    ("vocab_size", "beside a padded vocabulary"),
    ("time_step_rank", "of Mamba-2"),
    ("expand", "beside the number of heads, or of channels"),
    ("mamba_expand", "beside the number of heads"),
    ("mamba_d_ssm", "beside heads and their width"),
    ("conv_kernel", "another length than four is a warning"),
    ("mamba_d_conv", "another length than four is a warning"),
    ("full_attn_layers", "the layers that `kda_layers` does not list"),
    ("index_skip_topk_offset", "beside `indexer_types`"),
    ("learned_pos_emb", "beside `alibi`"),
    ("max_window_layers", "no window is used"),
    ("text_hidden_size", "of a tower: the stream's width"),
    ("use_double_wide_mlp", "no layer shares a cache"),
];

/// Every key of every file either changes what the file means, or is named as not read, or is a warning or an error, in at least one file
/// that has it; a key that is known to be harmless is in no file of structural keys.
#[test]
fn every_structural_key_is_used_or_named() {
    let mut keys: BTreeMap<String, bool> = BTreeMap::new();
    for row in rows() {
        let whole: Json = serde_json::from_str(&config(row.config)).unwrap();
        let before = read(&whole.to_string()).unwrap();
        for path in paths(whole.as_object().unwrap()) {
            let name = path.last().unwrap().clone();
            let seen = keys.entry(name.clone()).or_insert(false);
            if *seen {
                continue;
            }
            let mut other = whole.clone();
            *seen = others(value_at(&mut other, &path)).into_iter().any(|value| {
                *value_at(&mut other, &path) = value;
                match read(&other.to_string()) {
                    Ok(after) => {
                        let named = after.ignored.iter().any(|key| key.split('.').next_back() == Some(&name));
                        named || after.warnings != before.warnings || meaning(&after) != meaning(&before)
                    }
                    Err(_) => true,
                }
            });
        }
    }
    let silent: Vec<_> = keys
        .iter()
        .filter(|(key, seen)| !**seen && !hugging_face::is_harmless(key) && FOLLOW.iter().all(|(known, _)| known != key))
        .map(|(key, _)| key)
        .collect();
    assert!(silent.is_empty(), "neither used nor named: {silent:?}");
    assert!(keys.len() > 120, "{} keys", keys.len());
}

/// The keys of every supported model type of transformers 5.24.0, added one by one to a file that knows nothing of them: each is read,
/// named, or known to be harmless; and no harmless key sounds like a number of layers, heads, experts or a width.
#[test]
fn keys_of_the_classes_are_read_named_or_harmless() {
    let classes: BTreeMap<String, Vec<String>> = serde_json::from_str(include_str!("../models/class_keys.json")).unwrap();
    let supported = hugging_face::supported();
    let known: Vec<_> = classes.keys().filter(|model_type| supported.contains(&model_type.as_str())).collect();
    assert_eq!(known.len(), classes.len(), "class_keys.json lists a type without a reader");
    let structural = ["layer", "head", "expert", "_size", "_dim", "rank", "width", "window", "period", "interval"];
    let harmless_for = [
        "layernorm",
        "layer_norm",
        "layerdrop",
        "chunk_size",
        "block_size",
        "image",
        "audio",
        "vision",
        "position_embedding",
        "moe_router",
        "dropout",
        "initial",
        "max_position",
        "bias",
        "nope",
        "no_rope",
        "_multiplier",
        "scale_attn",
        "projector_hidden_size",
        "spatial_merge",
        "use_expert",
        "moe_shared_expert_overlap",
        "num_expert_group",
        "expert_selection",
        "hash",
        "post_layer",
        "apply_residual",
        "num_logits_to_keep",
        "rotary_dim",
        "summary",
        "mtp_transformer_layers",
        "dim_model_base",
        "mup",
        "num_ln",
        "attn_implementation",
        "mamba_rms",
        "query_pre",
        "enable_moe",
        "shared_moe",
        "normalization_layer",
        "ep_size",
        "num_hash_layers",
        "layer_norm_elementwise",
        "index_share",
    ];
    let mut wrong = Vec::new();
    for (model_type, keys) in &classes {
        for key in keys {
            let mut whole: Json = serde_json::from_str(&config("llama-3.1-8b")).unwrap();
            whole["model_type"] = model_type.as_str().into();
            whole[key.as_str()] =
                whole.get(key).filter(|value| value.is_u64()).map_or_else(|| 3.into(), |value| (value.as_u64().unwrap() + 3).into());
            let harmless = hugging_face::is_harmless(key);
            if harmless && structural.iter().any(|word| key.contains(word)) && !harmless_for.iter().any(|word| key.contains(word)) {
                wrong.push(format!("{model_type}: `{key}` is called harmless"));
            }
            // An error or a reading; what is neither read nor harmless is in `ignored` by construction.
            let _ = read(&whole.to_string());
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
