//! Queueing theory and arithmetic that the engine has to agree with.

use std::sync::Arc;

use super::sample_machines::{NANOSECOND, SampleParts, crossbar, leaf_spine, message, one_switch};
use crate::network::packets::{
    Aim, Control, Message, NextHopChoice, OfferedLoad, PacketForwarding, PacketMachine, PacketOutcome, PacketTraffic, Queueing, Recovery,
    RetryScheme, RouteTable, Setting, Spacing, Watch, simulate,
};

/// 4160 bytes at 400 Gbit/s.
const PACKET_TIME: u64 = 83_200;

fn run(machine: &PacketMachine, setting: &Setting, traffic: PacketTraffic) -> PacketOutcome {
    simulate(machine, &RouteTable::shortest(machine, false), setting, traffic, &Watch::default()).unwrap()
}

fn send(machine: &PacketMachine, setting: &Setting, messages: Vec<Message>) -> PacketOutcome {
    run(machine, setting, PacketTraffic::Messages(messages))
}

/// Packets for receivers drawn evenly; `share` of the ports' rate, measured over so many packet times after as many.
fn uniform(ports: u32, share: f64, spacing: Spacing, packet_times: u64) -> OfferedLoad {
    let receivers: Arc<[u32]> = (ports..2 * ports).collect();
    OfferedLoad {
        senders: (0..ports).map(|sender| (sender, Aim::Among(receivers.clone()))).collect(),
        interval: PACKET_TIME as f64 / share,
        spacing,
        payload_bytes: 4096,
        warm_up: packet_times * PACKET_TIME,
        until: 2 * packet_times * PACKET_TIME,
        watched: None,
    }
}

/// Throughput of a switch with one FIFO queue at each input, over the rate of its ports, all inputs always busy, destinations drawn evenly
/// (Karol, Hluchyj, Morgan, IEEE Transactions on Communications 35(12), 1987): 2 - sqrt(2) for many ports. With 64 ports a slotted
/// simulation gives 0.58975.
#[test]
fn the_first_packet_of_an_input_queue_holds_up_the_others() {
    for (ports, expected) in [(2, 0.75), (3, 0.6825), (4, 0.6553), (8, 0.6184), (64, 0.58975)] {
        let control = Control::Credits { buffer_bytes: 16 * 4160 };
        let machine = crossbar(ports, &SampleParts { queueing: Queueing::InputFifo, control, latency: 0, delay: 0, ..SampleParts::at(400.0) });
        let packet_times = 120_000 / u64::from(ports) + 3000;
        let outcome = run(&machine, &Setting::default(), PacketTraffic::Load(uniform(ports, 1.0, Spacing::Even, packet_times)));
        let found = outcome.accepted_bytes as f64 / 4096.0 / f64::from(ports) / packet_times as f64;
        assert!((found / expected - 1.0).abs() < 0.01, "{ports} ports: {found} for {expected}");
    }
}

/// The same switch with a queue for each input and output fills its ports: an output idles only if no free input has a packet for it.
#[test]
fn virtual_output_queues_remove_the_hold_up() {
    let control = Control::Credits { buffer_bytes: 512 * 4160 };
    let machine = crossbar(8, &SampleParts { queueing: Queueing::VirtualOutput, control, latency: 0, delay: 0, ..SampleParts::at(400.0) });
    let outcome = run(&machine, &Setting::default(), PacketTraffic::Load(uniform(8, 1.0, Spacing::Even, 8000)));
    let found = outcome.accepted_bytes as f64 / 4096.0 / 8.0 / 8000.0;
    assert!(found > 0.97, "{found}");
}

/// Mean wait in an output queue of a slotted switch, in slots: (N-1)/N * p / (2 (1-p)) (the same paper).
#[test]
fn output_queues_wait_as_in_theory() {
    for share in [0.5, 0.8, 0.9] {
        let machine = crossbar(8, &SampleParts { latency: 0, delay: 0, ..SampleParts::at(400.0) });
        let outcome = run(&machine, &Setting::default(), PacketTraffic::Load(uniform(8, share, Spacing::Slotted(PACKET_TIME), 60_000)));
        let found = outcome.latency.mean() / PACKET_TIME as f64 - 2.0;
        let expected = 7.0 / 8.0 * share / (2.0 * (1.0 - share));
        assert!((found / expected - 1.0).abs() < 0.03, "{share}: {found} for {expected}");
    }
}

