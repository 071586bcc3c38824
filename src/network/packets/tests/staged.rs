//! Routers of stages: latency to the cycle, conservation of flits, circles of full buffers.

use std::sync::Arc;

use super::sample_machines::{NANOSECOND, SampleParts, booksim_torus, leaf_spine};
use crate::network::packets::{
    Aim, ClassRule, OfferedLoad, PacketError, PacketOutcome, PacketTraffic, RouteTable, Setting, Spacing, Watch, simulate,
};

/// Packets of four flits over a torus of 4 x 4, at a load in flits a node and cycle.
fn torus(senders: Vec<(u32, Aim)>, load: f64, setting: Setting) -> Result<PacketOutcome, PacketError> {
    let machine = booksim_torus(4, 8);
    let interval = NANOSECOND as f64 * 4.0 / load;
    let load = OfferedLoad {
        senders,
        interval,
        spacing: Spacing::Slotted(NANOSECOND),
        payload_bytes: 4,
        warm_up: 500 * NANOSECOND,
        until: 2000 * NANOSECOND,
        watched: None,
    };
    let setting = Setting { payload_bytes: 4, header_bytes: 0, flit_bytes: 1, class_rule: ClassRule::Crossing, ..setting };
    simulate(&machine, &RouteTable::shortest(&machine, true), &setting, PacketTraffic::Load(load), &Watch::default())
}

fn everyone() -> Vec<(u32, Aim)> {
    let receivers: Arc<[u32]> = (32..48).collect();
    (16..32).map(|host| (host, Aim::Among(Arc::clone(&receivers)))).collect()
}

/// Five cycles a router (routing, channel, switch, crossing, link), two to get in, three for the flits behind the first.
#[test]
fn a_packet_alone_takes_five_cycles_a_router() {
    let setting = Setting { virtual_channels: 2, classes: 2, ..Setting::default() };
    for (receiver, routers) in [(32, 1), (33, 2), (34, 3), (42, 5)] {
        let outcome = torus(vec![(16, Aim::At(receiver))], 0.01, setting).unwrap();
        let cycles = outcome.latency.mean() / NANOSECOND as f64;
        assert!((cycles - f64::from(5 * routers + 5)).abs() < 1e-9, "{cycles} cycles over {routers} routers");
    }
}

#[test]
fn flits_are_conserved_at_any_load() {
    for load in [0.1, 0.5, 1.0] {
        let outcome = torus(everyone(), load, Setting { virtual_channels: 4, classes: 2, ..Setting::default() }).unwrap();
        assert!(outcome.counts.sent > 0 && outcome.counts.sent.is_multiple_of(4));
        assert_eq!(outcome.counts.sent, outcome.counts.delivered);
        assert_eq!(outcome.held_bytes, 0);
    }
}

/// With one class packets wait for each other round the rings; the run ends and names the channels.
#[test]
fn routers_of_stages_lock_without_classes() {
    let error = torus(everyone(), 1.0, Setting::default()).unwrap_err();
    let PacketError::Deadlock { cycle, waiting } = error else { panic!("{error}") };
    assert!(cycle.len() >= 3 && waiting > 0, "{cycle:?}");
}

#[test]
fn flits_need_routers_of_stages() {
    let machine = leaf_spine(2, 2, 2, &SampleParts::at(400.0));
    let load = OfferedLoad {
        senders: vec![(0, Aim::At(3))],
        interval: 1e6,
        spacing: Spacing::Even,
        payload_bytes: 4096,
        warm_up: 0,
        until: 1_000_000,
        watched: None,
    };
    let setting = Setting { flit_bytes: 64, ..Setting::default() };
    let error = simulate(&machine, &RouteTable::shortest(&machine, false), &setting, PacketTraffic::Load(load), &Watch::default()).unwrap_err();
    assert_eq!(error, PacketError::Setting("flits need routers of stages".to_owned()));
}
