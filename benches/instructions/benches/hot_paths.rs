//! Instructions of the hot paths, counted by valgrind: the same on every run and every machine of one architecture.

use std::hint::black_box;

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use supernode::fabric::{Fabric, RoutingPolicy};
use supernode::network::fair_share::completion::Accuracy;
use supernode::network::fair_share::sample_fabrics::{crossbar_all_to_all, spread_sizes};
use supernode::network::fair_share::sharing::Sharing;
use supernode::network::fair_share::transfers::{Transfers, TransfersInput};
use supernode::network::{Network, Profile};
use supernode_instructions::cases;

/// A case may take this many million instructions: a fifth above what it took when the limit was set, so that only real losses fail.
fn at_most(millions: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, millions * 1_000_000)]));
    config
}

/// One thread, this one: what others do is not counted.
fn machine(chips: u32) -> Fabric {
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
    cases::fabric(chips)
}

#[library_benchmark(config = at_most(LIMITS[0]))]
#[bench::chips_384(machine(384))]
fn all_to_all_full(fabric: Fabric) -> Profile {
    Network::new(black_box(&fabric)).full_all_to_all(384)
}

#[library_benchmark(config = at_most(LIMITS[1]))]
#[bench::chips_8192(machine(8192))]
fn all_to_all_collapsed(fabric: Fabric) -> Profile {
    Network::new(black_box(&fabric)).all_to_all(8192)
}

#[library_benchmark(config = at_most(LIMITS[2]))]
#[bench::chips_384(machine(384))]
fn ring(fabric: Fabric) -> Profile {
    Network::new(black_box(&fabric)).ring(384)
}

#[library_benchmark(config = at_most(LIMITS[3]))]
#[bench::chips_64(machine(64))]
fn all_to_all_hashed(fabric: Fabric) -> Profile {
    Network::with_routing(black_box(&fabric), RoutingPolicy::Ecmp { seed: 1 }).full_all_to_all(64)
}

#[library_benchmark(config = at_most(LIMITS[4]))]
#[bench::chips_64(64)]
fn spread_sizes_exact(chips: u32) -> f64 {
    let Ok(sharing) = Sharing::new(crossbar_all_to_all(chips)) else { return f64::NAN };
    let bytes = spread_sizes(sharing.flows(), 1_048_576.0, 0.2, 1);
    let transfers = Transfers::new(&sharing, TransfersInput { bytes, ..TransfersInput::default() });
    transfers.and_then(|transfers| transfers.complete(Accuracy::Exact)).map_or(f64::NAN, |completion| completion.makespan_s())
}

/// Millions of instructions, in the order above.
const LIMITS: [u64; 5] = [19, 125, 11, 172, 155];

library_benchmark_group!(name = hot_paths, benchmarks = [all_to_all_full, all_to_all_collapsed, ring, all_to_all_hashed, spread_sizes_exact]);
main!(library_benchmark_groups = hot_paths);
