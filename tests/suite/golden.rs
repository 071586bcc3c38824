//! The complete output of every command on small machines, as text and as JSON, so that a review sees what a change does to a screen.
//!
//! Accept a change that was meant with `INSTA_UPDATE=always cargo test --test suite golden`. In JSON, numbers are kept to six digits and
//! arrays of more than 24 entries to their first three; tests of other modules hold the rest.

use serde_json::{Number, Value};

use crate::command::Project;

const STUDY: &str = r#"schema = 1
[study]
name = "Faster memory"
supernodes = ["hgx-h200"]
workloads = ["llama-3.1-8b-bf16"]

[[axis]]
name = "hbm"
path = "chip.memory.bandwidth"
list = ["4 TB/s", "6 TB/s", "8 TB/s"]

[[objective]]
maximise = "served_per_chip_tokens_per_s"
[[objective]]
minimise = "racks_w"
"#;

const WRONG: &str = r#"schema = 1
supernode = { name = "wrong", vendor = "me", chip = "h100", library = "generic" }
[[level]]
name = "node"
size = "8"
lnik = "nvlink4-board"
[level.switch]
part = "nvswitch3"
"#;

/// A command by the name of its snapshots, and its arguments.
const COMMANDS: [(&str, &str); 22] = [
    ("list", "list trainings"),
    ("describe", "describe hgx-h100"),
    ("collective", "collective hgx-h100 --op all_reduce --size 1KiB,1MiB,1GiB"),
    ("collective-groups", "collective hgx-h100 --op all_reduce --size 16MiB --ranks 4 --groups all"),
    ("experts", "experts hgx-h100 --size 7KiB"),
    ("load", "load hgx-h100 --steps 2"),
    ("fan-in", "fan-in hgx-h100"),
    ("model", "model llama-3.1-8b"),
    ("simulate", "simulate hgx-h200 --workload llama-3.1-8b-bf16"),
    ("serve", "serve hgx-h200 --workload llama-3.1-8b-bf16 --shape 1k1k --engine vllm --mapping tp=1 --rate 20 --requests 50"),
    ("capacity", "capacity hgx-h200 --workload llama-3.1-8b-bf16 --shape 1k1k --engine vllm --mapping tp=1 --requests 50"),
    ("frontier", "frontier hgx-h200 --workload llama-3.1-8b-bf16 --shape 1k1k"),
    ("train", "train hgx-h200 --workload qwen3-32b-bf16"),
    ("fail", "fail hgx-h200 --workload llama-3.1-8b-bf16"),
    ("plan", "plan hgx-h200 --workload llama-3.1-8b-bf16 --target doubao-2026-04"),
    ("compare", "compare hgx-h100 hgx-h200 --workload llama-3.1-8b-bf16"),
    ("sweep", "sweep study.toml"),
    ("optimize", "optimize study.toml --budget 3"),
    ("sensitivity", "sensitivity hgx-h100 --workload llama-3.1-8b-bf16"),
    ("uncertainty", "uncertainty hgx-h100 --workload llama-3.1-8b-bf16 --draws 20"),
    ("validate", "validate --system hgx-h800"),
    ("calibrate", "calibrate gemm:bf16 --system hgx-a100"),
];

/// The value with numbers of six digits, long arrays cut, and without the hashes of files, which change with every comment in a file.
fn reviewable(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let rounded: f64 = format!("{:.5e}", number.as_f64().unwrap()).parse().unwrap();
            Value::Number(Number::from_f64(rounded).unwrap())
        }
        Value::Array(items) => {
            let hidden = if items.len() > 24 { items.len() - 3 } else { 0 };
            let mut kept: Vec<Value> = items.into_iter().take(if hidden > 0 { 3 } else { 24 }).map(reviewable).collect();
            if hidden > 0 {
                kept.push(Value::String(format!("... {hidden} more")));
            }
            Value::Array(kept)
        }
        Value::Object(entries) => Value::Object(
            entries.into_iter().filter(|(key, _)| key != "inputs" && key != "version").map(|(key, value)| (key, reviewable(value))).collect(),
        ),
        other => other,
    }
}

fn hold(name: &str, output: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, output));
}

#[test]
fn every_command_prints_what_it_printed() {
    let project = Project::new("golden").file("study.toml", STUDY);
    for (name, arguments) in COMMANDS {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        hold(name, &project.run(&arguments).output());
        let json = project.run(&[arguments.as_slice(), &["--format", "json"]].concat()).output();
        hold(&format!("{name}.json"), &serde_json::to_string_pretty(&reviewable(serde_json::from_str(&json).unwrap())).unwrap());
    }
}

#[test]
fn check_underlines_what_it_underlined() {
    let project = Project::new("golden-check").file("wrong.toml", WRONG).file("study.toml", STUDY);
    hold("check", &project.run(&["check", "study.toml"]).output());
    hold("check-wrong", &project.run(&["check", "wrong.toml"]).error());
}

/// The help of every command: its first lines are the documentation that most users read.
#[test]
fn help_says_what_it_said() {
    let project = Project::new("golden-help");
    hold("help", &project.run(&["--help"]).output());
}
