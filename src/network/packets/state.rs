//! Everything that a run changes, and the bookkeeping of its events.
//!
//! All arrivals, credits and expiries of one instant are handled before any port chooses what to send in that instant, so that the
//! choice does not depend on the order in which simultaneous events are handled.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::calendar::Calendar;
use super::flow::PacketFlow;
use super::model::{ClassRule, Control, NEVER, PacketMachine, PacketNode, PicosecondTime, Queueing, Setting};
use super::packet::{NONE, Packet};
use super::port::PacketPort;
use super::random::Random;
use super::result::{Arrival, Counts, Sample};
use super::routes::RouteTable;
use super::source::PacketSource;
use super::staged::StagedRouter;
use super::tree::Tree;

/// Rare events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A message may start.
    Start(u32),
    /// A sender has waited for acknowledgements.
    Timeout(u32),
    /// An open-loop source has its next packet; its place in the list.
    Generate(u32),
    /// Queues are looked at.
    Sample,
}

/// A run.
pub(super) struct PacketState<'a> {
    pub machine: &'a PacketMachine,
    pub routes: &'a RouteTable,
    pub setting: Setting,
    /// Of a full packet.
    pub full_bytes: u32,
    pub now: PicosecondTime,
    /// Last event that was no look at the queues.
    pub last: PicosecondTime,
    pub calendar: Calendar,
    pub agenda: BinaryHeap<Reverse<(PicosecondTime, Due)>>,
    pub ports: Vec<PacketPort>,
    /// Bytes left of a virtual channel's buffer: as its sender knows (credits), or as its receiver has (pause, drop).
    pub space: Vec<u64>,
    /// Routers of stages, and which of them each node is.
    pub routers: Vec<StagedRouter>,
    pub router_of: Vec<u32>,
    pub queues: Vec<VecDeque<Packet>>,
    /// First queue of a port: of its output queues, or where it is an input.
    output_queue: Vec<u32>,
    pub input_queue: Vec<u32>,
    /// Place of a channel among its sender's and among its receiver's.
    pub place_out: Vec<u32>,
    /// Channels that leave each node.
    pub channels_out: Vec<Vec<u32>>,
    /// Packets of each node that are not acknowledged, where all its flows share a window.
    pub unacknowledged: Vec<u32>,
    /// Next member, by set of next hops.
    pub turn: Vec<u32>,
    /// Packets of its own that a chip has sent, by member of the sets of next hops, where it takes them in turn.
    pub own_sent: Vec<u64>,
    /// Ports that choose at the end of this instant.
    pub pending: Vec<u32>,
    pub random: Random,
    pub flows: Vec<PacketFlow>,
    pub arrivals: Vec<Arrival>,
    pub source: Option<PacketSource>,
    pub trees: Vec<Tree>,
    /// Copies of a packet that have not left: by channel that it came by, flow and number.
    pub copies: BTreeMap<(u32, u32, u32), u32>,
    pub counts: Counts,
    /// Group of each channel in samples.
    pub groups: Vec<u32>,
    pub sample_every: PicosecondTime,
    pub samples: Vec<Sample>,
}

impl<'a> PacketState<'a> {
    pub(super) fn new(machine: &'a PacketMachine, routes: &'a RouteTable, setting: Setting) -> Self {
        let node = |number: u32| &machine.nodes[number as usize];
        let ports: Vec<PacketPort> =
            machine.channels.iter().map(|channel| PacketPort::new(channel, node(channel.from), node(channel.to), setting.errors())).collect();
        let lanes = usize::from(setting.virtual_channels);
        let space = machine.channels.iter().flat_map(|channel| std::iter::repeat_n(room(channel.control), lanes)).collect();
        let mut channels_out = vec![Vec::new(); machine.nodes.len()];
        let mut place_out = vec![0; machine.channels.len()];
        for (number, channel) in (0_u32..).zip(&machine.channels) {
            let of_node = &mut channels_out[channel.from as usize];
            place_out[number as usize] = of_node.len() as u32;
            of_node.push(number);
        }
        let (routers, router_of) = StagedRouter::all(machine, lanes);
        let (output_queue, input_queue, queues) = number_queues(machine, &channels_out, setting);
        Self {
            machine,
            routes,
            setting,
            full_bytes: setting.packet_bytes(setting.payload_bytes),
            now: 0,
            last: 0,
            calendar: Calendar::new(machine.channels.len() + 1),
            agenda: BinaryHeap::new(),
            ports,
            routers,
            router_of,
            space,
            queues: vec![VecDeque::new(); queues],
            output_queue,
            input_queue,
            place_out,
            unacknowledged: vec![0; channels_out.len()],
            channels_out,
            turn: vec![0; routes.sets()],
            own_sent: vec![0; routes.all_members()],
            pending: Vec::new(),
            random: Random::new(setting.seed),
            flows: Vec::new(),
            arrivals: Vec::new(),
            source: None,
            trees: Vec::new(),
            copies: BTreeMap::new(),
            counts: Counts::default(),
            groups: Vec::new(),
            sample_every: 0,
            samples: Vec::new(),
        }
    }

