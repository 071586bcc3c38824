//! Nothing is lost or made up, whatever is sent; packets that wait for each other are found and named.

use proptest::prelude::*;

use super::sample_machines::{SampleParts, leaf_spine, message, one_way_ring};
use crate::network::packets::{
    Aim, Control, LinkErrors, Message, NextHopChoice, OfferedLoad, PacketError, PacketMachine, PacketTraffic, Queueing, Recovery, RetryScheme,
    RouteTable, Setting, Spacing, Watch, simulate,
};

const PACKET: u32 = 4160;

fn controls() -> impl Strategy<Value = Control> {
    let packets = |count: u32| count * PACKET;
    prop_oneof![
        Just(Control::Unlimited),
        (1_u32..12).prop_map(move |count| Control::Credits { buffer_bytes: packets(count) }),
        (20_u32..40).prop_map(move |count| Control::Pause { buffer_bytes: packets(count), stop_bytes: packets(6), go_bytes: packets(4) }),
        (2_u32..12).prop_map(move |count| Control::Drop { buffer_bytes: packets(count) }),
    ]
}

fn queueings() -> impl Strategy<Value = Queueing> {
    prop_oneof![Just(Queueing::Output), Just(Queueing::InputFifo), Just(Queueing::VirtualOutput)]
}

