//! Packets on a real fabric: every channel, switch and chip of the graph with the figures of its part, on the router's paths.
//!
//! What parts do not state is assumed by a rule, and said: see [`PacketLevel::notes`].

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;

use super::flows::{Flow, Span};
use super::group::Group;
use super::network::Network;
use super::packets::{
    Allocator, Channel, Choice, ClassRule, Control, Forwarding, LinkRetry, Load, Machine, Message, Node, Outcome, PacketError, Queueing, Recovery,
    RouteTable, Setting, Time, Traffic, Turn, Watch, simulate,
};
use super::pattern::Pattern;
use crate::fabric::{Endpoint, Fabric, Policy, channel_latency, node_latency, wire_bytes};
use crate::input::document::{self, FlowControl, SwitchQueueing};
use crate::input::spec::LinkSpec;
use crate::units::{Bytes, Seconds};

/// Round trips of a link that an assumed buffer holds: one keeps the link busy, the second makes up for packets that leave unevenly.
const ASSUMED_ROUND_TRIPS: f64 = 2.0;

/// Packets that any assumed buffer holds.
const ASSUMED_PACKETS: f64 = 8.0;

/// Packets of one message from which on a run of equal messages is extrapolated, and of the longer of the two runs that do so.
const LONG_MESSAGE_PACKETS: u64 = 96;

/// Packets of all messages up to which nothing is extrapolated.
const FULL_PACKETS: u64 = 4_000_000;

/// In which order a chip sends to its partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rotation {
    /// To the next rank first, and round the group: no two chips send to one at once.
    #[default]
    Rotated,
    /// All to rank 0 first, then to rank 1 and so on.
    Same,
}

/// What a run of packets may change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PacketOptions {
    /// Payload of a packet; that of the protocol if absent.
    pub packet: Option<Bytes>,
    /// Buffer of each switch port, for one virtual channel; that of the switch's file if absent.
    pub port_buffer: Option<Bytes>,
    /// Where packets wait in switches; as the switch's file says if absent.
    pub queueing: Option<SwitchQueueing>,
    /// Chance that a bit arrives damaged.
    pub bit_error_rate: f64,
    /// Order of a chip's partners.
    pub rotation: Rotation,
    /// One partner after the other instead of a packet for each in turn.
    pub one_by_one: bool,
    /// Of random draws.
    pub seed: u64,
}

/// A fabric ready for packets.
#[derive(Clone, Debug)]
pub struct PacketLevel {
    machine: Machine,
    routes: RouteTable,
    setting: Setting,
    rotation: Rotation,
    notes: Vec<String>,
}

/// A pattern played with packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Played {
    /// Until the last byte has arrived.
    pub time: Seconds,
    /// Packets over channels, in all runs.
    pub hops: u64,
    /// Packets of each message that were simulated, where the rest was extrapolated from the steady state.
    pub extrapolated_from: Option<u64>,
}

/// Whole picoseconds.
#[must_use]
pub fn picoseconds(time: Seconds) -> Time {
    (time.get() * 1e12).round() as Time
}

fn seconds(time: Time) -> Seconds {
    Seconds::new(time as f64 / 1e12)
}

