//! Watts from moment to moment of a step, all parts.
//!
//! Power is constant between two moments at which a stage begins or ends. A chip draws `idle`, the constant power of running kernels, and the
//! energy of every stage under way over the stage's time; the fabric what it forwards. So the integral over the step is the step's mean
//! power times its time, part by part.

use super::inventory::Inventory;
use super::power::{Duty, Power, power};
use crate::execution::{Step, TimelineEntry, arithmetic_energy, memory_energy, port_energy, timeline};
use crate::fabric::Fabric;
use crate::input::spec::Spec;
use crate::network::Profile;
use crate::units::{BytesPerSecond, Seconds, Watts};

/// A stretch of a step in which all watts stay the same.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerStretch {
    /// From the start of the step.
    pub start: Seconds,
    /// From the start of the step.
    pub end: Seconds,
    /// What the machine draws.
    pub power: Power,
}

/// Activity of the chips in a stretch of a step: start, end and duty.
pub type DutyStretch = (Seconds, Seconds, Duty);

/// Activity of the chips over time while the fraction `busy` of them runs `step`, all instances in phase.
#[must_use]
pub fn duty_over_time(fabric: &Fabric, step: &Step, busy: f64) -> Vec<DutyStretch> {
    let moments = timeline(step);
    let mut times: Vec<f64> = moments.iter().flat_map(|moment| [moment.start, moment.start + moment.stage.time]).map(Seconds::get).collect();
    times.extend([0.0, step.time.get()]);
    times.sort_by(f64::total_cmp);
    // Ends that differ by rounding alone are one.
    times.dedup_by(|later, earlier| *later - *earlier <= 1e-12 * step.time.get());
    let mean = Duty::of(step, fabric, busy);
    let always = mean.operators.iter().filter(|(name, _)| *name == Duty::ALWAYS).copied();
    let always: Vec<(&'static str, Watts)> = always.collect();
    let mut under_way: Vec<&TimelineEntry> = Vec::new();
    let mut waiting: Vec<&TimelineEntry> = moments.iter().collect();
    waiting.sort_by(|a, b| b.start.get().total_cmp(&a.start.get()));
    let stretches = times.windows(2).map(|ends| {
        let middle = f64::midpoint(ends[0], ends[1]);
        while waiting.last().is_some_and(|next| next.start.get() <= middle) {
            under_way.extend(waiting.pop());
        }
        under_way.retain(|moment| (moment.start + moment.stage.time).get() > middle);
        let mut duty = Duty { operators: Vec::new(), ports: Watts::ZERO, sent: BytesPerSecond::ZERO, busy };
        for moment in &under_way {
            add(&mut duty, moment, fabric, busy);
        }
        duty.operators.extend(always.iter().copied());
        (Seconds::new(ends[0]), Seconds::new(ends[1]), duty)
    });
    stretches.collect()
}

/// Power of a machine over the time of a step.
#[must_use]
pub fn power_over_time(spec: &Spec, fabric: &Fabric, inventory: &Inventory, duties: &[DutyStretch], profile: &Profile) -> Vec<PowerStretch> {
    let of = |(start, end, duty): &DutyStretch| PowerStretch { start: *start, end: *end, power: power(spec, fabric, inventory, duty, profile) };
    duties.iter().map(of).collect()
}

fn add(duty: &mut Duty, moment: &TimelineEntry, fabric: &Fabric, busy: f64) {
    let chip = &fabric.chip.power;
    let (ranks, time) = (f64::from(fabric.chip.ranks) * busy, moment.stage.time);
    let work = (arithmetic_energy(chip, &moment.work.flop, moment.clock) + memory_energy(chip, moment.work.memory)) * ranks / time;
    if work > Watts::ZERO {
        match duty.operators.iter_mut().find(|(name, _)| *name == moment.stage.name) {
            Some((_, watts)) => *watts += work,
            None => duty.operators.push((moment.stage.name, work)),
        }
    }
    duty.ports += port_energy(chip, moment.work.sent) * ranks / time;
    duty.sent += BytesPerSecond::new(moment.work.sent.get() * ranks / time.get());
}
