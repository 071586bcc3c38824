//! The collapsed forms rest on the symmetry classes that the patterns claim; here the full walk judges them on every pattern.

use crate::topologies::machine::{build, machine};
use proptest::prelude::*;
use supernode::fabric::{AT_ONCE, Fabric, WalkEnd};
use supernode::footprint::{Damage, FailedPart, SpareParts, all_parts, damaged};
use supernode::network::{Group, Network, TrafficPattern, fabric_metrics};
use supernode::units::{Bytes, Seconds};

const HEAD: &str = "link = \"PART(link)\"\n";

fn level(size: u32, pattern: &str) -> String {
    format!("[[level]]\nname = \"l\"\nsize = {size}\n{HEAD}{pattern}\n")
}

/// A random level of at most about 24 children that may stand on any level below.
fn direct() -> impl Strategy<Value = (u32, String)> {
    let grid = |name: &'static str| {
        prop::collection::vec(1u32..5, 1..4).prop_filter("small", |dimensions| dimensions.iter().product::<u32>() <= 24).prop_map(move |dimensions| {
            let size: u32 = dimensions.iter().product();
            (size, format!("[level.{name}]\ndimensions = {dimensions:?}"))
        })
    };
    let blocks = prop::collection::vec((1u32..4, 1u32..4), 1..4)
        .prop_filter("small", |dimensions| dimensions.iter().map(|(block, count)| block * count).product::<u32>() <= 36)
        .prop_map(|dimensions| {
            let lengths: Vec<u32> = dimensions.iter().map(|(block, count)| block * count).collect();
            let block: Vec<u32> = dimensions.iter().map(|(block, _)| *block).collect();
            let size = lengths.iter().product();
            (size, format!("[level.torus]\ndimensions = {lengths:?}\ncircuits = {{ block = {block:?}, link = \"PART(circuit)\" }}"))
        });
    prop_oneof![
        (1u32..10).prop_map(|size| (size, "[level.full-mesh]".to_owned())),
        (1u32..12).prop_map(|size| (size, "[level.ring]".to_owned())),
        grid("mesh"),
        grid("torus"),
        grid("hyperx"),
        blocks,
    ]
}

fn switched() -> impl Strategy<Value = (u32, String)> {
    let switch = (1u32..8, 1u32..4, 1u32..3)
        .prop_map(|(size, planes, per)| (size, format!("[level.switch]\npart = \"PART(switch)\"\nplanes = {planes}\nswitches_per_plane = {per}")));
    let clos = (1u32..5, 1u32..5, 1u32..4, 1u32..3).prop_map(|(leaves, under, spines, planes)| {
        let leaf = format!("leaf = {{ part = \"PART(switch)\", planes = {planes}, children_per_leaf = {under} }}");
        (leaves * under, format!("[level.clos]\nspine = \"PART(switch)\"\nspines_per_plane = {spines}\n{leaf}"))
    });
    let rail = (1u32..6, 1u32..3, prop::bool::ANY).prop_map(|(size, planes, spines)| {
        let spines = if spines { "spines = { part = \"PART(switch)\", count = 2 }" } else { "" };
        (size, format!("[level.rail]\npart = \"PART(switch)\"\nplanes = {planes}\n{spines}"))
    });
    let tree = (1u32..4, 1u32..4, 1u32..3).prop_map(|(under, per_host, hosts)| {
        let switches = per_host * hosts;
        let parts = "switch = \"PART(switch)\"\nhost = \"PART(cpu)\"";
        (under * switches, format!("[level.pcie-tree]\n{parts}\nswitches = {switches}\nhosts = {hosts}"))
    });
    let dragonfly = (1u32..3, 1u32..4, 1u32..3, 1u32..3).prop_map(|(terminals, routers, global, share)| {
        // A divisor of the links that leave a group, plus one, is a number of groups that fits.
        let groups = 1 + if (routers * global).is_multiple_of(share) { routers * global / share } else { routers * global };
        let shape = format!("groups = {groups}\nrouters_per_group = {routers}\nglobal_links_per_router = {global}");
        (terminals * routers * groups, format!("[level.dragonfly]\nrouter = \"PART(switch)\"\n{shape}"))
    });
    prop_oneof![switch, clos, rail, tree, dragonfly]
}

