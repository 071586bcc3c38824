//! What a chip draws while it works, and how much slower it runs when that is more than its limit.

use super::activity::Activity;
use crate::input::document::{ChipPower, Precision};
use crate::units::{Bytes, Flop, Joules, Seconds, Watts};

/// Energy of an operation relative to BF16: multipliers shrink with the format's bits.
fn relative_energy(precision: Precision) -> f64 {
    match precision.computes_in() {
        Precision::Int8 | Precision::Fp8 => 0.5,
        Precision::Fp4 => 0.25,
        _ => 1.0,
    }
}

/// Energy of operations, by format in [`Precision::ALL`] order: `sum of operations x energy of one`.
#[must_use]
pub fn arithmetic_energy(power: &ChipPower, flop: &[Flop; Precision::ALL.len()]) -> Joules {
    Precision::ALL.iter().zip(flop).map(|(&precision, flop)| power.energy_per_flop.value * *flop * relative_energy(precision)).sum()
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

/// Energy of a chip's work beyond waiting, `ranks` ranks together.
#[must_use]
pub fn work_energy(power: &ChipPower, activity: &Activity, ranks: f64) -> Joules {
    (arithmetic_energy(power, &activity.flop) + memory_energy(power, activity.memory) + port_energy(power, activity.sent)) * ranks
}

/// How much longer work takes under the chip's limit: with energy `E` beyond waiting in time `t`, the clock falls until
/// `idle + E / (t x slowdown)` is the limit; never below 1. The limit acts on the mean over a step, since regulators and heat sinks
/// average over more than one.
#[must_use]
pub fn slowdown(power: &ChipPower, work: Joules, time: Seconds) -> f64 {
    let room: Watts = power.tdp.value - power.idle.value;
    if time <= Seconds::ZERO || room <= Watts::ZERO {
        return 1.0;
    }
    (work / room / time).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Figure;
    use crate::units::{JoulesPerBit, JoulesPerFlop};

    fn power() -> ChipPower {
        ChipPower {
            idle: Figure::plain(Watts::new(100.0)),
            active: None,
            tdp: Figure::plain(Watts::new(500.0)),
            energy_per_flop: Figure::plain(JoulesPerFlop::new(1e-12)),
            memory_energy: Figure::plain(JoulesPerBit::new(5e-12)),
            io_energy: Figure::plain(JoulesPerBit::new(5e-12)),
        }
    }

    #[test]
    fn a_chip_that_asks_for_less_than_its_limit_is_not_slowed() {
        // 400 W of room for one second: 300 J fit, 800 J take twice as long.
        assert_eq!(slowdown(&power(), Joules::new(300.0), Seconds::new(1.0)), 1.0);
        assert_eq!(slowdown(&power(), Joules::new(800.0), Seconds::new(1.0)), 2.0);
        assert_eq!(slowdown(&power(), Joules::ZERO, Seconds::new(1.0)), 1.0);
    }

    #[test]
    fn narrow_formats_cost_less() {
        let of = |precision: Precision| {
            let mut flop = [Flop::ZERO; Precision::ALL.len()];
            flop[precision as usize] = Flop::new(1e12);
            arithmetic_energy(&power(), &flop).get()
        };
        assert_eq!([of(Precision::Bf16), of(Precision::Int8), of(Precision::Fp4), of(Precision::W4a16)], [1.0, 0.5, 0.25, 1.0]);
    }
}
