//! `fuzz KIND [--seconds N] [--executions N] [--seed N] [--deep N]`: reads mutated inputs of a kind and counts them. One in N is asked questions, too.
//!
//! An input that breaks something is written to `KIND-found` in the working directory, and the run ends with its panic.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use supernode::units::SplitMix64;
use supernode_fuzz::kinds::{kind, names};
use supernode_fuzz::mutation::mutated;

/// An input that takes longer than this is a fault.
const LONGEST: Duration = Duration::from_secs(20);

/// When the input under way began, and that input.
static UNDER_WAY: Mutex<Option<(Instant, Vec<u8>)>> = Mutex::new(None);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(name) = words.first().filter(|name| names().contains(name)) else {
        eprintln!("fuzz KIND [--seconds N] [--executions N] [--seed N] [--deep N]\nkinds: {}", names().join(", "));
        std::process::exit(2);
    };
    let number = |key: &str| words.iter().position(|word| word == key).and_then(|at| words.get(at + 1)?.parse::<u64>().ok());
    let (seconds, most) = (number("--seconds").unwrap_or(u64::MAX), number("--executions").unwrap_or(u64::MAX));
    let (seed, deep) = (number("--seed").unwrap_or(0), number("--deep").unwrap_or(16).max(1));
    let Some(kind) = kind(name) else { std::process::exit(2) };
    watch(name);
    let mut pool = kind.seeds.clone();
    let start = Instant::now();
    let (mut done, mut taken, mut asked) = (0, 0_u64, 0_u64);
    while done < most && start.elapsed().as_secs() < seconds {
        let mut stream = SplitMix64::new(seed, done);
        let from = stream.below(pool.len());
        let input = mutated(&pool[from], &kind.seeds, &mut stream);
        // The clock and the copy are for one in many: they take longer than reading a word.
        let is_deep = done.is_multiple_of(deep);
        *UNDER_WAY.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((Instant::now(), input.clone()));
        let ok = kind.run(&input, is_deep);
        taken += u64::from(ok);
        asked += u64::from(ok && is_deep);
        // What a reader takes is changed further, in place of an input that was.
        if ok && stream.below(8) == 0 {
            if pool.len() < 4 * kind.seeds.len() + 64 { pool.push(input) } else { pool[from.max(kind.seeds.len())] = input }
        }
        done += 1;
        if done.is_multiple_of(1 << 20) {
            eprintln!("{name}: {done} so far");
        }
    }
    println!("{name},{done},{taken},{asked},{:.1}", start.elapsed().as_secs_f64());
}

/// Keeps the input of a panic, and ends a run that hangs.
fn watch(name: &str) {
    let path = format!("{name}-found");
    let keep = move || {
        if let Some((_, input)) = &*UNDER_WAY.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
            let _ = std::fs::write(&path, input);
        }
    };
    let on_panic = keep.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        on_panic();
        before(info);
        std::process::exit(101);
    }));
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let late = UNDER_WAY.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref().is_some_and(|(from, _)| from.elapsed() > LONGEST);
            if late {
                keep();
                eprintln!("an input takes more than {LONGEST:?}");
                std::process::exit(102);
            }
        }
    });
}