/// One level, or two.
fn levels() -> impl Strategy<Value = String> {
    let any = || prop_oneof![direct(), switched()];
    prop_oneof![
        any().prop_map(|(size, pattern)| level(size, &pattern)),
        (any(), any())
            .prop_filter("small", |(inner, outer)| inner.0 * outer.0 <= 200)
            .prop_map(|(inner, outer)| { level(inner.0, &inner.1) + &level(outer.0, &outer.1) }),
    ]
}

/// The machine, unless its two levels have different planes.
fn fitting(text: &str) -> Option<Fabric> {
    match build(text) {
        Ok(fabric) => Some(fabric),
        Err(problems) if problems.list().iter().all(|problem| problem.message.contains("planes below")) => None,
        Err(problems) => panic!("{problems}"),
    }
}

/// Bisection by walking every destination.
fn full_bisection(fabric: &Fabric, network: &Network<'_>) -> f64 {
    let half = fabric.chips / 2;
    let gigabyte = Bytes::new(1e9);
    let time: Seconds = network.between(0..half, half..half * 2).serialisation(fabric, gigabyte, gigabyte).0;
    f64::from(half).powi(2) * 1e9 / time.get()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn collapsed_equals_full(text in levels()) {
        let Some(fabric) = fitting(&text) else { return Ok(()) };
        let network = Network::new(&fabric);
        // Groups of whole sectors and of whole lines, the machine among them.
        let runs = fabric.lines.or(fabric.sectors).unwrap_or(1);
        for ranks in (1..=runs).map(|whole| fabric.chips / runs * whole) {
            let collapsed = network.all_to_all(ranks);
            let full = network.full_all_to_all(ranks);
            prop_assert_eq!(collapsed.peaks.len(), full.peaks.len());
            for peak in &full.peaks {
                let other = collapsed.peaks.iter().find(|other| other.is_of_the_kind_of(peak));
                prop_assert!(other.is_some_and(|other| close(other.bytes_per_link, peak.bytes_per_link)), "{ranks}: {peak:?} against {other:?}\n{text}");
            }
            for (a, b) in collapsed.link_bytes.iter().zip(&full.link_bytes) {
                prop_assert!(close(*a, *b));
            }
            prop_assert_eq!(collapsed.hops, full.hops);
        }
    }

    /// Walks over a fabric with merged equivalent nodes, against a search for each pair; all chips but one in an order of their own.
    #[test]
    fn walks_by_sets_carry_what_all_pairs_carry(text in levels()) {
        let Some(fabric) = fitting(&text).filter(|fabric| (3..=40).contains(&fabric.chips)) else { return Ok(()) };
        let network = Network::new(&fabric);
        let group = Group::of((1..fabric.chips).rev().collect());
        let walked = network.full_loads(&group, TrafficPattern::AllPairs);
        let mut searched = vec![0.0; walked.bytes.len()];
        let mut paths = network.router().pathfinder();
        for (source, destination) in group.chips().iter().flat_map(|&source| group.chips().iter().map(move |&to| (source, to))) {
            let route = paths.route(source, destination).unwrap_or_default();
            route.hops.iter().for_each(|hop| searched[hop.channel as usize] += hop.share);
        }
        for (channel, (a, b)) in walked.bytes.iter().zip(&searched).enumerate() {
            prop_assert!(close(*a, *b), "channel {channel}: {a} and {b}\n{text}");
        }
    }

    /// Walks made together are, to the last bit, those made one after the other: hops, latencies and loads, also where not all chips send and
    /// where a part is lost.
    #[test]
    fn walks_together_are_walks_alone(text in levels(), silent in 0u32..4, lost in 0usize..100) {
        let Some(fabric) = fitting(&text).filter(|fabric| fabric.chips >= 2) else { return Ok(()) };
        let parts = all_parts(&fabric);
        for fabric in [&damaged(&fabric, &Damage::of(&[parts[lost % parts.len()]])), &fabric] {
            let network = Network::new(fabric);
            let router = network.router();
            let sends = |node: u32| node < fabric.chips && node % 4 != silent;
            let senders = |receiver: u32| (0..fabric.chips).filter(move |&chip| sends(chip) && chip != receiver);
            let (mut walks, mut together, mut alone) = (router.route_block(), router.routes(), router.routes());
            let receivers: Vec<u32> = (0..fabric.chips).collect();
            for block in receivers.chunks(AT_ONCE) {
                walks.aim(block.iter().map(|&node| WalkEnd { node, is_set: false }), sends);
                for (place, &receiver) in block.iter().enumerate() {
                    walks.lead(place, &mut together);
                    alone.towards(receiver, senders(receiver).count(), sends);
                    for chip in senders(receiver) {
                        prop_assert_eq!((together.hops(chip), together.slowest(chip)), (alone.hops(chip), alone.slowest(chip)));
                    }
                    let loads = [&mut together, &mut alone].map(|routes| {
                        let mut loads = vec![0.0; router.channels().len()];
                        routes.push(senders(receiver).map(|chip| (chip, 1.0 + f64::from(chip))), &mut loads);
                        loads
                    });
                    prop_assert_eq!(&loads[0], &loads[1], "towards {}\n{}", receiver, text);
                }
            }
        }
    }

    /// Parts that one search over the machine finds to be spare, against the machine without each of them.
    #[test]
    fn spare_parts_cut_no_chip_off(text in levels()) {
        let Some(fabric) = fitting(&text) else { return Ok(()) };
        let Some(spare) = SpareParts::of(&fabric) else { return Ok(()) };
        for part in all_parts(&fabric).into_iter().filter(|part| spare.is_spare(*part)) {
            let itself = u32::from(matches!(part, FailedPart::Node(node) if node < fabric.chips));
            prop_assert_eq!(damaged(&fabric, &Damage::of(&[part])).chips, fabric.chips - itself, "{:?}\n{}", part, text);
        }
    }

    /// Whatever symmetries of the graph map onto each other carries the same when all chips but some send to each other, on a machine that has
    /// lost a part or not, found by the graph alone or by the moves that its levels suggest.
    #[test]
    fn channels_of_an_orbit_carry_the_same(text in levels(), left_out in 0u32..3, lost in 0usize..100) {
        let Some(fabric) = fitting(&text).filter(|fabric| (3..=60).contains(&fabric.chips)) else { return Ok(()) };
        let parts = all_parts(&fabric);
        let fabrics = [damaged(&fabric, &Damage::of(&[parts[lost % parts.len()]])), fabric];
        for (fabric, suggest) in fabrics.iter().flat_map(|fabric| [(fabric, false), (fabric, true)]) {
            let network = Network::new(fabric);
            if fabric.chips <= left_out {
                continue;
            }
            let group = Group::of((left_out..fabric.chips).collect());
            let places = suggest.then(|| network.level_places(network.router().nodes(), Some));
            let Some(orbits) = network.router().orbits(|node| u64::from(group.chips().contains(&node)), places.as_ref()) else { continue };
            let loads = network.full_loads(&group, TrafficPattern::AllPairs);
            for (channel, &orbit) in orbits.channels.iter().enumerate() {
                prop_assert!(close(loads.bytes[channel], loads.bytes[orbit as usize]), "channels {channel} and {orbit}, {suggest}\n{text}");
            }
            let counts = |node: u32| network.router().neighbours(node).count();
            for (node, &orbit) in (0u32..).zip(&orbits.nodes) {
                prop_assert_eq!(counts(node), counts(orbit));
                prop_assert_eq!(group.chips().contains(&node), group.chips().contains(&orbit));
            }
        }
    }

    /// What moves that keep levels map onto each other carries the same when chips exchange across one level, also where a link or switch is lost.
    #[test]
    fn moves_within_levels_keep_exchanges_across_a_level(text in levels(), lost in 0usize..100) {
        let Some(fabric) = fitting(&text).filter(|fabric| (3..=60).contains(&fabric.chips)) else { return Ok(()) };
        let parts = all_parts(&fabric);
        let rest = damaged(&fabric, &Damage::of(&[parts[lost % parts.len()]]));
        for fabric in [&rest, &fabric].into_iter().filter(|rest| rest.chips == fabric.chips) {
            let network = Network::new(fabric);
            let places = network.level_places(network.router().nodes(), Some).within_levels();
            let Some(orbits) = network.router().orbits_of_moves(&places) else { continue };
            let mut below = 1;
            for (level, &size) in (0u8..).zip(&fabric.level_sizes) {
                let loads = network.full_loads(&Group::first(fabric.chips), TrafficPattern::Across { level, below, size });
                for (channel, &orbit) in orbits.channels.iter().enumerate() {
                    prop_assert!(close(loads.bytes[channel], loads.bytes[orbit as usize]), "level {level}, channels {channel} and {orbit}\n{text}");
                }
                below *= size;
            }
        }
    }

    /// Rings and shifts by one step of a rotation of the machine against a search for every pair.
    #[test]
    fn rotated_equals_full(text in levels(), places in 1u32..40) {
        let Some(fabric) = fitting(&text).filter(|fabric| (2..=120).contains(&fabric.chips)) else { return Ok(()) };
        let network = Network::new(&fabric);
        let group = Group::first(fabric.chips);
        let block = fabric.level_sizes[0];
        let exchange = TrafficPattern::Exchange(places.next_power_of_two());
        for pattern in [TrafficPattern::Ring, TrafficPattern::Shift(places), TrafficPattern::MultiRing { block, rings: block.min(4) }, exchange] {
            let (quick, full) = (network.loads(&group, pattern), network.full_loads(&group, pattern));
            for (channel, (a, b)) in quick.bytes.iter().zip(&full.bytes).enumerate() {
                prop_assert!(close(*a, *b), "{pattern:?}, channel {channel}: {a} and {b}\n{text}");
            }
            prop_assert!(close(quick.sent, full.sent) && close(quick.latency.get(), full.latency.get()), "{pattern:?}\n{text}");
        }
    }

    /// Bisection by sectors, and latencies by classes of chips, agree with walks from everywhere.
    #[test]
    fn survey_by_classes_equals_survey_of_all(text in levels()) {
        let Some(fabric) = fitting(&text) else { return Ok(()) };
        let network = Network::new(&fabric);
        let quick = fabric_metrics(&network);
        let mut plain = fabric.clone();
        plain.sectors = None;
        for chip in 0..plain.chips {
            plain.graph[petgraph::graph::NodeIndex::new(chip as usize)].class = chip;
        }
        let slow = fabric_metrics(&Network::new(&plain));
        if fabric.chips > 1 {
            prop_assert!(close(quick.bisection.get(), full_bisection(&fabric, &network)), "bisection\n{text}");
        }
        prop_assert_eq!(quick.diameter, slow.diameter);
        prop_assert!(close(quick.latency_mean.get(), slow.latency_mean.get()), "{} {}\n{text}", quick.latency_mean.get(), slow.latency_mean.get());
        prop_assert!(close(quick.latency_max.get(), slow.latency_max.get()), "{text}");
        for (a, b) in quick.distances.iter().zip(&slow.distances) {
            prop_assert!(a.hops == b.hops && close(a.share, b.share), "{text}");
        }
    }
}

