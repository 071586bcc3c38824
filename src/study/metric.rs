//! Which times of a served run are looked at.

use super::serve::ServeResult;
use crate::serving::queueing::Percentiles;

/// A time that users see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// From arrival to the first pass.
    Queue,
    /// From arrival to the first token.
    Ttft,
    /// Mean time between tokens of a request.
    Tpot,
    /// Time between two tokens.
    Itl,
    /// From arrival to the last token.
    E2e,
}

impl Metric {
    /// Every metric with its name.
    pub const ALL: [(Self, &'static str); 5] =
        [(Self::Queue, "queue"), (Self::Ttft, "ttft"), (Self::Tpot, "tpot"), (Self::Itl, "itl"), (Self::E2e, "e2e")];

    /// Its percentiles in a run.
    #[must_use]
    pub fn of(self, served: &ServeResult) -> Option<Percentiles> {
        match self {
            Self::Queue => served.queue,
            Self::Ttft => served.ttft,
            Self::Tpot => served.tpot,
            Self::Itl => served.itl,
            Self::E2e => served.e2e,
        }
    }
}
