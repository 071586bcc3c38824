//! One equal all-to-all with every destination walked, by itself: wall and processor time, and the most memory that the process ever held.
//!
//! `cargo run --release --example full_walk -- 1024`

#[path = "../cases/mod.rs"]
mod cases;

use supernode::network::Network;

fn main() {
    let chips = std::env::args().nth(1).and_then(|chips| chips.parse().ok()).unwrap_or(1024);
    let fabric = cases::fabric(chips);
    let network = Network::new(&fabric);
    let held = held_kb();
    let (wall_s, processor_s, profile) = cases::timed(|| network.full_all_to_all(chips));
    let answer = cases::fingerprint(&profile);
    println!("{chips} chips: {:.2} ms, {:.2} ms of processor time, answer {answer:016x}", 1e3 * wall_s, 1e3 * processor_s);
    println!("{held} before, {} after", held_kb());
}

/// Peak resident memory so far, as Linux tells it.
fn held_kb() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or_else(|| "unknown".to_owned(), |held| held.trim().to_owned())
}
