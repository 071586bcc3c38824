//! `supernode flows`: lists of flows on the command line, against times derived by hand and by SimGrid.

use std::path::Path;

use serde_json::Value as Json;

use crate::command::Project;
use crate::machines::{cloudmatrix, fabric};
use supernode::network::{Flow, Hold, Network};
use supernode::units::{Bytes, BytesPerSecond, Seconds};

/// Staggered, dependent and capped flows on the Clos of benches/peers, and when SimGrid 3.32 ends them (`compare_flows.py` makes such lists).
const LIST: &str = "\
src,dst,bytes,start_s,after,cap\n\
10,13,673175,7.8965e-05,,5000000000.0\n\
3,9,380072,0.000116558,,20000000000.0\n\
2,9,8013320,8.3634e-05,0 1,5000000000.0\n\
7,2,481521,0.000125487,,\n\
7,8,4854707,0.000111333,1 2,5000000000.0\n\
9,2,4660349,0.000163225,1 3 4,5000000000.0\n\
2,12,4977584,1.192e-05,2 3 4,\n\
14,4,752185,5.9953e-05,,20000000000.0\n\
9,2,1055943,9.9023e-05,4 7,5000000000.0\n\
13,0,6479221,0.000151428,0 6,5000000000.0\n\
10,0,4042561,0.000139059,1 7 8,60000000000.0\n\
2,3,7506569,0.000146232,4 7 10,\n\
11,12,6509941,0.00018813,0 1 7,20000000000.0\n\
9,12,3434772,0.000147673,1 2,\n\
8,7,5792632,2.7385e-05,4 6 11,60000000000.0\n\
12,0,166728,3.0184e-05,10,20000000000.0\n\
15,13,4550010,0.000117825,4,\n\
11,5,3896141,0.000113268,,5000000000.0\n\
12,3,8325526,7.9796e-05,1 6 12,5000000000.0\n\
6,14,4820061,3.2461e-05,3,5000000000.0\n\
4,13,5216720,2.0293e-05,2,20000000000.0\n\
12,15,4043006,0.000126882,,60000000000.0\n\
3,5,4095382,0.000169787,,\n\
15,4,4396863,1.7177e-05,8 15,20000000000.0\n\
";
const SIMGRID_END_S: [f64; 24] = [
    0.0002136,
    0.0001355616,
    0.0018162640000000002,
    0.00013030221,
    0.0027872054,
    0.0037192752000000003,
    0.00283698124,
    9.756225e-05,
    0.002998394,
    0.00413282544,
    0.003065770016666667,
    0.0031447865324561405,
    0.00053909705,
    0.0018506117200000002,
    0.003241330399122807,
    0.003074106416666667,
    0.0028327055,
    0.0008924962000000001,
    0.00450208644,
    0.00109431441,
    0.0020771,
    0.00019426543333333335,
    0.0002128962842105263,
    0.0032939495666666667,
];

#[test]
fn ends_are_those_of_simgrid() {
    let machine = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/simgrid/flows/clos-16.toml");
    let project = Project::new("flows-simgrid").file("flows.csv", LIST);
    let answer: Json = serde_json::from_str(&project.run(&["flows", machine.to_str().unwrap(), "flows.csv", "--format", "json"]).output()).unwrap();
    let ends: Vec<f64> = answer["flows"].as_array().unwrap().iter().map(|flow| flow["end_s"].as_f64().unwrap()).collect();
    assert_eq!(ends.len(), SIMGRID_END_S.len());
    for (number, (end, peer)) in ends.iter().zip(SIMGRID_END_S).enumerate() {
        assert!((end / peer - 1.0).abs() < 1e-9, "flow {number}: {end:e} against {peer:e}");
    }
}

/// Chip 0 sends 392 MB and 196 MB over ports of 392 GB/s: 196 GB/s each for 1 ms, then 392 GB/s for 0.5 ms. The third flow waits for the first and
/// is capped at 25 GB/s.
#[test]
fn rates_bottlenecks_and_files_of_a_list() {
    let list = "src,dst,bytes,start_s,after,cap\n0,1,392MB,,,\n0,2,196MB,,,\nnode:1/chip:3,0,64MB,1ms,0,25GB/s\n";
    let project = Project::new("flows-list").file("flows.csv", list);
    let run = project.run(&[
        "flows",
        "cloudmatrix384",
        "flows.csv",
        "--format",
        "json",
        "--out",
        "out.csv",
        "--rates-out",
        "rates.jsonl",
        "--trace",
        "trace.json",
    ]);
    let answer: Json = serde_json::from_str(&run.output()).unwrap();
    let rates: Vec<(u64, f64)> =
        answer["rates"].as_array().unwrap().iter().map(|rate| (rate["flow"].as_u64().unwrap(), rate["rate_bytes_per_s"].as_f64().unwrap())).collect();
    assert_eq!(rates, [(0, 196e9), (0, 392e9), (1, 196e9), (2, 25e9)]);
    assert_eq!(answer["flows"][2]["bottleneck"], "its cap");
    assert_eq!((&answer["flows"][2]["src"], &answer["flows"][2]["start_s"]), (&Json::from(11), &answer["flows"][0]["end_s"]));
    assert_eq!(answer["bottlenecks"][0]["flows"], serde_json::json!([0, 1]));
    assert!((answer["bottlenecks"][0]["time_s"].as_f64().unwrap() - 1e-3).abs() < 1e-9);
    assert_eq!(answer["makespan_s"], answer["flows"][2]["end_s"]);
    assert_eq!(project.text("out.csv").lines().next(), Some("flow,src,dst,bytes,start_s,end_s,bottleneck"));
    assert_eq!(project.text("out.csv").lines().count(), 4);
    assert_eq!(project.text("rates.jsonl").lines().count(), 4);
    let trace: Json = serde_json::from_str(&project.text("trace.json")).unwrap();
    let slices = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X").count();
    assert_eq!((slices, &trace["otherData"]["supernode"]), (3, &Json::from("cloudmatrix384")));
}

