//! Packets that switches add up and copy.

use super::sample_machines::{SampleParts, leaf_spine, one_switch};
use crate::network::packets::{
    Control, Counts, PacketForwarding, PacketMachine, PacketOutcome, PacketTraffic, Reduction, RetryScheme, RouteTable, Setting, Watch, simulate,
};

const PACKET: u64 = 4160;
/// 4160 bytes at 400 Gbit/s.
const PACKET_TIME: u64 = 83_200;

fn reduce(machine: &PacketMachine, setting: &Setting, reduction: Reduction) -> PacketOutcome {
    let routes = RouteTable::shortest(machine, false);
    simulate(machine, &routes, setting, PacketTraffic::Reductions(vec![reduction]), &Watch::default()).unwrap()
}

/// All hosts below one switch; channels `2 h` lead to it.
fn star(hosts: u32, bytes: u64, adds: bool, copies: bool) -> Reduction {
    Reduction { channels: (0..hosts).map(|host| (2 * host, 2 * host + 1)).collect(), members: (0..hosts).collect(), bytes, adds, copies }
}

/// Over hosts, leaves and the first spine of a leaf-spine.
fn two_tiers(leaves: u32, hosts_per_leaf: u32, spines: u32, bytes: u64) -> Reduction {
    let hosts = leaves * hosts_per_leaf;
    let up = (0..leaves).map(|leaf| 2 * (hosts + leaf * spines));
    Reduction {
        channels: (0..hosts).map(|host| 2 * host).chain(up).map(|up| (up, up + 1)).collect(),
        members: (0..hosts).collect(),
        bytes,
        adds: true,
        copies: true,
    }
}

/// p + L to the switch, S, then one packet after the other: n p + L, whatever the number of hosts. Each sum goes to all.
#[test]
fn a_switch_adds_up_and_copies_at_the_rate_of_one_port() {
    for hosts in [2, 8, 63] {
        let outcome = reduce(&one_switch(hosts, &SampleParts::at(400.0)), &Setting::default(), star(hosts, 4096 * 100, true, true));
        let expected = PACKET_TIME + 100_000 + 250_000 + 100 * PACKET_TIME + 100_000;
        assert!(outcome.arrivals.iter().all(|arrival| arrival.end == expected), "{hosts} hosts: {:?}", outcome.arrivals[0]);
        let hosts = u64::from(hosts);
        let Counts { sent, delivered, merged, copied, .. } = outcome.counts;
        assert_eq!((sent, delivered, merged, copied), (100 * hosts, 100 * hosts, 100 * (hosts - 1), 100 * (hosts - 1)));
    }
}

/// Two tiers: each link carries each packet once in each direction, 2 n p where a direct exchange of all sends n p (N-1) to each host.
#[test]
fn sums_of_leaves_are_added_up_by_a_spine() {
    let parts = SampleParts { control: Control::Credits { buffer_bytes: 16 * PACKET as u32 }, ..SampleParts::at(400.0) };
    let outcome = reduce(&leaf_spine(4, 8, 4, &parts), &Setting::default(), two_tiers(4, 8, 4, 4096 * 500));
    let path = 3 * PACKET_TIME + 4 * 100_000 + 3 * 250_000;
    assert_eq!(outcome.arrivals.iter().map(|arrival| arrival.end).max(), Some(path + 500 * PACKET_TIME));
    assert_eq!(outcome.counts.hops, 500 * 2 * (32 + 4));
    assert_eq!(outcome.held_bytes, 0);
}

/// Reduce-scatter: each sum goes to one member. All-gather: each packet comes from one member and goes to all. Both take what the full
/// direction takes.
#[test]
fn one_of_the_members_sends_or_receives_each_packet_in_turn() {
    let machine = one_switch(7, &SampleParts::at(400.0));
    let scatter = reduce(&machine, &Setting::default(), star(7, 4096 * 100, true, false));
    assert_eq!((scatter.counts.sent, scatter.counts.delivered, scatter.counts.merged), (700, 100, 600));
    let gather = reduce(&machine, &Setting::default(), star(7, 4096 * 100, false, true));
    assert_eq!((gather.counts.sent, gather.counts.delivered, gather.counts.copied), (100, 700, 600));
    let path = PACKET_TIME + 450_000;
    for outcome in [scatter, gather] {
        assert_eq!(outcome.arrivals.iter().map(|arrival| arrival.end).max(), Some(path + 100 * PACKET_TIME));
    }
}

/// Whatever is added up, copied, repeated by links or held up by credits and pauses: packets are conserved and all room comes back.
#[test]
fn packets_of_trees_are_conserved() {
    let controls = [
        Control::Unlimited,
        Control::Credits { buffer_bytes: 2 * PACKET as u32 },
        Control::Pause { buffer_bytes: 30 * PACKET as u32, stop_bytes: 8 * PACKET as u32, go_bytes: 6 * PACKET as u32 },
    ];
    for control in controls {
        for forwarding in [PacketForwarding::StoreAndForward, PacketForwarding::CutThrough { header_bytes: 64 }] {
            let machine = leaf_spine(3, 4, 2, &SampleParts { control, forwarding, ..SampleParts::at(400.0) });
            for (bit_error_rate, link_retry) in [(0.0, RetryScheme::None), (1e-6, RetryScheme::GoBackN), (1e-6, RetryScheme::Selective)] {
                let setting = Setting { bit_error_rate, link_retry, ..Setting::default() };
                let outcome = reduce(&machine, &setting, two_tiers(3, 4, 2, 1_000_001));
                let Counts { sent, delivered, merged, copied, dropped, .. } = outcome.counts;
                assert_eq!((dropped, outcome.held_bytes), (0, 0));
                assert_eq!(sent + copied, delivered + merged);
                assert_eq!(delivered, 12 * 245);
            }
        }
    }
}

#[test]
fn trees_that_are_none_are_refused() {
    let machine = one_switch(4, &SampleParts::at(400.0));
    let routes = RouteTable::shortest(&machine, false);
    let error = |reduction: Reduction| {
        simulate(&machine, &routes, &Setting::default(), PacketTraffic::Reductions(vec![reduction]), &Watch::default()).unwrap_err().to_string()
    };
    let good = star(4, 100, true, true);
    assert_eq!(error(Reduction { members: Vec::new(), ..good.clone() }), "a tree of switches needs members and one root");
    assert_eq!(error(Reduction { members: vec![4], ..good.clone() }), "a member of a tree of switches must be one of its leaves");
    assert_eq!(error(Reduction { channels: Vec::new(), ..good }), "a tree of switches needs members and one root");
}
