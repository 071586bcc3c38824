//! A deployment serves requests in time: what its users see, and how busy it is.

use crate::execution::{Machine, Mapping, Step, front_end, mappings_for};
use crate::footprint::{Duty, chip_power, inventory, power};
use crate::input::document::{Length, Precisions, PrefixCache, Request};
use crate::input::spec::{Spec, WorkloadSpec};
use crate::network::{Network, Profile};
use crate::serving::queueing::{
    CacheTransfer, Deployment, Fleet, FleetOutcome, Made, PassPrices, Percentiles, Picoseconds, PoolSize, RequestStage, RouterPolicy, SchedulerRules,
    Sequence, Sessions, Trace, serve,
};
use crate::serving::{Described, Infeasible, PhasePoint, Role, Tiers, cache_tokens, kv_transfer, search, tiers};
use crate::units::{Bytes, Figure, Joules, Seconds, Watts};

/// Whether the chips that read a prompt answer it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    #[default]
    Together,
    /// Others do.
    Apart,
}

impl Mode {
    /// The word of the JSON contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Together => "together",
            Self::Apart => "apart",
        }
    }
}

/// How a deployment is laid out.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Whether prompts and answers share chips.
    pub mode: Mode,
    /// Mappings to choose from; all legal ones if absent.
    pub candidates: Option<Vec<Mapping>>,
    /// The same for instances that read prompts for others.
    pub prefill_candidates: Option<Vec<Mapping>>,
    /// Micro-batches; chosen if absent.
    pub micro_batches: Option<u32>,
    /// Instances; as many as fit if absent. Where prompts are read apart, those that decode.
    pub instances: Option<u32>,
    /// Instances that read prompts for others; balanced if absent.
    pub prefill_instances: Option<u32>,
    /// How requests are spread over instances.
    pub policy: RouterPolicy,
    /// Rules of the scheduler; those of the engine in force if absent.
    pub rules: Option<SchedulerRules>,
    /// Cache blocks of an attention group; as many as memory leaves room for if absent.
    pub blocks: Option<u64>,
    /// Memory that keeps prefixes beside the chips; what the workload names if absent.
    pub tiers: Option<PrefixCache>,
    /// Requests in flight; if absent requests come when they come.
    pub concurrency: Option<u32>,
    /// Seed of accepted drafts.
    pub seed: u64,
}

/// What users are promised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Time to first token.
    pub ttft: Seconds,
    /// Time per output token.
    pub tpot: Seconds,
}

/// A deployment ready to serve.
pub struct ServePlan<'a> {
    machine: Machine<'a>,
    spec: &'a Spec,
    /// The fleet.
    pub fleet: Fleet,
    /// Mappings of the instances, in the order of the fleet's pools.
    pub mappings: Vec<Mapping>,
    micro_batches: Vec<u32>,
    tiers: Vec<Tiers>,
    /// Cache of a mean prompt that goes to other instances.
    pub kv_bytes: Option<Bytes>,
    /// What users are promised; absent where the workload promises nothing.
    pub limits: Option<Limits>,
    /// Name of the engine in force.
    pub engine: Option<String>,
    /// Chips in use.
    pub chips: u32,
    /// The racks with all chips waiting.
    waiting: Watts,
    /// Number formats that run.
    pub formats: Precisions,
}

/// The promise of a workload.
fn limits(workload: &WorkloadSpec) -> Option<Limits> {
    let workload = &workload.workload;
    match &workload.request {
        Some(request) => Some(Limits { ttft: request.ttft_limit.value, tpot: request.tpot_limit.value }),
        None => {
            let (prefill, decode) = (workload.prefill.as_ref()?, workload.decode.as_ref()?);
            Some(Limits { ttft: prefill.ttft_limit.value, tpot: decode.tpot_limit.value })
        }
    }
}

