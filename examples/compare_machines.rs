//! Which of these machines serves a model with the fewest joules a token? Machines are simulated on threads of the caller.

use supernode::{Error, ServingWorkload, Supernode};

fn main() -> Result<(), Error> {
    let workload = ServingWorkload::named("llama-3.1-70b-fp8")?;
    let names = ["hgx-h100", "hgx-h200", "gb200-nvl72"];
    let rows = std::thread::scope(|scope| {
        let simulate = |name: &'static str| {
            let workload = &workload;
            scope.spawn(move || {
                let machine = Supernode::named(name)?;
                let result = machine.simulate(workload)?;
                Ok::<_, Error>((name, machine.chips(), result.decode_tokens_per_s(), result.watts()))
            })
        };
        let running: Vec<_> = names.into_iter().map(simulate).collect();
        running.into_iter().map(|thread| thread.join().expect("the simulation does not panic")).collect::<Result<Vec<_>, _>>()
    })?;
    println!("{:<12} {:>6} {:>16} {:>10} {:>10}", "machine", "chips", "decode tokens/s", "kW", "tokens/J");
    for (name, chips, rate, watts) in rows {
        let rate = rate.unwrap_or(0.0);
        println!("{name:<12} {chips:>6} {rate:>16.0} {:>10.1} {:>10.2}", watts / 1e3, rate / watts);
    }
    Ok(())
}
