//! Exact results of other simulators, to the last printed digit. Packets of 4160 bytes (4096 of payload), links of 100 ns; see
//! `docs/packets.md` for how each was made.

use super::sample_machines::{SampleParts, all_to_all, incast, message, one_switch};
use crate::network::packets::{Control, Message, PacketMachine, PacketOutcome, PacketTraffic, RouteTable, Setting, Watch, simulate};

const PACKET: u32 = 4160;
const KIB_64: u64 = 65_536;
const MIB: u64 = 1_048_576;

fn run(machine: &PacketMachine, setting: &Setting, messages: Vec<Message>) -> PacketOutcome {
    simulate(machine, &RouteTable::shortest(machine, false), setting, PacketTraffic::Messages(messages), &Watch::default()).unwrap()
}

/// Microseconds with six significant digits, as htsim prints them.
fn six_digits(picoseconds: f64) -> f64 {
    let micro = picoseconds / 1e6;
    let scale = 10_f64.powi(5 - micro.log10().floor() as i32);
    (micro * scale).round() / scale
}

fn last_acknowledged(outcome: &PacketOutcome) -> f64 {
    outcome.arrivals.iter().map(|arrival| arrival.acknowledged).max().unwrap() as f64
}

/// csg-htsim 841d9e7, `htsim_roce`: senders at line rate, priority pause at 15 and 12 packets, an acknowledgement of 64 bytes for each
/// packet; last acknowledgement back at its sender, µs.
const HTSIM_INCAST: [(f64, u64, [f64; 6]); 6] = [
    (100.0, KIB_64, [11.8926, 22.5422, 43.8414, 86.4398, 171.637, 336.705]),
    (400.0, KIB_64, [3.64816, 6.31056, 11.6354, 22.2850, 43.5842, 84.8514]),
    (800.0, KIB_64, [2.27408, 3.60528, 6.26768, 11.5925, 22.2421, 42.8757]),
    (100.0, MIB, [171.637, 342.030, 682.817, 1364.39, 2727.54, 5368.64]),
    (400.0, MIB, [43.5842, 86.1826, 171.379, 341.773, 682.560, 1342.84]),
    (800.0, MIB, [22.2421, 43.5413, 86.1397, 171.336, 341.730, 671.868]),
];
const SENDERS: [u32; 6] = [2, 4, 8, 16, 32, 63];

#[test]
fn incast_with_pause_and_acknowledgements() {
    let packets = |count: u32| count * PACKET;
    let control = Control::Pause { buffer_bytes: packets(40), stop_bytes: packets(15), go_bytes: packets(12) };
    let setting = Setting { acknowledgement_bytes: 64, ..Setting::default() };
    for (gigabits, bytes, expected) in HTSIM_INCAST {
        for (senders, expected) in SENDERS.into_iter().zip(expected) {
            let machine = one_switch(64, &SampleParts { control, ..SampleParts::at(gigabits) });
            let outcome = run(&machine, &setting, incast(senders, bytes));
            assert_eq!(six_digits(last_acknowledged(&outcome)), expected, "{senders} senders, {gigabits} Gbit/s, {bytes} bytes");
            assert_eq!(outcome.counts.dropped, 0);
        }
    }
}

/// htsim's mean and last completion of all-to-all over one switch of 400 Gbit/s ports, hosts that send to all others in turn, µs.
#[test]
fn all_to_all_over_one_switch_with_acknowledgements() {
    let setting = Setting { acknowledgement_bytes: 64, ..Setting::default() };
    let cases = [
        (16, KIB_64, 20.73786, 21.2507),
        (16, MIB, 324.86586, 325.379),
        (32, KIB_64, 41.72068, 42.8776),
        (32, MIB, 670.25188, 671.409),
        (64, KIB_64, 83.63790, 86.1314),
        (64, MIB, 1360.97550, 1363.469),
    ];
    for (hosts, bytes, mean, last) in cases {
        let outcome = run(&one_switch(hosts, &SampleParts::at(400.0)), &setting, all_to_all(hosts, bytes));
        let sum: u64 = outcome.arrivals.iter().map(|arrival| arrival.acknowledged).sum();
        let found = sum as f64 / outcome.arrivals.len() as f64 / 1e6;
        assert_eq!((found * 1e5).round() / 1e5, mean, "{hosts} hosts, {bytes} bytes");
        assert!((last_acknowledged(&outcome) / 1e6 - last).abs() < 0.000_51, "{hosts} hosts, {bytes} bytes");
    }
}

/// One flow of 4096 packets through a switch of 400 Gbit/s ports with room for so many packets, nothing acknowledged. Credits come back
/// after 2 packet times, 2 links and the switch, 616.4 ns; µs.
#[test]
fn one_flow_under_credits() {
    let cases = [(1, 2524.7744), (2, 1262.4704), (4, 631.4432), (6, 421.2508), (7, 361.2104), (8, 341.3204), (16, 341.3204)];
    for (credits, expected) in cases {
        let control = Control::Credits { buffer_bytes: credits * PACKET };
        let machine = one_switch(2, &SampleParts { control, ..SampleParts::at(400.0) });
        let outcome = run(&machine, &Setting::default(), vec![message(0, 1, 4096 * 4096)]);
        assert_eq!(outcome.arrivals[0].end as f64 / 1e6, expected, "{credits} credits");
    }
}

/// ns-3.37, UDP over point-to-point links, packets of 4126 bytes, no latency in the router, nothing acknowledged: the last byte, µs with
/// five decimals.
#[test]
fn incast_without_acknowledgements() {
    for (gigabits, bytes, senders, expected) in NS3_INCAST {
        let machine = one_switch(senders + 1, &SampleParts { latency: 0, ..SampleParts::at(gigabits) });
        let setting = Setting { header_bytes: 30, ..Setting::default() };
        let outcome = run(&machine, &setting, incast(senders, bytes));
        let last = outcome.arrivals.iter().map(|arrival| arrival.end).max().unwrap();
        assert_eq!((last as f64 / 10.0).round() / 1e5, expected, "{senders} senders, {gigabits} Gbit/s, {bytes} bytes");
    }
}

/// Gbit/s, bytes, senders, µs.
const NS3_INCAST: [(f64, u64, u32, f64); 25] = [
    (100.0, 65_536, 2, 11.09264),
    (100.0, 65_536, 8, 42.78032),
    (100.0, 65_536, 32, 169.53104),
    (100.0, 65_536, 63, 333.25072),
    (100.0, 1_048_576, 2, 169.53104),
    (100.0, 1_048_576, 8, 676.53392),
    (100.0, 1_048_576, 32, 2704.54544),
    (100.0, 1_048_576, 63, 5324.06032),
    (400.0, 65_536, 2, 2.92316),
    (400.0, 65_536, 8, 10.84508),
    (400.0, 65_536, 32, 42.53276),
    (400.0, 65_536, 63, 83.46268),
    (400.0, 1_048_576, 2, 42.53276),
    (400.0, 1_048_576, 8, 169.28348),
    (400.0, 1_048_576, 32, 676.28636),
    (400.0, 1_048_576, 63, 1331.16508),
    (400.0, 16_777_216, 32, 10816.34396),
    (800.0, 65_536, 2, 1.56158),
    (800.0, 65_536, 8, 5.52254),
    (800.0, 65_536, 32, 21.36638),
    (800.0, 65_536, 63, 41.83134),
    (800.0, 1_048_576, 2, 21.36638),
    (800.0, 1_048_576, 8, 84.74174),
    (800.0, 1_048_576, 32, 338.24318),
    (800.0, 1_048_576, 63, 665.68254),
];
