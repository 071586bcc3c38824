//! Predictions against the shipped measurements: no median worsens unnoticed, constants can be made again, and what was fitted on some
//! machines and sizes bounds the error on others.

use supernode::fabric::{Fabric, build};
use supernode::input::cases::{Case, load_cases, shipped_cases};
use supernode::input::spec::{Spec, load_supernode};
use supernode::network::Network;
use supernode::units::quantile;
use supernode::validation::calibrate::{Calibration, ConstantFamily, calibrate, outside};
use supernode::validation::{Bench, Comparison, FittedParts, exceeded, load_bounds, load_outside, quantities, scores, summaries, validate};

fn all_cases() -> Vec<Case> {
    shipped_cases().iter().flat_map(|name| load_cases(name).expect("shipped measurements are readable")).collect()
}

/// The settings of a quantity stand in the manual and nowhere else.
#[test]
fn every_quantity_has_a_row_in_the_manual() {
    let manual = include_str!("../../docs/validation.md");
    let first_cells: Vec<&str> = manual.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1)).collect();
    let lacks = |name: &str| !first_cells.iter().any(|cell| cell.contains(&format!("`{name}`")));
    let missing: Vec<&str> = quantities().map(|quantity| quantity.name).filter(|name| lacks(name)).collect();
    assert!(missing.is_empty(), "docs/validation.md has no row for {missing:?}");
}

fn machine(name: &str) -> (Spec, Fabric) {
    let spec = load_supernode(name).expect("shipped supernodes are readable");
    let fabric = build(&spec).expect("shipped supernodes can be built");
    (spec, fabric)
}

