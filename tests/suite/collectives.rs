//! Collectives against closed forms derived by hand, their lower bounds, and themselves by another way.

use crate::machines::{GIB, cloudmatrix, fabric, reducing, weightless};
use supernode::fabric::RoutingPolicy;
use supernode::input::spec::{load_library, load_supernode};
use supernode::network::{Algorithm, Collective, CollectiveError, Group, Network, Op, Placement, Pricing, RoutedFabrics, Timing, TrafficPattern};
use supernode::units::Bytes;

/// Seven planes of two links of 28 GB/s, one way.
const PORTS: f64 = 392e9;

#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{what}: {found:e}, expected {expected:e}");
}

fn wire(timing: &Timing) -> f64 {
    (timing.serialisation + timing.waiting).get()
}

/// What each algorithm moves through the busiest port of one rank, as a part of S, on fabrics in which only chips' ports can be narrow.
///
/// n ranks; the last column derives the part:
/// - ring: 2(n-1) rounds of S/n; half as many to gather or to scatter; a chain passes S on once.
/// - multi-ring: the same bytes, divided among rings.
/// - halving-doubling: S/2 + S/4 + ... + S/n = (n-1)/n S, twice.
/// - double tree: an inner rank of one tree has a parent and two children there, S/2 each way with each, and as a leaf of the other
///   tree one parent: 4 x S/2 out, 4 x S/2 in.
/// - direct: S/n to n-1 peers, twice. Broadcast: the root scatters (n-1)/n S, then all gather (n-1)/n S.
/// - one-shot: S to n-1 peers.
/// - hierarchical, 8 x 2 ranks: inside 7 peers x S/8, across 1 peer x S/16, twice: 15/8. All-to-all: 7 x S/8 + 1 x S/2.
/// - in network: S + S/n out and in; gathering or scattering alone S; broadcast S.
/// - pairwise: n-1 rounds of S/n. Bruck, n = 2^k: k rounds of S/2.
#[test]
fn closed_forms_where_only_ports_are_narrow() {
    use Algorithm::{Bruck, Direct, DoubleTree, HalvingDoubling, Hierarchical, InNetwork, MultiRing, OneShot, Pairwise, Ring};
    use Op::{AllGather, AllReduce, AllToAll, Broadcast, ReduceScatter, Send};
    let fabric = fabric(&reducing(cloudmatrix(2)));
    let (network, library) = (Network::new(&fabric), weightless());
    let mut pricing = Pricing::new(&network, &library);
    let cases = [
        (AllReduce, Ring, 8, 14.0 / 8.0),
        (AllReduce, Ring, 16, 30.0 / 16.0),
        (AllGather, Ring, 8, 7.0 / 8.0),
        (ReduceScatter, Ring, 8, 7.0 / 8.0),
        (Broadcast, Ring, 8, 1.0),
        (AllReduce, MultiRing, 8, 14.0 / 8.0),
        (AllReduce, MultiRing, 16, 30.0 / 16.0),
        (AllReduce, HalvingDoubling, 8, 14.0 / 8.0),
        (AllReduce, HalvingDoubling, 16, 30.0 / 16.0),
        (AllGather, HalvingDoubling, 16, 15.0 / 16.0),
        (AllReduce, DoubleTree, 8, 2.0),
        (AllReduce, DoubleTree, 16, 2.0),
        (AllReduce, Direct, 8, 14.0 / 8.0),
        (AllToAll, Direct, 16, 15.0 / 16.0),
        (Broadcast, Direct, 8, 14.0 / 8.0),
        (Send, Direct, 8, 1.0),
        (AllReduce, OneShot, 8, 7.0),
        (AllReduce, Hierarchical, 16, 15.0 / 8.0),
        (ReduceScatter, Hierarchical, 16, 15.0 / 16.0),
        (AllToAll, Hierarchical, 16, 7.0 / 8.0 + 1.0 / 2.0),
        (AllReduce, InNetwork, 8, 1.0 + 1.0 / 8.0),
        (AllReduce, InNetwork, 16, 1.0 + 1.0 / 16.0),
        (AllGather, InNetwork, 16, 1.0),
        (Broadcast, InNetwork, 16, 1.0),
        (AllToAll, Pairwise, 16, 15.0 / 16.0),
        (AllToAll, Bruck, 16, 4.0 / 2.0),
        (AllToAll, Bruck, 8, 3.0 / 2.0),
    ];
    for (op, algorithm, ranks, part) in cases {
        let timing = pricing.price(&Collective { op, ranks, bytes: GIB }, Some(algorithm)).unwrap();
        // The chip copies its own n-th at twice the wire's rate, except where switches do the work or nothing stays.
        let own = if algorithm == InNetwork || op == Send { 0.0 } else { 0.5 / f64::from(ranks) };
        let expected = (part + own) * GIB.get() / PORTS;
        assert_close(wire(&timing), expected, &format!("{} {} of {ranks}", op.name(), algorithm.name()));
    }
}

