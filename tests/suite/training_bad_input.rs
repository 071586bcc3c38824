//! Training that cannot be: a clear error with its place, or a clear "no" with the nearest thing that works. Exact texts.

use crate::command::Project;

/// A step of eight sequences.
const STEP: &str = r#"schema = 1
[training]
name = "t"
model = "llama-3.1-70b"
gemm = "bf16"
sequence = 8192
global_batch = 8
"#;

#[test]
fn a_batch_of_zero_and_misspelt_keys_are_underlined() {
    let project = Project::new("training-zero").file("t.toml", &STEP.replace("batch = 8", "batch = 0"));
    project.run(&["train", "hgx-h100", "--workload", "./t.toml"]).fails(
        r"error: `global_batch` is out of range
 --> ./t.toml:7:16
  |
7 | global_batch = 0
  |                ^ expected a whole number, from 1 to 10000000
",
    );
    let project = Project::new("training-key").file("t.toml", &STEP.replace("global_batch", "global_bach"));
    project.run(&["train", "hgx-h100", "--workload", "./t.toml"]).fails(
        r"error: missing key `global_batch`
 --> ./t.toml:2:1
  |
2 | [training]
  | ^^^^^^^^^^ training needs `global_batch`
  |
  = help: `global_batch`: Sequences of one optimizer step, all chips together

error: unknown key `global_bach`
 --> ./t.toml:7:1
  |
7 | global_bach = 8
  | ^^^^^^^^^^^ did you mean `global_batch`?
  |
  = help: training takes: `name`, `origin`, `model`, `gemm`, `sequence`, `global_batch`, `dispatch`, `all_to_all`, `expert_biases`, `chunked_tensor`, `offload_layers`, `host`, `schedule`, `optimizer`, `checkpoint`, `experts`, `state`, `shard_optimizer`, `shard_gradients`, `shard_group`, `shard_weights`
",
    );
}

#[test]
fn formats_that_nobody_trains_in_are_underlined() {
    let project = Project::new("training-format").file("t.toml", &STEP.replace(r#"gemm = "bf16""#, "gemm = \"fp4\"\ndispatch = \"int8\""));
    project.run(&["train", "hgx-h100", "--workload", "./t.toml"]).fails(
        r#"error: training in `fp4` is not modelled
 --> ./t.toml:5:8
  |
5 | gemm = "fp4"
  |        ^^^^^ expected `bf16`, `fp8` or `fp8-block`

error: dispatch in `int8` is not modelled
 --> ./t.toml:6:12
  |
6 | dispatch = "int8"
  |            ^^^^^^ expected `bf16`, `fp8` or `fp8-block`
"#,
    );
}

#[test]
fn a_model_without_its_figures_says_which() {
    let config = r#"{ "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 14336 }"#;
    let project = Project::new("training-model").file("config.json", config);
    project.run(&["train", "hgx-h100", "--workload", "llama-3.1-70b-bf16", "--model", "./config.json"]).fails(
        r"error: `./config.json` has no `vocab_size`
 |
 = help: a model cannot be priced without it
",
    );
}

/// Degrees that do not divide, that are too many or that mean nothing.
#[test]
fn degrees_that_no_layout_has() {
    let project = Project::new("training-degrees");
    let rest = "interleave=1,overlap=1,recompute=0";
    for (asked, said) in [
        ("tp=3", format!("64 heads do not divide by tp=3; the nearest that works is tp=4,ep=1,dp=16,pp=1,micro_batch=1,{rest}")),
        ("pp=100", format!("80 layers do not fill pp=100 stages; the nearest that works is tp=1,ep=1,dp=1,pp=64,micro_batch=1,{rest}")),
        (
            "dp=7",
            format!(
                "a batch of 128 sequences does not divide by dp x micro_batch = 7; the nearest that works is tp=1,ep=1,dp=8,pp=8,micro_batch=1,{rest}"
            ),
        ),
        (
            "tp=8,dp=2,pp=8",
            format!("tp=8,dp=2,pp=8 takes 128 ranks, the supernode has 64; the nearest that works is tp=4,ep=1,dp=2,pp=8,micro_batch=1,{rest}"),
        ),
        (
            "ep=8",
            format!("the model has no experts that ep=8 ranks could share; the nearest that works is tp=1,ep=1,dp=64,pp=1,micro_batch=1,{rest}"),
        ),
        ("overlap=3", "overlap is 1 or 2".to_owned()),
        ("recompute=3", "recompute is 0 (nothing), 1 (norms and activation functions) or 2 (whole layers)".to_owned()),
        ("pp=0", "pp must be 1 or more".to_owned()),
        ("tpp=2", "unknown degree `tpp`; known: tp, cp, ep, dp, pp, micro_batch, interleave, overlap, recompute".to_owned()),
    ] {
        let run = project.run(&["train", "hgx-h100-ib-64", "--workload", "llama-3.1-70b-bf16", "--mapping", asked]);
        run.fails(&format!("error: --mapping: {said}\n"));
    }
    let experts = project.run(&["train", "hgx-h100-ib-64", "--workload", "qwen3-235b-bf16", "--mapping", "ep=48"]);
    experts.fails(&format!(
        "error: --mapping: 128 experts do not divide by ep=48; the nearest that works is tp=1,ep=64,dp=64,pp=1,micro_batch=1,{rest}\n"
    ));
}

/// The input is right and the answer is no: exit code 0 with the verdict, 1 with `--strict`, and what would work. 405B parameters of 18 bytes
/// are 7.3 TB; 16 times eight GPUs have 9.2 usable ones.
#[test]
fn what_does_not_fit_is_a_clear_no() {
    let project = Project::new("training-no");
    let arguments = ["train", "hgx-h100", "--workload", "llama-3.1-405b-bf16"];
    let said = project.run(&arguments).output();
    // Long facts go on in the next line, indented.
    let lines = said.lines().skip_while(|line| !line.trim().starts_with("verdict"));
    let lines: Vec<&str> = lines.enumerate().take_while(|(at, line)| *at == 0 || line.starts_with("      ")).map(|(_, line)| line.trim()).collect();
    let joined = lines.join(" ");
    let verdict = joined.strip_prefix("verdict").unwrap().trim();
    assert_eq!(
        verdict,
        "misses: does not fit: tp=8,ep=1,dp=1,pp=1,micro_batch=1,interleave=1,overlap=1,recompute=2 needs least, 919 GB on each rank, 72.0 GB is \
         usable; the nearest that works is tp=8,ep=1,dp=1,pp=16,micro_batch=1,interleave=1,overlap=1,recompute=2 on 128 ranks, sequences of 8192 tokens"
    );
    let strict: Vec<&str> = arguments.into_iter().chain(["--strict", "--format", "json"]).collect();
    let (code, text) = project.run(&strict).code_and_output();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &found["verdict"]["meets"], &found["best"]), (Some(1), &false.into(), &serde_json::Value::Null));
    assert_eq!(found["works"]["ranks"], 128);
    // Asked for what does not fit, the same machine has something near that does.
    let asked = ["train", "hgx-h100-ib-64", "--workload", "llama-3.1-70b-bf16", "--mapping", "tp=8,pp=1,recompute=0"];
    let said = project.run(&asked).output();
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("on this machine, sequences of 8192 tokens"), "{said}");
}
