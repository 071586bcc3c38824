//! Flows of any size and patterns side by side, against times derived by hand.

use crate::machines::{cloudmatrix, fabric, weightless};
use supernode::network::{Accuracy, Algorithm, Collective, Flow, FlowStream, Group, Network, Op, Placement, Pricing, TrafficPattern};
use supernode::units::{Bytes, BytesPerSecond, Figure, Seconds};

/// Seven planes of two links of 28 GB/s, one way.
const PORTS: f64 = 392e9;

fn flow(source: u32, destination: u32, bytes: f64) -> Flow {
    Flow { source, destination, bytes: Bytes::new(bytes), start: Seconds::ZERO, after: Vec::new(), cap: None }
}

#[track_caller]
fn ends(network: &Network<'_>, flows: &[Flow]) -> Vec<f64> {
    network.run(flows, Accuracy::Exact).expect("flows that run").iter().map(|span| span.end.get()).collect()
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{found:e}, expected {expected:e}");
}

/// Chip 0 sends 392 MB to chip 1 and 196 MB to chip 2 over ports of 392 GB/s. Both run at half the rate until the small one has gone,
/// 2 x 196 MB / 392 GB/s = 1 ms; the other's last 196 MB then take 0.5 ms more.
#[test]
fn a_flow_speeds_up_when_its_neighbour_ends() {
    let fabric = fabric(&cloudmatrix(1));
    let network = Network::new(&fabric);
    let latency = network.pair(0, 1).latency.get();
    let ends = ends(&network, &[flow(0, 1, 392e6), flow(0, 2, 196e6)]);
    assert_close(ends[0], 1.5e-3 + latency);
    assert_close(ends[1], 1.0e-3 + latency);
}

/// The second flow waits for the first to arrive, then pays its own latency; a flow that stays on its chip takes no time; one with
/// a window of 98 GB/s takes four times as long as the port would.
#[test]
fn dependencies_caps_and_flows_that_stay() {
    let fabric = fabric(&cloudmatrix(1));
    let network = Network::new(&fabric);
    let latency = network.pair(0, 1).latency.get();
    let second = Flow { after: vec![0], ..flow(1, 2, 392e6) };
    let slow = Flow { cap: Some(BytesPerSecond::new(98e9)), ..flow(4, 5, 392e6) };
    let late = Flow { start: Seconds::new(1.0), ..flow(6, 7, 392e6) };
    let ends = ends(&network, &[flow(0, 1, 392e6), second, flow(3, 3, 1e9), slow, late]);
    assert_close(ends[0], 1e-3 + latency);
    assert_close(ends[1], 2e-3 + 2.0 * latency);
    assert_eq!(ends[2], 0.0);
    assert_close(ends[3], 4e-3 + latency);
    assert_close(ends[4], 1.001 + latency);
}

/// An all-to-all flow by flow ends when the loads of the pattern say, all flows together.
#[test]
fn equal_flows_end_when_the_profile_says() {
    let fabric = fabric(&cloudmatrix(3));
    let network = Network::new(&fabric);
    let flows: Vec<Flow> = (0..24).flat_map(|source| (0..24).filter(move |&to| to != source).map(move |to| flow(source, to, 1e9))).collect();
    let (wire, _) = network.all_to_all(24).serialisation(&fabric, Bytes::new(1e9), Bytes::new(1e9));
    // Flows inside a node start and end up to a path's latency earlier than those across, and leave their share to these.
    let longest = network.all_to_all(24).latency.get();
    for end in ends(&network, &flows) {
        assert!((end - wire.get()).abs() <= 2.0 * longest, "{end} against {} and {longest}", wire.get());
    }
}

/// Alone a pattern takes what its profile says.
#[test]
fn a_pattern_alone_takes_its_own_time() {
    let fabric = fabric(&cloudmatrix(4));
    let network = Network::new(&fabric);
    let stream = FlowStream { loads: network.loads(&Group::first(32), TrafficPattern::AllPairs), bytes: Bytes::new(1e6), start: Seconds::ZERO };
    let (wire, _) = network.all_to_all(32).serialisation(&fabric, Bytes::new(1e6), Bytes::new(1e6));
    let expected = (wire + stream.loads.latency).get();
    assert_close(network.run_together(&[stream]).unwrap()[0].get(), expected);
}

