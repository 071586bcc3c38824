//! The same options on every command that serves; what they ask for is a workload that can be printed and read back.

use crate::command::Project;
use serde_json::Value;

/// Commands and what they need beside the options.
const COMMANDS: [&[&str]; 9] = [
    &["simulate", "hgx-h200"],
    &["serve", "hgx-h200"],
    &["capacity", "hgx-h200"],
    &["frontier", "hgx-h200"],
    &["compare", "hgx-h200"],
    &["plan", "hgx-h200"],
    &["fail", "hgx-h200"],
    &["uncertainty", "hgx-h200"],
    &["sensitivity", "hgx-h200"],
];

const OPTIONS: [&str; 24] = [
    "--model",
    "llama-3.1-70b",
    "--input",
    "3000",
    "--output",
    "400",
    "--hit",
    "60%",
    "--ttft",
    "2s",
    "--tpot",
    "30ms",
    "--rate",
    "12",
    "--precision",
    "fp8/fp8",
    "--objective",
    "tokens-per-cost",
    "--price",
    "rent=3USD",
    "--pue",
    "1.3",
    "--engine",
    "vllm",
];

#[test]
fn every_serving_command_makes_the_same_workload_of_the_same_options() {
    let project = Project::new("options");
    let printed: Vec<String> = COMMANDS
        .iter()
        .map(|command| {
            let all: Vec<&str> = command.iter().chain(&OPTIONS).copied().chain(["--print-workload"]).collect();
            project.run(&all).output()
        })
        .collect();
    for (command, text) in COMMANDS.iter().zip(&printed) {
        assert_eq!(text, &printed[0], "{command:?}");
    }
    for line in [
        "model = \"llama-3.1-70b\"",
        "input = { mean = 3000, variation = 0.0 }",
        "output = { mean = 400, variation = 0.0 }",
        "cache_hit = 0.6",
        "ttft_limit = \"2.0 s\"",
        "tpot_limit = \"0.03 s\"",
        "arrivals_per_second = 12.0",
        "weights = \"fp8\"",
        "kv_cache = \"fp8\"",
        "objective = \"tokens-per-cost\"",
        "engine = \"vllm\"",
    ] {
        assert!(printed[0].lines().any(|found| found == line), "{line} is not in\n{}", printed[0]);
    }
}

/// What is printed is a file that means the same.
#[test]
fn a_printed_workload_gives_the_same_answer() {
    let project = Project::new("printed");
    for options in [&["--model", "qwen3-30b-a3b", "--input", "2000", "--output", "300", "--hit", "0.25"][..], &["--workload", "coding-agent"]] {
        let run = |more: &[&str]| -> Value {
            let all: Vec<&str> = ["simulate", "hgx-h200", "--format", "json"].iter().chain(more).copied().collect();
            serde_json::from_str(&project.run(&all).output()).unwrap()
        };
        let print: Vec<&str> = ["simulate", "hgx-h200", "--print-workload"].iter().chain(options).copied().collect();
        std::fs::write(project.path().join("printed.toml"), project.run(&print).output()).unwrap();
        let (asked, read) = (run(options), run(&["--workload", "./printed.toml"]));
        assert_eq!(asked["request"], read["request"]);
        assert!(asked["request"]["requests_per_s"].as_f64().unwrap() > 0.0);
    }
}

/// The first lines answer the user's request, not the target's mix: what is cached need not be read.
#[test]
fn the_headline_is_the_users_own_request() {
    let project = Project::new("headline");
    let run = |hit: &str| -> Value {
        let arguments = [
            "simulate",
            "hgx-h200",
            "--model",
            "llama-3.1-70b",
            "--precision",
            "fp8",
            "--input",
            "8000",
            "--output",
            "200",
            "--hit",
            hit,
            "--format",
            "json",
        ];
        serde_json::from_str(&project.run(&arguments).output()).unwrap()
    };
    let (none, most) = (run("0"), run("0.6"));
    let of = |json: &Value, key: &str| json["request"][key].as_f64().unwrap();
    assert!(of(&most, "requests_per_s") > 1.3 * of(&none, "requests_per_s"), "{} and {}", none["request"], most["request"]);
    let dollars = |json: &Value| json["request"]["usd_per_million_input_tokens"]["owned"]["value"].as_f64().unwrap();
    assert!(dollars(&most) < 0.6 * dollars(&none));
    // Requests times their lengths.
    assert!((of(&none, "output_tokens_per_s") / of(&none, "requests_per_s") - 200.0).abs() < 1e-6);
    assert!((of(&none, "tokens_per_s_per_user") * of(&none, "tpot_s") - 1.0).abs() < 1e-12);
    let text = project.run(&["simulate", "hgx-h200", "--model", "llama-3.1-70b", "--input", "8000", "--output", "200"]).output();
    let answer: Vec<&str> = text.lines().take_while(|line| !line.contains("verdict")).collect();
    for word in ["requests/s", "output", "one user", "10^6 tokens", "a token"] {
        assert!(answer.iter().any(|line| line.contains(word)), "{word} is not in the first lines:\n{text}");
    }
}

/// Without a target of its own, `--strict` asks whether the workload is served; with one, whether the target is met.
#[test]
fn strict_judges_what_was_asked() {
    let project = Project::new("strict-request");
    let run = |more: &[&str]| {
        let all: Vec<&str> = ["simulate", "hgx-h200", "--model", "llama-3.1-8b", "--strict"].iter().chain(more).copied().collect();
        project.run(&all).code_and_output().0
    };
    assert_eq!(run(&[]), Some(0));
    assert_eq!(run(&["--rate", "1"]), Some(0));
    assert_eq!(run(&["--rate", "1e6"]), Some(1));
    assert_eq!(run(&["--tpot", "0.01ms"]), Some(1));
    assert_eq!(run(&["--target", "doubao-2026-04"]), Some(1));
}

#[test]
fn options_say_what_they_expect() {
    let project = Project::new("option-values");
    for (option, value, expected) in [
        ("--hit", "160%", "is not a share from 0 to 1"),
        ("--ttft", "2", "expected a time such as 2s"),
        ("--precision", "fp7", "known are bf16, int8, fp8"),
        ("--rate", "0", "is not a rate above zero"),
    ] {
        let error = project.run(&["simulate", "hgx-h200", option, value]).error();
        assert!(error.contains(expected), "{error}");
    }
    let error = project.run(&["simulate", "cloudmatrix384", "--input", "1000"]).error();
    assert!(error.contains("give --output (tokens) as well"), "{error}");
}
