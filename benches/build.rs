//! Time to expand a description into its graph, and to survey it.

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use supernode::fabric;
use supernode::input::spec::load_supernode;
use supernode::network::{Network, fabric_metrics};

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    group.sample_size(10);
    let torus = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/torus-100k.toml").display().to_string();
    for (label, name) in [
        ("64, servers of eight", "ref-servers-64"),
        ("8192, Atlas 950", "atlas-950-8192"),
        ("15488, Atlas 960", "atlas-960"),
        ("100000, torus", &torus),
    ] {
        let spec = load_supernode(name).unwrap_or_else(|problems| panic!("{problems}"));
        group.bench_function(label, |bencher| bencher.iter(|| fabric::build(&spec).map_or(0, |fabric| fabric.graph.edge_count())));
    }
    group.finish();
    let mut group = criterion.benchmark_group("survey");
    group.sample_size(10);
    for name in ["cloudmatrix384", "atlas-950-8192", "atlas-960", "tpu-v7-pod"] {
        let fabric = load_supernode(name).and_then(|spec| fabric::build(&spec)).unwrap_or_else(|problems| panic!("{problems}"));
        group.bench_function(name, |bencher| bencher.iter(|| fabric_metrics(&Network::new(&fabric)).bisection));
    }
    group.finish();
}

criterion_group!(benches, build);
criterion_main!(benches);
