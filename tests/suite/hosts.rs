//! Transfers between hosts and racks: rails of uneven groups, an all-to-all's steps, kernels across trays, hashed uplinks; and what no part,
//! no numbering and no choice may do.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use crate::machines::fabric;
use supernode::fabric::{fullest_over_mean, payload_rate};
use supernode::footprint::{Damage, FailedPart, damaged, part_classes};
use supernode::input::catalog::shipped_in;
use supernode::input::spec::{PatternSpec, Spec, load_supernode};
use supernode::network::{Algorithm, Collective, Engines, Network, Op, Placement, Pricing, Timing, TrafficPattern};
use supernode::units::{Bytes, Seconds};

fn priced(spec: &Spec, op: Op, ranks: u32, bytes: f64) -> Timing {
    let fabric = fabric(spec);
    let network = Network::new(&fabric);
    Pricing::new(&network, &spec.library).price(&Collective { op, ranks, bytes: Bytes::new(bytes) }, None).unwrap()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{what}: {found:e} is not {expected:e}");
}

/// 128 ranks in two racks of 64 make 16 groups of eight, of which eight are a rank's own rack: 15 of 16 steps wait for pairs across, eight
/// would do. And one of the two ports of a card carries them. The wire's part of the time is 2 x 15 / 8 of what all ports at once need.
#[test]
fn an_all_to_all_over_racks_uses_one_port_and_waits_for_the_farthest() {
    let mut spec = load_supernode("gb300-64-ib-128").unwrap();
    let wire = |spec: &Spec| {
        let timing = priced(spec, Op::AllToAll, 128, 1e12);
        timing.serialisation + timing.waiting
    };
    let both = wire(&spec);
    let across = spec.library.across_hosts.as_mut().unwrap();
    (across.all_to_all_ports, across.all_to_all_group) = (None, None);
    // The copy of a rank's own part inside the chip takes under a thousandth.
    let ratio = both / wire(&spec);
    assert!((ratio / (2.0 * 15.0 / 8.0) - 1.0).abs() < 1e-3, "one port and steps over all ports at once: {ratio}");
}

/// Hosts of eight are one group each: no step mixes pairs inside and across, and a card has one port.
#[test]
fn hosts_of_eight_lose_nothing_to_steps() {
    let mut spec = load_supernode("hgx-h100-ib-64").unwrap();
    let before = priced(&spec, Op::AllToAll, 64, 1e9).total();
    let across = spec.library.across_hosts.as_mut().unwrap();
    (across.all_to_all_ports, across.all_to_all_group) = (None, None);
    assert_eq!(priced(&spec, Op::AllToAll, 64, 1e9).total(), before);
}

/// An all-gather over h hosts of eight goes h - 1 steps over cards and 7 h inside; each waits for its own time once messages are long.
#[test]
fn steps_of_a_ring_wait_in_long_messages() {
    let mut spec = load_supernode("hgx-h100-ib-256").unwrap();
    let waits = |spec: &Spec| priced(spec, Op::AllGather, 256, 4e9).synchronisation;
    let long = waits(&spec);
    let across = spec.library.across_hosts.as_mut().unwrap();
    let steps = [across.ring_step.take().unwrap().value, across.ring_step_inside.take().unwrap().value];
    let rounds = [across.round.value, spec.library.round.value];
    let expected = (steps[0] - rounds[0]) * 31.0 + (steps[1] - rounds[1]) * 224.0;
    assert_close((long - waits(&spec)).get(), expected.get(), "31 steps over cards and 224 inside");
}

/// Across trays an engine's kernel moves S (n - 1) / n + S through a port of 900 GB/s payload at its share, after both shots' starts.
#[test]
fn kernels_across_trays_let_the_switch_copy() {
    let spec = load_supernode("gb200-nvl72").unwrap();
    let fabric = fabric(&spec);
    let network = Network::new(&fabric);
    let mut pricing = Pricing::new(&network, &spec.library);
    let kernel = spec.library.multicast_all_reduce.as_ref().unwrap();
    let collective = Collective { op: Op::AllReduce, ranks: 8, bytes: Bytes::new(64e6) };
    let timing = pricing.price_in_graph(&collective, Some(Algorithm::EngineKernel), Engines::Named("vllm")).unwrap();
    let port: f64 = payload_rate(&fabric.links[0], Bytes::new(8e6)).get() * 18.0;
    let moved = 64e6 * (2.0 - 1.0 / 8.0) / port / kernel.efficiency.value.get();
    let expected = kernel.launch.value + kernel.second_shot.value + Seconds::new(moved);
    assert_close(timing.total().get(), expected.get(), "two shots of 64 MB among eight");
    // The registered buffers of the library itself add up in the switch: more to start, less to move.
    let library = pricing.price_in_graph(&collective, Some(Algorithm::EngineKernel), Engines::None).unwrap();
    assert!(library.total() != timing.total());
}

