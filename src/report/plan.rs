//! `supernode plan`: supernodes, megawatts and dollars for a demand, day by day. Its picture is in `plan_picture.rs`.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use super::money::{dollars_json, dollars_text, money_json, spread_json};
use super::simulate::engine_text;
use crate::footprint::Spread;
use crate::study::{Basis, PlannedDesign, PlannedFleet, UtilisationBasis, grouped, hall_at};
use crate::units::{Date, TokensPerSecond};

/// What a demand takes of several designs over time.
#[derive(Clone, Debug)]
pub struct PlanReport {
    /// Shipped name or path of the target, and its name.
    pub target: (String, String),
    /// Busiest moment over mean.
    pub peak_to_mean: f64,
    /// Month of the prices.
    pub prices: String,
    /// Designs.
    pub designs: Vec<PlannedDesign>,
    /// Days.
    pub days: Vec<PlanDay>,
}

/// What one day's demand takes.
#[derive(Clone, Debug)]
pub struct PlanDay {
    /// The day, if the target states it.
    pub day: Option<Date>,
    /// Mean demand.
    pub demand: TokensPerSecond,
    /// Where it comes from.
    pub basis: Basis,
    /// The fleet of every design; `None` where it serves nothing.
    pub fleets: Vec<Option<PlannedFleet>>,
}

pub(super) const DAY: f64 = 86_400.0;

/// Dollars between their bounds, in millions.
fn millions(spread: Spread) -> String {
    let [value, low, high] = [spread.value, spread.low, spread.high].map(|dollars| grouped(dollars / 1e6));
    format!("{value} ({low} to {high})")
}

impl PlanReport {
    /// Where the utilisation comes from.
    fn utilisation(&self) -> &'static str {
        match self.designs.first().map(|design| design.load.utilisation.basis) {
            Some(UtilisationBasis::User) => "The utilisation is the one asked for.",
            Some(UtilisationBasis::Target) => "The utilisation is the target's.",
            Some(UtilisationBasis::Derived) | None => {
                "The utilisation follows from random arrivals: in 99 of 100 busy moments no more requests want a place than the workload's limits allow."
            }
        }
    }
}

impl Report for PlanReport {
    fn output(&self) -> &'static str {
        "plan"
    }

    fn json(&self) -> Json {
        let designs: Vec<Json> = self
            .designs
            .iter()
            .map(|design| {
                json!({
                    "supernode": design.id, "chips": design.chips, "tokens_per_s": design.rate, "availability": design.availability,
                    "idle_w": hall_at(&design.drawn, 0.0), "serving_w": hall_at(&design.drawn, 1.0), "rated_w": design.drawn.rated() * design.drawn.pue,
                    "capital_usd": design.money.cost.purchase().map(|(price, _)| spread_json(price)),
                    "published_price_usd": design.money.cost.published.map(spread_json), "money": money_json(&design.money),
                    "dollars_per_million_tokens": design.per_million_tokens().as_ref().map(dollars_json),
                    "engine": design.engine, "refusal": design.refusal,
                    "utilisation": design.load.utilisation.value, "utilisation_from": design.load.utilisation.basis.name(),
                    "places": { "prompts": design.load.utilisation.places[0], "sequences": design.load.utilisation.places[1] },
                })
            })
            .collect();
        let days: Vec<Json> = self
            .days
            .iter()
            .map(|PlanDay { day, demand, basis, fleets }| {
                let fleets: Vec<Json> = self
                    .designs
                    .iter()
                    .zip(fleets)
                    .map(|(design, fleet)| {
                        fleet.as_ref().map_or(json!({ "supernode": design.id, "supernodes": null }), |fleet| {
                            json!({
                                "supernode": design.id, "supernodes": fleet.supernodes, "chips": fleet.chips, "racks": fleet.racks,
                                "power_w": fleet.power, "rated_w": fleet.rated, "optical_modules": fleet.modules,
                                "spares": fleet.spares, "capital_usd": fleet.capital.map(spread_json),
                                "usd_per_million_tokens": fleet.per_million_tokens.and_then(|dollars| dollars.owned()).map(spread_json),
                                "rent_usd_per_million_tokens": fleet.per_million_tokens.and_then(|dollars| dollars.rent).map(spread_json),
                            })
                        })
                    })
                    .collect();
                json!({ "date": day, "demand_tokens_per_s": demand, "basis": basis.name(), "fleets": fleets })
            })
            .collect();
        json!({ "target": self.target.0, "prices": self.prices, "designs": designs, "days": days })
    }

    fn sections(&self) -> Vec<Section> {
        let tables = [Section::Table(self.machine_table()), Section::Table(self.fleet_table())];
        let mut sections: Vec<Section> = std::iter::once(Section::Title(format!("Serving {}", self.target.1))).chain(tables).collect();
        for design in &self.designs {
            if let Some(missing) = design.money.cost.missing() {
                sections.push(Section::Note(format!("{}: {missing}.", design.name)));
            }
            if design.lacks_spares() {
                let (lost, spare) = (100.0 * (1.0 - design.availability), 100.0 * design.load.spare);
                sections.push(Section::Note(format!("{}: failures take {lost:.2} %, more than the spares of {spare:.0} %.", design.name)));
            }
            sections.push(Section::Note(format!("{}: engine {}.", design.name, engine_text(design.engine.as_deref()))));
            sections.extend(design.refusal.as_ref().map(|reason| Section::Note(format!("{} serves nothing: {reason}.", design.name))));
        }
        let note = format!(
            "Demand counts input and output, cached input too. Fleets meet its peak, {:.2} times the mean, at the utilisation that limits leave, with the target's spares. \
             {} Dollars for a token are at the mean load of such a fleet, not of its rounding: hardware over its life and energy, or rent; prices of {}, between their \
             bounds; no building, no people, no interest.",
            self.peak_to_mean,
            self.utilisation(),
            self.prices
        );
        sections.push(Section::Note(note));
        if self.days.iter().any(|day| day.basis == Basis::Extrapolated) {
            sections.push(Section::Note("Extrapolated demand assumes that the growth of the two nearest published figures goes on.".into()));
        }
        sections
    }
}

