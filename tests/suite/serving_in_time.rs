//! Serving in time against hand-derived runs, queueing theory, published traces and the closed form.

use std::sync::Arc;

use proptest::prelude::*;
use supernode::execution::{Machine, Mapping};
use supernode::fabric::build;
use supernode::input::document::{Admission, Length, Victim};
use supernode::input::spec::{Spec, WorkloadSpec, load_engine, load_supernode, load_workload};
use supernode::network::Network;
use supernode::serving::queueing::{
    Arrivals, ArrivingRequest, Fleet, FleetOutcome, Made, PassCost, PassLoad, PassPricing, Picoseconds, PoolSize, RequestStage, RouterPolicy,
    SchedulerRules, Sequence, Sessions, Trace, serve,
};
use supernode::serving::{Batching, ClientTraffic, aggregated_at, benchmark};
use supernode::study::{Layout, Mode, ServePlan, capacity, promises};
use supernode::units::{Seconds, SplitMix64, Watts};

use super::command::Project;

/// A pass takes `base + prompt tokens x prompt + decoding sequences x decode + tokens in their caches x context`, in milliseconds.
pub struct Linear {
    base: f64,
    prompt: f64,
    decode: f64,
    context: f64,
    passes: Vec<(PassLoad, f64)>,
}

impl Linear {
    pub fn new([base, prompt, decode, context]: [f64; 4]) -> Self {
        Self { base, prompt, decode, context, passes: Vec::new() }
    }
}

impl PassPricing for Linear {
    fn price(&mut self, _: usize, load: &PassLoad) -> PassCost {
        let time =
            self.base + self.prompt * f64::from(load.prompt_tokens) + self.decode * f64::from(load.decoding) + self.context * load.context as f64;
        if self.passes.len() < 100 {
            self.passes.push((*load, time));
        }
        PassCost { time: Picoseconds::of(Seconds::new(time / 1e3)), ..PassCost::default() }
    }
}

/// Rules of an engine that is not named, one pass after the other.
pub fn rules() -> SchedulerRules {
    SchedulerRules { overlapped: false, ..SchedulerRules::of(None) }
}

/// One instance with so many blocks.
pub fn fleet(rules: SchedulerRules, blocks: u64) -> Fleet {
    Fleet {
        rules,
        first: PoolSize { instances: 1, groups: 1, blocks },
        second: None,
        policy: RouterPolicy::RoundRobin,
        host_units: 0,
        pooled_units: 0,
        drafts: (0, 0.0),
        concurrency: None,
        front_end: Picoseconds(0),
        seed: 1,
    }
}

/// Requests that share nothing: arrival in milliseconds, prompt, answer.
pub fn trace(requests: &[(f64, u32, u32)]) -> Trace {
    let request = |&(arrival, input, output): &(f64, u32, u32)| ArrivingRequest {
        arrival: Picoseconds::of(Seconds::new(arrival / 1e3)),
        input,
        output,
        prefix: 0..0,
        found: 0,
        priority: 0,
    };
    Trace { requests: requests.iter().map(request).collect(), block_tokens: 16, ..Trace::default() }
}

/// TTFT, TPOT and end to end in milliseconds, and preemptions.
fn told(outcome: &FleetOutcome) -> Vec<[f64; 4]> {
    let milliseconds = |time: Picoseconds| (time.seconds() * 1e9).round() / 1e6;
    outcome
        .sequences
        .iter()
        .map(|one| {
            let tpot = (one.last.since(one.first).seconds() * 1e9 / f64::from(one.output.max(2) - 1)).round() / 1e6;
            [milliseconds(one.first.since(one.arrived)), tpot, milliseconds(one.last.since(one.arrived)), f64::from(one.preempted)]
        })
        .collect()
}

const FIVE: [(f64, u32, u32); 5] = [(0.0, 24, 6), (0.0, 40, 4), (5.0, 10, 8), (6.0, 30, 3), (7.0, 6, 5)];
const HAND: [f64; 4] = [5.0, 0.1, 0.2, 0.01];

