//! The channels of a fabric as the packet engine has them: rates, framing, delays, buffers and flow control.
//!
//! A buffer that its part does not state is assumed by a rule, and said.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;

use super::packet_options::PacketOptions;
use super::packets::{Channel, Control, picoseconds};
use crate::fabric::{Endpoint, Fabric, channel_latency, node_latency, wire_bytes};
use crate::input::document::FlowControl;
use crate::input::spec::LinkSpec;
use crate::units::{Bytes, Seconds};

/// Round trips of a link that an assumed buffer holds: one keeps the link busy, the second makes up for packets that leave unevenly.
const ASSUMED_ROUND_TRIPS: f64 = 2.0;

/// Packets that any assumed buffer holds.
const ASSUMED_PACKETS: f64 = 8.0;

pub(super) fn node_of(fabric: &Fabric, node: u32) -> &crate::fabric::Node {
    &fabric.graph[NodeIndex::new(node as usize)]
}

/// Name of the part at a node.
fn part_name(fabric: &Fabric, endpoint: Endpoint) -> String {
    match endpoint {
        Endpoint::Chip => fabric.chip.name.clone(),
        Endpoint::Switch(part) => fabric.switches[part as usize].switch.name.clone(),
        Endpoint::Nic(part) => fabric.nics[part as usize].1.name.clone(),
        Endpoint::Cpu(_) => "host processors".to_owned(),
        Endpoint::Memory(_) => "memory expanders".to_owned(),
    }
}

/// Whether a channel joins nodes of one tier that both pass traffic on, so that packets could wait for each other in a circle.
fn is_flat(fabric: &Fabric, from: u32, to: u32) -> bool {
    let (from, to) = (node_of(fabric, from), node_of(fabric, to));
    let tier = |node: &crate::fabric::Node| match node.endpoint {
        Endpoint::Switch(_) => 1 + u32::from(node.level),
        Endpoint::Chip | Endpoint::Cpu(_) | Endpoint::Nic(_) | Endpoint::Memory(_) => 0,
    };
    from.forwards && to.forwards && tier(from) == tier(to)
}

/// Turns the fabric's channels into those of the engine.
pub(super) struct Channels<'a> {
    pub fabric: &'a Fabric,
    pub options: &'a PacketOptions,
    pub payload: f64,
    /// Nodes that packets pass on their way to others.
    pub passing: &'a [bool],
    /// Whether routes close circles, so that virtual channels are needed.
    pub has_cycle: bool,
    pub notes: &'a mut Vec<String>,
}

