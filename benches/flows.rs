//! Rates and completion times of all-to-alls, flow by flow. Each line of time has a line with the hash of its answer beside it: equal
//! hashes, equal answers to the last bit.
//!
//! `cargo bench --bench flows` measures, with `SUPERNODE_BENCH_LARGE=1` also the runs of several seconds; `cargo test --benches` runs
//! the smallest size of each once.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use supernode::network::fair_share::completion::Accuracy;
use supernode::network::fair_share::max_min::max_min;
use supernode::network::fair_share::reduce::reduce;
use supernode::network::fair_share::sample_fabrics::{clos_all_to_all, crossbar_all_to_all, spread_sizes};
use supernode::network::fair_share::sharing::{Sharing, SharingInput};
use supernode::network::fair_share::transfers::{Transfers, TransfersInput};

const BYTES: f64 = 1024.0 * 1024.0;
const SEED: u64 = 1;

type Fabric = (&'static str, fn(u32) -> SharingInput);
const CROSSBAR: Fabric = ("crossbar", crossbar_all_to_all);
const CLOS: Fabric = ("clos", clos_all_to_all);

/// All sizes when measuring, the smallest as a test.
fn sizes(all: &[u32]) -> &[u32] {
    if std::env::args().any(|argument| argument == "--bench") { all } else { &all[..1] }
}

fn sharing(fabric: Fabric, chips: u32) -> Sharing {
    Sharing::new(fabric.1(chips)).expect("sample fabrics are sound")
}

/// FNV-1a over the bits.
fn hash(values: &[f64]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn bench_max_min(criterion: &mut Criterion) {
    for (fabric, chips) in [(CROSSBAR, &[64, 384, 1024][..]), (CLOS, &[16, 64])] {
        let mut group = criterion.benchmark_group(format!("max_min/all_to_all_{}", fabric.0));
        group.sample_size(10);
        for &chips in sizes(chips) {
            let sharing = sharing(fabric, chips);
            println!("{} flows, {} entries, hash {:016x}", sharing.flows(), sharing.entries(), hash(&max_min(&sharing).rate));
            group.bench_function(BenchmarkId::from_parameter(chips), |bencher| bencher.iter(|| max_min(black_box(&sharing))));
        }
    }
}

fn bench_reduce(criterion: &mut Criterion) {
    for (fabric, chips) in [(CROSSBAR, &[64, 384][..]), (CLOS, &[64, 128])] {
        let mut group = criterion.benchmark_group(format!("reduce/all_to_all_{}", fabric.0));
        group.sample_size(10);
        for &chips in sizes(chips) {
            let sharing = sharing(fabric, chips);
            println!("{} of {} channels left", reduce(&sharing).kept.len(), sharing.channels());
            group.bench_function(BenchmarkId::from_parameter(chips), |bencher| bencher.iter(|| reduce(black_box(&sharing))));
        }
    }
}

fn bench_completion(criterion: &mut Criterion) {
    let large = std::env::var_os("SUPERNODE_BENCH_LARGE").is_some();
    let with_large = |always: &'static [u32], large_too: &'static [u32]| if large { large_too } else { always };
    let cases = [
        ("equal", 0.0, Accuracy::Exact, CROSSBAR, &[64, 384][..]),
        ("spread_20pct", 0.2, Accuracy::Exact, CROSSBAR, with_large(&[16, 64], &[16, 64, 384])),
        ("spread_20pct", 0.2, Accuracy::Exact, CLOS, &[16, 64]),
        ("spread_20pct_within_1pct", 0.2, Accuracy::Within(0.01), CROSSBAR, &[64, 384]),
        ("spread_20pct_within_1pct", 0.2, Accuracy::Within(0.01), CLOS, with_large(&[64], &[64, 384])),
    ];
    for (name, spread, accuracy, fabric, chips) in cases {
        let mut group = criterion.benchmark_group(format!("completion/{name}_{}", fabric.0));
        group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
        for &chips in sizes(chips) {
            let sharing = sharing(fabric, chips);
            let bytes = spread_sizes(sharing.flows(), BYTES, spread, SEED);
            let transfers = Transfers::new(&sharing, TransfersInput { bytes, ..TransfersInput::default() }).expect("sizes are sound");
            let complete = || transfers.complete(accuracy).expect("the tolerance is sound");
            let answer = complete();
            println!("{} flows, {} re-shares, hash {:016x}", sharing.flows(), answer.reshares, hash(&answer.end_s));
            group.bench_function(BenchmarkId::from_parameter(chips), |bencher| bencher.iter(complete));
        }
    }
}

criterion_group!(benches, bench_max_min, bench_reduce, bench_completion);
criterion_main!(benches);
