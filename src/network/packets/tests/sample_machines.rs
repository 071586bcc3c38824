//! Small machines of hosts and switches, and what they send.

use crate::network::packets::{Allocator, Control, Message, PacketChannel, PacketForwarding, PacketMachine, PacketNode, Queueing};

pub const NANOSECOND: u64 = 1000;

/// What all links and switches of a machine have in common.
#[derive(Clone, Copy)]
pub struct SampleParts {
    pub gigabits: f64,
    pub delay: u64,
    pub latency: u64,
    pub control: Control,
    pub queueing: Queueing,
    pub forwarding: PacketForwarding,
}

impl SampleParts {
    /// Links of 100 ns, store-and-forward switches of 250 ns that queue at their outputs and never run full.
    pub fn at(gigabits: f64) -> Self {
        Self {
            gigabits,
            delay: 100 * NANOSECOND,
            latency: 250 * NANOSECOND,
            control: Control::Unlimited,
            queueing: Queueing::Output,
            forwarding: PacketForwarding::StoreAndForward,
        }
    }

    pub fn host(&self) -> PacketNode {
        PacketNode { latency: 0, forwarding: self.forwarding, queueing: Queueing::Output, allocator: Allocator::Ideal, is_end: true, forwards: false }
    }

    pub fn switch(&self) -> PacketNode {
        PacketNode {
            latency: self.latency,
            forwarding: self.forwarding,
            queueing: self.queueing,
            allocator: Allocator::Ideal,
            is_end: false,
            forwards: true,
        }
    }

    /// Both directions.
    pub fn link(&self, from: u32, to: u32) -> [PacketChannel; 2] {
        let byte_time = 8000.0 / self.gigabits;
        let channel = |from, to| PacketChannel {
            from,
            to,
            byte_time,
            overhead_bytes: 0,
            delay: self.delay,
            control: self.control,
            dimension: None,
            dateline: false,
            errors: None,
        };
        [channel(from, to), channel(to, from)]
    }
}

/// Hosts `0..hosts` on one switch.
pub fn one_switch(hosts: u32, parts: &SampleParts) -> PacketMachine {
    let mut nodes = vec![parts.host(); hosts as usize];
    nodes.push(parts.switch());
    PacketMachine { nodes, channels: (0..hosts).flat_map(|host| parts.link(host, hosts)).collect() }
}

/// Leaves with as many hosts each, all leaves joined to all spines.
pub fn leaf_spine(leaves: u32, hosts_per_leaf: u32, spines: u32, parts: &SampleParts) -> PacketMachine {
    let hosts = leaves * hosts_per_leaf;
    let mut nodes = vec![parts.host(); hosts as usize];
    nodes.extend(vec![parts.switch(); (leaves + spines) as usize]);
    let down = (0..hosts).flat_map(|host| parts.link(host, hosts + host / hosts_per_leaf));
    let up = (0..leaves).flat_map(|leaf| (0..spines).flat_map(move |spine| parts.link(hosts + leaf, hosts + leaves + spine)));
    PacketMachine { nodes, channels: down.chain(up).collect() }
}

pub fn message(source: u32, destination: u32, bytes: u64) -> Message {
    Message { source, destination, bytes, start: 0, after: Vec::new() }
}

/// Hosts `1..=senders` to host 0.
pub fn incast(senders: u32, bytes: u64) -> Vec<Message> {
    (1..=senders).map(|sender| message(sender, 0, bytes)).collect()
}

/// Every host to every other, each beginning with its neighbour.
pub fn all_to_all(hosts: u32, bytes: u64) -> Vec<Message> {
    (0..hosts).flat_map(|host| (1..hosts).map(move |step| message(host, (host + step) % hosts, bytes))).collect()
}

/// As many senders as receivers around one switch of so many ports: senders are nodes `0..ports`, receivers `ports..2 * ports`.
pub fn crossbar(ports: u32, parts: &SampleParts) -> PacketMachine {
    let mut nodes = vec![parts.host(); 2 * ports as usize];
    nodes.push(parts.switch());
    let into = (0..ports).map(|host| parts.link(host, 2 * ports)[0]);
    let out = (ports..2 * ports).map(|host| parts.link(host, 2 * ports)[1]);
    PacketMachine { nodes, channels: into.chain(out).collect() }
}

/// A ring of switches with a host each; the host of switch `n` is node `switches + n`. Packets go one way around.
pub fn one_way_ring(switches: u32, parts: &SampleParts, dateline: bool) -> PacketMachine {
    let mut nodes = vec![parts.switch(); switches as usize];
    nodes.extend(vec![parts.host(); switches as usize]);
    let around = (0..switches).map(|switch| {
        let next = (switch + 1) % switches;
        PacketChannel { dimension: Some(0), dateline: dateline && next == 0, ..parts.link(switch, next)[0] }
    });
    let hosts = (0..switches).flat_map(|switch| parts.link(switches + switch, switch));
    PacketMachine { nodes, channels: around.chain(hosts).collect() }
}

/// A torus of `width` x `width` routers with an injecting and a receiving host each, as BookSim 2 has it: flits of one byte, one a
/// nanosecond; routers of stages and a cycle on each link; buffers of so many flits a virtual channel. Routers are nodes
/// `0..n`, injecting hosts `n..2 n`, receiving ones `2 n..3 n`.
pub fn booksim_torus(width: u32, buffer_flits: u32) -> PacketMachine {
    let cycle = NANOSECOND;
    let count = width * width;
    let control = Control::Credits { buffer_bytes: buffer_flits };
    let parts = SampleParts { gigabits: 8.0, delay: cycle, latency: 0, control, queueing: Queueing::InputFifo, ..SampleParts::at(8.0) };
    let mut nodes = vec![PacketNode { allocator: Allocator::Staged { cycle }, ..parts.switch() }; count as usize];
    nodes.extend(vec![parts.host(); 2 * count as usize]);
    let ring = move |from: u32, to: u32, dimension: u32, step: u32| {
        let dateline = from.abs_diff(to) > step;
        parts.link(from, to).map(|channel| PacketChannel { dimension: Some(dimension), dateline, ..channel })
    };
    let routers = (0..count).flat_map(move |router| {
        let (x, y) = (router % width, router / width);
        let right = ring(router, y * width + (x + 1) % width, 0, 1);
        let up = ring(router, (y + 1) % width * width + x, 1, width);
        right.into_iter().chain(up)
    });
    let hosts = (0..count).flat_map(move |router| {
        let out = PacketChannel { control: Control::Unlimited, ..parts.link(router, 2 * count + router)[0] };
        [parts.link(count + router, router)[0], out]
    });
    PacketMachine { nodes, channels: routers.chain(hosts).collect() }
}
