//! Packets on shipped machines, against the flow level and against what the commands promise.

use crate::command::Project;
use serde_json::Value;
use supernode::fabric::{RoutingPolicy, build};
use supernode::input::spec::load_supernode;
use supernode::network::{Accuracy, Flow, Group, Network, PacketLevel, PacketOptions, TrafficPattern, fan_in, fan_in_efficiency};
use supernode::units::{Bytes, Seconds};

fn json(project: &Project, arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&project.run(&all).output()).unwrap()
}

/// One flow of whole packets, as many on every port, with packets over the time at fair rates, and the time of a packet.
fn single_flow(name: &str, destination: u32) -> (Seconds, Seconds, Seconds) {
    let spec = load_supernode(name).unwrap();
    let fabric = build(&spec).unwrap();
    let network = Network::new(&fabric);
    let level = PacketLevel::new(&network, &[0, destination], &PacketOptions::default()).unwrap();
    // A multiple of every number of ports up to 10, of 14 and of 18.
    let bytes = level.payload() * 2520.0;
    let flow = Flow { source: 0, destination, bytes, start: Seconds::ZERO, after: Vec::new(), cap: None };
    let fair = network.run(std::slice::from_ref(&flow), Accuracy::Exact).unwrap()[0].end;
    (level.run(&[flow]).unwrap()[0].end, fair, level.packet_time())
}

/// Where all links of the path are equally fast, to the rounding of latencies to picoseconds.
#[test]
fn a_single_flow_takes_what_the_flow_level_says() {
    for (name, destination) in [("cloudmatrix384", 7), ("gb200-nvl72", 71), ("mi300x-8", 7), ("ref-tomahawk-ultra-64", 63)] {
        let (packets, fair, _) = single_flow(name, destination);
        assert!((packets / fair - 1.0).abs() < 1e-6, "{name}: {packets:?} for {fair:?}");
    }
}

/// A window that is just as large as a round trip lets the first bytes go at full rate, where the flow level holds the whole flow back.
#[test]
fn a_window_of_one_round_trip_costs_less_than_half_a_per_cent() {
    let (packets, fair, _) = single_flow("hgx-h100", 7);
    assert!((packets / fair - 1.0).abs() < 0.005, "{packets:?} for {fair:?}");
}

/// Between racks packets go over many slower links side by side: the last one takes longer than its share of the flow would.
#[test]
fn a_single_flow_over_slower_parallel_links_ends_a_packet_later() {
    let (packets, fair, packet) = single_flow("cloudmatrix384", 383);
    let excess = (packets - fair) / packet;
    assert!((0.0..=2.0).contains(&excess), "{excess} packets");
}

/// Bulk all-to-all in rotated order: each chip sends to its next rank first, so that no receiver has two senders at once.
#[test]
fn rotated_bulk_all_to_all_takes_what_the_flow_level_says() {
    for (name, ranks) in [("hgx-h100", 8), ("mi300x-8", 8), ("cloudmatrix384", 32)] {
        let spec = load_supernode(name).unwrap();
        let fabric = build(&spec).unwrap();
        let network = Network::new(&fabric);
        let group = Group::first(ranks);
        let level = PacketLevel::new(&network, group.chips(), &PacketOptions::default()).unwrap();
        let bytes = level.payload() * 90.0;
        let profile = network.all_to_all(ranks);
        let fair = profile.serialisation(&fabric, bytes, bytes).0 + profile.latency;
        let packets = level.play(&group, TrafficPattern::AllPairs, bytes).unwrap().time;
        assert!((packets / fair - 1.0).abs() < 0.02, "{name}: {packets:?} for {fair:?}");
    }
}

/// Time that every further packet of a pair adds to a rotated all-to-all in steady state, over what it adds at fair rates: from runs of
/// `packets` and of twice as many. A multiple of a chip's ports loads all of them alike.
fn steady_ratio(name: &str, packets: u32) -> f64 {
    let fabric = build(&load_supernode(name).unwrap()).unwrap();
    let network = Network::new(&fabric);
    let group = Group::first(fabric.chips);
    let level = PacketLevel::new(&network, group.chips(), &PacketOptions::default()).unwrap();
    let time = |packets: u32| level.play(&group, TrafficPattern::AllPairs, level.payload() * f64::from(packets)).unwrap().time;
    let bulk = Bytes::new(1e9);
    let fair = network.all_to_all(fabric.chips).serialisation(&fabric, level.payload(), bulk).0;
    (time(2 * packets) - time(packets)) / f64::from(packets) / fair
}

