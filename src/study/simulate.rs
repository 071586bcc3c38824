//! The main job: one supernode, one workload, one target.

use super::best_goodput::sort_by_goodput;
use super::clip::{ClipSimulation, simulate_clip};
use super::money::{DemandLoad, Money};
use super::request::{Phases, RequestAnswer, answer};
use super::utilisation::Utilisation;
use super::verdict::{ServedMix, Verdict, requests, service, verdict};
use crate::execution::{Machine, Mapping, Step, mappings, mappings_for};
use crate::fabric::Fabric;
use crate::footprint::{
    Duty, Inventory, Power, PowerStretch, Transients, cost, duty_over_time, energy, inventory, mixed, ownership, power, power_over_time, rack_watts,
    transients,
};
use crate::input::document::{Objective, Precisions, Prices};
use crate::input::spec::{Spec, TargetSpec, WorkloadSpec};
use crate::network::{Collective, FabricMetrics, Network, Op, Pricing, fabric_metrics};
use crate::serving::{Described, Infeasible, MappingGroups, MappingSearch, OperatingPoint, PhasePoint, Role, search};
use crate::units::{Bytes, BytesPerSecond, Joules, Seconds, TokensPerSecond};

/// What is served where neither the user nor the supernode names a workload.
pub const DEFAULT_WORKLOAD: &str = "deepseek-r1-request";

/// A phase of the workload: not asked for, impossible, or its best point.
pub type PhaseResult = Option<Result<PhasePoint, Infeasible>>;

/// Everything that `simulate` says about a supernode.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Bandwidths and latencies of the fabric.
    pub fabric_metrics: FabricMetrics,
    /// Parts.
    pub inventory: Inventory,
    /// Collectives over all chips: op, size, time, bus bandwidth.
    pub collectives: Vec<(Op, Bytes, Seconds, BytesPerSecond)>,
    /// Token generation.
    pub decode: PhaseResult,
    /// Prompt processing.
    pub prefill: PhaseResult,
    /// Prompts and answers on the same chips; for workloads that say what a request is.
    pub aggregated: PhaseResult,
    /// The clips of the target's mix, where it has some.
    pub video: Option<ClipSimulation>,
    /// All decode mappings that were tried.
    pub decode_search: Option<MappingSearch>,
    /// All prefill mappings that were tried.
    pub prefill_search: Option<MappingSearch>,
    /// All mappings that were tried for both together.
    pub aggregated_search: Option<MappingSearch>,
    /// Requests of the workload that end in a second, with the chips split between prefill and decode; for workloads that say what a
    /// request is.
    pub requests_per_second: Option<f64>,
    /// Requests a second that the chips that read and answer them serve within both limits, nine of ten; where mappings are chosen by it.
    pub goodput: Option<f64>,
    /// Requests that the workload says arrive in a second at the whole supernode.
    pub arrivals_per_second: Option<f64>,
    /// Watts while the supernode serves the target's mix.
    pub power: Power,
    /// Served against demanded.
    pub verdict: Verdict,
    /// Energy of one served token, at the racks.
    pub energy_per_token: Option<Joules>,
    /// What is served of the workload's own requests.
    pub answer: RequestAnswer,
    /// How machines are used by the target's demand.
    pub load: DemandLoad,
    /// What serving the target's mix costs, where prices were given.
    pub money: Option<Money>,
    /// Software-visible devices of one chip.
    pub ranks_per_chip: u32,
    /// Name of the serving engine in force; without one, nothing but kernels and transfers takes time.
    pub engine: Option<String>,
    /// Number formats as the workload names them, and as they run on this chip.
    pub formats: [Precisions; 2],
}

impl Simulation {
    /// Phases that cannot work although the input is right, each with the reason.
    #[must_use]
    pub fn refusals(&self) -> Vec<(&'static str, String)> {
        let decode = self.decode.as_ref().and_then(|found| found.as_ref().err()).map(|no| ("decode", no.to_string()));
        let prefill = self.prefill.as_ref().and_then(|found| found.as_ref().err()).map(|no| ("prefill", no.to_string()));
        let video = self.video.as_ref().and_then(|video| Some(("video", format!("{}: {}", video.name, video.refusal()?))));
        decode.into_iter().chain(prefill).chain(video).collect()
    }

