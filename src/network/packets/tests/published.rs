//! Statistical results of other simulators, and why ours differ from them where they do. `docs/packets.md` has the tables.

use std::sync::Arc;

use super::sample_machines::{NANOSECOND, SampleParts, booksim_torus, leaf_spine, message};
use crate::network::packets::{
    Aim, ClassRule, Control, Message, NextHopChoice, OfferedLoad, PacketMachine, PacketTraffic, RouteTable, Setting, Spacing, Watch, simulate,
};

const PACKET: u32 = 4160;

/// Priority pause at 15 and 12 packets, as in the htsim runs.
fn paused() -> SampleParts {
    SampleParts { control: Control::Pause { buffer_bytes: 60 * PACKET, stop_bytes: 15 * PACKET, go_bytes: 12 * PACKET }, ..SampleParts::at(400.0) }
}

/// Mean and last completion, µs, of flows that are acknowledged.
fn completion(machine: &PacketMachine, choice: NextHopChoice, messages: &[Message]) -> (f64, f64) {
    let setting = Setting { choice, acknowledgement_bytes: 64, ..Setting::default() };
    let routes = RouteTable::shortest(machine, false);
    let outcome = simulate(machine, &routes, &setting, PacketTraffic::Messages(messages.to_vec()), &Watch::default()).unwrap();
    let ends: Vec<f64> = outcome.arrivals.iter().map(|arrival| arrival.acknowledged as f64 / 1e6).collect();
    (ends.iter().sum::<f64>() / ends.len() as f64, ends.iter().fold(0.0, |last: f64, &end| last.max(end)))
}