/// Fits a family on the measurements of `systems` that `keep` keeps.
fn fitted(family: &str, systems: &[&str], keep: impl Fn(&Case) -> bool) -> (Calibration, Spec) {
    let family = ConstantFamily::parse(family).expect("a family");
    let cases: Vec<Case> = all_cases().into_iter().filter(|case| keep(case)).collect();
    let built: Vec<(Spec, Fabric)> = systems.iter().map(|system| machine(system)).collect();
    let networks: Vec<Network<'_>> = built.iter().map(|(_, fabric)| Network::new(fabric)).collect();
    let machines: Vec<(&Spec, &Network<'_>)> = built.iter().map(|(spec, _)| spec).zip(&networks).collect();
    let mut parts = FittedParts::of(&built[0].0);
    let calibration = calibrate(&family, &machines, &cases, &mut parts).expect("enough measurements");
    let mut spec = built[0].0.clone();
    (spec.chip, spec.library) = (parts.chip, parts.library);
    (calibration, spec)
}

/// Median absolute error on `system` of the measurements that `family` covers and `keep` keeps, with the constants of `from`.
fn median_with(from: &Spec, family: &str, system: &str, keep: impl Fn(&Case) -> bool) -> f64 {
    let family = ConstantFamily::parse(family).expect("a family");
    let (spec, fabric) = machine(system);
    let network = Network::new(&fabric);
    let mut bench = Bench::new(&spec, &network);
    let (mut parts, mut from) = (FittedParts::of(&spec), FittedParts::of(from));
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

/// But for runs of many instances, which take minutes: `.ci/run` compares theirs.
#[test]
fn no_median_is_worse_than_committed() {
    let cases: Vec<Case> = all_cases().into_iter().filter(|case| !case.quantity.starts_with("disaggregated")).collect();
    let scores = scores(&validate(&cases));
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
    for family in ["gemm:bf16", "gemm:fp8", "mla:fp8", "gqa:fp8", "experts:fp8-block", "experts:w4a16"] {
        made_again(&fitted(family, &["hgx-h100"], |_| true).0);
    }
    for family in ["gemm:fp4", "experts:fp4", "experts-low-latency:fp4", "experts:w4a8"] {
        made_again(&fitted(family, &["gb200-nvl72"], |_| true).0);
    }
}

/// Watts of engines at work, dense steps and settled products together fix what no kind of them does alone: an engine's runs alone would have an
/// operation cost several times what a settled product can draw.
#[test]
fn shipped_watts_are_made_by_calibrate() {
    for systems in [&["hgx-h100", "hgx-h100-ib-64", "hgx-h100-ib-256"][..], &["hgx-b200", "hgx-b200-ib-256"]] {
        let (calibration, spec) = fitted("power", systems, |_| true);
        made_again(&calibration);
        assert!(calibration.median < 0.1, "{}: {}", spec.chip.name, calibration.median);
    }
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
    // What first tokens of DeepSeek wait for beside the passes is no constant of this engine.
    for held in calibration.hold_outs.iter().filter(|held| held.left_out.starts_with("all of hgx")) {
        assert!(held.median < 0.19, "{held:?}");
    }
}

/// Each measured chip and the nearest measured one, whose kernels predict it on its own peaks.
const RELATIVES: [(&str, &str); 7] = [
    ("hgx-a100", "hgx-h100"),
    ("hgx-h100", "hgx-h200"),
    ("hgx-h200", "hgx-h100"),
    ("hgx-b200", "gb200-nvl72"),
    ("gb200-nvl72", "hgx-b200"),
    ("l40s-8", "rtx-pro-6000-8"),
    ("rtx-pro-6000-8", "gb200-nvl72"),
];

/// A chip is predicted by its relative's kernels alone: the errors are those that the shipped table states, and medians keep to the bounds.
#[test]
fn each_chip_is_predicted_from_its_relative() {
    let stated = load_outside("outside").expect("the shipped table is readable");
    let cases: Vec<Case> = all_cases().into_iter().filter(|case| stated.get(&case.id).is_some_and(|errors| errors.relative.is_some())).collect();
    let mut wrong = Vec::new();
    for (system, relative) in RELATIVES {
        let (spec, fabric) = machine(system);
        let network = Network::new(&fabric);
        let mut parts = FittedParts::of(&spec);
        parts.chip.kernels = load_supernode(relative).expect("a shipped supernode").chip.kernels;
        let mut bench = Bench::new(&spec, &network);
        bench.replace(&parts);
        let own: Vec<&Case> = cases.iter().filter(|case| case.system == system).step_by(5).collect();
        assert!(own.len() > 20, "{system}: {} measurements", own.len());
        for (case, predicted) in own.iter().zip(bench.predict_all(&own)) {
            let error = predicted.expect("a prediction") / case.value.0 - 1.0;
            let stated = stated[&case.id].relative.expect("an error");
            if (error - stated).abs() > 0.006 + 0.01 * stated.abs() {
                wrong.push(format!("{}: stated {stated:.3}, found {error:.3}", case.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Medians of the errors from relatives and with groups left out, over all rows of a quantity.
#[test]
fn errors_outside_the_fit_keep_to_their_bounds() {
    let found = summaries(&validate(&kernel_cases()), &load_outside("outside").expect("the shipped table is readable"));
    let bounds = [
        ("gemm", 0.06, 0.07),
        ("mla_decode", 0.08, 0.1),
        ("mla_module", 0.04, 0.05),
        ("gqa_decode", 0.08, 0.11),
        ("gqa_prefill", 0.1, 0.12),
        ("dsa_module", 0.12, 0.3),
        ("dsa_prefill", 0.1, 0.1),
        ("delta_decode", 0.06, 0.1),
        ("delta_prefill", 0.08, 0.15),
        ("experts", 0.1, 0.1),
    ];
    for (quantity, left_out, relative) in bounds {
        let summary = found.iter().find(|summary| summary.quantity == quantity && summary.system.is_none()).expect("a summary");
        let medians = [summary.out_of_fit.median, summary.from_relative.median];
        assert!(medians[0] < left_out && medians[1] < relative, "{quantity}: {medians:?}");
    }
}

fn kernel_cases() -> Vec<Case> {
    let kernels =
        ["gemm", "mla_decode", "mla_module", "gqa_decode", "gqa_prefill", "dsa_module", "dsa_prefill", "delta_decode", "delta_prefill", "experts"];
    all_cases().into_iter().filter(|case| kernels.contains(&case.quantity.as_str())).collect()
}

/// A sample of the shipped table made again: fits that leave out one model of experts each, and one weight matrix each.
#[test]
fn errors_of_left_out_groups_are_made_again() {
    let stated = load_outside("outside").expect("the shipped table is readable");
    for (family, system, relative) in [("experts:fp8-block", "hgx-h200", "hgx-h100"), ("gemm:bf16", "l40s-8", "rtx-pro-6000-8")] {
        let relative = load_supernode(relative).expect("a shipped supernode");
        let (spec, fabric) = machine(system);
        let network = Network::new(&fabric);
        let family = ConstantFamily::parse(family).expect("a family");
        let again =
            outside(&family, &[(&spec, &network)], &all_cases(), &FittedParts::of(&spec), Some(&relative.chip.kernels)).expect("enough measurements");
        assert!(again.len() >= 50, "{} measurements", again.len());
        for (id, errors) in again {
            let (found, stated) = (errors.left_out.expect("an error"), stated[&id].left_out.expect("an error"));
            assert!((found - stated).abs() < 0.01 + 0.02 * stated.abs(), "{id}: stated {stated:.3}, found {found:.3}");
        }
    }
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
    let batches = ["batch=96;", "batch=112;"];
    let named = |case: &&Comparison| batches.iter().any(|batch| case.settings.contains(batch));
    let compared = validate(&cases);
    let found: Vec<_> = compared.iter().filter(named).filter(|case| case.quantity == "tpot" || case.quantity == "decode_rate").collect();
    assert_eq!(found.len(), 4);
    for case in found {
        assert!(case.error().expect("predicted").abs() < 0.06, "{case:?}");
    }
}

/// Paths in a file of measurements start from its folder, as those in TOML do.
#[test]
fn cases_name_files_beside_them() {
    let node = std::fs::read_to_string("topologies/hgx-h100.toml").unwrap();
    let cases =
        "id,system,quantity,settings,value,unit,source,confidence\nown,./m.toml,collective,op=all_reduce; bytes=1048576; ranks=8,30,us,me,measured\n";
    let project = crate::command::Project::new("cases-beside").folder("below").file("below/m.toml", &node).file("below/cases.csv", cases);
    let (_, text) = project.run(&["validate", "--cases", "below/cases.csv", "--format", "json"]).code_and_output();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(json["cases"][0]["predicted"].as_f64().is_some_and(|time| time > 0.0), "{json}");
}
