//! Options of `serve`, `capacity` and `simulate --objective goodput`, through the program.

use serde_json::Value;

use crate::command::Project;

/// Runs the program with `--format json` and the words of `line`.
fn json(project: &Project, line: &str) -> Value {
    let words: Vec<&str> = line.split_whitespace().chain(["--format", "json"]).collect();
    serde_json::from_str(&project.run(&words).output()).unwrap()
}

fn number(json: &Value, path: &str) -> f64 {
    json.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} is no number in {json}"))
}

const SMALL: &str = "hgx-h100 --workload llama-3.1-8b-bf16 --engine vllm --mapping tp=1 --instances 1";

/// Every request has the lengths of the shape, and nothing of its prompt is there before it.
#[test]
fn a_shape_sets_every_length() {
    let project = Project::new("shape");
    let served = json(&project, &format!("serve {SMALL} --shape 2000/30 --rate 5 --requests 40 --requests-out r.csv"));
    assert_eq!(served.pointer("/requests/finished"), Some(&Value::from(40)));
    let rows = project.text("r.csv");
    let place = |name: &str| rows.lines().next().unwrap().split(',').position(|column| column == name).unwrap();
    let (input, output, hit) = (place("input_tokens"), place("output_tokens"), place("hit_tokens"));
    for row in rows.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!((cells[input], cells[output], cells[hit]), ("2000", "30", "0"), "{row}");
    }
    let error = project.run(&["serve", "hgx-h100", "--shape", "1k"]).error();
    assert!(error.contains("`1k` is not a shape: 1k1k, 8k1k, 1k8k, or tokens of prompt and answer such as 2000/300"), "{error}");
}

/// 24 requests of 100 + 60 tokens take ten blocks each at their end. With 240 blocks all fit side by side; with 60 some give theirs up, and
/// fewer than 7 can run to their end together; with 9 none can ever be served; more than memory has is refused.
#[test]
fn cache_blocks_bound_what_runs_together() {
    let project = Project::new("cache-blocks").file("t.csv", &format!("arrival_s,input_tokens,output_tokens\n{}", "0,100,60\n".repeat(24)));
    let with = |blocks: &str| json(&project, &format!("serve {SMALL} --trace t.csv --cache-blocks {blocks}"));
    let (roomy, tight, none) = (with("240"), with("60"), with("9"));
    assert_eq!(number(&roomy, "/preemptions"), 0.0);
    assert!(number(&tight, "/preemptions") > 0.0);
    assert!(number(&tight, "/makespan_s") > number(&roomy, "/makespan_s"));
    for (run, finished, rejected) in [(&roomy, 24, 0), (&tight, 24, 0), (&none, 0, 24)] {
        assert_eq!(run["requests"], serde_json::json!({ "arrived": 24, "finished": finished, "unfinished": 24 - finished, "rejected": rejected }));
    }
    let error = project.run(&format!("serve {SMALL} --trace t.csv --cache-blocks 100000000").split(' ').collect::<Vec<_>>()).error();
    assert!(error.contains("memory leaves room for") && error.contains("blocks of 16 tokens"), "{error}");
}

/// Two sessions of 64 blocks take turns in a cache of 80 blocks: each evicts the other, so the chips find little. The hosts' memory keeps what they
/// evict: every prompt after the first of its session is found but for its last block.
#[test]
fn tiers_keep_what_the_chips_evict() {
    let turn = |at: u32| format!("{at},1024,8,{}\n", ["a", "b"][at as usize % 2]);
    let trace: String = (0..20).map(turn).collect();
    let project = Project::new("tiers").file("t.csv", &format!("arrival_s,input_tokens,output_tokens,session\n{trace}"));
    let with = |tiers: &str| json(&project, &format!("serve {SMALL} --trace t.csv --cache-blocks 80 {tiers}"));
    let (alone, hosts) = (with(""), with("--tiers host-dram"));
    assert_eq!(number(&alone, "/loaded_bytes/0"), 0.0);
    assert!(number(&hosts, "/loaded_bytes/0") > 0.0 && number(&hosts, "/loaded_bytes/1") == 0.0);
    // 18 prompts of 20, each without its last block of 16 tokens.
    let most = 18.0 * (1024.0 - 16.0) / (20.0 * 1024.0);
    let (few, many) = (number(&alone, "/found_tokens"), number(&hosts, "/found_tokens"));
    assert!(few < 0.5 * most && (many - most).abs() < 1e-9, "{few} {many} {most}");
    assert!(number(&hosts, "/ttft_s/mean") < number(&alone, "/ttft_s/mean"));
}

