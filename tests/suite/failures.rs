//! What failures leave: by hand on small machines, with and without symmetry, and the same on any number of threads.

use std::collections::BTreeMap;

use crate::command::Project;
use supernode::fabric::{self, Fabric};
use supernode::footprint::{Damage, FailedPart, damaged, part_classes, part_named};
use supernode::input::spec::{Spec, load_reliability, load_supernode, load_target, load_workload};
use supernode::network::{Collective, Network, Op, Pricing};
use supernode::study::{DegradedMachine, Progress, chances, every_single_failure, single_failures};
use supernode::units::Bytes;

/// Four nodes of four chips in two planes, two spines a plane.
const SMALL: &str = r#"
schema = 1
[supernode]
name = "Four nodes"
vendor = "nobody"
chip = "ascend-910c"
library = "cann"
[[level]]
name = "node"
size = 4
link = "ub-board-x2"
links = 2
[level.switch]
part = "ub-l1"
planes = 2
[[level]]
name = "cluster"
size = 4
link = "ub-optical-x2"
[level.clos]
spine = "ub-l2"
spines_per_plane = 2
[supply]
conversion_efficiency = 0.94
cooling_share = 0.03
pue = 1.16
"#;

fn small(name: &str) -> (Spec, Fabric) {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    std::fs::write(&path, SMALL).unwrap();
    let spec = load_supernode(path.to_str().unwrap()).unwrap();
    let fabric = fabric::build(&spec).unwrap();
    (spec, fabric)
}

#[test]
fn symmetry_and_every_part_in_turn_agree() {
    let (spec, fabric) = small("exhaustive");
    let network = Network::new(&fabric);
    let (workload, target) = (load_workload("deepseek-r1-cloudmatrix").unwrap(), load_target("doubao-2026-04").unwrap());
    let patient = DegradedMachine::new(&spec, &network, &workload, &target);
    let (classes, class_of) = part_classes(&fabric);
    // Chips, two tiers of switches, two kinds of links.
    assert_eq!(classes.iter().map(|class| class.count).collect::<Vec<_>>(), [16, 8, 4, 16 * 2 * 2, 8 * 2]);
    let by_class: BTreeMap<FailedPart, _> = single_failures(&patient, &load_reliability().unwrap(), false, Progress::SILENT)
        .into_iter()
        .map(|single| (single.class.example, single.remaining))
        .collect();
    let every = every_single_failure(&patient);
    assert_eq!(every.len(), 16 + 8 + 4 + 64 + 16);
    for (part, remaining) in every {
        let expected = &by_class[&classes[class_of[&part]].example];
        assert_eq!(remaining.chips, expected.chips, "{part:?}");
        assert!((remaining.all_to_all / expected.all_to_all - 1.0).abs() < 1e-9, "{part:?}");
        assert!((remaining.tokens.get() - expected.tokens.get()).abs() <= 1e-9 * expected.tokens.get(), "{part:?}");
    }
}

#[test]
fn what_is_left_by_hand() {
    let (_, fabric) = small("by-hand");
    let left = |names: &[&str]| damaged(&fabric, &Damage::of(&names.iter().map(|name| part_named(&fabric, name).unwrap()).collect::<Vec<_>>()));
    assert_eq!(left(&["chip:3"]).chips, 15);
    // One of two planes is enough to reach everybody.
    assert_eq!(left(&["ub-l1:0"]).chips, 16);
    // The switches of node 0 are 0 and 1: without both its four chips are alone.
    assert_eq!(left(&["ub-l1:0", "ub-l1:1"]).chips, 12);
    // One of two parallel links, then both.
    assert_eq!(left(&["chip:0/ub-l1:0"]).link_count(), fabric.link_count() - 1);
    assert_eq!(left(&["chip:0/ub-l1:0", "chip:0/ub-l1:0"]).link_count(), fabric.link_count() - 2);
    assert!(part_named(&fabric, "ub-l1:8").unwrap_err().contains("8 of them"));
    assert!(part_named(&fabric, "chip:0/chip:1").unwrap_err().contains("no link joins"));
}

#[test]
fn chances_repeat_and_depend_on_the_seed_alone() {
    let (spec, fabric) = small("chances");
    let network = Network::new(&fabric);
    let (workload, target) = (load_workload("deepseek-r1-cloudmatrix").unwrap(), load_target("doubao-2026-04").unwrap());
    let patient = DegradedMachine::new(&spec, &network, &workload, &target);
    let reliability = load_reliability().unwrap();
    let with = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| chances(&patient, &reliability, 400, seed, 0.95, Progress::SILENT))
    };
    assert_eq!(with(1, 7), with(2, 7));
    assert_ne!(with(2, 7), with(2, 8));
}

#[test]
fn a_part_that_does_not_exist_is_named() {
    let project = Project::new("fail-input");
    project
        .run(&["fail", "cloudmatrix384", "--part", "ub-l3:0"])
        .fails("error: --part: `ub-l3` is not in this machine; it has chip, kunpeng-920, ub-l1, ub-l2\n");
    project.run(&["fail", "cloudmatrix384", "--switches", "449"]).fails("error: fail: 449 switches asked for, the machine has 448\n");
}

/// A torus, a grid of full meshes and rails of them keep their algorithms when they lose a chip: no fallback to one ring or to all pairs.
#[test]
fn one_lost_chip_leaves_most_of_an_all_reduce() {
    for (name, least) in [("trn2-ultraserver", 0.5), ("ub-mesh-1024", 0.6), ("atlas-950-1024", 0.6), ("mi300x-8", 0.8)] {
        let spec = load_supernode(name).unwrap();
        let whole = fabric::build(&spec).unwrap();
        let busbw = |fabric: &Fabric| -> f64 {
            let network = Network::new(fabric);
            let collective = Collective { op: Op::AllReduce, ranks: fabric.chips, bytes: Bytes::new(f64::from(1 << 30)) };
            let total = Pricing::new(&network, &spec.library).price(&collective, None).unwrap().total();
            (collective.bytes / total).get() * Op::AllReduce.bus_factor(fabric.chips)
        };
        let before = busbw(&whole);
        for chip in [0, 5] {
            let after = busbw(&damaged(&whole, &Damage::of(&[FailedPart::Node(chip)])));
            assert!(after / before > least, "{name} without chip {chip}: {after} of {before}");
        }
    }
}
