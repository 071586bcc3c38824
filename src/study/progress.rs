//! How far a long study is.

use std::sync::atomic::{AtomicU64, Ordering};

/// Who hears how many pieces of work are done, of how many.
#[derive(Clone, Copy)]
pub struct Progress<'a>(Option<&'a (dyn Fn(u64, u64) + Sync)>);

impl<'a> Progress<'a> {
    /// Nobody.
    pub const SILENT: Self = Self(None);

    /// Calls `hear` from any thread whenever a piece of work is done.
    #[must_use]
    pub fn to(hear: &'a (dyn Fn(u64, u64) + Sync)) -> Self {
        Self(Some(hear))
    }

    /// Work of so many pieces begins.
    pub(super) fn pieces(self, of: usize) -> Pieces<'a> {
        Pieces { progress: self, done: AtomicU64::new(0), of: of as u64 }
    }
}

/// Pieces of work under way.
pub(super) struct Pieces<'a> {
    progress: Progress<'a>,
    done: AtomicU64,
    of: u64,
}

impl Pieces<'_> {
    /// One more is done.
    pub fn one_done(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(hear) = self.progress.0 {
            hear(done, self.of);
        }
    }
}