/// Bruck on n = 6: blocks whose distance 1..=5 has bit 0: 1, 3, 5; bit 1: 2, 3; bit 2: 4, 5. So 3/6 + 2/6 + 2/6 of S.
#[test]
fn bruck_of_six_sends_seven_sixths() {
    let fabric = fabric(&cloudmatrix(1));
    let (network, library) = (Network::new(&fabric), weightless());
    let collective = Collective { op: Op::AllToAll, ranks: 6, bytes: GIB };
    let timing = Pricing::new(&network, &library).price(&collective, Some(Algorithm::Bruck)).unwrap();
    assert_close(wire(&timing), (7.0 / 6.0 + 0.5 / 6.0) * GIB.get() / PORTS, "bruck");
}

/// Every op, every algorithm that applies, several group sizes and sizes: nothing is faster than its bound, even with a library that
/// adds nothing.
#[test]
fn no_result_beats_its_lower_bound() {
    for reduces in [false, true] {
        let spec = if reduces { reducing(cloudmatrix(6)) } else { cloudmatrix(6) };
        let fabric = fabric(&spec);
        let (network, library) = (Network::new(&fabric), weightless());
        let mut pricing = Pricing::new(&network, &library);
        for (op, _) in Op::ALL {
            for ranks in [2, 3, 6, 8, 9, 16, 32, 48] {
                for bytes in [1.0, 4096.0, 1e9, 1e24] {
                    let collective = Collective { op, ranks, bytes: Bytes::new(bytes) };
                    let bound = pricing.lower_bound(&collective).unwrap().get();
                    for timing in pricing.ranking(&collective).unwrap() {
                        let total = timing.total().get();
                        let name = timing.algorithm.name();
                        assert!(total >= bound * (1.0 - 1e-12), "{} {name} of {ranks}, {bytes} B: {total:e} < {bound:e}", op.name());
                    }
                }
            }
        }
    }
}

/// One walk and means over classes of channels against one walk for each destination.
#[test]
fn collapsed_equals_full() {
    for nodes in [1, 2, 3, 8, 12] {
        let spec = cloudmatrix(nodes);
        let fabric = fabric(&spec);
        for policy in [RoutingPolicy::Spray, RoutingPolicy::DimensionOrder, RoutingPolicy::AllPaths] {
            let network = Network::with_routing(&fabric, policy);
            let group = Group::first(fabric.chips);
            for pattern in [
                TrafficPattern::AllPairs,
                TrafficPattern::Across { level: 0, below: 1, size: 8 },
                TrafficPattern::Across { level: 1, below: 8, size: nodes },
            ] {
                let (collapsed, full) = (network.loads(&group, pattern), network.full_loads(&group, pattern));
                assert_eq!((collapsed.latency, collapsed.hops), (full.latency, full.hops), "{nodes} nodes, {policy}, {pattern:?}");
                for (a, b) in collapsed.bytes.iter().zip(&full.bytes) {
                    assert!((a - b).abs() <= 1e-9 * b.max(1.0), "{nodes} nodes, {policy}, {pattern:?}: {a} and {b}");
                }
            }
        }
    }
}

