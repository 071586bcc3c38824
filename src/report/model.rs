//! `supernode model`: a model in few numbers.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::format::{Report, Section, Table};
use crate::input::document::{Attention, Ffn, Model, Precision, Precisions};
use crate::units::{Bytes, counted};
use crate::workload::{Totals, sequence_cache, totals};

/// A model added up.
#[derive(Clone, Debug)]
pub struct ModelReport {
    model: Model,
    totals: Totals,
    /// Tokens of the sequence whose cache is shown.
    tokens: u32,
}

/// All in 16 bit but the weights and the cache that are asked about.
fn formats(weights: Precision, kv_cache: Precision) -> Precisions {
    let narrow = Precision::Bf16;
    Precisions { weights, experts: None, attention: narrow, kv_cache, dispatch: narrow, combine: narrow }
}

impl ModelReport {
    /// Adds up `model`; its cache is shown for a sequence of `tokens`.
    #[must_use]
    pub fn new(model: Model, tokens: u32) -> Self {
        let totals = totals(&model, &formats(Precision::Bf16, Precision::Bf16));
        Self { model, totals, tokens }
    }

    /// Bytes of all parameters where the matrices of layers are stored in a format; embeddings and towers stay in 16 bit.
    fn weight_bytes(&self, layers: Precision, experts: Precision) -> Bytes {
        let parts = &self.totals.parts;
        let wide = (parts.embeddings + parts.towers) * Precision::Bf16.bytes();
        Bytes::new((parts.attention + parts.dense) * layers.bytes() + parts.routed_experts * experts.bytes() + wide)
    }

    fn cache_growth(&self, format: Precision) -> Bytes {
        totals(&self.model, &formats(Precision::Bf16, format)).cache_per_token
    }

    fn sequence(&self, format: Precision) -> Bytes {
        let model = Model { mtp_layers: 0, ..self.model.clone() };
        sequence_cache(&model, &formats(Precision::Bf16, format), 1, f64::from(self.tokens))
    }

    /// Layers by what mixes their tokens.
    fn layers(&self) -> BTreeMap<&'static str, u32> {
        self.count(|group| Some(group.0.kind()).filter(|_| *group.0 != Attention::None))
    }

    /// Layers by what follows.
    fn blocks(&self) -> BTreeMap<&'static str, u32> {
        self.count(|group| match group.1 {
            Ffn::Dense(dense) if dense.gated => Some("dense"),
            Ffn::Dense(_) => Some("dense without gate"),
            Ffn::Experts(experts) if experts.gated => Some("experts"),
            Ffn::Experts(_) => Some("experts without gate"),
            Ffn::None => None,
        })
    }

    fn count(&self, kind: impl Fn((&Attention, &Ffn)) -> Option<&'static str>) -> BTreeMap<&'static str, u32> {
        let mut counts = BTreeMap::new();
        for group in &self.model.layer {
            if let Some(kind) = kind((&group.attention, &group.ffn)) {
                *counts.entry(kind).or_insert(0) += group.count;
            }
        }
        counts
    }

    /// What a reader of the figures must know.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.model.mtp_layers > 0 {
            notes.push(format!(
                "{} ({:.2} B parameters) not in the totals; they draft only where a workload has [speculation].",
                counted(self.model.mtp_layers, "MTP layer"),
                self.totals.mtp_parameters / 1e9,
            ));
        }
        notes.extend(self.model.notes().into_iter().map(|note| format!("Warning: {note}.")));
        notes
    }
}

fn snake(words: &str) -> String {
    words.replace([' ', '-'], "_")
}

fn billions(parameters: f64) -> String {
    format!("{:.2} B", parameters / 1e9)
}

fn object(counts: &BTreeMap<&'static str, u32>) -> Json {
    Json::Object(counts.iter().map(|(kind, count)| (snake(kind), json!(count))).collect::<Map<_, _>>())
}