fn distinct(mut numbers: Vec<u32>) -> usize {
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len()
}

/// A torus of two lengths has the symmetries of its grid: one orbit of chips, one of links for each length, both directions alike.
#[test]
fn a_torus_is_one_orbit() {
    let fabric = fitting(&level(20, "[level.torus]\ndimensions = [4, 5]")).unwrap();
    let network = Network::new(&fabric);
    for places in [None, Some(network.level_places(network.router().nodes(), Some))] {
        let orbits = network.router().orbits(|_| 0, places.as_ref()).unwrap();
        assert_eq!(distinct(orbits.nodes), 1);
        assert_eq!(distinct(orbits.channels), 2);
    }
}

/// Cabinets of a 4 by 4 HyperX behind rails lose a chip: the others differ in whether they share its cabinet, its column and its row, of which
/// an exchange of the dimensions makes columns and rows alike. Of 2 x 2 x 2 cases one is the lost chip and two pairs are alike.
#[test]
fn moves_of_the_levels_find_what_a_lost_chip_leaves_alike() {
    let text = format!("{}{}", level(16, "[level.hyperx]\ndimensions = [4, 4]"), level(5, "[level.rail]\npart = \"PART(switch)\"\nplanes = 1\n"));
    let fabric = fitting(&text).unwrap();
    let rest = damaged(&fabric, &Damage::of(&[FailedPart::Node(37)]));
    let network = Network::new(&rest);
    let places = network.level_places(network.router().nodes(), Some);
    let orbits = network.router().orbits(|_| 0, Some(&places)).unwrap();
    assert_eq!(distinct(orbits.nodes[..rest.chips as usize].to_vec()), 5);
}