/// The search from both ends finds the same shares as the walk from the destination.
#[test]
fn single_pairs_take_the_paths_of_the_walk() {
    let fabric = fabric(&cloudmatrix(3));
    for policy in [RoutingPolicy::Spray, RoutingPolicy::DimensionOrder] {
        let network = Network::with_routing(&fabric, policy);
        let (router, channels) = (network.router(), network.router().channels().len());
        let (mut paths, mut routes) = (router.pathfinder(), router.routes());
        for destination in 0..fabric.chips {
            routes.towards_all(destination);
            for source in (0..fabric.chips).filter(|&source| source != destination) {
                let mut walked = vec![0.0; channels];
                routes.push(std::iter::once((source, 1.0)), &mut walked);
                let route = paths.route(source, destination).unwrap();
                let mut found = vec![0.0; channels];
                for hop in &route.hops {
                    found[hop.channel as usize] += hop.share;
                }
                assert!(walked.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-12), "{source} to {destination}");
                assert_eq!(Some(route.length), routes.hops(source));
                assert_close(route.latency.get(), routes.slowest(source).unwrap().get(), "latency");
            }
        }
    }
}

/// No policy loses or gains a byte: what leaves the sources reaches the destinations.
#[test]
fn every_policy_delivers_every_byte() {
    let fabric = fabric(&cloudmatrix(4));
    for name in RoutingPolicy::NAMES {
        let network = Network::with_routing(&fabric, name.parse().unwrap());
        for pattern in [TrafficPattern::AllPairs, TrafficPattern::Ring, TrafficPattern::Exchange(8)] {
            let loads = network.full_loads(&Group::first(32), pattern);
            let mut balance = vec![0.0; network.router().nodes()];
            for (channel, bytes) in network.router().channels().iter().zip(&loads.bytes) {
                balance[channel.from as usize] -= bytes;
                balance[channel.to as usize] += bytes;
            }
            // Every rank sends as much as it receives, and nothing stays on the way.
            assert!(balance.iter().all(|left| left.abs() < 1e-9), "{name}, {pattern:?}");
            let sent: f64 =
                network.router().channels().iter().zip(&loads.bytes).filter(|(channel, _)| channel.from == 0).map(|(_, bytes)| bytes).sum();
            let expected = if pattern == TrafficPattern::AllPairs { 31.0 } else { 1.0 };
            assert_close(sent, expected, name);
        }
    }
}

/// Hashing puts whole flows on single channels, so no plane is used evenly; striping uses all planes evenly; another seed, other paths.
#[test]
fn hashes_collide_and_stripes_do_not() {
    let fabric = fabric(&cloudmatrix(4));
    let busiest = |policy: &str| {
        let network = Network::with_routing(&fabric, policy.parse().unwrap());
        network.full_all_to_all(32).peaks.iter().filter(|peak| peak.at_chip).map(|peak| peak.bytes_per_link).fold(0.0, f64::max)
    };
    let sprayed = busiest("spray");
    assert_close(sprayed, 31.0 / 14.0, "31 peers over 7 planes of 2 links");
    assert_close(busiest("striped"), sprayed, "a stripe for each plane");
    assert!(busiest("ecmp") > 1.3 * sprayed);
    assert!(busiest("ecmp:1").to_bits() != busiest("ecmp:2").to_bits());
}

/// Detours and turning points only add to what shortest paths carry where those spread evenly already; so the mixes leave them alone.
#[test]
fn mixes_fall_back_to_shortest_paths() {
    let fabric = fabric(&cloudmatrix(3));
    let loads = |policy| Network::with_routing(&fabric, policy).full_loads(&Group::first(24), TrafficPattern::AllPairs);
    assert_eq!(loads(RoutingPolicy::Adaptive), loads(RoutingPolicy::Spray));
    assert_eq!(loads(RoutingPolicy::AllPaths), loads(RoutingPolicy::Spray));
    let most = |loads: &[f64]| loads.iter().copied().fold(0.0, f64::max);
    assert!(most(&loads(RoutingPolicy::Valiant).bytes) >= most(&loads(RoutingPolicy::Spray).bytes));
}

