//! Prices of collectives, as the command asks for them: from a prepared network to a time, nothing played before.

mod cases;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use supernode::input::spec::load_library;
use supernode::network::{Algorithm, Collective, Network, Op, Pricing};
use supernode::units::Bytes;

const GIB: Bytes = Bytes::new(1_073_741_824.0);

fn price(network: &Network<'_>, op: Op, ranks: u32, algorithm: Option<Algorithm>) -> f64 {
    let library = load_library("cann").unwrap_or_else(|problems| panic!("{problems}"));
    let timing = Pricing::new(network, &library).price(&Collective { op, ranks, bytes: GIB }, algorithm);
    timing.map_or(f64::NAN, |timing| timing.total().get())
}

fn collectives(criterion: &mut Criterion) {
    let sizes: &[u32] = if cases::measuring() { &[64, 384, 8192] } else { &[64] };
    for &chips in sizes {
        let fabric = cases::fabric(chips);
        let network = Network::new(&fabric);
        for (name, op, algorithm) in [
            ("all_reduce_ring", Op::AllReduce, Some(Algorithm::Ring)),
            ("all_reduce_hierarchical", Op::AllReduce, Some(Algorithm::Hierarchical)),
            ("all_reduce_auto", Op::AllReduce, None),
            ("all_to_all_auto", Op::AllToAll, None),
        ] {
            println!("{name}/{chips}: answer {:016x}", cases::fingerprint_of(price(&network, op, chips, algorithm)));
            let mut group = criterion.benchmark_group(name);
            group.sample_size(20).bench_function(chips.to_string(), |bench| bench.iter(|| price(black_box(&network.anew()), op, chips, algorithm)));
            group.finish();
        }
    }
}

criterion_group!(benches, collectives);
criterion_main!(benches);
