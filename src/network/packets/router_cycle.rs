//! Cycles of a router of stages: which packets get a virtual channel, which flits cross.

use super::model::Control;
use super::packet::Packet;
use super::staged::{RouterStage, StagedRouter};
use super::state::PacketState;

/// Turn of what crosses.
const GRANTED: u32 = u32::MAX;

impl PacketState<'_> {
    /// The output that the first flit of a packet took.
    pub(super) fn way_of_head(&self, node: u32, flit: &Packet) -> u32 {
        let own = &self.routers[self.router_of[node as usize] as usize];
        own.ways[own.place(flit.from, flit.lane)]
    }

    /// A packet or a flit has come to a router of stages.
    pub(super) fn enter(&mut self, node: u32, input: u32, lane: u8, out: u32) {
        let own = &mut self.routers[self.router_of[node as usize] as usize];
        let place = own.place(input, lane);
        own.ways[place] = out;
        if own.stages[place] == RouterStage::Idle {
            own.stages[place] = RouterStage::Channel { from: self.now + own.cycle };
        }
        let first = own.outputs[0];
        self.mark(first);
    }

    /// A router's cycle, if one begins now.
    pub(super) fn step(&mut self, number: u32) {
        let mut router = std::mem::take(&mut self.routers[number as usize]);
        let (now, first) = (self.now, router.outputs[0]);
        if now >= router.next {
            router.next = now + router.cycle;
            for &out in &router.outputs {
                self.absorb(out);
            }
            let moves = self.allocate_channels(&mut router) + self.allocate_switch(&mut router);
            self.sleep(&router, moves > 0);
        } else {
            self.wake(first, router.next);
        }
        self.routers[number as usize] = router;
    }

    /// Has a router look again in the next cycle, or when a credit comes.
    fn sleep(&mut self, router: &StagedRouter, has_moved: bool) {
        let is_due = |stage: &RouterStage| match *stage {
            RouterStage::Idle => false,
            RouterStage::Channel { from } | RouterStage::Switch { from, .. } => from > self.now,
        };
        if has_moved || router.stages.iter().any(is_due) {
            self.wake(router.outputs[0], router.next);
            return;
        }
        if router.stages.iter().all(|&stage| stage == RouterStage::Idle) {
            return;
        }
        for &out in &router.outputs {
            let own = &mut self.ports[out as usize];
            own.starved = true;
            let credit = own.credits.front().map(|credit| credit.0);
            let free = Some(own.free_at).filter(|&free| free > router.next).map(|free| free - router.cycle);
            if let Some(time) = credit.into_iter().chain(free).min() {
                self.wake(out, time.max(router.next));
            }
        }
    }

    /// Gives first packets virtual channels of their outputs. How many got one.
    fn allocate_channels(&mut self, router: &mut StagedRouter) -> usize {
        let lanes = usize::from(self.setting.virtual_channels);
        for (place, stage) in router.stages.iter().enumerate() {
            let RouterStage::Channel { from } = *stage else { continue };
            let queue = self.input_queue[router.inputs[place / lanes] as usize] as usize + place % lanes;
            let Some(head) = self.queues[queue].front().filter(|_| from <= self.now) else { continue };
            let first = self.place_out[head.out as usize] as usize * lanes;
            let open = self.lanes(head.out, head.class).map(|lane| first + usize::from(lane));
            open.filter(|&slot| !router.taken[slot]).for_each(|slot| router.channels.ask(place, slot));
        }
        let pairs = router.channels.pair();
        for &(place, slot) in pairs {
            router.stages[place] = RouterStage::Switch { from: self.now + router.cycle, slot: slot as u32 };
            router.taken[slot] = true;
        }
        pairs.len()
    }

    /// Lets flits cross the switch. How many did.
    fn allocate_switch(&mut self, router: &mut StagedRouter) -> usize {
        let lanes = usize::from(self.setting.virtual_channels);
        // One virtual channel of an input asks for an output; the next in turn, if several would.
        let mut asks = std::mem::take(&mut router.asks);
        asks.clear();
        for (place, stage) in router.stages.iter().enumerate() {
            let RouterStage::Switch { from, slot } = *stage else { continue };
            if from <= self.now && self.can_cross(router, place, slot as usize) {
                let (input, lane) = (place / lanes, (place % lanes) as u32);
                let turn = (lane + lanes as u32 - router.turns[input]) % lanes as u32;
                asks.push((input, slot as usize / lanes, turn, place));
            }
        }
        asks.sort_unstable();
        asks.dedup_by_key(|ask| (ask.0, ask.1));
        asks.iter().for_each(|ask| router.switch.ask(ask.0, ask.1));
        let mut crossing = 0;
        for &(input, output) in router.switch.pair() {
            // Pairs are what was asked for; each stands once.
            let Some(ask) = asks.iter_mut().find(|ask| (ask.0, ask.1) == (input, output)) else { continue };
            ask.2 = GRANTED;
            crossing += 1;
        }
        for &(input, _, turn, place) in &asks {
            if turn == GRANTED {
                router.turns[input] = ((place % lanes + 1) % lanes) as u32;
                self.cross(router, place);
            }
        }
        router.asks = asks;
        crossing
    }

    /// Whether the next flit of a virtual channel is there and has room to go to.
    fn can_cross(&self, router: &StagedRouter, place: usize, slot: usize) -> bool {
        let lanes = usize::from(self.setting.virtual_channels);
        let queue = self.input_queue[router.inputs[place / lanes] as usize] as usize + place % lanes;
        let Some(flit) = self.queues[queue].front() else { return false };
        let port = router.outputs[slot / lanes] as usize;
        let own = &self.ports[port];
        let has_room = !matches!(own.control, Control::Credits { .. }) || self.space[port * lanes + slot % lanes] >= u64::from(flit.bytes);
        has_room && own.free_at <= self.now + router.cycle
    }

    /// Sends a flit, and has the packet behind its last one begin.
    fn cross(&mut self, router: &mut StagedRouter, place: usize) {
        let lanes = usize::from(self.setting.virtual_channels);
        let RouterStage::Switch { slot, .. } = router.stages[place] else { return };
        let slot = slot as usize;
        let queue = self.input_queue[router.inputs[place / lanes] as usize] as usize + place % lanes;
        let Some(flit) = self.queues[queue].pop_front() else { return };
        self.transmit(router.outputs[slot / lanes], flit, (slot % lanes) as u8, self.now + router.cycle);
        if flit.is_tail() {
            router.taken[slot] = false;
            let is_empty = self.queues[queue].is_empty();
            router.stages[place] = if is_empty { RouterStage::Idle } else { RouterStage::Channel { from: self.now + 2 * router.cycle } };
        }
    }
}
