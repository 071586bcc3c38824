//! What is timed, by name, and a fingerprint of the answer.
//!
//! The machines have the shape of `CloudMatrix384`: nodes of 8 chips on 7 planes of switches, 16 spines a plane. Port limits are
//! lifted, so that the same shape reaches 100 000 chips.
#![allow(dead_code, clippy::unwrap_used, reason = "each bench uses its own part; a bench may stop at what it does not expect")]

use std::hash::{DefaultHasher, Hasher};

use supernode::fabric::{Fabric, build};
use supernode::input::spec::{PatternSpec, Spec, load_supernode};
use supernode::network::Profile;

/// A machine of `chips` chips in nodes of 8.
pub fn spec(chips: u32) -> Spec {
    let mut spec = load_supernode("cloudmatrix384").unwrap();
    spec.levels[1].size = chips.div_ceil(8);
    for level in &mut spec.levels {
        match &mut level.pattern {
            PatternSpec::Switch { part, .. } => (part.switch.lanes, part.switch.ports) = (u32::MAX, None),
            PatternSpec::Clos { spine, .. } => (spine.switch.lanes, spine.switch.ports) = (u32::MAX, None),
            _ => {}
        }
    }
    spec
}

/// Its fabric.
pub fn fabric(chips: u32) -> Fabric {
    build(&spec(chips)).unwrap()
}

/// A fingerprint of a profile: the same answer to ten digits has the same one, on every machine and with every number of threads.
pub fn fingerprint(profile: &Profile) -> u64 {
    let mut hasher = DefaultHasher::new();
    for peak in &profile.peaks {
        hasher.write_u16(peak.link);
        hasher.write_u8(peak.level);
        hasher.write(digits(peak.bytes_per_link).as_bytes());
    }
    for &bytes in &profile.link_bytes {
        hasher.write(digits(bytes).as_bytes());
    }
    hasher.write(digits(profile.latency.get()).as_bytes());
    hasher.finish()
}

/// A fingerprint of one number.
pub fn fingerprint_of(value: f64) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(digits(value).as_bytes());
    hasher.finish()
}

fn digits(value: f64) -> String {
    format!("{value:.9e}")
}

/// Whether the bench harness was asked to measure; otherwise it runs each case once, as a test.
pub fn measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