/// Groups on the first children of a large level, which are played on a machine of a few children, against walks over the whole machine; where
/// traffic may pass other children there is no such machine.
#[test]
fn first_children_see_nothing_of_the_others() {
    let switch = |per_plane: u32| format!("[level.switch]\npart = \"PART(switch)\"\nplanes = 2\nswitches_per_plane = {per_plane}");
    let clos = "[level.clos]\nspine = \"PART(switch)\"\nspines_per_plane = 3";
    let rail = "[level.rail]\npart = \"PART(switch)\"";
    let [flat, two, ring] = [switch(1), switch(2), "[level.ring]".to_owned()];
    for (inner, outer, apart) in [
        (&flat, clos, true),
        (&ring, rail, true),
        (&flat, rail, true),
        (&two, clos, false),
        (&ring, &flat, false),
        (&flat, "[level.full-mesh]", false),
    ] {
        let fabric = machine(&(level(4, inner) + &level(32, outer)));
        assert_eq!(fabric.children_stay_apart(), apart, "{inner} below {outer}");
        let network = Network::new(&fabric);
        for ranks in [2, 3, 4, 7, 12, 20, 28] {
            for pattern in [TrafficPattern::AllPairs, TrafficPattern::Ring, TrafficPattern::Trees, TrafficPattern::FromRoot] {
                let group = Group::first(ranks);
                let (quick, full) = (network.play(&group, pattern), network.profile(&network.full_loads(&group, pattern)));
                assert_eq!((quick.peaks.len(), quick.hops, quick.latency), (full.peaks.len(), full.hops, full.latency), "{pattern:?} over {ranks}");
                for peak in &full.peaks {
                    let other = quick.peaks.iter().find(|other| other.is_of_the_kind_of(peak));
                    let alike = other.is_some_and(|other| {
                        close(other.bytes_per_link, peak.bytes_per_link) && (other.channels, other.saturated) == (peak.channels, peak.saturated)
                    });
                    assert!(alike, "{pattern:?} over {ranks}: {other:?}, not {peak:?}; {inner} below {outer}");
                }
            }
        }
    }
}
