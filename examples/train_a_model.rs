//! How long is a training step on a pod, and what does the JSON of the answer hold?

use supernode::{Error, Supernode, TrainingWorkload};

fn main() -> Result<(), Error> {
    let machine = Supernode::named("hgx-h100-ib-256")?;
    let result = machine.train(&TrainingWorkload::named("llama-3.1-70b-bf16")?);
    match (result.step_s(), result.tokens_per_s()) {
        (Some(step), Some(rate)) => println!("{}: a step takes {step:.2} s, {rate:.0} tokens/s", machine.name()),
        _ => println!("{}: no layout fits", machine.name()),
    }
    let json = serde_json::to_value(&result).expect("results have text keys");
    let keys: Vec<&String> = json.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
    println!("JSON keys: {keys:?}");
    Ok(())
}
