//! How far watts swing: the highest average over a time, and the step when all chips start together.

use super::inventory::Inventory;
use super::over_time::DutyStretch;
use super::power::{Duty, power};
use crate::fabric::Fabric;
use crate::input::spec::Spec;
use crate::network::Profile;
use crate::units::{BytesPerSecond, Joules, Seconds, Watts};

/// Transients of a repeating step at the supply, with all chips of the machine in phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transients {
    /// Mean over a step.
    pub mean: Watts,
    /// Highest average over [`Transients::SHORT`].
    pub highest_short: Watts,
    /// Highest average over [`Transients::LONG`].
    pub highest_long: Watts,
    /// Rise from idle to the highest stretch of a step, which the supply must follow if all chips start together.
    pub ramp: Watts,
    /// From the start of a step to the start of that stretch.
    pub ramp_time: Seconds,
}

impl Transients {
    /// Average over a time that capacitors do not bridge, as a power shelf sees it.
    pub const SHORT: Seconds = Seconds::new(0.010);
    /// Average over a time that matters to a breaker or a generator.
    pub const LONG: Seconds = Seconds::new(1.0);
}

/// Watts of the racks in each stretch. Watts are linear in the activity of the chips, so three machines give the watts of any moment.
#[must_use]
pub fn rack_watts(spec: &Spec, fabric: &Fabric, inventory: &Inventory, duties: &[DutyStretch], profile: &Profile) -> Vec<Watts> {
    let busy = duties.first().map_or(0.0, |(_, _, duty)| duty.busy);
    let total = |chip: f64, sent: f64| {
        let duty = Duty { operators: vec![("", Watts::new(chip))], ports: Watts::ZERO, sent: BytesPerSecond::new(sent), busy };
        power(spec, fabric, inventory, &duty, profile).total()
    };
    let base = total(0.0, 0.0);
    let (of_a_watt, of_a_gigabyte) = (total(1.0, 0.0) - base, total(0.0, 1e9) - base);
    let at = |duty: &Duty| {
        let chip = duty.operators.iter().map(|(_, watts)| *watts).sum::<Watts>() + duty.ports;
        base + of_a_watt * chip.get() + of_a_gigabyte * (duty.sent.get() * 1e-9)
    };
    duties.iter().map(|(_, _, duty)| at(duty)).collect()
}

/// Swings of a machine whose racks draw `watts` in the stretches of `duties`, without a gap and again and again, and `waiting` before; `None` of
/// a step without time.
#[must_use]
pub fn transients(duties: &[DutyStretch], watts: &[Watts], waiting: Watts) -> Option<Transients> {
    let wave = Wave::new(duties, watts)?;
    let highest = (0..watts.len()).fold(0, |highest, place| if watts[place] > watts[highest] { place } else { highest });
    Some(Transients {
        mean: wave.mean(),
        highest_short: wave.highest(Transients::SHORT),
        highest_long: wave.highest(Transients::LONG),
        ramp: watts[highest] - waiting,
        ramp_time: duties[highest].0,
    })
}

/// Watts that are constant between moments and repeat.
struct Wave {
    /// Ends of the stretches.
    ends: Vec<f64>,
    /// Joules from the start to each end.
    energy: Vec<f64>,
    watts: Vec<f64>,
}

impl Wave {
    fn new(duties: &[DutyStretch], watts: &[Watts]) -> Option<Self> {
        let mut sum = Joules::ZERO;
        let energy = duties.iter().zip(watts).map(|((start, end, _), watts)| {
            sum += *watts * (*end - *start);
            sum.get()
        });
        let energy = energy.collect();
        let ends = duties.iter().map(|(_, end, _)| end.get()).collect();
        let wave = Self { energy, ends, watts: watts.iter().map(|watts| watts.get()).collect() };
        (wave.period() > 0.0).then_some(wave)
    }

    fn period(&self) -> f64 {
        self.ends.last().copied().unwrap_or(0.0)
    }

    fn mean(&self) -> Watts {
        Watts::new(self.energy.last().copied().unwrap_or(0.0) / self.period())
    }

    /// Joules from the start to `time`, which may lie in a later period.
    fn until(&self, time: f64) -> f64 {
        let periods = (time / self.period()).floor();
        let inside = time - periods * self.period();
        let place = self.ends.partition_point(|end| *end < inside).min(self.ends.len() - 1);
        periods * self.energy[self.energy.len() - 1] + self.energy[place] - self.watts[place] * (self.ends[place] - inside)
    }

    /// The highest average over `window`. The average changes its slope only where the window begins or ends at a moment, so it is highest at
    /// one of those.
    fn highest(&self, window: Seconds) -> Watts {
        let (window, period) = (window.get(), self.period());
        let beginnings = self.ends.iter().flat_map(|end| [*end, (end - window).rem_euclid(period)]);
        let joules = beginnings.map(|start| self.until(start + window) - self.until(start)).fold(0.0, f64::max);
        Watts::new(joules / window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(pieces: &[(f64, f64)]) -> Wave {
        let mut start = 0.0;
        let mut duties = Vec::new();
        for (time, _) in pieces {
            duties.push((Seconds::new(start), Seconds::new(start + time), Duty::default()));
            start += time;
        }
        let watts: Vec<Watts> = pieces.iter().map(|(_, watts)| Watts::new(*watts)).collect();
        Wave::new(&duties, &watts).unwrap()
    }

    /// 30 W for 6 ms and 10 W for 2 ms: 25 W on average. The best 4 ms lie in the first stretch; the best 10 ms are 6 ms of it, the gap, and 2 ms
    /// of the next: (8 x 30 + 2 x 10) / 10 = 26 W. A window of whole periods sees the mean.
    #[test]
    fn the_highest_average_over_a_window() {
        let wave = wave(&[(6e-3, 30.0), (2e-3, 10.0)]);
        let close = |found: Watts, expected: f64| assert!((found.get() - expected).abs() < 1e-9, "{found:?}, expected {expected}");
        close(wave.mean(), 25.0);
        close(wave.highest(Seconds::new(4e-3)), 30.0);
        close(wave.highest(Seconds::new(10e-3)), 26.0);
        close(wave.highest(Seconds::new(1.0)), 25.0);
    }
}