/// One switch, planes of switches, and domains behind NICs, where partners are rotated level by level.
#[test]
fn bulk_all_to_all_takes_what_the_flow_level_says() {
    for (name, packets) in [("gb200-nvl72", 18), ("gb300-64-ib-128", 1), ("helios-72", 18), ("ref-tomahawk-ultra-64", 8)] {
        let ratio = steady_ratio(name, packets);
        assert!((ratio - 1.0).abs() < 0.01, "{name}: {ratio:.4}");
    }
}

/// Chips that pass packets on spread their own as the flow level does: with room for what waits for busy ways a mesh takes the flow level's time,
/// with the assumed buffers more. Before, their own packets took whichever port was free, and 1 MiB gave 0.96.
#[test]
fn a_mesh_with_deep_buffers_takes_what_the_flow_level_says() {
    let project = Project::new("packets-mesh");
    let ratio = |name: &str, more: &[&str]| {
        let fixed = ["collective", name, "--op", "all_to_all", "--algorithm", "direct", "--size", "1GiB", "--fidelity", "packet"];
        let all: Vec<&str> = fixed.iter().chain(more).copied().collect();
        json(&project, &all)["results"][0]["packets"]["ratio"].as_f64().unwrap()
    };
    for (name, more) in [("metax-c550-64", &["--port-buffer", "1MiB"][..]), ("metax-c550-64", &["--port-buffer", "4MiB"]), ("trn2-ultraserver", &[])]
    {
        let found = ratio(name, more);
        assert!((found - 1.0).abs() < 0.01, "{name} {more:?}: {found:.4}");
    }
    assert!(ratio("metax-c550-64", &[]) > 1.02, "shallow buffers hold packets up");
}

/// Two runs of short messages give the time of a long one.
#[test]
fn long_messages_are_extrapolated_within_one_per_cent() {
    let spec = load_supernode("hgx-h100").unwrap();
    let fabric = build(&spec).unwrap();
    let network = Network::new(&fabric);
    let group = Group::first(8);
    let level = PacketLevel::new(&network, group.chips(), &PacketOptions::default()).unwrap();
    let time = |packets: f64| level.play(&group, TrafficPattern::AllPairs, level.payload() * packets).unwrap().time;
    let (short, long, full) = (time(48.0), time(96.0), time(4000.0));
    let extrapolated = long + (long - short) * ((4000.0 - 96.0) / 48.0);
    assert!((extrapolated / full - 1.0).abs() < 0.01, "{extrapolated:?} for {full:?}");
}

#[test]
fn collective_with_packets_shows_both_levels() {
    let project = Project::new("packets-collective");
    let arguments = ["collective", "hgx-h100", "--op", "all_to_all", "--size", "64KiB,1MiB", "--fidelity", "packet"];
    let found = json(&project, &arguments);
    assert_eq!(found["fidelity"], "packet");
    for result in found["results"].as_array().unwrap() {
        let number = |key: &str| result[key].as_f64().unwrap();
        assert!(number("time_s") > 0.0 && number("flow_time_s") > 0.0);
        let packets = &result["packets"];
        let added = packets["packet_wire_s"].as_f64().unwrap() - packets["flow_wire_s"].as_f64().unwrap();
        assert!((number("time_s") - number("flow_time_s") - added).abs() < 1e-12);
    }
    // Without packets nothing about them is printed.
    let found = json(&project, &arguments[..6]);
    assert!(found["results"][0].get("flow_time_s").is_none());
}

/// All senders to one receiver after the other, against each beginning with its neighbour.
#[test]
fn the_same_order_for_all_senders_takes_longer() {
    let project = Project::new("packets-order");
    let time = |more: &[&str]| {
        let fixed = ["collective", "hgx-h100", "--op", "all_to_all", "--size", "1MiB", "--fidelity", "packet", "--turn", "one-by-one"];
        let all: Vec<&str> = fixed.iter().chain(more).copied().collect();
        json(&project, &all)["results"][0]["packets"]["packet_wire_s"].as_f64().unwrap()
    };
    assert!(time(&["--order", "same"]) > 1.5 * time(&["--order", "rotated"]));
}

