//! Wall and processor time of what `docs/performance.md` lists, one line each, with a fingerprint of the answer. Criterion's benches of the
//! same names measure wall time alone, which on a busy machine says little.
//!
//! `cargo run --release --example times`

#[path = "../cases/mod.rs"]
mod cases;

use supernode::fabric::{Fabric, RoutingPolicy};
use supernode::input::spec::load_library;
use supernode::network::{Algorithm, Collective, Group, Network, Op, Pricing, TrafficPattern};
use supernode::units::Bytes;

const GIB: Bytes = Bytes::new(1_073_741_824.0);

fn line<T>(name: &str, chips: u32, work: impl Fn() -> T, fingerprint: impl Fn(&T) -> u64) {
    let (wall_s, processor_s, answer) = cases::timed(work);
    println!("{name}/{chips}: {:.3} ms, {:.3} ms of processor time, answer {:016x}", 1e3 * wall_s, 1e3 * processor_s, fingerprint(&answer));
}

fn all_reduce(network: &Network<'_>, ranks: u32, algorithm: Option<Algorithm>) -> f64 {
    let library = load_library("cann").unwrap_or_else(|problems| panic!("{problems}"));
    let timing = Pricing::new(network, &library).price(&Collective { op: Op::AllReduce, ranks, bytes: GIB }, algorithm);
    timing.map_or(f64::NAN, |timing| timing.total().get())
}

fn main() {
    let edges = |fabric: &Fabric| fabric.graph.edge_count() as u64;
    for chips in [64, 384, 1024, 8192, 100_000] {
        let fabric = cases::fabric(chips);
        let network = Network::new(&fabric);
        line("preparing/fabric", chips, || cases::fabric(chips), edges);
        line("preparing/network", chips, || Network::new(&fabric), |network| network.router().channels().len() as u64);
        line("all_to_all_collapsed", chips, || network.anew().all_to_all(chips), cases::fingerprint);
        line("ring", chips, || network.anew().ring(chips), cases::fingerprint);
        line("half_the_machine", chips, || network.anew().play(&Group::first(chips / 2), TrafficPattern::AllPairs), cases::fingerprint);
        if chips <= 8192 {
            line("all_to_all_full", chips, || network.full_all_to_all(chips), cases::fingerprint);
            line("all_reduce_ring", chips, || all_reduce(&network.anew(), chips, Some(Algorithm::Ring)), |time| cases::fingerprint_of(*time));
            line("all_reduce_auto", chips, || all_reduce(&network.anew(), chips, None), |time| cases::fingerprint_of(*time));
        }
        if chips <= 384 {
            let network = Network::with_routing(&fabric, RoutingPolicy::Ecmp { seed: 1 });
            line("all_to_all_hashed", chips, || network.full_all_to_all(chips), cases::fingerprint);
        }
    }
}