    /// The queue in which a packet waits at a node; its `from` and `out` are set.
    pub(super) fn queue_of(&self, packet: &Packet) -> u32 {
        let class = u32::from(packet.class);
        let classes = u32::from(self.setting.classes);
        match self.ports[packet.out as usize].queueing {
            Queueing::Output => self.output_queue[packet.out as usize] + class,
            Queueing::InputFifo => self.input_queue[packet.from as usize] + u32::from(packet.lane),
            Queueing::VirtualOutput => self.input_queue[packet.from as usize] + self.place_out[packet.out as usize] * classes + class,
        }
    }

    /// Has a port choose at the end of this instant.
    pub(super) fn mark(&mut self, port: u32) {
        if !std::mem::replace(&mut self.ports[port as usize].is_pending, true) {
            self.pending.push(port);
        }
    }

    /// Has a port look again at `time`, if it would not before.
    pub(super) fn wake(&mut self, port: u32, time: PicosecondTime) {
        let own = &mut self.ports[port as usize];
        if time < own.wake {
            own.wake = time;
            let next = own.next_event();
            self.calendar.set(port, next);
        }
    }

    /// Puts a rare event on the agenda.
    pub(super) fn plan(&mut self, time: PicosecondTime, due: Due) {
        self.agenda.push(Reverse((time, due)));
        self.refresh_agenda();
    }

    pub(super) fn refresh_agenda(&mut self) {
        let next = self.agenda.peek().map_or(NEVER, |Reverse((time, _))| *time);
        self.calendar.set(self.ports.len() as u32, next);
    }

    pub(super) fn node(&self, number: u32) -> &PacketNode {
        &self.machine.nodes[number as usize]
    }

    /// Class of virtual channels of a packet that leaves by `out`.
    pub(super) fn class(&self, packet: &Packet, out: u32) -> u8 {
        if self.setting.classes < 2 {
            return 0;
        }
        let channel = &self.machine.channels[out as usize];
        if channel.dimension.is_none() {
            return 0;
        }
        if self.setting.class_rule == ClassRule::Hops {
            let began = packet.from == NONE || self.machine.channels[packet.from as usize].dimension.is_none();
            return if began { 0 } else { (packet.class + 1).min(self.setting.classes - 1) };
        }
        let stays = packet.from != NONE && self.machine.channels[packet.from as usize].dimension == channel.dimension;
        if self.setting.class_rule == ClassRule::Crossing {
            return if stays { packet.class } else { u8::from(self.crosses_dateline(packet.destination, out)) };
        }
        u8::from(channel.dateline || (stays && packet.class == 1))
    }

    /// Whether the way that begins with `out` crosses the dateline before it leaves the dimension.
    fn crosses_dateline(&self, destination: u32, out: u32) -> bool {
        let mut way = Some(out);
        for _ in 0..self.machine.nodes.len() {
            let Some(channel) = way.map(|way| &self.machine.channels[way as usize]) else { return false };
            if channel.dimension != self.machine.channels[out as usize].dimension {
                return false;
            }
            if channel.dateline {
                return true;
            }
            way = self.routes.members(self.routes.set(channel.to, destination)).first().copied();
        }
        false
    }

    /// Virtual channels of a port that are open to a class.
    pub(super) fn lanes(&self, port: u32, class: u8) -> std::ops::Range<u8> {
        let (lanes, classes) = (self.setting.virtual_channels, self.setting.classes);
        if classes == 1 || self.machine.channels[port as usize].dimension.is_none() {
            return 0..lanes;
        }
        let first = |class: u8| (u16::from(class) * u16::from(lanes) / u16::from(classes)) as u8;
        first(class)..first(class + 1)
    }
}

/// Room for one virtual channel.
pub(super) fn room(control: Control) -> u64 {
    match control {
        Control::Unlimited => u64::MAX >> 16,
        Control::Drop { buffer_bytes } | Control::Credits { buffer_bytes } | Control::Pause { buffer_bytes, .. } => u64::from(buffer_bytes),
    }
}

/// Numbers the queues of all nodes: first queue of each output, of each input, and how many there are.
fn number_queues(machine: &PacketMachine, channels_out: &[Vec<u32>], setting: Setting) -> (Vec<u32>, Vec<u32>, usize) {
    let mut count = 0;
    let (mut output, mut input) = (Vec::new(), Vec::new());
    for channel in &machine.channels {
        output.push(count);
        input.push(count);
        if machine.nodes[channel.from as usize].queueing == Queueing::Output {
            count += u32::from(setting.classes);
        }
        let to = &machine.nodes[channel.to as usize];
        if to.queueing != Queueing::Output && to.forwards {
            *input.last_mut().unwrap_or(&mut 0) = count;
            count += match to.queueing {
                Queueing::InputFifo => u32::from(setting.virtual_channels),
                Queueing::Output | Queueing::VirtualOutput => channels_out[channel.to as usize].len() as u32 * u32::from(setting.classes),
            };
        }
    }
    (output, input, count as usize)
}
