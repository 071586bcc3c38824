//! Tokens for one user against tokens of a chip: what a machine gives up of the one for the other.

use rayon::prelude::*;

use super::money::{DemandLoad, Dollars, Money};
use super::serve::Mode;
use super::utilisation::Utilisation;
use super::verdict::ServedMix;
use crate::execution::{Machine, Mapping, mappings_for};
use crate::footprint::{Duty, inventory, mixed, power};
use crate::input::document::{Prices, Request, Target};
use crate::input::spec::{Spec, WorkloadSpec};
use crate::network::Network;
use crate::serving::{Described, PhasePoint, Role, search};
use crate::units::{Figure, Seconds};

/// One point of a frontier.
#[derive(Clone, Debug)]
pub struct FrontierPoint {
    /// Tokens a second that one user sees: 1 / TPOT.
    pub per_user: f64,
    /// Tokens of answers a second for each chip in use.
    pub per_chip: f64,
    /// The mapping that makes tokens.
    pub mapping: Mapping,
    /// The mapping that reads prompts, where others answer.
    pub prefill: Option<Mapping>,
    /// Joules of the racks for a million tokens of answers.
    pub joules_per_million: f64,
    /// Dollars for a million tokens of answers with what their prompts take, at the mean load of the target's demand.
    pub dollars_per_million: Option<Dollars>,
}

/// The frontier of one machine in one mode.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The machine.
    pub supernode: String,
    /// Name of the engine in force.
    pub engine: Option<String>,
    /// Whether prompts and answers share chips.
    pub mode: Mode,
    /// Points of which none is worse in both respects than another, fastest for the user first.
    pub points: Vec<FrontierPoint>,
}

/// Times per output token that are tried: from 2 ms to 512 ms, four to an octave.
fn tpot_limits() -> impl ParallelIterator<Item = Seconds> {
    (0..=32_i32).into_par_iter().map(|step| Seconds::new(0.002 * 2_f64.powf(f64::from(step) / 4.0)))
}

/// The frontier of `spec` in `mode` for requests like `request`.
#[must_use]
pub fn frontier(
    spec: &Spec,
    network: &Network<'_>,
    workload: &WorkloadSpec,
    request: &Request,
    mode: Mode,
    (prices, target): (&Prices, &Target),
) -> Curve {
    let fabric = network.fabric();
    let machine = Machine::new(network, &spec.library, &spec.chip, workload);
    let candidates = mappings_for(workload, fabric.chips, spec.levels[0].size, fabric.chip.ranks);
    let parts = inventory(fabric);
    let best = |role: Role<'_>| search(&machine, role, &candidates, None, Described::Best).best();
    let watts = |phase: &PhasePoint| {
        let duty = Duty::of(&phase.point.step, fabric, 1.0);
        power(spec, fabric, &parts, &duty, machine.communication.profile(phase.point.mapping.chips(fabric.chip.ranks)))
    };
    let reading = (mode == Mode::Apart).then(|| best(Role::Prefill(&request.prefill())).ok()).flatten();
    let point = |limit: Seconds| -> Option<FrontierPoint> {
        let mut request = request.clone();
        request.tpot_limit.set(Figure::plain(limit));
        let (phase, rate, drawn, share) = match mode {
            Mode::Together => {
                let phase = best(Role::Aggregated(&request)).ok()?;
                let drawn = watts(&phase);
                (phase.clone(), phase.rate.get(), drawn, 0.0)
            }
            Mode::Apart => {
                let (phase, reading) = (best(Role::Decode(&request.decode())).ok()?, reading.as_ref()?);
                // Seconds of the whole machine for one request, read and answered.
                let read = f64::from(request.input.mean) * (1.0 - request.cache_hit) / reading.rate.get();
                let written = f64::from(request.output.mean) / phase.rate.get();
                let share = read / (read + written);
                let drawn = mixed(&watts(reading), &watts(&phase), share);
                (phase, f64::from(request.output.mean) / (read + written), drawn, share)
            }
        };
        let split = ServedMix { rate: phase.rate, prefill_share: share, video_share: 0.0 };
        let asked = request.prefill();
        let places = reading.as_ref().filter(|_| mode == Mode::Apart).map(|phase| (phase, &asked));
        let load = DemandLoad::of(target, Utilisation::new(None, target, places, Some(&phase), split));
        let money = Money::new(spec, fabric, &parts, &drawn, prices, load);
        Some(FrontierPoint {
            per_user: 1.0 / phase.point.latency().get(),
            per_chip: rate / f64::from(fabric.chips),
            mapping: phase.point.mapping,
            prefill: reading.as_ref().map(|phase| phase.point.mapping),
            joules_per_million: drawn.total().get() / rate * 1e6,
            dollars_per_million: money.per_million(rate),
        })
    };
    let mut found: Vec<FrontierPoint> = tpot_limits().filter_map(point).collect();
    found.sort_by(|a, b| b.per_user.total_cmp(&a.per_user).then(b.per_chip.total_cmp(&a.per_chip)));
    let mut most = 0.0;
    found.retain(|point| {
        point.per_chip > most && {
            most = point.per_chip;
            true
        }
    });
    Curve { supernode: spec.id.clone(), engine: workload.engine.as_ref().map(|deployed| deployed.id.clone()), mode, points: found }
}
