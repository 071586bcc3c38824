//! An all-to-all on a sample fabric, printed as the peers' drivers print it.
//!
//! `all_to_all crossbar|clos CHIPS BYTES SPREAD SEED [TOLERANCE]`: `end SOURCE TO SECONDS` for each flow on stdout; on stderr the
//! wall time and processor time of the simulation alone, from the flat table of channels and shares to the ends.

#[path = "../cases/mod.rs"]
mod cases;

use std::error::Error;
use std::io::Write;

use supernode::network::fair_share::completion::Accuracy;
use supernode::network::fair_share::sample_fabrics::{all_to_all, clos_all_to_all, crossbar_all_to_all, spread_sizes};
use supernode::network::fair_share::sharing::Sharing;
use supernode::network::fair_share::transfers::{Transfers, TransfersInput};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (fabric, chips, bytes, spread, seed, tolerance) = match &arguments[..] {
        [fabric, chips, bytes, spread, seed] => (fabric, chips, bytes, spread, seed, None),
        [fabric, chips, bytes, spread, seed, tolerance] => (fabric, chips, bytes, spread, seed, Some(tolerance)),
        _ => return Err("usage: all_to_all crossbar|clos CHIPS BYTES SPREAD SEED [TOLERANCE]".into()),
    };
    let chips: u32 = chips.parse()?;
    let accuracy = tolerance.map_or(Ok(Accuracy::Exact), |tolerance| tolerance.parse().map(Accuracy::Within))?;
    let sharing = Sharing::new(if fabric == "clos" { clos_all_to_all(chips) } else { crossbar_all_to_all(chips) })?;
    let bytes = spread_sizes(sharing.flows(), bytes.parse()?, spread.parse()?, seed.parse()?);

    let (wall_s, processor_s, answer) = cases::timed(|| {
        let input = TransfersInput { bytes: bytes.clone(), ..TransfersInput::default() };
        Transfers::new(&sharing, input)?.complete(accuracy)
    });
    let answer = answer?;

    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for ((source, to), end_s) in all_to_all(chips).zip(&answer.end_s) {
        writeln!(out, "end {source} {to} {end_s:e}")?;
    }
    eprintln!("wall_s {wall_s:.6}\nprocessor_s {processor_s:.6}");
    eprintln!("reshares {} size_error {:.1e} end_difference {:.1e}", answer.reshares, answer.size_error, answer.end_difference);
    Ok(())
}