/// Sums run over fixed parts, whatever the number of threads.
#[test]
fn threads_do_not_change_a_bit() {
    let fabric = fabric(&cloudmatrix(24));
    let answer = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let network = Network::with_routing(&fabric, RoutingPolicy::Ecmp { seed: 3 });
            let sprayed = Network::new(&fabric).full_loads(&Group::first(190), TrafficPattern::AllPairs);
            (network.full_loads(&Group::first(190), TrafficPattern::AllPairs), sprayed)
        })
    };
    let alone = answer(1);
    assert_eq!(alone, answer(2));
    assert_eq!(alone, answer(8));
}

/// A message is pipelined over hops: a ring through switches costs its bytes once, not once a hop. 384 MB around 4 ranks at 392 GB/s:
/// 2 x 3/4 x 384 MB / 392 GB/s = 1.469 ms, and the copy of each rank's own quarter, 384 MB / 4 / 2 / 392 GB/s = 0.122 ms.
#[test]
fn hops_are_pipelined() {
    let fabric = fabric(&cloudmatrix(1));
    let (network, library) = (Network::new(&fabric), weightless());
    let collective = Collective { op: Op::AllReduce, ranks: 4, bytes: Bytes::new(384e6) };
    let timing = Pricing::new(&network, &library).price(&collective, Some(Algorithm::Ring)).unwrap();
    assert_close(wire(&timing), 1.469_387_755e-3 + 0.122_448_979_6e-3, "ring");
}

/// A GB is 10^9 bytes: 392 MB at 392 GB/s take a millisecond.
#[test]
fn a_gigabyte_is_decimal() {
    let fabric = fabric(&cloudmatrix(1));
    let network = Network::new(&fabric);
    let (time, _) = network.pair(0, 1).serialisation(&fabric, Bytes::new(392e6), Bytes::new(392e6));
    assert_close(time.get(), 1e-3, "392 MB");
}

/// The time of an equal all-to-all grows with the ranks when each pair exchanges a fixed number of bytes.
#[test]
fn all_to_all_grows_with_the_ranks() {
    let fabric = fabric(&cloudmatrix(48));
    let network = Network::new(&fabric);
    for ranks in [2, 8, 9, 64, 384] {
        let (time, _) = network.all_to_all(ranks).serialisation(&fabric, Bytes::new(1e6), Bytes::new(1e6));
        assert_close(time.get(), f64::from(ranks - 1) * 1e6 / PORTS, "all-to-all");
    }
}

/// A ring inside one node stays there; the same ring on one chip of every node crosses the spines at each step, which adds two links
/// to each hop and nothing to the bytes at the port.
#[test]
fn placement_moves_a_group_across_levels() {
    let fabric = fabric(&cloudmatrix(8));
    let network = Network::new(&fabric);
    let ring = |placement: &str| network.play(&placement.parse::<Placement>().unwrap().group(8, &fabric).unwrap(), TrafficPattern::Ring);
    let (inside, across) = (ring("by-level"), ring("strided:8"));
    assert_eq!((inside.hops, across.hops), (2, 4));
    assert!(across.latency > inside.latency);
    assert_eq!(ring("chips:0,8,16,24,32,40,48,56"), across);
    assert_close(inside.peaks[0].bytes_per_link, across.peaks[0].bytes_per_link, "port");
}

/// Smaller with every doubling, and never zero: the floor is launch, rounds and the first chunk.
#[test]
fn small_messages_have_a_floor() {
    let fabric = fabric(&cloudmatrix(1));
    let (network, library) = (Network::new(&fabric), load_library("cann").unwrap());
    let mut pricing = Pricing::new(&network, &library);
    let mut time = |bytes| pricing.price(&Collective { op: Op::AllReduce, ranks: 8, bytes: Bytes::new(bytes) }, None).unwrap().total().get();
    assert!(time(1.0) > 9e-6 && time(1.0) < 30e-6);
    assert!(time(2048.0) < time(1_048_576.0));
}

