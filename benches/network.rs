//! Loads of traffic patterns: how fast, and what comes out.
//!
//! `cargo bench --bench network` measures; `cargo test --benches` runs the small sizes once each.

mod cases;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use supernode::fabric::{Fabric, RoutingPolicy};
use supernode::footprint::{Damage, FailedPart, damaged};
use supernode::network::{Group, Network, TrafficPattern};

/// Chips of each case; the largest only when measuring.
fn sizes(all: &[u32]) -> impl Iterator<Item = u32> + '_ {
    all.iter().copied().filter(|&chips| cases::measuring() || chips <= 384)
}

/// Equal all-to-all with every destination walked: no use of symmetry.
fn all_to_all_full(criterion: &mut Criterion) {
    all_to_all_walked(criterion, "all_to_all_full", &[64, 384, 1024], cases::fabric);
}

/// The same on graphs without symmetry, where nothing can be merged.
fn all_to_all_random_graph(criterion: &mut Criterion) {
    all_to_all_walked(criterion, "all_to_all_random_graph", &[64, 1000, 4000], cases::random_graph);
}

fn all_to_all_walked(criterion: &mut Criterion, name: &str, chips: &[u32], fabric: fn(u32) -> Fabric) {
    for chips in sizes(chips) {
        let fabric = fabric(chips);
        let network = Network::new(&fabric);
        println!("{name}/{chips}: answer {:016x}", cases::fingerprint(&network.full_all_to_all(chips)));
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20).bench_function(chips.to_string(), |bench| bench.iter(|| network.full_all_to_all(black_box(chips))));
        group.finish();
    }
}

/// The same by symmetry. The answer must be that of the full walk.
fn all_to_all_collapsed(criterion: &mut Criterion) {
    for chips in sizes(&[64, 384, 1024, 8192, 100_000]) {
        let fabric = cases::fabric(chips);
        let network = Network::new(&fabric);
        println!("all_to_all_collapsed/{chips}: answer {:016x}", cases::fingerprint(&network.all_to_all(chips)));
        let mut group = criterion.benchmark_group("all_to_all_collapsed");
        group.sample_size(20).bench_function(chips.to_string(), |bench| bench.iter(|| network.anew().all_to_all(black_box(chips))));
        group.finish();
    }
}

/// A ring through all chips, pair by pair.
fn ring(criterion: &mut Criterion) {
    for chips in sizes(&[64, 384, 8192, 100_000]) {
        let fabric = cases::fabric(chips);
        let network = Network::new(&fabric);
        println!("ring/{chips}: answer {:016x}", cases::fingerprint(&network.ring(chips)));
        let mut group = criterion.benchmark_group("ring");
        group.sample_size(20).bench_function(chips.to_string(), |bench| bench.iter(|| network.anew().ring(black_box(chips))));
        group.finish();
    }
}

/// Equal all-to-all with every flow hashed onto one path: 147 072 searches at 384 chips.
fn all_to_all_hashed(criterion: &mut Criterion) {
    for chips in sizes(&[64, 384]) {
        let fabric = cases::fabric(chips);
        let network = Network::with_routing(&fabric, RoutingPolicy::Ecmp { seed: 1 });
        println!("all_to_all_hashed/{chips}: answer {:016x}", cases::fingerprint(&network.full_all_to_all(chips)));
        let mut group = criterion.benchmark_group("all_to_all_hashed");
        group.sample_size(10).bench_function(chips.to_string(), |bench| bench.iter(|| network.full_all_to_all(black_box(chips))));
        group.finish();
    }
}

/// A group that fills a part of the machine: half the nodes.
fn half_the_machine(criterion: &mut Criterion) {
    for chips in sizes(&[64, 384, 8192]) {
        let fabric = cases::fabric(chips);
        let network = Network::new(&fabric);
        let half = Group::first(chips / 2);
        println!("half_the_machine/{chips}: answer {:016x}", cases::fingerprint(&network.play(&half, TrafficPattern::AllPairs)));
        let mut group = criterion.benchmark_group("half_the_machine");
        group
            .sample_size(20)
            .bench_function(chips.to_string(), |bench| bench.iter(|| network.anew().play(black_box(&half), TrafficPattern::AllPairs)));
        group.finish();
    }
}

/// Several rings through all chips, by one step of the machine's shortest rotation.
fn multi_ring(criterion: &mut Criterion) {
    for chips in sizes(&[64, 384, 8192, 100_000]) {
        let fabric = cases::fabric(chips);
        let network = Network::new(&fabric);
        let (all, pattern) = (Group::first(chips), TrafficPattern::MultiRing { block: 8, rings: 8 });
        println!("multi_ring/{chips}: answer {:016x}", cases::fingerprint(&network.play(&all, pattern)));
        let mut group = criterion.benchmark_group("multi_ring");
        group.sample_size(20).bench_function(chips.to_string(), |bench| bench.iter(|| network.anew().play(black_box(&all), pattern)));
        group.finish();
    }
}

/// Every chip to those at its position in all other nodes: the outer half of dispatch by way of nodes.
fn equals(criterion: &mut Criterion) {
    for chips in sizes(&[64, 384, 8192, 100_000]) {
        let fabric = cases::fabric(chips);
        let network = Network::new(&fabric);
        let (all, pattern) = (Group::first(chips), TrafficPattern::Equals { node: 8 });
        println!("equals/{chips}: answer {:016x}", cases::fingerprint(&network.play(&all, pattern)));
        let mut group = criterion.benchmark_group("equals");
        group.sample_size(20).bench_function(chips.to_string(), |bench| bench.iter(|| network.anew().play(black_box(&all), pattern)));
        group.finish();
    }
}

/// A chip fails: from the graph that is left to the all-to-all of the others, as `fail` and `plan` do for every class of parts.
fn all_to_all_damaged(criterion: &mut Criterion) {
    for chips in sizes(&[64, 384, 8192]) {
        let fabric = cases::fabric(chips);
        let play = |part| {
            let rest = damaged(&fabric, &Damage::of(&[part]));
            Network::new(&rest).without_latencies().all_to_all(rest.chips)
        };
        println!("all_to_all_damaged/{chips}: answer {:016x}", cases::fingerprint(&play(FailedPart::Node(0))));
        let mut group = criterion.benchmark_group("all_to_all_damaged");
        group.sample_size(10).bench_function(chips.to_string(), |bench| bench.iter(|| play(black_box(FailedPart::Node(0)))));
        group.finish();
    }
}

/// From a description to a fabric, and from a fabric to a network.
fn preparing(criterion: &mut Criterion) {
    for chips in sizes(&[384, 8192, 100_000]) {
        let spec = cases::spec(chips);
        let mut group = criterion.benchmark_group("preparing");
        group.sample_size(10);
        group.bench_function(format!("fabric/{chips}"), |bench| bench.iter_batched(|| (), |()| cases::fabric(chips), BatchSize::PerIteration));
        let fabric = supernode::fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
        group.bench_function(format!("network/{chips}"), |bench| bench.iter_batched(|| (), |()| Network::new(&fabric), BatchSize::PerIteration));
        group.finish();
    }
}

criterion_group!(
    benches,
    all_to_all_full,
    all_to_all_random_graph,
    all_to_all_collapsed,
    ring,
    multi_ring,
    equals,
    all_to_all_damaged,
    all_to_all_hashed,
    half_the_machine,
    preparing
);
criterion_main!(benches);
