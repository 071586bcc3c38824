//! What reduction inside switches is worth to a model that runs with tensor parallelism.

use supernode::execution::Communication;
use supernode::fabric;
use supernode::input::spec::{Spec, load_supernode};
use supernode::network::Network;
use supernode::units::{Bytes, Seconds};

fn all_reduce(spec: &Spec, reduces: bool, bytes: f64) -> Seconds {
    let mut fabric = fabric::build(spec).unwrap_or_else(|problems| panic!("{problems}"));
    for part in &mut fabric.switches {
        part.switch.in_network_reduction &= reduces;
    }
    let network = Network::new(&fabric);
    Communication::new(&network, &spec.library).all_reduce(8, Bytes::new(bytes))
}

/// Eight chips on switches that reduce send S once instead of 2 x 7/8 S and wait for one round instead of two. So a long all-reduce takes
/// 4/7 of the time, and a short one saves one round and one path.
#[test]
fn one_trip_instead_of_two() {
    let spec = load_supernode("ref-tomahawk-ultra-64").unwrap_or_else(|problems| panic!("{problems}"));
    let (long, short) = (1e12, 1.0);
    let ratio = all_reduce(&spec, true, long) / all_reduce(&spec, false, long);
    assert!((ratio - 4.0 / 7.0).abs() < 0.001, "{ratio}");
    let saved = all_reduce(&spec, false, short) - all_reduce(&spec, true, short);
    assert!(saved > spec.library.round.value, "{saved:?}");
}