    /// The best mappings, for searches of designs that differ little.
    #[must_use]
    pub fn likely_mappings(&self) -> LikelyMappings {
        let of = |phase: &PhaseResult| phase.as_ref().and_then(|found| found.as_ref().ok()).map(|phase| phase.point.mapping);
        LikelyMappings { decode: of(&self.decode), prefill: of(&self.prefill), aggregated: of(&self.aggregated), ..LikelyMappings::default() }
    }

    /// The same, and the groups of mappings that reach this share of the best rate. All mappings must have been explained.
    #[must_use]
    pub fn mappings_that_reach(&self, share: f64) -> LikelyMappings {
        let of = |search: &Option<MappingSearch>| search.as_ref().map(|search| search.groups_that_reach(share));
        let groups = [&self.decode_search, &self.prefill_search, &self.aggregated_search].map(of);
        LikelyMappings { groups, ..self.likely_mappings() }
    }

    /// Machines that the target's demand takes, spares included ([`DemandLoad::machines`]); `None` if no number is enough.
    #[must_use]
    pub fn supernodes(&self) -> Option<f64> {
        let mean = self.verdict.demand / self.load.peak_to_mean;
        self.load.machines(mean, self.verdict.service.rate).map(|[needed, spares]| needed + spares)
    }

    /// Why none of the target's tokens are served; `None` if some are. A phase that the target's mix does not need may be impossible.
    #[must_use]
    pub fn serves_nothing(&self) -> Option<String> {
        let refusals = if self.verdict.service.rate > TokensPerSecond::ZERO { Vec::new() } else { self.refusals() };
        refusals.first().map(|(phase, reason)| format!("{reason} ({phase})"))
    }
}

/// How the mapping is chosen.
#[derive(Clone, Debug, Default)]
pub struct MappingChoice {
    /// What is best; what the workload says if absent.
    pub objective: Option<Objective>,
    /// Prices; those that the workload brings if absent. Without any, nothing is said of money.
    pub prices: Option<Prices>,
    /// Share of the steady rate that the busiest moment may take, in place of what the target states or what follows from the limits.
    pub utilisation: Option<f64>,
    /// The mappings to choose from; all legal ones if absent.
    pub candidates: Option<Vec<Mapping>>,
    /// Micro-batches; if absent, chosen from [`MICRO_BATCHES`] or, where experts have chips of their own, [`MICRO_BATCHES_AFD`].
    ///
    /// [`MICRO_BATCHES`]: crate::serving::MICRO_BATCHES
    /// [`MICRO_BATCHES_AFD`]: crate::serving::MICRO_BATCHES_AFD
    pub micro_batches: Option<u32>,
    /// Mappings that are likely to be near the best.
    pub likely: LikelyMappings,
    /// Whether more than the best mapping is asked for.
    pub explained: bool,
    /// Whether nothing is asked for but what is served and drawn: the properties of the fabric and its collectives are then left out.
    pub serving_alone: bool,
}

/// The best mappings of a design that differs little. A search that begins with them is faster and finds the same.
#[derive(Clone, Debug, Default)]
pub struct LikelyMappings {
    /// Of decode.
    pub decode: Option<Mapping>,
    /// Of prefill.
    pub prefill: Option<Mapping>,
    /// Of instances that do both.
    pub aggregated: Option<Mapping>,
    /// Groups of mappings that a search for the most tokens keeps to unless nothing in them works: of decode, of prefill and of both.
    pub groups: [Option<MappingGroups>; 3],
}

/// Simulates a supernode with the mappings that make most tokens.
#[must_use]
pub fn simulate(spec: &Spec, fabric: &Fabric, workload: &WorkloadSpec, target: &TargetSpec) -> Simulation {
    simulate_with(spec, fabric, workload, target, &MappingChoice::default())
}

/// Simulates a supernode.
#[must_use]
pub fn simulate_with(spec: &Spec, fabric: &Fabric, workload: &WorkloadSpec, target: &TargetSpec, choice: &MappingChoice) -> Simulation {
    simulate_on(spec, &Network::new(fabric), workload, target, choice)
}

