//! Every stage of the main job on CloudMatrix384, and the whole of it. `cargo bench --bench cloudmatrix384`; with `-- --test` each runs
//! once. A hash of the answer stands beside the time, so that a faster wrong answer is seen.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use supernode::execution::{Machine, Mapping, StepShape, mappings, step_time};
use supernode::fabric::{self, Fabric};
use supernode::input::spec::{Spec, TargetSpec, WorkloadSpec, load_reliability, load_supernode, load_target, load_workload};
use supernode::network::{Collective, Network, Op, Pricing};
use supernode::serving::{Described, Role, decode_at, search};
use supernode::study::{DegradedMachine, Progress, SensitivityCase, Serves, sensitivity, simulate, single_failures, uncertainty};
use supernode::units::Bytes;
use supernode::workload::AttentionBatch;

const NAME: &str = "cloudmatrix384";

fn spec() -> Spec {
    load_supernode(NAME).unwrap_or_else(|problems| panic!("{problems}"))
}

fn workload() -> WorkloadSpec {
    load_workload("deepseek-r1-cloudmatrix").unwrap_or_else(|problems| panic!("{problems}"))
}

fn target() -> TargetSpec {
    load_target("doubao-2026-04").unwrap_or_else(|problems| panic!("{problems}"))
}

fn built(spec: &Spec) -> Fabric {
    fabric::build(spec).unwrap_or_else(|problems| panic!("{problems}"))
}

fn say(name: &str, answer: impl std::fmt::Debug) {
    let mut hasher = DefaultHasher::new();
    format!("{answer:?}").hash(&mut hasher);
    println!("{NAME}/{name}: answer {:016x}", hasher.finish());
}

fn stages(criterion: &mut Criterion) {
    let (spec, workload, target) = (spec(), workload(), target());
    let fabric = built(&spec);
    let network = Network::new(&fabric);
    let mut group = criterion.benchmark_group(NAME);
    group.bench_function("load", |bencher| bencher.iter(|| black_box(self::spec())));
    group.bench_function("build", |bencher| bencher.iter(|| black_box(built(&spec))));
    group.bench_function("route", |bencher| bencher.iter(|| black_box(Network::new(&fabric))));

    say("all_to_all", network.full_all_to_all(fabric.chips));
    group.bench_function("all_to_all_full", |bencher| bencher.iter(|| black_box(network.full_all_to_all(fabric.chips))));
    group.bench_function("all_to_all_collapsed", |bencher| bencher.iter(|| black_box(network.anew().all_to_all(fabric.chips))));
    let collective = Collective { op: Op::AllReduce, ranks: fabric.chips, bytes: Bytes::new(1e9) };
    say("collective", Pricing::new(&network, &spec.library).price(&collective, None));
    group.bench_function("collective", |bencher| {
        bencher.iter(|| black_box(Pricing::new(&network.anew(), &spec.library).price(&collective, None)));
    });

    let machine = Machine::new(&network, &spec.library, &spec.chip, &workload);
    let mapping = Mapping { ep: 320, dp: 320, ..Mapping::ONE };
    if let Some(phase) = &workload.workload.decode {
        say("step", decode_at(&machine, phase, mapping, 48, 2).latency());
        group.bench_function("step", |bencher| bencher.iter(|| black_box(decode_at(&machine, phase, mapping, 48, 2))));
    }
    // Mappings per second, each with the search of its largest batch: criterion's elements.
    let all = mappings(&workload.model, fabric.chips, spec.levels[0].size, fabric.chip.ranks);
    if let Some(phase) = &workload.workload.decode {
        say("mappings", search(&machine, Role::Decode(phase), &all, None, Described::Best).best().map(|found| found.rate));
        group.throughput(Throughput::Elements(all.len() as u64 * 2));
        group.bench_function("mappings", |bencher| bencher.iter(|| black_box(search(&machine, Role::Decode(phase), &all, None, Described::Best))));
        let batch = AttentionBatch { sequences: 48.0, new_tokens: 2.0, context: 4096.0, prefill: false };
        let shape = StepShape { mapping, batch, chunk: None, micro_batches: 1, sampled: 96.0, evenness: 1.0, drafts: 1 };
        group.throughput(Throughput::Elements(1));
        group.bench_function("price_one_mapping", |bencher| bencher.iter(|| black_box(step_time(&machine, &shape))));
    }
    say("simulate", simulate(&spec, &fabric, &workload, &target).verdict);
    group.sample_size(20);
    group.bench_function("simulate", |bencher| bencher.iter(|| black_box(simulate(&spec, &fabric, &workload, &target))));

    let reliability = load_reliability().unwrap_or_else(|problems| panic!("{problems}"));
    let patient = DegradedMachine::new(&spec, &network, &workload, &target);
    say("single_failures", single_failures(&patient, &reliability, true, Progress::SILENT));
    group.sample_size(10);
    group.bench_function("single_failures", |bencher| bencher.iter(|| black_box(single_failures(&patient, &reliability, true, Progress::SILENT))));
    let case = SensitivityCase { supernode: NAME.to_owned(), serves: Serves::default(), target: "doubao-2026-04".to_owned(), chip_of: None };
    say("sensitivity", sensitivity(&case, Progress::SILENT).map_or(0, |(_, gains)| gains.len()));
    group.bench_function("sensitivity", |bencher| bencher.iter(|| black_box(sensitivity(&case, Progress::SILENT).is_ok())));
    say("uncertainty_20_draws", uncertainty(&case, 20, 1, Progress::SILENT).map_or(0, |found| found.figures.len()));
    group.bench_function("uncertainty_20_draws", |bencher| bencher.iter(|| black_box(uncertainty(&case, 20, 1, Progress::SILENT).is_ok())));
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