/// NCCL inside one host has rings; between hosts of four GPUs it adds trees: 2 x ceil(log2 72) = 14 rounds instead of 2 x 71.
#[test]
fn trees_are_offered_between_hosts_alone() {
    let spec = supernode::input::spec::load_supernode("gb200-nvl72").unwrap();
    let (fabric, round) = (fabric(&spec), spec.library.round.value);
    let network = Network::new(&fabric);
    let mut pricing = Pricing::new(&network, &spec.library);
    let mut price = |ranks| pricing.price(&Collective { op: Op::AllReduce, ranks, bytes: Bytes::new(1024.0) }, None).unwrap();
    let (one_host, rack) = (price(4), price(72));
    assert_eq!((one_host.algorithm, rack.algorithm), (Algorithm::Ring, Algorithm::DoubleTree));
    assert_close(one_host.synchronisation.get(), (round * 6.0).get(), "2 x 3 rounds");
    assert_close(rack.synchronisation.get(), (round * 14.0).get(), "14 rounds");
}

/// One step of the command's table for each trap that makes peers hang or fail: one byte, two ranks, odd ranks, a group above 8.
#[test]
fn awkward_groups_get_answers() {
    let fabric = fabric(&cloudmatrix(5));
    let (network, library) = (Network::new(&fabric), weightless());
    let mut pricing = Pricing::new(&network, &library);
    for ranks in [2, 3, 7, 9, 11, 13, 39, 40] {
        for (op, _) in Op::ALL {
            let timing = pricing.price(&Collective { op, ranks, bytes: Bytes::new(1.0) }, None).unwrap();
            assert!(timing.total().get() > 0.0 && timing.total().get().is_finite());
        }
    }
}

