//! How long does an all-reduce take on two shipped machines, size by size?

use supernode::{Error, Op, Supernode};

fn main() -> Result<(), Error> {
    let (server, rack) = (Supernode::named("hgx-h100")?, Supernode::named("gb200-nvl72")?);
    println!("all-reduce over 8 chips, bus bandwidth in GB/s");
    println!("{:>10} {:>12} {:>12}", "size", server.name(), rack.name());
    for exponent in [16, 20, 24, 28, 30] {
        let bytes = f64::from(1_u32 << exponent);
        let bandwidth = |machine: &Supernode| machine.collective(Op::AllReduce, 8, bytes).map(|result| result.busbw_bytes_per_s / 1e9);
        println!("{:>6} KiB {:>12.1} {:>12.1}", bytes / 1024.0, bandwidth(&server)?, bandwidth(&rack)?);
    }
    Ok(())
}
