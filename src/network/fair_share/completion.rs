//! When each flow ends, if all share the channels max-min fairly at every instant.
//!
//! Between two events (a flow starts, a flow ends) rates are constant, so a flow with `left` bytes ends after `left / rate`.
//! At each event the rates are put right: flow by flow through `levels` when few changed, from scratch when many did.
//!
//! *Exact*: every end is an event, except that ends within `TIE` of each other are one.
//!
//! *Within a tolerance*: ends within a relative window `w` of the first are taken together, at the instant that splits
//! them so that bytes given too early and bytes given too late cancel. Each still ends when it would at its last rate. What a
//! channel then carried too much or too little, because its own ends do not split at that instant, it makes good in the next
//! window, where its capacity is lower or higher by as much: over time every channel carries what it should. The sizes served
//! are `bytes[f] * (1 + e[f])`, where the sum over each window of `e[f] * bytes[f]` is 0, and `Completion::size_error` gives the
//! largest `|e|` that occurred.
//!
//! The times have no proof: max-min fairness is not monotone, a flow that ends sooner can slow a third one down. So they
//! are checked: the transfer is worked out with windows `w` and `w / 2`, and `w` is halved until no end differs by more than
//! half the tolerance. Since the error shrinks about in step with `w`, the finer of the two, which is returned, is then within
//! the tolerance. The largest error is that of a few flows between two channels that hold hardly any other: those get whatever
//! the others leave, and it changes by half at a single end. Most ends are nearer by two orders of magnitude.

use std::sync::Arc;

use super::events;
use super::max_min::TIE;
use super::reduce::reduce;
use super::table::SharingTable;
use super::times::Completion;
use super::transfers::{Transfers, TransfersError};

/// Windows below this cost more than an exact run.
const WINDOW_MIN: f64 = 1e-6;

/// The first window tried, relative to the tolerance. Any guess is right, since the check decides.
const WINDOW_PER_TOLERANCE: f64 = 0.25;

/// How close the times must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// To rounding.
    Exact,
    /// Relative, on the end of every flow; see the top of this file for what is proven and what is checked.
    Within(f64),
}

impl Transfers<'_> {
    /// Works out when each flow starts and ends.
    ///
    /// # Errors
    /// A tolerance that is not between 0 and 1.
    pub fn complete(&self, accuracy: Accuracy) -> Result<Completion, TransfersError> {
        let tolerance = match accuracy {
            Accuracy::Exact => None,
            Accuracy::Within(tolerance) if tolerance > 0.0 && tolerance < 1.0 => Some(tolerance),
            Accuracy::Within(found) => return Err(TransfersError::Tolerance { found }),
        };
        let reduced = reduce(self.sharing());
        let table = Arc::new(SharingTable::new(&reduced.sharing));
        Ok(tolerance.and_then(|tolerance| self.complete_within(&table, tolerance)).unwrap_or_else(|| events::run(self, &table, TIE)))
    }

    /// Halves the window until the ends stop moving; `None` if that would cost more than an exact run.
    fn complete_within(&self, table: &Arc<SharingTable>, tolerance: f64) -> Option<Completion> {
        let run = |window| events::run(self, table, window);
        let mut window = tolerance * WINDOW_PER_TOLERANCE;
        let (mut coarse, mut fine) = rayon::join(|| run(window * 2.0), || run(window));
        loop {
            fine.end_difference = fine.end_difference_from(&coarse);
            if fine.end_difference <= tolerance / 2.0 {
                return Some(fine);
            }
            window /= 2.0;
            if window < WINDOW_MIN {
                return None;
            }
            coarse = std::mem::replace(&mut fine, run(window));
        }
    }
}