#[test]
fn load_prints_the_contract_keys_and_the_same_for_any_number_of_threads() {
    let project = Project::new("packets-load");
    let with = |threads: &str| {
        let arguments = ["load", "hgx-h100", "--steps", "2", "--from", "0.2", "--to", "0.9", "--packet", "4KiB", "--threads", threads];
        json(&project, &arguments)
    };
    let found = with("1");
    assert_eq!(found, with("2"));
    assert_eq!(found["pattern"], "uniform");
    assert!(found.get("saturation").is_some());
    let points = found["points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    let latency = |point: &Value, key: &str| point["latency_s"][key].as_f64().unwrap();
    for point in points {
        let (offered, accepted) = (point["offered"].as_f64().unwrap(), point["accepted"].as_f64().unwrap());
        assert!((accepted / offered - 1.0).abs() < 0.03, "{accepted} of {offered}");
        let order = ["p50", "p90", "p95", "p99", "p999"].map(|key| latency(point, key));
        assert!(order.is_sorted() && order[0] > 0.0);
    }
    assert!(latency(&points[1], "mean") > latency(&points[0], "mean"));
}

/// Short packets on many chips: what arrives has settled before it is counted, so that a load far below saturation arrives whole.
#[test]
fn a_load_of_short_packets_arrives_whole() {
    let project = Project::new("packets-short");
    let found = json(&project, &["load", "gb200-nvl72", "--pattern", "permutation", "--steps", "2", "--from", "0.4", "--to", "0.7"]);
    for point in found["points"].as_array().unwrap() {
        let (offered, accepted) = (point["offered"].as_f64().unwrap(), point["accepted"].as_f64().unwrap());
        assert!((accepted / offered - 1.0).abs() < 0.02, "{accepted} of {offered}");
    }
    assert!(found["saturation"].is_null());
}

/// Runs side by side: extrapolated exchanges and the draws of a fan-in.
#[test]
fn threads_do_not_change_what_packets_do() {
    let fabric = build(&load_supernode("mi300x-8").unwrap()).unwrap();
    let network = Network::new(&fabric);
    let group = Group::first(8);
    let answer = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let level = PacketLevel::new(&network, group.chips(), &PacketOptions::default()).unwrap();
            let long = level.play(&group, TrafficPattern::AllPairs, Bytes::new(1e9)).unwrap();
            assert!(long.extrapolated_from.is_some());
            (long, fan_in(&network, &PacketOptions::default()).unwrap())
        })
    };
    let alone = answer(1);
    assert_eq!(alone, answer(2));
    assert_eq!(alone, answer(8));
}

#[test]
fn an_incast_fills_the_receiver_and_no_more() {
    let project = Project::new("packets-incast");
    let arguments = ["load", "hgx-h100", "--pattern", "incast", "--steps", "1", "--from", "0.5", "--to", "0.5", "--packet", "4KiB"];
    let found = json(&project, &arguments);
    let accepted = found["points"][0]["accepted"].as_f64().unwrap();
    assert!((accepted / 0.5 - 1.0).abs() < 0.02, "{accepted}");
}

#[test]
fn routings_that_packets_do_not_follow_are_refused() {
    let spec = load_supernode("hgx-h100").unwrap();
    let fabric = build(&spec).unwrap();
    let network = Network::with_routing(&fabric, RoutingPolicy::Valiant);
    let error = PacketLevel::new(&network, &[0], &PacketOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "routing `valiant` is not simulated with packets; use spray, ecmp:SEED, dimension-order or adaptive");
}

#[test]
fn buffers_that_are_not_stated_are_assumed_aloud() {
    let spec = load_supernode("hgx-h100").unwrap();
    let fabric = build(&spec).unwrap();
    let network = Network::new(&fabric);
    let notes = |options: PacketOptions| PacketLevel::new(&network, &[0], &options).unwrap().notes().to_vec();
    let assumed = notes(PacketOptions::default());
    assert!(assumed.iter().any(|note| note.contains("no packet buffer stated; assumed")), "{assumed:?}");
    assert!(notes(PacketOptions { port_buffer: Some(Bytes::new(65536.0)), ..PacketOptions::default() }).is_empty());
}

/// The step with packets differs from the one at flow level by what its transfers add, and not without the flag.
#[test]
fn a_decode_step_is_replayed_with_packets() {
    let project = Project::new("packets-simulate");
    let arguments = ["simulate", "hgx-h100", "--workload", "llama-3.1-70b-fp8", "--fidelity", "packet"];
    let found = json(&project, &arguments);
    let replay = &found["packets"];
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap();
    assert_eq!(number(replay, "flow_tpot_s"), number(&found["decode"], "tpot_s"));
    let transfers = replay["transfers"].as_array().unwrap();
    assert!(!transfers.is_empty());
    for transfer in transfers {
        let added = if transfer["left_out"].is_null() {
            number(&transfer["packets"], "packet_wire_s") - number(&transfer["packets"], "flow_wire_s")
        } else {
            0.0
        };
        assert!((number(transfer, "time_s") - number(transfer, "flow_time_s") - added).abs() < 1e-12);
    }
    assert!((0.9..1.2).contains(&number(replay, "ratio")));
    assert!(json(&project, &arguments[..4]).get("packets").is_none());
}

