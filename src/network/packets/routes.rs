//! Next hops: for every node and every destination, the channels that lead nearer.

use std::collections::{BTreeMap, VecDeque};

use super::model::{NextHopChoice, PacketMachine};
use super::random::mix;

/// Next hops of all nodes. Equal sets of channels are held once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTable {
    ends: usize,
    /// Place of a node among the destinations; `u32::MAX` for those that are none.
    end_of: Vec<u32>,
    /// Set of node `n` towards destination `d` at `n * ends + d`.
    set_of: Vec<u32>,
    /// Members of set `s` are `first[s]..first[s + 1]`; set 0 is empty.
    first: Vec<u32>,
    members: Vec<u32>,
}

/// What packets on their routes wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    /// Nodes that packets pass on their way to others.
    pub passing: Vec<bool>,
    /// Whether some channels wait for each other in a circle, so that full buffers could block them for good (Dally and Seitz, 1987).
    pub has_cycle: bool,
}

impl RouteTable {
    /// Files the next hops that `towards` lists for each destination: (node, channel), a channel as often as its weight says.
    #[must_use]
    pub fn new(nodes: usize, destinations: &[u32], mut towards: impl FnMut(u32) -> Vec<(u32, u32)>) -> Self {
        let mut end_of = vec![u32::MAX; nodes];
        for (&node, place) in destinations.iter().zip(0..) {
            end_of[node as usize] = place;
        }
        let ends = destinations.len();
        let mut table = Self { ends, end_of, set_of: vec![0; nodes * ends], first: vec![0, 0], members: Vec::new() };
        let mut known: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        for (place, &destination) in destinations.iter().enumerate() {
            let mut hops = towards(destination);
            hops.sort_unstable();
            for of_node in hops.chunk_by(|a, b| a.0 == b.0) {
                let set: Vec<u32> = of_node.iter().map(|hop| hop.1).collect();
                let number = *known.entry(set).or_insert_with_key(|set| {
                    table.members.extend(set);
                    table.first.push(table.members.len() as u32);
                    table.first.len() as u32 - 2
                });
                table.set_of[of_node[0].0 as usize * ends + place] = number;
            }
        }
        table
    }

    /// All shortest paths between the ends of a machine; with `by_dimension`, the lowest dimension first.
    #[must_use]
    pub fn shortest(machine: &PacketMachine, by_dimension: bool) -> Self {
        let mut into: Vec<Vec<u32>> = vec![Vec::new(); machine.nodes.len()];
        for (channel, number) in machine.channels.iter().zip(0..) {
            into[channel.to as usize].push(number);
        }
        let ends: Vec<u32> = (0..).zip(&machine.nodes).filter(|(_, node)| node.is_end).map(|(number, _)| number).collect();
        Self::new(machine.nodes.len(), &ends, |end| {
            let mut distance = vec![u32::MAX; machine.nodes.len()];
            distance[end as usize] = 0;
            let mut order = VecDeque::from([end]);
            let mut hops = Vec::new();
            while let Some(node) = order.pop_front() {
                if node != end && !machine.nodes[node as usize].forwards {
                    continue;
                }
                for &channel in &into[node as usize] {
                    let tail = machine.channels[channel as usize].from;
                    if distance[tail as usize] == u32::MAX {
                        distance[tail as usize] = distance[node as usize] + 1;
                        order.push_back(tail);
                    }
                    if distance[tail as usize] == distance[node as usize] + 1 {
                        hops.push((tail, channel));
                    }
                }
            }
            if by_dimension {
                let dimension = |hop: &(u32, u32)| machine.channels[hop.1 as usize].dimension.unwrap_or(u32::MAX);
                let mut lowest = vec![u32::MAX; machine.nodes.len()];
                for hop in &hops {
                    lowest[hop.0 as usize] = lowest[hop.0 as usize].min(dimension(hop));
                }
                hops.retain(|hop| dimension(hop) == lowest[hop.0 as usize]);
            }
            hops
        })
    }

    /// Which channels packets hold while they wait for which others, towards any destination; `far_ends` are the nodes that channels lead to.
    #[must_use]
    pub fn dependencies(&self, far_ends: &[u32]) -> Dependencies {
        let nodes = self.end_of.len();
        let mut passing = vec![false; nodes];
        let mut next_sets: Vec<Vec<u32>> = vec![Vec::new(); far_ends.len()];
        for place in 0..self.ends {
            for node in 0..nodes {
                for &channel in self.members(self.set_of[node * self.ends + place]) {
                    let next_node = far_ends[channel as usize] as usize;
                    let next = self.set_of[next_node * self.ends + place];
                    if next != 0 {
                        passing[next_node] = true;
                        let known = &mut next_sets[channel as usize];
                        if !known.contains(&next) {
                            known.push(next);
                        }
                    }
                }
            }
        }
        let has_cycle = self.has_cycle(&next_sets);
        Dependencies { passing, has_cycle }
    }

    /// Takes off channels that no other waits for, until none is left or those that remain wait in circles.
    fn has_cycle(&self, next_sets: &[Vec<u32>]) -> bool {
        let next = |channel: usize| next_sets[channel].iter().flat_map(|&set| self.members(set)).map(|&next| next as usize);
        let mut waited_for = vec![0_u32; next_sets.len()];
        (0..next_sets.len()).flat_map(next).for_each(|channel| waited_for[channel] += 1);
        let mut free: Vec<usize> = (0..next_sets.len()).filter(|&channel| waited_for[channel] == 0).collect();
        let mut done = 0;
        while let Some(channel) = free.pop() {
            done += 1;
            for next in next(channel) {
                waited_for[next] -= 1;
                if waited_for[next] == 0 {
                    free.push(next);
                }
            }
        }
        done < next_sets.len()
    }

    /// Number of the set of next hops of a node; sets are private to a node, since their channels are.
    pub(super) fn set(&self, node: u32, destination: u32) -> u32 {
        self.set_of[node as usize * self.ends + self.end_of[destination as usize] as usize]
    }

    /// First channels from a node towards a destination, each as often as its weight says.
    #[must_use]
    pub fn ways(&self, from: u32, destination: u32) -> usize {
        self.members(self.set(from, destination)).len()
    }

    /// Channels of a set.
    pub(super) fn members(&self, set: u32) -> &[u32] {
        &self.members[self.first[set as usize] as usize..self.first[set as usize + 1] as usize]
    }

    /// Place of a set's first member among the members of all sets.
    pub(super) fn first_member(&self, set: u32) -> usize {
        self.first[set as usize] as usize
    }

    /// Members of all sets.
    pub(super) fn all_members(&self) -> usize {
        self.members.len()
    }

    /// Sets of next hops.
    pub(super) fn sets(&self) -> usize {
        self.first.len() - 1
    }

    /// Whether a node is a destination.
    #[must_use]
    pub fn is_end(&self, node: u32) -> bool {
        self.end_of.get(node as usize).is_some_and(|&place| place != u32::MAX)
    }
}

/// Place among `count` next hops that a hash picks for a pair at a node.
pub(super) fn hashed(seed: u64, source: u32, destination: u32, node: u32, count: usize) -> usize {
    let state = mix(mix(mix(seed ^ u64::from(source)) ^ u64::from(destination)) ^ u64::from(node));
    ((u128::from(state) * count as u128) >> 64) as usize
}

/// The seed that a choice starts from, where it hashes.
pub(super) fn seed(choice: NextHopChoice) -> Option<u64> {
    match choice {
        NextHopChoice::Hashed { seed } => Some(seed),
        NextHopChoice::Spray | NextHopChoice::Random | NextHopChoice::ShortestQueue => None,
    }
}
