//! Groups that run at once, the bound that cuts set, and traps that make other simulators hang.

use crate::machines::{cloudmatrix, fabric, weightless};
use crate::topologies::machine::machine;
use supernode::fabric::Fabric;
use supernode::network::{
    Accuracy, Algorithm, Collective, ConcurrentCollective, ConcurrentError, ConcurrentTimings, ExpertTraffic, Flow, Network, Op, Placement, Pricing,
    concurrent_timings, groups,
};
use supernode::units::{Bytes, Seconds};

/// One way out of a chip of CloudMatrix384.
const PORTS: f64 = 392e9;

fn crowd(op: Op, ranks: u32, bytes: f64, placement: &str, groups: Option<u32>) -> ConcurrentCollective {
    let collective = Collective { op, ranks, bytes: Bytes::new(bytes) };
    ConcurrentCollective { collective, algorithm: Some(Algorithm::Direct), placement: placement.parse().expect("a placement"), groups }
}

fn timed(fabric: &Fabric, crowds: &[ConcurrentCollective]) -> Result<ConcurrentTimings, ConcurrentError> {
    concurrent_timings(&Network::new(fabric), &weightless(), crowds)
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{found:e}, expected {expected:e}");
}

/// Groups that fill nodes share no channel: all 6 take what one takes alone.
#[test]
fn groups_in_nodes_do_not_slow_each_other() {
    let fabric = fabric(&cloudmatrix(6));
    let answer = timed(&fabric, &[crowd(Op::AllToAll, 8, 1e9, "by-level", None)]).unwrap();
    let crowd = &answer.crowds[0];
    assert_eq!(crowd.groups, 6);
    assert_close(crowd.slowest.get(), crowd.alone.total().get());
    assert_close(crowd.fastest.get(), crowd.alone.total().get());
}

/// Two equal all-to-alls over the same chips share every port: each takes twice its 7/8 S / 392 GB/s on the wire, and once the rest.
#[test]
fn the_same_twice_takes_twice_the_wire() {
    let fabric = fabric(&cloudmatrix(1));
    let one = crowd(Op::AllToAll, 8, 392e6, "by-level", None);
    let answer = timed(&fabric, &[one.clone(), one]).unwrap();
    for crowd in answer.crowds {
        let wire = crowd.alone.serialisation + crowd.alone.waiting;
        assert_close(wire.get(), (7.0 / 8.0 + 0.5 / 8.0) * 392e6 / PORTS);
        assert_close((crowd.slowest - crowd.alone.total()).get(), wire.get());
    }
}

/// A short transfer beside a long one: chip 0 sends 98 MB to chip 1 and 49 MB to chip 2. Each has 196 GB/s until the shorter ends at
/// 0.25 ms, twice its time alone; the longer then has 49 MB left at 392 GB/s and ends at 0.375 ms, 1.5 times its time alone.
#[test]
fn the_longer_speeds_up_when_the_shorter_ends() {
    let fabric = fabric(&cloudmatrix(1));
    let pair = |bytes, chips| crowd(Op::Send, 2, bytes, chips, Some(1));
    let answer = timed(&fabric, &[pair(98e6, "chips:0,1"), pair(49e6, "chips:0,2")]).unwrap();
    let stretch = |crowd: usize| {
        let timing = &answer.crowds[crowd];
        1.0 + (timing.slowest - timing.alone.total()) / (timing.alone.serialisation + timing.alone.waiting)
    };
    assert_close(stretch(0), 1.5);
    assert_close(stretch(1), 2.0);
}

/// Strided groups of 3 over 4 x 3 chips at stride 4: chips 0, 4, 8, then 1, 5, 9 and so on. By level, 12 chips hold 2 groups of 5.
#[test]
fn groups_tile_the_machine() {
    let fabric = machine("[[level]]\nname = \"l\"\nsize = 12\nlink = \"PART(link)\"\n[level.full-mesh]");
    let chips = |placement: &str, ranks, count| {
        let groups = groups(&placement.parse::<Placement>().unwrap(), ranks, count, &fabric);
        groups.map(|groups| groups.iter().map(|group| group.chips().to_vec()).collect::<Vec<_>>()).map_err(|error| error.to_string())
    };
    assert_eq!(chips("strided:4", 3, None).unwrap(), [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]);
    assert_eq!(chips("by-level", 5, None).unwrap(), [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]);
    assert_eq!(
        chips("by-level", 5, Some(3)).unwrap_err(),
        "3 groups asked for, the machine has room for 2 that share no chip; `all` takes as many as fit"
    );
    assert_eq!(chips("by-level", 13, None).unwrap_err(), "rank 12 would be on chip 12, the machine has chips 0 to 11");
}

/// A ring of 8 chips, one link each way between neighbours at rate B. The half of 4 chips has two links out, so an all-to-all needs
/// 4 x 4 x S/8 / (2 B) = S / B for it; the ports alone would need 7/8 S / (2 B).
#[test]
fn a_cut_bounds_what_ports_do_not() {
    let fabric = machine("[[level]]\nname = \"l\"\nsize = 8\nlink = \"PART(link)\"\n[level.ring]");
    let (network, library) = (Network::new(&fabric), weightless());
    let link = network.injection().get() / 2.0;
    let collective = Collective { op: Op::AllToAll, ranks: 8, bytes: Bytes::new(1e9) };
    let mut pricing = Pricing::new(&network, &library);
    let timing = pricing.price(&collective, Some(Algorithm::Direct)).unwrap();
    let bound = pricing.lower_bound(&collective).unwrap();
    let path = network.all_to_all(8).latency.get();
    assert_close(bound.get() - path, 1e9 / link);
    assert!(timing.total() >= bound);
}

