//! Over the catalog: what must not change an answer, and what must change it in a known way. `sane.rs` has better parts, `best_batch.rs` the search
//! against brute force, `determinism.rs` threads, `closed_forms.rs` a ring spelt out link by link.

use supernode::fabric::{Fabric, build};
use supernode::footprint::{FailedPart, all_parts};
use supernode::input::catalog::{FoundText, shipped_in};
use supernode::input::file_cache::FileReader;
use supernode::input::spec::{Spec, load_supernode, load_target, load_workload, supernode_of, supernode_text};
use supernode::network::{Collective, LONG_MESSAGE, Network, Op, Pricing};
use supernode::study::{DegradedMachine, Progress, SensitivityCase, Serves, sensitivity};
use supernode::units::Bytes;

use crate::fuzz::oracle;

const SIZES: [f64; 4] = [512.0, 65_536.0, 1e7, 4e9];

/// Machines of at most so many chips.
fn machines(most: u32) -> Vec<(Spec, Fabric)> {
    let specs = shipped_in("topologies").into_iter().map(|name| load_supernode(&name).unwrap());
    specs.filter(|spec| spec.chips() <= most).map(|spec| build(&spec).map(|fabric| (spec, fabric)).unwrap()).collect()
}

/// Times of collectives over all chips, to the bit.
fn times(spec: &Spec) -> Vec<u64> {
    let fabric = build(spec).unwrap();
    let network = Network::new(&fabric);
    let mut pricing = Pricing::new(&network, &spec.library);
    let asked = Op::ALL.into_iter().flat_map(|(op, _)| SIZES.map(|bytes| Collective { op, ranks: fabric.chips, bytes: Bytes::new(bytes) }));
    asked.filter_map(|collective| Some(pricing.price(&collective, None).ok()?.total().get().to_bits())).collect()
}

fn promises_hold(most: u32) {
    let machines = machines(most);
    assert!(machines.len() >= 15, "{}", machines.len());
    machines.iter().for_each(|(spec, fabric)| oracle::network(spec, fabric));
}

/// Sums, lower bounds, ports, latencies, and times that grow with the size.
#[test]
fn every_small_machine_keeps_the_promises_of_the_oracle() {
    promises_hold(72);
}

#[test]
#[ignore = "takes a minute"]
fn every_machine_keeps_the_promises_of_the_oracle() {
    promises_hold(u32::MAX);
}

#[test]
fn names_and_their_order_change_nothing() {
    for (spec, _) in machines(72) {
        let text = supernode_text(&spec.id).unwrap();
        let mut renamed = spec.clone();
        renamed.name = "another".to_owned();
        renamed.vendor = "another".to_owned();
        renamed.levels.iter_mut().enumerate().for_each(|(number, level)| level.name = format!("another {number}"));
        assert_eq!(times(&renamed), times(&spec), "{}", spec.id);
        // Keys of the first table from the last to the first; tables of their own follow a blank line.
        let reordered = text.split("\n\n").map(reversed_keys).collect::<Vec<_>>().join("\n\n");
        if let Ok(other) = supernode_of(&FileReader::default(), FoundText::in_memory("reordered", &reordered), "reordered") {
            assert_eq!(times(&other), times(&spec), "{}", spec.id);
        }
    }
}

/// A block of lines with the keys of its table from the last to the first, where it is one table of whole lines.
fn reversed_keys(block: &str) -> String {
    let lines: Vec<&str> = block.lines().collect();
    let Some((head, keys)) = lines.split_first().filter(|(head, keys)| {
        head.starts_with('[')
            && keys
                .iter()
                .all(|line| line.contains(" = ") && !line.starts_with(['[', ' ', '#']) && line.matches('[').count() == line.matches(']').count())
    }) else {
        return block.to_owned();
    };
    std::iter::once(*head).chain(keys.iter().rev().copied()).collect::<Vec<_>>().join("\n")
}

#[test]
fn doubled_rates_halve_the_time_on_the_wire() {
    for (spec, fabric) in machines(72) {
        let wire = |fabric: &Fabric| {
            let network = Network::new(fabric);
            network.all_to_all(fabric.chips).serialisation(fabric, Bytes::new(1e9), LONG_MESSAGE).0.get()
        };
        let before = wire(&fabric);
        let mut doubled = spec.clone();
        for level in &mut doubled.levels {
            level.link.link.lane_rate.value = level.link.link.lane_rate.value * 2.0;
            if let Some(nic) = &mut level.nic {
                nic.link.link.lane_rate.value = nic.link.link.lane_rate.value * 2.0;
            }
            for attach in &mut level.attach {
                attach.cable.link.link.lane_rate.value = attach.cable.link.link.lane_rate.value * 2.0;
            }
        }
        let after = wire(&build(&doubled).unwrap());
        assert!((after * 2.0 - before).abs() <= 1e-9 * before, "{}: {before} s, {after} s at twice the rate", spec.id);
    }
}