/// Shallow input queues fill links less well the more chips send to each; an all-to-all at flow level takes as much longer where the
/// switch's file says so.
#[test]
fn fan_in_is_measured_with_packets_and_used_at_flow_level() {
    let project = Project::new("packets-fan-in");
    let found = json(&project, &["fan-in", "hgx-h100", "--queueing", "input-fifo", "--port-buffer", "64KiB"]);
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap();
    let (limit, rest) = (number(&found, "limit"), number(&found, "rest"));
    let points = found["points"].as_array().unwrap();
    assert_eq!(points.len(), 3);
    for point in points {
        assert!((number(point, "fitted") / number(point, "efficiency") - 1.0).abs() <= number(&found, "error") + 1e-12);
    }
    assert!(number(&points[2], "efficiency") < 0.9, "{found}");

    let switch = format!("schema = 1\nextends = \"nvswitch3\"\n[switch]\nfan_in = {{ limit = {limit}, rest = {rest} }}\n");
    let node =
        "schema = 1\nextends = \"hgx-h100\"\n[supernode]\nname = \"held up\"\n[[level]]\nname = \"node\"\n[level.switch]\npart = \"./switch.toml\"\n";
    let project = project.file("switch.toml", &switch).file("node.toml", node);
    let busiest = |name: &str| {
        let fabric = build(&load_supernode(name).unwrap()).unwrap();
        let profile = Network::new(&fabric).all_to_all(8);
        profile.peaks[0].bytes_per_link
    };
    let held_up = busiest(&project.path().join("node.toml").display().to_string());
    assert!((busiest("hgx-h100") / held_up / fan_in_efficiency(limit, rest, 7.0) - 1.0).abs() < 1e-12);
}

/// Flows one by one beside the flow level, queues as counters of the trace and as a picture; what packets do not follow is refused.
#[test]
fn flows_with_packets_show_both_levels() {
    let list = "src,dst,bytes,start_s,after\n0,1,1MiB,,\n2,1,1MiB,,\n3,4,1MiB,1us,0\n";
    let project = Project::new("packets-flows").file("flows.csv", list).file("capped.csv", "src,dst,bytes,cap\n0,1,1MiB,10GB/s\n");
    let arguments = ["flows", "hgx-h100", "flows.csv", "--fidelity", "packet", "--packet", "4KiB", "--trace", "trace.json", "--plot", "queues.svg"];
    let found = json(&project, &arguments);
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap();
    let packets = &found["packets"];
    assert_eq!(number(packets, "flow_makespan_s"), number(&found, "makespan_s"));
    for (flow, fair) in packets["flows"].as_array().unwrap().iter().zip(found["flows"].as_array().unwrap()) {
        assert_eq!(flow["flow_end_s"], fair["end_s"]);
        assert!((0.98..1.05).contains(&number(flow, "ratio")), "{flow}");
    }
    // Two senders to one receiver wait at the switch.
    let queues = packets["queues"].as_array().unwrap();
    assert!(queues.iter().any(|queue| queue["channels"].as_str().unwrap().ends_with("from switches, inward") && number(queue, "peak_bytes") > 0.0));
    let trace: Value = serde_json::from_str(&project.text("trace.json")).unwrap();
    let waits = |event: &&Value| event["ph"] == "C" && event["name"].as_str().unwrap().ends_with("from switches, inward, bytes that wait");
    let counters: Vec<&Value> = trace["traceEvents"].as_array().unwrap().iter().filter(waits).collect();
    assert!(counters.len() > 10 && counters.iter().any(|event| number(&event["args"], "value") > 0.0));
    assert!(project.text("queues.svg").contains("nvlink4-board of level `node`, from switches, inward"));
    let refused = project.run(&["flows", "hgx-h100", "capped.csv", "--fidelity", "packet"]);
    assert!(refused.error().contains("flow 0 has a cap on its rate, which packets do not follow"), "{}", refused.error());
    assert!(json(&project, &arguments[..3]).get("packets").is_none());
}

