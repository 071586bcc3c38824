//! Power of a working chip, and the clock at which it keeps to its limit.
//!
//! ```text
//! v(c)  = max(v_low, 1 - (1 - v_low) (1 - c) / (1 - knee))      voltage at clock c, both as shares of the highest
//! W(c)  = idle + active c v^2 (held + between (t - held)) / t + (v^2 E_operations + E_memory + E_ports) / t
//! clock = the highest c with W(c) <= limit
//! ```
//!
//! Switching a gate costs `C V^2` (Chandrakasan, Sheng and Brodersen 1992, "Low-Power CMOS Digital Design"), so operations cost `v^2` of their
//! energy at the highest clock and what toggles every cycle `c v^2` of its power. Memory and ports have supplies and clocks of their own.
//! Of a step's time `t`, kernels hold the cores for `held`: all of them while the model's kernels run, the library's share of them while
//! nothing but a transfer does. Otherwise cores wait for the host to start the next kernel or for other chips. Clock and voltage stay up
//! meanwhile: a loaded chip without work draws more than an idle one, and for milliseconds nothing lowers its clock.
//!
//! Below the knee the voltage is the lowest at which the circuit works, and less clock saves in proportion only. A chip that asks for more
//! than its limit at its lowest clock, or has one clock only, rests for a part of the time.

use super::activity::Activity;
use crate::input::document::{ChipPower, Clock, Precision};
use crate::units::{Bytes, Flop, Joules, Seconds, Watts};

/// Energy of an operation relative to BF16: multipliers shrink with the format's bits.
fn relative_energy(precision: Precision) -> f64 {
    match precision.computes_in() {
        Precision::Int8 | Precision::Fp8 => 0.5,
        Precision::Fp4 => 0.25,
        _ => 1.0,
    }
}

/// Voltage at `clock`, both as shares of the highest.
fn voltage(clock: &Clock, share: f64) -> f64 {
    let (lowest, knee) = (clock.lowest_voltage.value.get(), clock.knee.value / clock.highest.value);
    if share <= knee || knee >= 1.0 { lowest } else { 1.0 - (1.0 - lowest) * (1.0 - share) / (1.0 - knee) }
}

/// Energy of switching at `clock` (a share of the highest) over that at the highest.
fn switching(power: &ChipPower, clock: f64) -> f64 {
    if clock >= 1.0 { 1.0 } else { power.clock.as_ref().map_or(1.0, |range| voltage(range, clock).powi(2)) }
}

/// Energy of operations at `clock`, by format in [`Precision::ALL`] order: `sum of operations x energy of one`.
#[must_use]
pub fn arithmetic_energy(power: &ChipPower, flop: &[Flop; Precision::ALL.len()], clock: f64) -> Joules {
    let highest: Joules =
        Precision::ALL.iter().zip(flop).map(|(&precision, flop)| power.energy_per_flop.value * *flop * relative_energy(precision)).sum();
    highest * switching(power, clock)
}

/// Energy of what the chip's own memory interface moves.
#[must_use]
pub fn memory_energy(power: &ChipPower, bytes: Bytes) -> Joules {
    power.memory_energy.value * bytes
}

/// Energy of the scale-up ports of the chip that sends: the receiving chip spends as much on the same bytes, so a chip in symmetric
/// traffic spends twice this.
#[must_use]
pub fn port_energy(power: &ChipPower, sent: Bytes) -> Joules {
    power.io_energy.value * sent * 2.0
}

/// Energy of a chip's work at `clock` beyond waiting and beyond what running kernels draw whatever they do, `ranks` ranks together.
#[must_use]
pub fn work_energy(power: &ChipPower, activity: &Activity, ranks: f64, clock: f64) -> Joules {
    (arithmetic_energy(power, &activity.flop, clock) + memory_energy(power, activity.memory) + port_energy(power, activity.sent)) * ranks
}

/// Power above idle at `clock` while cores wait for the next kernel of work under way.
#[must_use]
pub fn power_between_kernels(power: &ChipPower, clock: f64) -> Watts {
    power.between_kernels() * (clock * switching(power, clock))
}

/// Energy above idle over `time` at `clock`, in which kernels hold the cores for `held`, whatever they do.
#[must_use]
pub fn running_energy(power: &ChipPower, clock: f64, [held, time]: [Seconds; 2]) -> Joules {
    (power.active() - power.between_kernels()) * (clock * switching(power, clock)) * held + power_between_kernels(power, clock) * time
}

