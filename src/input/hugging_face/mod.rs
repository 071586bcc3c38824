//! `config.json` as the Hugging Face hub holds it, read as a [`Model`].
//!
//! | question | file |
//! | --- | --- |
//! | what does a `model_type` mean beyond its keys? | `families.rs` |
//! | which kind is each layer? | `layers.rs`, `blocks.rs` |
//! | how does a layer mix tokens? | `attention.rs` |
//! | what follows in a layer? | `ffn.rs` |
//! | what is there beside the decoder? | `towers.rs` |
//! | in which format are the weights? | `precision.rs` |
//! | which keys change nothing? | `keys.rs` |
//! | how are keys found, noted and reported? | `json.rs`, `aliases.rs` |
//!
//! Every key that is neither read nor known to change nothing is named in [`Model::ignored`].

mod aliases;
mod attention;
mod blocks;
mod families;
mod ffn;
mod json;
mod keys;
mod layers;
mod precision;
mod towers;

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::document::{At, Attention, Ffn, LayerGroup, Model, Origin};
use super::problem::{Problem, Problems, Source};
use aliases::{HIDDEN_KEYS, LAYER_KEYS};
use families::{ModelFamily, UNKNOWN, family};
use json::{ConfigReader, ConfigTable};

/// Layers beyond this are a slip of the finger.
const MOST_LAYERS: u32 = 10_000;

/// Tables in which a file with towers keeps the language model.
const INNER: [&str; 5] = ["text_config", "llm_config", "language_config", "language_model_config", "thinker_config"];

/// Keys of the number of multi-token-prediction layers.
const MTP_KEYS: [&str; 3] = ["num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules"];

/// Reads a configuration.
///
/// # Errors
/// What is not JSON; or else every field that is missing or has no usable value.
pub fn read(source: &Arc<Source>) -> Result<Model, Problems> {
    read_with_formats(source, None)
}

/// As [`read`], with the number formats of the `hf_quant_config.json` beside it where the configuration names none.
///
/// # Errors
/// What is not JSON; or else every field that is missing or has no usable value.
pub fn read_with_formats(source: &Arc<Source>, formats: Option<&Arc<Source>>) -> Result<Model, Problems> {
    let mut whole = json::parse(source)?;
    let beside = formats.map(json::parse).transpose()?.and_then(|mut formats| formats.get_mut("quantization").map(Json::take));
    if let (Some(beside), Some(whole)) = (beside, whole.as_object_mut()) {
        whole.entry("quantization_config").or_insert(beside);
    }
    let Some(whole) = whole.as_object() else {
        return Err(Problem::new(format!("`{}` holds no table", source.name)).help("expected a model's config.json").into());
    };
    let inner = INNER.into_iter().find_map(|key| whole.get(key).and_then(Json::as_object));
    let fields = inner.unwrap_or(whole);
    let reader = ConfigReader::new(source);
    let table = ConfigTable { reader: &reader, fields, name: "", family: conventions(&reader, fields, whole) };
    let model = model(&table, whole);
    Problems::check(reader.problems.into_inner(), model)
}

/// Model types that have a reader of their own.
#[must_use]
pub fn supported() -> Vec<&'static str> {
    families::supported().collect()
}

/// Whether a key is known to change neither parameters nor cache.
#[must_use]
pub fn is_harmless(key: &str) -> bool {
    keys::is_harmless(key)
}