#[test]
fn queues_under_load_are_drawn_and_traced() {
    let project = Project::new("packets-queues");
    let arguments = ["load", "hgx-h100", "--pattern", "incast", "--steps", "2", "--from", "0.5", "--to", "0.9", "--packet", "4KiB"];
    let all: Vec<&str> = arguments.iter().copied().chain(["--plot", "queues.svg", "--trace", "trace.json"]).collect();
    let found = json(&project, &all);
    assert_eq!(found["points"], json(&project, &arguments)["points"]);
    let trace: Value = serde_json::from_str(&project.text("trace.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert!(events.iter().any(|event| event["ph"] == "M" && event["args"]["name"] == "queues at load 0.900"));
    assert!(events.iter().filter(|event| event["ph"] == "C" && event["pid"] == 1).count() > 100);
    assert!(project.text("queues.svg").contains("from switches, inward"));
}

/// Switches that add up and copy, with packets: the rate of the flow level, whose ranks all send and receive the buffer once.
#[test]
fn an_all_reduce_in_switches_takes_what_the_flow_level_says() {
    let project = Project::new("packets-reduce");
    let with = |machine: &str, library: &str, op: &str| {
        let arguments =
            ["collective", machine, "--op", op, "--algorithm", "in_network", "--library", library, "--size", "4MiB", "--fidelity", "packet"];
        json(&project, &arguments)["results"][0]["packets"]["ratio"].as_f64().unwrap()
    };
    for op in ["all_reduce", "reduce_scatter", "all_gather"] {
        let ratio = with("hgx-h100", "generic", op);
        assert!((ratio - 1.0).abs() < 0.02, "{op}: {ratio}");
    }
}

/// Damage on one link holds up what crosses it, and nothing is lost; rates that protocols state cost next to nothing.
#[test]
fn a_faulty_link_holds_up_its_packets() {
    let project = Project::new("packets-faulty");
    let p99 = |more: &[&str]| {
        let fixed = ["load", "hgx-h100", "--steps", "1", "--from", "0.3", "--to", "0.3", "--packet", "4KiB"];
        let all: Vec<&str> = fixed.iter().chain(more).copied().collect();
        let found = json(&project, &all);
        (found["points"][0]["latency_s"]["p999"].as_f64().unwrap(), found["points"][0]["accepted"].as_f64().unwrap())
    };
    let (healthy, stated, faulty) = (p99(&[]), p99(&["--bit-error-rate", "stated"]), p99(&["--faulty-link", "1e-5"]));
    assert!((stated.0 / healthy.0 - 1.0).abs() < 0.01, "{stated:?} for {healthy:?}");
    assert!(faulty.0 > 1.1 * healthy.0, "{faulty:?} for {healthy:?}");
    assert!((faulty.1 / healthy.1 - 1.0).abs() < 0.01, "{faulty:?} for {healthy:?}");
    let refused = project.run(&["load", "hgx-h100", "--bit-error-rate", "often"]);
    assert!(refused.error().contains("often is not at least 0 and below 1, nor `stated`"), "{}", refused.error());
}

/// Columns of a study that are found with packets: one design, all of them times; a step with packets stands beside the same at flow level.
#[test]
fn a_study_has_columns_found_with_packets() {
    let study = "schema = 1\n[study]\nname = \"Under load\"\nsupernodes = [\"hgx-h100\"]\nworkloads = [\"llama-3.1-70b-fp8\"]\n\
        packets = { load = 0.7, packet = \"4 KiB\", faulty_link = 1e-6, tokens = 4, experts = 2, token = \"7 KiB\", incast = \"64 KiB\", all_reduce = \"256 KiB\" }\n";
    let project = Project::new("packets-study").file("study.toml", study);
    project.run(&["sweep", "study.toml", "--out", "rows.jsonl"]).output();
    let rows = project.text("rows.jsonl");
    let row: Value = serde_json::from_str(rows.lines().last().unwrap()).unwrap();
    let time = |key: &str| row[format!("packet_{key}_s")].as_f64().unwrap_or_else(|| panic!("{key}: {row}"));
    for what in ["loaded", "dispatch", "combine"] {
        assert!(0.0 < time(&format!("{what}_p50")) && time(&format!("{what}_p50")) <= time(&format!("{what}_p99")), "{what}");
    }
    assert!(time("faulty_link_p99") > time("loaded_p99"));
    assert!(time("combine_p99") > time("dispatch_p99"));
    // Seven times 64 KiB at 450 GB/s and the path.
    assert!((1.4e-6..1.6e-6).contains(&time("incast")), "{}", time("incast"));
    assert!(time("all_reduce") > 0.0);
    assert!((0.9..1.2).contains(&(time("decode_tpot") / time("decode_flow_tpot"))));
}
