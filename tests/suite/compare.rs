//! Designs side by side.

use crate::command::Project;
use serde_json::Value;

#[test]
fn ratios_and_best_marks() {
    let arguments = ["compare", "hgx-h100", "gb200-nvl72", "--same-chips", "--format", "json"];
    let found: Value = serde_json::from_str(&Project::new("compare").run(&arguments).output()).unwrap();
    assert_eq!(found["same_chip"], "H100 SXM");
    // 450 GB/s of NVLink 4 against 900 GB/s of NVLink 5 a chip (the line code leaves 0.9412 of 26.5625 GB/s a link): the ports stay each design's own, the second is best.
    let injection = &found["figures"]["injection_bytes_per_s"];
    for (value, expected) in injection["values"].as_array().unwrap().iter().zip([450e9, 900e9]) {
        assert!((value.as_f64().unwrap() / expected - 1.0).abs() < 1e-3, "{value}");
    }
    assert_eq!(injection["best"], serde_json::json!([1]));
    // DeepSeek-R1 in eight bits does not fit eight chips of 80 GB with room to spare: no rate, and no ratio invented.
    assert!(found["figures"]["decode_tokens_per_s"]["values"][1].as_f64().unwrap() > 0.0);
}

/// Money and failures are those of `plan` and `fail`: tokens a second times price over tokens a k$; failures a year of all classes together.
#[test]
fn money_and_failures_agree_with_the_other_commands() {
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&Project::new("money").run(arguments).output()).unwrap() };
    let compared = json(&["compare", "hgx-h200", "--format", "json"]);
    let figure = |key: &str| compared["figures"][key]["values"][0].as_f64().unwrap();
    let (served, capital) = (figure("served_tokens_per_s"), figure("capital_usd"));
    assert!((figure("served_per_kilodollar_tokens_per_s") * capital / 1e3 / served - 1.0).abs() < 1e-12);
    let singles = json(&["fail", "hgx-h200", "--format", "json"]);
    let each: f64 = singles["single_failures"].as_array().unwrap().iter().map(|single| single["failures_per_year"].as_f64().unwrap()).sum();
    assert!((figure("failures_per_year") / each - 1.0).abs() < 1e-12, "{each}");
}