/// The request that a search is for: the workload's, with the lengths of the requests that come, and `slack` times its limits.
fn request_for(workload: &WorkloadSpec, lengths: [f64; 2], slack: f64) -> Option<Request> {
    let mut request = workload.workload.request.clone()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "mean lengths")]
    let [input, output] = lengths.map(|mean| (mean.round() as u32).max(1));
    request.input.set(Length { mean: input, ..*request.input });
    request.output.set(Length { mean: output, ..*request.output });
    for limit in [&mut request.tpot_limit, &mut request.ttft_limit] {
        let loosened = limit.value * slack;
        limit.set(Figure { value: loosened, ..(**limit).clone() });
    }
    Some(request)
}

impl<'a> ServePlan<'a> {
    /// Lays a deployment out for requests of these mean lengths and this trace's shared blocks. `workload` is as it is deployed.
    ///
    /// # Errors
    /// Why nothing works.
    pub fn new(spec: &'a Spec, network: &'a Network<'a>, workload: &'a WorkloadSpec, trace: &Trace, layout: &Layout) -> Result<Self, String> {
        let machine = Machine::new(network, &spec.library, &spec.chip, workload);
        let fabric = network.fabric();
        let lengths = trace.mean_lengths();
        let rules = layout
            .rules
            .clone()
            .unwrap_or_else(|| SchedulerRules::of(workload.engine.as_ref().and_then(|deployed| deployed.engine.scheduler.as_ref())));
        let (phases, counts) = chosen(&machine, spec, workload, lengths, layout).map_err(|no| no.to_string())?;
        let asked = [layout.prefill_instances.filter(|_| counts.len() > 1), layout.instances];
        for (count, asked) in counts.iter().rev().zip(asked.iter().rev()) {
            if let Some(asked) = asked.filter(|asked| asked > count) {
                return Err(format!("the machine has room for {count} such instances, {asked} are asked for"));
            }
        }
        let mappings: Vec<Mapping> = phases.iter().map(|(mapping, _)| *mapping).collect();
        let context = lengths[0] + lengths[1] / 2.0;
        let cache = layout.tiers.as_ref().or_else(|| cache_of(workload));
        let (mut pools, mut found, mut chips) = (Vec::new(), Vec::new(), 0);
        for (mapping, instances) in mappings.iter().zip(&counts) {
            let tokens = cache_tokens(&machine, mapping, context).map_err(|no| no.to_string())?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of blocks")]
            let room = (tokens / f64::from(mapping.pp) / f64::from(rules.block)) as u64;
            if layout.blocks.is_some_and(|asked| asked > room) {
                return Err(format!("memory leaves room for {room} blocks of {} tokens in an attention group laid out as {mapping}", rules.block));
            }
            let blocks = layout.blocks.unwrap_or(room);
            if blocks == 0 {
                return Err(Infeasible::Cache { mapping: *mapping, sequences: 0 }.to_string());
            }
            // Every pipeline stage works on a batch of its own: as many schedulers as stages, each with its part of the room.
            pools.push(PoolSize { instances: instances * mapping.pp, groups: mapping.dp, blocks });
            chips += instances * mapping.chips(fabric.chip.ranks);
            found.push(cache.map_or(Ok(Tiers::default()), |cache| tiers(&machine, mapping, cache, lengths[0])).map_err(|no| no.to_string())?);
        }
        let moved: Option<(CacheTransfer, Bytes)> = (pools.len() > 1).then(|| kv_transfer(&machine, &mappings[0], lengths[0]));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of units")]
        let units = found[0].tokens.map(|tokens| (tokens / f64::from(trace.block_tokens.max(1))) as u64);
        let speculation = workload.workload.decode.as_ref().and_then(|decode| decode.speculation.as_ref());
        let inventory = inventory(fabric);
        let fleet = Fleet {
            rules,
            first: pools[0],
            second: pools.get(1).copied().zip(moved.map(|(transfer, _)| transfer)),
            policy: layout.policy,
            host_units: units[0],
            pooled_units: units[1],
            drafts: speculation.map_or((0, 0.0), |speculation| (speculation.draft_tokens, speculation.acceptance.value.get())),
            concurrency: layout.concurrency,
            front_end: Picoseconds::of(front_end(workload)),
            seed: layout.seed,
        };
        Ok(Self {
            spec,
            fleet,
            mappings,
            micro_batches: phases.iter().map(|(_, micro_batches)| *micro_batches).collect(),
            tiers: found,
            kv_bytes: moved.map(|(_, bytes)| bytes),
            limits: limits(workload),
            engine: workload.engine.as_ref().map(|deployed| deployed.id.clone()),
            chips,
            waiting: power(spec, fabric, &inventory, &Duty::default(), &Profile::silent(fabric)).total(),
            formats: workload.workload.precision,
            machine,
        })
    }

