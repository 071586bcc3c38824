//! How far a long command is: a bar with the remaining time on standard error, on a terminal only, for commands that take more than a second; or
//! whoever asked the question of the library.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Commands that end sooner show nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Hears how many pieces of work are done, of how many, and the word for them; from any thread.
pub type Listener = Arc<dyn Fn(u64, u64, &'static str) + Send + Sync>;

thread_local! {
    /// Who listens to the question that this thread asks.
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Asks a question of which someone hears how far it is.
pub fn heard<T>(listener: Listener, question: impl FnOnce() -> T) -> T {
    LISTENER.set(Some(listener));
    let answer = question();
    LISTENER.set(None);
    answer
}

fn listener() -> Option<Listener> {
    LISTENER.with_borrow(Clone::clone)
}

/// What a study calls with the pieces of work done, and how many there are; `pieces` is the word for them.
pub fn progress(pieces: &'static str) -> impl Fn(u64, u64) + Sync {
    let (start, bar, listener) = (Instant::now(), OnceLock::new(), listener());
    move |done, of| {
        if let Some(listener) = &listener {
            return listener(done, of, pieces);
        }
        if start.elapsed() < PATIENCE {
            return;
        }
        let bar = bar.get_or_init(|| self::bar(of, pieces).with_elapsed(start.elapsed()));
        bar.set_position(done);
        if done == of {
            bar.finish_and_clear();
        }
    }
}

/// Work that is counted piece by piece, some of which may have been done before.
pub struct Meter {
    bar: ProgressBar,
    listener: Option<Listener>,
    done: AtomicU64,
    of: u64,
    pieces: &'static str,
}

impl Meter {
    /// So many pieces, of which some are done.
    pub fn new(of: u64, done: u64, pieces: &'static str) -> Self {
        let listener = listener();
        let bar = if listener.is_some() { ProgressBar::hidden() } else { bar(of, pieces) };
        bar.set_position(done);
        bar.reset_eta();
        Self { bar, listener, done: AtomicU64::new(done), of, pieces }
    }

    /// One more is done.
    pub fn one_done(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.listener {
            Some(listener) => listener(done, self.of, self.pieces),
            None => self.bar.inc(1),
        }
    }

    /// All is done.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar with rate and remaining time.
fn bar(of: u64, pieces: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(of), ProgressDrawTarget::stderr_with_hz(4));
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(pieces);
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(500));
    }
    bar
}
