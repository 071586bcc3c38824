//! What reduction inside switches is worth to a model that runs with tensor parallelism.

use supernode::execution::Communication;
use supernode::fabric;
use supernode::input::spec::{Spec, load_supernode};
use supernode::network::{Network, Op};
use supernode::units::{Bytes, Seconds};

fn all_reduce(spec: &Spec, reduces: bool, bytes: f64) -> Seconds {
    let mut fabric = fabric::build(spec).unwrap_or_else(|problems| panic!("{problems}"));
    for part in &mut fabric.switches {
        part.switch.in_network_reduction &= reduces;
    }
    let network = Network::new(&fabric);
    Communication::new(&network, &spec.library).collective(Op::AllReduce, 8, Bytes::new(bytes))
}

/// Eight chips on switches that reduce send 9/8 S instead of 2 x 7/8 S with half of an own eighth, and wait for no rounds instead of two. So a
/// long all-reduce takes 18/29 of the time, and a short one saves the round of one-shot, less the way down from the switch.
#[test]
fn one_trip_instead_of_two() {
    let spec = load_supernode("ref-tomahawk-ultra-64").unwrap_or_else(|problems| panic!("{problems}"));
    let (long, short) = (1e12, 1.0);
    let ratio = all_reduce(&spec, true, long) / all_reduce(&spec, false, long);
    assert!((ratio - 18.0 / 29.0).abs() < 0.001, "{ratio}");
    let saved = all_reduce(&spec, false, short) - all_reduce(&spec, true, short);
    assert!(saved > spec.library.round.value * 0.5, "{saved:?}");
}
