//! One equal all-to-all with every destination walked, by itself: its processor time and the most memory that the process ever held.
//!
//! `cargo run --release --example full_walk -- 1024`

#[path = "../cases/mod.rs"]
mod cases;

use std::time::Instant;

use supernode::network::Network;

fn main() {
    let chips = std::env::args().nth(1).and_then(|chips| chips.parse().ok()).unwrap_or(1024);
    let fabric = cases::fabric(chips);
    let network = Network::new(&fabric);
    let held = held_kb();
    let seconds = (0..5).map(|_| {
        let began = Instant::now();
        let profile = network.full_all_to_all(chips);
        (began.elapsed().as_secs_f64(), cases::fingerprint(&profile))
    });
    let (seconds, answer) = seconds.fold((f64::INFINITY, 0), |least, run| (least.0.min(run.0), run.1));
    println!("{chips} chips: {:.1} ms, answer {answer:016x}, {held} before, {} after", 1e3 * seconds, held_kb());
}

/// Peak resident memory so far, as Linux tells it.
fn held_kb() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or_else(|| "unknown".to_owned(), |held| held.trim().to_owned())
}
