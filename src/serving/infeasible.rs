//! Why a mapping does not work.

use std::fmt;

use crate::execution::Mapping;
use crate::units::{Bytes, Seconds, render};

/// Why a mapping does not work.
#[derive(Clone, Debug, PartialEq)]
pub enum Infeasible {
    /// The weights do not fit.
    Weights {
        /// Degrees.
        mapping: Mapping,
        /// Needed on one rank.
        weights: Bytes,
        /// Usable on one rank.
        memory: Bytes,
    },
    /// The caches do not fit beside the weights.
    Cache {
        /// Degrees.
        mapping: Mapping,
        /// Sequences that would fit in one attention group.
        sequences: u32,
    },
    /// Even the smallest batch takes longer than the service level allows.
    TooSlow {
        /// Degrees.
        mapping: Mapping,
        /// Best time.
        time: Seconds,
        /// Allowed.
        limit: Seconds,
    },
    /// The machine has too few chips for an instance that reads prompts beside one that answers.
    Chips {
        /// Degrees of the instance that reads prompts.
        mapping: Mapping,
        /// Chips of the machine.
        chips: u32,
    },
    /// The machine has no memory of the kind that is to keep the prefixes.
    Tier {
        /// Degrees.
        mapping: Mapping,
        /// What it lacks, and what it has.
        reason: String,
    },
}

impl Infeasible {
    /// The mapping that does not work.
    #[must_use]
    pub fn mapping(&self) -> Mapping {
        match self {
            Self::Weights { mapping, .. }
            | Self::Cache { mapping, .. }
            | Self::TooSlow { mapping, .. }
            | Self::Chips { mapping, .. }
            | Self::Tier { mapping, .. } => *mapping,
        }
    }
}

impl Infeasible {
    /// Of two refusals the one that was nearer to working, `other` on a tie: no such memory before too slow before no room before
    /// too heavy, and the smaller excess.
    #[must_use]
    pub fn nearer(self, other: Option<Self>) -> Self {
        let excess = |no: &Self| match no {
            // No mapping changes what the machine has.
            Self::Tier { .. } => (0, 0.0),
            Self::TooSlow { time, limit, .. } => (1, *time / *limit),
            Self::Cache { .. } | Self::Chips { .. } => (2, 0.0),
            Self::Weights { weights, memory, .. } => (3, *weights / *memory),
        };
        match other {
            Some(other) if excess(&other) <= excess(&self) => other,
            _ => self,
        }
    }
}

impl fmt::Display for Infeasible {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights { weights, memory, .. } => {
                write!(out, "does not fit: the weights take {} on each rank, {} is usable", render(*weights), render(*memory))
            }
            Self::Cache { .. } => write!(out, "does not fit: no room for the KV cache beside the weights"),
            Self::Chips { mapping, chips } => {
                write!(out, "too few chips: beside an instance that reads prompts ({mapping}) no instance that answers fits into {chips} chips")
            }
            Self::Tier { reason, .. } => write!(out, "nowhere to keep prefixes: {reason}"),
            Self::TooSlow { time, limit, .. } => write!(out, "too slow: {} at best, {} allowed", render(*time), render(*limit)),
        }
    }
}