/// Inside a tray the same engine's own kernel runs, whatever the kernels across trays take.
#[test]
fn kernels_inside_a_tray_are_the_engines_own() {
    let mut spec = load_supernode("gb200-nvl72").unwrap();
    let inside = |spec: &Spec| {
        let fabric = fabric(spec);
        let network = Network::new(&fabric);
        let collective = Collective { op: Op::AllReduce, ranks: 4, bytes: Bytes::new(65_536.0) };
        Pricing::new(&network, &spec.library).price_in_graph(&collective, None, Engines::Named("sglang")).unwrap().total()
    };
    let before = inside(&spec);
    spec.library.multicast_all_reduce.as_mut().unwrap().launch.value = Seconds::ZERO;
    assert_eq!(inside(&spec), before);
}

/// Eight flows on 32 links, and 32 on 32: simulated in public at 60.1 and 28.3 % of an even spread. One link cannot be missed.
#[test]
fn hashed_flows_collide_as_simulated() {
    for (flows, links, share) in [(8.0, 32.0, 0.601), (32.0, 32.0, 0.283)] {
        // Of eight flows on 32 links an even spread puts one on a link, four times the mean.
        let even = f64::max(1.0, flows / links);
        let found = even / (fullest_over_mean(flows, links) * flows / links);
        assert!((found / share - 1.0).abs() < 0.015, "{flows} on {links}: {found}");
    }
    assert_eq!(fullest_over_mean(100.0, 1.0), 1.0);
    let many = fullest_over_mean(64.0 * 1024.0, 64.0);
    assert!((1.0..1.1).contains(&many), "1024 flows a link even out: {many}");
}

/// A level that hashes slows what crosses its uplinks, by the factor of its flows, and nothing below.
#[test]
fn hashed_uplinks_slow_what_crosses_them() {
    let mut spec = load_supernode("hgx-h100-ib-64").unwrap();
    let times = |spec: &Spec| {
        let fabric = fabric(spec);
        let network = Network::new(&fabric);
        let time = |group: Vec<u32>, pattern| {
            let profile = network.play(&supernode::network::Group::of(group), pattern);
            profile.serialisation(&fabric, Bytes::new(1e9), Bytes::new(1e9)).0
        };
        // All chips of one rail talk under their leaf; two rails of two hosts go over spines.
        (time((0..8).map(|host| host * 8).collect(), TrafficPattern::AllPairs), time((0..64).collect(), TrafficPattern::AllPairs))
    };
    let (below, over) = times(&spec);
    spec.levels[1].queue_pairs = Some(4);
    let (still, slower) = times(&spec);
    assert_eq!(still, below);
    // Eight ports with four queue pairs each, on eight uplinks. Of the 56 chips in other hosts 49 are on other rails: before, the ports were
    // the narrowest, and the uplinks as wide carried seven eighths.
    assert_close(slower / over, fullest_over_mean(32.0, 8.0) * 7.0 / 8.0, "over the spines");
}

/// Without one chip of 64 the others' rings and trees run on seven rails: an eighth less, not five sixths.
#[test]
fn a_lost_chip_costs_its_rail() {
    for name in ["hgx-h100-ib-64", "mi300x-roce-16", "panjiu-al128"] {
        let spec = load_supernode(name).unwrap();
        let fabric = fabric(&spec);
        let rate = |fabric: &supernode::fabric::Fabric| {
            let network = Network::new(fabric);
            let collective = Collective { op: Op::AllReduce, ranks: fabric.chips, bytes: Bytes::new(1e9) };
            Pricing::new(&network, &spec.library).price(&collective, None).unwrap().bus_bandwidth(&collective).get()
        };
        let left = rate(&damaged(&fabric, &Damage::of(&[FailedPart::Node(3)]))) / rate(&fabric);
        assert!((0.7..=1.0).contains(&left), "{name} keeps {left}");
    }
}

/// Ranks in any order fill the same hosts: a group listed backwards costs what it does in order where hosts are alike.
#[test]
fn the_order_of_ranks_changes_nothing_between_hosts() {
    let spec = load_supernode("hgx-h100-ib-64").unwrap();
    let fabric = fabric(&spec);
    let network = Network::new(&fabric);
    let time = |chips: Vec<u32>, op| {
        let collective = Collective { op, ranks: 32, bytes: Bytes::new(1e8) };
        Pricing::placed(&network, &spec.library, Placement::Explicit(chips)).price(&collective, None).unwrap().total().get()
    };
    for op in [Op::AllReduce, Op::AllGather, Op::AllToAll] {
        let ordered = time((0..32).collect(), op);
        assert_close(time((0..32).rev().collect(), op), ordered, op.name());
        assert_close(time((0..32).map(|rank| rank % 4 * 8 + rank / 4).collect(), op), ordered, op.name());
    }
}