/// What each flow's rates add up to over time is what it carries; no channel carries more than it can; a flow that a channel holds back is the
/// fastest there.
#[test]
fn rates_over_time_add_up_to_the_bytes() {
    let fabric = fabric(&cloudmatrix(3));
    let network = Network::new(&fabric);
    let flow = |number: u32| {
        let source = number * 7 % 24;
        let cap = number.is_multiple_of(5).then(|| BytesPerSecond::new(40e9));
        let after = if number % 4 == 3 { vec![number - 2, number / 2] } else { Vec::new() };
        let start = Seconds::new(f64::from(number % 6) * 3e-5);
        Flow { source, destination: (source + 1 + number % 23) % 24, bytes: Bytes::new(1e6 * f64::from(1 + number % 9)), start, after, cap }
    };
    let flows: Vec<Flow> = (0..120).map(flow).collect();
    let run = network.run_in_detail(&flows).unwrap();
    assert_eq!(run.spans, network.run(&flows, supernode::network::Accuracy::Exact).unwrap());
    let rates = run.rates.as_deref().unwrap();
    let mut moved = vec![0.0; flows.len()];
    for stretch in rates {
        moved[stretch.flow as usize] += stretch.rate.get() * (stretch.to - stretch.from).get();
    }
    for (moved, flow) in moved.iter().zip(&flows) {
        assert!((moved / flow.bytes.get() - 1.0).abs() < 1e-6, "{moved} of {}", flow.bytes.get());
    }
    assert!(run.channels.iter().all(|used| used.busy <= 1.0 + 1e-9));
    for shared in &run.bottlenecks {
        let is_held = |flow: &u32| rates.iter().any(|stretch| stretch.flow == *flow && stretch.hold == Hold::Channel(shared.channel));
        assert!(shared.flows.len() >= 2 && shared.flows.iter().all(is_held));
    }
}

/// An H100 keeps fewer bytes under way than its 18 links carry in a round trip, so that one flow alone is held back by that, or by its own cap if that
/// is lower; never by a cap that nobody gave.
#[test]
fn a_cap_is_told_from_the_window_of_a_chip() {
    let project = Project::new("flows-window").file("flows.csv", "src,dst,bytes,cap\n0,1,1MB,\n2,3,1MB,25GB/s\n4,5,1MB,1TB/s\n");
    let answer: Json = serde_json::from_str(&project.run(&["flows", "hgx-h100", "flows.csv", "--format", "json"]).output()).unwrap();
    let held: Vec<&Json> = answer["flows"].as_array().unwrap().iter().map(|flow| &flow["bottleneck"]).collect();
    assert_eq!(held, ["its chip's window", "its cap", "its chip's window"]);
    assert_eq!(answer["flows"][0]["end_s"], answer["flows"][2]["end_s"]);
}

#[test]
fn slips_in_a_list_are_underlined() {
    let project = Project::new("flows-slips")
        .file("flows.csv", "src,dst,bytes,after\n0,1,1MB,\n0,8,1MB,1\n")
        .file("loop.csv", "src,dst,bytes,after\n0,1,1,1\n1,0,1,0\n");
    project
        .run(&["flows", "hgx-h100", "flows.csv"])
        .fails("error: chip 8 is not in the machine, which has chips 0 to 7\n --> flows.csv:3:3\n  |\n3 | 0,8,1MB,1\n  |   ^ in this flow\n");
    assert!(project.run(&["flows", "hgx-h100", "loop.csv"]).error().contains("waits for itself"));
    let tiny = project.file("tiny.csv", "src,dst,bytes,cap\n0,1,1MB,1e-300\n");
    tiny.run(&["flows", "hgx-h100", "tiny.csv"]).fails(
        "error: `1e-300` is not a number of bytes/s, or a rate such as 25GB/s\n --> tiny.csv:2:9\n  |\n2 | 0,1,1MB,1e-300\n  |         ^^^^^^ in this flow\n",
    );
    let project = tiny;
    assert!(project.run(&["flows", "hgx-h100", "none.csv"]).error().contains("cannot read `none.csv`"));
    assert!(project.run(&["flows", "hgx-h100", "flows.csv", "--out", "x.txt"]).error().contains("should end in .csv, .jsonl or .parquet"));
}