/// No algorithm beats its bound on machines whose cuts are narrow.
#[test]
fn nothing_beats_the_bound_where_cuts_are_narrow() {
    let level = |size: u32, pattern: &str| format!("[[level]]\nname = \"l\"\nsize = {size}\nlink = \"PART(link)\"\n{pattern}\n");
    let torus = level(12, "[level.torus]\ndimensions = [4, 3]");
    let nested = level(4, "[level.full-mesh]") + &level(4, "[level.ring]");
    for text in [torus, nested, level(8, "[level.ring]"), level(9, "[level.mesh]\ndimensions = [3, 3]")] {
        let fabric = machine(&text);
        let (network, library) = (Network::new(&fabric), weightless());
        let mut pricing = Pricing::new(&network, &library);
        for (op, _) in Op::ALL {
            for ranks in 2..=fabric.chips {
                let collective = Collective { op, ranks, bytes: Bytes::new(1e9) };
                let bound = pricing.lower_bound(&collective).unwrap().get();
                for timing in pricing.ranking(&collective).unwrap() {
                    let total = timing.total().get();
                    assert!(total >= bound * (1.0 - 1e-9), "{} {} of {ranks}: {total:e} < {bound:e}\n{text}", op.name(), timing.algorithm.name());
                }
            }
        }
    }
}

/// Links, switches and endpoints without any delay: times are bytes over rates, and nothing waits for an event that never comes.
#[test]
fn no_latency_at_all_still_gives_times() {
    let mut spec = cloudmatrix(2);
    spec.chip.io.endpoint_latency.value = Seconds::ZERO;
    let mut fabric = fabric(&spec);
    for link in &mut fabric.links {
        let link = &mut link.link;
        (link.serdes_latency.value, link.fec_latency.value) = (Seconds::ZERO, Seconds::ZERO);
        link.delay_per_metre.value = link.delay_per_metre.value * 0.0;
        if let supernode::input::document::Medium::Optical { module_latency, .. } = &mut link.medium {
            module_latency.value = Seconds::ZERO;
        }
    }
    for part in &mut fabric.switches {
        part.switch.latency.value = Seconds::ZERO;
    }
    let (network, library) = (Network::new(&fabric), weightless());
    let profile = network.all_to_all(16);
    assert_eq!(profile.latency, Seconds::ZERO);
    let collective = Collective { op: Op::AllToAll, ranks: 16, bytes: Bytes::new(392e6) };
    let timing = Pricing::new(&network, &library).price(&collective, Some(Algorithm::Direct)).unwrap();
    assert_close(timing.total().get(), (15.0 / 16.0 + 0.5 / 16.0) * 1e-3);
    let flow = |start| Flow { source: 0, destination: 9, bytes: Bytes::new(392e6), start, after: Vec::new(), cap: None };
    assert_close(network.run(&[flow(Seconds::ZERO)], Accuracy::Exact).unwrap()[0].end.get(), 1e-3);
}

/// Nothing runs between two flows a second apart: the queue of ends is empty, the queue of starts is not.
#[test]
fn an_idle_fabric_waits_for_the_next_start() {
    let fabric = fabric(&cloudmatrix(1));
    let network = Network::new(&fabric);
    let flow = |start: f64, after: &[u32]| Flow {
        source: 0,
        destination: 1,
        bytes: Bytes::new(392e6),
        start: Seconds::new(start),
        after: after.to_vec(),
        cap: None,
    };
    let path = network.pair(0, 1).latency.get();
    let spans = network.run(&[flow(0.0, &[]), flow(1.0, &[0])], Accuracy::Exact).unwrap();
    assert_close(spans[0].end.get(), 1e-3 + path);
    assert_close(spans[1].end.get(), 1.001 + path);
}

/// 16 chips of two ranks in 2 nodes, 100 tokens a rank to 4 experts, 1 000 B a message, on a kernel without constants. Merged copies
/// reach 2 (1 - (1/2)^4) = 1.875 nodes and 32 (1 - (31/32)^4) distinct ranks. Across, a rank sends 100 x 1.875 / 2 messages to its equal;
/// inside, 100 x 3.8165 / 16 to each of 15.
#[test]
fn relayed_tokens_cross_once_to_each_node() {
    let fabric = fabric(&cloudmatrix(2));
    assert_eq!(fabric.chip.ranks, 2);
    let network = Network::new(&fabric);
    let mut kernel = weightless().dispatch;
    kernel.merges_copies = true;
    kernel.message_overhead.value = Bytes::ZERO;
    let traffic = ExpertTraffic { ranks: 32, tokens: 100.0, copies: 4.0, message: Bytes::new(1000.0), imbalance: 1.0, routed: 256.0 };
    let relayed = traffic.relayed(&network, &kernel).unwrap();
    assert_close(relayed.across.get(), 93_750.0);
    let distinct = 32.0 * (1.0 - (31.0_f64 / 32.0).powi(4));
    assert_close(relayed.inside.get(), 100_000.0 * distinct / 16.0 * 15.0);
    let busy = ExpertTraffic { imbalance: 2.0, ..traffic }.relayed(&network, &kernel).unwrap();
    assert_close(busy.inside.get(), 2.0 * relayed.inside.get());
    assert!(busy.time > relayed.time);
    for ranks in [16, 24, 2] {
        assert_eq!(ExpertTraffic { ranks, ..traffic }.relayed(&network, &kernel), None, "{ranks} ranks fill no two nodes");
    }
}
