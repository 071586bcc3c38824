//! What the fabric offers before any collective runs: injection, bisection, diameter, latency.

use super::network::Network;
use super::profile::Profile;
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// Bandwidths are one direction; latencies are one way between chips, endpoints included, without software.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survey {
    /// What one chip can send.
    pub injection: BytesPerSecond,
    /// What the first half of the chips can send to the second half, all at once, over the routes that traffic takes.
    pub bisection: BytesPerSecond,
    /// Links on the longest shortest path between chips.
    pub diameter: u32,
    /// Nearest pair.
    pub latency_min: Seconds,
    /// Mean over all pairs.
    pub latency_mean: Seconds,
    /// Farthest pair.
    pub latency_max: Seconds,
}

/// Surveys a fabric.
#[must_use]
pub fn survey(network: &Network<'_>) -> Survey {
    let chips = network.fabric().chips;
    let destinations = if network.fabric().uniform { 0..1 } else { 0..chips };
    let mut routes = network.router().routes();
    let (mut min, mut sum, mut max, mut pairs, mut diameter) = (f64::INFINITY, 0.0, 0.0_f64, 0u64, 0);
    for destination in destinations {
        routes.towards(destination, chips as usize - 1, |node| node < chips);
        for (_, path) in routes.latencies(|node| node < chips) {
            min = min.min(path.mean.get());
            sum += path.mean.get();
            max = max.max(path.max.get());
            diameter = diameter.max(path.hops);
            pairs += 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "pairs are far below 2^53")]
    let mean = if pairs == 0 { 0.0 } else { sum / pairs as f64 };
    Survey {
        injection: network.injection(),
        bisection: bisection(network),
        diameter,
        latency_min: Seconds::new(if pairs == 0 { 0.0 } else { min }),
        latency_mean: Seconds::new(mean),
        latency_max: Seconds::new(max),
    }
}

fn bisection(network: &Network<'_>) -> BytesPerSecond {
    let chips = network.fabric().chips;
    let half = chips / 2;
    if half == 0 {
        return BytesPerSecond::ZERO;
    }
    let profile: Profile = network.between(0..half, half..half * 2);
    let long = Bytes::new(1e9);
    let pairs = f64::from(half) * f64::from(half);
    let (time, _) = profile.serialisation(network.fabric(), long, long);
    long * pairs / time
}
