//! Groups that fill a part of a machine, on every pattern: symmetry against one walk for each receiver, and routes against walks.

use crate::topologies::machine::machine;
use supernode::fabric::{Fabric, RoutingPolicy};
use supernode::network::{Group, Network, TrafficPattern};

fn level(size: u32, pattern: &str) -> String {
    format!("[[level]]\nname = \"l\"\nsize = {size}\nlink = \"PART(link)\"\n{pattern}\n")
}

const SWITCH: &str = "[level.switch]\npart = \"PART(switch)\"\nplanes = 2";
const SPINES: &str = "[level.clos]\nspine = \"PART(switch)\"\nspines_per_plane = 3";
const LEAVES: &str =
    "[level.clos]\nspine = \"PART(switch)\"\nspines_per_plane = 2\nleaf = { part = \"PART(switch)\", planes = 2, children_per_leaf = 2 }";
const MESHED: &str = "[level.full-mesh]";
const RING: &str = "[level.ring]";
const TORUS: &str = "[level.torus]\ndimensions = [3, 2]";
const LAYERS: &str = "[level.torus]\ndimensions = [2, 3, 4]";
const CIRCUITS: &str = "[level.torus]\ndimensions = [4, 2, 6]\ncircuits = { block = [4, 1, 3], link = \"PART(circuit)\" }";
const RAIL: &str = "[level.rail]\npart = \"PART(switch)\"";
const RAIL_WITH_SPINES: &str = "[level.rail]\npart = \"PART(switch)\"\nspines = { part = \"PART(switch)\", count = 2 }";
const HOSTED: &str =
    "[level.switch]\npart = \"PART(switch)\"\nplanes = 2\n[[level.attach]]\ncpu = \"PART(cpu)\"\ncount = 2\nlink = \"PART(link)\"\nto = \"chips\"";
const DRAGONFLY: &str = "[level.dragonfly]\nrouter = \"PART(switch)\"\ngroups = 3\nrouters_per_group = 2\nglobal_links_per_router = 1";
const MESH: &str = "[level.mesh]\ndimensions = [3, 2]";
const LONG_MESH: &str = "[level.mesh]\ndimensions = [2, 4]";
const HYPERX: &str = "[level.hyperx]\ndimensions = [3, 2]";
const PCIE: &str = "[level.pcie-tree]\nswitch = \"PART(switch)\"\nswitches = 2\nhost = \"PART(cpu)\"\nhosts = 2";
const CUSTOM: &str = "[[level.custom.link]]\nends = [\"0\", \"1\"]\n[[level.custom.link]]\nends = [\"1\", \"2\"]";

fn machines() -> Vec<(String, Fabric)> {
    let levels = [
        vec![(6, SWITCH)],
        vec![(6, MESHED)],
        vec![(5, RING)],
        vec![(6, TORUS)],
        vec![(24, LAYERS)],
        vec![(48, CIRCUITS)],
        vec![(2, SWITCH), (24, LAYERS)],
        vec![(8, LONG_MESH)],
        vec![(6, DRAGONFLY)],
        vec![(8, LEAVES)],
        vec![(6, MESH)],
        vec![(6, HYPERX)],
        vec![(8, PCIE)],
        vec![(3, CUSTOM)],
        vec![(3, CUSTOM), (4, SWITCH)],
        vec![(6, HYPERX), (3, SWITCH)],
        vec![(4, SWITCH), (5, SPINES)],
        vec![(4, MESHED), (5, MESHED)],
        vec![(4, MESHED), (4, RAIL)],
        vec![(4, RING), (4, SWITCH)],
        vec![(6, TORUS), (3, MESHED)],
        vec![(3, SWITCH), (3, SPINES), (3, SPINES)],
        vec![(2, SWITCH), (6, LEAVES)],
        vec![(3, MESHED), (5, RING)],
        vec![(4, SWITCH), (3, SPINES), (4, SPINES)],
        vec![(3, SWITCH), (3, MESHED), (4, RAIL)],
        vec![(4, SWITCH), (4, RAIL_WITH_SPINES)],
        vec![(4, HOSTED), (4, SPINES)],
    ];
    let text = |levels: &Vec<(u32, &str)>| levels.iter().map(|(size, pattern)| level(*size, pattern)).collect::<String>();
    levels.iter().map(text).map(|text| (text.clone(), machine(&text))).collect()
}

