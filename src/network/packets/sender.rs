//! What hosts send: messages, and the packets of open-loop sources.

use super::model::{FlowOrder, NEVER, NextHopChoice, PicosecondTime, Recovery};
use super::packet::{BODY, GOES_ON, NONE, Packet, PacketKind};
use super::port::INJECTION;
use super::result::Arrival;
use super::routes::{hashed, seed};
use super::state::{Due, PacketState};

impl PacketState<'_> {
    /// A message may start.
    pub(super) fn start(&mut self, flow: u32) {
        let own = &self.flows[flow as usize];
        let stays = own.source == own.destination;
        let began = self.now - self.node(own.source).latency;
        self.arrivals[flow as usize].start = began;
        if stays {
            let waiting = std::mem::take(&mut self.flows[flow as usize].next_messages);
            self.arrivals[flow as usize] = Arrival { start: began, end: began, acknowledged: began };
            waiting.into_iter().for_each(|waiting| self.unblock(waiting, began));
            return;
        }
        self.flows[flow as usize].progress = self.now;
        if let Recovery::GoBackN { timeout } = self.setting.recovery {
            self.plan(self.now + timeout, Due::Timeout(flow));
        }
        self.activate(flow);
    }

    /// A message that another one waited for has arrived at `time`.
    pub(super) fn unblock(&mut self, flow: u32, time: PicosecondTime) {
        let own = &mut self.flows[flow as usize];
        own.waits_for -= 1;
        if own.waits_for == 0 {
            let latency = self.machine.nodes[own.source as usize].latency;
            let earliest = self.arrivals[flow as usize].start;
            self.plan(earliest.max(time) + latency, Due::Start(flow));
        }
    }

    /// Puts a flow into the rings of the ports by which it may leave.
    pub(super) fn activate(&mut self, flow: u32) {
        let own = &self.flows[flow as usize];
        if !own.can_send(&self.setting) {
            return;
        }
        let (source, destination) = (own.source, own.destination);
        let up = [if own.tree == NONE { NONE } else { self.trees[own.tree as usize].up(source) }];
        let members = if own.tree == NONE { self.routes.members(self.routes.set(source, destination)) } else { &up[..] };
        let members = match seed(self.setting.choice) {
            Some(seed) if !members.is_empty() && own.tree == NONE => {
                let place = hashed(seed, source, destination, source, members.len());
                &members[place..=place]
            }
            _ => members,
        };
        // What is sent again needs no place in a window that flows share: it must not wait behind flows that do.
        let goes_first = self.setting.sender_window_packets > 0 && own.sends_again();
        for &port in &members.to_vec() {
            let bit = 1_u128 << self.place_out[port as usize];
            let own = &mut self.flows[flow as usize];
            if goes_first {
                own.ports |= bit;
                let ring = &mut self.ports[port as usize].flows;
                ring.retain(|&other| other != flow);
                ring.push_front(flow);
                self.compete(port);
            } else if own.ports & bit == 0 {
                own.ports |= bit;
                self.ports[port as usize].flows.push_back(flow);
                self.compete(port);
            }
        }
    }

    /// Has a host's own packets compete for a port.
    fn compete(&mut self, port: u32) {
        let own = &mut self.ports[port as usize];
        if !std::mem::replace(&mut own.injects, true) {
            own.ready.push_back(INJECTION);
        }
        self.mark(port);
    }

    /// The host's own packet that leaves next by a port, without sending it.
    pub(super) fn injected(&mut self, port: u32) -> Option<Packet> {
        if let Some(packet) = self.ports[port as usize].generated.front() {
            return Some(*packet);
        }
        let mut place = 0;
        while let Some(&flow) = self.ports[port as usize].flows.get(place) {
            let own = &self.flows[flow as usize];
            if !own.can_send(&self.setting) {
                self.flows[flow as usize].ports &= !(1_u128 << self.place_out[port as usize]);
                self.ports[port as usize].flows.remove(place);
                continue;
            }
            if !self.has_turn(flow, port) {
                place += 1;
                continue;
            }
            let sequence = own.upcoming();
            let payload = own.payload(sequence, &self.setting);
            let bytes = if payload == self.setting.payload_bytes { self.full_bytes } else { self.setting.packet_bytes(payload) };
            let (source, destination) = (own.source, own.destination);
            let sequence = if own.tree == NONE { sequence } else { self.trees[own.tree as usize].number(source, sequence) };
            let mut packet = self.new_packet(source, destination, flow, sequence, bytes, port);
            packet.class = self.class(&packet, port);
            if place > 0 {
                self.ports[port as usize].flows.remove(place);
                self.ports[port as usize].flows.push_front(flow);
            }
            return Some(packet);
        }
        None
    }

    /// The set of next hops that a flow must take in turn: that of a chip which also passes packets on, and whose own packets are spread as
    /// those that pass. A sender that is an end only gives its packets to whichever port is free.
    fn turns_of(&self, flow: u32) -> Option<u32> {
        let own = &self.flows[flow as usize];
        if self.setting.choice != NextHopChoice::Spray || own.tree != NONE || !self.node(own.source).forwards {
            return None;
        }
        Some(self.routes.set(own.source, own.destination)).filter(|&set| self.routes.members(set).len() > 1)
    }

    /// Whether a flow may send by a port now: of the packets that left for the same next hops, no port is more than a turn ahead of its share.
    fn has_turn(&self, flow: u32, port: u32) -> bool {
        let Some(set) = self.turns_of(flow) else { return true };
        let (members, first) = (self.routes.members(set), self.routes.first_member(set));
        let sent = &self.own_sent[first..first + members.len()];
        let (mut own, mut weight) = (0, 0);
        for (&member, &sent) in members.iter().zip(sent) {
            if member == port {
                own += sent;
                weight += 1;
            }
        }
        let turn = members.len() as u64;
        own * turn < (sent.iter().sum::<u64>() + turn) * weight
    }

    /// A flow has sent by a port: others of its next hops may have their turn now.
    fn take_turn(&mut self, flow: u32, port: u32) {
        let Some(set) = self.turns_of(flow) else { return };
        let (members, first) = (self.routes.members(set), self.routes.first_member(set));
        let Some(place) = members.iter().position(|&member| member == port) else { return };
        self.own_sent[first + place] += 1;
        for &other in members {
            if !self.ports[other as usize].flows.is_empty() {
                self.compete(other);
            }
        }
    }

    fn new_packet(&self, source: u32, destination: u32, flow: u32, sequence: u32, bytes: u32, out: u32) -> Packet {
        Packet {
            born: self.now,
            ready: self.now,
            flow,
            sequence,
            source,
            destination,
            bytes,
            from: NONE,
            out,
            kind: PacketKind::Data,
            class: 0,
            lane: 0,
            marks: 0,
        }
    }

    /// Takes that packet off, and gives the next flow its turn.
    pub(super) fn inject(&mut self, port: u32) {
        self.counts.sent += 1;
        let mut sent = NONE;
        let own = &mut self.ports[port as usize];
        if own.generated.pop_front().is_none()
            && let Some(flow) = own.flows.pop_front()
        {
            let sender = &mut self.flows[flow as usize];
            let is_new = sender.advance();
            sent = flow;
            let is_answered = self.trees.get(sender.tree as usize).is_none_or(|tree| tree.adds && tree.copies);
            self.unacknowledged[sender.source as usize] += u32::from(is_new && is_answered);
            if sender.can_send(&self.setting) {
                match self.setting.turn {
                    FlowOrder::RoundRobin => own.flows.push_back(flow),
                    FlowOrder::InOrder => own.flows.push_front(flow),
                }
            } else {
                sender.ports &= !(1_u128 << self.place_out[port as usize]);
            }
        }
        let own = &mut self.ports[port as usize];
        own.injects = !own.generated.is_empty() || !own.flows.is_empty();
        if own.injects {
            own.ready.push_back(INJECTION);
        }
        if sent != NONE {
            self.take_turn(sent, port);
        }
    }

    /// The next packet of an open-loop source.
    pub(super) fn generate(&mut self, place: u32) {
        let Some(source) = &mut self.source else { return };
        let node = source.load.senders[place as usize].0;
        let destination = source.destination(place, &mut self.random);
        source.missing += u64::from(source.load.measures(node, destination, self.now));
        let bytes = self.setting.packet_bytes(source.load.payload_bytes);
        // Later packets keep the network busy until the measured ones are there, for as long again at most.
        let goes_on = self.now < source.load.until || (source.missing > 0 && self.now < 2 * source.load.until);
        let next = if goes_on { source.next_time(place, &mut self.random) } else { NEVER };
        if next != NEVER {
            self.plan(next, Due::Generate(place));
        }
        let mut packet = self.new_packet(node, destination, NONE, 0, bytes, NONE);
        packet.out = self.next_hop(node, &packet);
        packet.class = self.class(&packet, packet.out);
        packet.ready = self.now + self.node(node).latency;
        self.offer_generated(packet);
    }

    /// A packet of an open-loop source was lost; its receiver asks for it again. Its latency counts from when it first came.
    pub(super) fn generate_again(&mut self, request: &Packet, time: PicosecondTime) {
        let mut packet = self.new_packet(request.destination, request.source, NONE, 0, request.sequence, NONE);
        (packet.born, packet.ready) = (request.born, time);
        packet.out = self.next_hop(packet.source, &packet);
        packet.class = self.class(&packet, packet.out);
        self.offer_generated(packet);
    }

    /// Has a packet of an open-loop source, or its flits, compete for the port by which it leaves.
    fn offer_generated(&mut self, mut packet: Packet) {
        let (out, bytes) = (packet.out, packet.bytes);
        let flit = if self.setting.flit_bytes > 0 { self.setting.flit_bytes } else { bytes };
        for first in (0..bytes).step_by(flit as usize) {
            packet.bytes = flit.min(bytes - first);
            packet.marks = if first > 0 { BODY } else { 0 } | if bytes - first > flit { GOES_ON } else { 0 };
            self.ports[out as usize].generated.push_back(packet);
        }
        self.ports[out as usize].queue_grows(bytes, self.now);
        self.compete(out);
    }

    /// So many packets of a node are acknowledged, so that others may leave by any of its ports.
    pub(super) fn reopen(&mut self, node: u32, packets: u32) {
        if self.setting.sender_window_packets == 0 {
            return;
        }
        self.unacknowledged[node as usize] = self.unacknowledged[node as usize].saturating_sub(packets);
        // Another port goes first each time.
        let ports = self.channels_out[node as usize].len();
        for place in 0..ports {
            let port = self.channels_out[node as usize][(self.counts.hops as usize + place) % ports];
            if self.ports[port as usize].starved {
                self.mark(port);
            }
        }
    }

    /// A sender has waited for `timeout`.
    pub(super) fn expire(&mut self, flow: u32) {
        let Recovery::GoBackN { timeout } = self.setting.recovery else { return };
        let own = &mut self.flows[flow as usize];
        if own.is_acknowledged() {
            return;
        }
        if self.now >= own.progress + timeout {
            own.go_back(self.now);
            self.activate(flow);
        }
        let again = self.flows[flow as usize].progress + timeout;
        self.plan(again.max(self.now + 1), Due::Timeout(flow));
    }
}
