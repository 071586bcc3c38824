//! Packets on a real fabric: every channel, switch and chip of the graph with the figures of its part, on the router's paths.
//!
//! What parts do not state is assumed by a rule, and said: see [`PacketLevel::notes`].

use std::collections::BTreeMap;

use super::flows::{Flow, FlowSpan};
use super::group::Group;
use super::network::Network;
use super::packet_channels::{Channels, node_of};
use super::packet_options::{PacketOptions, SendOrder};
use super::packets::{
    Allocator, ClassRule, Dependencies, FlowOrder, Message, NextHopChoice, OfferedLoad, PacketError, PacketForwarding, PacketMachine, PacketNode,
    PacketOutcome, PacketTraffic, PicosecondTime, Queueing, Recovery, Reduction, RouteTable, Setting, Watch, mix, picoseconds, simulate,
};
use super::pattern::TrafficPattern;
use super::switch_trees::SwitchTree;
use crate::fabric::{Endpoint, Fabric, RoutingPolicy, node_latency, node_names};
use crate::input::document::{self, SwitchQueueing};
use crate::units::{Bytes, Seconds};

/// Packets of one message at most in the longer of the two runs from which the steady state is read, and at least.
const LONG_MESSAGE_PACKETS: u64 = 96;
const SHORT_MESSAGE_PACKETS: u64 = 8;

/// Packets that each sender sends in that run, all its messages together: enough for the steady state of a sender with many partners.
const STEADY_PACKETS: u64 = 6144;

/// Packets of all messages up to which nothing is extrapolated.
const FULL_PACKETS: u64 = 4_000_000;

/// A fabric ready for packets.
#[derive(Clone, Debug)]
pub struct PacketLevel {
    machine: PacketMachine,
    routes: RouteTable,
    setting: Setting,
    rotation: SendOrder,
    to_the_end: bool,
    /// Children of each level, innermost first.
    level_sizes: Vec<u32>,
    node_names: Vec<String>,
    /// Virtual channels that keep packets from waiting for each other.
    classes_needed: u8,
    notes: Vec<String>,
}

/// A pattern played with packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlayedPattern {
    /// Until the last byte has arrived.
    pub time: Seconds,
    /// Packets over channels, in all runs.
    pub hops: u64,
    /// Packets of each message that were simulated, where the rest was extrapolated from the steady state.
    pub extrapolated_from: Option<u64>,
}

