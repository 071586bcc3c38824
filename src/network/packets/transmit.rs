//! A port chooses a packet and sends it.

use super::model::{Control, LinkErrors, NEVER, PicosecondTime, Queueing, Recovery, RetryScheme};
use super::packet::{DAMAGED, NONE, Packet, PacketKind};
use super::port::INJECTION;
use super::state::{PacketState, room};

/// Chance that some bit of a packet arrives damaged.
pub(super) fn damage_chance(bytes: u32, bit_error_rate: f64) -> f64 {
    -f64::exp_m1(f64::from(bytes) * 8.0 * f64::ln_1p(-bit_error_rate))
}

/// Whether a packet can go.
enum Readiness {
    /// On this virtual channel.
    Now(u8),
    /// Not before then.
    Later(PicosecondTime),
}

impl PacketState<'_> {
    /// Has every port choose that something happened to.
    pub(super) fn flush(&mut self) {
        let mut place = 0;
        while let Some(&port) = self.pending.get(place) {
            place += 1;
            self.ports[port as usize].is_pending = false;
            self.serve(port);
        }
        self.pending.clear();
    }

    fn serve(&mut self, port: u32) {
        if self.ports[port as usize].is_staged {
            self.step(self.router_of[self.machine.channels[port as usize].from as usize]);
            return;
        }
        let own = &mut self.ports[port as usize];
        let waits = !own.first_class.is_empty() || !own.ready.is_empty();
        if own.free_at > self.now {
            let free_at = own.free_at;
            if waits {
                self.wake(port, free_at);
            }
            return;
        }
        if !waits {
            return;
        }
        let retry = self.choose(port);
        let own = &mut self.ports[port as usize];
        if own.free_at > self.now {
            let (free_at, waits) = (own.free_at, !own.first_class.is_empty() || !own.ready.is_empty());
            if waits {
                self.wake(port, free_at);
            }
        } else if retry != NEVER {
            self.wake(port, retry);
        }
    }

    /// Sends a packet if one can go; else when to look again.
    fn choose(&mut self, port: u32) -> PicosecondTime {
        let now = self.now;
        if !matches!(self.ports[port as usize].control, Control::Unlimited | Control::Drop { .. }) {
            self.absorb(port);
        }
        let mut retry = NEVER;
        let own = &mut self.ports[port as usize];
        if let Some(first) = own.first_class.front() {
            if first.ready <= now {
                if let Some(packet) = own.first_class.pop_front() {
                    self.transmit(port, packet, 0, now);
                }
                return NEVER;
            }
            retry = first.ready;
        }
        for place in 0..self.ports[port as usize].ready.len() {
            let Some(&queue) = self.ports[port as usize].ready.get(place) else { break };
            let head = if queue == INJECTION { self.injected(port) } else { self.queues[queue as usize].front().copied() };
            let Some(head) = head else {
                // Only a host's flows can dry up behind a port's back.
                self.ports[port as usize].ready.remove(place);
                self.ports[port as usize].injects = false;
                return self.choose(port);
            };
            match self.offer(port, &head) {
                Readiness::Now(lane) => {
                    if place == 0 {
                        self.ports[port as usize].ready.pop_front();
                    } else {
                        self.ports[port as usize].ready.remove(place);
                    }
                    self.transmit(port, head, lane, now);
                    self.take(port, queue);
                    return NEVER;
                }
                Readiness::Later(time) => retry = retry.min(time),
            }
        }
        retry
    }

    /// Whether a queue's first packet can go.
    fn offer(&mut self, port: u32, head: &Packet) -> Readiness {
        let now = self.now;
        if head.ready > now {
            return Readiness::Later(head.ready);
        }
        let own = &self.ports[port as usize];
        if own.queueing != Queueing::Output && head.from != NONE {
            let input = &self.ports[head.from as usize];
            if input.input_busy > now {
                return Readiness::Later(input.input_busy);
            }
        }
        if head.from == NONE && self.is_window_full(head) {
            self.ports[port as usize].starved = true;
            return Readiness::Later(NEVER);
        }
        if own.is_stopped {
            let next = own.pauses.front().map_or(NEVER, |change| change.0);
            self.ports[port as usize].starved = true;
            return Readiness::Later(next);
        }
        let lanes = if head.is_head() { self.lanes(port, head.class) } else { own.lane..own.lane + 1 };
        if !matches!(own.control, Control::Credits { .. }) {
            return Readiness::Now(lanes.start);
        }
        let base = port as usize * usize::from(self.setting.virtual_channels);
        let widest = lanes.max_by_key(|&lane| (self.space[base + usize::from(lane)], std::cmp::Reverse(lane)));
        if let Some(widest) = widest.filter(|&widest| self.space[base + usize::from(widest)] >= u64::from(head.bytes)) {
            return Readiness::Now(widest);
        }
        let own = &mut self.ports[port as usize];
        own.starved = true;
        Readiness::Later(own.credits.front().map_or(NEVER, |credit| credit.0))
    }

    /// Whether the window that a sender's flows share lets no further packet go. A packet that is sent again has its place in it already.
    fn is_window_full(&self, head: &Packet) -> bool {
        let window = self.setting.sender_window_packets;
        let is_full = window > 0 && head.flow != NONE && self.unacknowledged[head.source as usize] >= window;
        is_full && !self.flows[head.flow as usize].sends_again()
    }

    /// Takes the first packet off its queue and gives the queue its next turn.
    fn take(&mut self, port: u32, queue: u32) {
        if queue == INJECTION {
            self.inject(port);
            return;
        }
        let waiting = &mut self.queues[queue as usize];
        waiting.pop_front();
        if let Some(next) = waiting.front() {
            let out = next.out;
            self.ports[out as usize].ready.push_back(queue);
            if out != port {
                self.mark(out);
            }
        }
    }

    /// Sends a packet from `start` on.
    pub(super) fn transmit(&mut self, port: u32, mut packet: Packet, lane: u8, start: PicosecondTime) {
        let now = self.now;
        let (repeats, damaged) = self.damage(port, &packet);
        self.counts.link_retries += repeats;
        self.counts.hops += 1;
        let own = &mut self.ports[port as usize];
        let (busy, arrival) = own.send(packet.bytes, start, repeats);
        own.starved = false;
        own.lane = lane;
        if packet.is_queued() {
            own.queue_shrinks(packet.bytes, now);
        }
        let is_input_limited = own.queueing != Queueing::Output;
        if packet.kind == PacketKind::Data && matches!(own.control, Control::Credits { .. }) {
            let place = port as usize * usize::from(self.setting.virtual_channels) + usize::from(lane);
            self.space[place] -= u64::from(packet.bytes);
        }
        if packet.from != NONE {
            if is_input_limited {
                self.hold_input(packet.from, port, packet.bytes, busy);
            }
            if packet.kind == PacketKind::Data {
                self.leave(&packet, now + busy);
            }
        }
        (packet.lane, packet.from, packet.ready) = (lane, port, arrival);
        packet.marks |= if damaged { DAMAGED } else { 0 };
        let own = &mut self.ports[port as usize];
        own.in_flight.push_back(packet);
        if own.in_flight.len() == 1 {
            let next = own.next_event();
            self.calendar.set(port, next);
        }
    }

    /// An input sends one packet at a time, as fast as its own link brings them: a slower output does not hold it up for longer. Parallel links
    /// to one neighbour are one fast channel, and feed as many single links at once.
    fn hold_input(&mut self, input: u32, output: u32, bytes: u32, busy: PicosecondTime) {
        let (from, to) = (&self.ports[input as usize], &self.ports[output as usize]);
        let busy = if from.has_same_rate(to) { busy } else { busy.min(from.time_of(bytes)) };
        self.ports[input as usize].input_busy = self.now + busy;
    }

    /// Sends a passing packet by a port where nothing is chosen: it leaves after all that came before.
    pub(super) fn forward(&mut self, port: u32, mut packet: Packet) {
        let (repeats, damaged) = self.damage(port, &packet);
        self.counts.link_retries += repeats;
        self.counts.hops += 1;
        let now = self.now;
        let own = &mut self.ports[port as usize];
        let start = own.free_at.max(packet.ready);
        own.queued_area += f64::from(packet.bytes) * (start - now) as f64;
        let arrival = own.send(packet.bytes, start, repeats).1;
        own.queued_peak = own.queued_peak.max(own.backlog(now));
        (packet.from, packet.ready) = (port, arrival);
        packet.marks |= if damaged { DAMAGED } else { 0 };
        own.in_flight.push_back(packet);
        if own.in_flight.len() == 1 {
            let next = own.next_event();
            self.calendar.set(port, next);
        }
    }

    /// How often the link repeats a transmission, and whether it arrives damaged.
    fn damage(&mut self, port: u32, packet: &Packet) -> (u64, bool) {
        let is_safe = self.setting.recovery == Recovery::Selective && packet.kind != PacketKind::Data;
        let LinkErrors { bit_error_rate, retry } = self.ports[port as usize].errors;
        if bit_error_rate <= 0.0 || is_safe {
            return (0, false);
        }
        let chance = damage_chance(packet.bytes, bit_error_rate);
        match retry {
            RetryScheme::None => (0, self.random.fraction() < chance),
            RetryScheme::GoBackN | RetryScheme::Selective => (self.random.repeats(chance), false),
        }
    }

    /// A packet that came by `channel` gives its room back at `time`.
    pub(super) fn release(&mut self, channel: u32, lane: u8, bytes: u32, time: PicosecondTime) {
        let place = channel as usize * usize::from(self.setting.virtual_channels) + usize::from(lane);
        let own = &mut self.ports[channel as usize];
        match own.control {
            Control::Unlimited => {}
            Control::Drop { .. } => self.space[place] += u64::from(bytes),
            Control::Credits { .. } => {
                let back = time + own.propagation;
                own.credits.push_back((back, lane, bytes));
                // Outputs of different rates may finish in another order than they began.
                let mut last = own.credits.len() - 1;
                while last > 0 && own.credits[last - 1].0 > back {
                    own.credits.swap(last - 1, last);
                    last -= 1;
                }
                if own.starved {
                    let time = back.max(own.free_at);
                    self.wake(channel, time);
                }
            }
            Control::Pause { go_bytes, .. } => {
                self.space[place] += u64::from(bytes);
                let waiting = room(own.control) - self.space[place];
                if own.stop_sent && waiting <= u64::from(go_bytes) {
                    own.stop_sent = false;
                    let back = time + own.propagation;
                    own.pauses.push_back((back, false));
                    let time = back.max(own.free_at);
                    if own.starved || own.is_stopped {
                        self.wake(channel, time);
                    }
                }
            }
        }
    }

    /// Takes in the credits, stops and restarts that have arrived at a port.
    pub(super) fn absorb(&mut self, port: u32) {
        let now = self.now;
        let own = &mut self.ports[port as usize];
        while let Some(&(time, lane, bytes)) = own.credits.front() {
            if time > now {
                break;
            }
            own.credits.pop_front();
            self.space[port as usize * usize::from(self.setting.virtual_channels) + usize::from(lane)] += u64::from(bytes);
        }
        while let Some(&(time, stops)) = own.pauses.front() {
            if time > now {
                break;
            }
            own.pauses.pop_front();
            own.is_stopped = stops;
        }
    }
}
