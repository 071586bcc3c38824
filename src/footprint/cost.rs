//! Price of a machine, and price of a served token.

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

/// Price of a machine, by part.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// By part, the seller's margin last.
    pub lines: Vec<CostLine>,
    /// The machine's published price, if there is one.
    pub published: Option<Spread>,
}

impl Cost {
    /// Sum of the parts with the margin, in dollars.
    #[must_use]
    pub fn capital(&self) -> Spread {
        self.lines.iter().fold(Spread::default(), |sum, line| sum.plus(line.cost))
    }
}

/// Prices the parts of a machine.
#[must_use]
pub fn cost(spec: &Spec, fabric: &Fabric, inventory: &Inventory, power: &Power, prices: &Prices) -> Cost {
    let mut lines: Vec<CostLine> = Vec::new();
    let mut line = |part: &str, count: f64, price: &Figure<UsDollars>| {
        if count > 0.0 {
            lines.push(CostLine { part: part.to_owned(), count, cost: Spread::of(price).times(count) });
        }
    };
    line("chips", real(inventory.chips), prices.chip.get(&spec.chip.name).unwrap_or(&prices.other_chip));
    let lanes = inventory.switches.iter().filter_map(|tier| {
        let part = fabric.switches.iter().find(|part| part.id == tier.part)?;
        Some(real(tier.count) * f64::from(part.switch.lanes))
    });
    line("switch chips, by lane", lanes.sum(), &prices.switch_lane);
    for tier in &inventory.links {
        let Some(part) = fabric.links.iter().find(|part| part.id == tier.part) else { continue };
        match &part.link.medium {
            Medium::Trace {} => line(&format!("links ({})", tier.part), real(tier.count), &prices.trace),
            Medium::Copper {} => line(&format!("links ({})", tier.part), real(tier.count), &prices.copper),
            Medium::Retimed { .. } => {
                line(&format!("links ({})", tier.part), real(tier.count), &prices.copper);
                line(&format!("retimers ({})", tier.part), real(tier.retimers), &prices.retimer);
            }
            Medium::Optical { .. } => {
                line(&format!("optical modules ({})", tier.part), real(tier.modules), &prices.module);
                line(&format!("fibre, metres ({})", tier.part), tier.length.get(), &prices.metre);
            }
        }
    }
    line("hosts with memory", inventory.cpus.iter().map(|(_, count)| real(*count)).sum(), &prices.host);
    line("other parts", spec.auxiliaries.iter().map(|part| real(part.count)).sum(), &prices.auxiliary);
    line("supply and cooling, by watt", power.rated().get(), &prices.supply_watt);
    let parts = lines.iter().fold(Spread::default(), |sum, line| sum.plus(line.cost));
    let margin = Spread::of(&prices.margin);
    let margin = Spread { low: parts.low * margin.low, value: parts.value * margin.value, high: parts.high * margin.high };
    lines.push(CostLine { part: "integration and margin".to_owned(), count: 1.0, cost: margin });
    Cost { lines, published: prices.machine.get(&spec.name).map(Spread::of) }
}

/// Dollars a second to own hardware of this price: `capital / life`, the cheapest over the longest life. Interest, building and people
/// are not in it.
#[must_use]
pub fn ownership(capital: Spread, prices: &Prices) -> Spread {
    let life = Spread::of(&prices.life);
    Spread { low: capital.low / life.high, value: capital.value / life.value, high: capital.high / life.low }
}

/// Dollars a second for power drawn at the hall.
#[must_use]
pub fn energy(power: Watts, prices: &Prices) -> Spread {
    const KILOWATT_HOUR: f64 = 3.6e6;
    Spread::of(&prices.kilowatt_hour).times(power.get() / KILOWATT_HOUR)
}

/// Dollars for a time at a rate of dollars per second.
#[must_use]
pub fn over(rate: Spread, time: Seconds) -> Spread {
    rate.times(time.get())
}

#[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}