fn seconds(time: PicosecondTime) -> Seconds {
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
            RoutingPolicy::Spray | RoutingPolicy::DimensionOrder => NextHopChoice::Spray,
            RoutingPolicy::Ecmp { seed } => NextHopChoice::Hashed { seed },
            RoutingPolicy::Adaptive => {
                notes.push("adaptive routing takes the shortest path with the fewest bytes waiting; detours are not simulated".to_owned());
                NextHopChoice::ShortestQueue
            }
            RoutingPolicy::Striped { .. } | RoutingPolicy::AllPaths | RoutingPolicy::Valiant => {
                let message = format!("routing `{policy}` is not simulated with packets; use spray, ecmp:SEED, dimension-order or adaptive");
                return Err(PacketError::Setting(message));
            }
        };
        let payload = options.packet.map_or_else(|| longest_payload(fabric), |bytes| bytes.get().max(1.0));
        let (routes, longest) = next_hops(network, destinations);
        let far_ends: Vec<u32> = fabric.channels().map(|channel| channel.to).collect();
        let Dependencies { passing, has_cycle } = routes.dependencies(&far_ends);
        let nodes = fabric.graph.node_weights().map(|node| PacketNode {
            latency: picoseconds(node_latency(fabric, node.endpoint, Seconds::ZERO)),
            forwarding: forwarding(fabric, node.endpoint),
            queueing: queueing(fabric, node.endpoint, options),
            allocator: Allocator::Ideal,
            is_end: node.endpoint == Endpoint::Chip,
            forwards: node.forwards,
        });
        let (needed, class_rule) = match (has_cycle, policy) {
            (false, _) => (1, ClassRule::Dateline),
            (true, RoutingPolicy::DimensionOrder) => (2, ClassRule::Dateline),
            (true, _) => (u8::try_from(longest).unwrap_or(u8::MAX).max(1), ClassRule::Hops),
        };
        if options.port_buffer.is_some_and(|buffer| buffer.get() < payload) {
            notes.push(format!("a buffer holds at least one packet, {payload} B"));
        }
        let virtual_channels = options.virtual_channels.unwrap_or(needed);
        let classes = needed.min(virtual_channels);
        if has_cycle {
            notes.push(format!("routes close circles: {needed} virtual channels keep packets from waiting for each other"));
        }
        let channels = Channels::new(fabric, options, payload, &passing, has_cycle, &mut notes).all();
        // Loads and stores in flight hold senders back inside a scale-up domain only, as at flow level.
        let domain = network.domain_chips();
        let stays = destinations.iter().all(|chip| chip / domain == destinations[0] / domain);
        let setting = Setting { virtual_channels, classes, class_rule, choice, ..setting(fabric, options, payload, stays) };
        Ok(Self {
            machine: PacketMachine { nodes: nodes.collect(), channels },
            routes,
            setting,
            rotation: options.rotation,
            to_the_end: options.to_the_end,
            level_sizes: fabric.level_sizes.clone(),
            node_names: node_names(fabric),
            classes_needed: needed,
            notes,
        })
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

    /// Time of a full packet on the first chip's slowest channel.
    #[must_use]
    pub fn packet_time(&self) -> Seconds {
        let own = self.machine.channels.iter().filter(|channel| channel.from == 0);
        let bytes = f64::from(self.setting.payload_bytes);
        Seconds::new(own.map(|channel| channel.byte_time * (bytes + f64::from(channel.overhead_bytes))).fold(0.0, f64::max) / 1e12)
    }

    /// Runs flows to their ends; rates of flows are not capped.
    ///
    /// # Errors
    /// Chips that are not joined, packets that wait for each other in a circle.
    pub fn run(&self, flows: &[Flow]) -> Result<Vec<FlowSpan>, PacketError> {
        Ok(self.run_watched(flows, 0, Vec::new())?.0)
    }

    /// As [`PacketLevel::run`], with a look at the queues of each group of channels every so many picoseconds; 0 for none.
    ///
    /// # Errors
    /// As [`PacketLevel::run`].
    pub(super) fn run_watched(&self, flows: &[Flow], every: PicosecondTime, groups: Vec<u32>) -> Result<(Vec<FlowSpan>, PacketOutcome), PacketError> {
        let messages = flows.iter().map(|flow| Message {
            source: flow.source,
            destination: flow.destination,
            bytes: flow.bytes.get().ceil() as u64,
            start: picoseconds(flow.start),
            after: flow.after.clone(),
        });
        let traffic = PacketTraffic::Messages(messages.collect());
        let outcome = self.simulate(traffic, &Watch { every, groups })?;
        let spans = outcome.arrivals.iter().map(|arrival| FlowSpan { start: seconds(arrival.start), end: seconds(arrival.end) }).collect();
        Ok((spans, outcome))
    }

    /// Runs traffic; channels that lock have their names.
    fn simulate(&self, traffic: PacketTraffic, watch: &Watch) -> Result<PacketOutcome, PacketError> {
        simulate(&self.machine, &self.routes, &self.setting, traffic, watch).map_err(|error| match error {
            PacketError::Deadlock { cycle, waiting } => {
                let name = |number: &u32| {
                    let channel = &self.machine.channels[*number as usize];
                    format!("{} -> {}", self.node_names[channel.from as usize], self.node_names[channel.to as usize])
                };
                PacketError::NamedDeadlock { channels: cycle.iter().map(name).collect(), waiting, needed: self.classes_needed }
            }
            other => other,
        })
    }

    /// Sends messages.
    ///
    /// # Errors
    /// As [`PacketLevel::run`].
    pub fn messages(&self, messages: Vec<Message>) -> Result<PacketOutcome, PacketError> {
        self.simulate(PacketTraffic::Messages(messages), &Watch::default())
    }

    /// Sends packets at a given rate.
    ///
    /// # Errors
    /// As [`PacketLevel::run`].
    pub fn load(&self, load: OfferedLoad, watch: &Watch) -> Result<PacketOutcome, PacketError> {
        self.simulate(PacketTraffic::Load(load), watch)
    }

    /// Plays a pattern once, `bytes` for each unit of weight. Long equal messages are not sent to their ends: once all senders are busy
    /// the time grows by the same with every packet, so two runs of shorter messages give the rest.
    ///
    /// # Errors
    /// As [`PacketLevel::run`]; a pattern that switches carry out has no pairs, see `PacketLevel::reduce`.
    pub fn play(&self, group: &Group, pattern: TrafficPattern, bytes: Bytes) -> Result<PlayedPattern, PacketError> {
        self.play_skewed(group, pattern, bytes, 1.0)
    }

    /// As [`PacketLevel::play`], where the first rank receives `imbalance` times the mean and all others the same less.
    ///
    /// # Errors
    /// As [`PacketLevel::play`].
    pub fn play_skewed(&self, group: &Group, pattern: TrafficPattern, bytes: Bytes, imbalance: f64) -> Result<PlayedPattern, PacketError> {
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
        let wanted = (STEADY_PACKETS / partners(&pairs)).clamp(SHORT_MESSAGE_PACKETS, LONG_MESSAGE_PACKETS) / 2;
        // A multiple of a pair's ways loads all of them alike, so that both runs end alike.
        let ways = pairs.first().map_or(1, |pair| self.routes.ways(pair.0, pair.1).max(1)) as u64;
        let short = wanted.next_multiple_of(ways);
        self.to_the_end(bytes, if in_all <= FULL_PACKETS { packets } else { short }, run)
    }

    /// Runs messages of `bytes` to their ends, or, if they have more than twice `short` packets, so many and twice as many, which tell the rest.
    fn to_the_end(
        &self,
        bytes: Bytes,
        short: u64,
        run: impl Fn(f64) -> Result<(PicosecondTime, u64), PacketError> + Sync,
    ) -> Result<PlayedPattern, PacketError> {
        let payload = f64::from(self.setting.payload_bytes);
        if self.to_the_end || (bytes.get() / payload).ceil() as u64 <= 2 * short {
            let (last, hops) = run(bytes.get())?;
            return Ok(PlayedPattern { time: seconds(last), hops, extrapolated_from: None });
        }
        let long = 2 * short;
        let (first, second) = rayon::join(|| run(short as f64 * payload), || run(long as f64 * payload));
        let ((first, first_hops), (second, second_hops)) = (first?, second?);
        let per_packet = (second as f64 - first as f64) / (long - short) as f64;
        let time = second as f64 + per_packet * (bytes.get() / payload - long as f64);
        Ok(PlayedPattern { time: Seconds::new(time / 1e12), hops: first_hops + second_hops, extrapolated_from: Some(long) })
    }

    /// Has switches add up and copy `bytes` of every member, a part in each tree.
    ///
    /// # Errors
    /// As [`PacketLevel::run`].
    pub(super) fn reduce(&self, trees: &[SwitchTree], bytes: Bytes) -> Result<PlayedPattern, PacketError> {
        let run = |bytes: f64| {
            let reduction = |tree: &SwitchTree| Reduction {
                channels: tree.channels.iter().map(|&channel| (channel, channel ^ 1)).collect(),
                members: tree.members.clone(),
                bytes: (bytes * tree.part).ceil() as u64,
                adds: tree.adds,
                copies: tree.copies,
            };
            let traffic = PacketTraffic::Reductions(trees.iter().map(reduction).collect());
            let outcome = self.simulate(traffic, &Watch::default())?;
            let last = outcome.arrivals.iter().map(|arrival| arrival.end).max().unwrap_or(0);
            Ok((last, outcome.counts.hops))
        };
        let packets = bytes.get() / f64::from(self.setting.payload_bytes);
        let channels: usize = trees.iter().map(|tree| tree.channels.len()).sum();
        let is_short = packets * channels as f64 / trees.len().max(1) as f64 <= FULL_PACKETS as f64;
        self.to_the_end(bytes, if is_short { packets.ceil() as u64 } else { STEADY_PACKETS / 2 }, run)
    }

    /// Senders, receivers and weights in the order in which each sender serves them.
    fn pairs(&self, group: &Group, pattern: TrafficPattern, imbalance: f64) -> Vec<(u32, u32, f64)> {
        let ranks = group.ranks();
        let mut pairs = Vec::new();
        let cold = (f64::from(ranks) - imbalance) / (f64::from(ranks) - 1.0);
        for receiver in 0..ranks {
            let skew = if receiver == 0 { imbalance } else { cold };
            pattern.each_sender(group, receiver, |sender, weight| {
                let place = match self.rotation {
                    SendOrder::Rotated => u64::from(self.distance_round(group.chip(sender), group.chip(receiver))),
                    SendOrder::Shuffled => mix(mix(self.setting.seed ^ u64::from(sender)) ^ u64::from(receiver)),
                    SendOrder::Same => u64::from(receiver),
                };
                pairs.push((sender, place, receiver, weight * skew));
            });
        }
        pairs.sort_by_key(|&(sender, place, ..)| (sender, place));
        pairs.into_iter().map(|(sender, _, receiver, weight)| (group.chip(sender), group.chip(receiver), weight)).collect()
    }

    /// How many places on a chip stands, counted round each level by itself, the outermost level first.
    fn distance_round(&self, from: u32, to: u32) -> u32 {
        let (mut distance, mut below) = (0, 1);
        for &size in &self.level_sizes {
            let place = |chip: u32| chip / below % size;
            distance += (place(to) + size - place(from)) % size * below;
            below *= size;
        }
        distance
    }

    /// Channels and nodes, as the engine has them.
    #[must_use]
    pub fn machine(&self) -> &PacketMachine {
        &self.machine
    }
}