    /// Serves requests.
    #[must_use]
    pub fn serve(&self, trace: &Trace) -> ServeResult {
        self.serve_with_seed(trace, self.fleet.seed)
    }

    /// Serves requests with another seed of accepted drafts.
    #[must_use]
    pub fn serve_with_seed(&self, trace: &Trace, seed: u64) -> ServeResult {
        let chip = &self.spec.chip;
        let draws = |step: &Step| chip_power(&chip.power, chip.ranks, step) - chip.power.idle.value;
        let last = self.mappings.len() - 1;
        let deployments = self.mappings.iter().enumerate().map(|(index, mapping)| Deployment {
            machine: &self.machine,
            mapping: *mapping,
            micro_batches: self.micro_batches[index],
            drafts: if index == last { self.fleet.drafts.0 } else { 0 },
            draws: &draws,
            beside: self.tiers[index].reading,
        });
        let fleet = Fleet { seed, ..self.fleet.clone() };
        let outcome = serve(&fleet, trace, &mut PassPrices::new(deployments.collect()));
        ServeResult::new(outcome, trace, self)
    }
}

fn cache_of(workload: &WorkloadSpec) -> Option<&PrefixCache> {
    let workload = &workload.workload;
    workload.request.as_ref().and_then(|request| request.prefix_cache.as_ref()).or(workload.prefill.as_ref()?.prefix_cache.as_ref())
}

/// Mappings with their micro-batches, and numbers of instances: of those that read prompts first, where others answer.
type ChosenMappings = (Vec<(Mapping, u32)>, Vec<u32>);

/// Limits so much longer are none.
const NO_LIMIT: f64 = 1e6;

/// The mappings that serve most within the workload's limits; where none keeps them with requests of these lengths, without limits, since the
/// requests come all the same; and where their mean is too long for any, the first mapping with room for a cache.
fn chosen(machine: &Machine<'_>, spec: &Spec, workload: &WorkloadSpec, lengths: [f64; 2], layout: &Layout) -> Result<ChosenMappings, Infeasible> {
    let within = |slack: f64| chosen_within(machine, spec, workload, lengths, layout, slack);
    let fits = || {
        let fabric = machine.communication.network().fabric();
        let all = || mappings_for(workload, fabric.chips, spec.levels[0].size, fabric.chip.ranks);
        let candidates = layout.candidates.clone().unwrap_or_else(all);
        let mapping = candidates.into_iter().find(|mapping| cache_tokens(machine, mapping, 1.0).is_ok_and(|tokens| tokens >= 1.0))?;
        let instances = (fabric.chips / mapping.chips(fabric.chip.ranks)).min(layout.instances.unwrap_or(u32::MAX));
        (layout.mode == Mode::Together).then(|| (vec![(mapping, layout.micro_batches.unwrap_or(1))], vec![instances.max(1)]))
    };
    within(1.0).or_else(|no| within(NO_LIMIT).ok().or_else(fits).ok_or(no))
}