/// The family of the model type of the language model, or of the file around it.
fn conventions(reader: &ConfigReader<'_>, fields: &Map<String, Json>, whole: &Map<String, Json>) -> &'static ModelFamily {
    let words = [fields, whole].map(|table| table.get("model_type").and_then(Json::as_str));
    if let Some(known) = words.into_iter().flatten().find_map(family) {
        return known;
    }
    match words.into_iter().flatten().next() {
        Some(word) => reader.warn(format!("`model_type` = \"{word}\" is not known: read by its keys as a gated decoder with untied embeddings")),
        None => reader.warn("no `model_type`: read by its keys as a gated decoder with untied embeddings"),
    }
    &UNKNOWN
}

fn model(table: &ConfigTable<'_>, whole: &Map<String, Json>) -> Model {
    let layers = layers::count(table);
    if layers > MOST_LAYERS {
        let key = LAYER_KEYS.into_iter().find(|key| table.has(key)).unwrap_or(LAYER_KEYS[0]);
        table.reader.report(Problem::new(format!("{layers} layers are too many")).at(table.place(key), format!("at most {MOST_LAYERS}")));
    }
    if whole.get("is_encoder_decoder") == Some(&Json::Bool(true)) && !table.fields.contains_key("add_cross_attention") {
        table.wrong("is_encoder_decoder", "must be false", "encoder-decoder models are not modelled");
    }
    let mut groups: Vec<LayerGroup> = Vec::new();
    for layer in 0..layers.min(MOST_LAYERS) {
        for (attention, ffn) in self::layer(table, layer, layers) {
            match groups.iter_mut().find(|group| *group.attention == attention && group.ffn == ffn) {
                Some(group) => group.count += 1,
                None => groups.push(LayerGroup { count: 1, attention: At::new(0..0, attention), ffn }),
            }
        }
    }
    let named = table.fields.get("_name_or_path").or(table.fields.get("model_type")).or(whole.get("model_type"));
    table.mark("tie_word_embeddings");
    let tied = table.fields.get("tie_word_embeddings").or(whole.get("tie_word_embeddings")).and_then(Json::as_bool);
    table.mark("is_encoder_decoder");
    let context = table.maybe(&["max_position_embeddings", "n_positions", "seq_length", "max_seq_len", "model_max_length", "max_sequence_length"]);
    let mut model = Model {
        name: named.and_then(Json::as_str).filter(|name| !name.is_empty()).unwrap_or("unnamed model").to_owned(),
        origin: Origin::default(),
        hidden: table.need(&HIDDEN_KEYS),
        vocabulary: table.need(if table.has("padded_vocab_size") { &["padded_vocab_size"] } else { &["vocab_size"] }),
        tied_embeddings: tied.unwrap_or(table.family.tied),
        mtp_layers: table.maybe(&MTP_KEYS).unwrap_or(0),
        context: context.filter(|context| *context > 0),
        stored: precision::read(table.reader, table.fields, whole),
        tower: towers::read(table, whole, layers),
        layer: groups,
        ignored: Vec::new(),
        warnings: Vec::new(),
    };
    table.mark("vocab_size");
    if table.family.single && model.mtp_layers > 0 {
        table.reader.warn("MTP layers are priced as further layers of the last kind alone");
    }
    if table.maybe(&["word_embed_proj_dim"]).is_some_and(|width| width != model.hidden) {
        table.reader.warn("`word_embed_proj_dim` is not `hidden_size`: embeddings are counted as wide as the stream");
    }
    model.ignored = ignored(table, whole);
    model.warnings = table.reader.warnings.take();
    model
}

/// One layer; where token mixing happens side by side, or experts stand beside whole layers, several.
fn layer(table: &ConfigTable<'_>, layer: u32, layers: u32) -> Vec<(Attention, Ffn)> {
    if let Some(block) = blocks::read(table, layer) {
        return vec![block];
    }
    // LongCat: two layers with dense blocks, and experts beside the second.
    if table.has("zero_expert_num") {
        let [mixer, _] = [layers::kind(table, layer, layers).0; 2];
        let [first] = <[Attention; 1]>::try_from(attention::read(table, mixer, layer, layers)).unwrap_or([Attention::None]);
        let dense = ffn::read(table, layers::ConfigBlock::Dense, layer, layers);
        let experts = ffn::read(table, layers::ConfigBlock::Experts, layer, layers);
        return vec![(first.clone(), dense.clone()), (first, dense), (Attention::None, experts)];
    }
    let (mixer, block) = layers::kind(table, layer, layers);
    let ffn = ffn::read(table, block, layer, layers);
    let mut mixed = attention::read(table, mixer, layer, layers);
    let last = mixed.pop().unwrap_or(Attention::None);
    mixed.into_iter().map(|attention| (attention, Ffn::None)).chain([(last, ffn)]).collect()
}

/// Keys that nobody read and that may change parameters or cache, in the order of the file; null and empty lists say nothing.
fn ignored(table: &ConfigTable<'_>, whole: &Map<String, Json>) -> Vec<String> {
    let used = table.reader.used.borrow();
    let empty = |value: &Json| value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    let says = |value: &Json| !value.is_null() && !empty(value);
    let unread = |name: &str, fields: &Map<String, Json>| -> Vec<String> {
        let path = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
        let unread = fields.iter().filter(|(key, value)| says(value) && !keys::is_harmless(key) && !used.contains(&path(key)));
        unread.map(|(key, _)| path(key)).collect()
    };
    let mut ignored = unread("", table.fields);
    for name in ["attn_config", "ffn_config", "linear_attn_config", "sparse_attention_config", "attention_other_setting"] {
        if used.contains(name)
            && let Some(fields) = table.fields.get(name).and_then(Json::as_object)
        {
            ignored.extend(unread(name, fields));
        }
    }
    if !std::ptr::eq(table.fields, whole) {
        let around = [&INNER[..], &["vision_config", "audio_config", "tie_word_embeddings", "vocab_size"]].concat();
        ignored.extend(unread("", whole).into_iter().filter(|key| !around.contains(&key.as_str()) && !ignored_before(table, key)));
    }
    ignored.retain(|key| !["vision_config", "audio_config"].contains(&key.as_str()));
    ignored
}

/// A key that the file repeats around the language model is named once.
fn ignored_before(table: &ConfigTable<'_>, key: &str) -> bool {
    table.fields.contains_key(key)
}
