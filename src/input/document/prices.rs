//! `topologies/parts/prices/prices.toml`: what parts cost.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use crate::units::{Figure, Ratio, Seconds, UsDollars};

/// Price of one of each; a figure's range is what different buyers and accounts say.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Month of the prices.
    pub date: String,
    /// Accelerator packages with their memory, by name.
    pub chip: BTreeMap<String, Figure<UsDollars>>,
    /// Any other accelerator package.
    pub other_chip: Figure<UsDollars>,
    /// A switch chip with its share of tray and board, for each of its lanes.
    pub switch_lane: Figure<UsDollars>,
    /// A link of board trace or backplane, with its share of connectors.
    pub trace: Figure<UsDollars>,
    /// A passive cable.
    pub copper: Figure<UsDollars>,
    /// A retimer.
    pub retimer: Figure<UsDollars>,
    /// An optical module.
    pub module: Figure<UsDollars>,
    /// Fibre or cable, for each metre.
    pub metre: Figure<UsDollars>,
    /// A host processor with its memory and board.
    pub host: Figure<UsDollars>,
    /// Any other part that the description counts: NIC, DPU, drive.
    pub auxiliary: Figure<UsDollars>,
    /// Power supply, cooling and enclosure, for each watt of rated power.
    pub supply_watt: Figure<UsDollars>,
    /// A kilowatt-hour.
    pub kilowatt_hour: Figure<UsDollars>,
    /// Years over which the hardware is written off.
    pub life: Figure<Seconds>,
    /// Whole machines as published, by name: a check on the sum of parts.
    #[serde(default)]
    pub machine: BTreeMap<String, Figure<UsDollars>>,
    /// What a seller adds to the parts: integration, test, service, profit.
    #[schemars(extend("x-range" = [0.0, 100.0]))]
    pub margin: Figure<Ratio>,
}
