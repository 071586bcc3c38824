//! `topologies/parts/prices/*.toml`: what parts and machines cost, to buy and to rent, and what a kilowatt-hour costs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use crate::units::{Figure, Ratio, Seconds, UsDollars};

/// A list of prices; a figure's range is what different buyers and accounts say. What has no price here has none: nothing takes its place.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Month of the prices, where an entry does not say its own.
    pub date: String,
    /// Accelerator packages with their memory, by name.
    #[serde(default)]
    pub chip: BTreeMap<String, Price>,
    /// Whole machines, by name.
    #[serde(default)]
    pub machine: BTreeMap<String, Price>,
    /// A switch chip with its share of tray and board, for each of its lanes.
    pub switch_lane: Option<Figure<UsDollars>>,
    /// A link of board trace or backplane, with its share of connectors.
    pub trace: Option<Figure<UsDollars>>,
    /// A passive cable.
    pub copper: Option<Figure<UsDollars>>,
    /// A retimer.
    pub retimer: Option<Figure<UsDollars>>,
    /// An optical module.
    pub module: Option<Figure<UsDollars>>,
    /// Fibre or cable, for each metre.
    pub metre: Option<Figure<UsDollars>>,
    /// A host processor with its memory and board.
    pub host: Option<Figure<UsDollars>>,
    /// Any other part that the description counts: NIC, DPU, drive.
    pub auxiliary: Option<Figure<UsDollars>>,
    /// Power supply, cooling and enclosure, for each watt of rated power.
    pub supply_watt: Option<Figure<UsDollars>>,
    /// A kilowatt-hour of electricity.
    pub kilowatt_hour: Option<Figure<UsDollars>>,
    /// Years over which the hardware is written off.
    pub life: Option<Figure<Seconds>>,
    /// What a seller adds to the parts: integration, test, service, profit.
    #[schemars(extend("x-range" = [0.0, 100.0]))]
    pub margin: Option<Figure<Ratio>>,
    /// Prices of whatever chips and machines a command is about, which its user gives.
    #[serde(skip)]
    #[schemars(skip)]
    pub given: GivenPrices,
}

/// What one of something costs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// To buy it.
    pub purchase: Option<Figure<UsDollars>>,
    /// To rent it for an hour, each chip of a machine, with host, network and power.
    pub rent: Option<Figure<UsDollars>>,
    /// Month of the price; that of the list if absent.
    pub date: Option<String>,
}

/// Prices that stand before every list's.
#[derive(Clone, Debug, Default)]
pub struct GivenPrices {
    /// Of any chip.
    pub chip: Price,
    /// Of any machine.
    pub machine: Price,
}

impl Price {
    fn or(self, other: &Self) -> Self {
        Self {
            purchase: self.purchase.or_else(|| other.purchase.clone()),
            rent: self.rent.or_else(|| other.rent.clone()),
            date: self.date.or_else(|| other.date.clone()),
        }
    }
}

impl Prices {
    /// This list, and where it says nothing `base`.
    #[must_use]
    pub fn over(mut self, base: &Self) -> Self {
        let dated = |prices: BTreeMap<String, Price>, date: &str| -> BTreeMap<String, Price> {
            let date = |price: Price| Price { date: price.date.or_else(|| Some(date.to_owned())), ..price };
            prices.into_iter().map(|(name, price)| (name, date(price))).collect()
        };
        let merged = |own: BTreeMap<String, Price>, base: &BTreeMap<String, Price>| -> BTreeMap<String, Price> {
            let mut merged = base.clone();
            for (name, price) in own {
                let under = merged.remove(&name).unwrap_or_default();
                merged.insert(name, price.or(&under));
            }
            merged
        };
        let base = base.clone();
        self.chip = merged(dated(self.chip, &self.date), &dated(base.chip, &base.date));
        self.machine = merged(dated(self.machine, &self.date), &dated(base.machine, &base.date));
        macro_rules! or_base {
            ($($field:ident),*) => { $(self.$field = self.$field.or(base.$field);)* };
        }
        or_base!(switch_lane, trace, copper, retimer, module, metre, host, auxiliary, supply_watt, kilowatt_hour, life, margin);
        self.given = GivenPrices { chip: self.given.chip.or(&base.given.chip), machine: self.given.machine.or(&base.given.machine) };
        if self.date != base.date {
            self.date = format!("{} and {}", self.date, base.date);
        }
        self
    }

    /// What a chip costs, the user's own price first.
    #[must_use]
    pub fn of_chip(&self, name: &str) -> Price {
        self.given.chip.clone().or(&self.chip.get(name).cloned().unwrap_or_default())
    }

    /// What a machine costs, the user's own price first.
    #[must_use]
    pub fn of_machine(&self, name: &str) -> Price {
        self.given.machine.clone().or(&self.machine.get(name).cloned().unwrap_or_default())
    }
}
