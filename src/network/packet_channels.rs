//! The channels of a fabric as the packet engine has them: rates, framing, delays, buffers and flow control.
//!
//! A buffer that its part does not state is assumed by a rule, and said.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;

use super::packet_options::{BitErrors, PacketOptions};
use super::packets::{Control, LinkErrors, PacketChannel, RetryScheme, picoseconds};
use crate::fabric::{Endpoint, Fabric, channel_latency, node_latency, wire_bytes};
use crate::input::document::{self, FlowControl};
use crate::input::spec::LinkSpec;
use crate::units::{Bytes, Seconds};

/// Round trips of a link that an assumed buffer holds: one keeps the link busy, the second makes up for packets that leave unevenly.
const ASSUMED_ROUND_TRIPS: f64 = 2.0;

/// Packets that any assumed buffer holds.
const ASSUMED_PACKETS: f64 = 8.0;

/// Where packets go on from chip to chip, those for a busy channel must not keep others from an idle one: a buffer has such a part for each
/// channel that leads on.
const EACH: &str = ", for each channel on which chips pass packets on";

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
    fabric: &'a Fabric,
    options: &'a PacketOptions,
    payload: f64,
    /// Nodes that packets pass on their way to others.
    passing: &'a [bool],
    /// Whether routes close circles, so that virtual channels are needed.
    has_cycle: bool,
    /// Channels by which each node passes packets on to nodes of its own tier, if routes close circles among them.
    ways_on: Vec<u32>,
    notes: &'a mut Vec<String>,
}

impl<'a> Channels<'a> {
    pub fn new(
        fabric: &'a Fabric,
        options: &'a PacketOptions,
        payload: f64,
        passing: &'a [bool],
        has_cycle: bool,
        notes: &'a mut Vec<String>,
    ) -> Self {
        let mut ways_on = vec![0; passing.len()];
        for channel in fabric.channels().filter(|channel| has_cycle && is_flat(fabric, channel.from, channel.to)) {
            ways_on[channel.from as usize] += 1;
        }
        Self { fabric, options, payload, passing, has_cycle, ways_on, notes }
    }

    pub fn all(mut self) -> Vec<PacketChannel> {
        let steps = shortest_steps(self.fabric);
        let channels: Vec<crate::fabric::Channel> = self.fabric.channels().collect();
        (0_u32..).zip(channels).map(|(number, channel)| self.channel(number, channel, &steps)).collect()
    }

    fn channel(&mut self, number: u32, channel: crate::fabric::Channel, steps: &BTreeMap<u64, u32>) -> PacketChannel {
        let fabric = self.fabric;
        let link = &fabric.links[channel.link as usize];
        let signalling = link.link.lane_rate.value.get() * f64::from(link.link.lanes) * f64::from(channel.count) * link.protocol.coding.value.get();
        let flits = link.protocol.flit.as_ref().map_or(1.0, |flit| flit.size.value / flit.payload.value);
        let framed = wire_bytes(&link.protocol, Bytes::new(self.payload)).get() / flits;
        let dimension = dimension(fabric, number).filter(|_| self.has_cycle && is_flat(fabric, channel.from, channel.to));
        let dateline = dimension.is_some_and(|dimension| steps.get(&dimension).is_some_and(|&step| channel.from.abs_diff(channel.to) > step));
        let byte_time = 1e12 * flits / signalling;
        let delay = channel_latency(&link.link);
        PacketChannel {
            from: channel.from,
            to: channel.to,
            byte_time,
            overhead_bytes: (framed - self.payload).round() as u32,
            delay: picoseconds(delay),
            control: self.control(link, channel, byte_time, delay),
            // Levels and classes are few; both fit 16 bits.
            dimension: dimension.map(|dimension| (dimension >> 32 << 16 | dimension & 0xffff) as u32),
            dateline,
            errors: Some(self.errors(number, link)),
        }
    }

    /// Bit errors of a channel and their repair, those of its protocol unless the options say otherwise.
    fn errors(&self, number: u32, link: &LinkSpec) -> LinkErrors {
        let stated = || link.protocol.bit_error_rate.as_ref().map_or(0.0, |rate| rate.value.get());
        let is_faulty = self.options.faulty_link > 0.0 && self.fabric.channels().position(|channel| channel.from == 0) == Some(number as usize & !1);
        let bit_error_rate = match self.options.bit_errors {
            _ if is_faulty => self.options.faulty_link,
            BitErrors::None => 0.0,
            BitErrors::Stated => stated(),
            BitErrors::Rate(rate) => rate,
        };
        let retry = link.protocol.link_retry.map_or(RetryScheme::None, |retry| match retry {
            document::LinkRetry::GoBackN => RetryScheme::GoBackN,
            document::LinkRetry::Selective => RetryScheme::Selective,
        });
        LinkErrors { bit_error_rate, retry }
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
        let of_one = (ASSUMED_ROUND_TRIPS * round_trip * 1e12 / byte_time).max(ASSUMED_PACKETS * self.payload);
        let assumed = of_one * f64::from(self.ways_on[channel.to as usize].max(1));
        if stated.is_none() && self.options.port_buffer.is_none() {
            self.note(&name, assumed, of_one < assumed);
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

    fn note(&mut self, name: &str, bytes: f64, for_each: bool) {
        let start = format!("{name}: no packet buffer stated; assumed ");
        if !self.notes.iter().any(|note| note.starts_with(&start)) {
            self.notes.push(format!(
                "{start}{:.1} KiB a port, two round trips of its link or eight packets{}",
                bytes / 1024.0,
                if for_each { EACH } else { "" }
            ));
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
