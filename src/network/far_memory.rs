//! Memory outside the chips, read over the fabric: its size, and the rate at which all chips read it at the same time.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;

use super::channel_loads::ChannelLoads;
use super::group::Group;
use super::network::Network;
use super::pattern::TrafficPattern;
use super::symmetry::Collapsed;
use crate::fabric::Endpoint;
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// Which memory a chip reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// DRAM of the hosts that serve the chip.
    OwnHosts,
    /// DRAM of all hosts, an equal part from each.
    AllHosts,
    /// All memory expanders that serve the chip, an equal part from each.
    Expanders,
}

impl Reach {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 3] = [Self::OwnHosts, Self::AllHosts, Self::Expanders];
}

/// Memory that chips read over the fabric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FarMemory {
    /// Total size.
    pub capacity: Bytes,
    /// Rate of one chip while all chips read at this rate.
    pub rate: BytesPerSecond,
    /// Latency from the farthest part of the memory to a chip, memory and endpoints included, one way.
    pub latency: Seconds,
}

/// Nodes that hold memory, with the chips that read them.
struct MemoryPool {
    memories: Vec<u32>,
    chips: Vec<u32>,
}

impl Network<'_> {
    /// The memory of this kind, and its rate when every chip reads at the same time, an equal part from each memory:
    ///
    /// ```text
    /// rate = memories / max( max over channels (bytes / payload rate), chips / bandwidth of a memory )
    /// ```
    ///
    /// with one byte from every memory to every chip of its pool; no more than a chip's loads in flight carry. `efficiency` is the share of the wire that copies reach.
    ///
    /// # Errors
    /// What the machine lacks.
    pub fn far_memory(&self, reach: Reach, efficiency: f64) -> Result<FarMemory, String> {
        let pools = self.pools(reach);
        if pools.is_empty() {
            let (lacks, near) = match reach {
                Reach::Expanders => ("memory expanders", self.other_tiers(false)),
                Reach::OwnHosts | Reach::AllHosts => ("hosts with memory", self.other_tiers(true)),
            };
            return Err(format!("no {lacks} are attached to the fabric; here {near}"));
        }
        let fabric = self.fabric();
        // Pools of one shape load the machine alike wherever its chips are alike.
        let all_alike = fabric.uniform && pools.iter().all(|pool| pool.chips.len() == pools[0].chips.len());
        let shown = if all_alike && pools.len() > 1 { &pools[..1] } else { &pools[..] };
        let mut loads = ChannelLoads::silent(self.router().channels().len());
        let mut slowest = 0.0_f64;
        for pool in shown {
            let senders = pool.memories.len() as u32;
            let group = Group::of(pool.memories.iter().chain(&pool.chips).copied().collect());
            // One pool of all: one chip's reads stand for all where chips are alike.
            let alone = fabric.uniform && pool.chips.len() as u32 == fabric.chips;
            let receivers: Vec<u32> = if alone { vec![senders] } else { (senders..group.ranks()).collect() };
            let mut one = self.loads_of(&group, TrafficPattern::OneSided { senders }, &receivers);
            if alone {
                one.scale(f64::from(fabric.chips));
                one = Collapsed::of_machine(one).spread(self);
            }
            if one.unreachable.is_some() {
                return Err(format!("not every chip reaches the memory of every host over the fabric; here {}", self.other_tiers(false)));
            }
            // A chip's bytes are as many as its memories; shares of pools of other sizes are made comparable by chip.
            loads.add(&one, 1.0 / f64::from(senders));
            let bandwidth = pool.memories.iter().map(|&node| self.memory(node).1.get()).fold(f64::INFINITY, f64::min);
            slowest = slowest.max(pool.chips.len() as f64 / f64::from(senders) / bandwidth);
        }
        let wire = loads.bytes.iter().zip(self.capacities()).map(|(bytes, rate)| bytes / (rate * efficiency)).fold(0.0, f64::max);
        let capacity = pools.iter().flat_map(|pool| &pool.memories).map(|&node| self.memory(node).0).sum();
        let rate = BytesPerSecond::new(1.0 / wire.max(slowest));
        let rate = self.window_rate(loads.latency).map_or(rate, |window| rate.min(window));
        Ok(FarMemory { capacity, rate, latency: loads.latency })
    }

    /// Memories and the chips that read them: one pool of all, or one for each set of chips that hosts serve.
    fn pools(&self, reach: Reach) -> Vec<MemoryPool> {
        let fabric = self.fabric();
        let holds = |endpoint: Endpoint| match reach {
            Reach::Expanders => matches!(endpoint, Endpoint::Memory(_)),
            Reach::OwnHosts | Reach::AllHosts => matches!(endpoint, Endpoint::Cpu(_)),
        };
        let mut pools: BTreeMap<(u32, u32), Vec<u32>> = BTreeMap::new();
        for (number, node) in (0..).zip(fabric.graph.node_weights()) {
            if holds(node.endpoint) {
                let under = if reach == Reach::AllHosts { (0, fabric.chips) } else { (node.first_chip, node.chips) };
                pools.entry(under).or_default().push(number);
            }
        }
        pools.into_iter().map(|((first, chips), memories)| MemoryPool { memories, chips: (first..first + chips).collect() }).collect()
    }

    /// Capacity and bandwidth of the memory at a node.
    fn memory(&self, node: u32) -> (Bytes, BytesPerSecond) {
        let fabric = self.fabric();
        match fabric.graph[NodeIndex::new(node as usize)].endpoint {
            Endpoint::Cpu(part) => {
                let cpu = &fabric.cpus[part as usize].1;
                (cpu.memory_capacity.value, cpu.fabric_bandwidth.value)
            }
            Endpoint::Memory(part) => {
                let memory = &fabric.memories[part as usize].1;
                (memory.capacity.value, memory.bandwidth.value)
            }
            _ => (Bytes::ZERO, BytesPerSecond::ZERO),
        }
    }

    /// The tiers that this machine does have.
    fn other_tiers(&self, without_hosts: bool) -> String {
        let fabric = self.fabric();
        let hosts = !without_hosts && !fabric.cpus.is_empty();
        let names: Vec<&str> = [("`hbm`", true), ("`host-dram`", hosts), ("`cxl-pool`", !fabric.memories.is_empty())]
            .into_iter()
            .filter_map(|(name, there)| there.then_some(name))
            .collect();
        let (last, others) = names.split_last().map_or(("", &[][..]), |(last, others)| (*last, others));
        if others.is_empty() { format!("{last} works") } else { format!("{} and {last} work", others.join(", ")) }
    }
}
