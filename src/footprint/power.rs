//! Power follows activity: what every kind of part draws while the machine works, from the chips to the hall.

use crate::fabric::Fabric;
use crate::footprint::Inventory;
use crate::input::document::{Chip, Medium, Precision};
use crate::input::spec::Spec;
use crate::network::Profile;
use crate::units::{BytesPerSecond, FlopPerSecond, Watts};

/// What one chip does in a second, on average, while its instance runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChipRates {
    /// Operations by format, in [`Precision::ALL`] order.
    pub flop: [FlopPerSecond; Precision::ALL.len()],
    /// To and from memory.
    pub memory: BytesPerSecond,
    /// Sent on the scale-up ports.
    pub sent: BytesPerSecond,
}

/// Watts of the parts of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerLine {
    /// What they are.
    pub part: String,
    /// How many.
    pub count: u64,
    /// All of them.
    pub power: Watts,
}

/// Watts by part; their sum is what the racks draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Power {
    /// Chips first, then fabric, host, cooling, conversion.
    pub lines: Vec<PowerLine>,
    /// Whether activity asks the chips for more than their limit; they then run slower than this program says.
    pub capped: bool,
    /// Power of the hall over power of the racks.
    pub pue: f64,
}

impl Power {
    /// What the racks draw.
    #[must_use]
    pub fn total(&self) -> Watts {
        self.lines.iter().map(|line| line.power).sum()
    }

    /// What the hall draws.
    #[must_use]
    pub fn facility(&self) -> Watts {
        self.total() * self.pue
    }
}

/// Energy of an operation relative to BF16: multipliers shrink with the format's bits.
fn relative_energy(precision: Precision) -> f64 {
    match precision.computes_in() {
        Precision::Int8 | Precision::Fp8 => 0.5,
        Precision::Fp4 => 0.25,
        _ => 1.0,
    }
}

/// What one chip draws at the given rates, not capped: `idle + operations + memory + ports`.
#[must_use]
pub fn chip_power(chip: &Chip, rates: &ChipRates) -> Watts {
    let power = &chip.power;
    let arithmetic: f64 = Precision::ALL
        .iter()
        .zip(&rates.flop)
        .map(|(&precision, rate)| power.energy_per_flop.value.get() * relative_energy(precision) * rate.get())
        .sum();
    power.idle.value + Watts::new(arithmetic) + power.memory_energy.value * rates.memory + power.io_energy.value * rates.sent
}

/// What a machine draws when every chip works at `rates` and traffic spreads over the fabric as in `profile` (any multiple of it).
#[must_use]
pub fn power(spec: &Spec, fabric: &Fabric, inventory: &Inventory, rates: &ChipRates, profile: &Profile) -> Power {
    let mut lines = Vec::new();
    let mut line = |part: String, count: u64, power: Watts| {
        if count > 0 {
            lines.push(PowerLine { part, count, power });
        }
    };
    let chips = inventory.chips;
    let asked = chip_power(&spec.chip, rates);
    let capped = asked > spec.chip.power.tdp.value;
    line(format!("chips ({})", spec.chip.name), chips, asked.min(spec.chip.power.tdp.value) * real(chips));

    // How often a sent byte crosses each link part, and passes each switch part.
    let sent = rates.sent * real(chips);
    let visits = |bytes: f64| if profile.sent_bytes > 0.0 { bytes / profile.sent_bytes } else { 0.0 };
    for (index, part) in fabric.switches.iter().enumerate() {
        let count: u64 = inventory.switches.iter().filter(|line| line.part == part.id).map(|line| line.count).sum();
        let traffic = part.switch.power.energy_per_bit.value * (sent * visits(profile.switch_bytes[index]));
        line(format!("switch chips ({})", part.id), count, part.switch.power.idle.value * real(count) + traffic);
    }
    for (index, part) in fabric.links.iter().enumerate() {
        let of_part = || inventory.links.iter().filter(|line| line.part == part.id);
        let links: u64 = of_part().map(|line| line.count).sum();
        line(format!("SerDes ({})", part.id), links, part.link.serdes_energy.value * (sent * visits(profile.link_bytes[index])));
        match &part.link.medium {
            Medium::Optical { module_power, .. } => {
                let modules: u64 = of_part().map(|line| line.modules).sum();
                line(format!("optical modules ({})", part.id), modules, module_power.value * real(modules));
            }
            Medium::Retimed { retimer_power, .. } => {
                let retimers: u64 = of_part().map(|line| line.retimers).sum();
                line(format!("retimers ({})", part.id), retimers, retimer_power.value * real(retimers));
            }
            Medium::Trace {} | Medium::Copper {} => {}
        }
    }
    for (name, count) in &inventory.cpus {
        let Some((_, cpu)) = fabric.cpus.iter().find(|part| part.0 == *name) else { continue };
        line(format!("CPUs with DRAM ({name})"), *count, (cpu.power.serving.value + cpu.power.memory.value) * real(*count));
    }
    for auxiliary in &spec.auxiliaries {
        line(auxiliary.name.clone(), auxiliary.count, auxiliary.power.value * real(auxiliary.count));
    }
    let parts: Watts = lines.iter().map(|line: &PowerLine| line.power).sum();
    let cooling = parts * spec.supply.cooling_share.value.get();
    let loss = (parts + cooling) * (1.0 / spec.supply.conversion_efficiency.value.get() - 1.0);
    lines.push(PowerLine { part: "fans and pumps".into(), count: 1, power: cooling });
    lines.push(PowerLine { part: "conversion losses".into(), count: 1, power: loss });
    Power { lines, capped, pue: spec.supply.pue.value.get() }
}

/// Two ways of working at once: `share` of the machine as in `a`, the rest as in `b`. Parts are the same in both.
#[must_use]
pub fn mixed(a: &Power, b: &Power, share: f64) -> Power {
    let lines = a
        .lines
        .iter()
        .zip(&b.lines)
        .map(|(a, b)| PowerLine { part: a.part.clone(), count: a.count, power: a.power * share + b.power * (1.0 - share) })
        .collect();
    Power { lines, capped: a.capped || b.capped, pue: a.pue }
}

#[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}