/// A full mesh and a torus, drawn by their patterns and spelt out link by link.
#[test]
fn a_graph_link_by_link_is_the_pattern_that_it_spells_out() {
    let machine = |size: u32, level: &str| {
        let head = "schema = 1\nsupernode = { name = \"m\", vendor = \"me\", chip = \"ascend-910c\", library = \"generic\" }\nsupply = { conversion_efficiency = 0.95, cooling_share = 0.03, pue = 1.16 }\n";
        let text = format!("{head}[[level]]\nname = \"all\"\nsize = {size}\nlink = \"ub-board-x2\"\n{level}");
        supernode_of(&FileReader::default(), FoundText::in_memory("m", &text), "m").unwrap_or_else(|problems| panic!("{problems}"))
    };
    let spelt =
        |pairs: Vec<(u32, u32)>| pairs.into_iter().map(|(a, b)| format!("[[level.custom.link]]\nends = [\"{a}\", \"{b}\"]\n")).collect::<String>();
    let mesh = (0..4).flat_map(|a| (a + 1..4).map(move |b| (a, b))).collect();
    let torus = (0..4).flat_map(|y| (0..3).flat_map(move |x| [(3 * y + x, 3 * y + (x + 1) % 3), (3 * y + x, 3 * ((y + 1) % 4) + x)])).collect();
    for (size, pattern, links) in [(4, "[level.full-mesh]\n", mesh), (12, "[level.torus]\ndimensions = [3, 4]\n", torus)] {
        let (drawn, custom) = (machine(size, pattern), machine(size, &spelt(links)));
        let (drawn_fabric, custom_fabric) = (build(&drawn).unwrap(), build(&custom).unwrap());
        let (drawn_network, custom_network) = (Network::new(&drawn_fabric), Network::new(&custom_fabric));
        let (mut a, mut b) = (Pricing::new(&drawn_network, &drawn.library), Pricing::new(&custom_network, &custom.library));
        for bytes in SIZES {
            let collective = Collective { op: Op::AllToAll, ranks: size, bytes: Bytes::new(bytes) };
            let [a, b] = [&mut a, &mut b].map(|pricing| pricing.price(&collective, None).unwrap().total().get());
            assert!((a - b).abs() <= 1e-9 * a, "{pattern}, {bytes} B: {a} s and {b} s");
        }
    }
}

/// Each part of a machine gone: what is left is never more than there was.
#[test]
fn failures_never_speed_anything_up() {
    let target = load_target("doubao-2026-04").unwrap();
    for name in ["hgx-h100", "mi300x-8", "inspur-sd200"] {
        let (spec, workload) = (load_supernode(name).unwrap(), load_workload("gpt-oss-120b-mxfp4").unwrap());
        let fabric = build(&spec).unwrap();
        let network = Network::new(&fabric);
        let degraded = DegradedMachine::new(&spec, &network, &workload, &target);
        let sound = degraded.sound();
        let parts: Vec<FailedPart> = all_parts(&fabric);
        for part in parts.iter().step_by(1 + parts.len() / 12) {
            let left = degraded.after(&supernode::footprint::Damage::of(&[*part]), true);
            assert!(left.chips <= sound.chips, "{name}, {part:?}");
            let most = 1.0 + 1e-9;
            assert!(left.tokens.get() <= sound.tokens.get() * most, "{name}, {part:?}: {:?} of {:?}", left.tokens, sound.tokens);
            // Of fewer chips each can send more to the others that are left: what all of them send together cannot grow.
            let together = |remaining: &supernode::study::Remaining| remaining.all_to_all.get() * f64::from(remaining.chips);
            assert!(together(&left) <= together(&sound) * most, "{name}, {part:?}: {left:?} of {sound:?}");
        }
    }
}

/// A better part loses nothing: `docs` of `sensitivity` promise 0.1 % at most.
fn better_parts_lose(names: &[String], workloads: &[&str]) -> Vec<String> {
    let mut lost = Vec::new();
    for name in names {
        for workload in workloads {
            let case = SensitivityCase { supernode: name.clone(), serves: Serves::named(workload), target: "doubao-2026-04".into(), chip_of: None };
            let Ok((_, gains)) = sensitivity(&case, Progress::SILENT) else { continue };
            let losses = gains.iter().filter(|gain| gain.change.contains('%') && gain.tokens.is_some_and(|gain| gain < -1e-3));
            lost.extend(losses.map(|gain| format!("{name}, {workload}: {} {} loses {:?}", gain.name, gain.change, gain.tokens)));
        }
    }
    lost
}

#[test]
fn better_parts_lose_nothing_in_sensitivity() {
    let lost = better_parts_lose(&["inspur-sd200".to_owned()], &["gpt-oss-120b-w4a8"]);
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
#[ignore = "takes an hour"]
fn better_parts_of_any_machine_lose_nothing_in_sensitivity() {
    let lost = better_parts_lose(&shipped_in("topologies"), &["gpt-oss-120b-w4a8", "llama-3.1-70b-fp8", "deepseek-r1-fp8"]);
    assert!(lost.is_empty(), "{lost:#?}");
}