impl PacketLevel {
    /// Lays packets' paths to the given chips.
    ///
    /// # Errors
    /// A routing policy that packets do not follow.
    pub fn new(network: &Network<'_>, destinations: &[u32], options: &PacketOptions) -> Result<Self, PacketError> {
        let policy = network.router().policy();
        let fabric = network.fabric();
        let mut notes = Vec::new();
        let choice = match policy {
            Policy::Spray | Policy::DimensionOrder => Choice::Spray,
            Policy::Ecmp { seed } => Choice::Hashed { seed },
            Policy::Adaptive => {
                notes.push("adaptive routing takes the shortest path with the fewest bytes waiting; detours are not simulated".to_owned());
                Choice::ShortestQueue
            }
            Policy::Striped { .. } | Policy::AllPaths | Policy::Valiant => {
                let message = format!("routing `{policy}` is not simulated with packets; use spray, ecmp:SEED, dimension-order or adaptive");
                return Err(PacketError::Setting(message));
            }
        };
        let payload = options.packet.map_or_else(|| longest_payload(fabric), |bytes| bytes.get().max(1.0));
        let (routes, longest) = next_hops(network, destinations);
        let is_flat = fabric.channels().any(|channel| is_flat(fabric, channel.from, channel.to));
        let (classes, class_rule) = match (is_flat, policy) {
            (false, _) => (1, ClassRule::Dateline),
            (true, Policy::DimensionOrder) => (2, ClassRule::Dateline),
            (true, _) => (u8::try_from(longest).unwrap_or(u8::MAX).max(1), ClassRule::Hops),
        };
        if is_flat {
            notes.push(format!("chips pass traffic on: {classes} virtual channels keep packets from waiting in circles"));
        }
        let channels = Channels { fabric, options, payload, notes: &mut notes }.all();
        let nodes = fabric.graph.node_weights().map(|node| Node {
            latency: picoseconds(node_latency(fabric, node.endpoint, Seconds::ZERO)),
            forwarding: forwarding(fabric, node.endpoint),
            queueing: queueing(fabric, node.endpoint, options),
            allocator: Allocator::Ideal,
            is_end: node.endpoint == Endpoint::Chip,
            forwards: node.forwards,
        });
        let machine = Machine { nodes: nodes.collect(), channels };
        let link_retry = fabric.links.iter().filter_map(|link| link.protocol.link_retry).next();
        let mut setting = Setting {
            payload_bytes: payload as u32,
            header_bytes: 0,
            virtual_channels: classes,
            classes,
            class_rule,
            choice,
            turn: if options.one_by_one { Turn::InOrder } else { Turn::RoundRobin },
            bit_error_rate: options.bit_error_rate,
            link_retry: link_retry.map_or(LinkRetry::None, |retry| match retry {
                document::LinkRetry::GoBackN => LinkRetry::GoBackN,
                document::LinkRetry::Selective => LinkRetry::Selective,
            }),
            recovery: if options.bit_error_rate > 0.0 { Recovery::Selective } else { Recovery::None },
            seed: options.seed,
            ..Setting::default()
        };
        if let Some(window) = &fabric.chip.io.load_store_window {
            setting.window_packets = (window.value.get() / payload).floor().max(1.0) as u32;
            setting.acknowledgement_bytes = 1;
        }
        Ok(Self { machine, routes, setting, rotation: options.rotation, notes })
    }

