//! The worked example of docs/model/experts.md, digit by digit.

use supernode::fabric;
use supernode::input::spec::load_supernode;
use supernode::network::{ExpertTraffic, Network};
use supernode::units::Bytes;

/// Dispatch of 128 tokens a rank to 8 of 256 experts over 32 ranks (dies) on 16 packages of CloudMatrix384.
///
/// - message: 7 168 INT8 elements and 332 B beside them, 7 500 B; pair of ranks: 7 500 x 128 x 8 / 32 = 240 000 B
/// - pair of packages: 2 x 2 pairs of ranks, 960 000 B; one package to 15 others over 14 links of 28 GB/s: 14.4 MB / 392 GB/s = 36.735 µs
/// - at 0.745 of the wire: 49.308 µs
/// - path over two nodes: 2 x 190 (endpoints) + 2 x 22.5 (board) + 3 x 100 (switches) + 2 x 94.4 (optics) = 913.8 ns
/// - quantising and packing: 13.4 x 7 500 x 128 B at 0.745 of 196 GB/s = 88.097 µs; beside the wire (49.308^4 + 88.097^4)^(1/4) = 90.184 µs
/// - start 10.2 µs, fan-out 6.42 log2(32) = 32.1 µs; in all 133.40 µs. Published: 133 µs.
#[test]
fn dispatch_by_hand() {
    let spec = load_supernode("cloudmatrix384").unwrap();
    let fabric = fabric::build(&spec).unwrap();
    let network = Network::new(&fabric);
    let traffic = ExpertTraffic { ranks: 32, tokens: 128.0, copies: 8.0, message: Bytes::new(7168.0), imbalance: 1.0, routed: 256.0 };
    let profile = network.all_to_all(16);
    assert!((profile.latency.get() - 913.8e-9).abs() < 1e-15, "{:?}", profile.latency);
    let (time, _) = traffic.time(&network, &profile, &spec.library.dispatch);
    let (wire, packing) = (14.4 / 0.392 / 0.745, 13.4 * 0.96 / 0.196 / 0.745);
    let by_hand = 10.2 + 32.1 + 0.9138 + f64::sqrt((wire * wire) * (wire * wire) + (packing * packing) * (packing * packing)).sqrt();
    assert!((time.microseconds() - by_hand).abs() < 1e-9, "{} against {by_hand}", time.microseconds());
    assert!((by_hand - 133.40).abs() < 0.01);
}