/// The mapping with the best goodput serves at least what the one with most tokens does, and the figure is what that mapping's own run says.
#[test]
fn goodput_chooses_the_mapping_that_serves_most_within_the_limits() {
    let project = Project::new("goodput");
    let best = json(&project, "simulate hgx-h100 --workload llama-3.1-8b-bf16 --objective goodput");
    let goodput = number(&best, "/goodput_requests_per_s");
    assert!(goodput > 0.0);
    let most_tokens = json(&project, "simulate hgx-h100 --workload llama-3.1-8b-bf16");
    let mapping = |run: &Value| {
        let mapping = &run["aggregated"]["mapping"];
        let degrees = ["tp", "ep", "dp", "pp"].map(|key| format!("{key}={}", mapping[key]));
        format!("{},micro_batches=1", degrees.join(","))
    };
    let plain = json(&project, &format!("simulate hgx-h100 --workload llama-3.1-8b-bf16 --objective goodput --mapping {}", mapping(&most_tokens)));
    assert!(goodput >= 0.99 * number(&plain, "/goodput_requests_per_s"), "{goodput} {plain}");
    assert!(most_tokens["goodput_requests_per_s"].is_null(), "nobody asked for it");
}

/// Replications are the runs of their seeds one by one, and threads change nothing.
#[test]
fn replications_are_runs_with_other_seeds() {
    let project = Project::new("replications");
    let run = |more: &str| json(&project, &format!("serve {SMALL} --shape 500/50 --rate 20 --requests 100 {more}"));
    let singles = [1, 2, 3].map(|seed| run(&format!("--seed {seed}")));
    let together = run("--replications 3");
    assert_eq!(together, run("--replications 3 --threads 1"));
    assert_eq!(number(&together, "/replications/count"), 3.0);
    for path in ["/ttft_s/p99", "/tpot_s/mean", "/output_tokens_per_s", "/goodput_requests_per_s"] {
        let values = singles.each_ref().map(|single| number(single, path));
        let mean = values.iter().sum::<f64>() / 3.0;
        let error = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 6.0).sqrt();
        assert!((number(&together, &format!("/replications{path}/mean")) - mean).abs() < 1e-9 * mean, "{path}");
        assert!((number(&together, &format!("/replications{path}/standard_error")) - error).abs() < 1e-9 * mean, "{path}");
        assert_eq!(number(&together, path), values[0], "the first run is shown whole");
    }
    assert!(singles[0]["replications"].is_null());
    let capacity = json(&project, &format!("capacity {SMALL} --shape 500/50 --requests 100 --arrivals poisson --replications 2"));
    let seeds = [1, 2].map(|seed| {
        number(&json(&project, &format!("capacity {SMALL} --shape 500/50 --requests 100 --arrivals poisson --seed {seed}")), "/requests_per_s")
    });
    assert!((number(&capacity, "/by_arrivals/0/replicated_requests_per_s/mean") - f64::midpoint(seeds[0], seeds[1])).abs() < 1e-9);
    assert_eq!(number(&capacity, "/requests_per_s"), seeds[0]);
}

/// A short run says nothing of a steady state: it is doubled until it does, so the answer hardly depends on how many requests were asked for.
#[test]
fn capacity_does_not_depend_on_the_length_of_a_run() {
    let project = Project::new("capacity-length");
    let rate = |requests: &str| {
        let line = format!("capacity {SMALL} --shape 1000/200 --sequences 64 --arrivals constant --requests {requests}");
        number(&json(&project, &line), "/requests_per_s")
    };
    let (short, long) = (rate("20"), rate("2000"));
    assert!((short / long - 1.0).abs() < 0.1, "{short} {long}");
}

