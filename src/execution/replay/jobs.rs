//! How long each node takes on its own, what must be free for it, and what waits for it.

use std::collections::BTreeMap;

use super::{ComputeSources, ComputeTimes, PlayedKind, ReplayError, ReplayOptions, UnsizedNode};
use crate::input::chakra::{ChakraTrace, NodeKind, TraceCollective, TraceNode};
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::Device;
use crate::workload::kernel::roofline_time;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NodeJob {
    /// Keeps a thread or stream busy for so long.
    Busy { time: Seconds, resource: usize },
    /// Takes part in a collective of several ranks.
    Collective,
    /// Sends.
    Send,
    /// Receives.
    Receive,
}

/// The nodes of all ranks, numbered through.
#[derive(Debug)]
pub(super) struct Jobs {
    pub jobs: Vec<NodeJob>,
    pub kinds: Vec<PlayedKind>,
    /// Place of each rank's first node.
    pub first: Vec<usize>,
    /// How many nodes each one waits for.
    pub awaited: Vec<u32>,
    /// Nodes that wait for each one.
    pub waiters: Vec<Vec<u32>>,
    /// What each one waits for.
    pub after: Vec<Vec<u32>>,
    pub resources: usize,
    pub compute: ComputeSources,
    pub unsized_nodes: Vec<UnsizedNode>,
    pub notes: Vec<String>,
}

/// Thread or stream of a rank: rank, kind of work, number.
type ResourceKey = (usize, PlayedKind, u64);

impl Jobs {
    pub fn new(device: &Device, trace: &ChakraTrace, options: &ReplayOptions) -> Result<Self, ReplayError> {
        let nodes: usize = trace.ranks.iter().map(|rank| rank.nodes.len()).sum();
        if nodes >= u32::MAX as usize {
            return Err(ReplayError::new(format!("the trace has {nodes} nodes: at most {} are played", u32::MAX - 1)));
        }
        let mut jobs = Self {
            jobs: Vec::with_capacity(nodes),
            kinds: Vec::with_capacity(nodes),
            first: Vec::new(),
            awaited: vec![0; nodes],
            waiters: vec![Vec::new(); nodes],
            after: vec![Vec::new(); nodes],
            resources: 0,
            compute: ComputeSources::default(),
            unsized_nodes: Vec::new(),
            notes: Vec::new(),
        };
        let mut resources: BTreeMap<ResourceKey, usize> = BTreeMap::new();
        let mut missing = 0;
        for (rank, traced) in trace.ranks.iter().enumerate() {
            let first = jobs.jobs.len();
            jobs.first.push(first);
            missing += jobs.link(first, traced)?;
            for node in &traced.nodes {
                let (kind, job) = jobs.job(device, options, (traced.rank, node));
                let job = match job {
                    NodeJob::Busy { time, .. } => {
                        let next = resources.len();
                        NodeJob::Busy { time, resource: *resources.entry((rank, kind, node.thread)).or_insert(next) }
                    }
                    other => other,
                };
                jobs.jobs.push(job);
                jobs.kinds.push(kind);
            }
        }
        jobs.resources = resources.len();
        if missing > 0 {
            jobs.notes.push(format!("{missing} dependencies name nodes that are not in the trace; they count as done"));
        }
        if jobs.compute.empty > 0 {
            jobs.notes.push(format!("{} computations have neither a duration nor operations or bytes; they take no time", jobs.compute.empty));
        }
        Ok(jobs)
    }

    /// Notes who waits for whom on a rank; how many of the nodes waited for are not there.
    fn link(&mut self, first: usize, traced: &crate::input::chakra::RankTrace) -> Result<usize, ReplayError> {
        let mut place: BTreeMap<u64, usize> = BTreeMap::new();
        for (index, node) in traced.nodes.iter().enumerate() {
            if place.insert(node.id, first + index).is_some() {
                return Err(ReplayError::new(format!("`{}` has two nodes with number {}", traced.file, node.id)));
            }
        }
        let (mut missing, mut after) = (0, Vec::with_capacity(traced.nodes.len()));
        for node in &traced.nodes {
            let mut known = |list: &[u64]| -> Vec<u32> {
                let mut found: Vec<u32> = list.iter().filter_map(|other| place.get(other)).map(|&other| narrow(other - first)).collect();
                missing += list.len() - found.len();
                found.sort_unstable();
                found.dedup();
                found
            };
            after.push([known(&node.after), known(&node.after_control)]);
        }
        // A call may wait for what it launches and be its parent as well.
        let controls = !is_circular(&after);
        if !controls {
            self.notes.push(format!("control dependencies of rank {} run in a circle with its data dependencies, and are left out", traced.rank));
        }
        for (index, [data, control]) in after.into_iter().enumerate() {
            let mut all = data;
            all.extend(control.into_iter().filter(|_| controls));
            all.sort_unstable();
            all.dedup();
            for other in all {
                self.awaited[first + index] += 1;
                self.waiters[first + other as usize].push(narrow(first + index));
                self.after[first + index].push(narrow(first + other as usize));
            }
        }
        Ok(missing)
    }

