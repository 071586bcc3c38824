//! Designs and mappings a second of a sweep, and what a second thread brings. Sizes: `--test` runs the smallest once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use supernode::input::study::load_study;
use supernode::study::{Space, columns, sweep};

/// 100 000 designs of a rack of 64 chips, of which as many are timed as is asked for.
const STUDY: &str = r#"schema = 1
[study]
name = "bench"
supernodes = ["ref-tomahawk-ultra-64"]
workloads = ["deepseek-r1-fp8"]
method = { latin-hypercube = { points = 100000, seed = 1 } }
[[axis]]
name = "hbm"
path = "chip.memory.bandwidth"
range = { from = "2 TB/s", to = "8 TB/s" }
[[axis]]
name = "capacity"
path = "chip.memory.capacity"
range = { from = "64 GB", to = "288 GB" }
[[axis]]
name = "rate"
path = "link[sue-800g-copper].lane_rate"
list = ["50 Gbit/s", "100 Gbit/s", "200 Gbit/s"]
[[axis]]
name = "hop"
path = "switch.latency"
log_range = { from = "100 ns", to = "1000 ns" }
"#;

/// Designs a second, mappings a second, and a digest of the results.
fn run(space: &Space, designs: u64, threads: usize) -> (f64, f64, u64) {
    let mappings = columns().position(|column| column.key == "mappings").unwrap_or_default();
    let indices: Vec<u64> = (0..designs).collect();
    let (tried, digest) = (AtomicU64::new(0), AtomicU64::new(0));
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(threads).build() else { return (0.0, 0.0, 0) };
    let start = Instant::now();
    let swept: Result<(), std::convert::Infallible> = pool.install(|| {
        sweep(space, &indices, |row| {
            let sum: u64 = row.outcome.figures.iter().flatten().fold(row.index, |sum, figure| sum.wrapping_mul(31).wrapping_add(figure.to_bits()));
            digest.fetch_add(sum, Ordering::Relaxed);
            tried.fetch_add(row.outcome.figures[mappings].unwrap_or_default() as u64, Ordering::Relaxed);
            ControlFlow::Continue(())
        })
    });
    let Ok(()) = swept;
    let seconds = start.elapsed().as_secs_f64();
    (designs as f64 / seconds, tried.into_inner() as f64 / seconds, digest.into_inner())
}

fn main() {
    let small = std::env::args().any(|argument| argument == "--test") || cfg!(debug_assertions);
    let designs = if small { 16 } else { 4000 };
    let path = std::env::temp_dir().join(format!("supernode-bench-{}.toml", std::process::id()));
    let written = std::fs::write(&path, STUDY);
    let space = written
        .map_err(|error| error.to_string())
        .and_then(|()| load_study(&path.display().to_string()).and_then(Space::new).map_err(|problems| problems.to_string()));
    let _ = std::fs::remove_file(&path);
    let space = match space {
        Ok(space) => space,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    let (one, two) = (run(&space, designs, 1), run(&space, designs, 2));
    assert_eq!(one.2, two.2, "the threads change the results");
    for (threads, (rate, mappings, digest)) in [(1, one), (2, two)] {
        let whole = space.points as f64 / rate;
        println!(
            "{designs} designs, {threads} threads: {rate:.0} designs/s, {mappings:.0} mappings/s, {whole:.0} s for {} (results {digest:016x})",
            space.points
        );
    }
    println!("two threads over one: {:.2}", two.0 / one.0);
}
