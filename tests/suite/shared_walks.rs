//! Walks that are shared: between designs of other latencies, and by switches that are merged. Each is judged by walks of its own.

use supernode::fabric::{Fabric, build};
use supernode::input::spec::{PatternSpec, load_supernode};
use supernode::network::{ChannelLoads, Group, Network, RoutedFabrics, TrafficPattern};

fn fabric(name: &str) -> Fabric {
    build(&load_supernode(name).unwrap()).unwrap()
}

/// The same machine with other latencies of links, and of switches in no fixed proportion.
fn slower(fabric: &Fabric) -> Fabric {
    let mut slower = fabric.clone();
    for (number, part) in (1..).zip(&mut slower.switches) {
        part.switch.latency.value = part.switch.latency.value * (1.0 + 0.37 * f64::from(number));
    }
    for link in &mut slower.links {
        link.link.serdes_latency.value = link.link.serdes_latency.value * 1.9;
    }
    slower
}

/// What a pattern does on a design whose bytes were counted on another is, to the last bit, what it does on its own.
#[test]
fn designs_of_other_latencies_share_bytes() {
    for name in ["cloudmatrix384", "gb200-nvl72-ib-288", "hgx-h800-ib-256", "ub-mesh-1024", "atlas-950-1024"] {
        let first = fabric(name);
        let other = slower(&first);
        let shared = RoutedFabrics::default();
        let (before, after, alone) = (Network::among(&first, &shared), Network::among(&other, &shared), Network::new(&other));
        let node = first.level_sizes[0];
        for ranks in [node, 4 * node, 5 * node - 1, first.chips].into_iter().filter(|ranks| *ranks > 1 && *ranks <= first.chips) {
            let mut patterns = vec![TrafficPattern::AllPairs, TrafficPattern::Ring];
            patterns.extend((ranks.is_multiple_of(node) && ranks > node).then_some(TrafficPattern::Equals { node }));
            for pattern in patterns {
                let group = Group::first(ranks);
                let (known, shared, own) = (before.play(&group, pattern), after.play(&group, pattern), alone.play(&group, pattern));
                assert_eq!(shared, own, "{name}: {pattern:?} among {ranks}");
                assert!(shared.latency > known.latency, "{name}: {pattern:?} among {ranks}");
            }
        }
    }
}

/// All chips, but not in level order: each rank stands many chips behind the one before it.
fn scattered(chips: u32) -> Group {
    let step = (1..chips / 2).rev().find(|step| gcd(*step, chips) == 1).unwrap_or(1);
    Group::of((0..chips).scan(0, |chip, _| Some(std::mem::replace(chip, (*chip + step) % chips))).collect())
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn assert_same_loads(found: &ChannelLoads, judge: &[f64]) {
    let most = judge.iter().copied().fold(0.0, f64::max);
    assert!(most > 0.0);
    for (channel, (found, judge)) in found.bytes.iter().zip(judge).enumerate() {
        assert!((found - judge).abs() <= 1e-12 * most, "channel {channel}: {found} is not {judge}");
    }
}

/// Searches for pairs on a machine whose spines are merged, against a route of each pair on the machine as it is.
#[test]
fn merged_spines_carry_what_each_carries_in_routes_of_pairs() {
    let mut spec = load_supernode("cloudmatrix384").unwrap();
    spec.levels[1].size = 257;
    if let PatternSpec::Clos { spine, .. } = &mut spec.levels[1].pattern {
        (spine.switch.lanes, spine.switch.ports) = (u32::MAX, None);
    }
    let fabric = build(&spec).unwrap();
    let network = Network::new(&fabric);
    let group = scattered(fabric.chips);
    let found = network.loads(&group, TrafficPattern::Ring);
    let (mut judge, mut latency) = (vec![0.0; network.router().channels().len()], found.latency * 0.0);
    let mut paths = network.router().pathfinder();
    for receiver in 0..group.ranks() {
        TrafficPattern::Ring.each_sender(&group, receiver, |sender, weight| {
            let route = paths.route(group.chip(sender), group.chip(receiver)).unwrap();
            route.hops.iter().for_each(|hop| judge[hop.channel as usize] += hop.share * weight);
            latency = latency.max(route.latency);
        });
    }
    assert_same_loads(&found, &judge);
    assert_eq!(found.latency, latency);
}

/// Walks over merged spines, against a walk to each receiver over the machine as it is.
#[test]
fn merged_spines_carry_what_each_carries_in_walks() {
    let fabric = fabric("cloudmatrix384");
    let network = Network::new(&fabric);
    let group = scattered(fabric.chips);
    let pattern = TrafficPattern::Equals { node: 8 };
    let found = network.loads(&group, pattern);
    let mut judge = vec![0.0; network.router().channels().len()];
    let mut routes = network.router().routes();
    for receiver in 0..group.ranks() {
        let mut sources = Vec::new();
        pattern.each_sender(&group, receiver, |sender, weight| sources.push((group.chip(sender), weight)));
        routes.towards_all(group.chip(receiver));
        routes.push(sources.into_iter(), &mut judge);
    }
    assert_same_loads(&found, &judge);
}
