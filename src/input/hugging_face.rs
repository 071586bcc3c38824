//! `config.json` as the Hugging Face hub holds it, read as a [`Model`].
//!
//! Model families name the same thing differently; each question below lists the names it answers to, and what a family leaves out by
//! convention (key and value heads, head width) is filled in as the `transformers` library does. Every layer is read on its own; equal
//! layers are counted together.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::document::{At, Attention, Compressed, Experts, Ffn, GatedDelta, Gqa, Index, LayerGroup, Mfa, Mla, Model, Origin};
use super::problem::{Place, Problem, Problems, Source, near_name};

/// Layers beyond this are a slip of the finger.
const MOST_LAYERS: u32 = 10_000;

/// Reads a configuration.
///
/// # Errors
/// What is not JSON; or else every field that is missing or has no usable value.
pub fn read(source: &Arc<Source>) -> Result<Model, Problems> {
    let whole: Json = serde_json::from_str(&source.text).map_err(|error| {
        let offset = offset(&source.text, error.line(), error.column());
        let place = Place { source: Arc::clone(source), span: offset..offset + 1 };
        Problem::new(format!("`{}` is not valid JSON", source.name)).at(place, error.to_string())
    })?;
    // Models with a vision tower keep the language model in a table of its own.
    let fields = whole.get("text_config").unwrap_or(&whole).as_object();
    let Some(fields) = fields else {
        return Err(Problem::new(format!("`{}` holds no table", source.name)).help("expected a model's config.json").into());
    };
    let config = Config { source, fields, problems: RefCell::default() };
    let model = config.model(&whole);
    Problems::check(config.problems.into_inner(), model)
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len().saturating_sub(1))
}

struct Config<'a> {
    source: &'a Arc<Source>,
    fields: &'a Map<String, Json>,
    problems: RefCell<Vec<Problem>>,
}

