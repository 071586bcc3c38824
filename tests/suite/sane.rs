//! Sane by construction: what must never make a machine worse, and what must never make it better.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use supernode::execution::{Machine, Mapping, mappings_for};
use supernode::fabric;
use supernode::footprint::{cost, energy, ownership};
use supernode::input::document::{CacheTier, DecodePhase, ExpertChips, Objective, PrefillPhase, Prices};
use supernode::input::spec::{AttachedPart, Spec, WorkloadSpec, load_prices, load_supernode, load_target, load_workload, load_workload_with};
use supernode::network::Network;
use supernode::serving::{Role, best, decode_at, prefill_at};
use supernode::study::{MappingChoice, Simulation, simulate_with};
use supernode::units::{Figure, Ratio, TokensPerSecond};

/// Best decode and prefill rates on the first two nodes of CloudMatrix384, zero where nothing works.
fn rates(spec: &Spec, workload: &WorkloadSpec) -> [f64; 2] {
    with_machine(spec, workload, |machine, candidates| {
        let decode = best(machine, Role::Decode(decode_phase(workload)), candidates).map_or(TokensPerSecond::ZERO, |found| found.rate);
        let prefill = best(machine, Role::Prefill(prefill_phase(workload)), candidates).map_or(TokensPerSecond::ZERO, |found| found.rate);
        [decode, prefill].map(TokensPerSecond::get)
    })
}