/// Poisson arrivals and packets of one length on one link: the mean wait is rho / (2 (1 - rho)) packet times (Pollaczek and Khinchine).
#[test]
fn one_link_waits_as_m_d_1() {
    for share in [0.3, 0.5, 0.7, 0.8, 0.9] {
        let machine = PacketMachine { nodes: vec![SampleParts::at(400.0).host(); 2], channels: SampleParts::at(400.0).link(0, 1).to_vec() };
        let load = OfferedLoad { senders: vec![(0, Aim::At(1))], ..uniform(2, share, Spacing::Exponential, 400_000) };
        let outcome = run(&machine, &Setting::default(), PacketTraffic::Load(load));
        let found = (outcome.latency.mean() - 100_000.0) / PACKET_TIME as f64 - 1.0;
        let expected = share / (2.0 * (1.0 - share));
        assert!((found / expected - 1.0).abs() < 0.05, "{share}: {found} for {expected}");
        // Little: packets in the system are arrivals a time unit times the time each stays; the queue counts those that wait.
        let waiting = outcome.queues[0].mean_bytes / 4160.0;
        assert!((waiting / (share * expected) - 1.0).abs() < 0.06, "{share}: {waiting} wait");
    }
}

/// A window of W packets: W packets every round trip, which is p + 2L + S + p for the packet and a + 2L + S + a for its acknowledgement
/// of 64 bytes, until the link is full.
#[test]
fn a_window_gives_window_over_round_trip_time() {
    let round_trip = 2 * PACKET_TIME + 2 * 1280 + 2 * (200 + 250) * NANOSECOND;
    for window in [1, 2, 5, 12] {
        let setting = Setting { acknowledgement_bytes: 64, window_packets: window, ..Setting::default() };
        let packets = u64::from(window) * 100;
        let outcome = send(&one_switch(2, &SampleParts::at(400.0)), &setting, vec![message(0, 1, packets * 4096)]);
        let expected = 100 * round_trip + u64::from(window - 1) * PACKET_TIME;
        assert_eq!(outcome.arrivals[0].acknowledged, expected, "window {window}");
    }
    // 12.8 packets fill the round trip.
    let setting = Setting { acknowledgement_bytes: 64, window_packets: 13, ..Setting::default() };
    let outcome = send(&one_switch(2, &SampleParts::at(400.0)), &setting, vec![message(0, 1, 1300 * 4096)]);
    assert_eq!(outcome.arrivals[0].acknowledged, 1299 * PACKET_TIME + round_trip);
}

/// Two messages to two receivers share the window of their sender: together they take what one message of both sizes takes.
#[test]
fn messages_of_one_sender_share_its_window() {
    let round_trip = 2 * PACKET_TIME + 2 * 1280 + 2 * (200 + 250) * NANOSECOND;
    for window in [1, 2, 5, 12] {
        let setting = Setting { acknowledgement_bytes: 64, sender_window_packets: window, ..Setting::default() };
        let bytes = u64::from(window) * 50 * 4096;
        let outcome = send(&one_switch(3, &SampleParts::at(400.0)), &setting, vec![message(0, 1, bytes), message(0, 2, bytes)]);
        let last = outcome.arrivals.iter().map(|arrival| arrival.acknowledged).max();
        assert_eq!(last, Some(100 * round_trip + u64::from(window - 1) * PACKET_TIME), "window {window}");
    }
}

/// One packet, one path of h links: store-and-forward h p + h L + (h-1) S, cut-through p + (h-1) header/R + h L + (h-1) S.
#[test]
fn latency_of_one_packet_is_exact() {
    let cases = [
        (2, 400.0, PacketForwarding::StoreAndForward, 616_400),
        (2, 400.0, PacketForwarding::CutThrough { header_bytes: 64 }, 534_480),
        (4, 400.0, PacketForwarding::StoreAndForward, 1_482_800),
        (4, 400.0, PacketForwarding::CutThrough { header_bytes: 64 }, 1_237_040),
        (4, 800.0, PacketForwarding::StoreAndForward, 1_316_400),
        (4, 800.0, PacketForwarding::CutThrough { header_bytes: 64 }, 1_193_520),
    ];
    for (links, gigabits, forwarding, expected) in cases {
        let parts = SampleParts { forwarding, ..SampleParts::at(gigabits) };
        let machine = if links == 2 { one_switch(2, &parts) } else { leaf_spine(2, 1, 1, &parts) };
        let outcome = send(&machine, &Setting::default(), vec![message(0, 1, 4096)]);
        assert_eq!(outcome.arrivals[0].end, expected, "{links} links, {gigabits} Gbit/s, {forwarding:?}");
    }
}

