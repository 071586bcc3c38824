//! Which better machines serve no fewer requests within the limits, with common random numbers.

use proptest::prelude::*;
use supernode::input::document::{Admission, Length, Victim};
use supernode::serving::queueing::{
    Arrivals, Fleet, FleetOutcome, Made, PoolSize, RequestStage, RouterPolicy, SchedulerRules, Sequence, Sessions, serve,
};

use super::serving_in_time::{Linear, fleet, rules, trace};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Shorter passes or more instances never lower the requests that keep both limits, under any load; more cache does not where a pass with
    /// all seats taken keeps the limit of a token, or where there is no such limit.
    #[test]
    fn better_machines_serve_no_fewer(seed in any::<u64>(), load in 0.0..1.0_f64, computing in any::<bool>(), rule in 0..4_usize, size in 0..3_usize) {
        let length = |mean| Length { mean, variation: 0.8 };
        let sessions = Sessions { shared: 0.0, count: None };
        let rate = 5.0 * 80.0_f64.powf(load);
        let trace = Made { requests: 400, rate, arrivals: Arrivals::Poisson, input: length(200), output: length(60), sessions, seed }.trace();
        // A pass with 512 prompt tokens and all seats taken takes at most 25 ms.
        let (cost, seats) = if computing { ([2.0, 0.02, 0.4, 1e-4], 26) } else { ([8.0, 0.02, 0.05, 1e-4], 67) };
        let (admission, victim) = [
            (Admission::Prompt, Victim::LastAdmitted),
            (Admission::FirstChunk, Victim::LastAdmitted),
            (Admission::Request, Victim::LastAdmitted),
            (Admission::Estimate, Victim::FewestMade),
        ][rule];
        let blocks = [150, 300, 600][size];
        let good = |blocks: u64, faster: f64, instances: u32, sequences: u32, limit: f64| {
            let one = fleet(SchedulerRules { sequences, budget: 512, admission, victim, ..rules() }, blocks);
            let fleet = Fleet { first: PoolSize { instances, ..one.first }, policy: RouterPolicy::LeastLoaded, ..one };
            kept(&serve(&fleet, &trace, &mut Linear::new(cost.map(|part| part * faster))), 0.4, limit)
        };
        for (sequences, limit) in [(256, f64::INFINITY), (256, 0.025), (seats, 0.025)] {
            let plain = good(blocks, 1.0, 1, sequences, limit);
            prop_assert!(good(blocks, 0.75, 1, sequences, limit) + NOISE >= plain, "shorter passes");
            prop_assert!(good(blocks, 1.0, 2, sequences, limit) + NOISE >= plain, "more instances");
            if sequences == seats || limit.is_infinite() {
                prop_assert!(good(2 * blocks, 1.0, 1, sequences, limit) + NOISE >= plain, "more cache");
            }
        }
    }
}

/// Requests of 400 that common random numbers leave to chance: a change of a pass moves everything that is scheduled after it.
const NOISE: usize = 12;

/// Requests that keep a limit of the first token and one of the tokens after it, in seconds.
fn kept(outcome: &FleetOutcome, first: f64, token: f64) -> usize {
    let keeps = |one: &&Sequence| {
        let tpot = one.last.since(one.first).seconds() / f64::from(one.output.max(2) - 1);
        one.stage == RequestStage::Finished && one.first.since(one.arrived).seconds() <= first && tpot <= token
    };
    outcome.sequences.iter().filter(keeps).count()
}

/// Why more cache can serve fewer: 40 requests at once, a pass takes a millisecond a sequence, a token may take 10.5 ms. Blocks for ten
/// requests let ten run, and all 40 keep the limit; blocks for twenty let twenty run, and none does. Engines look at blocks, seats and
/// tokens, never at limits: ten seats give all 40 back.
#[test]
fn more_cache_without_seats_for_the_limit_serves_fewer() {
    let requests = trace(&[(0.0, 16, 16); 40]);
    let good = |blocks: u64, sequences: u32| {
        let rules = SchedulerRules { sequences, admission: Admission::Request, ..rules() };
        kept(&serve(&fleet(rules, blocks), &requests, &mut Linear::new([0.01, 0.0, 1.0, 0.0])), f64::INFINITY, 0.0105)
    };
    assert_eq!([good(20, 1024), good(40, 1024), good(20, 10), good(40, 10)], [40, 0, 40, 40]);
}
