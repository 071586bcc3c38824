//! A tree of switches that add up what its members send, and copy the sums to them.

use std::collections::{BTreeMap, VecDeque};

use super::model::{PacketError, PacketMachine};
use super::packet::NONE;

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
    pub members: Vec<u32>,
    nodes: BTreeMap<u32, TreeNode>,
    /// Flow of the first member; the others follow.
    pub first_flow: u32,
    pub packets: u32,
    /// Packets that each member has.
    pub received: Vec<u32>,
}

impl Tree {
    /// A tree whose first member has flow number `first_flow`, in packets of `payload` bytes.
    pub(super) fn new(machine: &PacketMachine, reduction: &Reduction, payload: u32, first_flow: u32) -> Result<Self, PacketError> {
        let refuse = |message: &str| Err(PacketError::Setting(message.to_owned()));
        let mut nodes: BTreeMap<u32, TreeNode> = BTreeMap::new();
        for &(up, down) in &reduction.channels {
            let (from, to) = (machine.channels[up as usize].from, machine.channels[up as usize].to);
            nodes.entry(from).or_insert_with(|| TreeNode { up: NONE, ..TreeNode::default() }).up = up;
            nodes.entry(to).or_insert_with(|| TreeNode { up: NONE, ..TreeNode::default() }).down.push(down);
        }
        if reduction.members.is_empty() || nodes.values().filter(|node| node.up == NONE).count() != 1 {
            return refuse("a tree of switches needs members and one root");
        }
        if reduction.members.iter().any(|member| nodes.get(member).is_none_or(|node| node.up == NONE || !node.down.is_empty())) {
            return refuse("a member of a tree of switches must be one of its leaves");
        }
        let packets = reduction.bytes.div_ceil(u64::from(payload));
        let Ok(packets) = u32::try_from(packets) else { return refuse("a tree of switches has too many packets") };
        Ok(Self {
            adds: reduction.adds,
            copies: reduction.copies,
            received: vec![0; reduction.members.len()],
            members: reduction.members.clone(),
            nodes,
            first_flow,
            packets,
        })
    }

    /// Packets whose number gives `place` when divided by the number of members.
    pub(super) fn share(&self, place: usize) -> u32 {
        let members = self.members.len() as u32;
        (self.packets + members - 1 - place as u32) / members
    }

    pub(super) fn place(&self, node: u32) -> Option<usize> {
        self.members.iter().position(|&member| member == node)
    }

    /// Channel by which a node sends to the root.
    pub(super) fn up(&self, node: u32) -> u32 {
        self.nodes.get(&node).map_or(NONE, |own| own.up)
    }

    /// Channels by which a node copies what comes from the root.
    pub(super) fn down(&self, node: u32) -> Vec<u32> {
        self.nodes.get(&node).map(|own| own.down.clone()).unwrap_or_default()
    }

    /// Number of a member's packet in the tree.
    pub(super) fn number(&self, node: u32, sequence: u32) -> u32 {
        if self.adds { sequence } else { sequence * self.members.len() as u32 + self.place(node).unwrap_or(0) as u32 }
    }

    /// A packet reaches a node on its way up. Whether all of its number are there.
    pub(super) fn join(&mut self, node: u32, number: u32) -> bool {
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