/// As [`simulate_with`], on a network that others use too.
#[must_use]
pub fn simulate_on(spec: &Spec, network: &Network<'_>, workload: &WorkloadSpec, target: &TargetSpec, choice: &MappingChoice) -> Simulation {
    let fabric = network.fabric();
    let named = workload.workload.precision;
    let workload = &workload.deployed_on(spec);
    let machine = Machine::new(network, &spec.library, &spec.chip, workload);
    let inventory = inventory(fabric);
    let objective = choice.objective.or(workload.workload.objective).unwrap_or_default();
    let [mut decode_search, mut prefill_search, mut aggregated_search] = phase_searches(&machine, spec, choice, objective);
    let merit = Merit { objective, prices: choice.prices.as_ref().or(workload.prices.as_ref()), spec, inventory: &inventory, machine: &machine };
    let decode = decode_search.as_mut().map(|search| choose(search, &merit));
    let prefill = prefill_search.as_mut().map(|search| choose(search, &merit));
    // Of the ten best of the closed form, the one that serves most within the limits.
    let by_goodput = aggregated_search.as_mut().filter(|_| objective == Objective::Goodput);
    let goodput = by_goodput.and_then(|search| sort_by_goodput(spec, network, workload, search).first().copied());
    let aggregated = aggregated_search.as_mut().map(|search| choose(search, &merit));

    let decode_rate = decode.as_ref().and_then(|found| found.as_ref().ok()).map(|found| found.rate);
    let prefill_rate = prefill.as_ref().and_then(|found| found.as_ref().ok()).map(|found| found.rate);
    let video = target.clip.as_ref().map(|clip| simulate_clip(spec, network, &inventory, clip));
    let serves = service(&target.target, prefill_rate, decode_rate, video.as_ref().and_then(ClipSimulation::rate));
    let requests_per_second = workload.workload.request.as_ref().map(|request| requests(request, prefill_rate, decode_rate));
    let verdict = verdict(&target.target, serves);

    let reading_and_writing = draw(spec, &inventory, &machine, &decode, &prefill, serves);
    let drawn = match &video {
        Some(video) => mixed(&video.power, &reading_and_writing, serves.video_share),
        None => reading_and_writing,
    };
    let reading = prefill.as_ref().and_then(|found| found.as_ref().ok()).zip(workload.workload.prefill.as_ref());
    let writing = decode.as_ref().and_then(|found| found.as_ref().ok());
    let load = DemandLoad::of(&target.target, Utilisation::new(choice.utilisation, &target.target, reading, writing, serves));
    let parts = &inventory;
    let money = merit.prices.map(|prices| move |power: &Power| Money::new(spec, fabric, parts, power, prices, load));
    let answer = answer(
        workload,
        &Phases { decode: &decode, prefill: &prefill, aggregated: &aggregated },
        &|split| match (split, &aggregated) {
            (None, Some(Ok(phase))) => running(spec, &inventory, &machine, phase.point.mapping, &phase.point.step),
            (split, _) => draw(spec, &inventory, &machine, &decode, &prefill, split.unwrap_or(serves)),
        },
        money.as_ref().map(|money| money as &dyn Fn(&Power) -> Money),
    );
    let money = money.map(|money| money(&drawn));
    let energy_per_token = (serves.rate > TokensPerSecond::ZERO).then(|| Joules::new(drawn.total().get() / serves.rate.get()));
    Simulation {
        fabric_metrics: if choice.serving_alone { FabricMetrics::default() } else { fabric_metrics(network) },
        inventory,
        collectives: if choice.serving_alone { Vec::new() } else { collectives(network, spec) },
        decode,
        prefill,
        aggregated,
        video,
        decode_search,
        prefill_search,
        aggregated_search,
        requests_per_second,
        goodput,
        arrivals_per_second: workload.workload.request.as_ref().and_then(|request| request.arrivals_per_second),
        power: drawn,
        verdict,
        energy_per_token,
        answer,
        load,
        money,
        ranks_per_chip: fabric.chip.ranks,
        engine: workload.engine.as_ref().map(|deployed| deployed.id.clone()),
        formats: [named, workload.workload.precision],
    }
}

