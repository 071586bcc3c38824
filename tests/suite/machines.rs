//! Machines and libraries for tests: shipped ones, cut to size.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

use supernode::fabric::{Fabric, build};
use supernode::input::document::Library;
use supernode::input::spec::{Spec, load_library, load_supernode};
use supernode::units::{Bytes, Figure, Ratio, Seconds};

/// `CloudMatrix384` with another number of nodes; 8 chips a node, 392 GB/s a chip one way, no channel narrower than what feeds it.
pub fn cloudmatrix(nodes: u32) -> Spec {
    let mut spec = load_supernode("cloudmatrix384").unwrap();
    spec.levels[1].size = nodes;
    lift_port_limits(&mut spec);
    spec
}

/// Lets machines grow beyond what their switches' ports allow: the question here is not whether one can build them.
fn lift_port_limits(spec: &mut Spec) {
    use supernode::input::spec::PatternSpec;
    for level in &mut spec.levels {
        match &mut level.pattern {
            PatternSpec::Switch { part, .. } => (part.switch.lanes, part.switch.ports) = (u32::MAX, None),
            PatternSpec::Clos { spine, .. } => (spine.switch.lanes, spine.switch.ports) = (u32::MAX, None),
            _ => {}
        }
    }
}

/// The same with switches that reduce.
pub fn reducing(mut spec: Spec) -> Spec {
    use supernode::input::spec::PatternSpec;
    for level in &mut spec.levels {
        match &mut level.pattern {
            PatternSpec::Switch { part, .. } => part.switch.in_network_reduction = true,
            PatternSpec::Clos { spine, .. } => spine.switch.in_network_reduction = true,
            _ => {}
        }
    }
    spec
}

pub fn fabric(spec: &Spec) -> Fabric {
    build(spec).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A library that adds nothing to the wire but the copy of a rank's own part.
pub fn weightless() -> Library {
    let mut library = load_library("cann").unwrap();
    for figure in [&mut library.launch, &mut library.round, &mut library.ramp] {
        *figure = Figure::plain(Seconds::ZERO);
    }
    library.wire_efficiency = Figure::plain(Ratio::new(1.0));
    (library.low_latency_efficiency, library.reduction_efficiency) = (None, None);
    library
}

/// A gibibyte.
pub const GIB: Bytes = Bytes::new(1_073_741_824.0);
