//! What must hold of every result, whatever was read.

use supernode::fabric::Fabric;
use supernode::footprint::Power;
use supernode::input::spec::Spec;
use supernode::network::{Collective, CollectiveError, LibraryProtocol, Network, Op, Pricing, fabric_metrics};
use supernode::serving::PhasePoint;
use supernode::study::Simulation;
use supernode::training::TrainingStep;
use supernode::units::Bytes;

/// Chips up to which a machine is asked questions.
pub const MOST_CHIPS: u32 = 72;
/// Share by which two sums of the same parts may differ.
const ROUNDING: f64 = 1e-9;

/// Finite and not below zero.
pub fn amount(what: &str, value: f64) {
    assert!(value.is_finite() && value >= 0.0, "{what} is {value}");
}

/// Finite and above zero.
pub fn positive(what: &str, value: f64) {
    assert!(value.is_finite() && value > 0.0, "{what} is {value}");
}

/// Between 0 and 1.
pub fn share(what: &str, value: f64) {
    assert!((-ROUNDING..=1.0 + ROUNDING).contains(&value), "{what} is {value}");
}

fn near(what: &str, a: f64, b: f64) {
    assert!((a - b).abs() <= ROUNDING * a.abs().max(b.abs()), "{what}: {a} and {b}");
}

/// The survey of a fabric and its collectives.
pub fn network(spec: &Spec, fabric: &Fabric) {
    let network = Network::new(fabric);
    let metrics = fabric_metrics(&network);
    let chips = fabric.chips;
    if chips > 1 {
        positive("injection", metrics.injection.get());
        amount("bisection", metrics.bisection.get());
        amount("shortest latency", metrics.latency_min.get());
        let (low, high) = (metrics.latency_min.get(), metrics.latency_max.get());
        assert!(low <= high * (1.0 + ROUNDING), "the shortest latency is {low}, the longest {high}");
        assert!((low * (1.0 - ROUNDING)..=high * (1.0 + ROUNDING)).contains(&metrics.latency_mean.get()), "the mean latency is outside");
        near("shares of distances", metrics.distances.iter().map(|distance| distance.share).sum(), 1.0);
    }
    metrics.groups.iter().for_each(|group| amount("outward bandwidth", group.outward.get()));
    let mut pricing = Pricing::new(&network, &spec.library);
    for op in [Op::AllReduce, Op::AllGather, Op::AllToAll, Op::Broadcast] {
        let mut before = 0.0;
        for bytes in [1e3, 1e6, 1e9] {
            let collective = Collective { op, ranks: chips, bytes: Bytes::new(bytes) };
            let Ok(timing) = pricing.price(&collective, None) else { continue };
            let parts = [timing.launch, timing.synchronisation, timing.propagation, timing.serialisation, timing.waiting, timing.ramp];
            parts.iter().for_each(|part| amount("a part of a collective", part.get()));
            near("parts of a collective", parts.iter().map(|part| part.get()).sum(), timing.total().get());
            positive("a collective's time", timing.total().get());
            let bound = pricing.lower_bound(&collective).map_or(0.0, supernode::units::Seconds::get);
            assert!(timing.total().get() >= bound * (1.0 - ROUNDING), "{op:?} of {bytes} B is faster than its lower bound");
            let ways = network.injection().max(network.egress());
            let bus = timing.bus_bandwidth(&collective).get();
            assert!(
                timing.protocol == LibraryProtocol::InSwitch || bus <= ways.get() * (1.0 + 1e-6),
                "{op:?} of {bytes} B: {bus} B/s through {ways:?}"
            );
            assert!(timing.total().get() >= before * (1.0 - ROUNDING), "{op:?}: {bytes} B take less time than fewer");
            before = timing.total().get();
        }
    }
    let nothing = pricing.price(&Collective { op: Op::AllReduce, ranks: 1, bytes: Bytes::new(1.0) }, None);
    assert!(matches!(nothing, Err(CollectiveError::TooFewRanks)), "one rank alone has nothing to reduce");
}

/// Watts and where they are drawn.
pub fn power(power: &Power) {
    for line in &power.lines {
        amount(&format!("waiting of {}", line.part), line.waiting.get());
        amount(&format!("working of {}", line.part), line.working.get());
        amount(&format!("rating of {}", line.part), line.rated.get());
    }
    near("watts by place", power.by_place().iter().map(|(_, watts)| watts.get()).sum(), power.total().get());
    let purposes: f64 = power.purposes.iter().map(|(_, watts)| watts.get()).sum();
    assert!((purposes - power.total().get()).abs() <= 1e-6 * power.total().get(), "watts by purpose: {purposes} of {:?}", power.total());
    assert!(power.slowdown.is_finite() && power.slowdown >= 1.0 - ROUNDING, "a limit speeds up: {}", power.slowdown);
}

fn phase(what: &str, phase: &PhasePoint) {
    positive(what, phase.rate.get());
    positive("latency", phase.point.latency().get());
    positive("batch", phase.point.batch);
    positive("instances", f64::from(phase.instances));
    let step = &phase.point.step;
    positive("time of a pass", step.time.get());
    step.stages.iter().for_each(|stage| amount("a stage", stage.time.get()));
    amount("drafting", step.drafting.get());
    assert!(step.time.get() >= step.unlimited.get() * (1.0 - ROUNDING), "a limit speeds up");
    step.operators.iter().for_each(|(name, joules)| amount(name, joules.get()));
    share("a chip's rest", 1.0 - 1.0 / step.pace.rest.max(1.0));
}

/// What a machine serves.
pub fn simulation(simulation: &Simulation) {
    for (what, found) in [("decode", &simulation.decode), ("prefill", &simulation.prefill), ("both", &simulation.aggregated)] {
        if let Some(Ok(found)) = found {
            phase(what, found);
        }
    }
    power(&simulation.power);
    let service = simulation.verdict.service;
    amount("served", service.rate.get());
    share("chips that prefill", service.prefill_share);
    share("chips that make clips", service.video_share);
    share("chips that work", service.prefill_share + service.video_share);
    simulation.energy_per_token.iter().for_each(|joules| positive("energy of a token", joules.get()));
    simulation.requests_per_second.iter().for_each(|rate| amount("requests", *rate));
    if let Some(supernodes) = simulation.supernodes() {
        positive("supernodes", supernodes);
    }
}

/// A training step.
pub fn training(step: &TrainingStep) {
    positive("time of a step", step.time.get());
    let parts = step.parts();
    parts.iter().for_each(|(name, part)| amount(name, part.get()));
    let sum: f64 = parts.iter().map(|(_, part)| part.get()).sum();
    assert!((sum - step.time.get()).abs() <= 1e-6 * step.time.get(), "parts of a step: {sum} of {:?}", step.time);
    positive("rest of the pace", step.pace.rest);
}