fn over_seeds(machine: &PacketMachine, messages: &[Message], seeds: u32) -> Vec<(f64, f64)> {
    (0..seeds).map(|seed| completion(machine, NextHopChoice::Hashed { seed: seed.into() }, messages)).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// Flows that share the busiest link, from the last completion: each takes `alone` µs of the link.
fn collisions(last: f64, alone: f64) -> u32 {
    ((last - 3.0) / alone).round() as u32
}

/// Mean last completion of our runs in which as many flows meet as in each run of htsim, against htsim's mean. How many meet is drawn by
/// each simulator; how long they take then is what they must agree on.
fn assert_same_for_equal_collisions(ours: &[(f64, f64)], htsim: &[f64], alone: f64, what: &str) {
    let of_ours = |flows: u32| mean(ours.iter().map(|run| run.1).filter(|&last| collisions(last, alone) == flows));
    for &last in htsim {
        assert_within(of_ours(collisions(last, alone)), last, 0.02, what);
    }
    let found = mean(htsim.iter().map(|&last| of_ours(collisions(last, alone))));
    assert_within(found, mean(htsim.iter().copied()), 0.01, what);
}

#[track_caller]
fn assert_within(found: f64, expected: f64, share: f64, what: &str) {
    assert!((found / expected - 1.0).abs() < share, "{what}: {found} for {expected}");
}

/// Last completions of ten seeds of `htsim_roce`, hashed permutations of 1 MiB over 16, 32 and 64 hosts, µs.
const HTSIM_HASHED: [[f64; 10]; 3] = [
    [45.4987, 45.7867, 45.8085, 46.4306, 46.4382, 66.78, 66.78, 67.1077, 87.7515, 87.7515],
    [66.4523, 66.78, 67.1013, 67.1077, 67.1077, 67.4354, 87.7515, 88.0792, 88.4069, 89.0622],
    [66.78, 66.8747, 67.1077, 67.1077, 67.1077, 67.4354, 87.7515, 88.0792, 88.4069, 88.7346],
];

/// `htsim_roce`, every host to the one in the same place of the next leaf, 1 MiB. Sprayed in turn: every flow 24.16 µs. By hash, ten seeds
/// of htsim: mean completions 40.16 (16 hosts), 44.06 (32), 42.17 µs (64). Last completions are 46, 67 or 88 µs, as two, three or four flows
/// share a link, and the mean over seeds depends on how often each was drawn.
#[test]
fn permutations_over_leaf_and_spine_agree_with_htsim() {
    for ((leaves, hosts, spines, expected), lasts) in [(4, 4, 4, 40.16), (4, 8, 8, 44.06), (8, 8, 8, 42.17)].into_iter().zip(&HTSIM_HASHED) {
        let machine = leaf_spine(leaves, hosts, spines, &paused());
        let all = leaves * hosts;
        let shift: Vec<Message> = (0..all).map(|host| message(host, (host + hosts) % all, 1_048_576)).collect();
        let (sprayed_mean, sprayed_last) = completion(&machine, NextHopChoice::Spray, &shift);
        assert_within(sprayed_mean, 24.16, 0.001, "sprayed, mean");
        assert_within(sprayed_last, 24.16, 0.001, "sprayed, last");
        let hashed = over_seeds(&machine, &shift, 40);
        assert_within(mean(hashed.iter().map(|run| run.0)), expected, 0.05, "hashed, mean");
        assert_same_for_equal_collisions(&hashed, lasts, 21.3, "hashed, last");
    }
}

/// `htsim_roce`, 64 hosts below 4 spines (2:1): every second host to the next leaf, 4 MiB, alone and beside the other hosts. Sprayed in
/// turn: last 89.04 and 175.51 µs. By hash, three seeds: two or three flows share a link, four with both groups.
#[test]
fn two_groups_that_share_spines_agree_with_htsim() {
    let machine = leaf_spine(8, 8, 4, &paused());
    let group = |first: u32| (0..32).map(move |place| (first + 2 * place) % 64).map(|host| message(host, (host + 8) % 64, 4_194_304));
    let alone: Vec<Message> = group(0).collect();
    let both: Vec<Message> = group(0).chain(group(1)).collect();
    assert_within(completion(&machine, NextHopChoice::Spray, &alone).1, 89.04, 0.001, "alone");
    assert_within(completion(&machine, NextHopChoice::Spray, &both).1, 175.51, 0.001, "both");
    assert_same_for_equal_collisions(&over_seeds(&machine, &alone, 20), &[177.496, 178.181, 262.077], 85.2, "alone, hashed");
    assert_same_for_equal_collisions(&over_seeds(&machine, &both, 20), &[347.274, 349.523, 349.896], 85.2, "both, hashed");
}

/// Mean latency of packets in cycles and accepted flits a node and cycle, at a load in flits a node and cycle.
fn torus(packet_flits: u32, load: f64, cycles: u64) -> (f64, f64) {
    let machine = booksim_torus(8, 8);
    let receivers: Arc<[u32]> = (128..192).collect();
    let load = OfferedLoad {
        senders: (64..128).map(|host| (host, Aim::Among(receivers.clone()))).collect(),
        interval: NANOSECOND as f64 * f64::from(packet_flits) / load,
        spacing: Spacing::Slotted(NANOSECOND),
        payload_bytes: packet_flits,
        warm_up: cycles * NANOSECOND / 3,
        until: cycles * NANOSECOND,
        watched: None,
    };
    let class_rule = ClassRule::Crossing;
    let flits = Setting { flit_bytes: 1, class_rule, virtual_channels: 4, classes: 2, ..Setting::default() };
    let setting = Setting { payload_bytes: packet_flits, header_bytes: 0, ..flits };
    let outcome = simulate(&machine, &RouteTable::shortest(&machine, true), &setting, PacketTraffic::Load(load), &Watch::default()).unwrap();
    let measured = (cycles - cycles / 3) as f64;
    (outcome.latency.mean() / NANOSECOND as f64, outcome.accepted_bytes as f64 / 64.0 / measured)
}

/// BookSim 2, torus of 8 x 8, dimension order, four virtual channels of eight flits, evenly drawn destinations: mean latency in cycles at
/// each load below saturation, packets of one and of four flits.
#[test]
fn latency_of_a_torus_agrees_with_booksim() {
    for (load, one, four) in
        [(0.05, 27.14, 30.76), (0.10, 27.44, 31.02), (0.20, 28.08, 32.41), (0.30, 29.22, 34.63), (0.40, 31.69, 38.25), (0.45, 34.36, 41.41)]
    {
        assert_within(torus(1, load, 3000).0, one, 0.02, &format!("1 flit at {load}"));
        assert_within(torus(4, load, 3000).0, four, 0.02, &format!("4 flits at {load}"));
    }
    assert_within(torus(1, 0.50, 6000).0, 40.78, 0.05, "1 flit at 0.50");
    assert_within(torus(4, 0.50, 6000).0, 46.62, 0.05, "4 flits at 0.50");
}

/// What BookSim accepts at most, and of 1.00 offered, in flits a node and cycle.
#[test]
fn throughput_of_a_torus_at_and_beyond_saturation_agrees_with_booksim() {
    for (flits, load, accepted) in [(1, 0.55, 0.521), (1, 1.00, 0.423), (4, 0.60, 0.551), (4, 1.00, 0.503)] {
        assert_within(torus(flits, load, 4500).1, accepted, 0.03, &format!("{flits} flits at {load}"));
    }
}
