//! Power of every kind of part, from the chips to the hall: while the machine waits, while it works, and at its rating.

use std::collections::BTreeMap;

use super::inventory::{Inventory, NicLinks};
use crate::execution::{Step, port_energy};
use crate::fabric::{Endpoint, Fabric};
use crate::input::document::{ChipPower, Cooling, Medium, Racks, SwitchPower};
use crate::input::spec::Spec;
use crate::network::Profile;
use crate::units::{Bytes, BytesPerSecond, Joules, Seconds, Watts};

/// Mean activity of a machine's chips in one phase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Duty {
    /// Watts of one chip beyond waiting, by operator; what kernels draw whatever they do is the last.
    pub operators: Vec<(&'static str, Watts)>,
    /// Watts of one chip's scale-up ports beyond waiting.
    pub ports: Watts,
    /// Sent by one chip on its scale-up ports.
    pub sent: BytesPerSecond,
    /// Share of the chips that work; the others wait.
    pub busy: f64,
}

impl Duty {
    /// Name of the constant power of running kernels.
    pub const ALWAYS: &'static str = "clocks and caches";

    /// Chips of `ranks` ranks run `step` again and again; only the share `busy` of them has an instance to run.
    #[must_use]
    pub fn of(step: &Step, fabric: &Fabric, busy: f64) -> Self {
        Self::with(&fabric.chip.power, fabric.chip.ranks, step, busy)
    }

    /// As [`Duty::of`], for a chip with `ranks` ranks that is not the fabric's chip.
    #[must_use]
    pub fn with(power: &ChipPower, ranks: u32, step: &Step, busy: f64) -> Self {
        Self::at_work(power, ranks, step.operators.clone(), (step.activity.sent, step.time), step.running, busy)
    }

    /// Chips of `ranks` ranks spend the energy of `operators` and send so many bytes, by rank, in a time, and `running` in all, again and
    /// again; only the share `busy` of the chips does.
    #[must_use]
    pub fn at_work(
        power: &ChipPower,
        ranks: u32,
        operators: Vec<(&'static str, Joules)>,
        (sent, time): (Bytes, Seconds),
        running: Joules,
        busy: f64,
    ) -> Self {
        let ranks = f64::from(ranks) * busy;
        let mut operators: Vec<(&'static str, Watts)> = operators.into_iter().map(|(name, energy)| (name, energy * ranks / time)).collect();
        if running > Joules::ZERO {
            operators.push((Self::ALWAYS, running * busy / time));
        }
        Self { operators, ports: port_energy(power, sent) * ranks / time, sent: BytesPerSecond::new(sent.get() * ranks / time.get()), busy }
    }
}

/// Watts of one chip of `ranks` ranks while it runs `step` again and again.
#[must_use]
pub fn chip_power(power: &ChipPower, ranks: u32, step: &Step) -> Watts {
    let duty = Duty::with(power, ranks, step, 1.0);
    power.idle.value + duty.ports + duty.operators.iter().map(|(_, watts)| *watts).sum::<Watts>()
}

/// Where a part stands, for the split by level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PowerPlace {
    /// Accelerator packages.
    Chips,
    /// Switches and links of a level of the fabric.
    Level(u8),
    /// CPUs, NICs, drives.
    Host,
    /// Fans, pumps, conversion.
    Supply,
}

/// Watts of the parts of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerLine {
    /// What they are.
    pub part: String,
    /// Where they stand.
    pub place: PowerPlace,
    /// How many.
    pub count: u64,
    /// All of them, powered and without work.
    pub waiting: Watts,
    /// Additional watts from their work.
    pub working: Watts,
    /// All of them at their rating: chips at their limit, ports at line rate.
    pub rated: Watts,
}

impl PowerLine {
    /// What they draw.
    #[must_use]
    pub fn power(&self) -> Watts {
        self.waiting + self.working
    }
}

/// Watts by part; their sum is what the racks draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Power {
    /// Chips first, then fabric, host, cooling, conversion.
    pub lines: Vec<PowerLine>,
    /// The same watts by what they are spent on: operators, transfers, waiting, cooling and conversion.
    pub purposes: Vec<(String, Watts)>,
    /// Time of a step over what it would be without the chips' power limit; the larger of the phases.
    pub slowdown: f64,
    /// Watts of typical hosts if the description has none, since chips cannot work without hosts. Absent if hosts or other parts are described.
    pub missing_hosts: Option<Watts>,
    /// Racks that the machine fills, if stated.
    pub racks: Option<Racks>,
    /// Power of the hall over power of the racks.
    pub pue: f64,
}

impl Power {
    /// What the racks draw.
    #[must_use]
    pub fn total(&self) -> Watts {
        self.lines.iter().map(PowerLine::power).sum()
    }