/// A slow link into a cut-through switch with a fast output: the last bit leaves when it has arrived and passed the switch, so that the
/// packet is there after p(slow) + 2L + S and the header's share of the fast link.
#[test]
fn a_fast_output_does_not_run_dry() {
    let parts = SampleParts { forwarding: PacketForwarding::CutThrough { header_bytes: 0 }, ..SampleParts::at(100.0) };
    let mut machine = one_switch(2, &parts);
    machine.channels[3] = SampleParts::at(400.0).link(1, 2)[1];
    let outcome = send(&machine, &Setting::default(), vec![message(0, 1, 4096)]);
    assert_eq!(outcome.arrivals[0].end, 4 * PACKET_TIME + 450 * NANOSECOND);
}

/// Goodput of a link that repeats packets damaged with chance q: (1-q) / (1 + q (W-1)) if all that follows is repeated, W being the time
/// to repeat over the packet time, p + 2L here plus the packet itself; 1-q if only the packet is.
#[test]
fn goodput_under_bit_errors() {
    let packets = 400_000_u64;
    let parts = SampleParts::at(400.0);
    let machine = PacketMachine { nodes: vec![parts.host(); 2], channels: parts.link(0, 1).to_vec() };
    let goodput = |setting: &Setting| {
        let outcome = send(&machine, setting, vec![message(0, 1, packets * 4096)]);
        (packets * PACKET_TIME) as f64 / outcome.arrivals[0].end as f64
    };
    for bit_error_rate in [1e-7, 1e-6, 3e-6] {
        let damaged = 1.0 - f64::powf(1.0 - bit_error_rate, 8.0 * 4160.0);
        let repeat = (PACKET_TIME + 200_000) as f64 / PACKET_TIME as f64;
        let link = |link_retry| Setting { bit_error_rate, link_retry, ..Setting::default() };
        let close = |found: f64, expected: f64, what: &str| assert!((found / expected - 1.0).abs() < 0.01, "{what}: {found} for {expected}");
        close(goodput(&link(RetryScheme::GoBackN)), (1.0 - damaged) / (1.0 + damaged * (repeat - 1.0)), "link, go-back-N");
        close(goodput(&link(RetryScheme::Selective)), 1.0 - damaged, "link, selective");
        // From end to end the gap is seen when the next packet is there, one packet time later, and the request of 64 bytes comes back.
        let end_to_end = (2 * PACKET_TIME + 200_000 + 1280) as f64 / PACKET_TIME as f64;
        let recovery = Recovery::GoBackN { timeout: 500_000 };
        let setting = Setting { bit_error_rate, recovery, acknowledgement_bytes: 64, ..Setting::default() };
        let expected = (1.0 - damaged) / (1.0 + damaged * (end_to_end.ceil() - 1.0));
        let found = goodput(&setting);
        assert!((found / expected - 1.0).abs() < 0.03, "end to end: {found} for {expected}");
        let setting = Setting { bit_error_rate, recovery: Recovery::Selective, acknowledgement_bytes: 64, ..Setting::default() };
        close(goodput(&setting), 1.0 - damaged, "end to end, selective");
    }
}

/// Every host to its neighbour in the next leaf, one path a flow by hash: the last flow takes as long as the fullest uplink or downlink,
/// over leaves E[max of h flows into m links]; by Monte Carlo 2.656, 3.288 and 3.604 times the bytes of one flow.
#[test]
fn hashed_flows_collide_as_balls_in_bins() {
    for (leaves, hosts, spines, expected) in [(4, 4, 4, 2.656), (4, 8, 8, 3.288), (8, 8, 8, 3.604)] {
        let parts = SampleParts { control: Control::Unlimited, ..SampleParts::at(400.0) };
        let machine = leaf_spine(leaves, hosts, spines, &parts);
        let all = leaves * hosts;
        let shift: Vec<Message> = (0..all).map(|host| message(host, (host + hosts) % all, 262_144)).collect();
        let last = |choice| send(&machine, &Setting { choice, ..Setting::default() }, shift.clone()).arrivals.iter().map(|arrival| arrival.end).max();
        let one_flow = 64 * PACKET_TIME;
        let path = last(NextHopChoice::Spray).unwrap() - one_flow;
        let seeds = 150;
        let sum: u64 = (0..seeds).map(|seed| last(NextHopChoice::Hashed { seed }).unwrap() - path).sum();
        let mean = (sum / seeds) as f64 / one_flow as f64;
        // A spread of 0.6 over 150 seeds leaves 0.05.
        assert!((mean - expected).abs() < 0.12, "{leaves} leaves: {mean} for {expected}");
    }
}
