//! How much hardware a demand takes, as it grows.

use super::fail::{DegradedMachine, availability, single_failures};
use super::money::{DemandLoad, Dollars, Money, hall_at};
use super::progress::Progress;
use super::simulate::{MappingChoice, simulate_on};
use crate::fabric::Fabric;
use crate::footprint::{Power, Spread};
use crate::input::document::{Prices, Reliability};
use crate::input::spec::{DemandSpec, Spec, TargetSpec, WorkloadSpec};
use crate::network::Network;
use crate::units::{Date, TokensPerSecond, Watts};

/// Where the demand of a day comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The target or its series states it.
    Stated,
    /// Between two stated days, at constant growth.
    Interpolated,
    /// Beyond the stated days, at the growth of the two nearest.
    Extrapolated,
    /// A stated day of the series, times what makes the series meet the target's own demand on the target's own day.
    Scaled,
}

impl Basis {
    /// The word for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Interpolated => "interpolated",
            Self::Extrapolated => "extrapolated",
            Self::Scaled => "scaled",
        }
    }
}

/// The mean demand of a day; `None` where the series does not reach and extrapolation is not allowed, or one point shows no growth.
///
/// Between days `a` and `b` demand grows by the same factor every day: `D(t) = D(a) (D(b) / D(a))^((t - a) / (b - a))`.
#[must_use]
pub fn demand_on(series: &DemandSpec, day: Date, extrapolate: bool) -> Option<(TokensPerSecond, Basis)> {
    if let Some((_, demand)) = series.points.iter().find(|point| point.0 == day) {
        return Some((*demand, Basis::Stated));
    }
    let after = series.points.iter().position(|point| point.0 > day);
    let (first, basis) = match after {
        Some(after @ 1..) => (after - 1, Basis::Interpolated),
        Some(_) => (0, Basis::Extrapolated),
        None => (series.points.len().checked_sub(2)?, Basis::Extrapolated),
    };
    let ((from, low), (to, high)) = (*series.points.get(first)?, *series.points.get(first + 1)?);
    if basis == Basis::Extrapolated && !extrapolate {
        return None;
    }
    let growth = (high / low).powf(day.days_since(from) / to.days_since(from));
    Some((low * growth, basis))
}

/// One design, measured once for all days.
#[derive(Clone, Debug)]
pub struct PlannedDesign {
    /// Shipped name or path.
    pub id: String,
    /// Name people use.
    pub name: String,
    /// Chips of one supernode.
    pub chips: u32,
    /// Racks of one, if stated.
    pub racks: Option<u32>,
    /// Optical modules of one.
    pub modules: u64,
    /// Tokens per second of the target's mix that one serves.
    pub rate: TokensPerSecond,
    /// How machines are used by the target's demand.
    pub load: DemandLoad,
    /// Share of them that failures and repairs leave.
    pub availability: f64,
    /// While it serves.
    pub drawn: Power,
    /// What it costs to buy, to rent, and for a token.
    pub money: Money,
    /// Name of the serving engine in force.
    pub engine: Option<String>,
    /// Why it serves nothing, where it does not.
    pub refusal: Option<String>,
}

impl PlannedDesign {
    /// Dollars for a million tokens of the target's mix.
    #[must_use]
    pub fn per_million_tokens(&self) -> Option<Dollars> {
        self.money.per_million(self.rate.get())
    }

    /// Whether failures take more than the target's spares.
    #[must_use]
    pub fn lacks_spares(&self) -> bool {
        self.availability * (1.0 + self.load.spare) < 1.0
    }
}

/// Measures a design under `prices`; `utilisation` takes the place of what the target states or what follows from its limits.
#[must_use]
pub fn design(
    (spec, fabric): (&Spec, &Fabric),
    workload: &WorkloadSpec,
    target: &TargetSpec,
    (prices, utilisation): (&Prices, Option<f64>),
    reliability: &Reliability,
    progress: Progress<'_>,
) -> PlannedDesign {
    let workload = &workload.deployed_on(spec);
    let network = Network::new(fabric);
    let choice = MappingChoice { prices: Some(prices.clone()), utilisation, ..MappingChoice::default() };
    let simulation = simulate_on(spec, &network, workload, target, &choice);
    let patient = DegradedMachine::new(spec, &network, workload, target);
    PlannedDesign {
        id: spec.id.clone(),
        name: spec.name.clone(),
        chips: fabric.chips,
        racks: spec.supply.racks.as_ref().map(|racks| racks.count),
        modules: simulation.inventory.module_count(),
        rate: simulation.verdict.service.rate,
        load: simulation.load,
        availability: availability(&single_failures(&patient, reliability, false, progress)),
        money: Money::new(spec, fabric, &simulation.inventory, &simulation.power, prices, simulation.load),
        refusal: simulation.serves_nothing(),
        drawn: simulation.power,
        engine: simulation.engine,
    }
}