/// Partners of the sender that has most; pairs of one sender stand together.
fn partners(pairs: &[(u32, u32, f64)]) -> u64 {
    pairs.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).max().unwrap_or(1) as u64
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

/// Settings of senders and links, of traffic that stays in a scale-up domain or not.
fn setting(fabric: &Fabric, options: &PacketOptions, payload: f64, stays: bool) -> Setting {
    let window =
        fabric.chip.io.load_store_window.as_ref().filter(|_| stays).map_or(0, |window| (window.value.get() / payload).floor().max(1.0) as u32);
    Setting {
        payload_bytes: payload as u32,
        header_bytes: 0,
        // An acknowledgement closes a window; a load or store that has no window needs none.
        acknowledgement_bytes: u32::from(window > 0),
        sender_window_packets: window,
        turn: if options.one_by_one { FlowOrder::InOrder } else { FlowOrder::RoundRobin },
        // Harmless where nothing is damaged or dropped.
        recovery: Recovery::Selective,
        seed: options.seed,
        ..Setting::default()
    }
}

fn forwarding(fabric: &Fabric, endpoint: Endpoint) -> PacketForwarding {
    // A switch's latency is from first bit to first bit: it has read the header by then.
    let cut_through = PacketForwarding::CutThrough { header_bytes: 0 };
    match endpoint {
        Endpoint::Switch(part) => match fabric.switches[part as usize].switch.forwarding {
            document::Forwarding::CutThrough => cut_through,
            document::Forwarding::StoreAndForward => PacketForwarding::StoreAndForward,
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
