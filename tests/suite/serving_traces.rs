//! Files of requests, what prefix caches find of them, and what is wrong with them.

use std::path::Path;
use std::sync::Arc;

use crate::serving_in_time::{fleet, rules};
use proptest::prelude::*;
use supernode::input::document::Length;
use supernode::input::problem::Source;
use supernode::input::trace::{load_trace, parse_trace};
use supernode::serving::queueing::{
    Arrivals, BlockOrder, Made, PrefixSpread, RequestStage, SchedulerRules, Sessions, Trace, prefix_hits, serve, spread_hits,
};

use super::command::Project;
use super::serving_in_time::Linear;

/// Blocks of Mooncake's traces that a prefix cache finds (independent scripts, `serving.json`): without bounds 36.6 % and 64.0 %, with bounds
/// by the order in which a prompt's blocks count as used, and with eight caches by where requests go.
#[test]
#[ignore = "needs Mooncake's traces in the folder SUPERNODE_TRACES: mooncake_conversation.jsonl and mooncake_synthetic.jsonl"]
fn published_traces_find_what_independent_scripts_find() {
    type Hits = (&'static str, [[u64; 2]; 4], [u64; 6]);
    let expected: [Hits; 2] = [
        (
            "mooncake_conversation.jsonl",
            [[12_831, 12_847], [60_921, 61_046], [102_290, 102_290], [105_710, 105_710]],
            [39_315, 105_710, 86_968, 21_163, 14_046, 53_278],
        ),
        (
            "mooncake_synthetic.jsonl",
            [[10_050, 10_252], [51_614, 51_669], [77_953, 77_953], [77_953, 77_953]],
            [27_588, 77_953, 72_916, 10_781, 57_981, 50_267],
        ),
    ];
    for (name, bounded, spread) in expected {
        let path = Path::new(&std::env::var("SUPERNODE_TRACES").unwrap()).join(name);
        let trace = Trace::of(&load_trace(path.to_str().unwrap()).unwrap());
        for (capacity, hits) in [1000, 10_000, 50_000, u64::MAX / 2].into_iter().zip(bounded) {
            assert_eq!([BlockOrder::Forward, BlockOrder::Reverse].map(|order| prefix_hits(&trace, capacity, order)), hits, "{name} {capacity}");
        }
        let kinds = [PrefixSpread::RoundRobin, PrefixSpread::LongestPrefix, PrefixSpread::LeastWork];
        let found = [u64::MAX / 2, 1562].map(|capacity| kinds.map(|kind| spread_hits(&trace, 8, capacity, BlockOrder::Reverse, kind).0));
        assert_eq!(found.concat(), spread, "{name}");
        // In time, with room for all, a request finds the blocks of every earlier one.
        let fleet = fleet(SchedulerRules { sequences: 256, ..rules() }, 1 << 40);
        let outcome = serve(&fleet, &trace, &mut Linear::new([12.7, 0.0415, 0.0123, 9.65e-5]));
        let found: u64 = outcome.sequences.iter().map(|one| u64::from(one.found_units)).sum();
        assert_eq!(found, bounded[3][0], "{name}");
        // vLLM counts whole blocks of 16 and reads the last token again: 54 063 104 and 39 802 880 tokens less than a block's worth a request.
        assert!(outcome.sequences.iter().all(|one| one.stage == RequestStage::Finished));
    }
}

/// Two runs of vLLM 0.19 on RTX PRO 6000 cards, 300 requests each at 10 a second with 128 seats and 2 048 tokens a pass (published with
/// LLMServingSim 2.0; times from arrival): TTFT and TPOT at 50, 90, 95 and 99 per cent, makespan and output tokens a second. Nothing is fitted
/// to them. The engine's prefix cache found 19 520 prompt tokens of the first run; the second has the same prompts.
#[test]
#[ignore = "needs LLMServingSim's measured requests in the folder SUPERNODE_TRACES: llmservingsim_RTXPRO6000_MODEL_requests.jsonl"]
fn two_measured_runs_are_within_15_per_cent_but_for_one_queue() {
    let runs = [
        (
            "Llama-3.1-8B",
            "llama-3.1-8b-bf16; tp=1",
            [9.4532, 16.8716, 18.408, 19.8251],
            [0.033_424_6, 0.036_484_9, 0.036_863_1, 0.037_344_2],
            [65.9276, 2969.21],
        ),
        (
            "Qwen3-30B-A3B-Instruct-2507",
            "qwen3-30b-a3b-bf16; tp=1; dp=2",
            [0.170_228, 5.206_61, 8.446_37, 9.621_21],
            [0.048_872_9, 0.052_217_3, 0.052_636_2, 0.053_268_8],
            [64.0192, 3116.04],
        ),
    ];
    let folder = std::env::var("SUPERNODE_TRACES").unwrap();
    let mut cases = "id,system,quantity,settings,value,unit,source,confidence\n".to_owned();
    for (model, deployed, ttft, tpot, [makespan, rate]) in runs {
        let trace = Path::new(&folder).join(format!("llmservingsim_RTXPRO6000_{model}_requests.jsonl"));
        let mut add = |figure: &str, value: f64, unit: &str| {
            let settings =
                format!("trace={}; figure={figure}; engine=vllm; workload={deployed}; budget=2048; running=128; found=19520", trace.display());
            cases += &format!("{model}-{figure},rtx-pro-6000-2,serving_trace,{settings},{value},{unit},LLMServingSim,measured\n");
        };
        for (percentile, (ttft, tpot)) in ["p50", "p90", "p95", "p99"].into_iter().zip(ttft.into_iter().zip(tpot)) {
            add(&format!("ttft_{percentile}"), ttft, "s");
            add(&format!("tpot_{percentile}"), tpot, "s");
        }
        add("makespan", makespan, "s");
        add("output_rate", rate, "tok/s");
    }
    let project = Project::new("runs").file("runs.csv", &cases);
    let json: serde_json::Value = serde_json::from_str(&project.run(&["validate", "--cases", "runs.csv", "--format", "json"]).output()).unwrap();
    let cases = json["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 20);
    for case in cases {
        let error = case["error"].as_f64().unwrap_or_else(|| panic!("{case}"));
        println!("{}: {:+.1} %", case["id"], 100.0 * error);
        // docs/serving.md: passes over two attention groups are 7 % too short, and so a third of the queue is missing.
        let queued = ["ttft_p90", "ttft_p95", "ttft_p99"]
            .iter()
            .any(|figure| case["id"].as_str().is_some_and(|id| id.starts_with("Qwen3") && id.ends_with(figure)));
        assert!(error.abs() < if queued { 0.35 } else { 0.15 }, "{case}");
    }
}

/// A cache as the definition has it, block by block in a list from the least recently used to the last: a hit is the longest run of blocks
/// from the first on that is there; then all blocks of the prompt are used in their order, or in reverse.
struct Listed {
    capacity: usize,
    blocks: Vec<u32>,
}

impl Listed {
    fn hits(&self, units: &[u32]) -> u64 {
        units.iter().take_while(|unit| self.blocks.contains(unit)).count() as u64
    }

    fn uses(&mut self, units: &[u32], order: BlockOrder) {
        let mut units = units.to_vec();
        if order == BlockOrder::Reverse {
            units.reverse();
        }
        for unit in units {
            self.blocks.retain(|other| *other != unit);
            self.blocks.push(unit);
            if self.blocks.len() > self.capacity {
                self.blocks.remove(0);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Caches of every size find what the definition finds, alone and spread by rotation.
    #[test]
    fn caches_find_what_the_definition_finds(seed in any::<u64>(), capacity in 1..60_usize, sessions in 1..12_u32, caches in 1..5_usize) {
        let length = |mean| Length { mean, variation: 0.7 };
        let sessions = Sessions { shared: 0.8, count: Some(sessions) };
        let trace = Made { requests: 120, rate: 1.0, arrivals: Arrivals::Poisson, input: length(2000), output: length(10), sessions, seed }.trace();
        for order in [BlockOrder::Forward, BlockOrder::Reverse] {
            let mut listed: Vec<Listed> = (0..caches).map(|_| Listed { capacity, blocks: Vec::new() }).collect();
            let mut hits = 0;
            for (number, request) in trace.requests.iter().enumerate() {
                let (units, cache) = (trace.prefix(request), &mut listed[number % caches]);
                hits += cache.hits(units);
                cache.uses(units, order);
            }
            prop_assert_eq!(spread_hits(&trace, caches, capacity as u64, order, PrefixSpread::RoundRobin).0, hits);
        }
    }
}

#[test]
fn every_wrong_line_of_a_trace_is_shown() {
    let text = "arrival_s,input_tokens,output_tokens\n1,100,10\n0.5,100,10\n2,0,10\n3,100,-1\n4,100\n5,100,10,7,8\nnan,1,1\n6,1.5,1\n";
    let source = Arc::new(Source { name: "mine.csv".into(), text: text.into() });
    insta::assert_snapshot!(parse_trace(&source).unwrap_err().to_string(), @r"
    error: the request comes before the one above it: sort the file by time
     --> mine.csv:3:1
      |
    3 | 0.5,100,10
      | ^^^^^^^^^^ in this line

    error: the prompt has 0 tokens: expected a whole number from 1 to 100000000
     --> mine.csv:4:1
      |
    4 | 2,0,10
      | ^^^^^^ in this line

    error: the answer has -1 tokens: expected a whole number from 1 to 100000000
     --> mine.csv:5:1
      |
    5 | 3,100,-1
      | ^^^^^^^^ in this line

    error: a request has 3 fields, this line has 2
     --> mine.csv:6:1
      |
    6 | 4,100
      | ^^^^^ in this line

    error: a request has 3 fields, this line has 5
     --> mine.csv:7:1
      |
    7 | 5,100,10,7,8
      | ^^^^^^^^^^^^ in this line

    error: `nan` is not a number
     --> mine.csv:8:1
      |
    8 | nan,1,1
      | ^^^^^^^ in this line

    error: the prompt has 1.5 tokens: expected a whole number from 1 to 100000000
     --> mine.csv:9:1
      |
    9 | 6,1.5,1
      | ^^^^^^^ in this line
    ");
}

/// Times beyond any run, fields of a megabyte and rows of 10^5 fields are told in a few lines.
#[test]
fn wide_and_far_rows_are_told_in_short() {
    let told = |row: &str| {
        let text = format!("arrival_s,input_tokens,output_tokens\n0,10,5\n{row}\n");
        parse_trace(&Arc::new(Source { name: "mine.csv".into(), text })).unwrap_err().to_string()
    };
    assert!(told("1e9,10,5").contains("the request comes 1000000000 s after the first one: at most 10000000 s"), "{}", told("1e9,10,5"));
    for row in [format!("1,10,{}", "1".repeat(1_000_000)), format!("1,{}5", "5,".repeat(100_000)), format!("1,{},5", "x".repeat(1_000_000))] {
        let told = told(&row);
        assert!(told.len() < 1500, "{} characters", told.len());
    }
}
