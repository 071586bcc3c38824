//! What a description is of, where it is not of a machine that runs.

use crate::input::document::{Standing, StandingKind};

/// "a projection: announced ..." and "a stand-in: the chip ...".
pub(super) fn standing_note(standing: &Standing) -> String {
    format!("a {}: {}", standing.kind.name(), standing.because)
}

/// The same with what its results are.
pub(super) fn standing_fact(standing: &Standing) -> String {
    let results = match standing.kind {
        StandingKind::Running => "results are predictions",
        StandingKind::Projection => "results are projections",
        StandingKind::StandIn => "results are bands",
    };
    format!("{}; {results}", standing_note(standing))
}

/// Kind and reason, as JSON keys have them.
pub(super) fn standing_words(standing: Option<&Standing>) -> [Option<&str>; 2] {
    [standing.map(|standing| standing.kind.name()), standing.map(|standing| standing.because.as_str())]
}