/// The searches for the phases that the workload has: decode, prefill, and both on the same chips.
fn phase_searches(machine: &Machine<'_>, spec: &Spec, choice: &MappingChoice, objective: Objective) -> [Option<MappingSearch>; 3] {
    let (fabric, workload) = (machine.communication.network().fabric(), machine.workload);
    let (chips, node, ranks) = (fabric.chips, spec.levels[0].size, fabric.chip.ranks);
    let candidates = choice.candidates.clone().unwrap_or_else(|| mappings_for(workload, chips, node, ranks));
    // Only decode gives experts chips of their own: prompts are read as they would be without.
    let only_apart = candidates.iter().all(|mapping| mapping.ffn.is_some());
    let reading = if only_apart { mappings(&workload.model, chips, node, ranks) } else { candidates.clone() };
    let found = |role: Role<'_>, candidates: &[Mapping], likely: Option<Mapping>, groups: &Option<MappingGroups>| {
        let which = match objective {
            Objective::Tokens if !choice.explained => Described::One { likely },
            Objective::Tokens | Objective::Goodput => Described::Best,
            Objective::TokensPerWatt | Objective::TokensPerCost => Described::All,
        };
        let among = |candidates: &[Mapping]| search(machine, role, candidates, choice.micro_batches, which);
        let kept = groups.as_ref().filter(|_| matches!(which, Described::One { .. })).map(|groups| among(&groups.of(candidates)));
        kept.filter(|search| !search.found.is_empty()).unwrap_or_else(|| among(candidates))
    };
    let (phases, LikelyMappings { decode, prefill, aggregated, groups: [groups_of_decode, groups_of_prefill, groups_of_both] }) =
        (&workload.workload, &choice.likely);
    [
        phases.decode.as_ref().map(|phase| found(Role::Decode(phase), &candidates, *decode, groups_of_decode)),
        phases.prefill.as_ref().map(|phase| found(Role::Prefill(phase), &reading, *prefill, groups_of_prefill)),
        phases.request.as_ref().map(|request| found(Role::Aggregated(request), &reading, *aggregated, groups_of_both)),
    ]
}

fn collectives(network: &Network<'_>, spec: &Spec) -> Vec<(Op, Bytes, Seconds, BytesPerSecond)> {
    let ranks = network.fabric().chips;
    let mut pricing = Pricing::new(network, &spec.library);
    let sizes = [1_048_576.0, 1_073_741_824.0].map(Bytes::new);
    let cases = [Op::AllReduce, Op::AllToAll].into_iter().flat_map(|op| sizes.map(|bytes| Collective { op, ranks, bytes }));
    cases
        .filter_map(|collective| {
            let timing = pricing.price(&collective, None).ok()?;
            Some((collective.op, collective.bytes, timing.total(), timing.bus_bandwidth(&collective)))
        })
        .collect()
}

/// What a mapping is judged by.
struct Merit<'a> {
    objective: Objective,
    prices: Option<&'a Prices>,
    spec: &'a Spec,
    inventory: &'a Inventory,
    machine: &'a Machine<'a>,
}

impl Merit<'_> {
    fn of(&self, phase: &PhasePoint) -> f64 {
        let rate = phase.rate.get();
        let drawn = || running(self.spec, self.inventory, self.machine, phase.point.mapping, &phase.point.step);
        match (self.objective, self.prices) {
            (Objective::TokensPerWatt, _) => rate / drawn().total().get(),
            (Objective::TokensPerCost, Some(prices)) => {
                let drawn = drawn();
                let cost = cost(self.spec, self.machine.communication.network().fabric(), self.inventory, &drawn, prices);
                let owned = cost.purchase().and_then(|(price, _)| Some(ownership(price, prices)?.plus(energy(drawn.facility(), prices)?)));
                // Without any price, dollars are the same for every mapping but for the energy.
                owned.or(cost.rent).map_or_else(|| rate / drawn.total().get(), |dollars| rate / dollars.value)
            }
            (Objective::Tokens | Objective::TokensPerCost | Objective::Goodput, _) => rate,
        }
    }
}