    /// What was assumed, a sentence each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Payload of a full packet.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        Bytes::new(f64::from(self.setting.payload_bytes))
    }

    /// Runs flows to their ends; rates of flows are not capped.
    ///
    /// # Errors
    /// Chips that are not joined, packets that wait for each other in a circle.
    pub fn run(&self, flows: &[Flow]) -> Result<Vec<Span>, PacketError> {
        let messages = flows.iter().map(|flow| Message {
            source: flow.source,
            destination: flow.destination,
            bytes: flow.bytes.get().ceil() as u64,
            start: picoseconds(flow.start),
            after: flow.after.clone(),
        });
        let outcome = self.messages(messages.collect())?;
        Ok(outcome.arrivals.iter().map(|arrival| Span { start: seconds(arrival.start), end: seconds(arrival.end) }).collect())
    }

    /// Sends messages.
    ///
    /// # Errors
    /// As [`PacketLevel::run`].
    pub fn messages(&self, messages: Vec<Message>) -> Result<Outcome, PacketError> {
        simulate(&self.machine, &self.routes, &self.setting, Traffic::Messages(messages), &Watch::default())
    }

    /// Sends packets at a given rate.
    ///
    /// # Errors
    /// As [`PacketLevel::run`].
    pub fn load(&self, load: Load, watch: &Watch) -> Result<Outcome, PacketError> {
        simulate(&self.machine, &self.routes, &self.setting, Traffic::Load(load), watch)
    }

    /// Plays a pattern once, `bytes` for each unit of weight. Long equal messages are not sent to their ends: once all senders are busy
    /// the time grows by the same with every packet, so two runs of shorter messages give the rest.
    ///
    /// # Errors
    /// Patterns that switches carry out, and as [`PacketLevel::run`].
    pub fn play(&self, group: &Group, pattern: Pattern, bytes: Bytes) -> Result<Played, PacketError> {
        self.play_skewed(group, pattern, bytes, 1.0)
    }

    /// As [`PacketLevel::play`], where the first rank receives `imbalance` times the mean and all others the same less.
    ///
    /// # Errors
    /// As [`PacketLevel::play`].
    pub fn play_skewed(&self, group: &Group, pattern: Pattern, bytes: Bytes, imbalance: f64) -> Result<Played, PacketError> {
        if matches!(pattern, Pattern::Aggregate { .. }) {
            return Err(PacketError::Setting(
                "reduction and multicast in switches are not simulated with packets; choose an algorithm without".into(),
            ));
        }
        let packets = (bytes.get() / f64::from(self.setting.payload_bytes)).ceil() as u64;
        let pairs = self.pairs(group, pattern, imbalance);
        let in_all = packets * pairs.len() as u64;
        let run = |bytes: f64| {
            let messages = pairs.iter().map(|&(source, destination, weight)| {
                let bytes = (bytes * weight).ceil() as u64;
                Message { source, destination, bytes, start: 0, after: Vec::new() }
            });
            let outcome = self.messages(messages.collect())?;
            let last = outcome.arrivals.iter().map(|arrival| arrival.end).max().unwrap_or(0);
            Ok((last, outcome.counts.hops))
        };
        if packets <= LONG_MESSAGE_PACKETS || in_all <= FULL_PACKETS {
            let (last, hops) = run(bytes.get())?;
            return Ok(Played { time: seconds(last), hops, extrapolated_from: None });
        }
        let payload = f64::from(self.setting.payload_bytes);
        let (short, long) = (LONG_MESSAGE_PACKETS / 2, LONG_MESSAGE_PACKETS);
        let ((first, first_hops), (second, second_hops)) = (run(short as f64 * payload)?, run(long as f64 * payload)?);
        let per_packet = (second as f64 - first as f64) / (long - short) as f64;
        let time = second as f64 + per_packet * (bytes.get() / payload - long as f64);
        Ok(Played { time: Seconds::new(time / 1e12), hops: first_hops + second_hops, extrapolated_from: Some(long) })
    }

    /// Senders, receivers and weights in the order in which each sender serves them.
    fn pairs(&self, group: &Group, pattern: Pattern, imbalance: f64) -> Vec<(u32, u32, f64)> {
        let ranks = group.ranks();
        let mut pairs = Vec::new();
        let cold = (f64::from(ranks) - imbalance) / (f64::from(ranks) - 1.0);
        for receiver in 0..ranks {
            let skew = if receiver == 0 { imbalance } else { cold };
            pattern.each_sender(group, receiver, |sender, weight| {
                let place = match self.rotation {
                    Rotation::Rotated => (receiver + ranks - sender) % ranks,
                    Rotation::Same => receiver,
                };
                pairs.push((sender, place, receiver, weight * skew));
            });
        }
        pairs.sort_by_key(|&(sender, place, ..)| (sender, place));
        pairs.into_iter().map(|(sender, _, receiver, weight)| (group.chip(sender), group.chip(receiver), weight)).collect()
    }

    /// Channels and nodes, as the engine has them.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }
}

fn node_of(fabric: &Fabric, node: u32) -> &crate::fabric::Node {
    &fabric.graph[NodeIndex::new(node as usize)]
}

