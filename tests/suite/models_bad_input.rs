//! Models and service levels that cannot be, and a `config.json` that says too little: exact texts.

use crate::command::Project;

const WORKLOAD: &str = r#"schema = 1

[workload]
name = "mine"
model = "./config.json"

[workload.precision]
weights = "int8"
attention = "bf16"
kv_cache = "bf16"
dispatch = "int8"
combine = "bf16"

[workload.request]
input = { mean = 1000 }
output = { mean = 100 }
ttft_limit = "2 s"
tpot_limit = "50 ms"
"#;

/// A dense model in the words of the hub.
const CONFIG: &str = r#"{
  "model_type": "qwen3",
  "hidden_size": 5120,
  "num_hidden_layers": 64,
  "num_attention_heads": 64,
  "num_key_value_heads": 8,
  "head_dim": 128,
  "intermediate_size": 25600,
  "vocab_size": 151936
}
"#;

#[test]
fn a_workload_reads_config_json() {
    let project = Project::new("config-json").file("mine.toml", WORKLOAD).file("config.json", CONFIG);
    project.run(&["check", "mine.toml"]).succeeds("mine.toml: ok, workload mine\n");
    let own = project.run(&["simulate", "cloudmatrix384", "--workload", "./mine.toml", "--format", "json"]).output();
    let shipped = project.run(&["simulate", "cloudmatrix384", "--workload", "./mine.toml", "--model", "qwen3-32b", "--format", "json"]).output();
    let decode = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["decode"]["tokens_per_s"].as_f64().unwrap();
    assert_eq!(decode(&own), decode(&shipped));
}

#[test]
fn config_json_with_missing_fields() {
    let config = CONFIG.replace("\"hidden_size\"", "\"hiden_size\"").replace("  \"num_attention_heads\": 64,\n", "");
    Project::new("config-missing").file("mine.toml", WORKLOAD).file("config.json", &config).run(&["check", "mine.toml"]).fails(
        r#"error: `./config.json` has no `num_attention_heads`
 |
 = help: also read under the name of `n_head`, `n_heads`, `num_heads`, `attention_heads`, `num_query_heads`

error: `./config.json` has no `hidden_size`
 --> ./config.json:3:3
  |
3 |   "hiden_size": 5120,
  |   ^^^^^^^^^^^^ is this meant to be `hidden_size`?
"#,
    );
}

#[test]
fn heads_that_do_not_divide() {
    let model = r#"schema = 1

[model]
name = "odd"
hidden = 1024
vocabulary = 32000

[[model.layer]]
count = 2
attention.gqa = { heads = 12, kv_heads = 5, head_dim = 64 }
ffn.dense = { width = 4096 }
"#;
    let project = Project::new("odd-heads").file("odd.toml", model).file("mine.toml", &WORKLOAD.replace("./config.json", "./odd.toml"));
    project.run(&["check", "mine.toml"]).fails(
        r"error: 12 heads cannot share 5 key and value heads
  --> ./odd.toml:10:1
   |
10 | attention.gqa = { heads = 12, kv_heads = 5, head_dim = 64 }
   | ^^^^^^^^^ 5 must divide 12
   |
   = help: the nearest number that does is 4
",
    );
}

#[test]
fn mappings_that_cannot_be() {
    let project = Project::new("mappings");
    let mapping = |degrees: &str| project.run(&["simulate", "cloudmatrix384", "--mapping", degrees]);
    mapping("tp=3,ep=32").fails("error: --mapping: 128 heads do not divide by tp=3; the nearest that works is tp=4,ep=32,dp=8,pp=1\n");
    mapping("tp=0").fails("error: --mapping: tp must be 1 or more\n");
    mapping("micro_batches=0").fails("error: --mapping: micro_batches must be 1 or more\n");
    mapping("ep").fails("error: --mapping: `ep` is not key=number, as in tp=4,ep=32\n");
    mapping("ring=2").fails("error: --mapping: unknown degree `ring`; known: tp, ep, dp, pp, sp, ffn, micro_batches\n");
    mapping("tp=32,sp=8").fails("error: --mapping: 128 heads do not divide by tp x sp = 256; the nearest that works is tp=32,ep=32,dp=1,pp=1\n");
}

/// Chips that split a sequence need a cache that can be split.
#[test]
fn sequences_that_cannot_be_shared() {
    let run = |degrees: &str| Project::new("no-sp").run(&["simulate", "cloudmatrix384", "--model", "qwen3.5-122b-a10b", "--mapping", degrees]);
    run("tp=2,ep=32,sp=2").fails(
        "error: --mapping: sp=2 divides caches by their tokens, which compressed caches and recurrent states do not allow; the nearest that works is tp=2,ep=32,dp=16,pp=1\n",
    );
}

/// Right input, but no machine does this: the answer is a "no" that says how near it comes.
#[test]
fn a_service_level_that_nothing_meets() {
    let project = Project::new("no-such-level").file("mine.toml", &WORKLOAD.replace("50 ms", "1 us")).file("config.json", CONFIG);
    let text = project.run(&["simulate", "cloudmatrix384", "--workload", "./mine.toml"]).output();
    assert!(text.contains("misses: too slow: ") && text.contains(" allowed (decode)"), "{text}");
}