/// The best point of a search, whose points are then in the order of what is asked for.
fn choose(search: &mut MappingSearch, merit: &Merit<'_>) -> Result<PhasePoint, Infeasible> {
    if !matches!(merit.objective, Objective::Tokens | Objective::Goodput) {
        search.sort_by(|phase| merit.of(phase));
    }
    search.best()
}

/// Watts while as many instances as fit run this step, again and again.
fn running(spec: &Spec, inventory: &Inventory, machine: &Machine<'_>, mapping: Mapping, step: &Step) -> Power {
    let fabric = machine.communication.network().fabric();
    let (used, talking) = occupied(fabric, mapping);
    let drawn = power(spec, fabric, inventory, &Duty::of(step, fabric, used), machine.communication.profile(talking));
    Power { slowdown: step.slowdown(), ..drawn }
}

/// The share of the chips that instances fill, and the chips of one that exchange tokens.
fn occupied(fabric: &Fabric, mapping: Mapping) -> (f64, u32) {
    let ranks = fabric.chip.ranks;
    let chips = mapping.chips(ranks);
    let used = f64::from(fabric.chips / chips * chips) / f64::from(fabric.chips);
    (
        used,
        if mapping.ffn.is_some() {
            chips
        } else if mapping.ep > 1 {
            mapping.ep.div_ceil(ranks)
        } else {
            mapping.group().div_ceil(ranks)
        },
    )
}

/// What the machine draws from moment to moment of a step of this point, while as many instances as fit run it together.
#[must_use]
pub fn watts_over_a_step(spec: &Spec, fabric: &Fabric, point: &OperatingPoint) -> Vec<PowerStretch> {
    let (used, talking) = occupied(fabric, point.mapping);
    let profile = Network::new(fabric).all_to_all(talking);
    power_over_time(spec, fabric, &inventory(fabric), &duty_over_time(fabric, &point.step, used), &profile)
}

/// How far watts swing within a step, by phase, while as many instances as fit run it together.
#[must_use]
pub fn swings(spec: &Spec, network: &Network<'_>, simulation: &Simulation) -> Vec<(&'static str, Transients)> {
    let fabric = network.fabric();
    let prefill = simulation.prefill.as_ref().and_then(|found| found.as_ref().ok()).map(|phase| ("prefill", phase.point.mapping, &phase.point.step));
    let decode = simulation.decode.as_ref().and_then(|found| found.as_ref().ok()).map(|phase| ("decode", phase.point.mapping, &phase.point.step));
    let of = |(name, mapping, step): (&'static str, Mapping, &Step)| {
        let (used, talking) = occupied(fabric, mapping);
        let profile = network.all_to_all(talking);
        let duties = duty_over_time(fabric, step, used);
        let watts = rack_watts(spec, fabric, &simulation.inventory, &duties, &profile);
        let waiting = power(spec, fabric, &simulation.inventory, &Duty::default(), &profile).total();
        Some((name, transients(&duties, &watts, waiting)?))
    };
    prefill.into_iter().chain(decode).filter_map(of).collect()
}

/// Watts while the chips that serve texts are split as the service needs them.
fn draw(spec: &Spec, inventory: &Inventory, machine: &Machine<'_>, decode: &PhaseResult, prefill: &PhaseResult, service: ServedMix) -> Power {
    let fabric = machine.communication.network().fabric();
    let of = |found: Option<(Mapping, &Step)>| match found {
        Some((mapping, step)) => running(spec, inventory, machine, mapping, step),
        None => power(spec, fabric, inventory, &Duty::default(), &crate::network::Profile::silent(fabric)),
    };
    let decode = decode.as_ref().and_then(|found| found.as_ref().ok()).map(|found| (found.point.mapping, &found.point.step));
    let prefill = prefill.as_ref().and_then(|found| found.as_ref().ok()).map(|found| (found.point.mapping, &found.point.step));
    match (prefill, decode) {
        (None, None) => of(None),
        (Some(prefill), None) => of(Some(prefill)),
        (None, Some(decode)) => of(Some(decode)),
        (Some(prefill), Some(decode)) => {
            let texts = 1.0 - service.video_share;
            let share = if texts > 0.0 { service.prefill_share / texts } else { 0.0 };
            mixed(&of(Some(prefill)), &of(Some(decode)), share)
        }
    }
}
