//! `workloads/demand/*.toml`: how a demand grew.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Origin};
use crate::units::{Figure, TokensPerSecond};

/// A demand over time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// What is counted, and what is not.
    pub scope: String,
    /// Published figures, oldest first.
    #[schemars(length(min = 1))]
    pub point: Vec<DemandPoint>,
}

/// A published figure.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DemandPoint {
    /// Day that it speaks of, `"2026-04-02"`; of a month the middle, where no day is given.
    pub date: At<String>,
    /// Mean over that day, input and output together.
    pub tokens: At<Figure<TokensPerSecond>>,
}
