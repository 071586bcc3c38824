//! A bar with the remaining time on standard error, on a terminal only, for commands that take more than a second.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Commands that end sooner show nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a study calls with the pieces of work done, and how many there are; `pieces` is the word for them.
pub fn progress(pieces: &'static str) -> impl Fn(u64, u64) + Sync {
    let (start, bar) = (Instant::now(), OnceLock::new());
    move |done, of| {
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

/// A bar with rate and remaining time.
pub fn bar(of: u64, pieces: &'static str) -> ProgressBar {
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
