//! Collectives on CloudMatrix384 against closed forms. Worked from the machine alone: 28 GB/s links, seven planes, two dies, so a
//! package sends 7 x 2 x 28 = 392 GB/s; 16 uplinks of each first-tier switch carry what its 16 chip links bring, so nothing above the
//! chip's own ports can be slower.

use supernode::fabric;
use supernode::input::spec::{Spec, load_supernode};
use supernode::network::{Algorithm, Collective, Network, Op, Pricing};
use supernode::units::Bytes;

const INJECTION: f64 = 7.0 * 2.0 * 28e9;

fn cloudmatrix() -> Spec {
    load_supernode("cloudmatrix384").unwrap()
}

/// Relative difference.
fn apart(a: f64, b: f64) -> f64 {
    ((a - b) / b).abs()
}

/// Every rank sends (n-1)/n of its buffer through its own ports, and that is the slowest place; its own part S/n is copied locally at
/// twice the wire rate.
#[test]
fn all_to_all_is_bound_by_injection() {
    let spec = cloudmatrix();
    let fabric = fabric::build(&spec).unwrap();
    let network = Network::new(&fabric);
    let mut pricing = Pricing::new(&network, &spec.library);
    let efficiency = spec.library.wire_efficiency.value.get();
    for power in 20..=30 {
        let bytes = f64::from(1u32 << power);
        let collective = Collective { op: Op::AllToAll, ranks: 384, bytes: Bytes::new(bytes) };
        let timing = pricing.price(&collective, Some(Algorithm::Direct)).unwrap();
        let expected = (383.0 + 0.5) / 384.0 * bytes / INJECTION / efficiency;
        assert!(apart(timing.serialisation.get(), expected) < 1e-12, "{bytes}: {:?} against {expected}", timing.serialisation);
        let peak = timing.bottleneck.unwrap();
        assert!(peak.at_chip, "the chip's own links; those between the tiers carry as much, and no more");
    }
}

/// Direct: reduce-scatter then all-gather, each (n-1)/n through the ports. Ring: 2(n-1) rounds of S/n between neighbours, which have
/// seven planes and both dies to themselves inside a node and across it.
#[test]
fn all_reduce_moves_what_theory_says() {
    let spec = cloudmatrix();
    let fabric = fabric::build(&spec).unwrap();
    let network = Network::new(&fabric);
    let mut pricing = Pricing::new(&network, &spec.library);
    let efficiency = spec.library.wire_efficiency.value.get();
    for ranks in [2u32, 8, 16, 384] {
        for bytes in [1048576.0, 1073741824.0] {
            let collective = Collective { op: Op::AllReduce, ranks, bytes: Bytes::new(bytes) };
            let n = f64::from(ranks);
            let bound = pricing.lower_bound(&collective).unwrap();
            let expected = (2.0 * (n - 1.0) + 0.5) / n * bytes / INJECTION / efficiency;
            for algorithm in [Algorithm::Ring, Algorithm::Direct] {
                let timing = pricing.price(&collective, Some(algorithm)).unwrap();
                assert!(apart(timing.serialisation.get(), expected) < 1e-12, "{algorithm:?} {ranks} {bytes}");
                assert!(timing.total() > bound);
            }
        }
    }
}

/// Small messages: the direct algorithm takes two rounds, the ring 2(n-1), so `auto` takes the direct one and is never slower than any.
#[test]
fn auto_takes_the_fastest() {
    let spec = cloudmatrix();
    let fabric = fabric::build(&spec).unwrap();
    let network = Network::new(&fabric);
    let mut pricing = Pricing::new(&network, &spec.library);
    for (op, _) in Op::ALL {
        for bytes in [1.0, 65536.0, 1e9] {
            let collective = Collective { op, ranks: 48, bytes: Bytes::new(bytes) };
            let chosen = pricing.price(&collective, None).unwrap();
            let bound = pricing.lower_bound(&collective).unwrap();
            for timing in pricing.ranking(&collective).unwrap() {
                assert!(chosen.total() <= timing.total());
                assert!(bound < timing.total(), "{op:?} {bytes}: nothing beats its bound");
            }
        }
    }
}

/// The collapsed all-to-all (one destination for all) and the full one (every destination) load the same channels alike.
#[test]
fn collapsed_equals_full() {
    let spec = cloudmatrix();
    let fabric = fabric::build(&spec).unwrap();
    let network = Network::new(&fabric);
    let (collapsed, full) = (network.all_to_all(384), network.full_all_to_all(384));
    assert_eq!(collapsed.peaks.len(), full.peaks.len());
    for (a, b) in collapsed.peaks.iter().zip(&full.peaks) {
        assert!(apart(a.bytes_per_link, b.bytes_per_link) < 1e-9, "{a:?} {b:?}");
    }
    assert_eq!(collapsed.latency, full.latency);
}

/// 384 x 383 pairs; a pair in one node crosses 2 links, any other 4: 384 (7 x 2 + 376 x 4) = 582 912 bytes over links.
#[test]
fn no_byte_is_lost_or_gained() {
    let spec = cloudmatrix();
    let fabric = fabric::build(&spec).unwrap();
    let network = Network::new(&fabric);
    for profile in [network.full_all_to_all(384), network.all_to_all(384)] {
        assert!(apart(profile.sent_bytes, 384.0 * 383.0) < 1e-12, "{}", profile.sent_bytes);
        assert!(apart(profile.link_bytes.iter().sum(), 384.0 * (7.0 * 2.0 + 376.0 * 4.0)) < 1e-12);
    }
}