/// Every node's ring beside an all-to-all over one chip of each node. At the ports of those chips one ring flow (1 byte a unit) and
/// seven all-to-all flows share: eight equal rates r = 392 GB/s / 8. The all-to-all moves 49 MB a pair: 49 MB x 8 / 392 GB/s = 1 ms. The
/// rings have then moved 49 MB of their 98 MB, and take the rest at full rate: 49 MB / 392 GB/s = 0.125 ms.
#[test]
fn rings_in_nodes_and_an_all_to_all_across_share_the_ports() {
    let fabric = fabric(&cloudmatrix(8));
    let network = Network::new(&fabric);
    let nodes: Vec<Group> = (0..8).map(|node| Group::of((node * 8..node * 8 + 8).collect())).collect();
    let across = Placement::Strided { first: 0, stride: 8 }.group(8, &fabric).unwrap();
    let rings = FlowStream { loads: network.loads_of_groups(&nodes, TrafficPattern::Ring), bytes: Bytes::new(98e6), start: Seconds::ZERO };
    let exchange = FlowStream { loads: network.loads(&across, TrafficPattern::AllPairs), bytes: Bytes::new(49e6), start: Seconds::ZERO };
    let (ring_path, exchange_path) = (rings.loads.latency.get(), exchange.loads.latency.get());
    let ends = network.run_together(&[rings, exchange]).unwrap();
    // The paths differ by a microsecond or less, for which the rings run alone.
    assert!((ends[0].get() - 1.125e-3 - ring_path).abs() < 2e-6, "{:?}", ends[0]);
    assert!((ends[1].get() - 1e-3 - exchange_path).abs() < 2e-6, "{:?}", ends[1]);
}

/// Groups that share no channel do not slow each other.
#[test]
fn disjoint_groups_keep_their_pace() {
    let fabric = fabric(&cloudmatrix(2));
    let network = Network::new(&fabric);
    let stream = |first: u32| {
        let group = Group::of((first..first + 8).collect());
        FlowStream { loads: network.loads(&group, TrafficPattern::AllPairs), bytes: Bytes::new(392e6), start: Seconds::ZERO }
    };
    let ends = network.run_together(&[stream(0), stream(8)]).unwrap();
    for end in ends {
        assert!((end.get() - 7.0 * 392e6 / PORTS).abs() < 2e-6);
    }
}

#[test]
fn flows_that_cannot_be_are_refused() {
    let fabric = fabric(&cloudmatrix(1));
    let network = Network::new(&fabric);
    let error = |flows: &[Flow]| network.run(flows, Accuracy::Exact).unwrap_err().to_string();
    assert_eq!(error(&[flow(0, 8, 1.0)]), "chip 8 is not in the machine, which has chips 0 to 7");
    assert_eq!(error(&[Flow { after: vec![0], ..flow(0, 1, 1.0) }]), "flow 0 waits for itself through its dependencies");
    assert_eq!(error(&[Flow { after: vec![3], ..flow(0, 1, 1.0) }]), "a dependency names flow 3: there are 1 flows");
    assert_eq!(network.run(&[], Accuracy::Exact), Ok(Vec::new()));
}

/// Loads and stores with 196 kB in flight: over a round trip of 2 paths a chip moves no more than 196 kB / (2 x path), however wide its
/// ports. A flow takes its bytes over that rate, and an all-to-all of 8 ranks 7/8 S over it.
#[test]
fn a_load_store_window_caps_what_a_chip_moves() {
    let mut spec = cloudmatrix(1);
    spec.chip.io.load_store_window = Some(Figure::plain(Bytes::new(196e3)));
    let fabric = fabric(&spec);
    let network = Network::new(&fabric);
    let path = network.pair(0, 1).latency.get();
    let rate = 196e3 / (2.0 * path);
    assert!(rate < PORTS);
    assert_close(ends(&network, &[flow(0, 1, 1e6)])[0], path + 1e6 / rate);
    let library = weightless();
    let collective = Collective { op: Op::AllToAll, ranks: 8, bytes: Bytes::new(8e6) };
    let timing = Pricing::new(&network, &library).price(&collective, Some(Algorithm::Direct)).unwrap();
    // The copy of a rank's own eighth runs beside, at twice the ports' rate.
    assert_close((timing.serialisation + timing.waiting).get(), 7e6 / rate + 1e6 / (2.0 * PORTS));
}
