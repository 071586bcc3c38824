//! The search finds the batch with the highest rate: a scan of all batches judges it.

use supernode::execution::{Machine, mappings_for};
use supernode::fabric::build;
use supernode::input::catalog::shipped_in;
use supernode::input::spec::{load_supernode, load_workload};
use supernode::network::Network;
use supernode::serving::{Described, PhasePoint, Role, decode_at, search};

/// Machines small enough for a scan.
const MOST_CHIPS: u32 = 72;
/// Batches of a scan.
const MOST_BATCHES: u32 = 1500;
/// A better part may lose this share at most.
const TOLERANCE: f64 = 1e-3;

/// Every small machine with every workload that states a decode phase: of the best mapping no batch within the limit makes more.
fn scan(workloads: &[String], machines: impl Fn(&str) -> bool) -> (u32, Vec<String>) {
    let (mut scanned, mut worse) = (0, Vec::new());
    for name in shipped_in("topologies") {
        let spec = load_supernode(&name).unwrap();
        let Ok(fabric) = build(&spec) else { continue };
        if fabric.chips > MOST_CHIPS || !machines(&name) {
            continue;
        }
        let network = Network::new(&fabric);
        for id in workloads {
            let Ok(workload) = load_workload(id) else { continue };
            let workload = workload.on(&spec.chip);
            let Some(phase) = &workload.workload.decode else { continue };
            let machine = Machine::new(&network, &spec.library, &spec.chip, &workload);
            let candidates = mappings_for(&workload, fabric.chips, spec.levels[0].size, fabric.chip.ranks);
            let Ok(best) = search(&machine, Role::Decode(phase), &candidates, None, Described::Best).best() else { continue };
            let (mapping, parts) = (best.point.mapping, best.point.micro_batches);
            let within = |sequences: u32| {
                let point = decode_at(&machine, phase, mapping, sequences, parts);
                point.tpot.is_some_and(|tpot| tpot <= phase.tpot_limit.value).then_some(point.rate)
            };
            // Where memory ends the batch, its limit is not known here: no further than what was found.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number")]
            let found = (best.point.batch as u32 / parts).min(MOST_BATCHES);
            let most = if best.point.fills_memory { found } else { MOST_BATCHES };
            let highest = (1..=most).filter_map(|number| within(number * parts)).map(supernode::units::TokensPerSecond::get).fold(0.0, f64::max);
            scanned += 1;
            if highest > best.point.rate.get() * (1.0 + TOLERANCE) {
                worse.push(format!("{name}, {id}, {mapping}: {} against {highest}", best.point.rate.get()));
            }
        }
    }
    (scanned, worse)
}

#[test]
fn no_batch_of_the_best_mapping_makes_more() {
    let (scanned, worse) = scan(&["llama-3.1-70b-fp8".to_owned(), "gpt-oss-120b-w4a8".to_owned()], |name| {
        matches!(name, "inspur-sd200" | "hgx-a100" | "hgx-h200" | "mi300x-8")
    });
    assert!(scanned >= 4, "{scanned}");
    assert!(worse.is_empty(), "{worse:#?}");
}

/// Several minutes: the whole catalog.
#[test]
#[ignore = "takes minutes"]
fn no_batch_of_any_best_mapping_makes_more() {
    let (scanned, worse) = scan(&shipped_in("workloads"), |_| true);
    println!("{scanned} pairs of machine and workload scanned, {} worse", worse.len());
    assert!(worse.is_empty(), "{worse:#?}");
}

/// Leaving mappings early finds the same point as pricing all of them, for every role.
#[test]
fn one_point_is_the_first_of_all_points() {
    let mut compared = 0;
    for name in ["cloudmatrix384", "gb200-nvl72", "inspur-sd200", "mi300x-8"] {
        let spec = load_supernode(name).unwrap();
        let fabric = build(&spec).unwrap();
        let network = Network::new(&fabric);
        for id in ["deepseek-r1-fp8", "gpt-oss-120b-w4a8", "chat"] {
            let workload = load_workload(id).unwrap().on(&spec.chip);
            let machine = Machine::new(&network, &spec.library, &spec.chip, &workload);
            let candidates = mappings_for(&workload, fabric.chips, spec.levels[0].size, fabric.chip.ranks);
            let of = &workload.workload;
            let roles = [of.decode.as_ref().map(Role::Decode), of.prefill.as_ref().map(Role::Prefill), of.request.as_ref().map(Role::Aggregated)];
            for role in roles.into_iter().flatten() {
                let told = |phase: PhasePoint| (phase.point.mapping, phase.point.batch, phase.rate.get(), phase.tried);
                let best = |which| search(&machine, role, &candidates, None, which).best().ok().map(told);
                let all = best(Described::Best);
                compared += u32::from(all.is_some());
                // Begun with the best mapping, with any other, or with none.
                let guesses = [all.map(|(mapping, ..)| mapping), candidates.last().copied(), None];
                for likely in guesses {
                    assert_eq!(best(Described::One { likely }), all, "{name}, {id}, begun with {likely:?}");
                }
            }
        }
    }
    assert!(compared >= 20, "{compared}");
}
