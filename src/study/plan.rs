//! How much hardware a demand takes, as it grows.

use super::fail::{DegradedMachine, availability, single_failures};
use super::progress::Progress;
use super::simulate::{Choice, PhaseResult, simulate_on};
use super::utilisation::Utilisation;
use crate::fabric::Fabric;
use crate::footprint::{Cost, Spread, cost, energy, ownership};
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
}

impl Basis {
    /// The word for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Interpolated => "interpolated",
            Self::Extrapolated => "extrapolated",
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
pub struct Design {
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
    /// Share of that rate that the busiest moment may take, so that limits hold.
    pub utilisation: Utilisation,
    /// Share of them that failures and repairs leave.
    pub availability: f64,
    /// At the hall: powered without work, what full work adds, every part at its rating.
    pub power: (Watts, Watts, Watts),
    /// What one costs to buy.
    pub cost: Cost,
    /// Name of the serving engine in force.
    pub engine: Option<String>,
    /// Why it serves nothing, where it does not.
    pub refusal: Option<String>,
}

/// Measures a design; `utilisation` takes the place of what the target states or what follows from its limits.
#[must_use]
#[expect(clippy::too_many_arguments, reason = "what a design is measured with")]
pub fn design(
    spec: &Spec,
    fabric: &Fabric,
    workload: &WorkloadSpec,
    target: &TargetSpec,
    prices: &Prices,
    reliability: &Reliability,
    utilisation: Option<f64>,
    progress: Progress<'_>,
) -> Design {
    let workload = &workload.deployed_on(spec);
    let network = Network::new(fabric);
    let simulation = simulate_on(spec, &network, workload, target, &Choice::default());
    let patient = DegradedMachine::new(spec, &network, workload, target);
    let power = &simulation.power;
    let waiting: Watts = power.lines.iter().map(|line| line.waiting).sum();
    let working: Watts = power.lines.iter().map(|line| line.working).sum();
    let found = |phase: &PhaseResult| phase.as_ref().and_then(|found| found.as_ref().ok()).cloned();
    let (prefill, decode) = (found(&simulation.prefill), found(&simulation.decode));
    let reading = prefill.as_ref().zip(workload.workload.prefill.as_ref());
    let utilisation = Utilisation::new(utilisation, &target.target, reading, decode.as_ref(), simulation.verdict.service);
    Design {
        utilisation,
        id: spec.id.clone(),
        name: spec.name.clone(),
        chips: fabric.chips,
        racks: spec.supply.racks.as_ref().map(|racks| racks.count),
        modules: simulation.inventory.module_count(),
        rate: simulation.verdict.service.rate,
        availability: availability(&single_failures(&patient, reliability, false, progress)),
        power: (waiting * power.pue, working * power.pue, power.rated() * power.pue),
        cost: cost(spec, fabric, &simulation.inventory, power, prices),
        refusal: simulation.serves_nothing(),
        engine: simulation.engine,
    }
}

/// What a day's demand takes of one design.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// Machines, spares included.
    pub supernodes: f64,
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
    /// Dollars to buy them.
    pub capital: Spread,
    /// Dollars for a million tokens: hardware over its life, and energy.
    pub per_million_tokens: Spread,
    /// Mean tokens per second that they could serve at the target's peak over mean.
    pub capacity: TokensPerSecond,
}

/// The fleet of one design for a mean demand; `None` if the design serves nothing.
///
/// `needed = demand x peak / mean / (rate x utilisation x availability)`, rounded up; then the spares, rounded up.
#[must_use]
pub fn fleet(design: &Design, target: &TargetSpec, demand: TokensPerSecond, prices: &Prices) -> Option<Fleet> {
    let of = |figure: &Option<crate::units::Figure<crate::units::Ratio>>, absent: f64| figure.as_ref().map_or(absent, |figure| figure.value.get());
    let peak = target.target.peak_to_mean.value.get();
    let useful = design.rate * (design.utilisation.value * design.availability);
    if useful <= TokensPerSecond::ZERO {
        return None;
    }
    let needed = (demand * peak / useful).ceil();
    let supernodes = needed + (needed * of(&target.target.spare, 0.0)).ceil();
    let load = (demand / (design.rate * supernodes)).min(1.0);
    let (waiting, working, rated) = design.power;
    let power = (waiting + working * load) * supernodes;
    let capital = design.cost.capital().times(supernodes);
    let running = ownership(capital, prices).plus(energy(power, prices));
    Some(Fleet {
        supernodes,
        chips: supernodes * f64::from(design.chips),
        racks: design.racks.map(|racks| f64::from(racks) * supernodes),
        #[expect(clippy::cast_precision_loss, reason = "module counts are far below 2^53")]
        modules: design.modules as f64 * supernodes,
        power,
        rated: rated * supernodes,
        capital,
        per_million_tokens: running.times(1e6 / demand.get()),
        capacity: useful * (supernodes / peak),
    })
}

/// The days of a plan with their demands: the target's own day and the later ones of its series, or months between two days.
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
    let (Some(from), Some(last)) = (from.or(target.date).or(series.points.first().map(|point| point.0)), last) else { return Ok(stated) };
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
            Ok((Some(day), demand, basis))
        })
        .collect()
}

/// A plan of more months than a century has is a slip of the finger.
const MOST_DAYS: usize = 1200;
