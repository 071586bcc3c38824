//! Every reader under mutated input for a moment, and the inputs that once broke something. `docs/reliability.md` has the long forms.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use supernode::units::SplitMix64;

use crate::fuzz::kinds::{Kind, kind, names};
use crate::fuzz::mutation::mutated;

/// Time for each kind. All of them together run on all cores beside the other tests.
const MOMENT: Duration = Duration::from_millis(700);
/// Seed of the mutations.
const SEED: u64 = 22;
/// Of so many inputs one is asked questions, too.
const DEEP: u64 = 16;
/// A refusal, and an answer, take less than this on a machine that does other things besides.
const LONGEST: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(2)];

fn try_one(kind: &Kind, input: &[u8], deep: bool) -> bool {
    let start = Instant::now();
    let found = catch_unwind(AssertUnwindSafe(|| kind.run(input, deep)));
    let shown = || String::from_utf8_lossy(input).into_owned();
    let longest = LONGEST[usize::from(matches!(found, Ok(true)))];
    assert!(start.elapsed() < longest, "{} takes {:?}:\n{}", kind.name, start.elapsed(), shown());
    found.unwrap_or_else(|_| panic!("{}: this input breaks it; keep it below fuzz/regressions/{}:\n{}", kind.name, kind.name, shown()))
}

/// The number in an environment variable: `FUZZ_SECONDS` for each kind, `FUZZ_SEED`.
fn asked<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// The corpus, the regressions, and a moment of mutations of each kind whose place in the list is `part` of `parts`.
fn fuzz(part: usize, parts: usize) {
    let (moment, seed) = (asked("FUZZ_SECONDS").map_or(MOMENT, Duration::from_secs), asked("FUZZ_SEED").unwrap_or(SEED));
    let only = asked::<String>("FUZZ_KIND");
    for name in names().into_iter().skip(part).step_by(parts).filter(|name| only.as_ref().is_none_or(|only| only == name)) {
        let kind = kind(&name).unwrap();
        assert!(!kind.seeds.is_empty(), "{name} has no inputs to begin with");
        for input in &kind.regressions {
            try_one(&kind, input, true);
        }
        let start = Instant::now();
        let taken = kind.seeds.iter().filter(|seed| try_one(&kind, seed, start.elapsed() < MOMENT)).count();
        // Inputs to begin with are good ones, or nothing behind the reader is reached.
        assert!(3 * taken >= kind.seeds.len(), "{name}: {taken} of {} inputs are read", kind.seeds.len());
        let start = Instant::now();
        let mut done = 0;
        while start.elapsed() < moment {
            let mut stream = SplitMix64::new(seed, done);
            let input = mutated(&kind.seeds[stream.below(kind.seeds.len())], &kind.seeds, &mut stream);
            try_one(&kind, &input, done.is_multiple_of(DEEP));
            done += 1;
        }
        println!("{name}: {done} inputs");
    }
}

#[test]
fn every_reader_keeps_its_promises_first_part() {
    fuzz(0, 2);
}

#[test]
fn every_reader_keeps_its_promises_second_part() {
    fuzz(1, 2);
}
