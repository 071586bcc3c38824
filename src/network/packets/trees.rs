//! Packets that switches add up on their way to a root, and copy on their way from it.
//!
//! A switch keeps the sum of the packets of one number until those of all its children have come; the last of them leaves with the sum, so
//! that a tree is as fast as its slowest member. The memory for sums is not limited. A packet that is copied gives its room back when its
//! last copy has left.

use std::collections::{BTreeMap, VecDeque};

use super::flow::Flow;
use super::model::{Control, PacketError, Recovery, Time};
use super::packet::{NONE, Packet};
use super::result::Arrival;
use super::state::{Due, State};

/// Destination of packets on their way to the root of their tree.
pub(super) const UP: u32 = u32::MAX - 1;
/// Destination of packets on their way from the root to all members.
pub(super) const DOWN: u32 = u32::MAX - 2;

/// A tree of switches that add up, copy, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduction {
    /// Channels towards the root, each with the channel back beside it.
    pub channels: Vec<(u32, u32)>,
    /// Nodes that send and receive; none of them stands on the way of another.
    pub members: Vec<u32>,
    /// Payload that each member sends, if packets are added up; that all send together, if not.
    pub bytes: u64,
    /// Whether packets of all members are added up. If not, the members send one packet each in turn.
    pub adds: bool,
    /// Whether the root's packets go to all members. If not, they go to one member each in turn.
    pub copies: bool,
}

/// A node of a tree.
#[derive(Clone, Debug, Default)]
struct TreeNode {
    /// Channel towards the root; [`NONE`] at the root.
    up: u32,
    /// Channels from the root.
    down: Vec<u32>,
    /// Packets of each number that have come, from number `first` on.
    joined: VecDeque<u32>,
    first: u32,
}

/// A tree under way.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub adds: bool,
    pub copies: bool,
    members: Vec<u32>,
    nodes: BTreeMap<u32, TreeNode>,
    /// Flow of the first member; the others follow.
    first_flow: u32,
    packets: u32,
    received: Vec<u32>,
}

impl Tree {
    /// Packets whose number gives `place` when divided by the number of members.
    fn share(&self, place: usize) -> u32 {
        let members = self.members.len() as u32;
        (self.packets + members - 1 - place as u32) / members
    }

    fn place(&self, node: u32) -> Option<usize> {
        self.members.iter().position(|&member| member == node)
    }

    /// Channel by which a node sends to the root.
    pub(super) fn up(&self, node: u32) -> u32 {
        self.nodes.get(&node).map_or(NONE, |own| own.up)
    }

    /// Number of a member's packet in the tree.
    pub(super) fn number(&self, node: u32, sequence: u32) -> u32 {
        if self.adds { sequence } else { sequence * self.members.len() as u32 + self.place(node).unwrap_or(0) as u32 }
    }

    /// A packet reaches a node on its way up. Whether all of its number are there.
    fn join(&mut self, node: u32, number: u32) -> bool {
        let children = self.nodes.get(&node).map_or(0, |own| own.down.len()) as u32;
        if !self.adds || children < 2 {
            return true;
        }
        let Some(own) = self.nodes.get_mut(&node) else { return true };
        let place = (number - own.first) as usize;
        if own.joined.len() <= place {
            own.joined.resize(place + 1, 0);
        }
        own.joined[place] += 1;
        let is_whole = own.joined[place] == children;
        while own.joined.front() == Some(&children) {
            own.joined.pop_front();
            own.first += 1;
        }
        is_whole
    }
}

impl State<'_> {
    /// Adds the flows of trees.
    pub(super) fn add_reductions(&mut self, reductions: &[Reduction]) -> Result<(), PacketError> {
        if matches!(self.setting.recovery, Recovery::GoBackN { .. }) {
            return Err(PacketError::Setting("packets that switches add up cannot be sent again from end to end".to_owned()));
        }
        for reduction in reductions {
            let number = self.trees.len() as u32;
            let tree = self.tree(reduction)?;
            let payload = self.setting.payload_bytes;
            let last = (reduction.bytes - u64::from(tree.packets.max(1) - 1) * u64::from(payload)) as u32;
            for (place, &member) in tree.members.iter().enumerate() {
                let packets = if tree.adds { tree.packets } else { tree.share(place) };
                let has_last = tree.adds || place as u32 == (tree.packets.max(1) - 1) % tree.members.len() as u32;
                let flow = self.flows.len() as u32;
                self.flows.push(Flow::of_tree(member, packets, if has_last { last } else { payload }, number));
                let is_idle = tree.packets == 0 || (!tree.copies && tree.share(place) == 0);
                self.arrivals.push(Arrival { start: 0, end: if is_idle { 0 } else { Time::MAX }, acknowledged: 0 });
                if packets > 0 {
                    self.plan(self.node(member).latency, Due::Start(flow));
                }
            }
            self.trees.push(tree);
        }
        Ok(())
    }

    fn tree(&self, reduction: &Reduction) -> Result<Tree, PacketError> {
        let refuse = |message: &str| Err(PacketError::Setting(message.to_owned()));
        let mut nodes: BTreeMap<u32, TreeNode> = BTreeMap::new();
        for &(up, down) in &reduction.channels {
            let (from, to) = (self.machine.channels[up as usize].from, self.machine.channels[up as usize].to);
            nodes.entry(from).or_insert_with(|| TreeNode { up: NONE, ..TreeNode::default() }).up = up;
            nodes.entry(to).or_insert_with(|| TreeNode { up: NONE, ..TreeNode::default() }).down.push(down);
        }
        if reduction.members.is_empty() || nodes.values().filter(|node| node.up == NONE).count() != 1 {
            return refuse("a tree of switches needs members and one root");
        }
        if reduction.members.iter().any(|member| nodes.get(member).is_none_or(|node| node.up == NONE || !node.down.is_empty())) {
            return refuse("a member of a tree of switches must be one of its leaves");
        }
        let packets = reduction.bytes.div_ceil(u64::from(self.setting.payload_bytes));
        let Ok(packets) = u32::try_from(packets) else { return refuse("a tree of switches has too many packets") };
        Ok(Tree {
            adds: reduction.adds,
            copies: reduction.copies,
            received: vec![0; reduction.members.len()],
            members: reduction.members.clone(),
            nodes,
            first_flow: self.flows.len() as u32,
            packets,
        })
    }

    /// A packet of a tree reaches a node.
    pub(super) fn pass_tree(&mut self, node: u32, mut packet: Packet, tail: Time) {
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
    fn copy(&mut self, node: u32, packet: Packet, tail: Time) {
        let number = self.flows[packet.flow as usize].tree as usize;
        let down = self.trees[number].nodes.get(&node).map(|own| own.down.clone()).unwrap_or_default();
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
    pub(super) fn receive_tree(&mut self, node: u32, packet: &Packet, time: Time) {
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
    pub(super) fn leave(&mut self, packet: &Packet, time: Time) {
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
