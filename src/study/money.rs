//! What serving costs: one definition of the number of machines and of dollars for a token, for every command that prints them.
//!
//! ```text
//! machines = ceil(demand x peak / (rate x u)),  spares = ceil(s x machines)
//! m        = u / peak / (1 + s)                 mean load of a machine, over its steady rate, spares counted in
//! $/token  = (capital / life + price of energy x watts at load m) / (m x rate)
//! ```
//!
//! `demand` is the mean, `peak` the target's busiest moment over its mean, `u` the share of the steady rate that the busiest moment may take
//! ([`Utilisation`]), `s` the target's share of spares. A rented machine costs its rent in place of capital and energy. Rounding to whole
//! machines is not in dollars for a token.

use super::utilisation::Utilisation;
use crate::fabric::Fabric;
use crate::footprint::{Cost, Inventory, Power, Spread, cost, energy, ownership};
use crate::input::document::{Prices, Target};
use crate::input::spec::Spec;
use crate::units::{TokensPerSecond, Watts};

/// How machines are used by a demand that comes and goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DemandLoad {
    /// Share of the steady rate that the busiest moment may take.
    pub utilisation: Utilisation,
    /// Busiest moment over the mean.
    pub peak_to_mean: f64,
    /// Machines kept beside those needed, as a share of them.
    pub spare: f64,
}

impl DemandLoad {
    /// The load of a target's demand.
    #[must_use]
    pub fn of(target: &Target, utilisation: Utilisation) -> Self {
        let spare = target.spare.as_ref().map_or(0.0, |spare| spare.value.get());
        Self { utilisation, peak_to_mean: target.peak_to_mean.value.get(), spare }
    }

    /// Mean load of a machine, spares counted in, as a share of its steady rate.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.utilisation.value / self.peak_to_mean / (1.0 + self.spare)
    }

    /// Machines that a mean demand takes: those needed, and spares; `None` where one serves nothing.
    #[must_use]
    pub fn machines(&self, demand: TokensPerSecond, rate: TokensPerSecond) -> Option<[f64; 2]> {
        let useful = rate * self.utilisation.value;
        let needed = (useful > TokensPerSecond::ZERO).then(|| (demand * self.peak_to_mean / useful).ceil())?;
        Some([needed, (needed * self.spare).ceil()])
    }

    /// The sentence that names its parts.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "a mean load of {:.0} % (utilisation {:.0} % in the busiest moment, {}; busiest over mean {}; spares {:.0} %)",
            100.0 * self.mean(),
            100.0 * self.utilisation.value,
            self.utilisation.basis.name(),
            self.peak_to_mean,
            100.0 * self.spare
        )
    }
}

/// Dollars, by what they are paid for; `None` where something has no price.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dollars {
    /// For hardware over its life.
    pub capital: Option<Spread>,
    /// For energy of the hall.
    pub energy: Option<Spread>,
    /// For a rented machine, in place of both.
    pub rent: Option<Spread>,
}

impl Dollars {
    /// Hardware and energy together.
    #[must_use]
    pub fn owned(&self) -> Option<Spread> {
        Some(self.capital?.plus(self.energy?))
    }

    /// Each of them times a factor.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let times = |spread: Option<Spread>| spread.map(|spread| spread.times(factor));
        Self { capital: times(self.capital), energy: times(self.energy), rent: times(self.rent) }
    }
}

/// What a machine costs and what that makes a second of work cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Money {
    /// To buy, and to rent.
    pub cost: Cost,
    /// How it is used.
    pub load: DemandLoad,
    /// At the hall, at the mean load.
    pub power: Watts,
    /// Dollars for a second of a machine at full use: dollars of a second at the mean load, over that load.
    pub second: Dollars,
    /// Month of the prices.
    pub date: String,
}

impl Money {
    /// The money of a machine that draws `power` while it serves.
    #[must_use]
    pub fn new(spec: &Spec, fabric: &Fabric, inventory: &Inventory, power: &Power, prices: &Prices, load: DemandLoad) -> Self {
        let cost = cost(spec, fabric, inventory, power, prices);
        let drawn = hall_at(power, load.mean());
        let at_load =
            Dollars { capital: cost.purchase().and_then(|(price, _)| ownership(price, prices)), energy: energy(drawn, prices), rent: cost.rent };
        Self { second: at_load.times(1.0 / load.mean()), cost, load, power: drawn, date: prices.date.clone() }
    }

    /// Dollars for a million tokens of which a machine at full use makes `rate` a second.
    #[must_use]
    pub fn per_million(&self, rate: f64) -> Option<Dollars> {
        (rate > 0.0).then(|| self.second.times(1e6 / rate))
    }
}

/// Watts at the hall of a machine at a share of its work.
#[must_use]
pub fn hall_at(power: &Power, load: f64) -> Watts {
    let waiting: Watts = power.lines.iter().map(|line| line.waiting).sum();
    let working: Watts = power.lines.iter().map(|line| line.working).sum();
    (waiting + working * load) * power.pue
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::UtilisationBasis;

    /// 1000 tokens a second on average, twice that at the peak, of machines with 100 of which 80 may be asked for: 25 and one spare. The mean
    /// load is 1000 / (26 x 100) = 0.3846; by the formula 0.8 / 2 / 1.04.
    #[test]
    fn machines_and_their_mean_load() {
        let utilisation = Utilisation { value: 0.8, basis: UtilisationBasis::User, places: [None, None] };
        let load = DemandLoad { utilisation, peak_to_mean: 2.0, spare: 0.04 };
        let rate = TokensPerSecond::new;
        assert_eq!(load.machines(rate(1000.0), rate(100.0)), Some([25.0, 1.0]));
        assert!((load.mean() - 1000.0 / 2600.0).abs() < 1e-12);
        assert_eq!(load.machines(rate(1000.0), rate(0.0)), None);
    }
}