fn chosen_within(
    machine: &Machine<'_>,
    spec: &Spec,
    workload: &WorkloadSpec,
    lengths: [f64; 2],
    layout: &Layout,
    slack: f64,
) -> Result<ChosenMappings, Infeasible> {
    let fabric = machine.communication.network().fabric();
    let all = || mappings_for(workload, fabric.chips, spec.levels[0].size, fabric.chip.ranks);
    let candidates = layout.candidates.clone().unwrap_or_else(all);
    let request = request_for(workload, lengths, slack);
    let best = |role: Role<'_>, candidates: &[Mapping]| -> Result<PhasePoint, Infeasible> {
        search(machine, role, candidates, layout.micro_batches, Described::Best).best()
    };
    let instances = |mapping: &Mapping| fabric.chips / mapping.chips(fabric.chip.ranks);
    if layout.mode == Mode::Together {
        let (mapping, parts) = match (&candidates[..], &request, &workload.workload.decode) {
            ([one], _, _) => (*one, layout.micro_batches.unwrap_or(1)),
            (_, Some(request), _) => best(Role::Aggregated(request), &candidates).map(|phase| (phase.point.mapping, phase.point.micro_batches))?,
            (_, None, Some(decode)) => best(Role::Decode(decode), &candidates).map(|phase| (phase.point.mapping, phase.point.micro_batches))?,
            (_, None, None) => return Err(Infeasible::Cache { mapping: Mapping::ONE, sequences: 0 }),
        };
        return Ok((vec![(mapping, parts)], vec![layout.instances.unwrap_or(u32::MAX).min(instances(&mapping)).max(1)]));
    }
    apart_within(machine, spec, workload, lengths, layout, request.as_ref())
}

/// The same where prompts are read on chips of their own.
fn apart_within(
    machine: &Machine<'_>,
    spec: &Spec,
    workload: &WorkloadSpec,
    lengths: [f64; 2],
    layout: &Layout,
    request: Option<&Request>,
) -> Result<ChosenMappings, Infeasible> {
    let fabric = machine.communication.network().fabric();
    let all = || mappings_for(workload, fabric.chips, spec.levels[0].size, fabric.chip.ranks);
    let candidates = layout.candidates.clone().unwrap_or_else(all);
    let best = |role: Role<'_>, candidates: &[Mapping]| -> Result<PhasePoint, Infeasible> {
        search(machine, role, candidates, layout.micro_batches, Described::Best).best()
    };
    let asked = workload.workload.decode.clone().zip(workload.workload.prefill.clone());
    let Some((decode, prefill)) = request.map(|request| (request.decode(), request.prefill())).or(asked) else {
        return Err(Infeasible::Cache { mapping: Mapping::ONE, sequences: 0 });
    };
    // Both kinds must fit side by side: one instance of each at least.
    let chips = |mapping: &Mapping| mapping.chips(fabric.chip.ranks);
    let within = |candidates: Vec<Mapping>, room: u32| -> Vec<Mapping> { candidates.into_iter().filter(|mapping| chips(mapping) <= room).collect() };
    let smallest = candidates.iter().map(chips).min().unwrap_or(fabric.chips);
    let reading_candidates = layout.prefill_candidates.clone().unwrap_or_else(all);
    let too_few = |mapping: Mapping| Infeasible::Chips { mapping, chips: fabric.chips };
    let first = reading_candidates.first().copied().unwrap_or(Mapping::ONE);
    let reading_candidates = within(reading_candidates, fabric.chips.saturating_sub(smallest));
    if reading_candidates.is_empty() {
        return Err(too_few(first));
    }
    if let ([reading], [writing], Some(parts), Some(readers), Some(writers)) =
        (&reading_candidates[..], &candidates[..], layout.micro_batches, layout.prefill_instances, layout.instances)
    {
        // Nothing is left to choose.
        let most = fabric.chips.saturating_sub(chips(writing)) / chips(reading);
        let readers = readers.min(most);
        let writers = writers.min((fabric.chips - readers * chips(reading)) / chips(writing));
        return Ok((vec![(*reading, parts), (*writing, parts)], vec![readers, writers]));
    }
    let reading = best(Role::Prefill(&prefill), &reading_candidates)?;
    let writing_candidates = within(candidates, fabric.chips.saturating_sub(chips(&reading.point.mapping)));
    if writing_candidates.is_empty() {
        return Err(too_few(reading.point.mapping));
    }
    let writing = best(Role::Decode(&decode), &writing_candidates)?;
    // The chips are split so that neither kind waits for the other.
    let fresh = lengths[0] * (1.0 - prefill.cache_hit);
    let (read, written) = (fresh / reading.rate.get(), lengths[1] / writing.rate.get());
    let [own, other] = [&reading, &writing].map(|phase| phase.point.mapping.chips(fabric.chip.ranks));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of instances")]
    let balanced = (f64::from(fabric.chips) * read / (read + written) / f64::from(own)).round() as u32;
    let most = fabric.chips.saturating_sub(other) / own;
    let readers = layout.prefill_instances.unwrap_or(balanced).clamp(1, most);
    let writers = layout.instances.unwrap_or(u32::MAX).min((fabric.chips - readers * own) / other).max(1);
    let both = [&reading, &writing].map(|phase| (phase.point.mapping, phase.point.micro_batches));
    Ok((both.to_vec(), vec![readers, writers]))
}