#[test]
fn every_first_group_is_priced_alike_by_symmetry_and_by_full_walks() {
    for (text, fabric) in machines() {
        for policy in [RoutingPolicy::Spray, RoutingPolicy::DimensionOrder, RoutingPolicy::Valiant] {
            let network = Network::with_routing(&fabric, policy);
            for ranks in 2..=fabric.chips {
                let group = Group::first(ranks);
                let (quick, full) = (network.loads(&group, TrafficPattern::AllPairs), network.full_loads(&group, TrafficPattern::AllPairs));
                assert_eq!(quick.hops, full.hops, "{ranks} ranks, {policy}\n{text}");
                for (a, b) in quick.bytes.iter().zip(&full.bytes) {
                    assert!((a - b).abs() <= 1e-9 * b.max(1.0), "{ranks} ranks, {policy}: {a} and {b}\n{text}");
                }
            }
        }
    }
}

#[test]
fn patterns_across_a_level_are_priced_alike_by_symmetry_and_by_full_walks() {
    for (text, fabric) in machines() {
        let network = Network::new(&fabric);
        let mut below = 1;
        for (level, &size) in (0..).zip(&fabric.level_sizes) {
            let (group, pattern) = (Group::first(fabric.chips), TrafficPattern::Across { level, below, size });
            let (quick, full) = (network.loads(&group, pattern), network.full_loads(&group, pattern));
            for (a, b) in quick.bytes.iter().zip(&full.bytes) {
                assert!((a - b).abs() <= 1e-9 * b.max(1.0), "level {level}: {a} and {b}\n{text}");
            }
            below *= size;
        }
    }
}

/// 24 chips on 3 switches joined in a row. Chip i has 1, 2 or 3 links to one or two of them, so chips i and i + 12 are equivalent, except some
/// odd ones, which are nearly so. The later chip of a pair names its switches in the other order.
fn irregular() -> String {
    let mut links = String::new();
    for chip in 0..24_u32 {
        let mut ends = vec![(chip % 3, 1 + chip / 3 % 2)];
        if chip % 4 < 2 {
            ends.push(((chip + 1) % 3, 1 + chip / 12 * (chip % 2)));
        }
        if chip >= 12 {
            ends.reverse();
        }
        for (switch, count) in ends {
            links += &format!("[[level.custom.link]]\nends = [\"{chip}\", \"s{switch}\"]\nlinks = {count}\n");
        }
    }
    let switches = (0..3).map(|switch| format!("[[level.custom.switch]]\nname = \"s{switch}\"\npart = \"PART(switch)\"\n")).collect::<String>();
    level(24, &format!("{switches}{links}[[level.custom.link]]\nends = [\"s0\", \"s1\"]\n[[level.custom.link]]\nends = [\"s1\", \"s2\"]\nlinks = 2"))
}

/// One walk serves all equivalent receivers. The judge searches the paths of each pair by itself.
#[test]
fn one_walk_for_equivalent_receivers_carries_what_all_pairs_carry() {
    let machines = [
        irregular(),
        level(20, SWITCH),
        [level(4, SWITCH), level(6, SPINES)].concat(),
        [level(2, SWITCH), level(10, LEAVES)].concat(),
        [level(4, MESHED), level(6, SWITCH)].concat(),
    ];
    for text in machines {
        let fabric = machine(&text);
        // In an order of ranks that is not that of the chips, without one chip.
        let chips = fabric.chips;
        let group = Group::of((1..chips).map(|rank| rank * 7 % chips).collect());
        for policy in [RoutingPolicy::Spray, RoutingPolicy::DimensionOrder] {
            let network = Network::with_routing(&fabric, policy);
            for pattern in [TrafficPattern::AllPairs, TrafficPattern::OneSided { senders: 17 }] {
                let walked = network.full_loads(&group, pattern);
                let mut bytes = vec![0.0; walked.bytes.len()];
                let (mut latency, mut hops) = (0.0_f64, 0);
                for receiver in 0..group.ranks() {
                    pattern.each_sender(&group, receiver, |sender, weight| {
                        let pair = network.full_loads(&Group::of(vec![group.chip(sender), group.chip(receiver)]), TrafficPattern::OnePair);
                        bytes.iter_mut().zip(&pair.bytes).for_each(|(sum, more)| *sum += weight * more);
                        (latency, hops) = (latency.max(pair.latency.get()), hops.max(pair.hops));
                    });
                }
                assert!((walked.latency.get() - latency).abs() < 1e-12 && walked.hops == hops, "{policy}, {pattern:?}\n{text}");
                for (channel, (a, b)) in walked.bytes.iter().zip(&bytes).enumerate() {
                    assert!((a - b).abs() <= 1e-9 * b.max(1.0), "{policy}, {pattern:?}, channel {channel}: {a} and {b}\n{text}");
                }
            }
        }
    }
}

