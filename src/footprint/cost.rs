//! What a machine costs to buy, to rent and to power. A price that nobody gave is named, not replaced.

use super::inventory::Inventory;
use super::power::Power;
use crate::fabric::Fabric;
use crate::input::document::{Medium, Prices};
use crate::input::spec::Spec;
use crate::units::{Figure, Quantity, Seconds, UsDollars, Watts};

/// A sum between its bounds: all prices at their low end, as stated, all at their high end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Low end.
    pub low: f64,
    /// As stated.
    pub value: f64,
    /// High end.
    pub high: f64,
}

impl Spread {
    fn of<Q: Quantity>(figure: &Figure<Q>) -> Self {
        let (low, high) = figure.range.unwrap_or((figure.value, figure.value));
        Self { low: low.si(), value: figure.value.si(), high: high.si() }
    }

    /// Each bound times a count.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { low: self.low * factor, value: self.value * factor, high: self.high * factor }
    }

    /// Bound plus bound.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, value: self.value + other.value, high: self.high + other.high }
    }
}

/// Dollars of the parts of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct CostLine {
    /// What they are.
    pub part: String,
    /// How many (lanes of switches, metres of cable, rated watts of supplies).
    pub count: f64,
    /// All of them, in dollars.
    pub cost: Spread,
}

/// Where a purchase price comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceBasis {
    /// The machine's own price.
    Machine,
    /// The sum of its parts, with the seller's margin.
    Parts,
}

impl PriceBasis {
    /// The words for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Parts => "sum of parts",
        }
    }
}

/// What a machine costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    /// By part, the seller's margin last.
    pub lines: Vec<CostLine>,
    /// Parts that have no price.
    pub unpriced: Vec<String>,
    /// The machine's own price to buy, if there is one.
    pub published: Option<Spread>,
    /// Dollars a second to rent all its chips, power and hosts included, if there is a price.
    pub rent: Option<Spread>,
    /// Month of the price of the machine, or else of its chip.
    pub date: Option<String>,
    /// Month of the price of the rent.
    pub rent_date: Option<String>,
}

impl Cost {
    /// Sum of the parts with the margin, in dollars; `None` while a part has no price.
    #[must_use]
    pub fn parts(&self) -> Option<Spread> {
        self.unpriced.is_empty().then(|| self.lines.iter().fold(Spread::default(), |sum, line| sum.plus(line.cost)))
    }

    /// Dollars to buy the machine: its own price where there is one, else the sum of its parts.
    #[must_use]
    pub fn purchase(&self) -> Option<(Spread, PriceBasis)> {
        self.published.map(|price| (price, PriceBasis::Machine)).or_else(|| Some((self.parts()?, PriceBasis::Parts)))
    }

    /// Why there is no purchase price, as in "not priced: chip `H200 SXM`".
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        self.purchase().is_none().then(|| format!("not priced: {}", self.unpriced.join(", ")))
    }
}

/// Prices the parts of a machine. The price of a whole machine stands for the machine of that name as it is described, not for one that a
/// study has changed.
#[must_use]
pub fn cost(spec: &Spec, fabric: &Fabric, inventory: &Inventory, power: &Power, prices: &Prices) -> Cost {
    let mut lines: Vec<CostLine> = Vec::new();
    let mut unpriced: Vec<String> = Vec::new();
    let mut line = |part: &str, count: f64, price: Option<&Figure<UsDollars>>| match price {
        _ if count <= 0.0 => {}
        Some(price) => lines.push(CostLine { part: part.to_owned(), count, cost: Spread::of(price).times(count) }),
        None => unpriced.push(part.to_owned()),
    };
    let chip = prices.of_chip(&spec.chip.name);
    let machine = if spec.edited { prices.given.machine.clone() } else { prices.of_machine(&spec.name) };
    if chip.purchase.is_some() {
        line("chips", real(inventory.chips), chip.purchase.as_ref());
    } else {
        line(&format!("chip `{}`", spec.chip.name), real(inventory.chips), None);
    }
    let lanes = inventory.switches.iter().filter_map(|tier| {
        let part = fabric.switches.iter().find(|part| part.id == tier.part)?;
        Some(real(tier.count) * f64::from(part.switch.lanes))
    });
    line("switch chips, by lane", lanes.sum(), prices.switch_lane.as_ref());
    for tier in &inventory.links {
        let Some(part) = fabric.links.iter().find(|part| part.id == tier.part) else { continue };
        match &part.link.medium {
            Medium::Trace {} => line(&format!("links ({})", tier.part), real(tier.count), prices.trace.as_ref()),
            Medium::Copper {} => line(&format!("links ({})", tier.part), real(tier.count), prices.copper.as_ref()),
            Medium::Retimed { .. } => {
                line(&format!("links ({})", tier.part), real(tier.count), prices.copper.as_ref());
                line(&format!("retimers ({})", tier.part), real(tier.retimers), prices.retimer.as_ref());
            }
            Medium::Optical { .. } => {
                line(&format!("optical modules ({})", tier.part), real(tier.modules), prices.module.as_ref());
                line(&format!("fibre, metres ({})", tier.part), tier.length.get(), prices.metre.as_ref());
            }
        }
    }
    line("hosts with memory", inventory.cpus.iter().map(|(_, count)| real(*count)).sum(), prices.host.as_ref());
    line("other parts", spec.auxiliaries.iter().map(|part| real(part.count)).sum(), prices.auxiliary.as_ref());
    line("supply and cooling, by watt", power.rated().get(), prices.supply_watt.as_ref());
    let parts = lines.iter().fold(Spread::default(), |sum, line| sum.plus(line.cost));
    match prices.margin.as_ref().map(Spread::of) {
        Some(margin) => {
            let margin = Spread { low: parts.low * margin.low, value: parts.value * margin.value, high: parts.high * margin.high };
            lines.push(CostLine { part: "integration and margin".to_owned(), count: 1.0, cost: margin });
        }
        None => unpriced.push("integration and margin".to_owned()),
    }
    let (rent, rent_date) = match (&machine.rent, &chip.rent) {
        (Some(rent), _) => (Some(rent), machine.date.clone()),
        (None, Some(rent)) => (Some(rent), chip.date.clone()),
        (None, None) => (None, None),
    };
    Cost {
        lines,
        unpriced,
        rent: rent.map(|rent| Spread::of(rent).times(real(inventory.chips) / HOUR)),
        rent_date,
        date: if machine.purchase.is_some() { machine.date } else { chip.date },
        published: machine.purchase.as_ref().map(Spread::of),
    }
}

/// Dollars a second to own hardware of this price: `capital / life`, the cheapest over the longest life; `None` without a life. Interest,
/// building and people are not in it.
#[must_use]
pub fn ownership(capital: Spread, prices: &Prices) -> Option<Spread> {
    let life = Spread::of(prices.life.as_ref()?);
    Some(Spread { low: capital.low / life.high, value: capital.value / life.value, high: capital.high / life.low })
}

/// Dollars a second for power drawn at the hall; `None` without a price of electricity.
#[must_use]
pub fn energy(power: Watts, prices: &Prices) -> Option<Spread> {
    const KILOWATT_HOUR: f64 = 3.6e6;
    Some(Spread::of(prices.kilowatt_hour.as_ref()?).times(power.get() / KILOWATT_HOUR))
}

/// Dollars for a time at a rate of dollars per second.
#[must_use]
pub fn over(rate: Spread, time: Seconds) -> Spread {
    rate.times(time.get())
}

/// Seconds.
const HOUR: f64 = 3600.0;

#[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}