/// Requests made up as the workload describes them.
#[must_use]
pub fn made(workload: &WorkloadSpec, arrivals: crate::serving::queueing::Arrivals, rate: f64, requests: u32, seed: u64) -> Option<Made> {
    let request = workload.workload.request.as_ref()?;
    let count = request.prefix_cache.as_ref().and_then(|cache| cache.sessions);
    let sessions = Sessions { shared: request.cache_hit, count };
    Some(Made { requests, rate, arrivals, input: *request.input, output: *request.output, sessions, seed })
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct ServeResult {
    /// The raw outcome.
    pub outcome: FleetOutcome,
    /// Requests that arrived, that ended, and that could never be served.
    pub counts: [usize; 3],
    /// From arrival to the first pass.
    pub queue: Option<Percentiles>,
    /// From arrival to the first token.
    pub ttft: Option<Percentiles>,
    /// Mean time between the tokens of a request after the first; of requests with more than one.
    pub tpot: Option<Percentiles>,
    /// Gaps between tokens, all requests together.
    pub itl: Option<Percentiles>,
    /// From arrival to the last token.
    pub e2e: Option<Percentiles>,
    /// From the first arrival to the last token.
    pub makespan: Seconds,
    /// Tokens of answers a second.
    pub output_rate: f64,
    /// Requests a second that kept both limits; absent without limits.
    pub goodput: Option<f64>,
    /// Share of the prompts' blocks that was found; of their tokens, where they have no blocks.
    pub prefix_hit: f64,
    /// Share of the prompts' tokens that was not read.
    pub found_tokens: f64,
    /// Preemptions.
    pub preemptions: u64,
    /// Whether requests came faster than they were served.
    pub overloaded: bool,
    /// Time in which requests came, over the mean time that one stays: where it is small, a run says little of a steady state.
    pub stays: f64,
    /// Whether it says nothing: more and more were in the system while requests came, and they came for less than a few stays.
    pub too_short: bool,
    /// Share of the time that instances had a pass to run.
    pub busy: f64,
    /// Mean share of the ports' rate that passes take.
    pub wire: f64,
    /// Mean share of the cache blocks in use, while a pass ran.
    pub occupancy: f64,
    /// Mean watts of the racks.
    pub power: Watts,
    /// Joules of the racks for a token of an answer.
    pub energy_per_token: Joules,
    /// Caches of prompts read from memory beside the chips: own hosts', shared.
    pub loaded: [Bytes; 2],
}

/// A steady state shows once requests have come for so many times as long as one of them stays.
const ENOUGH_STAYS: f64 = 3.0;

impl ServeResult {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn new(outcome: FleetOutcome, trace: &Trace, plan: &ServePlan<'_>) -> Self {
        let ended: Vec<&Sequence> = outcome.sequences.iter().filter(|one| one.stage == RequestStage::Finished).collect();
        let rejected = outcome.sequences.iter().filter(|one| one.stage == RequestStage::Rejected).count();
        let times = |of: &dyn Fn(&Sequence) -> Option<f64>| Percentiles::of(ended.iter().filter_map(|one| of(one)).collect());
        let tpot = |one: &Sequence| (one.output > 1).then(|| one.last.since(one.first).seconds() / f64::from(one.output - 1));
        let ttft = |one: &Sequence| one.first.since(one.arrived).seconds();
        let makespan = Seconds::new(outcome.end.seconds());
        let span = makespan.get().max(1e-12);
        let kept =
            |limits: &Limits| ended.iter().filter(|one| ttft(one) <= limits.ttft.get() && tpot(one).unwrap_or(0.0) <= limits.tpot.get()).count();
        let tokens = ended.iter().fold(0.0, |tokens, one| tokens + f64::from(one.output));
        let (found, units) = (ended.iter().fold(0.0, |found, one| found + f64::from(one.found_units)), trace.blocks.len());
        let prompt = ended.iter().fold(0.0, |prompt, one| prompt + f64::from(one.input));
        let found_tokens = ended.iter().fold(0.0, |found, one| found + f64::from(one.found)) / prompt.max(1.0);
        let instances = f64::from(plan.fleet.first.instances + plan.fleet.second.map_or(0, |(pool, _)| pool.instances));
        let sums = |of: fn(&crate::serving::queueing::OverTimeSpan) -> f64| outcome.over_time.spans.iter().map(of).sum::<f64>();
        let power = plan.waiting + Watts::new(outcome.energy / span);
        let (all, waited) = (trace.requests.len() as f64, outcome.backlog as f64);
        let open = plan.fleet.concurrency.is_none();
        // What is in the system by chance grows with the root of the number of requests that have come.
        let grows = |more: f64| more > 4.0 * all.sqrt() && more > 0.02 * all;
        let [half, last] = outcome.in_flight.map(|count| count as f64);
        let growing = grows(last - half);
        let e2e = times(&|one| Some(one.last.since(one.arrived).seconds()));
        let coming = trace.requests.last().map_or(0.0, |request| request.arrival.seconds());
        let stays = e2e.map_or(0.0, |e2e| coming / e2e.mean.max(1e-12));
        let too_short = growing && stays < ENOUGH_STAYS;
        Self {
            counts: [trace.requests.len(), ended.len(), rejected],
            queue: times(&|one| Some(one.scheduled?.since(one.arrived).seconds())),
            ttft: times(&|one| Some(ttft(one))),
            tpot: times(&tpot),
            itl: outcome.gaps.percentiles(),
            e2e,
            makespan,
            output_rate: tokens / span,
            goodput: plan.limits.as_ref().map(|limits| kept(limits) as f64 / span),
            prefix_hit: if units > 0 { found / units as f64 } else { found_tokens },
            found_tokens,
            preemptions: outcome.sequences.iter().map(|one| u64::from(one.preempted)).sum(),
            overloaded: open && (grows(waited) || growing && !too_short),
            stays,
            too_short: open && !grows(waited) && too_short,
            busy: outcome.busy / (instances * span),
            wire: sums(|span| span.wire) / (instances * span),
            occupancy: sums(|span| span.blocks) / sums(|span| span.busy).max(1e-12),
            power,
            energy_per_token: Joules::new(if tokens > 0.0 { power.get() * span / tokens } else { 0.0 }),
            loaded: outcome.loaded.map(|tokens| plan.tiers[0].per_token * tokens as f64),
            outcome,
        }
    }
}
