//! `config.json`: every way in which files of the hub say what a model is, and exact texts for what makes no sense.

use serde_json::{Value as Json, json};

use super::command::Project;

/// A dense model in the words of the hub, with `changes` in it; null takes a key out.
fn config(changes: Json) -> String {
    let mut config = json!({
        "model_type": "llama",
        "hidden_size": 1024,
        "num_hidden_layers": 4,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "intermediate_size": 4096,
        "vocab_size": 32000,
    });
    let fields = config.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Json::Null => fields.shift_remove(key),
            value => fields.insert(key.clone(), value.clone()),
        };
    }
    serde_json::to_string_pretty(&config).unwrap()
}

fn model(name: &str, text: &str) -> Json {
    let project = Project::new(&format!("hub-{name}")).file("config.json", text);
    serde_json::from_str(&project.run(&["model", "config.json", "--format", "json"]).output()).unwrap()
}

/// The error for a file, as `check` prints it.
fn fails(name: &str, changes: Json, text: &str) {
    Project::new(&format!("hub-{name}")).file("config.json", &config(changes)).run(&["check", "config.json"]).fails(text);
}

/// 4 layers: attention 1024 x (1024 + 2 x 256 + 1024), block 3 x 1024 x 4096; two embeddings of 32 000 x 1024. Cache 4 x 2 x 256 x 2.
#[test]
fn a_dense_model_by_hand() {
    let found = model("dense", &config(json!({})));
    assert_eq!(found["parameters"], json!(4.0 * 1024.0 * (2560.0 + 3.0 * 4096.0) + 2.0 * 32000.0 * 1024.0));
    assert_eq!(found["active_parameters"], found["parameters"]);
    assert_eq!(found["cache_bytes_per_token"], json!(4096.0));
    assert_eq!(found["layers"], json!({ "full_attention": 4 }));
    assert_eq!(found["blocks"], json!({ "dense": 4 }));
    assert_eq!((&found["ignored"], &found["warnings"]), (&json!([]), &json!([])));
}

/// Python writes constants that JSON does not have; in a string they are letters.
#[test]
fn python_constants_are_read() {
    let text = config(json!({ "time_step_limit": [0.0, 1.0], "_name_or_path": "NaN \" Infinity" }));
    let text = text.replace("0.0,", "-Infinity,").replace("1.0\n", "Infinity\n").replacen('{', "{ \"rms_norm_eps\": NaN,", 1);
    let found = model("python", &text);
    assert_eq!(found["model"], json!("NaN \" Infinity"));
    assert_eq!(found["layers"], json!({ "full_attention": 4 }));
}

#[test]
fn unknown_keys_and_types_are_named() {
    let found = model("unknown", &config(json!({ "model_type": "novel", "num_memory_slots": 4096, "rope_theta": 10000 })));
    assert_eq!(found["ignored"], json!(["num_memory_slots"]));
    assert_eq!(found["warnings"], json!(["`model_type` = \"novel\" is not known: read by its keys as a gated decoder with untied embeddings"]));
    let project = Project::new("hub-named").file("config.json", &config(json!({ "num_memory_slots": 4096 })));
    project.run(&["check", "config.json"]).succeeds("config.json: ok, model llama, 4 layers; not read: `num_memory_slots`\n");
}

