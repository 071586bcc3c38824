//! What a `model_type` means beyond its keys: conventions that the `transformers` library, or the publisher's own code, has in the class
//! of the model and not in the file.

/// What a layer of a kind called "linear" or "mamba" is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linear {
    /// Gated delta rule.
    Delta,
    /// Kimi Delta Attention.
    Kda,
    /// Lightning attention.
    Lightning,
    /// Mamba-2.
    Mamba2,
    /// Mamba-1.
    Mamba,
}

/// Conventions of a group of model types.
#[derive(Debug)]
pub(super) struct ModelFamily {
    /// The model types.
    pub types: &'static [&'static str],
    /// Whether feed-forward blocks are gated.
    pub gated: bool,
    /// Whether the embeddings are tied where the file does not say.
    pub tied: bool,
    /// Whether attention has an output gate where the file does not say.
    pub output_gate: bool,
    /// What its linear layers are.
    pub linear: Linear,
    /// Whether a layer is one operator: token mixing or a feed-forward block, not both.
    pub single: bool,
    /// Whether every layer has attention and a state-space layer side by side.
    pub parallel: bool,
    /// Every so many layers one looks at the whole context, the others at a window, where the file does not say.
    pub window_period: Option<u32>,
    /// Learned positions: the key that counts them, and how many more there are.
    pub positions: Option<(&'static str, u32)>,
    /// Values of the class where the file has none.
    pub defaults: &'static [(&'static str, u32)],
}

impl ModelFamily {
    /// The class's value for a key.
    pub fn default(&self, key: &str) -> Option<u32> {
        self.defaults.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }
}

/// A gated decoder with an output embedding of its own, whose file says everything.
const PLAIN: ModelFamily = ModelFamily {
    types: &[],
    gated: true,
    tied: false,
    output_gate: false,
    linear: Linear::Delta,
    single: false,
    parallel: false,
    window_period: None,
    positions: None,
    defaults: &[],
};

/// The family of a model type that nobody named: as plain as can be.
pub(super) static UNKNOWN: ModelFamily = PLAIN;

/// Feed-forward blocks of two matrices.
const UNGATED: ModelFamily = ModelFamily { gated: false, ..PLAIN };