#[test]
fn errors_say_what_would_work() {
    let fabric = fabric(&cloudmatrix(2));
    let (network, library) = (Network::new(&fabric), weightless());
    let mut pricing = Pricing::new(&network, &library);
    let mut error =
        |op, ranks, bytes, algorithm| pricing.price(&Collective { op, ranks, bytes: Bytes::new(bytes) }, algorithm).unwrap_err().to_string();
    let cases = [
        (error(Op::AllReduce, 1, 1.0, None), "a collective needs at least 2 ranks"),
        (error(Op::AllReduce, 17, 1.0, None), "17 ranks asked for, the machine has 16 chips"),
        (error(Op::AllReduce, 8, 0.0, None), "the size must be more than zero"),
        (error(Op::AllReduce, 8, f64::NAN, None), "the size must be more than zero"),
        (error(Op::AllReduce, 8, 1e30, None), "the size must be at most 1e24 B"),
        (
            error(Op::AllReduce, 6, 1.0, Some(Algorithm::HalvingDoubling)),
            "algorithm `halving_doubling` needs a power of two of ranks, such as 4 or 8; here `ring`, `multi_ring`, `double_tree`, `direct`, \
             `one_shot` and `auto` work",
        ),
        (
            error(Op::AllReduce, 8, 1.0, Some(Algorithm::Bruck)),
            "algorithm `bruck` does not do all_reduce; here `ring`, `multi_ring`, `halving_doubling`, `double_tree`, `direct`, `one_shot` and \
             `auto` work",
        ),
        (
            error(Op::AllReduce, 9, 1.0, Some(Algorithm::Hierarchical)),
            "algorithm `hierarchical` needs ranks that fill whole groups, such as a multiple of 8; here `ring`, `double_tree`, `direct`, \
             `one_shot` and `auto` work",
        ),
        (
            error(Op::AllToAll, 8, 1.0, Some(Algorithm::Hierarchical)),
            "algorithm `hierarchical` needs ranks in several groups of a level; here `direct`, `pairwise`, `bruck` and `auto` work",
        ),
        (
            error(Op::AllGather, 9, 1.0, Some(Algorithm::InNetwork)),
            "algorithm `in_network` needs switches with in_network_reduction that reach all ranks; here `ring`, `direct` and `auto` work",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn placements_that_cannot_be_are_refused() {
    let fabric = fabric(&cloudmatrix(2));
    let error = |text: &str, ranks| match text.parse::<Placement>() {
        Ok(placement) => CollectiveError::from(placement.group(ranks, &fabric).unwrap_err()).to_string(),
        Err(error) => error.to_string(),
    };
    let cases = [
        (error("diagonal", 2), "`diagonal` is not a placement; use `by-level`, `strided:8`, `strided:8+3` (from chip 3) or `chips:0,9,18`"),
        (error("strided:8", 3), "rank 2 would be on chip 16, the machine has chips 0 to 15"),
        (error("strided:0", 2), "two ranks would be on chip 0; every rank needs a chip of its own"),
        (error("chips:0,1", 3), "the list has 2 chips for 3 ranks; leave --ranks out to use the whole list"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

/// All links of a torus are busy: 1 GiB over a pod takes at most half as long again as the ports of one chip need at the library's share of the wire.
#[test]
fn tori_use_all_their_dimensions() {
    for name in ["tpu-v7-pod", "tpu-v5p-pod", "trn2-ultraserver"] {
        let spec = load_supernode(name).unwrap();
        let fabric = supernode::fabric::build(&spec).unwrap();
        let network = Network::new(&fabric);
        let mut pricing = Pricing::new(&network, &spec.library);
        for op in [Op::AllReduce, Op::AllGather, Op::ReduceScatter] {
            let collective = Collective { op, ranks: fabric.chips, bytes: GIB };
            let timing = pricing.price(&collective, None).unwrap();
            let bound = pricing.lower_bound(&collective).unwrap() / spec.library.wire_efficiency.value.get();
            assert_eq!(timing.algorithm, Algorithm::MultiRing, "{name}, {}", op.name());
            assert!(timing.total() < bound * 1.5, "{name}, {}: {timing:?}, bound {bound:?}", op.name());
        }
    }
}

/// A broadcast over hosts uses the NICs of all GPUs: eight chains, each with an eighth.
#[test]
fn a_broadcast_over_hosts_uses_every_nic() {
    let spec = load_supernode("hgx-h100-ib-64").unwrap();
    let fabric = supernode::fabric::build(&spec).unwrap();
    let network = Network::new(&fabric);
    let collective = Collective { op: Op::Broadcast, ranks: 64, bytes: GIB * 16.0 };
    let timing = Pricing::new(&network, &spec.library).price(&collective, None).unwrap();
    // One 400G card carries 49 GB/s.
    assert!((collective.bytes / timing.total()).get() > 5.0 * 49e9, "{} s", timing.total().get());
}

/// The routing policy is a property of the machine: what its file states holds wherever none is asked for, in one simulation and in a series.
#[test]
fn the_machine_states_its_routing() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("routed.toml");
    std::fs::write(&path, "schema = 1\nextends = \"trn2-ultraserver\"\n[supernode]\nrouting = \"valiant\"\n").unwrap();
    let stated = supernode::fabric::build(&load_supernode(path.to_str().unwrap()).unwrap()).unwrap();
    let plain = supernode::fabric::build(&load_supernode("trn2-ultraserver").unwrap()).unwrap();
    let loads = |network: &Network<'_>| network.full_loads(&Group::first(64), TrafficPattern::Ring).bytes;
    let asked = loads(&Network::with_routing(&plain, RoutingPolicy::Valiant));
    assert_eq!(loads(&Network::new(&stated)), asked);
    assert_eq!(loads(&Network::among(&stated, &RoutedFabrics::default())), asked);
    assert_ne!(loads(&Network::new(&plain)), asked);
}
