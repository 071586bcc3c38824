//! Findings with a probability and a range of validity: computed, repeatable, and equal to what other commands draw.

use serde_json::Value;

use crate::command::Project;

const STUDY: &str = r#"schema = 1
[study]
name = "Faster memory"
supernodes = ["hgx-h100", "hgx-h200"]
workloads = ["llama-3.1-70b-fp8"]
draws = { points = 20, seed = 7 }

[[axis]]
name = "limit"
path = "workload.decode.tpot_limit"
list = ["20 ms", "30 ms", "40 ms"]

[[finding]]
say = "H200 decodes {} times as much,"
answer = true
chance = true
along = "limit"
column = "decode_per_chip_tokens_per_s"
of = { supernode = "hgx-h200", limit = "40 ms" }
over = { supernode = "hgx-h100", limit = "40 ms" }
least = 1.0

[[finding]]
say = "the same design {} times,"
chance = true
column = "decode_per_chip_tokens_per_s"
of = { supernode = "hgx-h100", limit = "40 ms" }
over = { supernode = "hgx-h100", limit = "40 ms" }
least = 1.0

[[finding]]
say = "{} tokens/s."
chance = true
column = "decode_per_chip_tokens_per_s"
of = { supernode = "hgx-h100", limit = "50 ms" }
least = "1 tokens/day"
"#;

fn findings(project: &Project, file: &str) -> Vec<Value> {
    let told: Value = serde_json::from_str(&project.run(&["sweep", file, "--format", "json"]).output()).unwrap();
    told["findings"].as_array().unwrap().clone()
}

#[test]
fn probabilities_are_drawn_and_flips_are_found() {
    let study = STUDY.replace("\"40 ms\"]", "\"40 ms\", \"50 ms\"]");
    let project = Project::new("verdicts").file("s.toml", &study);
    let found = findings(&project, "s.toml");
    // What both sides share has the same draw: a design over itself is one in every draw.
    assert_eq!((&found[1]["probability"], &found[1]["low"], &found[1]["high"]), (&Value::from(1.0), &Value::from(1.0), &Value::from(1.0)));
    // The quantiles of one design are those that `uncertainty` draws from the same seed.
    let drawn: Value = serde_json::from_str(
        &project.run(&["uncertainty", "hgx-h100", "--workload", "llama-3.1-70b-fp8", "--draws", "20", "--seed", "7", "--format", "json"]).output(),
    )
    .unwrap();
    let text = drawn.to_string();
    for end in ["low", "high"] {
        let value = found[2][end].as_f64().unwrap();
        assert!(text.contains(&value.to_string()), "{end} {value} is not in {text}");
    }
    let along = found[0]["along"].as_array().unwrap();
    assert_eq!(along.iter().map(|entry| entry["entry"].as_str().unwrap()).collect::<Vec<_>>(), ["20 ms", "30 ms", "40 ms", "50 ms"]);
    assert_eq!(found[0]["verdict"], "true at all of them");
    // Another bound between the ratios of two limits: a flip there.
    let ratio = |at: usize| along[at]["shows"].as_str().unwrap().parse::<f64>().unwrap();
    let (first, last) = (ratio(0), ratio(3));
    assert!((first - last).abs() > 0.01, "{first} {last}");
    let between = format!("least = {:.4}", (first * last).sqrt());
    let project = project.file("t.toml", &study.replacen("least = 1.0", &between, 1));
    let verdict = findings(&project, "t.toml")[0]["verdict"].as_str().unwrap().to_owned();
    assert!(verdict.starts_with("flips at ") && verdict.ends_with(" ms"), "{verdict}");
}

#[test]
fn a_probability_needs_a_bound_and_an_axis_a_name() {
    let project = Project::new("verdicts-bad").file("s.toml", &STUDY.replace("least = \"1 tokens/day\"\n", ""));
    let error = project.run(&["sweep", "s.toml"]).error();
    assert!(error.contains("error: a finding without bounds is always true") && error.contains("`chance` needs bounds"), "{error}");
    let project = project.file("s.toml", &STUDY.replace("along = \"limit\"", "along = \"limits\""));
    let error = project.run(&["sweep", "s.toml"]).error();
    assert!(error.contains("error: no axis is named `limits`") && error.contains("did you mean `limit`?"), "{error}");
}
