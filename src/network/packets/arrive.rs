//! A packet reaches the far end of a channel: it goes on, is delivered, or is lost.

use super::flow::Reply;
use super::model::{Control, NEVER, NextHopChoice, PicosecondTime, Recovery};
use super::packet::{DOWN, NONE, Packet, PacketKind};
use super::routes::hashed;
use super::state::{PacketState, room};

impl PacketState<'_> {
    /// The next packet of a channel arrives.
    pub(super) fn arrive(&mut self, channel: u32) {
        let own = &mut self.ports[channel as usize];
        let Some(packet) = own.in_flight.pop_front() else { return };
        let next = own.next_event();
        let (node, rest) = (own.to, own.rest(packet.bytes));
        self.calendar.set(channel, next);
        let tail = self.now + rest;
        if packet.is_damaged() {
            self.counts.damaged += u64::from(packet.kind == PacketKind::Data);
            self.lose(packet, tail);
            return;
        }
        if packet.destination == node { self.deliver(node, packet, tail) } else { self.pass(node, packet, tail) }
    }

    /// A damaged packet, or one without room: its header may still reach the receiver.
    pub(super) fn lose(&mut self, packet: Packet, tail: PicosecondTime) {
        if packet.kind == PacketKind::Data && matches!(self.ports[packet.from as usize].control, Control::Credits { .. }) {
            self.release(packet.from, packet.lane, packet.bytes, tail);
        }
        if packet.kind != PacketKind::Data || (packet.flow != NONE && self.flows[packet.flow as usize].tree != NONE) {
            return;
        }
        if self.setting.recovery == Recovery::Selective {
            // A packet of no flow has no place in one: what is asked for again is its length.
            let sequence = if packet.flow == NONE { packet.bytes } else { packet.sequence };
            let header = Packet { kind: PacketKind::Trimmed, bytes: self.setting.header_bytes.max(1), sequence, marks: 0, ..packet };
            let node = self.ports[packet.from as usize].to;
            if header.destination == node { self.deliver(node, header, tail) } else { self.pass(node, header, tail) }
        }
    }

    /// A packet goes on from a node.
    fn pass(&mut self, node: u32, packet: Packet, tail: PicosecondTime) {
        if packet.destination >= DOWN {
            self.pass_tree(node, packet, tail);
            return;
        }
        let out = if packet.is_head() { self.next_hop(node, &packet) } else { self.way_of_head(node, &packet) };
        self.pass_by(node, out, packet, tail);
    }

    /// A packet goes on from a node by `out`, if there is room for it.
    pub(super) fn pass_by(&mut self, node: u32, out: u32, packet: Packet, tail: PicosecondTime) {
        let goes_on = self.ports[out as usize].is_direct && matches!(self.ports[packet.from as usize].control, Control::Unlimited);
        if goes_on || packet.kind != PacketKind::Data || self.admit(&packet) {
            self.queue(node, out, packet, tail);
        } else {
            self.counts.dropped += 1;
            self.lose(packet, tail);
        }
    }

    /// A packet that has room at a node waits for `out`.
    pub(super) fn queue(&mut self, node: u32, out: u32, mut packet: Packet, tail: PicosecondTime) {
        packet.class = self.class(&packet, out);
        packet.out = out;
        let own = self.node(node);
        let latency = if own.is_end { own.latency } else { 0 };
        let (to, from) = (&self.ports[out as usize], &self.ports[packet.from as usize]);
        packet.ready = self.now + latency;
        if from.head_bytes.is_some() && !to.has_same_rate(from) {
            // A faster output must not run dry before the packet's last bit is in.
            let head = to.head_bytes.or(from.head_bytes).unwrap_or(0).min(packet.bytes);
            packet.ready = packet.ready.max((tail + latency + to.head_time(head)).saturating_sub(to.time_of(packet.bytes)));
        }
        if self.ports[out as usize].is_direct && matches!(self.ports[packet.from as usize].control, Control::Unlimited) {
            self.forward(out, packet);
            return;
        }
        if packet.kind != PacketKind::Data {
            self.ports[out as usize].queue_grows(packet.bytes, self.now);
            self.ports[out as usize].first_class.push_back(packet);
            self.mark(out);
            return;
        }
        let queue = self.queue_of(&packet);
        self.ports[out as usize].queue_grows(packet.bytes, self.now);
        let waiting = &mut self.queues[queue as usize];
        waiting.push_back(packet);
        if self.ports[out as usize].is_staged {
            self.enter(node, packet.from, packet.lane, out);
            return;
        }
        if waiting.len() == 1 {
            self.ports[out as usize].ready.push_back(queue);
            self.mark(out);
        }
    }

    /// Finds room for a packet at the receiver that keeps the accounts itself, and stops the sender in time.
    pub(super) fn admit(&mut self, packet: &Packet) -> bool {
        let channel = packet.from as usize;
        let own = &mut self.ports[channel];
        if matches!(own.control, Control::Unlimited | Control::Credits { .. }) {
            return true;
        }
        let space = &mut self.space[channel * usize::from(self.setting.virtual_channels) + usize::from(packet.lane)];
        let Some(left) = space.checked_sub(u64::from(packet.bytes)) else { return false };
        *space = left;
        if let Control::Pause { stop_bytes, .. } = own.control
            && !own.stop_sent
            && room(own.control) - left >= u64::from(stop_bytes)
        {
            own.stop_sent = true;
            own.pauses.push_back((self.now + own.propagation, true));
        }
        true
    }

    /// The channel by which a packet leaves a node.
    pub(super) fn next_hop(&mut self, node: u32, packet: &Packet) -> u32 {
        let set = self.routes.set(node, packet.destination);
        let members = self.routes.members(set);
        if members.len() < 2 {
            return members.first().copied().unwrap_or(NONE);
        }
        let place = match self.setting.choice {
            NextHopChoice::Spray => {
                let turn = &mut self.turn[set as usize];
                *turn = if *turn as usize + 1 < members.len() { *turn + 1 } else { 0 };
                *turn as usize
            }
            NextHopChoice::Random => self.random.below(members.len() as u32) as usize,
            NextHopChoice::Hashed { seed } => hashed(seed, packet.source, packet.destination, node, members.len()),
            NextHopChoice::ShortestQueue => {
                let turn = &mut self.turn[set as usize];
                *turn = if *turn as usize + 1 < members.len() { *turn + 1 } else { 0 };
                let first = *turn as usize;
                let waiting = |place: &usize| self.ports[members[*place] as usize].backlog(self.now);
                (first..members.len()).chain(0..first).min_by_key(waiting).unwrap_or(0)
            }
        };
        members[place]
    }

    /// A packet is where it was sent to.
    pub(super) fn deliver(&mut self, node: u32, packet: Packet, tail: PicosecondTime) {
        let time = tail + self.node(node).latency;
        match packet.kind {
            PacketKind::Data => {
                if matches!(self.ports[packet.from as usize].control, Control::Credits { .. }) {
                    self.release(packet.from, packet.lane, packet.bytes, tail);
                }
                if packet.flow == NONE {
                    self.measure(&packet, time);
                } else if self.flows[packet.flow as usize].tree == NONE {
                    self.receive(&packet, time);
                } else {
                    self.receive_tree(node, &packet, time);
                }
            }
            PacketKind::Trimmed => self.answer(&packet, Reply::Ask(packet.sequence), time),
            PacketKind::Acknowledgement => {
                let flow = &mut self.flows[packet.flow as usize];
                flow.acknowledge(packet.sequence, &self.setting, time);
                if flow.is_acknowledged() {
                    self.arrivals[packet.flow as usize].acknowledged = time;
                }
                self.reopen(node, packet.sequence);
                self.activate(packet.flow);
            }
            PacketKind::Request if packet.flow == NONE => self.generate_again(&packet, time),
            PacketKind::Request => {
                self.flows[packet.flow as usize].send_again(packet.sequence, &self.setting, time);
                self.activate(packet.flow);
            }
        }
    }

    /// A packet of an open-loop source has arrived.
    fn measure(&mut self, packet: &Packet, time: PicosecondTime) {
        self.counts.delivered += 1;
        if !packet.is_tail() {
            return;
        }
        let Some(source) = &mut self.source else { return };
        if source.load.measures(packet.source, packet.destination, packet.born) {
            source.latency.add(time - packet.born);
            source.missing -= 1;
        }
        if (source.load.warm_up..source.load.until).contains(&time) {
            source.accepted_bytes += u64::from(source.load.payload_bytes);
        }
    }

    /// A packet of a message has arrived.
    fn receive(&mut self, packet: &Packet, time: PicosecondTime) {
        let flow = &mut self.flows[packet.flow as usize];
        let (taken, answer) = flow.receive(packet.sequence, &self.setting);
        if taken {
            self.counts.delivered += 1;
        } else {
            self.counts.discarded += 1;
        }
        if taken && flow.is_complete() {
            self.arrivals[packet.flow as usize].end = time;
            for waiting in std::mem::take(&mut flow.next_messages) {
                self.unblock(waiting, time);
            }
        }
        self.answer(packet, answer, time);
    }

    /// Sends what the receiver answers.
    fn answer(&mut self, packet: &Packet, answer: Reply, time: PicosecondTime) {
        let (kind, sequence) = match answer {
            Reply::Nothing => return,
            Reply::Acknowledge(_) if self.setting.acknowledgement_bytes == 0 => return,
            Reply::Acknowledge(number) => (PacketKind::Acknowledgement, number),
            Reply::Ask(number) => (PacketKind::Request, number),
        };
        let node = packet.destination;
        let mut answer = Packet {
            born: if packet.flow == NONE { packet.born } else { time },
            ready: time,
            flow: packet.flow,
            sequence,
            source: node,
            destination: packet.source,
            bytes: self.setting.acknowledgement_bytes.max(1),
            from: NONE,
            out: NONE,
            kind,
            class: 0,
            lane: 0,
            marks: 0,
        };
        answer.out = self.next_hop(node, &answer);
        let out = answer.out;
        let own = &mut self.ports[out as usize];
        own.queue_grows(answer.bytes, self.now);
        own.first_class.push_back(answer);
        self.mark(out);
    }

    /// Packets that wait in queues of nodes that pass them on.
    pub(super) fn waiting(&self) -> u64 {
        self.queues.iter().map(|queue| queue.len() as u64).sum()
    }

    /// Channels of a circle of full buffers, each waiting for the next; empty if there is none.
    pub(super) fn cycle(&self) -> Vec<u32> {
        // The channel that the first packet of some queue behind `channel` waits for.
        let awaited = |channel: u32| {
            let holds = |packet: &Packet| packet.from == channel;
            let heads = self.queues.iter().filter(|queue| queue.iter().any(holds));
            heads.filter_map(|queue| queue.front()).map(|head| head.out).find(|&out| self.ports[out as usize].starved)
        };
        let starved =
            (0..self.ports.len() as u32).filter(|&port| self.ports[port as usize].starved && self.ports[port as usize].next_event() == NEVER);
        for first in starved {
            let mut path = vec![first];
            while let Some(next) = awaited(*path.last().unwrap_or(&first)) {
                if let Some(place) = path.iter().position(|&seen| seen == next) {
                    return path.split_off(place);
                }
                path.push(next);
            }
        }
        Vec::new()
    }
}
