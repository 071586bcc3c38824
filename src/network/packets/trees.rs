//! Packets that switches add up on their way to a root, and copy on their way from it.
//!
//! A switch keeps the sum of the packets of one number until those of all its children have come; the last of them leaves with the sum, so
//! that a tree is as fast as its slowest member. The memory for sums is not limited. A packet that is copied gives its room back when its
//! last copy has left.

use super::flow::PacketFlow;
use super::model::{Control, PacketError, PicosecondTime, Recovery};
use super::packet::{DOWN, NONE, Packet};
use super::result::Arrival;
use super::state::{Due, PacketState};
use super::tree::{Reduction, Tree};

impl PacketState<'_> {
    /// Adds the flows of trees.
    pub(super) fn add_reductions(&mut self, reductions: &[Reduction]) -> Result<(), PacketError> {
        if matches!(self.setting.recovery, Recovery::GoBackN { .. }) {
            return Err(PacketError::Setting("packets that switches add up cannot be sent again from end to end".to_owned()));
        }
        for reduction in reductions {
            let number = self.trees.len() as u32;
            let payload = self.setting.payload_bytes;
            let tree = Tree::new(self.machine, reduction, payload, self.flows.len() as u32)?;
            let last = (reduction.bytes - u64::from(tree.packets.max(1) - 1) * u64::from(payload)) as u32;
            for (place, &member) in tree.members.iter().enumerate() {
                let packets = if tree.adds { tree.packets } else { tree.share(place) };
                let has_last = tree.adds || place as u32 == (tree.packets.max(1) - 1) % tree.members.len() as u32;
                let flow = self.flows.len() as u32;
                self.flows.push(PacketFlow::of_tree(member, packets, if has_last { last } else { payload }, number));
                let is_idle = tree.packets == 0 || (!tree.copies && tree.share(place) == 0);
                self.arrivals.push(Arrival { start: 0, end: if is_idle { 0 } else { PicosecondTime::MAX }, acknowledged: 0 });
                if packets > 0 {
                    self.plan(self.node(member).latency, Due::Start(flow));
                }
            }
            self.trees.push(tree);
        }
        Ok(())
    }

    /// A packet of a tree reaches a node.
    pub(super) fn pass_tree(&mut self, node: u32, mut packet: Packet, tail: PicosecondTime) {
        let number = self.flows[packet.flow as usize].tree as usize;
        if packet.destination == DOWN {
            if self.trees[number].place(node).is_some() {
                self.deliver(node, packet, tail);
            } else {
                self.copy(node, packet, tail);
            }
            return;
        }
        let tree = &mut self.trees[number];
        if !tree.join(node, packet.sequence) {
            self.counts.merged += 1;
            // What is added up takes no room in the queues; only a sender with credits has counted some.
            if matches!(self.ports[packet.from as usize].control, Control::Credits { .. }) {
                self.release(packet.from, packet.lane, packet.bytes, tail);
            }
            return;
        }
        let up = tree.up(node);
        if up != NONE {
            self.pass_by(node, up, packet, tail);
        } else if tree.copies {
            packet.destination = DOWN;
            self.copy(node, packet, tail);
        } else {
            packet.destination = tree.members[packet.sequence as usize % tree.members.len()];
            let out = self.next_hop(node, &packet);
            self.pass_by(node, out, packet, tail);
        }
    }

    /// A packet leaves by all channels that lead down.
    fn copy(&mut self, node: u32, packet: Packet, tail: PicosecondTime) {
        let number = self.flows[packet.flow as usize].tree as usize;
        let down = self.trees[number].down(node);
        if !self.admit(&packet) {
            self.counts.dropped += 1;
            self.lose(packet, tail);
            return;
        }
        self.counts.copied += down.len() as u64 - 1;
        if down.len() > 1 {
            self.copies.insert((packet.from, packet.flow, packet.sequence), down.len() as u32);
        }
        for out in down {
            self.queue(node, out, packet, tail);
        }
    }

    /// A member has a packet of the root.
    pub(super) fn receive_tree(&mut self, node: u32, packet: &Packet, time: PicosecondTime) {
        self.counts.delivered += 1;
        let tree = &mut self.trees[self.flows[packet.flow as usize].tree as usize];
        let Some(place) = tree.place(node) else { return };
        tree.received[place] += 1;
        let all = if tree.copies { tree.packets } else { tree.share(place) };
        let (flow, is_answer) = (tree.first_flow as usize + place, tree.adds && tree.copies);
        if tree.received[place] == all {
            self.arrivals[flow].end = time;
        }
        if is_answer {
            // The sum says that the member's own part has arrived.
            self.reopen(node, 1);
        }
    }

    /// A packet's last bit leaves a node at `time`: gives back its room, that of copies with the last one.
    pub(super) fn leave(&mut self, packet: &Packet, time: PicosecondTime) {
        if packet.destination == DOWN {
            let key = (packet.from, packet.flow, packet.sequence);
            if let Some(left) = self.copies.get_mut(&key) {
                *left -= 1;
                if *left > 0 {
                    return;
                }
                self.copies.remove(&key);
            }
        }
        self.release(packet.from, packet.lane, packet.bytes, time);
    }
}
