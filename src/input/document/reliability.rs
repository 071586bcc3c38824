//! `topologies/parts/reliability/reliability.toml`: how often parts fail and how long they stay out.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use crate::units::{Figure, Ratio, Seconds};

/// Failures of every kind of part.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// An accelerator package with its memory.
    pub chip: Wear,
    /// A switch chip with its board.
    pub switch: Wear,
    /// A host processor with its memory and board.
    pub host: Wear,
    /// A board trace or a passive cable, with both connectors.
    pub copper: Wear,
    /// A retimer.
    pub retimer: Wear,
    /// An optical module.
    pub module: Wear,
}

/// How often one part fails and how long it stays out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wear {
    /// Failures of one part in a year.
    pub failures_per_year: Figure<Ratio>,
    /// From the failure until the part, or its spare, works again.
    pub repair: Figure<Seconds>,
}