/// A torus of 2 x 8 is one of 8 x 2.
#[test]
fn the_order_of_dimensions_changes_nothing() {
    let with = |dimensions: &str| {
        let text = std::fs::read_to_string("topologies/trn2-ultraserver.toml").unwrap();
        let folder = std::env::temp_dir().join(format!("supernode-torus-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("torus-{}.toml", dimensions.replace(", ", "-")));
        std::fs::write(&path, text.replace("dimensions = [4, 4]", &format!("dimensions = [{dimensions}]"))).unwrap();
        load_supernode(path.to_str().unwrap()).unwrap()
    };
    let (wide, tall) = (with("2, 8"), with("8, 2"));
    assert!(matches!(&wide.levels[0].pattern, PatternSpec::Torus { dimensions, .. } if dimensions == &[2, 8]));
    for (op, name) in Op::ALL {
        for ranks in [4, 16, 64] {
            assert_eq!(priced(&wide, op, ranks, 1e8).total(), priced(&tall, op, ranks, 1e8).total(), "{name} of {ranks}");
        }
    }
}

/// Machines small enough to price every op of.
const MOST_CHIPS: u32 = 300;

/// Over the catalog: no time is below its bound, and where switches add up a few bytes take at most twice the longest path beside the launch.
#[test]
fn bounds_hold_over_the_catalog() {
    for name in shipped_in("topologies") {
        let spec = load_supernode(&name).unwrap();
        let fabric = fabric(&spec);
        if fabric.chips < 2 || fabric.chips > MOST_CHIPS {
            continue;
        }
        let network = Network::new(&fabric);
        let mut pricing = Pricing::new(&network, &spec.library);
        for (op, op_name) in Op::ALL {
            for bytes in [64.0, 1e6, 1e9] {
                let collective = Collective { op, ranks: fabric.chips, bytes: Bytes::new(bytes) };
                let bound = pricing.lower_bound(&collective).unwrap().get();
                for timing in pricing.ranking(&collective).unwrap() {
                    let what = format!("{op_name} by {} on {name}, {bytes} B", timing.algorithm.name());
                    assert!(timing.total().get() >= bound * (1.0 - 1e-9), "{what}");
                    if timing.algorithm == Algorithm::InNetwork && bytes < 100.0 {
                        let longest = network.play(&supernode::network::Group::first(fabric.chips), TrafficPattern::AllPairs).latency;
                        let beyond = timing.total() - timing.launch - longest * 2.0;
                        assert!(beyond.get() < 0.1e-6, "{what}: {beyond:?} beyond two paths");
                    }
                }
            }
        }
    }
}

/// On the machines that are too large to price every algorithm of, the fastest one keeps to its bound.
#[test]
fn bounds_hold_on_large_machines() {
    for name in shipped_in("topologies") {
        let spec = load_supernode(&name).unwrap();
        if spec.chips() <= MOST_CHIPS {
            continue;
        }
        let fabric = fabric(&spec);
        let network = Network::new(&fabric);
        let mut pricing = Pricing::new(&network, &spec.library);
        for (op, op_name) in Op::ALL {
            for bytes in [64.0, 1e9] {
                let collective = Collective { op, ranks: fabric.chips, bytes: Bytes::new(bytes) };
                let bound = pricing.lower_bound(&collective).unwrap().get();
                let timing = pricing.price(&collective, None).unwrap();
                assert!(timing.total().get() >= bound * (1.0 - 1e-9), "{op_name} by {} on {name}, {bytes} B", timing.algorithm.name());
            }
        }
    }
}

/// Losing one part of any class makes no op faster than the same chips were on the whole machine.
#[test]
fn no_part_is_in_the_way() {
    for name in ["hgx-h100", "mi300x-8", "hgx-h100-ib-64", "mi300x-roce-16", "scalex40", "ref-tomahawk-ultra-64", "gb200-nvl72", "trn2-ultraserver"] {
        let spec = load_supernode(name).unwrap();
        let sound = fabric(&spec);
        let network = Network::new(&sound);
        for class in part_classes(&sound).0 {
            let rest = damaged(&sound, &Damage::of(&[class.example]));
            if rest.chips < 2 {
                continue;
            }
            let left = Network::new(&rest);
            let survivors: Vec<u32> = (0..rest.chips).map(|chip| rest.place(chip)).collect();
            for op in [Op::AllReduce, Op::AllToAll] {
                let collective = Collective { op, ranks: rest.chips, bytes: Bytes::new(1e8) };
                let without = Pricing::new(&left, &spec.library).price(&collective, None).unwrap().total();
                let mut whole = Pricing::placed(&network, &spec.library, Placement::Explicit(survivors.clone()));
                let with = whole.price(&collective, None).unwrap().total();
                assert!(without.get() >= with.get() * (1.0 - 1e-6), "{} without one {} on {name}: {without:?} < {with:?}", op.name(), class.name);
            }
        }
    }
}
