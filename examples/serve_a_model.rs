//! How many tokens a second does a machine serve, at how many watts, and is a national demand met?

use supernode::{DemandTarget, Error, ServingWorkload, Supernode};

fn main() -> Result<(), Error> {
    let machine = Supernode::named("gb200-nvl72")?;
    let workload = ServingWorkload::named("llama-3.1-70b-fp8")?;
    let result = machine.simulate_for(&workload, &DemandTarget::named("doubao-2026-04")?);
    println!("{} with {} chips", machine.name(), machine.chips());
    match result.decode_tokens_per_s() {
        Some(rate) => println!("decodes {rate:.0} tokens/s at {:.1} kW", result.watts() / 1e3),
        None => println!("nothing fits"),
    }
    println!("serves {:.2e} of the demand; target {}", result.ratio(), if result.meets_target() { "met" } else { "missed" });
    Ok(())
}
