//! Predictions against the shipped measurements: no median worsens unnoticed, constants can be made again, and what was fitted on some
//! machines and sizes bounds the error on others.

use supernode::fabric::{Fabric, build};
use supernode::input::cases::{Case, load_cases, shipped_cases};
use supernode::input::spec::{Spec, load_supernode};
use supernode::network::Network;
use supernode::validation::calibrate::{Calibration, Family, calibrate};
use supernode::validation::{Bench, Parts, exceeded, load_bounds, quantile, scores, validate};

fn all_cases() -> Vec<Case> {
    shipped_cases().iter().flat_map(|name| load_cases(name).expect("shipped measurements are readable")).collect()
}

fn machine(name: &str) -> (Spec, Fabric) {
    let spec = load_supernode(name).expect("shipped supernodes are readable");
    let fabric = build(&spec).expect("shipped supernodes can be built");
    (spec, fabric)
}

/// Fits a family on the measurements of `systems` that `keep` keeps.
fn fitted(family: &str, systems: &[&str], keep: impl Fn(&Case) -> bool) -> (Calibration, Spec) {
    let family = Family::parse(family).expect("a family");
    let cases: Vec<Case> = all_cases().into_iter().filter(|case| keep(case)).collect();
    let built: Vec<(Spec, Fabric)> = systems.iter().map(|system| machine(system)).collect();
    let networks: Vec<Network<'_>> = built.iter().map(|(_, fabric)| Network::new(fabric)).collect();
    let machines: Vec<(&Spec, &Network<'_>)> = built.iter().map(|(spec, _)| spec).zip(&networks).collect();
    let mut parts = Parts::of(&built[0].0);
    let calibration = calibrate(&family, &machines, &cases, &mut parts).expect("enough measurements");
    let mut spec = built[0].0.clone();
    (spec.chip, spec.library) = (parts.chip, parts.library);
    (calibration, spec)
}

/// Median absolute error on `system` of the measurements that `family` covers and `keep` keeps, with the constants of `from`.
fn median_with(from: &Spec, family: &str, system: &str, keep: impl Fn(&Case) -> bool) -> f64 {
    let family = Family::parse(family).expect("a family");
    let (spec, fabric) = machine(system);
    let network = Network::new(&fabric);
    let mut bench = Bench::new(&spec, &network);
    let (mut parts, mut from) = (Parts::of(&spec), Parts::of(from));
    let known = family.constants(&mut from).expect("constants");
    for (to, from) in family.constants(&mut parts).expect("constants").into_iter().zip(known) {
        assert_eq!(to.name, from.name);
        to.figure.set(from.figure.get());
    }
    bench.replace(&parts);
    let cases: Vec<Case> = all_cases().into_iter().filter(|case| case.system == system && family.covers(case) && keep(case)).collect();
    let predicted = bench.predict_all(&cases.iter().collect::<Vec<_>>());
    let mut errors: Vec<f64> =
        cases.iter().zip(predicted).filter_map(|(case, predicted)| Some((predicted.ok()? / case.value.0 - 1.0).abs())).collect();
    errors.sort_by(f64::total_cmp);
    assert!(errors.len() >= 10, "{} measurements", errors.len());
    quantile(&errors, 0.5)
}

fn ranks(case: &Case) -> u32 {
    case.settings.count("ranks").unwrap_or(0)
}

/// A limit has no median to guard: each must hold.
#[test]
fn published_limits_hold() {
    let limits: Vec<Case> = all_cases().into_iter().filter(|case| case.value.0 <= 0.0 && case.value.1.is_some()).collect();
    let broken: Vec<String> = validate(&limits).into_iter().filter(|found| found.error() != Some(0.0)).map(|found| found.id).collect();
    assert!(limits.len() >= 4 && broken.is_empty(), "{broken:?}");
}

#[test]
fn no_median_is_worse_than_committed() {
    let scores = scores(&validate(&all_cases()));
    let bounds = load_bounds("medians").expect("shipped medians are readable");
    assert!(bounds.len() > 40);
    let worse = exceeded(&scores, &bounds);
    assert!(worse.is_empty(), "{worse:?}");
}

#[test]
fn predictions_do_not_depend_on_the_number_of_threads() {
    let cases = load_cases("cloudmatrix384").expect("shipped measurements are readable");
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| validate(&cases))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn shipped_constants_are_made_by_calibrate() {
    made_again(&fitted("collectives", &["hgx-h100", "hgx-h200"], |_| true).0);
    made_again(&fitted("collectives:nccl-2.18-nvlink4", &["hgx-h100"], |_| true).0);
    made_again(&fitted("tokens:rdma-dispatch", &["hgx-h100-ib-64"], |_| true).0);
}

/// Before a two-sided dispatch next to nothing crosses the wire, so its share of the wire and the pass over the tokens only count together:
/// the one is held where it starts, the other is found.
#[test]
fn what_measurements_do_not_tell_stays_as_it_is() {
    let (calibration, _) = fitted("tokens:two-sided-prepare", &["gb200-nvl72"], |_| true);
    made_again(&calibration);
    let told: Vec<(&str, bool)> = calibration.constants.iter().map(|constant| (constant.name, constant.relative_error < 0.1)).collect();
    assert_eq!(told, [("base", true), ("fan_out", true), ("efficiency", false), ("local_copies", true)]);
    assert_eq!(calibration.constants[2].value, calibration.constants[2].before);
}

fn made_again(calibration: &Calibration) {
    for constant in &calibration.constants {
        let change = constant.value / constant.before - 1.0;
        assert!(change.abs() < 0.02, "{}: shipped {}, fitted {}", constant.name, constant.before, constant.value);
    }
}

#[test]
fn an_engine_fitted_on_one_machine_predicts_another() {
    let (calibration, _) = fitted("engine:trtllm", &["hgx-b200", "hgx-h200"], |_| true);
    made_again(&calibration);
    for held in calibration.hold_outs.iter().filter(|held| held.left_out.starts_with("all of hgx")) {
        assert!(held.median < 0.15, "{held:?}");
    }
}

#[test]
fn kernels_fitted_on_one_chip_predict_the_next() {
    // Only datasheet figures change from chip to chip.
    let table = [
        ("gemm:bf16", "hgx-h100", "hgx-h200", 0.07),
        ("gemm:bf16", "hgx-h100", "hgx-b200", 0.23),
        ("gemm:fp8", "hgx-h100", "hgx-b200", 0.12),
        ("gemm:fp8-block", "hgx-b200", "gb200-nvl72", 0.07),
        ("mla:fp8", "hgx-b200", "gb200-nvl72", 0.09),
        ("experts:fp8-block", "hgx-h100", "hgx-b200", 0.14),
    ];
    let mut beyond = Vec::new();
    for (family, from, to, bound) in table {
        let (_, spec) = fitted(family, &[from], |_| true);
        let median = median_with(&spec, family, to, |_| true);
        if median > bound {
            beyond.push(format!("{family} from {from} to {to}: {median:.3}"));
        }
    }
    assert!(beyond.is_empty(), "{beyond:?}");
}

#[test]
fn few_ranks_predict_many() {
    let (_, spec) = fitted("tokens:dispatch", &["gb200-nvl72"], |case| [8, 32].contains(&ranks(case)));
    let median = median_with(&spec, "tokens:dispatch", "gb200-nvl72", |case| ranks(case) == 64);
    assert!(median < 0.08, "{median:.3}");
    let (_, spec) = fitted("collectives", &["hgx-h100"], |case| ranks(case) < 8);
    let median = median_with(&spec, "collectives", "hgx-h200", |case| ranks(case) == 8);
    assert!(median < 0.14, "{median:.3}");
}

/// Fitted on 16 and 64 H100, tested on 32, 64 and 256 H800: other machines, and four times as many ranks.
#[test]
fn kernels_between_hosts_predict_more_hosts() {
    let cases = load_cases("published").expect("shipped measurements are readable");
    let found = validate(&cases);
    let exchanges = found.iter().filter(|case| case.system == "hgx-h800-ib-256" && case.quantity == "exchange");
    let errors: Vec<f64> = exchanges.filter_map(|case| Some(case.error()?.abs())).collect();
    assert_eq!(errors.len(), 6);
    assert!(errors.iter().all(|error| *error < 0.09), "{errors:?}");
}

/// CloudMatrix384's kernels: the time is base + fan_out log2(EP) + what the wire takes. The two constants that meet EP 8 and 32 exactly
/// move the prediction by what is missing there, d8 and d32, on a line in log2(EP) = 3, 5: at EP 128, 7, by 2 d32 - d8.
#[test]
fn groups_of_8_and_32_predict_128() {
    let cases = load_cases("cloudmatrix384").expect("shipped measurements are readable");
    let found = validate(&cases);
    let missing = |id: &str| {
        let case = found.iter().find(|case| case.id == id).expect("a case");
        (case.predicted.clone().expect("predicted"), case.measured.0)
    };
    for (kernel, ids) in [("dispatch", ["CM-020", "CM-028", "CM-036"]), ("combine", ["CM-044", "CM-052", "CM-060"])] {
        let [(p8, m8), (p32, m32), (p128, m128)] = ids.map(missing);
        let moved = p128 + 2.0 * (m32 - p32) - (m8 - p8);
        assert!((moved / m128 - 1.0).abs() < 0.07, "{kernel}: {moved} for {m128}");
    }
}

#[test]
fn wire_shares_of_one_link_generation_predict_the_next() {
    // Launch and hop follow the host and have to be measured on it; ramp and shares of the wire carry over from H100 to B200.
    let (_, hopper) = fitted("collectives", &["hgx-h100", "hgx-h200"], |_| true);
    let (mut blackwell, _) = machine("hgx-b200");
    let (launch, round) = (blackwell.library.launch.clone(), blackwell.library.round.clone());
    blackwell.library = hopper.library;
    (blackwell.library.launch, blackwell.library.round) = (launch, round);
    let median = median_with(&blackwell, "collectives", "hgx-b200", |_| true);
    assert!(median < 0.12, "{median:.3}");
}

#[test]
fn one_batch_predicts_another() {
    // 96 and 112 requests a package on CloudMatrix384: nothing is fitted to either.
    let cases = load_cases("cloudmatrix384").expect("shipped measurements are readable");
    for case in validate(&cases).iter().filter(|case| case.quantity == "tpot" || case.quantity == "decode_rate") {
        assert!(case.error().expect("predicted").abs() < 0.06, "{case:?}");
    }
}
