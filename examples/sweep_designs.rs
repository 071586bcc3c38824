//! A study from text: how does what is served change with the bandwidth of a link?

use supernode::{Error, Study};

const STUDY: &str = r#"
schema = 1
[study]
name = "lane rate of NVLink 5"
supernodes = ["gb200-nvl72"]
workloads = ["llama-3.1-70b-fp8"]

[[axis]]
name = "lane rate"
path = "link.lane_rate"
list = ["100 Gbit/s", "200 Gbit/s", "400 Gbit/s"]
"#;

fn main() -> Result<(), Error> {
    let study = Study::from_toml(STUDY)?;
    println!("{} designs", study.designs());
    let result = study.run();
    println!("columns: {}", result.columns().collect::<Vec<_>>().join(", "));
    for row in serde_json::to_value(&result).expect("rows have text keys").as_array().into_iter().flatten() {
        println!("{} -> {} tokens/s at {} W", row["lane rate"], row["served_tokens_per_s"], row["racks_w"]);
    }
    Ok(())
}
