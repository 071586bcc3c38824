//! What is timed, by name, and a fingerprint of the answer.
//!
//! The machines have the shape of `CloudMatrix384`: nodes of 8 chips on 7 planes of switches, 16 spines a plane. Port limits are
//! lifted, so that the same shape reaches 100 000 chips.
#![allow(dead_code, clippy::unwrap_used, reason = "each bench uses its own part; a bench may stop at what it does not expect")]

use std::hash::{DefaultHasher, Hasher};
use std::hint::black_box;
use std::time::Instant;

use supernode::fabric::{Fabric, build};
use supernode::input::spec::{Cable, CustomEnd, CustomSpec, PatternSpec, Spec, load_supernode};
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

/// Chips with six links each, three rings through all of them in random orders laid over each other: a graph of which no two parts are alike.
pub fn random_graph(chips: u32) -> Fabric {
    let mut spec = load_supernode("tpu-v5p-pod").unwrap();
    let cable = Cable { link: spec.levels[0].link.clone(), count: 1 };
    let mut random = supernode::units::SplitMix64::new(7, 0);
    let mut links = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let mut order: Vec<(u64, u32)> = (0..chips).map(|chip| (random.uniform().to_bits(), chip)).collect();
        order.sort_unstable();
        links.extend((0..order.len()).map(|place| (order[place].1, order[(place + 1) % order.len()].1)));
    }
    let links = links.into_iter().map(|(a, b)| (CustomEnd::Child(a), CustomEnd::Child(b), cable.clone())).collect();
    spec.levels[0].size = chips;
    spec.levels[0].pattern = PatternSpec::Custom(CustomSpec { switches: Vec::new(), links });
    build(&spec).unwrap()
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

/// Wall time of the fastest of several runs of `work`, and the processor time of all threads a run, seconds: enough runs that the
/// kernel's count, which is a few milliseconds behind, is exact to some per cent. With the last answer.
pub fn timed<T>(work: impl Fn() -> T) -> (f64, f64, T) {
    let (mut runs, mut least, before, began) = (0_u32, f64::INFINITY, processor_s(), Instant::now());
    loop {
        let start = Instant::now();
        let answer = black_box(work());
        least = least.min(start.elapsed().as_secs_f64());
        runs += 1;
        if began.elapsed().as_secs_f64() > 0.5 {
            return (least, (processor_s() - before) / f64::from(runs), answer);
        }
    }
}

/// Processor time of all threads so far, as Linux tells it; not a number elsewhere.
fn processor_s() -> f64 {
    let of_thread = |thread: std::fs::DirEntry| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads.map(|thread| of_thread(thread).unwrap_or(f64::NAN)).sum::<f64>() / 1e9
}

/// Whether the bench harness was asked to measure; otherwise it runs each case once, as a test.
pub fn measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
