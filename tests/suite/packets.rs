//! Packets on shipped machines, against the flow level and against what the commands promise.

use crate::command::Project;
use serde_json::Value;
use supernode::fabric::{Policy, build};
use supernode::input::spec::load_supernode;
use supernode::network::{Accuracy, Flow, Group, Network, PacketLevel, PacketOptions, Pattern};
use supernode::units::{Bytes, Seconds};

fn json(project: &Project, arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&project.run(&all).output()).unwrap()
}

/// One flow of whole packets, as many on every port, takes what the flow level says, to the rounding of latencies to picoseconds.
#[test]
fn a_single_flow_takes_what_the_flow_level_says() {
    for name in ["cloudmatrix384", "gb200-nvl72", "hgx-h100", "mi300x-8", "ref-tomahawk-ultra-64"] {
        let spec = load_supernode(name).unwrap();
        let fabric = build(&spec).unwrap();
        let network = Network::new(&fabric);
        let last = fabric.chips - 1;
        let level = PacketLevel::new(&network, &[last], &PacketOptions::default()).unwrap();
        // A multiple of every number of ports up to 10, of 14 and of 18.
        let bytes = level.payload() * 2520.0;
        let flow = Flow { source: 0, destination: last, bytes, start: Seconds::ZERO, after: Vec::new(), cap: None };
        let fair = network.run(std::slice::from_ref(&flow), Accuracy::Exact).unwrap()[0].end;
        let packets = level.run(&[flow]).unwrap()[0].end;
        assert!((packets / fair - 1.0).abs() < 1e-6, "{name}: {packets:?} for {fair:?}");
    }
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
        let packets = level.play(&group, Pattern::AllPairs, bytes).unwrap().time;
        assert!((packets / fair - 1.0).abs() < 0.02, "{name}: {packets:?} for {fair:?}");
    }
}

/// Two runs of short messages give the time of a long one.
#[test]
fn long_messages_are_extrapolated_within_one_per_cent() {
    let spec = load_supernode("hgx-h100").unwrap();
    let fabric = build(&spec).unwrap();
    let network = Network::new(&fabric);
    let group = Group::first(8);
    let level = PacketLevel::new(&network, group.chips(), &PacketOptions::default()).unwrap();
    let time = |packets: f64| level.play(&group, Pattern::AllPairs, level.payload() * packets).unwrap().time;
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
    let network = Network::with_routing(&fabric, Policy::Valiant);
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
