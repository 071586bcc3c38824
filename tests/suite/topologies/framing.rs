//! Payload over bytes on the wire, per cent, against a table of standard framing worked out by hand.

use supernode::fabric::wire_bytes;
use supernode::input::catalog::{Mention, find};
use supernode::input::document::{Protocol, ProtocolFile};
use supernode::input::extends::read_layers;
use supernode::input::file_cache::FileReader;
use supernode::units::Bytes;

fn protocol(name: &str) -> Protocol {
    let found = find::<ProtocolFile>(name, &Mention::on_command_line()).unwrap();
    let (mut protocol, ..) = read_layers::<ProtocolFile>(found, &FileReader::default()).unwrap();
    // The table counts one packet, however large.
    protocol.max_payload.value = Bytes::new(4096.0);
    protocol
}

fn percent(protocol: &Protocol, payload: f64) -> f64 {
    let payload = Bytes::new(payload);
    1000.0_f64.mul_add(protocol.coding.value.get() * (payload / wire_bytes(protocol, payload)), 0.0).round() / 10.0
}

#[test]
fn standard_framing() {
    let columns = ["rocev2", "ethernet-udp", "sue", "pcie5", "pcie6"].map(protocol);
    let table: [(f64, [f64; 5]); 7] = [
        (64.0, [43.8, 47.8, 65.3, 71.6, 73.8]),
        (128.0, [61.0, 64.6, 79.0, 82.9, 82.0]),
        (256.0, [75.7, 78.5, 88.3, 90.0, 86.8]),
        (512.0, [86.2, 88.0, 93.8, 94.1, 89.4]),
        (1024.0, [92.6, 93.6, 96.8, 96.2, 90.8]),
        (2048.0, [96.2, 96.7, 98.4, 97.3, 91.5]),
        (4096.0, [98.0, 98.3, 99.2, 97.9, 91.8]),
    ];
    for (payload, row) in table {
        for (protocol, printed) in columns.iter().zip(row) {
            let ours = percent(protocol, payload);
            assert!((ours - printed).abs() < 0.11, "{} at {payload} B: {ours} against {printed}", protocol.name);
        }
    }
}

/// 93 % at the largest request, as the consortium says.
#[test]
fn ualink_peak() {
    let ualink = protocol("ualink");
    assert!((percent(&ualink, 256.0) - 93.0).abs() < 0.11);
}

/// A second packet brings a second header.
#[test]
fn messages_are_cut_into_packets() {
    let mut rocev2 = protocol("rocev2");
    rocev2.max_payload.value = Bytes::new(1024.0);
    assert_eq!(wire_bytes(&rocev2, Bytes::new(1024.0)).get(), 1106.0);
    assert_eq!(wire_bytes(&rocev2, Bytes::new(1025.0)).get(), 1189.0);
}

#[test]
fn a_flit_holds_no_more_than_it_is_long() {
    let protocol = "schema = 1\n\n[protocol]\nname = \"p\"\ncoding = 1.0\nmax_payload = \"64 B\"\npacket_overhead = \"16 B\"\n";
    let project =
        crate::command::Project::new("framing-flit").file("p.toml", &format!("{protocol}flit = {{ size = \"200 B\", payload = \"240 B\" }}\n"));
    let error = project.run(&["check", "p.toml"]).error();
    assert!(error.contains("p.toml:8") && error.contains("a flit of 200 B has no room for 240 B of payload"), "{error}");
}
