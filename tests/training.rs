//! Training steps against closed forms.

mod command;

use command::Project;
use serde_json::Value;

fn train(arguments: &[&str]) -> Value {
    serde_json::from_str(&Project::new("train").run(arguments).output()).unwrap()
}

/// Watts by part sum to the total and no part draws more than its rating; a token takes the machine's watts over its tokens a second.
#[test]
fn energy_of_a_training_token_is_conserved() {
    let found = train(&["train", "hgx-h100-ib-64", "--workload", "llama-3.1-70b-bf16", "--format", "json"]);
    let power = &found["power"];
    let (total, rated) = (power["total_w"].as_f64().unwrap(), power["rated_w"].as_f64().unwrap());
    let parts: f64 = power["by_part"].as_object().unwrap().values().map(|watts| watts.as_f64().unwrap()).sum();
    assert!((parts / total - 1.0).abs() < 1e-9 && total < rated, "{parts} of {total}, rated {rated}");
    let rate = found["best"]["tokens_per_s"].as_f64().unwrap();
    assert!((power["joules_per_token"].as_f64().unwrap() * rate / total - 1.0).abs() < 1e-9);
}