fn choices() -> impl Strategy<Value = NextHopChoice> {
    prop_oneof![Just(NextHopChoice::Spray), Just(NextHopChoice::Random), Just(NextHopChoice::Hashed { seed: 7 }), Just(NextHopChoice::ShortestQueue)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Sent = delivered + dropped + damaged + discarded; what messages hold is delivered exactly once; all room is given back.
    #[test]
    fn packets_are_conserved(
        control in controls(), queueing in queueings(), choice in choices(), window in 0_u32..20, shared in 0_u32..20, errors in 0_u32..3,
        pairs in prop::collection::vec((0_u32..12, 0_u32..12, 0_u64..200_000), 1..40),
    ) {
        let machine = leaf_spine(3, 4, 2, &SampleParts { control, queueing, ..SampleParts::at(400.0) });
        let setting = Setting {
            acknowledgement_bytes: 64,
            window_packets: window,
            sender_window_packets: shared,
            choice,
            bit_error_rate: f64::from(errors) * 1e-6,
            recovery: Recovery::Selective,
            ..Setting::default()
        };
        let messages: Vec<Message> = pairs.iter().map(|&(source, destination, bytes)| message(source, destination, bytes)).collect();
        let packets: u64 = messages.iter().filter(|message| message.source != message.destination).map(|message| message.bytes.div_ceil(4096).max(1)).sum();
        let routes = RouteTable::shortest(&machine, false);
        let outcome = simulate(&machine, &routes, &setting, PacketTraffic::Messages(messages.clone()), &Watch::default()).unwrap();
        let counts = outcome.counts;
        prop_assert_eq!(counts.sent, counts.delivered + counts.dropped + counts.damaged + counts.discarded);
        prop_assert_eq!(counts.delivered, packets);
        prop_assert_eq!(outcome.held_bytes, 0);
        if !matches!(control, Control::Drop { .. }) {
            prop_assert_eq!(counts.dropped, 0);
        }
        // The same input gives the same output.
        let again = simulate(&machine, &routes, &setting, PacketTraffic::Messages(messages), &Watch::default()).unwrap();
        prop_assert_eq!(outcome, again);
    }

    /// Under go-back-N everything arrives in order however much is lost on the way.
    #[test]
    fn go_back_n_delivers_all(errors in 0_u32..5, buffer in 2_u32..8, senders in 1_u32..8, bytes in 1_u64..300_000) {
        let machine = leaf_spine(3, 4, 2, &SampleParts { control: Control::Drop { buffer_bytes: buffer * PACKET }, ..SampleParts::at(400.0) });
        let setting = Setting {
            acknowledgement_bytes: 64,
            bit_error_rate: f64::from(errors) * 5e-7,
            choice: NextHopChoice::Hashed { seed: 3 },
            recovery: Recovery::GoBackN { timeout: 20_000_000 },
            ..Setting::default()
        };
        let messages = (1..=senders).map(|sender| message(sender, 0, bytes)).collect();
        let outcome = simulate(&machine, &RouteTable::shortest(&machine, false), &setting, PacketTraffic::Messages(messages), &Watch::default()).unwrap();
        prop_assert_eq!(outcome.counts.delivered, u64::from(senders) * bytes.div_ceil(4096));
        let counts = outcome.counts;
        prop_assert_eq!(counts.sent, counts.delivered + counts.dropped + counts.damaged + counts.discarded);
    }
}

/// Every host of a one-way ring sends three switches on. With one buffer for all, each switch's buffer fills with packets for the next.
fn around_the_ring(dateline: bool, classes: u8) -> Result<u64, PacketError> {
    let control = Control::Credits { buffer_bytes: 2 * PACKET };
    let machine = one_way_ring(5, &SampleParts { control, ..SampleParts::at(400.0) }, dateline);
    let setting = Setting { virtual_channels: classes, classes, ..Setting::default() };
    let messages = (0..5).map(|host| message(5 + host, 5 + (host + 3) % 5, 400_000)).collect();
    let outcome = simulate(&machine, &RouteTable::shortest(&machine, false), &setting, PacketTraffic::Messages(messages), &Watch::default())?;
    Ok(outcome.counts.delivered)
}

/// Routes round a ring close a circle of channels; those of leaves and spines go up and down.
#[test]
fn circles_of_waiting_channels_are_found() {
    let parts = SampleParts::at(400.0);
    for (machine, has_cycle) in [(one_way_ring(5, &parts, false), true), (leaf_spine(3, 4, 2, &parts), false)] {
        let far_ends: Vec<u32> = machine.channels.iter().map(|channel| channel.to).collect();
        let found = RouteTable::shortest(&machine, false).dependencies(&far_ends);
        assert_eq!(found.has_cycle, has_cycle);
        let forwards: Vec<bool> = machine.nodes.iter().map(|node| node.forwards).collect();
        assert_eq!(found.passing, forwards);
    }
}

#[test]
fn a_ring_without_virtual_channels_locks_and_says_where() {
    let error = around_the_ring(false, 1).unwrap_err();
    let PacketError::Deadlock { mut cycle, waiting } = error else { panic!("{error}") };
    cycle.sort_unstable();
    assert_eq!(cycle, [0, 1, 2, 3, 4]);
    // Two packets behind each of five switches and five hosts.
    assert_eq!(waiting, 20);
}

#[test]
fn a_dateline_with_two_classes_of_virtual_channels_does_not_lock() {
    assert_eq!(around_the_ring(true, 2), Ok(5 * 98));
}

#[test]
fn losses_that_nobody_repairs_are_an_error() {
    let machine = leaf_spine(2, 4, 2, &SampleParts { control: Control::Drop { buffer_bytes: 3 * PACKET }, ..SampleParts::at(400.0) });
    let messages = (1..8).map(|sender| message(sender, 0, 100_000)).collect();
    let error = simulate(&machine, &RouteTable::shortest(&machine, false), &Setting::default(), PacketTraffic::Messages(messages), &Watch::default());
    assert!(error.unwrap_err().to_string().ends_with("packets were lost and no retry is set"));
}

/// A link that damages every packet repeats it for ever; it is refused, as is a start beyond what can be counted.
#[test]
fn what_never_arrives_is_refused() {
    let machine = leaf_spine(2, 2, 2, &SampleParts::at(400.0));
    let routes = RouteTable::shortest(&machine, false);
    let refused = |setting: Setting, start: u64| {
        let late = Message { start, ..message(0, 3, 4096) };
        simulate(&machine, &routes, &setting, PacketTraffic::Messages(vec![late]), &Watch::default()).unwrap_err().to_string()
    };
    let damaged = Setting { bit_error_rate: 0.5, link_retry: RetryScheme::Selective, ..Setting::default() };
    assert_eq!(refused(damaged, 0), "channel 0: with one bit in 2.000 damaged hardly any packet of 4160 bytes gets through");
    let late = refused(Setting::default(), u64::MAX);
    assert!(late.starts_with("a message starts later than time is counted on this machine, "), "{late}");
}

#[test]
fn link_retry_keeps_the_order() {
    let machine = leaf_spine(2, 2, 1, &SampleParts { control: Control::Credits { buffer_bytes: 9 * PACKET }, ..SampleParts::at(400.0) });
    for link_retry in [RetryScheme::GoBackN, RetryScheme::Selective] {
        let recovery = Recovery::GoBackN { timeout: 1_000_000_000 };
        let setting = Setting { acknowledgement_bytes: 64, bit_error_rate: 2e-6, link_retry, recovery, ..Setting::default() };
        let messages = vec![message(0, 2, 10_000_000), message(1, 3, 10_000_000)];
        let outcome =
            simulate(&machine, &RouteTable::shortest(&machine, false), &setting, PacketTraffic::Messages(messages), &Watch::default()).unwrap();
        assert!(outcome.counts.link_retries > 100, "{:?}", outcome.counts);
        assert_eq!(outcome.counts.discarded, 0);
    }
}

/// Packets at a given rate over a link that damages one in ten: each is sent again until it is there, its latency counts from its first start,
/// and as much is accepted as is offered.
#[test]
fn packets_at_a_given_rate_are_sent_again() {
    let mut machine = leaf_spine(2, 2, 1, &SampleParts { control: Control::Credits { buffer_bytes: 9 * PACKET }, ..SampleParts::at(400.0) });
    let routes = RouteTable::shortest(&machine, false);
    let setting = Setting { recovery: Recovery::Selective, ..Setting::default() };
    let load = OfferedLoad {
        senders: vec![(0, Aim::At(2))],
        interval: 4e5,
        spacing: Spacing::Even,
        payload_bytes: 4096,
        warm_up: 0,
        until: 4_000_000_000,
        watched: None,
    };
    let run = |machine: &_| simulate(machine, &routes, &setting, PacketTraffic::Load(load.clone()), &Watch::default()).unwrap();
    let whole = run(&machine);
    assert_eq!((whole.latency.count(), whole.counts.damaged), (10_000, 0));
    let first = machine.channels.iter_mut().find(|channel| channel.from == 0).unwrap();
    let damaged = 0.1;
    first.errors = Some(LinkErrors { bit_error_rate: 1.0 - f64::powf(1.0 - damaged, 1.0 / f64::from(PACKET * 8)), retry: RetryScheme::None });
    let found = run(&machine);
    let counts = found.counts;
    assert_eq!((counts.sent, found.latency.count()), (counts.delivered + counts.damaged, 10_000));
    assert!((counts.damaged as f64 / counts.sent as f64 - damaged).abs() < 0.01, "{counts:?}");
    assert_eq!(found.held_bytes, 0);
    // Nine in ten pass as on a sound link; what is sent again comes a request and a transmission later.
    assert_eq!(found.latency.percentile(0.5), whole.latency.percentile(0.5));
    assert!(found.latency.percentile(0.95) > 1.5 * whole.latency.percentile(0.95), "{:?}", found.latency.percentile(0.95));
}

/// What a run holds is bounded by the packets in flight, which credits bound, and not by the packets that are sent: a short and a long run hold no
/// more than twice the rooms of all buffers, the credits on their way back, the packets on all wires and the flows at all ports.
#[test]
fn memory_is_bounded_by_packets_in_flight() {
    let room = 6;
    let machine = leaf_spine(3, 4, 2, &SampleParts { control: Control::Credits { buffer_bytes: room * PACKET }, ..SampleParts::at(400.0) });
    let routes = RouteTable::shortest(&machine, false);
    let run = |bytes: u64| {
        let pairs = (0..12).flat_map(|source| (1..12).map(move |step| message(source, (source + step) % 12, bytes)));
        simulate(&machine, &routes, &Setting::default(), PacketTraffic::Messages(pairs.collect()), &Watch::default()).unwrap()
    };
    let (short, long) = (run(400_000), run(3_200_000));
    assert!(long.counts.sent > 7 * short.counts.sent);
    // Each channel: a full buffer at its end, as many credits on their way back, and what is on the wire, in rings of at most twice that and of four places at least;
    // each of 12 hosts' ports: 11 flows.
    let most = machine.channels.len() as u64 * (2 * 3 * u64::from(room) + 5 * 4) + 12 * 2 * 11;
    assert!(short.slots.max(long.slots) <= most, "{} and {} places, at most {most}", short.slots, long.slots);
}

/// Parallel links between two switches are one fast channel. Its input must feed as many slow links at once: a permutation over it takes as long
/// as through output queues, and not eight times as long.
#[test]
fn a_fast_input_feeds_slow_outputs_side_by_side() {
    let last = |queueing: Queueing| {
        let slow = SampleParts { queueing, ..SampleParts::at(50.0) };
        let fast = SampleParts { queueing, ..SampleParts::at(400.0) };
        let host = |host: u32| slow.link(host, 16 + host / 8);
        let mut nodes = vec![slow.host(); 16];
        nodes.extend([slow.switch(); 2]);
        let channels = (0..16).flat_map(host).chain(fast.link(16, 17)).collect();
        let machine = PacketMachine { nodes, channels };
        let messages = (0..16).map(|source| message(source, (source + 8) % 16, 1_000_000)).collect();
        let routes = RouteTable::shortest(&machine, false);
        let outcome = simulate(&machine, &routes, &Setting::default(), PacketTraffic::Messages(messages), &Watch::default()).unwrap();
        outcome.arrivals.iter().map(|arrival| arrival.end).max().unwrap() as f64
    };
    let output = last(Queueing::Output);
    for queueing in [Queueing::VirtualOutput, Queueing::InputFifo] {
        let ratio = last(queueing) / output;
        assert!((0.99..1.1).contains(&ratio), "{queueing:?} {ratio}");
    }
}