/// What a day's demand takes of one design.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedFleet {
    /// Machines, spares included.
    pub supernodes: f64,
    /// Of them, spares.
    pub spares: f64,
    /// Chips in them.
    pub chips: f64,
    /// Racks, if stated.
    pub racks: Option<f64>,
    /// Optical modules.
    pub modules: f64,
    /// At the hall, mean over the day.
    pub power: Watts,
    /// At the hall, every part at its rating.
    pub rated: Watts,
    /// Dollars to buy them, where they have a price.
    pub capital: Option<Spread>,
    /// Dollars for a million tokens.
    pub per_million_tokens: Option<Dollars>,
    /// Mean tokens per second that they could serve at the target's peak over mean, spares aside.
    pub capacity: TokensPerSecond,
}

/// The fleet of one design for a mean demand, by the formula of [`DemandLoad`]; `None` if the design serves nothing.
#[must_use]
pub fn fleet(design: &PlannedDesign, demand: TokensPerSecond) -> Option<PlannedFleet> {
    let [needed, spares] = design.load.machines(demand, design.rate)?;
    let supernodes = needed + spares;
    let load = (demand / (design.rate * supernodes)).min(1.0);
    Some(PlannedFleet {
        supernodes,
        spares,
        chips: supernodes * f64::from(design.chips),
        racks: design.racks.map(|racks| f64::from(racks) * supernodes),
        #[expect(clippy::cast_precision_loss, reason = "module counts are far below 2^53")]
        modules: design.modules as f64 * supernodes,
        power: hall_at(&design.drawn, load) * supernodes,
        rated: design.drawn.rated() * design.drawn.pue * supernodes,
        capital: design.money.cost.purchase().map(|(price, _)| price.times(supernodes)),
        per_million_tokens: design.per_million_tokens(),
        capacity: design.rate * (design.load.utilisation.value * needed / design.load.peak_to_mean),
    })
}

/// The days of a plan with their demands: the target's own day and the later ones of its series, or months between two days. On its own day a
/// target's demand is what it states; the series says how it grows from there.
///
/// # Errors
/// Days that the series does not reach, in one line.
pub fn days(
    target: &TargetSpec,
    between: (Option<Date>, Option<Date>),
    extrapolate: bool,
) -> Result<Vec<(Option<Date>, TokensPerSecond, Basis)>, String> {
    let (from, to) = between;
    let stated = vec![(target.date, target.target.demand.value, Basis::Stated)];
    let Some(series) = &target.series else {
        let asked = from.is_some() || to.is_some();
        return if asked { Err("the target names no series of demands to follow".into()) } else { Ok(stated) };
    };
    let last = series.points.last().map(|point| point.0);
    let (Some(from), Some(last)) = (from.or(target.date), last) else { return Ok(stated) };
    // A target that states another demand than its series has on that day follows the growth of the series from its own demand.
    let on_its_day = target.date.and_then(|day| demand_on(series, day, true)).map(|(demand, _)| target.target.demand.value / demand);
    let factor = on_its_day.filter(|factor| (factor - 1.0).abs() > 1e-9).unwrap_or(1.0);
    let to = to.unwrap_or_else(|| last.max(from));
    if from > to {
        return Err(format!("{from} is after {to}"));
    }
    let months = std::iter::successors(Some(from), |day| Some(day.next_month())).take_while(|day| *day <= to);
    let mut days: Vec<Date> = if between == (None, None) { vec![from] } else { months.take(MOST_DAYS).collect() };
    days.extend(series.points.iter().map(|point| point.0).filter(|day| (from..=to).contains(day)));
    days.sort_unstable();
    days.dedup();
    days.into_iter()
        .map(|day| {
            let beyond = || {
                let first = series.points.first().map_or(String::new(), |point| point.0.to_string());
                format!("{day} is outside what is known of {} ({first} to {last}); --extrapolate follows its growth further", series.name)
            };
            let (demand, basis) = demand_on(series, day, extrapolate).ok_or_else(beyond)?;
            let basis = match basis {
                _ if Some(day) == target.date => Basis::Stated,
                Basis::Stated if factor != 1.0 => Basis::Scaled,
                other => other,
            };
            Ok((Some(day), demand * factor, basis))
        })
        .collect()
}

/// A plan of more months than a century has is a slip of the finger.
const MOST_DAYS: usize = 1200;