#[test]
fn a_folder_as_downloaded() {
    let project = Project::new("hub-folder").file("config.json", &config(json!({ "torch_dtype": "bfloat16" })));
    let project = project.file("hf_quant_config.json", r#"{ "quantization": { "quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8" } }"#);
    let found: Json = serde_json::from_str(&project.run(&["model", ".", "--format", "json"]).output()).unwrap();
    assert_eq!((&found["stored"]["weights"], &found["stored"]["kv_cache"]), (&json!("fp4"), &json!("fp8")));
}

/// The ways in which files name a mixture of experts: 4 layers of 8 experts, 2 for a token.
#[test]
fn experts_by_any_name() {
    let expected = model("experts", &config(json!({ "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 512 })));
    assert_eq!(expected["blocks"], json!({ "experts": 4 }));
    for (name, changes) in [
        ("moe-k", json!({ "moe_num_experts": 8, "moe_k": 2, "moe_intermediate_size": 512 })),
        ("moe-topk", json!({ "num_experts": 8, "moe_topk": [2, 2, 2, 2], "moe_intermediate_size": [512, 512, 512, 512] })),
        ("ffn-config", json!({ "ffn_config": { "moe_num_experts": 8, "moe_top_k": 2, "ffn_hidden_size": 512 } })),
        ("expert-width", json!({ "n_routed_experts": 8, "num_experts_per_token": 2, "expert_ffn_hidden_size": 512 })),
    ] {
        let found = model(name, &config(changes));
        assert_eq!((&found["parameters"], &found["active_parameters"]), (&expected["parameters"], &expected["active_parameters"]), "{name}");
    }
}

/// Which of 8 layers have experts.
#[test]
fn interleaved_experts() {
    let experts = json!({ "num_hidden_layers": 8, "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 512 });
    let blocks = |name: &str, more: Json| {
        let mut changes = experts.clone();
        changes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        model(name, &config(changes))["blocks"].clone()
    };
    assert_eq!(blocks("first", json!({ "first_k_dense_replace": 3 })), json!({ "dense": 3, "experts": 5 }));
    assert_eq!(blocks("step", json!({ "decoder_sparse_step": 2, "mlp_only_layers": [1] })), json!({ "dense": 5, "experts": 3 }));
    assert_eq!(blocks("llama-4", json!({ "interleave_moe_layer_step": 4 })), json!({ "dense": 6, "experts": 2 }));
    assert_eq!(blocks("jamba", json!({ "expert_layer_period": 4, "expert_layer_offset": 1 })), json!({ "dense": 6, "experts": 2 }));
    assert_eq!(blocks("list", json!({ "moe_layer_freq": [0, 1, 1, 1, 0, 1, 1, 1] })), json!({ "dense": 2, "experts": 6 }));
    assert_eq!(blocks("ernie", json!({ "moe_layer_start_index": 2, "moe_layer_end_index": 5 })), json!({ "dense": 4, "experts": 4 }));
}

/// Windows, however said; the cache of a window does not grow.
#[test]
fn windows_by_any_rule() {
    let layers = |name: &str, changes: Json| {
        let found = model(name, &config(changes));
        (found["layers"].clone(), found["cache_bytes_per_token"].as_f64().unwrap() / 1024.0)
    };
    let both = |full: u32, window: u32| json!({ "full_attention": full, "sliding_window_attention": window });
    let all = json!({ "sliding_window_attention": 4 });
    assert_eq!(layers("all", json!({ "model_type": "mistral", "sliding_window": 512 })), (all, 0.0));
    assert_eq!(layers("period", json!({ "sliding_window": 512, "sliding_window_pattern": 2 })), (both(2, 2), 2.0));
    assert_eq!(layers("class", json!({ "model_type": "gpt_oss", "sliding_window": 512 })), (both(2, 2), 2.0));
    assert_eq!(layers("letters", json!({ "sliding_window": 512, "sliding_window_pattern": "LLG" })), (both(2, 2), 2.0));
    let upper = |on: bool| json!({ "model_type": "qwen2", "sliding_window": 512, "use_sliding_window": on, "max_window_layers": 3 });
    assert_eq!(layers("upper", upper(true)), (both(3, 1), 3.0));
    assert_eq!(layers("off", upper(false)), (json!({ "full_attention": 4 }), 4.0));
    assert_eq!(layers("shared", json!({ "num_kv_shared_layers": 1 })).1, 3.0);
}

/// Layers without a cache: 3 of 4 in each file.
#[test]
fn states_instead_of_caches() {
    let types = json!(["linear_attention", "linear_attention", "linear_attention", "full_attention"]);
    let delta = json!({ "linear_num_key_heads": 4, "linear_num_value_heads": 8, "linear_key_head_dim": 64, "linear_value_head_dim": 64 });
    let mamba = json!({ "model_type": "granitemoehybrid", "mamba_n_heads": 32, "mamba_d_head": 64, "mamba_d_state": 128, "layers_block_type": ["mamba", "mamba", "attention", "mamba"] });
    for (name, mut changes, kind) in [
        ("delta", delta, "gated_delta_linear_attention"),
        ("mamba", mamba, "state_space"),
        ("lightning", json!({ "model_type": "minimax_m1", "attn_type_list": [0, 0, 0, 1] }), "lightning_linear_attention"),
        ("convolution", json!({ "model_type": "lfm2", "full_attn_idxs": [3], "conv_L_cache": 3 }), "short_convolution"),
    ] {
        if name == "delta" {
            changes["layer_types"] = types.clone();
        }
        let found = model(name, &config(changes));
        assert_eq!((found["layers"][kind].as_u64(), found["cache_bytes_per_token"].as_f64()), (Some(3), Some(1024.0)), "{name}: {found}");
    }
}

/// Nemotron-H names each block by a letter, or by a word without a number of layers.
#[test]
fn blocks_by_letter_and_by_word() {
    let blocks = json!({ "model_type": "nemotron_h", "mamba_num_heads": 32, "mamba_head_dim": 64, "ssm_state_size": 128, "n_groups": 8 });
    let mut letters = blocks.clone();
    letters["hybrid_override_pattern"] = json!("M-*-");
    let mut words = blocks;
    words["layers_block_type"] = json!(["mamba", "mlp", "attention", "mlp"]);
    words["num_hidden_layers"] = Json::Null;
    let [letters, words] = [("letters-h", letters), ("words-h", words)].map(|(name, changes)| model(name, &config(changes)));
    assert_eq!(letters["blocks"], json!({ "dense_without_gate": 2 }));
    assert_eq!((&letters["parameters"], &letters["layers"]), (&words["parameters"], &words["layers"]));
}

#[test]
fn formats_of_a_checkpoint() {
    let stored = |name: &str, quantised: Json| model(name, &config(json!({ "quantization_config": quantised })))["stored"].clone();
    let two = |stored: Json| (stored["weights"].as_str().unwrap().to_owned(), stored["experts"].as_str().unwrap().to_owned());
    let both = |format: &str| (format.to_owned(), format.to_owned());
    assert_eq!(two(stored("block", json!({ "quant_method": "fp8", "weight_block_size": [128, 128] }))), both("fp8-block"));
    assert_eq!(two(stored("tensor", json!({ "quant_method": "fp8" }))), both("fp8"));
    assert_eq!(two(stored("mxfp4", json!({ "quant_method": "mxfp4" }))), ("bf16".to_owned(), "w4a16".to_owned()));
    let group = |ignore: &str| {
        let weights = json!({ "num_bits": 4, "type": "int", "group_size": 32 });
        json!({ "quant_method": "compressed-tensors", "config_groups": { "group_0": { "weights": weights, "input_activations": null } }, "ignore": [ignore] })
    };
    assert_eq!(two(stored("group", group("lm_head"))), both("w4a16"));
    assert_eq!(two(stored("kept", group("re:.*self_attn.*"))), ("bf16".to_owned(), "w4a16".to_owned()));
    assert_eq!(stored("mixed", json!({ "quant_method": "modelopt", "quant_algo": "MIXED_PRECISION" })), Json::Null);
}

/// MTP layers are counted beside the model and said to draft only where a workload asks for it.
#[test]
fn mtp_layers_are_said() {
    let project = Project::new("hub-mtp").file("config.json", &config(json!({ "num_nextn_predict_layers": 1 })));
    let text = project.run(&["model", "config.json"]).output().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("1 MTP layer (0.02 B parameters) not in the totals; they draft only where a workload has [speculation]."), "{text}");
}

#[test]
fn what_makes_no_sense() {
    fails(
        "nonsense",
        json!({ "num_hidden_layers": 1, "layer_types": ["nonsense"] }),
        r#"error: `layer_types` has the unknown kind `nonsense`
 --> config.json:9:3
  |
9 |   "layer_types": [
  |   ^^^^^^^^^^^^^ expected one of `full_attention`, `sliding_attention`, `chunked_attention`, `linear_attention`, `mamba`, `conv`, `indexed_attention`
"#,
    );
    fails(
        "no-heads",
        json!({ "num_key_value_heads": 0 }),
        r#"error: `num_key_value_heads` must not be zero
 --> config.json:6:3
  |
6 |   "num_key_value_heads": 0,
  |   ^^^^^^^^^^^^^^^^^^^^^ one or more
"#,
    );
    fails(
        "short-list",
        json!({ "layer_types": ["full_attention"] }),
        r#"error: `layer_types` has 1 entries for 4 layers
 --> config.json:9:3
  |
9 |   "layer_types": [
  |   ^^^^^^^^^^^^^ one entry for each layer expected
"#,
    );
    fails(
        "too-many",
        json!({ "num_experts": 4, "num_experts_per_tok": 8, "moe_intermediate_size": 64 }),
        r#"error: `num_experts_per_tok` chooses 8 of 4 experts
  --> config.json:10:3
   |
10 |   "num_experts_per_tok": 8,
   |   ^^^^^^^^^^^^^^^^^^^^^ at most 4
"#,
    );
    Project::new("hub-json").file("config.json", "{\n  \"hidden_size\": }\n").run(&["check", "config.json"]).fails(
        r#"error: `config.json` is not valid JSON
 --> config.json:2:18
  |
2 |   "hidden_size": }
  |                  ^ expected value at line 2 column 18
"#,
    );
}

/// A workload that speculates says so, and says when the model that takes the place of its own cannot; the checkpoint's formats are used.
#[test]
fn simulate_says_what_a_config_changes() {
    let run = |name: &str, changes: Json| -> Json {
        let project = Project::new(&format!("hub-simulate-{name}")).file("config.json", &config(changes));
        serde_json::from_str(&project.run(&["simulate", "cloudmatrix384", "--model", "./config.json", "--format", "json"]).output()).unwrap()
    };
    let changes = json!({ "quantization_config": { "quant_method": "fp8" }, "num_memory_slots": 4, "max_position_embeddings": 2048 });
    let plain = run("plain", changes);
    assert_eq!(plain["speculation"], Json::Null);
    assert_eq!(
        plain["notes"],
        json!([
            "not read, though parameters or cache may depend on it: `num_memory_slots`",
            "speculation is off: llama has no MTP layers and the workload names no draft model",
            "formats of the checkpoint: weights fp8",
            "sequences of 4096 tokens are longer than the 2048 that llama is published for",
        ])
    );
    let drafting = run("drafting", json!({ "num_nextn_predict_layers": 1 }));
    assert_eq!(drafting["speculation"], json!("the model's own MTP layers propose 1 token a step, 70 % accepted: 1.70 tokens a step"));
}

/// A file of JSON is read as JSON whatever stands in it, and a folder as a model of the hub.
#[test]
fn what_is_no_model_is_not_held_against_toml() {
    let project = Project::new("hub-none").file("list.json", "[]\n").file("nothing.json", "").folder("empty");
    project.run(&["check", "list.json"]).fails("error: `list.json` holds no table\n |\n = help: expected a model's config.json\n");
    let error = project.run(&["check", "nothing.json"]).error();
    assert!(error.contains("`nothing.json` is not valid JSON") && !error.contains("TOML"), "{error}");
    for (command, name) in [(&["model", "./empty"][..], "./empty"), (&["simulate", "hgx-h100", "--model", "empty"], "empty")] {
        project
            .run(command)
            .fails(&format!("error: the folder `{name}` has no config.json\n |\n = help: expected a model as the hub gives it out\n"));
    }
}