    /// Watts of the racks with every part at its rating: the number on the plate.
    #[must_use]
    pub fn rated(&self) -> Watts {
        self.lines.iter().map(|line| line.rated).sum()
    }

    /// Share of the time that is lost to the chips' power limit: `1 - 1 / slowdown`.
    #[must_use]
    pub fn lost_to_limit(&self) -> f64 {
        1.0 - 1.0 / self.slowdown
    }

    /// What the hall draws.
    #[must_use]
    pub fn facility(&self) -> Watts {
        self.total() * self.pue
    }

    /// Watts by place, innermost first.
    #[must_use]
    pub fn by_place(&self) -> Vec<(PowerPlace, Watts)> {
        let mut places: BTreeMap<PowerPlace, Watts> = BTreeMap::new();
        for line in &self.lines {
            *places.entry(line.place).or_default() += line.power();
        }
        places.into_iter().collect()
    }
}

/// Power of a machine at `duty`, if traffic is spread over the fabric as in `profile` or a multiple of it.
#[must_use]
pub fn power(spec: &Spec, fabric: &Fabric, inventory: &Inventory, duty: &Duty, profile: &Profile) -> Power {
    let mut lines = vec![chips(spec, inventory, duty)];
    lines.extend(switches(fabric, inventory, duty, profile));
    lines.extend(links(fabric, inventory, duty, profile));
    lines.extend(hosts(spec, fabric, inventory, duty, profile));
    let chips = real(inventory.chips);
    let waiting = lines.iter().map(|line| line.waiting).sum();
    let mut purposes: Vec<(String, Watts)> = duty.operators.iter().map(|(name, power)| ((*name).to_owned(), *power * chips)).collect();
    let transfers: Watts = lines.iter().filter(|line| matches!(line.place, PowerPlace::Level(_))).map(|line| line.working).sum();
    let hosting: Watts = lines.iter().filter(|line| line.place == PowerPlace::Host).map(|line| line.working).sum();
    purposes.push(("transfers".to_owned(), duty.ports * chips + transfers));
    purposes.push(("hosts at work".to_owned(), hosting));
    purposes.push(("waiting".to_owned(), waiting));
    let supply = supply(spec, &lines);
    purposes.extend(supply.iter().map(|line| (line.part.clone(), line.power())));
    lines.extend(supply);
    let missing_hosts = missing_hosts(spec, inventory);
    Power { lines, purposes, slowdown: 1.0, missing_hosts, racks: spec.supply.racks.clone(), pue: spec.supply.pue.value.get() }
}

/// A typical host of eight chips: two processors with their memory, drives, management and front-end cards, as the shipped HGX servers have.
const TYPICAL_HOST: Watts = Watts::new(1600.0);
/// Chips of such a host.
const CHIPS_OF_A_HOST: u64 = 8;

/// Power of typical hosts, for a machine that describes none.
fn missing_hosts(spec: &Spec, inventory: &Inventory) -> Option<Watts> {
    let described = inventory.cpus.iter().any(|(_, count)| *count > 0) || spec.auxiliaries.iter().any(|part| part.count > 0);
    (!described).then(|| TYPICAL_HOST * real(inventory.chips.div_ceil(CHIPS_OF_A_HOST)))
}

fn chips(spec: &Spec, inventory: &Inventory, duty: &Duty) -> PowerLine {
    let power = &spec.chip.power;
    let count = real(inventory.chips);
    let working: Watts = duty.operators.iter().map(|(_, power)| *power).sum::<Watts>() + duty.ports;
    PowerLine {
        part: format!("chips ({})", spec.chip.name),
        place: PowerPlace::Chips,
        count: inventory.chips,
        waiting: power.idle.value * count,
        working: working * count,
        rated: power.limit() * count,
    }
}

/// How often a sent byte visits parts of one kind.
fn visits(profile: &Profile, bytes: f64) -> f64 {
    if profile.sent_bytes > 0.0 { bytes / profile.sent_bytes } else { 0.0 }
}

/// Name of a part's line; the level is told where the part stands on several.
fn named(kind: &str, part: &str, level: u8, levels: usize, fabric: &Fabric) -> String {
    let name = fabric.level_names.get(level as usize).map_or("", String::as_str);
    if levels > 1 { format!("{kind} ({part}, {name})") } else { format!("{kind} ({part})") }
}