impl PlanReport {
    /// One of each design.
    fn machine_table(&self) -> Table {
        let mut machines = Table::new(&[
            "<supernode",
            "chips",
            "tokens/s",
            "limits leave",
            "failures leave",
            "hall kW, serving",
            "rated",
            "M$ (from parts)",
            "M$ published",
            "$/10^6 tokens (bought; rented)",
        ]);
        for design in &self.designs {
            let price = |spread: Spread| format!("{:.2} ({:.1} to {:.1})", spread.value / 1e6, spread.low / 1e6, spread.high / 1e6);
            machines.row([
                design.name.clone(),
                design.chips.to_string(),
                grouped(design.rate.get()),
                format!("{:.1} %", 100.0 * design.load.utilisation.value),
                format!("{:.2} %", 100.0 * design.availability),
                format!("{:.0}", hall_at(&design.drawn, 1.0).get() / 1e3),
                format!("{:.0}", (design.drawn.rated() * design.drawn.pue).get() / 1e3),
                design.money.cost.parts().map_or("not priced".to_owned(), price),
                design.money.cost.published.map_or("-".to_owned(), price),
                design.per_million_tokens().map_or("-".to_owned(), dollars_text),
            ]);
        }
        machines
    }

    /// What every day takes of each design.
    fn fleet_table(&self) -> Table {
        let mut table = Table::new(&[
            "<date",
            "10^12 tokens/day",
            "<demand",
            "<supernode",
            "supernodes",
            "chips",
            "racks",
            "MW mean",
            "MW rated",
            "optical modules",
            "M$ capital",
        ]);
        for PlanDay { day, demand, basis, fleets } in &self.days {
            for (design, fleet) in self.designs.iter().zip(fleets) {
                let number = |of: fn(&PlannedFleet) -> f64| fleet.as_ref().map_or("-".to_owned(), |fleet| grouped(of(fleet)));
                table.row([
                    day.map_or(String::new(), |day| day.to_string()),
                    format!("{:.2}", demand.get() * DAY / 1e12),
                    basis.name().to_owned(),
                    design.name.clone(),
                    number(|fleet| fleet.supernodes),
                    number(|fleet| fleet.chips),
                    fleet.as_ref().and_then(|fleet| fleet.racks).map_or("-".to_owned(), grouped),
                    fleet.as_ref().map_or("-".to_owned(), |fleet| format!("{:.1}", fleet.power.get() / 1e6)),
                    fleet.as_ref().map_or("-".to_owned(), |fleet| format!("{:.1}", fleet.rated.get() / 1e6)),
                    number(|fleet| fleet.modules),
                    fleet.as_ref().and_then(|fleet| fleet.capital).map_or("not priced".to_owned(), millions),
                ]);
            }
        }
        table
    }
}