/// What a chip draws beyond waiting, on average over `time` at `clock`, while kernels hold its cores for a part of it.
#[must_use]
pub fn work_power(power: &ChipPower, activity: &Activity, ranks: f64, clock: f64, held_and_time: [Seconds; 2]) -> Watts {
    WorkEnergy::new(power, activity, ranks).power(power, clock, held_and_time)
}

/// [`work_energy`] with all that does not depend on the clock worked out: the search for a clock asks for many.
pub(super) struct WorkEnergy {
    /// Operations at the highest clock.
    operations: Joules,
    memory: Joules,
    ports: Joules,
    ranks: f64,
}

impl WorkEnergy {
    pub fn new(power: &ChipPower, activity: &Activity, ranks: f64) -> Self {
        let operations = arithmetic_energy(power, &activity.flop, 1.0);
        Self { operations, memory: memory_energy(power, activity.memory), ports: port_energy(power, activity.sent), ranks }
    }

    /// As [`work_power`].
    pub fn power(&self, power: &ChipPower, clock: f64, [held, time]: [Seconds; 2]) -> Watts {
        if time <= Seconds::ZERO {
            return Watts::ZERO;
        }
        let work = (self.operations * switching(power, clock) + self.memory + self.ports) * self.ranks;
        (work + running_energy(power, clock, [held, time])) / time
    }
}

/// How a chip keeps to its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockPace {
    /// Its clock, as a share of the highest.
    pub clock: f64,
    /// Time with rests over time without; more than 1 only where the lowest clock asks for too much.
    pub rest: f64,
}

impl ClockPace {
    /// Nothing holds it back.
    pub const FULL: Self = Self { clock: 1.0, rest: 1.0 };

    /// Position of the clock on the scale of cycle lengths, from the highest clock (0) to the lowest (1). A time that depends partly on the clock is
    /// `highest + place x (lowest - highest)`.
    #[must_use]
    pub fn place(clock: f64, lowest: f64) -> f64 {
        if lowest < 1.0 { (1.0 / clock - 1.0) / (1.0 / lowest - 1.0) } else { 0.0 }
    }
}

/// The lowest clock as a share of the highest; 1 for a chip with one clock.
#[must_use]
pub fn lowest_clock(power: &ChipPower) -> f64 {
    power.clock.as_ref().map_or(1.0, |clock| (clock.lowest.value / clock.highest.value).min(1.0))
}

/// Steps of the search for the clock; it ends sooner, as soon as the chip draws its limit to twelve digits.
const MOST_STEPS: u32 = 100;