    fn job(&mut self, device: &Device, options: &ReplayOptions, (rank, node): (u32, &TraceNode)) -> (PlayedKind, NodeJob) {
        let recorded = node.duration_us.map(|duration| Seconds::new(duration as f64 / 1e6));
        let busy = |time: Seconds| NodeJob::Busy { time, resource: 0 };
        let spared = |time: Seconds| if options.compute == ComputeTimes::None { Seconds::ZERO } else { time };
        match node.kind {
            NodeKind::Send => (PlayedKind::Communication, NodeJob::Send),
            NodeKind::Receive => (PlayedKind::Communication, NodeJob::Receive),
            NodeKind::Collective => {
                let moves = node.bytes.is_some_and(|bytes| bytes > 0) && node.collective.is_some();
                if moves || node.collective == Some(TraceCollective::Barrier) {
                    return (PlayedKind::Communication, NodeJob::Collective);
                }
                let on_host = node.on_host == Some(true);
                self.unsized_nodes.push(UnsizedNode { rank, id: node.id, name: node.name.clone(), on_host, recorded });
                let time = recorded.unwrap_or(Seconds::ZERO);
                if on_host { (PlayedKind::Host, busy(spared(time))) } else { (PlayedKind::Communication, busy(time)) }
            }
            NodeKind::Other => (PlayedKind::Host, busy(spared(recorded.unwrap_or(Seconds::ZERO)))),
            NodeKind::MemoryLoad | NodeKind::MemoryStore => {
                let bytes = node.tensor_bytes.map(|bytes| Bytes::new(bytes as f64));
                let priced = bytes.map(|bytes| bytes / (device.memory_bandwidth * device.kernels.stream_efficiency.value.get()));
                (PlayedKind::Memory, busy(spared(self.chosen(options, recorded, priced))))
            }
            NodeKind::Compute => {
                // A node that states operations is the device's, whoever launched it.
                let on_host = node.on_host.unwrap_or(false) && node.operations.is_none();
                let priced = (node.operations.is_some() || node.tensor_bytes.is_some()).then(|| {
                    let (operations, bytes) = (node.operations.unwrap_or(0) as f64, node.tensor_bytes.unwrap_or(0) as f64);
                    roofline_time(device, Flop::new(operations), Bytes::new(bytes), options.precision)
                });
                let kind = if on_host { PlayedKind::Host } else { PlayedKind::Compute };
                (kind, busy(spared(self.chosen(options, recorded, priced.filter(|_| !on_host)))))
            }
        }
    }

    fn chosen(&mut self, options: &ReplayOptions, recorded: Option<Seconds>, priced: Option<Seconds>) -> Seconds {
        let first = if options.compute == ComputeTimes::Priced { priced } else { recorded };
        let is_recorded = first.is_none() == (options.compute == ComputeTimes::Priced);
        let Some(time) = first.or(recorded).or(priced) else {
            self.compute.empty += 1;
            return Seconds::ZERO;
        };
        if is_recorded {
            self.compute.recorded += 1;
        } else {
            self.compute.priced += 1;
        }
        time
    }

    /// Rank and node of a place.
    pub fn node<'t>(&self, trace: &'t ChakraTrace, place: usize) -> (u32, &'t TraceNode) {
        let rank = self.first.partition_point(|first| *first <= place) - 1;
        (trace.ranks[rank].rank, &trace.ranks[rank].nodes[place - self.first[rank]])
    }
}

/// Whether some node waits for itself over both kinds of dependencies, though not over the first alone.
fn is_circular(after: &[[Vec<u32>; 2]]) -> bool {
    let finishes = |kinds: usize| {
        let mut awaited: Vec<usize> = after.iter().map(|lists| lists[..kinds].iter().map(Vec::len).sum()).collect();
        let mut waiters: Vec<Vec<u32>> = vec![Vec::new(); after.len()];
        for (index, lists) in after.iter().enumerate() {
            for &other in lists[..kinds].iter().flatten() {
                waiters[other as usize].push(narrow(index));
            }
        }
        let mut ready: Vec<usize> = (0..after.len()).filter(|&index| awaited[index] == 0).collect();
        let mut done = 0;
        while let Some(index) = ready.pop() {
            done += 1;
            for &waiter in &waiters[index] {
                awaited[waiter as usize] -= 1;
                if awaited[waiter as usize] == 0 {
                    ready.push(waiter as usize);
                }
            }
        }
        done == after.len()
    };
    !finishes(2) && finishes(1)
}

/// Node numbers fit 32 bits: `Jobs::new` refuses more.
pub(super) fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