/// Sources: the configuration classes of `transformers` 5.24.0; for types that it lacks, the publisher's files on the hub.
const FAMILIES: &[ModelFamily] = &[
    ModelFamily {
        types: &[
            "llama",
            "mistral",
            "mistral3",
            "mistral4",
            "ministral",
            "ministral3",
            "mixtral",
            "qwen2",
            "qwen2_moe",
            "qwen2_vl",
            "qwen2_5_vl",
            "qwen3",
            "qwen3_moe",
            "qwen3_vl",
            "qwen3_vl_text",
            "qwen3_vl_moe",
            "qwen3_vl_moe_text",
            "phi3",
            "phimoe",
            "olmo",
            "olmo2",
            "olmoe",
            "flex_olmo",
            "granite",
            "granitemoe",
            "granitemoeshared",
            "deepseek",
            "deepseek_v2",
            "deepseek_v3",
            "deepseek_v32",
            "deepseek_v4",
            "deepseek_ref",
            "kimi_k2",
            "kimi_k25",
            "kimi_vl",
            "glm",
            "glm4",
            "glm4_moe",
            "glm4_moe_lite",
            "glm_moe_dsa",
            "minimax_m2",
            "minimax_m3",
            "minimax_m3_vl",
            "minimax_m3_text",
            "mimo",
            "mimo_v2_flash",
            "mimo_v2",
            "step3",
            "step3_text",
            "step3p5",
            "step3p7",
            "step3_vl",
            "seed_oss",
            "dots1",
            "hunyuan",
            "hunyuan_v1_dense",
            "hunyuan_v1_moe",
            "hy_v3",
            "hy_v4",
            "hy_v4_vl",
            "ernie4_5_moe",
            "longcat_flash",
            "bailing_moe",
            "bailing_moe_v2",
            "internlm2",
            "internlm3",
            "baichuan",
            "Yi",
            "exaone",
            "stablelm",
            "grok-1",
            "grok",
            "git",
            "arctic",
            "chatglm",
            "dbrx",
            "deci",
            "nemotron-nas",
            "openelm",
            "solar_open",
            "llama4",
            "llama4_text",
            "helium",
            "axk1",
            "youtu",
            "sarvam_moe",
            "sarvam_mla",
            "minicpm",
            "internvl_chat",
        ],
        ..PLAIN
    },
    ModelFamily { types: &["gpt_oss"], window_period: Some(2), ..PLAIN },
    ModelFamily { types: &["olmo3"], window_period: Some(4), ..PLAIN },
    ModelFamily { types: &["exaone4"], window_period: Some(4), ..PLAIN },
    ModelFamily { types: &["smollm3", "ernie4_5", "minicpm3"], tied: true, ..PLAIN },
    ModelFamily { types: &["gemma"], tied: true, ..PLAIN },
    ModelFamily { types: &["gemma2", "vaultgemma"], tied: true, window_period: Some(2), ..PLAIN },
    ModelFamily {
        types: &["gemma3", "gemma3_text"],
        tied: true,
        window_period: Some(6),
        defaults: &[("vocab_size", 262_208), ("num_attention_heads", 8), ("num_key_value_heads", 4), ("head_dim", 256), ("sliding_window", 4096)],
        ..PLAIN
    },
    ModelFamily { types: &["gemma3n", "gemma3n_text"], tied: true, window_period: Some(5), ..PLAIN },
    ModelFamily { types: &["gemma4", "gemma4_text"], tied: true, window_period: Some(6), ..PLAIN },
    ModelFamily { types: &["cohere"], tied: true, ..PLAIN },
    ModelFamily { types: &["cohere2"], tied: true, window_period: Some(4), defaults: &[("head_dim", 128)], ..PLAIN },
    ModelFamily { types: &["gpt2"], tied: true, positions: Some(("n_positions", 0)), defaults: &[("n_positions", 1024)], ..UNGATED },
    ModelFamily { types: &["gpt_bigcode"], tied: true, positions: Some(("n_positions", 0)), ..UNGATED },
    ModelFamily { types: &["gpt_neo"], tied: true, positions: Some(("max_position_embeddings", 0)), ..UNGATED },
    ModelFamily { types: &["opt"], tied: true, positions: Some(("max_position_embeddings", 2)), ..UNGATED },
    ModelFamily { types: &["bloom", "mpt", "starcoder2"], tied: true, ..UNGATED },
    ModelFamily { types: &["falcon", "RefinedWeb", "RefinedWebModel"], tied: true, ..UNGATED },
    ModelFamily { types: &["gpt_neox", "gptj", "codegen", "phi", "nemotron", "persimmon", "apertus", "arcee"], ..UNGATED },
    ModelFamily { types: &["nanochat"], ..UNGATED },
    ModelFamily { types: &["nemotron_h"], single: true, linear: Linear::Mamba2, ..UNGATED },
    ModelFamily { types: &["mamba", "falcon_mamba"], tied: true, single: true, linear: Linear::Mamba, ..PLAIN },
    ModelFamily { types: &["mamba2"], single: true, linear: Linear::Mamba2, ..PLAIN },
    ModelFamily { types: &["jamba"], linear: Linear::Mamba, ..PLAIN },
    ModelFamily { types: &["bamba", "granitemoehybrid"], linear: Linear::Mamba2, ..PLAIN },
    ModelFamily { types: &["falcon_h1"], parallel: true, linear: Linear::Mamba2, ..PLAIN },
    ModelFamily { types: &["qwen3_next"], output_gate: true, ..PLAIN },
    ModelFamily { types: &["qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text"], output_gate: true, ..PLAIN },
    ModelFamily { types: &["afmoe"], output_gate: true, window_period: Some(4), ..PLAIN },
    ModelFamily { types: &["kimi_linear", "kimi_k3"], linear: Linear::Kda, ..PLAIN },
    ModelFamily { types: &["minimax", "minimax_text_01", "minimax_m1", "MiniMaxText01", "MiniMaxM1"], linear: Linear::Lightning, ..PLAIN },
    ModelFamily { types: &["bailing_moe_linear"], linear: Linear::Lightning, ..PLAIN },
    ModelFamily { types: &["bailing_hybrid"], linear: Linear::Kda, ..PLAIN },
    ModelFamily { types: &["lfm2", "lfm2_moe"], tied: true, ..PLAIN },
];

/// The family of a model type.
pub(super) fn family(model_type: &str) -> Option<&'static ModelFamily> {
    FAMILIES.iter().find(|family| family.types.contains(&model_type))
}

/// Every model type that has a family, in the order of the table.
pub(super) fn supported() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|family| family.types.iter().copied())
}