/// Five requests A to E on 11 blocks of 8 tokens, 32 tokens a pass, four seats. Pass by pass: A reads its prompt beside 8 tokens of B; A
/// decodes beside 31 of B; C is read while D finds no blocks and E waits behind it; B needs a sixth block and C, admitted last, gives its own
/// up; A and B end; C is read again with its first token (11 tokens) beside 21 of D; and so on to the end at 85.55 ms.
#[test]
fn five_requests_and_a_preemption_step_by_step() {
    let rules = SchedulerRules { budget: 32, sequences: 4, block: 8, admission: Admission::FirstChunk, prefix_cache: false, ..rules() };
    let mut prices = Linear::new(HAND);
    let outcome = serve(&fleet(rules.clone(), 11), &trace(&FIVE), &mut prices);
    let passes: Vec<(u32, u32, u64, f64)> =
        prices.passes.iter().map(|(load, time)| (load.prompt_tokens, load.decoding, load.context, (time * 100.0).round() / 100.0)).collect();
    let expected = [
        (32, 0, 0, 8.20),
        (31, 1, 25, 8.55),
        (11, 1, 26, 6.56),
        (0, 2, 68, 6.08),
        (0, 2, 70, 6.10),
        (0, 2, 72, 6.12),
        (32, 0, 0, 8.20),
        (15, 1, 12, 6.82),
        (0, 3, 51, 6.11),
        (0, 3, 54, 6.14),
        (0, 2, 24, 5.64),
        (0, 2, 26, 5.66),
        (0, 1, 17, 5.37),
    ];
    assert_eq!(passes, expected);
    assert_eq!(
        told(&outcome),
        [
            [8.20, 6.682, 41.61, 0.0],
            [23.31, 6.1, 41.61, 0.0],
            [18.31, 8.891_429, 80.55, 1.0],
            [50.63, 6.125, 62.88, 0.0],
            [49.63, 5.8875, 73.18, 0.0]
        ]
    );
    // One block in eleven kept free on admission: nobody is preempted, the last token comes after 89.76 ms.
    let kept = serve(&fleet(SchedulerRules { watermark: 1.0 / 11.0 + 1e-9, ..rules.clone() }, 11), &trace(&FIVE), &mut Linear::new(HAND));
    assert_eq!((kept.end, told(&kept)[2]), (Picoseconds(89_760_000_000), [43.81, 5.85, 84.76, 0.0]));
    // At most 16 tokens of a prompt in a pass.
    let short = serve(&fleet(SchedulerRules { longest_chunk: Some(16), ..rules }, 11), &trace(&FIVE), &mut Linear::new(HAND));
    assert_eq!((short.end, told(&short)[2]), (Picoseconds(85_550_000_000), [17.85, 8.957_143, 80.55, 1.0]));
}

/// The same with a prefix cache. C gives two blocks up, with 10 tokens in them: the whole one of 8 tokens is still there when C comes back, because A
/// and B take only the other. C reads 3 tokens where it read 11.
#[test]
fn a_preempted_sequence_finds_what_was_not_overwritten() {
    let read = |prefix_cache, blocks| {
        let rules = SchedulerRules { budget: 32, sequences: 4, block: 8, admission: Admission::FirstChunk, prefix_cache, ..rules() };
        let mut prices = Linear::new(HAND);
        let outcome = serve(&fleet(rules, blocks), &trace(&FIVE), &mut prices);
        let read: u32 = prices.passes.iter().map(|(load, _)| load.prompt_tokens).sum();
        (read, outcome.sequences.iter().map(|one| one.preempted).sum::<u32>())
    };
    let prompts = 24 + 40 + 10 + 30 + 6;
    assert_eq!((read(false, 11), read(true, 11)), ((prompts + 11, 1), (prompts + 3, 1)));
    assert_eq!(read(true, 100), (prompts, 0));
}

/// 14 blocks of 4 tokens for A (20 in, 12 out), B (44, 3) and C (4, 2). If the first chunk's blocks are enough to be admitted, B preempts
/// itself five times; if those of the whole prompt must be free, nobody is preempted.
#[test]
fn a_request_may_preempt_itself() {
    let requests = trace(&[(0.0, 20, 12), (1.0, 44, 3), (2.0, 4, 2)]);
    let run = |admission| {
        serve(
            &fleet(SchedulerRules { budget: 16, sequences: 8, block: 4, admission, prefix_cache: false, ..rules() }, 14),
            &requests,
            &mut Linear::new(HAND),
        )
    };
    let first = run(Admission::FirstChunk);
    assert_eq!((first.end, told(&first)[1]), (Picoseconds(113_620_000_000), [101.06, 5.78, 112.62, 5.0]));
    let whole = run(Admission::Prompt);
    assert_eq!((whole.end, told(&whole)[1]), (Picoseconds(103_420_000_000), [90.86, 5.78, 102.42, 0.0]));
}