/// Where seats do not run out, nobody waits: overload shows in the number that run.
#[test]
fn overload_shows_in_what_runs_as_well() {
    let project = Project::new("overload");
    let run = |rate: &str, requests: &str| json(&project, &format!("serve {SMALL} --shape 1000/1000 --rate {rate} --requests {requests}"));
    let (slow, fast, short) = (run("2", "300"), run("60", "3000"), run("60", "200"));
    assert_eq!((slow["overloaded"].as_bool(), slow["too_short"].as_bool()), (Some(false), Some(false)));
    assert_eq!(fast["overloaded"].as_bool(), Some(true));
    assert_eq!((short["overloaded"].as_bool(), short["too_short"].as_bool()), (Some(false), Some(true)));
}

/// What would be ignored is refused.
#[test]
fn options_that_contradict_each_other_are_refused() {
    let project = Project::new("contradictions");
    let refused = |line: &str, expected: &str| {
        let error = project.run(&line.split_whitespace().collect::<Vec<_>>()).error();
        assert!(error.contains(expected), "{line}: {error}");
    };
    refused(&format!("capacity {SMALL} --shape 1k1k --concurrency 5"), "a closed loop has no rate of arrivals");
    refused(&format!("serve {SMALL} --shape 1k1k --concurrency 5 --rate 2"), "cannot be used with");
    refused(&format!("serve {SMALL} --shape 1k1k --rate 2 --prefill-instances 1"), "add --mode apart");
    let many = "serve hgx-h100 --workload llama-3.1-8b-bf16 --mapping tp=4,ep=1,dp=1,pp=1 --shape 1k1k --rate 2 --instances 3";
    refused(many, "the machine has room for 2 such instances, 3 are asked for");
}

/// Both kinds of instances fit side by side where any do; where none do, chips are what is missing.
#[test]
fn instances_apart_fit_side_by_side() {
    let project = Project::new("apart");
    let served = json(&project, "serve gb200-nvl72 --workload chat --mode apart --rate 2 --requests 30");
    assert_eq!(served.pointer("/requests/finished"), Some(&Value::from(30)));
    let wide =
        "serve hgx-h200 --workload chat --mode apart --mapping tp=8,ep=8,dp=1,pp=1 --prefill-mapping tp=1,ep=1,dp=1,pp=8 --rate 2 --requests 30";
    let error = project.run(&wide.split_whitespace().collect::<Vec<_>>()).error();
    assert!(error.contains("too few chips: beside an instance that reads prompts"), "{error}");
}

/// A pass that ends a prompt takes the kernels for few tokens: a start for each of 384 peers would cost it most of a second.
#[test]
fn the_end_of_a_prompt_does_not_start_once_for_every_peer() {
    let project = Project::new("short-prompts");
    let line = "serve cloudmatrix384 --mapping tp=2,ep=384,dp=192 --shape 10/20 --rate 5 --requests 50";
    let served = json(&project, line);
    assert!(number(&served, "/ttft_s/p50") < 0.1, "{}", served["ttft_s"]);
}

/// A measured run whose settings make no sense is not predicted, and the reason stands beside it.
#[test]
fn a_measured_run_must_fit_the_machine() {
    let case = |id: &str, settings: &str| {
        format!("{id},hgx-h100,serving_trace,trace=t.csv; figure=ttft_p50; engine=vllm; workload=llama-3.1-8b-bf16; {settings},50,ms,own,measured\n")
    };
    let cases = [("A", "router=foo"), ("B", "tp=4; instances=3"), ("C", "found=99999"), ("D", "tp=4; instances=2; router=least-loaded")];
    let text: String = cases.iter().map(|(id, settings)| case(id, settings)).collect();
    let project = Project::new("measured-runs")
        .file("t.csv", "arrival_s,input_tokens,output_tokens\n0,300,20\n1,300,20\n")
        .file("cases.csv", &format!("id,system,quantity,settings,value,unit,source,confidence\n{text}"));
    let shown = project.run(&["validate", "--cases", "cases.csv", "--full"]).output();
    for expected in
        ["`router=foo` is not a router: round-robin, ", "tp x dp x instances is 12 ranks, the machine has 8", "more than the 600 prompt tokens"]
    {
        assert!(shown.contains(expected), "{expected} is not in {shown}");
    }
}