fn with_machine<T>(spec: &Spec, workload: &WorkloadSpec, ask: impl FnOnce(&Machine<'_>, &[Mapping]) -> T) -> T {
    let fabric = fabric::build(spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let ranks = spec.chip.ranks;
    let candidates: Vec<Mapping> =
        mappings_for(workload, fabric.chips, spec.levels[0].size, ranks).into_iter().filter(|mapping| mapping.chips(ranks) <= 16).collect();
    ask(&Machine::new(&network, &spec.library, &spec.chip, workload), &candidates)
}

fn decode_phase(workload: &WorkloadSpec) -> &DecodePhase {
    workload.workload.decode.as_ref().expect("the workload decodes")
}

fn prefill_phase(workload: &WorkloadSpec) -> &PrefillPhase {
    workload.workload.prefill.as_ref().expect("the workload prefills")
}

fn cloudmatrix() -> Spec {
    load_supernode("cloudmatrix384").unwrap_or_else(|problems| panic!("{problems}"))
}

fn workload(model: &str) -> WorkloadSpec {
    let with = |model| load_workload_with("deepseek-r1-cloudmatrix", Some(model)).unwrap_or_else(|problems| panic!("{problems}"));
    let mut workload = match model {
        APART => with("step-3"),
        DRAFTED => {
            return load_workload_with("llama-3.1-70b-fp8-draft", None).unwrap_or_else(|problems| panic!("{problems}")).on(&cloudmatrix().chip);
        }
        _ => return with(model),
    };
    workload.workload.decode.as_mut().expect("the workload decodes").expert_chips = ExpertChips::Apart;
    workload
}

const APART: &str = "step-3 with experts on chips of their own";
const DRAFTED: &str = "llama-3.1-70b with a draft of 1B";

/// One of each kind of attention, small enough for two nodes; and both ways to decode that are not everybody's.
const MODELS: [&str; 7] = ["qwen3-32b", "gpt-oss-120b", "qwen3.5-122b-a10b", "deepseek-v4-flash", "minimax-m2.5", APART, DRAFTED];

/// How much a better machine may fall behind: a batch grows by whole sequences, and kernels step over whole tiles. The largest loss
/// seen in 150 draws is 0.13 %.
const GRAIN: f64 = 0.995;

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, rng_seed: RngSeed::Fixed(384), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn better_hardware_or_a_looser_limit_never_loses(model in prop::sample::select(&MODELS[..]), factor in 1.05..3.0_f64, which in 0..5_u8) {
        let (mut spec, mut workload) = (cloudmatrix(), workload(model));
        let before = rates(&spec, &workload);
        match which {
            0 => spec.chip.memory.bandwidth.value = spec.chip.memory.bandwidth.value * factor,
            1 => spec.chip.memory.capacity.value = spec.chip.memory.capacity.value * factor,
            2 => spec.chip.io.endpoint_latency.value = spec.chip.io.endpoint_latency.value / factor,
            3 => spec.levels.iter_mut().for_each(|level| level.link.link.lane_rate.value = level.link.link.lane_rate.value * factor),
            _ => {
                let decode = workload.workload.decode.as_mut().expect("the workload decodes");
                let mut limit = (*decode.tpot_limit).clone();
                limit.value = limit.value * factor;
                decode.tpot_limit.set(limit);
                let prefill = workload.workload.prefill.as_mut().expect("the workload prefills");
                let mut limit = (*prefill.ttft_limit).clone();
                limit.value = limit.value * factor;
                prefill.ttft_limit.set(limit);
            }
        }
        let after = rates(&spec, &workload);
        for (before, after) in before.into_iter().zip(after) {
            prop_assert!(after >= before * GRAIN, "{model}, change {which} x {factor}: {before} fell to {after}");
        }
    }

    #[test]
    fn twice_the_context_never_gains(model in prop::sample::select(&MODELS[..]), context in 512..65_536_u32) {
        let spec = cloudmatrix();
        let mut workload = workload(model);
        let at = |workload: &mut WorkloadSpec, context: u32| {
            workload.workload.decode.as_mut().expect("the workload decodes").context.set(context);
            rates(&spec, workload)[0]
        };
        let (short, long) = (at(&mut workload, context), at(&mut workload, 2 * context));
        prop_assert!(long <= short / GRAIN, "{model}: {short} at {context}, {long} at twice that");
    }

    #[test]
    fn latency_grows_with_the_batch(model in prop::sample::select(&MODELS[..]), sequences in 1..200_u32, parts in 1..3_u32) {
        let (spec, workload) = (cloudmatrix(), workload(model));
        with_machine(&spec, &workload, |machine, candidates| {
            for mapping in candidates.iter().filter(|mapping| mapping.pp == 1).step_by(3) {
                let tpot = |sequences| decode_at(machine, decode_phase(&workload), *mapping, parts * sequences, parts).latency();
                // Kernels' tiles and splits make small steps, so compare twice the batch.
                let (one, two) = (tpot(sequences).get(), tpot(2 * sequences).get());
                prop_assert!(two >= one * GRAIN, "{model}, {mapping}, {parts} parts: {one} s with {sequences} sequences each, {two} s with twice as many");
                if mapping.ffn.is_some() {
                    continue;
                }
                let ttft = |prompts| prefill_at(machine, prefill_phase(&workload), *mapping, prompts, parts).map(|point| point.latency());
                if let (Ok(one), Ok(two)) = (ttft(1.0), ttft(2.0)) {
                    prop_assert!(two >= one, "{model}, {mapping}: {one:?} for one prompt, {two:?} for two");
                }
            }
            Ok(())
        })?;
    }
}

/// A whole simulation of a small machine with the mappings that are best by `objective`.
fn simulated(spec: &Spec, workload: &WorkloadSpec, objective: Objective, prices: &Prices) -> Simulation {
    let fabric = fabric::build(spec).unwrap_or_else(|problems| panic!("{problems}"));
    let target = load_target("doubao-2026-04").unwrap_or_else(|problems| panic!("{problems}"));
    let choice = MappingChoice { objective: Some(objective), prices: Some(prices.clone()), ..MappingChoice::default() };
    simulate_with(spec, &fabric, workload, &target, &choice)
}

/// Joules and dollars of a served token. Both are sums over the phases, each phase's over its tokens: what the objectives minimise.
fn takes(spec: &Spec, workload: &WorkloadSpec, objective: Objective, prices: &Prices) -> [f64; 2] {
    let simulation = simulated(spec, workload, objective, prices);
    let fabric = fabric::build(spec).unwrap_or_else(|problems| panic!("{problems}"));
    let capital = cost(spec, &fabric, &simulation.inventory, &simulation.power, prices).parts().expect("every part has a price");
    let owned = ownership(capital, prices).expect("hardware has a life");
    let dollars = owned.plus(energy(simulation.power.facility(), prices).expect("energy has a price")).value;
    [simulation.energy_per_token.expect("it serves").get(), dollars / simulation.verdict.service.rate.get()]
}

const OBJECTIVES: [Objective; 2] = [Objective::TokensPerWatt, Objective::TokensPerCost];

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, rng_seed: RngSeed::Fixed(385), failure_persistence: None, ..ProptestConfig::default() })]

    /// Tokens a joule and tokens a dollar, each with the mappings that its own objective chooses.
    #[test]
    fn cheaper_or_less_hungry_parts_never_lose(
        name in prop::sample::select(&["gpt-oss-120b-mxfp4", "llama-3.1-70b-fp8-draft"][..]), factor in 0.3..0.95_f64, which in 0..9_u8,
    ) {
        let mut spec = load_supernode("hgx-h100").unwrap_or_else(|problems| panic!("{problems}"));
        let mut prices = load_prices().unwrap_or_else(|problems| panic!("{problems}"));
        // The sum of parts, which change here, not the machine's own price.
        prices.machine.clear();
        let workload = load_workload(name).unwrap_or_else(|problems| panic!("{problems}"));
        let all = |spec: &Spec, prices: &Prices| [0, 1].map(|index| takes(spec, &workload, OBJECTIVES[index], prices)[index]);
        let before = all(&spec, &prices);
        let power = &mut spec.chip.power;
        match which {
            0 => power.idle.value = power.idle.value * factor,
            1 => power.active.iter_mut().for_each(|active| active.value = active.value * factor),
            2 => power.energy_per_flop.value = power.energy_per_flop.value * factor,
            3 => power.memory_energy.value = power.memory_energy.value * factor,
            4 => power.io_energy.value = power.io_energy.value * factor,
            5 => prices.chip.values_mut().filter_map(|price| price.purchase.as_mut()).for_each(|price| price.value = price.value * factor),
            6 => prices.switch_lane.iter_mut().for_each(|price| price.value = price.value * factor),
            7 => prices.kilowatt_hour.iter_mut().for_each(|price| price.value = price.value * factor),
            _ => prices.supply_watt.iter_mut().for_each(|price| price.value = price.value * factor),
        }
        let after = all(&spec, &prices);
        for (before, after) in before.into_iter().zip(after) {
            prop_assert!(after * GRAIN <= before, "{name}, change {which} x {factor}: a token took {before}, now {after}");
        }
    }

    /// Room for prefixes, the way to them, and one more place for them.
    #[test]
    fn a_better_prefix_cache_never_loses(sessions in 500..40_000_u32, factor in 1.05..3.0_f64, which in 0..5_u8) {
        let mut spec = load_supernode("ref-cxl-pool-64").unwrap_or_else(|problems| panic!("{problems}"));
        let mut workload = load_workload("coding-agent").unwrap_or_else(|problems| panic!("{problems}"));
        let prices = load_prices().unwrap_or_else(|problems| panic!("{problems}"));
        let request = workload.workload.request.as_mut().expect("it says what a request is");
        let cache = request.prefix_cache.as_mut().expect("it keeps prefixes");
        (cache.sessions, cache.tiers) = (Some(sessions), vec![CacheTier::HostDram, CacheTier::CxlPool]);
        cache.share = Some(Figure::plain(Ratio::new(0.3)));
        let served = |spec: &Spec, workload: &mut WorkloadSpec| {
            workload.workload.prefill = workload.workload.request.as_ref().map(supernode::input::document::Request::prefill);
            let simulation = simulated(spec, workload, Objective::Tokens, &prices);
            let together = simulation.aggregated.and_then(Result::ok).map_or(0.0, |found| found.rate.get());
            [simulation.requests_per_second.unwrap_or(0.0), together]
        };
        let before = served(&spec, &mut workload);
        for attach in spec.levels.iter_mut().flat_map(|level| &mut level.attach) {
            match (which, &mut attach.part) {
                (0, AttachedPart::Memory(memory)) => memory.capacity.value = memory.capacity.value * factor,
                (1, AttachedPart::Cpu(cpu)) => cpu.memory_capacity.value = cpu.memory_capacity.value * factor,
                (2, _) => attach.cable.link.link.lane_rate.value = attach.cable.link.link.lane_rate.value * factor,
                _ => {}
            }
        }
        let cache = workload.workload.request.as_mut().and_then(|request| request.prefix_cache.as_mut()).expect("it keeps prefixes");
        match which {
            3 => cache.share = Some(Figure::plain(Ratio::new(0.3 * factor))),
            4 => cache.tiers.push(CacheTier::Hbm),
            _ => {}
        }
        let after = served(&spec, &mut workload);
        for (before, after) in before.into_iter().zip(after) {
            prop_assert!(after >= before * GRAIN, "{sessions} sessions, change {which} x {factor}: {before} fell to {after}");
        }
    }

    /// A draft that is right more often never loses.
    #[test]
    fn a_better_draft_never_loses(acceptance in 0.0..0.9_f64, more in 0.01..0.1_f64) {
        let (spec, mut workload) = (cloudmatrix(), workload(DRAFTED));
        let mut at = |acceptance: f64| {
            let decode = workload.workload.decode.as_mut().expect("the workload decodes");
            decode.speculation.as_mut().expect("it speculates").acceptance = Figure::plain(Ratio::new(acceptance));
            rates(&spec, &workload)[0]
        };
        let (before, after) = (at(acceptance), at(acceptance + more));
        prop_assert!(after >= before * GRAIN, "{before} at {acceptance}, {after} with {more} more");
    }
}