impl Report for ModelReport {
    fn output(&self) -> &'static str {
        "model"
    }

    fn json(&self) -> Json {
        let Totals { parameters, active_parameters, parts, mtp_parameters, flop_per_token, cache_per_token } = &self.totals;
        let bytes = Precision::ALL.map(|format| (snake(format.name()), json!(self.weight_bytes(format, format))));
        let caches = [Precision::Bf16, Precision::Fp8].map(|format| (snake(format.name()), json!(self.cache_growth(format))));
        let stored = self.model.stored.map(|stored| {
            let experts = stored.experts.unwrap_or(stored.weights);
            json!({
                "weights": stored.weights.name(),
                "experts": experts.name(),
                "kv_cache": stored.kv_cache.map(Precision::name),
                "weight_bytes": self.weight_bytes(stored.weights, experts),
            })
        });
        json!({
            "model": self.model.name,
            "parameters": parameters,
            "active_parameters": active_parameters,
            "parts": {
                "attention": parts.attention,
                "dense": parts.dense,
                "routed_experts": parts.routed_experts,
                "embeddings": parts.embeddings,
                "towers": parts.towers,
            },
            "mtp_layers": self.model.mtp_layers,
            "mtp_parameters": mtp_parameters,
            "flop_per_token": flop_per_token,
            "weight_bytes": Json::Object(bytes.into_iter().collect()),
            "stored": stored,
            "cache_bytes_per_token": cache_per_token,
            "cache_bytes_per_token_by_format": Json::Object(caches.into_iter().collect()),
            "sequence_tokens": self.tokens,
            "sequence_cache_bytes": self.sequence(Precision::Bf16),
            "context_tokens": self.model.context,
            "layers": object(&self.layers()),
            "blocks": object(&self.blocks()),
            "ignored": self.model.ignored,
            "warnings": self.model.warnings,
        })
    }

    fn sections(&self) -> Vec<Section> {
        let Totals { parameters, active_parameters, parts, cache_per_token, .. } = &self.totals;
        let list = |counts: &BTreeMap<&'static str, u32>| counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ");
        let mut facts = vec![
            ("parameters".to_owned(), billions(*parameters)),
            (
                "active for a token".to_owned(),
                format!("{}, {} without embeddings", billions(*active_parameters), billions(active_parameters - parts.embeddings)),
            ),
            ("token mixing".to_owned(), list(&self.layers())),
            ("feed-forward blocks".to_owned(), list(&self.blocks())),
            (
                "cache, one more token".to_owned(),
                format!("{} B in 16 bit, {} B in 8 bit", cache_per_token.get(), self.cache_growth(Precision::Fp8).get()),
            ),
            (format!("cache, {}", counted(self.tokens, "token")), format!("{:.3} GB in 16 bit", self.sequence(Precision::Bf16).get() / 1e9)),
        ];
        facts.extend(self.model.context.map(|context| ("longest context".to_owned(), format!("{context} tokens"))));
        if let Some(stored) = self.model.stored {
            let experts = stored.experts.unwrap_or(stored.weights);
            let formats =
                if experts == stored.weights { experts.name().to_owned() } else { format!("{}, experts {}", stored.weights.name(), experts.name()) };
            facts.push(("stored as".to_owned(), format!("{formats}: {:.1} GB", self.weight_bytes(stored.weights, experts).get() / 1e9)));
        }
        let mut by_part = Table::new(&["<part", "parameters", "share %"]);
        let named = [
            ("token mixing", parts.attention),
            ("dense blocks, shared experts, routers", parts.dense),
            ("routed experts", parts.routed_experts),
            ("embeddings", parts.embeddings),
        ];
        let towers = self.model.tower.iter().map(|tower| (tower.name.as_str(), tower.parameters as f64));
        for (name, part) in named.into_iter().chain(towers).filter(|(_, part)| *part > 0.0) {
            by_part.row([name.to_owned(), billions(part), format!("{:.1}", 100.0 * part / parameters)]);
        }
        let mut by_format = Table::new(&["<format of layers", "weights GB"]);
        for format in Precision::ALL {
            by_format.row([format.name().to_owned(), format!("{:.1}", self.weight_bytes(format, format).get() / 1e9)]);
        }
        let mut sections = vec![Section::Title(self.model.name.clone()), Section::Facts(facts), Section::Table(by_part), Section::Table(by_format)];
        sections.extend(self.notes().into_iter().map(Section::Note));
        sections
    }
}