/// Largest payload among the links that join chips, switches and NICs. Links with smaller packets carry several for one of these.
fn longest_payload(fabric: &Fabric) -> f64 {
    let joins = |node: u32| matches!(node_of(fabric, node).endpoint, Endpoint::Chip | Endpoint::Switch(_) | Endpoint::Nic(_));
    let links = fabric.channels().filter(|channel| joins(channel.from) && joins(channel.to)).map(|channel| channel.link);
    let payloads = links.map(|link| fabric.links[link as usize].protocol.max_payload.value.get());
    payloads.fold(1.0, f64::max).floor()
}

/// Next hops towards the given chips, and the links of the longest path.
fn next_hops(network: &Network<'_>, destinations: &[u32]) -> (RouteTable, u32) {
    let router = network.router();
    let mut routes = router.routes();
    let mut longest = 0;
    let table = RouteTable::new(router.nodes(), destinations, |destination| {
        routes.towards_all(destination);
        longest = (0..network.fabric().chips).filter_map(|chip| routes.hops(chip)).max().unwrap_or(0).max(longest);
        let mut by_node: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        for (node, channel, count) in routes.next_hops() {
            by_node.entry(node).or_default().push((channel, count));
        }
        let weighted = |(node, ways): (u32, Vec<(u32, u32)>)| {
            let common = ways.iter().fold(0, |common, way| greatest_common_divisor(common, way.1));
            ways.into_iter().flat_map(move |(channel, count)| std::iter::repeat_n((node, channel), (count / common.max(1)) as usize))
        };
        by_node.into_iter().flat_map(weighted).collect()
    });
    (table, longest)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
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

fn forwarding(fabric: &Fabric, endpoint: Endpoint) -> Forwarding {
    // A switch's latency is from first bit to first bit: it has read the header by then.
    let cut_through = Forwarding::CutThrough { header_bytes: 0 };
    match endpoint {
        Endpoint::Switch(part) => match fabric.switches[part as usize].switch.forwarding {
            document::Forwarding::CutThrough => cut_through,
            document::Forwarding::StoreAndForward => Forwarding::StoreAndForward,
        },
        Endpoint::Chip | Endpoint::Cpu(_) | Endpoint::Nic(_) | Endpoint::Memory(_) => cut_through,
    }
}

fn queueing(fabric: &Fabric, endpoint: Endpoint, options: &PacketOptions) -> Queueing {
    let stated = match endpoint {
        Endpoint::Switch(part) => options.queueing.or(fabric.switches[part as usize].switch.queueing),
        Endpoint::Chip | Endpoint::Cpu(_) | Endpoint::Nic(_) | Endpoint::Memory(_) => None,
    };
    match stated.unwrap_or(SwitchQueueing::Output) {
        SwitchQueueing::Output => Queueing::Output,
        SwitchQueueing::InputFifo => Queueing::InputFifo,
        SwitchQueueing::VirtualOutput => Queueing::VirtualOutput,
    }
}

/// Turns the fabric's channels into those of the engine.
struct Channels<'a> {
    fabric: &'a Fabric,
    options: &'a PacketOptions,
    payload: f64,
    notes: &'a mut Vec<String>,
}

impl Channels<'_> {
    fn all(mut self) -> Vec<Channel> {
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
        let dimension = dimension(fabric, number).filter(|_| is_flat(fabric, channel.from, channel.to));
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
        if !to.forwards {
            return Control::Unlimited;
        }
        let lanes = f64::from(link.link.lanes) * f64::from(channel.count);
        let (stated, name) = match to.endpoint {
            Endpoint::Switch(part) => {
                let switch = &fabric.switches[part as usize].switch;
                (switch.buffer.as_ref().map(|buffer| buffer.value.get() * lanes / f64::from(switch.lanes)), switch.name.clone())
            }
            Endpoint::Chip | Endpoint::Cpu(_) | Endpoint::Nic(_) | Endpoint::Memory(_) => (None, "chips that pass traffic on".to_owned()),
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
            self.notes.push(format!("{start}{:.1} KiB a port, two round trips of its link", bytes / 1024.0));
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