/// Mean waits of 10^6 requests on one seat, with the standard error of the means of 200 batches, against Pollaczek and Khinchine:
/// rho / (2 (1 - rho)) with equal services, rho / (1 - rho) with exponential ones.
#[test]
fn waits_are_those_of_queueing_theory() {
    for (exponential, rho, expected) in [(false, 0.5, 0.5), (false, 0.8, 2.0), (true, 0.5, 1.0), (true, 0.8, 4.0)] {
        let mut stream = SplitMix64::new(7, u64::from(exponential));
        let mut now = 0.0;
        let requests: Vec<(f64, u32, u32)> = (0..1_000_000)
            .map(|_| {
                now -= stream.uniform().ln() / rho * 1e3;
                // A service of one second: 10^5 tokens of a prompt on average.
                let tokens = if exponential { (-stream.uniform().ln() * 1e5).ceil().max(1.0) as u32 } else { 100_000 };
                (now, tokens, 1)
            })
            .collect();
        let outcome = serve(
            &fleet(SchedulerRules { sequences: 1, budget: u32::MAX, ..rules() }, 1 << 40),
            &trace(&requests),
            &mut Linear::new([0.0, 0.01, 0.0, 0.0]),
        );
        let waits: Vec<f64> = outcome.sequences.iter().map(|one| one.scheduled.unwrap().since(one.arrived).seconds()).collect();
        let batches: Vec<f64> = waits.chunks(5000).map(|batch| batch.iter().sum::<f64>() / batch.len() as f64).collect();
        let mean = batches.iter().sum::<f64>() / batches.len() as f64;
        let variance = batches.iter().map(|batch| (batch - mean).powi(2)).sum::<f64>() / (batches.len() as f64 - 1.0);
        let error = (variance / batches.len() as f64).sqrt();
        assert!((mean - expected).abs() < 3.0 * error && error < 0.02 * expected, "{exponential} {rho}: {mean} +- {error}, expected {expected}");
    }
}

/// Two prompts that share their first two blocks of 16, one after the other: the second finds 32 tokens; at the same moment it finds them
/// too, since a block may be found once the pass that fills it is scheduled.
#[test]
fn a_block_is_found_once_its_pass_is_scheduled() {
    for later in [0.0, 1000.0] {
        let mut requests = trace(&[(0.0, 40, 2), (later, 50, 2)]);
        requests.blocks = vec![0, 1, 2, 0, 1, 3, 4];
        requests.distinct = 5;
        (requests.requests[0].prefix, requests.requests[1].prefix) = (0..3, 3..7);
        let outcome = serve(&fleet(rules(), 100), &requests, &mut Linear::new(HAND));
        assert_eq!([outcome.sequences[0].found, outcome.sequences[1].found], [0, 32]);
        let without = serve(&fleet(SchedulerRules { prefix_cache: false, ..rules() }, 100), &requests, &mut Linear::new(HAND));
        assert_eq!(without.sequences[1].found, 0);
    }
}

/// Scheduled beside the pass before, a request that arrives while a pass runs waits for the next one as well, and a seat is free one pass
/// later: B arrives in A's first pass, joins the third.
#[test]
fn overlapped_scheduling_sees_arrivals_one_pass_later() {
    let requests = trace(&[(0.0, 100, 5), (1.0, 100, 1)]);
    let first = |overlapped| {
        let outcome = serve(&fleet(SchedulerRules { overlapped, ..rules() }, 100), &requests, &mut Linear::new([10.0, 0.0, 0.0, 0.0]));
        outcome.sequences[1].first.since(outcome.sequences[1].arrived).seconds() * 1e3
    };
    assert_eq!([first(false), first(true)].map(f64::round), [19.0, 29.0]);
}