/// The highest clock at which a chip that draws `beyond` waiting at that clock stays within its limit. The limit acts on the mean over a
/// step, since regulators and heat sinks average over more than one.
///
/// `beyond` must not fall as the clock rises.
pub fn pace(power: &ChipPower, mut beyond: impl FnMut(f64) -> Watts) -> ClockPace {
    let room: Watts = power.limit() - power.idle.value;
    // A description whose limit is not above idle is refused when it is read.
    if room <= Watts::ZERO {
        return ClockPace::FULL;
    }
    let full = beyond(1.0);
    if full <= room {
        return ClockPace::FULL;
    }
    let lowest = lowest_clock(power);
    let least = beyond(lowest);
    if least > room {
        return ClockPace { clock: lowest, rest: least / room };
    }
    // The false position of Illinois (Dowell and Jarratt 1971): a straight line through both ends, of which the one that stays too long counts
    // half. `low` always fits.
    let (mut low, mut high) = (lowest, 1.0);
    let (mut below, mut above, mut fitted) = (least / room - 1.0, full / room - 1.0, false);
    for _ in 0..MOST_STEPS {
        let guess = low - below * (high - low) / (above - below);
        if guess <= low || guess >= high {
            break;
        }
        let over = beyond(guess) / room - 1.0;
        let fits = over <= 0.0;
        let stays = if fits == fitted { 0.5 } else { 1.0 };
        fitted = fits;
        if fits {
            (low, below, above) = (guess, over, above * stays);
        } else {
            (high, above, below) = (guess, over, below * stays);
        }
        if fits && over > -1e-12 {
            break;
        }
    }
    ClockPace { clock: low, rest: 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Figure, Hertz, JoulesPerBit, JoulesPerFlop, Ratio};

    fn power() -> ChipPower {
        let clock = Clock {
            highest: Figure::plain(Hertz::new(2e9)),
            lowest: Figure::plain(Hertz::new(0.5e9)),
            knee: Figure::plain(Hertz::new(1e9)),
            lowest_voltage: Figure::plain(Ratio::new(0.7)),
        };
        ChipPower {
            idle: Figure::plain(Watts::new(100.0)),
            active: Some(Figure::plain(Watts::new(80.0))),
            between_kernels: Some(Figure::plain(Ratio::new(0.5))),
            tdp: Figure::plain(Watts::new(500.0)),
            cap: None,
            clock: Some(clock),
            energy_per_flop: Figure::plain(JoulesPerFlop::new(1e-12)),
            toggling: None,
            memory_energy: Figure::plain(JoulesPerBit::new(5e-12)),
            io_energy: Figure::plain(JoulesPerBit::new(5e-12)),
        }
    }

    fn operations(count: f64) -> Activity {
        let mut activity = Activity::default();
        activity.flop[Precision::Bf16 as usize] = Flop::new(count);
        activity
    }

    /// From 0.7 of the highest voltage at half of the clock to all of it at the highest: 0.85 half-way.
    #[test]
    fn voltage_rises_above_the_knee() {
        let clock = power().clock.unwrap();
        assert_eq!([0.25, 0.5, 1.0].map(|share| voltage(&clock, share)), [0.7, 0.7, 1.0]);
        assert!((voltage(&clock, 0.75) - 0.85).abs() < 1e-15);
    }

    /// 400 W of room. Operations that take a second at the highest clock and 300 J: 380 W with what kernels draw, no need to slow down.
    /// With 500 J at three quarters of the clock: 0.85^2 (500 J x 0.75 / s + 80 W x 0.75) = 314 W; the limit lies between.
    #[test]
    fn the_clock_is_the_highest_that_fits() {
        let power = power();
        let at = |joules: f64| {
            move |clock: f64| {
                let time = Seconds::new(1.0 / clock);
                work_power(&self::power(), &operations(joules * 1e12), 1.0, clock, [time; 2])
            }
        };
        assert_eq!(pace(&power, at(300.0)), ClockPace::FULL);
        assert!((at(500.0)(0.75).get() - 314.2875).abs() < 1e-9);
        let held = pace(&power, at(500.0));
        assert!(held.clock > 0.75 && held.clock < 1.0 && held.rest == 1.0);
        assert!((at(500.0)(held.clock).get() - 400.0).abs() < 1e-9, "draws its limit");
        // At the lowest clock, a quarter: 0.49 (8000 J / 4 s + 20 W) = 989.8 W.
        let rests = pace(&power, at(8000.0));
        assert_eq!(rests.clock, 0.25);
        assert!((rests.rest - 989.8 / 400.0).abs() < 1e-12);
    }

    /// 80 W for three of ten seconds, 40 W for the other seven: 520 J. At half of the clock and 0.7 of the voltage 0.5 x 0.49 of it.
    #[test]
    fn cores_that_wait_draw_a_part() {
        let energy = |clock| running_energy(&power(), clock, [Seconds::new(3.0), Seconds::new(10.0)]).get();
        assert_eq!(energy(1.0), 520.0);
        assert!((energy(0.5) - 520.0 * 0.245).abs() < 1e-9);
        assert_eq!(power_between_kernels(&power(), 1.0), Watts::new(40.0));
    }

    #[test]
    fn a_chip_with_one_clock_rests() {
        let fixed = ChipPower { clock: None, active: None, ..power() };
        assert_eq!(pace(&fixed, |_| Watts::new(800.0)), ClockPace { clock: 1.0, rest: 2.0 });
        let capped = ChipPower { cap: Some(Figure::plain(Watts::new(300.0))), ..fixed };
        assert_eq!(pace(&capped, |_| Watts::new(800.0)).rest, 4.0);
    }

    #[test]
    fn narrow_formats_cost_less() {
        let of = |precision: Precision| {
            let mut flop = [Flop::ZERO; Precision::ALL.len()];
            flop[precision as usize] = Flop::new(1e12);
            arithmetic_energy(&power(), &flop, 1.0).get()
        };
        assert_eq!([of(Precision::Bf16), of(Precision::Int8), of(Precision::Fp4), of(Precision::W4a16)], [1.0, 0.5, 0.25, 1.0]);
    }
}