impl Config<'_> {
    /// The first of `names` that is there and not null.
    fn field<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &Json)> {
        names.iter().find_map(|name| self.fields.get(*name).filter(|value| !value.is_null()).map(|value| (*name, value)))
    }

    /// A whole number under any of `names`; notes a value that is none.
    fn maybe(&self, names: &[&str]) -> Option<u32> {
        let (name, value) = self.field(names)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            self.report(Problem::new(format!("`{name}` must be a whole number")).at(self.place(name), "not a whole number"));
        }
        number
    }

    /// As [`Config::maybe`], but it must be there and not zero. One stands in for it so that the rest can be read.
    fn need(&self, names: &[&str]) -> u32 {
        match self.maybe(names) {
            Some(0) => {
                self.report(Problem::new(format!("`{}` must not be zero", names[0])).at(self.place(names[0]), "one or more"));
                1
            }
            Some(number) => number,
            None if self.field(names).is_some() => 1,
            None => {
                let near = near_name(names[0], self.fields.keys().map(String::as_str));
                let problem = Problem::new(format!("`{}` has no `{}`", self.source.name, names[0]));
                let others = names[1..].iter().filter(|name| **name != names[0]).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                self.report(match near {
                    Some(near) => problem.at(self.place(near), format!("is this meant to be `{}`?", names[0])),
                    None if others.is_empty() => problem.help("a model cannot be priced without it"),
                    None => problem.help(format!("also read under the name of {others}")),
                });
                1
            }
        }
    }

    fn flag(&self, name: &str) -> bool {
        self.fields.get(name).and_then(Json::as_bool).unwrap_or(false)
    }

    /// Entry `layer` of a list with one entry for each layer.
    fn entry(&self, name: &str, layer: u32) -> Option<&Json> {
        self.fields.get(name)?.as_array()?.get(layer as usize)
    }

    /// Whether `layer` is among the numbers of a list.
    fn lists(list: Option<&Json>, layer: u32) -> bool {
        list.and_then(Json::as_array).is_some_and(|list| list.iter().any(|entry| entry.as_u64() == Some(u64::from(layer))))
    }

    /// Notes a problem once, however many layers have it.
    fn report(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if problems.iter().all(|known| known.message != problem.message) {
            problems.push(problem);
        }
    }

    /// Where a key stands in the text.
    fn place(&self, key: &str) -> Place {
        let quoted = format!("\"{key}\"");
        let start = self.source.text.find(&quoted).unwrap_or(0);
        Place { source: Arc::clone(self.source), span: start..start + quoted.len() }
    }

    fn model(&self, whole: &Json) -> Model {
        let layers = self.need(&["num_hidden_layers", "n_layer", "num_layers"]);
        if layers > MOST_LAYERS {
            self.report(Problem::new(format!("{layers} layers are too many")).at(self.place("num_hidden_layers"), format!("at most {MOST_LAYERS}")));
        }
        let mut groups: Vec<LayerGroup> = Vec::new();
        for layer in 0..layers.min(MOST_LAYERS) {
            let (attention, ffn) = (self.attention(layer), self.ffn(layer));
            match groups.iter_mut().find(|group| *group.attention == attention && group.ffn == ffn) {
                Some(group) => group.count += 1,
                None => groups.push(LayerGroup { count: 1, attention: At::new(0..0, attention), ffn }),
            }
        }
        let named = self.fields.get("_name_or_path").or(self.fields.get("model_type")).or(whole.get("model_type"));
        let tied = self.fields.get("tie_word_embeddings").or(whole.get("tie_word_embeddings")).and_then(Json::as_bool);
        Model {
            name: named.and_then(Json::as_str).filter(|name| !name.is_empty()).unwrap_or("unnamed model").to_owned(),
            origin: Origin::default(),
            hidden: self.need(&["hidden_size", "n_embd", "d_model"]),
            vocabulary: self.need(&["vocab_size"]),
            tied_embeddings: tied.unwrap_or(false),
            mtp_layers: self.maybe(&["num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules"]).unwrap_or(0),
            layer: groups,
        }
    }

    fn attention(&self, layer: u32) -> Attention {
        let linear = self.fields.get("linear_attn_config");
        if Self::lists(linear.and_then(|table| table.get("kda_layers")), layer + 1) {
            let of = |name: &str| linear.and_then(|table| table.get(name)).and_then(Json::as_u64).and_then(|number| u32::try_from(number).ok());
            let (heads, dim) = (of("num_heads").unwrap_or(1), of("head_dim").unwrap_or(1));
            return Attention::GatedDelta(GatedDelta { key_heads: heads, value_heads: heads, key_dim: dim, value_dim: dim });
        }
        if self.field(&["compress_ratios"]).is_some() {
            return self.compressed(layer);
        }
        if self.field(&["kv_lora_rank"]).is_some() {
            return self.latent();
        }
        if self.field(&["share_q_dim"]).is_some() {
            return Attention::Mfa(Mfa {
                heads: self.need(&["num_attention_heads"]),
                query_rank: self.need(&["share_q_dim"]),
                head_dim: self.need(&["head_dim"]),
            });
        }
        let kind = self.entry("layer_types", layer).and_then(Json::as_str);
        let every = self.maybe(&["full_attention_interval"]);
        let is_linear = kind == Some("linear_attention") || (kind.is_none() && every.is_some_and(|every| !(layer + 1).is_multiple_of(every.max(1))));
        if is_linear {
            return Attention::GatedDelta(GatedDelta {
                key_heads: self.need(&["linear_num_key_heads"]),
                value_heads: self.need(&["linear_num_value_heads"]),
                key_dim: self.need(&["linear_key_head_dim"]),
                value_dim: self.need(&["linear_value_head_dim"]),
            });
        }
        let sliding = kind == Some("sliding_attention") || self.entry("hybrid_layer_pattern", layer).and_then(Json::as_u64) == Some(1);
        Attention::Gqa(self.grouped(layer, sliding))
    }

    fn latent(&self) -> Attention {
        Attention::Mla(Mla {
            heads: self.need(&["num_attention_heads"]),
            query_rank: self.maybe(&["q_lora_rank"]).unwrap_or(0),
            kv_rank: self.need(&["kv_lora_rank"]),
            nope_dim: self.need(&["qk_nope_head_dim"]),
            rope_dim: self.need(&["qk_rope_head_dim"]),
            value_dim: self.need(&["v_head_dim"]),
            output_gate: self.flag("mla_use_output_gate"),
            index: self.index(),
        })
    }

    fn index(&self) -> Option<Index> {
        self.field(&["index_n_heads"])?;
        Some(Index { heads: self.need(&["index_n_heads"]), dim: self.need(&["index_head_dim"]), top: self.need(&["index_topk"]) })
    }

    fn compressed(&self, layer: u32) -> Attention {
        let ratio =
            self.entry("compress_ratios", layer).and_then(Json::as_u64).and_then(|ratio| u32::try_from(ratio).ok()).filter(|ratio| *ratio > 1);
        Attention::Compressed(Compressed {
            heads: self.need(&["num_attention_heads"]),
            head_dim: self.need(&["head_dim"]),
            query_rank: self.need(&["q_lora_rank"]),
            output_groups: self.need(&["o_groups"]),
            output_rank: self.need(&["o_lora_rank"]),
            window: self.need(&["sliding_window"]),
            ratio,
            // Only entries that stand for few tokens are many enough to choose among.
            index: if ratio == Some(4) { self.index() } else { None },
        })
    }

    fn grouped(&self, layer: u32, sliding: bool) -> Gqa {
        let swa = |name: &'static str, own: &'static str| if sliding { [own, name] } else { [name, name] };
        let heads = self.need(&swa("num_attention_heads", "swa_num_attention_heads"));
        // Gemma 4 gives its full layers a shape of their own.
        let global = !sliding && self.field(&["global_head_dim"]).is_some();
        let kv_heads = if global {
            self.maybe(&["num_global_key_value_heads", "num_key_value_heads"])
        } else {
            self.maybe(&swa("num_key_value_heads", "swa_num_key_value_heads"))
        };
        let head_dim = if global { self.maybe(&["global_head_dim"]) } else { self.maybe(&swa("head_dim", "swa_head_dim")) };
        let kv_heads = kv_heads.unwrap_or(heads).max(1);
        if self.field(&swa("num_attention_heads", "swa_num_attention_heads")).is_some() && !heads.is_multiple_of(kv_heads) {
            let problem = Problem::new(format!("{heads} query heads cannot share {kv_heads} key and value heads"));
            self.report(problem.at(self.place("num_key_value_heads"), format!("must divide {heads}")));
        }
        Gqa {
            heads,
            kv_heads,
            head_dim: head_dim.unwrap_or_else(|| self.need(&["hidden_size"]) / heads).max(1),
            value_dim: self.maybe(&swa("v_head_dim", "swa_v_head_dim")),
            window: if sliding { Some(self.need(&["sliding_window"])) } else { None },
            output_gate: self.flag("attn_output_gate") || self.fields.get("model_type").and_then(Json::as_str) == Some("qwen3_next"),
            value_is_key: global && self.flag("attention_k_eq_v"),
            index: self.blocks(layer),
        }
    }

    /// Sparse attention that chooses whole blocks of tokens.
    fn blocks(&self, layer: u32) -> Option<Index> {
        let table = self.fields.get("sparse_attention_config")?;
        let sparse = table.get("sparse_attention_freq")?.as_array()?.get(layer as usize)?.as_u64()? > 0;
        let of = |name: &str| table.get(name).and_then(Json::as_u64).and_then(|number| u32::try_from(number).ok());
        let top = of("sparse_topk_blocks")?.checked_mul(of("sparse_block_size")?)?;
        sparse.then_some(Index { heads: of("sparse_num_index_heads")?, dim: of("sparse_index_dim")?, top })
    }

    fn ffn(&self, layer: u32) -> Ffn {
        let routed = self.maybe(&["n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts"]).filter(|routed| *routed > 0);
        let Some(routed) = routed.filter(|_| !self.is_dense(layer)) else {
            let own = self.maybe(&["dense_intermediate_size"]);
            return Ffn::Dense { width: own.unwrap_or_else(|| self.need(&["intermediate_size", "ffn_dim"])) };
        };
        let width = self.need(&["moe_intermediate_size", "intermediate_size"]);
        // Shared experts by number, or by the width of all together; Gemma 4 has a dense branch in their place.
        let beside = if self.flag("enable_moe_block") { self.maybe(&["intermediate_size"]) } else { None };
        let together = self.maybe(&["shared_expert_intermediate_size", "share_expert_dim", "shared_intermediate_size"]).or(beside);
        let shared = self.maybe(&["n_shared_experts", "num_shared_experts"]).or(together.map(|all| all / width)).unwrap_or(0);
        Ffn::Experts(Experts {
            routed,
            top_k: self.need(&["num_experts_per_tok", "experts_per_token", "num_experts_per_token", "top_k_experts", "moe_top_k"]),
            shared,
            width,
            latent: self.maybe(&["routed_expert_hidden_size"]),
        })
    }

    /// Whether a layer of a mixture of experts has one dense block instead.
    fn is_dense(&self, layer: u32) -> bool {
        self.maybe(&["first_k_dense_replace"]).is_some_and(|first| layer < first)
            || self.entry("moe_layer_freq", layer).and_then(Json::as_u64) == Some(0)
            || Self::lists(self.fields.get("mlp_only_layers"), layer)
    }
}