impl Channels<'_> {
    pub fn all(mut self) -> Vec<Channel> {
        let steps = shortest_steps(self.fabric);
        let channels: Vec<crate::fabric::Channel> = self.fabric.channels().collect();
        (0_u32..).zip(channels).map(|(number, channel)| self.channel(number, channel, &steps)).collect()
    }

    fn channel(&mut self, number: u32, channel: crate::fabric::Channel, steps: &BTreeMap<u64, u32>) -> Channel {
        let fabric = self.fabric;
        let link = &fabric.links[channel.link as usize];
        let signalling = link.link.lane_rate.value.get() * f64::from(link.link.lanes) * f64::from(channel.count) * link.protocol.coding.value.get();
        let flits = link.protocol.flit.as_ref().map_or(1.0, |flit| flit.size.value / flit.payload.value);
        let framed = wire_bytes(&link.protocol, Bytes::new(self.payload)).get() / flits;
        let dimension = dimension(fabric, number).filter(|_| self.has_cycle && is_flat(fabric, channel.from, channel.to));
        let dateline = dimension.is_some_and(|dimension| steps.get(&dimension).is_some_and(|&step| channel.from.abs_diff(channel.to) > step));
        let byte_time = 1e12 * flits / signalling;
        let delay = channel_latency(&link.link);
        Channel {
            from: channel.from,
            to: channel.to,
            byte_time,
            overhead_bytes: (framed - self.payload).round() as u32,
            delay: picoseconds(delay),
            control: self.control(link, channel, byte_time, delay),
            // Levels and classes are few; both fit 16 bits.
            dimension: dimension.map(|dimension| (dimension >> 32 << 16 | dimension & 0xffff) as u32),
            dateline,
        }
    }

    /// Flow control of a channel; ends take what comes.
    fn control(&mut self, link: &LinkSpec, channel: crate::fabric::Channel, byte_time: f64, delay: Seconds) -> Control {
        let fabric = self.fabric;
        let to = node_of(fabric, channel.to);
        if !self.passing[channel.to as usize] {
            return Control::Unlimited;
        }
        let lanes = f64::from(link.link.lanes) * f64::from(channel.count);
        let (stated, name) = match to.endpoint {
            Endpoint::Switch(part) => {
                let switch = &fabric.switches[part as usize].switch;
                (switch.buffer.as_ref().map(|buffer| buffer.value.get() * lanes / f64::from(switch.lanes)), switch.name.clone())
            }
            Endpoint::Chip | Endpoint::Cpu(_) | Endpoint::Nic(_) | Endpoint::Memory(_) => (None, part_name(fabric, to.endpoint)),
        };
        let packet_time = self.payload * byte_time / 1e12;
        let node = node_latency(fabric, to.endpoint, Seconds::ZERO);
        let round_trip = 2.0 * packet_time + 2.0 * delay.get() + node.get();
        let assumed = (ASSUMED_ROUND_TRIPS * round_trip * 1e12 / byte_time).max(ASSUMED_PACKETS * self.payload);
        if stated.is_none() && self.options.port_buffer.is_none() {
            self.note(&name, assumed);
        }
        let buffer = self.options.port_buffer.map(Bytes::get).or(stated).unwrap_or(assumed).max(self.payload).min(f64::from(u32::MAX / 2));
        let buffer_bytes = buffer as u32;
        match link.protocol.flow_control.unwrap_or(FlowControl::Credits) {
            FlowControl::Credits => Control::Credits { buffer_bytes },
            FlowControl::Pause => {
                // What is still coming when a stop is sent: a round trip of the link and the packets at both ends.
                let headroom = (2.0 * delay.get() * 1e12 / byte_time + 2.0 * self.payload) as u32;
                let stop_bytes = buffer_bytes.saturating_sub(headroom).max(self.payload as u32);
                let buffer_bytes = buffer_bytes.max(stop_bytes + headroom);
                Control::Pause { buffer_bytes, stop_bytes, go_bytes: stop_bytes - stop_bytes / 5 }
            }
        }
    }

    fn note(&mut self, name: &str, bytes: f64) {
        let start = format!("{name}: no packet buffer stated; assumed ");
        if !self.notes.iter().any(|note| note.starts_with(&start)) {
            self.notes.push(format!("{start}{:.1} KiB a port, two round trips of its link or eight packets", bytes / 1024.0));
        }
    }
}

/// Level and class of a channel's edge, as the router's dimension order has them.
fn dimension(fabric: &Fabric, channel: u32) -> Option<u64> {
    let edge = fabric.graph.raw_edges().get(channel as usize / 2)?;
    Some(u64::from(edge.weight.level) << 32 | u64::from(edge.weight.class))
}

/// The smallest step between node numbers in each dimension: what is longer closes a ring.
fn shortest_steps(fabric: &Fabric) -> BTreeMap<u64, u32> {
    let mut steps = BTreeMap::new();
    for (number, channel) in (0_u32..).zip(fabric.channels()) {
        if let Some(dimension) = dimension(fabric, number) {
            let step = channel.from.abs_diff(channel.to);
            steps.entry(dimension).and_modify(|known: &mut u32| *known = step.min(*known)).or_insert(step);
        }
    }
    steps
}