/// A switch chip: `idle + energy per bit x bits forwarded`; rated with every port sending at line rate.
fn switches(fabric: &Fabric, inventory: &Inventory, duty: &Duty, profile: &Profile) -> Vec<PowerLine> {
    let sent = duty.sent * real(inventory.chips);
    let line_rate = line_rates(fabric);
    let lines = inventory.switches.iter().filter_map(|line| {
        let index = fabric.switches.iter().position(|part| part.id == line.part)?;
        let SwitchPower { idle, energy_per_bit } = &fabric.switches[index].switch.power;
        let of_part = || inventory.switches.iter().filter(|other| other.part == line.part);
        // Traffic is known by part: tiers of one part share it by their numbers.
        let share = real(line.count) / real(of_part().map(|other| other.count).sum());
        let waiting = idle.value * real(line.count);
        let forwarded = sent * (visits(profile, profile.switch_bytes[index]) * share);
        let full = line_rate.get(&(index, line.level)).copied().unwrap_or_default();
        Some(PowerLine {
            part: named("switch chips", &line.part, line.level, of_part().count(), fabric),
            place: PowerPlace::Level(line.level),
            count: line.count,
            waiting,
            working: energy_per_bit.value * forwarded,
            rated: waiting + energy_per_bit.value * full,
        })
    });
    lines.collect()
}

/// Bytes per second of all ports of the switches of a part and level at line rate.
fn line_rates(fabric: &Fabric) -> BTreeMap<(usize, u8), BytesPerSecond> {
    let mut rates: BTreeMap<(usize, u8), BytesPerSecond> = BTreeMap::new();
    for node in fabric.graph.node_indices() {
        let weight = fabric.graph[node];
        if let Endpoint::Switch(part) = weight.endpoint {
            let rate: BytesPerSecond =
                fabric.graph.edges(node).map(|edge| line_rate(fabric, edge.weight().link) * f64::from(edge.weight().count)).sum();
            *rates.entry((part as usize, weight.level)).or_default() += rate;
        }
    }
    rates
}

fn line_rate(fabric: &Fabric, link: u16) -> BytesPerSecond {
    let link = &fabric.links[link as usize].link;
    link.lane_rate.value * f64::from(link.lanes)
}

/// Links: `SerDes` by the bit, modules and retimers always on (their lasers and recovery loops do not rest between packets).
fn links(fabric: &Fabric, inventory: &Inventory, duty: &Duty, profile: &Profile) -> Vec<PowerLine> {
    let sent = duty.sent * real(inventory.chips);
    let mut lines = Vec::new();
    for line in &inventory.links {
        let Some(index) = fabric.links.iter().position(|part| part.id == line.part) else { continue };
        let link = &fabric.links[index].link;
        let of_part = || inventory.links.iter().filter(|other| other.part == line.part);
        let levels = of_part().count();
        let share = real(line.count) / real(of_part().map(|other| other.count).sum());
        let crossing = sent * (visits(profile, profile.link_bytes[index]) * share);
        let full = link.lane_rate.value * (f64::from(link.lanes) * 2.0 * real(line.count));
        let place = PowerPlace::Level(line.level);
        lines.push(PowerLine {
            part: named("SerDes", &line.part, line.level, levels, fabric),
            place,
            count: line.count,
            waiting: Watts::ZERO,
            working: link.serdes_energy.value * crossing,
            rated: link.serdes_energy.value * full,
        });
        let always_on = match &link.medium {
            Medium::Optical { module_power, technology, .. } => {
                let kind = technology.map_or("optical modules", |technology| technology.modules());
                Some((kind, line.modules, module_power.value))
            }
            Medium::Retimed { retimer_power, .. } => Some(("retimers", line.retimers, retimer_power.value)),
            _ => None,
        };
        if let Medium::Optical { circuit: Some(circuit), .. } = &link.medium {
            let part = named("optical circuit switches", &line.part, line.level, levels, fabric);
            lines.push(constant(part, place, line.count.div_ceil(u64::from(circuit.ports)), circuit.power.value));
        }
        if let Some((kind, count, each)) = always_on.filter(|(_, count, _)| *count > 0) {
            let part = named(kind, &line.part, line.level, levels, fabric);
            lines.push(constant(part, place, count, each));
        }
    }
    lines
}

