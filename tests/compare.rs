//! Designs side by side.

mod command;

use command::Project;
use serde_json::Value;

#[test]
fn ratios_and_best_marks() {
    let arguments = ["compare", "hgx-h100", "gb200-nvl72", "--same-chips", "--format", "json"];
    let found: Value = serde_json::from_str(&Project::new("compare").run(&arguments).output()).unwrap();
    assert_eq!(found["same_chip"], "H100 SXM");
    // 450 GB/s of NVLink 4 against 900 GB/s of NVLink 5 a chip: the ports stay each design's own, the second is best.
    let injection = &found["figures"]["injection_bytes_per_s"];
    assert_eq!(injection["values"][0], 450e9);
    assert_eq!(injection["values"][1], 900e9);
    assert_eq!(injection["best"], serde_json::json!([1]));
    // DeepSeek-R1 in eight bits does not fit eight chips of 80 GB with room to spare: no rate, and no ratio invented.
    assert!(found["figures"]["decode_tokens_per_s"]["values"][1].as_f64().unwrap() > 0.0);
}