fn any_rules() -> impl Strategy<Value = SchedulerRules> {
    let admission = prop_oneof![Just(Admission::FirstChunk), Just(Admission::Prompt), Just(Admission::Request), Just(Admission::Estimate)];
    let victim = prop_oneof![Just(Victim::LastAdmitted), Just(Victim::FewestMade)];
    (16..200_u32, 1..16_u32, 1..20_u32, any::<[bool; 5]>(), admission, victim).prop_map(|(budget, sequences, block, flags, admission, victim)| {
        SchedulerRules {
            budget,
            sequences: sequences.min(budget),
            block,
            chunked: flags[0],
            mixed: flags[1],
            overlapped: flags[2],
            prefix_cache: flags[3],
            by_priority: flags[4],
            admission,
            victim,
            longest_chunk: None,
            watermark: 0.0,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the rules and however small the cache: every request ends with all its tokens or is rejected, and no block stays behind.
    #[test]
    fn requests_end_and_blocks_come_back(rules in any_rules(), blocks in 2..60_u64, seed in any::<u64>(), apart in any::<bool>(), pooled in 0..20_u64) {
        let sessions = Sessions { shared: 0.6, count: Some(5) };
        let length = |mean| Length { mean, variation: 1.0 };
        let made = Made { requests: 60, rate: 50.0, arrivals: Arrivals::Gamma(2.0), input: length(600), output: length(20), sessions, seed };
        let size = PoolSize { instances: 2, groups: 2, blocks: blocks * 16 };
        let transfer = supernode::serving::queueing::CacheTransfer { latency: Picoseconds(1_000_000), per_token: 1e6, layers: 4 };
        let fleet = Fleet {
            first: size,
            second: apart.then_some((PoolSize { blocks: blocks * 10, ..size }, transfer)),
            policy: RouterPolicy::PrefixAware,
            host_units: pooled / 2,
            pooled_units: pooled,
            drafts: (2, 0.5),
            ..fleet(rules, blocks)
        };
        let trace = made.trace();
        let outcome = serve(&fleet, &trace, &mut Linear::new(HAND));
        prop_assert_eq!(outcome.blocks_left, 0);
        for (one, asked) in outcome.sequences.iter().zip(&trace.requests) {
            match one.stage {
                RequestStage::Finished => prop_assert_eq!((one.made, one.output), (asked.output, asked.output)),
                RequestStage::Rejected => prop_assert_eq!(one.made, 0),
                RequestStage::Open => prop_assert!(false, "neither ended nor rejected"),
            }
        }
    }

}

/// The closed form against serving in time, at the rate that the closed form gives: three shapes of requests, a small batch with lengths alike
/// and a large one with lengths spread, two machines, with an engine and without. docs/model/serving.md states these bounds.
///
/// Large batches of prompts exactly as long as one or two chunks, all alike, are left out: an engine's host makes a pass with prompts seven times as long
/// as one without, so that one more running sequence takes the last token of room from every prompt, each then needs a pass more, passes get
/// longer and still more sequences run. The same rate has two steady states, and the closed form gives one between them.
#[test]
fn both_tiers_agree() {
    for machine in ["hgx-h200", "hgx-b200"] {
        for engine in [None, Some("vllm")] {
            let spec = load_supernode(machine).unwrap();
            let fabric = build(&spec).unwrap();
            let network = Network::new(&fabric);
            let mut workload = load_workload("llama-3.1-70b-fp8").unwrap().on(&spec.chip);
            workload.engine = engine.map(|name| Arc::new(load_engine(name).unwrap()));
            let bounds = if engine.is_some() { [0.18, 0.35] } else { [0.05, 0.1] };
            for (input, output) in [(512, 256), (2048, 512), (400, 300)] {
                for (sequences, variation) in [(8, 0.0), (64, 0.5)] {
                    let off = tiers_apart(&spec, &network, &workload, [input, output], variation, sequences);
                    println!("{machine} {engine:?} {input}/{output} +-{variation} x{sequences}: TPOT {:+.3}, TTFT {:+.3}", off[0], off[1]);
                    assert!(off[0].abs() < bounds[0] && off[1].abs() < bounds[1], "{machine} {engine:?} {input}/{output} x{sequences}: {off:?}");
                }
            }
        }
    }
}

/// How far TPOT and TTFT served in time are from those of the closed form.
fn tiers_apart(spec: &Spec, network: &Network<'_>, workload: &WorkloadSpec, lengths: [u32; 2], variation: f64, sequences: u32) -> [f64; 2] {
    let mapping = Mapping { tp: 8, ..Mapping::ONE };
    let mut request = load_workload("chat").unwrap().workload.request.unwrap();
    request.input.set(Length { mean: lengths[0], variation });
    request.output.set(Length { mean: lengths[1], variation });
    (request.cache_hit, request.speculation) = (0.0, None);
    let closed = aggregated_at(&Machine::new(network, &spec.library, &spec.chip, workload), &request, mapping, sequences, 512, 1).unwrap();
    let rate = closed.requests.unwrap().per_second;
    let rules = SchedulerRules { budget: 512 + sequences, sequences: 4 * sequences, overlapped: false, ..SchedulerRules::of(None) };
    let layout = Layout { candidates: Some(vec![mapping]), rules: Some(rules), instances: Some(1), ..Layout::default() };
    let sessions = Sessions { shared: 0.0, count: None };
    let made = Made { requests: 2000, rate, arrivals: Arrivals::Poisson, input: *request.input, output: *request.output, sessions, seed: 1 };
    // Near saturation a few per cent more arrivals than asked for are many more in the queue: the requests come at the rate to the last digit.
    let last = made.trace().requests.last().unwrap().arrival.seconds();
    let trace = Made { rate: rate * last / (1999.0 / rate), ..made }.trace();
    let served = ServePlan::new(spec, network, workload, &trace, &layout).unwrap().serve(&trace);
    // Without the requests that find the machine filling up or draining.
    let steady: Vec<_> = served.outcome.sequences[500..1700].iter().filter(|one| one.output > 1).collect();
    let mean = |of: &dyn Fn(&&Sequence) -> f64| steady.iter().map(of).sum::<f64>() / steady.len() as f64;
    let tpot = mean(&|one| one.last.since(one.first).seconds() / f64::from(one.output - 1));
    let ttft = mean(&|one| one.first.since(one.arrived).seconds());
    [tpot / closed.tpot.unwrap().get() - 1.0, ttft / closed.ttft.unwrap().get() - 1.0]
}

/// The replay of public benchmarks, which is held against measured engines, and `serve` in a closed loop give the same times: the same passes
/// at the same prices, whatever loop goes through them.
#[test]
fn what_is_validated_is_what_is_served() {
    let spec = load_supernode("hgx-h200").unwrap();
    let fabric = build(&spec).unwrap();
    let network = Network::new(&fabric);
    let mut workload = load_workload("llama-3.1-70b-fp8").unwrap().on(&spec.chip);
    workload.engine = Some(Arc::new(load_engine("vllm").unwrap()));
    let mapping = Mapping { tp: 8, ..Mapping::ONE };
    let machine = Machine::new(&network, &spec.library, &spec.chip, &workload);
    for (concurrency, prompt, output) in [(16, 1024, 256), (64, 1024, 512), (32, 4000, 200)] {
        let traffic = ClientTraffic { concurrency, rounds: 5, prompt, output, shortest: 1.0 };
        let batching = Batching {
            groups: 1,
            budget: 8192,
            running: 1024,
            cached: 0.0,
            paged: true,
            whole: false,
            separate: false,
            poll: 1,
            wait: 0,
            wait_share: 0.0,
            front_end: Seconds::ZERO,
        };
        let replayed = benchmark(&machine, mapping, &traffic, &batching, &|_| Watts::ZERO).unwrap();
        let alike = |tokens| Length { mean: tokens, variation: 0.0 };
        let sessions = Sessions { shared: 0.0, count: None };
        let trace = Made {
            requests: 5 * concurrency,
            rate: 1.0,
            arrivals: Arrivals::Constant,
            input: alike(prompt),
            output: alike(output),
            sessions,
            seed: 1,
        }
        .trace();
        let layout = Layout { candidates: Some(vec![mapping]), instances: Some(1), concurrency: Some(concurrency), ..Layout::default() };
        let served = ServePlan::new(&spec, &network, &workload, &trace, &layout).unwrap().serve(&trace);
        let off = [
            served.ttft.unwrap().mean / replayed.first_token.get() - 1.0,
            served.tpot.unwrap().mean / replayed.per_token.get() - 1.0,
            served.itl.unwrap().p50 / replayed.gap.get() - 1.0,
        ];
        println!("{prompt}/{output} x{concurrency}: TTFT {:+.3}, TPOT {:+.3}, gap {:+.3}", off[0], off[1], off[2]);
        assert!(off.iter().all(|off| off.abs() < 0.015), "{prompt}/{output} x{concurrency}: {off:?}");
    }
}

/// A tighter promise never allows a higher rate, and a deployment keeps what its capacity says.
#[test]
fn capacities_are_kept() {
    let spec = load_supernode("hgx-h200").unwrap();
    let fabric = build(&spec).unwrap();
    let network = Network::new(&fabric);
    let workload = load_workload("llama-3.1-8b-bf16").unwrap().on(&spec.chip);
    let layout = Layout { candidates: Some(vec![Mapping::ONE]), instances: Some(1), ..Layout::default() };
    let request = workload.workload.request.as_ref().unwrap();
    let sessions = Sessions { shared: 0.0, count: None };
    let made = Made { requests: 300, rate: 1.0, arrivals: Arrivals::Poisson, input: *request.input, output: *request.output, sessions, seed: 3 };
    let plan = ServePlan::new(&spec, &network, &workload, &made.trace(), &layout).unwrap();
    let rate = |slo: &str| {
        let promises = promises(slo).unwrap();
        let found = capacity(&plan, &made, &promises);
        let served = found.served.expect("some rate works");
        assert!(promises.iter().all(|promise| promise.strain(&served) <= 1.0));
        found.rate
    };
    let (loose, tight) = (rate("ttft p99 2 s, tpot p99 50 ms"), rate("ttft p99 2 s, tpot p99 15 ms"));
    assert!(tight <= loose && tight > 0.0, "{tight} {loose}");
    assert!(promises("ttft p98 2 s").is_err() && promises("ttft p99 -2 s").is_err() && promises("speed p99 2 s").is_err());
    // Read apart, the cache crosses the fabric once for each prompt.
    let apart = Layout { mode: Mode::Apart, candidates: Some(vec![Mapping::ONE]), prefill_candidates: Some(vec![Mapping::ONE]), ..Layout::default() };
    let trace = Made { rate: 5.0, ..made }.trace();
    let served = ServePlan::new(&spec, &network, &workload, &trace, &apart).unwrap().serve(&trace);
    assert_eq!(served.outcome.transferred, trace.requests.iter().map(|request| u64::from(request.input)).sum::<u64>());
    assert_eq!(served.counts[1], 300);
}

const MINE: &str = "arrival_s,input_tokens,output_tokens,session\n0,300,20,a\n0.5,400,30,b\n1.25,500,10,a\n";

/// The same bytes for any number of threads; one row a request; the contract's keys.
#[test]
fn serve_prints_the_same_for_any_number_of_threads() {
    let project = Project::new("serve").file("mine.csv", MINE);
    let run = |threads: &str| {
        project
            .run(&[
                "serve",
                "hgx-h100",
                "--workload",
                "llama-3.1-8b-bf16",
                "--engine",
                "vllm",
                "--mapping",
                "tp=1",
                "--instances",
                "1",
                "--trace",
                "mine.csv",
                "--requests-out",
                "r.csv",
                "--trace-out",
                "t.json",
                "--plot",
                "p.svg",
                "--format",
                "json",
                "--threads",
                threads,
            ])
            .output()
    };
    let json = run("1");
    assert_eq!(json, run("2"));
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["requests"], serde_json::json!({ "arrived": 3, "finished": 3, "unfinished": 0, "rejected": 0 }));
    assert_eq!((found["engine"].as_str(), found["overloaded"].as_bool()), (Some("vllm"), Some(false)));
    for key in ["queue_s", "ttft_s", "tpot_s", "itl_s", "e2e_s"] {
        for part in ["mean", "p50", "p90", "p95", "p99"] {
            assert!(found[key][part].is_number(), "{key} {part}");
        }
    }
    let rows = project.text("r.csv");
    assert_eq!(rows.lines().next(), Some("id,arrival_s,queue_s,ttft_s,tpot_s,e2e_s,input_tokens,output_tokens,hit_tokens,preempted"));
    assert_eq!(rows.lines().count(), 4);
    // The third request starts with the first one's 300 tokens: 18 whole blocks of 16.
    assert!(rows.lines().nth(3).unwrap().contains(",500,10,288,0"), "{rows}");
    assert!(project.text("t.json").contains("traceEvents") && project.text("p.svg").starts_with("<svg"));
}