/// CPUs, their DRAM, and what stands beside the fabric.
fn hosts(spec: &Spec, fabric: &Fabric, inventory: &Inventory, duty: &Duty, profile: &Profile) -> Vec<PowerLine> {
    let mut lines = Vec::new();
    for (name, count) in &inventory.cpus {
        let Some((_, cpu)) = fabric.cpus.iter().find(|part| part.0 == *name) else { continue };
        let (idle, serving) = (cpu.power.idle.value, cpu.power.serving.value.max(cpu.power.idle.value));
        lines.push(PowerLine {
            part: format!("CPUs ({name})"),
            place: PowerPlace::Host,
            count: *count,
            waiting: idle * real(*count),
            working: (serving - idle) * (real(*count) * duty.busy),
            rated: cpu.power.limit.as_ref().map_or(serving, |limit| limit.value.max(serving)) * real(*count),
        });
        lines.push(constant(format!("DRAM ({name})"), PowerPlace::Host, *count, cpu.power.memory.value));
    }
    for (name, count) in &inventory.nics {
        let Some((_, nic)) = fabric.nics.iter().find(|part| part.0 == *name) else { continue };
        let waiting = nic.idle.value * real(*count);
        let [crossing, full] = crossing(fabric, inventory.links_at_nics(name), duty.sent * real(inventory.chips), profile);
        lines.push(PowerLine {
            part: format!("NICs ({name})"),
            place: PowerPlace::Host,
            count: *count,
            waiting,
            working: nic.energy_per_bit.value * crossing,
            rated: waiting + nic.energy_per_bit.value * full,
        });
    }
    for (name, count) in &inventory.memories {
        let Some((_, memory)) = fabric.memories.iter().find(|part| part.0 == *name) else { continue };
        lines.push(constant(format!("memory expanders ({name})"), PowerPlace::Host, *count, memory.power.value));
    }
    for auxiliary in &spec.auxiliaries {
        lines.push(constant(auxiliary.name.clone(), PowerPlace::Host, auxiliary.count, auxiliary.power.value));
    }
    lines.retain(|line| line.count > 0);
    lines
}

/// What crosses the NICs of a part while chips send `sent` in all, and at line rate. Every byte comes in by one link and leaves by another, so
/// it is counted twice.
fn crossing(fabric: &Fabric, links: &[NicLinks], sent: BytesPerSecond, profile: &Profile) -> [BytesPerSecond; 2] {
    let crossing = links.iter().map(|at| sent * (visits(profile, profile.link_bytes[at.link as usize]) * at.share * 0.5));
    // Both directions of both sides.
    let full = links.iter().map(|at| line_rate(fabric, at.link) * real(at.count));
    [crossing.sum(), full.sum()]
}

/// A part with constant power.
fn constant(part: String, place: PowerPlace, count: u64, each: Watts) -> PowerLine {
    let all = each * real(count);
    PowerLine { part, place, count, waiting: all, working: Watts::ZERO, rated: all }
}

/// Fans and pumps take a share of the parts' watts; then both pass the conversion, which loses `1 / efficiency - 1` of what it delivers.
fn supply(spec: &Spec, lines: &[PowerLine]) -> Vec<PowerLine> {
    let cooling = spec.supply.cooling_share.value.get();
    let loss = 1.0 / spec.supply.conversion_efficiency.value.get() - 1.0;
    let sum = |of: fn(&PowerLine) -> Watts| -> Watts { lines.iter().map(of).sum() };
    let line = |part: &str, of: &dyn Fn(Watts) -> Watts| PowerLine {
        part: part.to_owned(),
        place: PowerPlace::Supply,
        count: 1,
        waiting: of(sum(|line| line.waiting)),
        working: of(sum(|line| line.working)),
        rated: of(sum(|line| line.rated)),
    };
    let movers = spec.supply.cooling.map_or("fans and pumps", Cooling::movers);
    vec![line(movers, &|watts| watts * cooling), line("conversion losses", &|watts| watts * (1.0 + cooling) * loss)]
}

/// Two ways of working at once: `share` of the machine as in `a`, the rest as in `b`. Parts are the same in both.
#[must_use]
pub fn mixed(a: &Power, b: &Power, share: f64) -> Power {
    let blend = |a: Watts, b: Watts| a * share + b * (1.0 - share);
    let lines = a.lines.iter().zip(&b.lines).map(|(a, b)| PowerLine {
        waiting: blend(a.waiting, b.waiting),
        working: blend(a.working, b.working),
        ..a.clone()
    });
    let mut purposes: Vec<(String, Watts)> = a.purposes.iter().map(|(name, power)| (name.clone(), *power * share)).collect();
    for (index, (name, power)) in b.purposes.iter().enumerate() {
        match purposes.iter().position(|known| known.0 == *name) {
            Some(known) => purposes[known].1 += *power * (1.0 - share),
            // Operators that only `b` runs go beside its others, before what is common to all work.
            None => purposes.insert(index.min(purposes.len()), (name.clone(), *power * (1.0 - share))),
        }
    }
    Power {
        lines: lines.collect(),
        purposes,
        slowdown: a.slowdown.max(b.slowdown),
        missing_hosts: a.missing_hosts,
        racks: a.racks.clone(),
        pue: a.pue,
    }
}

#[expect(clippy::cast_precision_loss, reason = "part counts are far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}