/// Whatever the policy and the fabric, what leaves a chip is what it sends, and no node keeps anything.
#[test]
fn no_byte_is_lost_or_gained_on_any_fabric() {
    for (text, fabric) in machines() {
        for name in RoutingPolicy::NAMES {
            let network = Network::with_routing(&fabric, name.parse().expect("a policy"));
            for pattern in [TrafficPattern::AllPairs, TrafficPattern::Ring] {
                let loads = network.full_loads(&Group::first(fabric.chips), pattern);
                let mut balance = vec![0.0; network.router().nodes()];
                for (channel, bytes) in network.router().channels().iter().zip(&loads.bytes) {
                    balance[channel.from as usize] -= bytes;
                    balance[channel.to as usize] += bytes;
                }
                assert!(balance.iter().all(|left: &f64| left.abs() < 1e-9), "{name} {pattern:?}\n{text}");
                assert_eq!(loads.unreachable, None, "{text}");
            }
        }
    }
}

/// The search from both ends and the walk from the destination agree wherever chips forward, levels nest and paths differ in length.
#[test]
fn single_pairs_take_the_paths_of_the_walk() {
    for (text, fabric) in machines() {
        for policy in [RoutingPolicy::Spray, RoutingPolicy::DimensionOrder] {
            let network = Network::with_routing(&fabric, policy);
            let (mut paths, mut routes) = (network.router().pathfinder(), network.router().routes());
            for destination in 0..fabric.chips {
                routes.towards_all(destination);
                for source in (0..fabric.chips).filter(|&source| source != destination) {
                    let mut difference = vec![0.0; network.router().channels().len()];
                    routes.push(std::iter::once((source, 1.0)), &mut difference);
                    let route = paths.route(source, destination).expect("a path");
                    for hop in &route.hops {
                        difference[hop.channel as usize] -= hop.share;
                    }
                    assert!(difference.iter().all(|left: &f64| left.abs() < 1e-12), "{policy}: {source} to {destination}\n{text}");
                    let slowest = routes.slowest(source).expect("a path");
                    assert!((route.latency.get() - slowest.get()).abs() < 1e-15, "{policy}: {source} to {destination}\n{text}");
                }
            }
        }
    }
}

/// A dragonfly whose groups send everything to the next group has one link each to do so, and few ways through a third group that are as
/// short. Valiant routing spreads it over all; the adaptive mix is never slower than either.
#[test]
fn adaptive_routing_beats_both_on_a_dragonfly_under_attack() {
    let fabric = machine(&level(144, "[level.dragonfly]\nrouter = \"PART(switch)\"\ngroups = 9\nrouters_per_group = 4\nglobal_links_per_router = 2"));
    let busiest = |policy| {
        let loads = Network::with_routing(&fabric, policy).full_loads(&Group::first(144), TrafficPattern::Shift(16));
        loads.bytes.into_iter().fold(0.0, f64::max)
    };
    let (shortest, valiant, adaptive) = (busiest(RoutingPolicy::Spray), busiest(RoutingPolicy::Valiant), busiest(RoutingPolicy::Adaptive));
    assert!(valiant < shortest, "{valiant} against {shortest}");
    assert!(adaptive <= valiant.min(shortest) + 1e-9, "{adaptive}");
}

/// In a full mesh of n chips a lone pair has one link directly and n - 2 detours of one hop more: all paths together carry n - 1 times
/// as much as the direct one.
#[test]
fn detours_multiply_what_a_lone_pair_can_send() {
    let fabric = machine(&level(6, MESHED));
    let loads = Network::with_routing(&fabric, RoutingPolicy::AllPaths).full_loads(&Group::first(6), TrafficPattern::OnePair);
    let busiest = loads.bytes.iter().copied().fold(0.0, f64::max);
    assert!((busiest - 1.0 / 5.0).abs() < 1e-6, "{busiest}");
}

/// Dimension order turns once, from the first dimension into the second: between opposite corners of a 3 x 3 mesh it takes one path.
#[test]
fn dimension_order_takes_one_corner() {
    let fabric = machine(&level(9, "[level.mesh]\ndimensions = [3, 3]"));
    let network = Network::with_routing(&fabric, RoutingPolicy::DimensionOrder);
    let route = network.router().pathfinder().route(0, 8).expect("a path");
    let channels = network.router().channels();
    let mut stops: Vec<u32> = route.hops.iter().map(|hop| channels[hop.channel as usize].to).collect();
    stops.sort_unstable();
    assert_eq!(stops, [1, 2, 5, 8]);
    assert!(route.hops.iter().all(|hop| hop.share == 1.0));
}
