//! Which nodes of several ranks are one collective or one transfer, and what each costs.

use std::collections::BTreeMap;

use super::jobs::{Jobs, NodeJob, narrow};
use super::{GatherSize, ReplayError, ReplayOptions};
use crate::input::chakra::{ChakraTrace, NodeKind, TraceCollective, TraceNode};
use crate::input::document::Library;
use crate::network::{Network, Op, PricedStream, StreamPrices};
use crate::units::{Bytes, Seconds, counted};

/// What a barrier moves: one number a rank, as libraries do it.
const BARRIER: Bytes = Bytes::new(4.0);

/// A collective of several ranks.
#[derive(Debug)]
pub(super) struct CollectiveInstance {
    /// Nodes, one a rank.
    pub members: Vec<u32>,
    /// Instances of one communicator follow each other.
    pub communicator: usize,
    /// What moves; `None` within one rank.
    pub stream: Option<usize>,
}

/// Bytes from rank to rank.
#[derive(Debug)]
pub(super) struct TraceTransfer {
    pub send: u32,
    pub receive: Option<u32>,
    /// What moves; `None` within one chip.
    pub stream: Option<usize>,
    /// Whether it belongs to a kernel that is already running.
    pub continues: bool,
}

/// All that moves between ranks.
#[derive(Debug, Default)]
pub(super) struct TraceCommunication {
    pub instances: Vec<CollectiveInstance>,
    pub transfers: Vec<TraceTransfer>,
    pub streams: Vec<PricedStream>,
    /// Instance or transfer of each node.
    pub of_node: BTreeMap<u32, usize>,
    pub communicators: usize,
    pub notes: Vec<String>,
}

impl TraceCommunication {
    /// Collectives and transfers.
    pub fn counts(&self) -> (usize, usize) {
        (self.instances.len(), self.transfers.len())
    }
}

/// Finds what belongs together and prices it.
pub(super) fn match_nodes(
    network: &Network<'_>,
    library: &Library,
    trace: &ChakraTrace,
    options: &ReplayOptions,
    jobs: &mut Jobs,
) -> Result<TraceCommunication, ReplayError> {
    let mut matching =
        Matching { trace, options, jobs, prices: StreamPrices::new(network, library), known: BTreeMap::new(), found: TraceCommunication::default() };
    matching.collectives()?;
    matching.transfers()?;
    matching.kernels();
    Ok(matching.found)
}

struct Matching<'a, 'n> {
    trace: &'a ChakraTrace,
    options: &'a ReplayOptions,
    jobs: &'a Jobs,
    prices: StreamPrices<'n>,
    /// Streams by op, chips and bytes.
    known: BTreeMap<(Op, Vec<u32>, u64), usize>,
    found: TraceCommunication,
}

fn about(rank: u32, node: &TraceNode) -> String {
    format!("node {} (`{}`) of rank {rank}", node.id, node.name)
}

impl Matching<'_, '_> {
    fn chip(&self, rank: u32) -> Result<u32, ReplayError> {
        let chip = self.options.chips.get(rank as usize).copied();
        chip.ok_or_else(|| ReplayError::new(format!("rank {rank} has no chip: ranks 0 to {} are placed", self.options.chips.len().saturating_sub(1))))
    }

    fn collectives(&mut self) -> Result<(), ReplayError> {
        let mut of_group: BTreeMap<Option<String>, BTreeMap<u32, Vec<u32>>> = BTreeMap::new();
        for (traced, &first) in self.trace.ranks.iter().zip(&self.jobs.first) {
            for (index, node) in traced.nodes.iter().enumerate().filter(|(index, _)| self.jobs.jobs[first + index] == NodeJob::Collective) {
                of_group.entry(node.group.clone()).or_default().entry(traced.rank).or_default().push(narrow(first + index));
            }
        }
        for (communicator, (name, of_rank)) in of_group.into_iter().enumerate() {
            let ranks = self.ranks_of(name.as_deref(), &of_rank)?;
            for members in self.same_calls(name.as_deref(), &ranks, &of_rank)? {
                self.instance(&ranks, members, communicator)?;
            }
            self.found.communicators = communicator + 1;
        }
        Ok(())
    }

    /// Ranks of a group: as its file says; all that have a trace for nodes without a group.
    fn ranks_of(&mut self, name: Option<&str>, of_rank: &BTreeMap<u32, Vec<u32>>) -> Result<Vec<u32>, ReplayError> {
        let traced: Vec<u32> = self.trace.ranks.iter().map(|rank| rank.rank).collect();
        let Some(name) = name else { return Ok(traced) };
        let Some(ranks) = self.trace.groups.get(name) else {
            if self.trace.groups.is_empty() {
                let users = of_rank.keys().map(u32::to_string).collect::<Vec<_>>().join(", ");
                let problem = ReplayError::new(format!("process group `{name}`, which ranks {users} use, is not given"));
                return Err(problem.help("give the groups' ranks with --groups FILE.json, as {\"0\": [0, 1]}, or beside the trace as NAME.json"));
            }
            let known = self.trace.groups.keys().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
            return Err(ReplayError::new(format!("process group `{name}` is not among those given: {known}")));
        };
        if let Some(absent) = ranks.iter().find(|rank| !traced.contains(rank)) {
            return Err(ReplayError::new(format!("process group `{name}` holds rank {absent}, which has no trace")));
        }
        if let Some(outside) = of_rank.keys().find(|rank| !ranks.contains(rank)) {
            return Err(ReplayError::new(format!("rank {outside} takes part in process group `{name}`, which does not hold it")));
        }
        Ok(ranks.clone())
    }

    /// Calls of a group across its ranks: by their names where all ranks have the same, else by their order.
    fn same_calls(&self, name: Option<&str>, ranks: &[u32], of_rank: &BTreeMap<u32, Vec<u32>>) -> Result<Vec<Vec<u32>>, ReplayError> {
        let calls = |rank: u32| of_rank.get(&rank).map_or(&[][..], Vec::as_slice);
        let named = |rank: u32| {
            let mut count: BTreeMap<&str, usize> = BTreeMap::new();
            let key = |&place: &u32| {
                let name = self.jobs.node(self.trace, place as usize).1.name.as_str();
                let count = count.entry(name).or_default();
                *count += 1;
                ((name, *count), place)
            };
            calls(rank).iter().map(key).collect::<BTreeMap<(&str, usize), u32>>()
        };
        let by_name: Vec<_> = ranks.iter().map(|&rank| named(rank)).collect();
        let Some(first) = by_name.first() else { return Ok(Vec::new()) };
        if by_name.iter().all(|other| other.keys().eq(first.keys())) {
            let mut calls: Vec<Vec<u32>> = first.keys().map(|key| by_name.iter().map(|of_rank| of_rank[key]).collect()).collect();
            calls.sort_unstable();
            return Ok(calls);
        }
        let counts: Vec<usize> = ranks.iter().map(|&rank| calls(rank).len()).collect();
        if let Some((odd, _)) = counts.iter().enumerate().find(|(_, count)| **count != counts[0]) {
            let group = name.map_or_else(|| "without a group".to_owned(), |name| format!("of process group `{name}`"));
            return Err(ReplayError::new(format!(
                "rank {} calls {} {group}, rank {} calls {}: the others would wait for ever",
                ranks[0],
                counted(counts[0], "collective"),
                ranks[odd],
                counts[odd]
            )));
        }
        Ok((0..counts[0]).map(|call| ranks.iter().map(|&rank| calls(rank)[call]).collect()).collect())
    }

    fn instance(&mut self, ranks: &[u32], members: Vec<u32>, communicator: usize) -> Result<(), ReplayError> {
        let (rank, node) = self.jobs.node(self.trace, members[0] as usize);
        for &other in &members[1..] {
            let (other_rank, other) = self.jobs.node(self.trace, other as usize);
            if (node.collective, node.bytes) != (other.collective, other.bytes) {
                let say = |node: &TraceNode| format!("{} of {} B", node.collective.map_or("", TraceCollective::name), node.bytes.unwrap_or(0));
                return Err(ReplayError::new(format!(
                    "{} is {}, {} is {}: they should be the same call",
                    about(rank, node),
                    say(node),
                    about(other_rank, other),
                    say(other)
                )));
            }
        }
        let chips = ranks.iter().map(|&rank| self.chip(rank)).collect::<Result<Vec<_>, _>>()?;
        let (op, bytes) = self.priced_as(node, ranks, chips.len());
        let stream = if chips.len() < 2 { None } else { Some(self.stream(op, rooted(node, ranks, chips), bytes, &about(rank, node))?) };
        let place = self.found.instances.len();
        self.found.of_node.extend(members.iter().map(|&member| (member, place)));
        self.found.instances.push(CollectiveInstance { members, communicator, stream });
        Ok(())
    }

    /// The op and size as nccl-tests means them.
    fn priced_as(&mut self, node: &TraceNode, ranks: &[u32], chips: usize) -> (Op, Bytes) {
        let bytes = Bytes::new(node.bytes.unwrap_or(0) as f64);
        match node.collective {
            Some(TraceCollective::AllGather) if self.options.gather == GatherSize::Input => (Op::AllGather, bytes * chips as f64),
            Some(TraceCollective::AllGather) => (Op::AllGather, bytes),
            Some(TraceCollective::AllToAll) => (Op::AllToAll, bytes),
            Some(TraceCollective::ReduceScatter | TraceCollective::ReduceScatterBlock) => (Op::ReduceScatter, bytes),
            Some(TraceCollective::Broadcast) => (Op::Broadcast, bytes),
            Some(TraceCollective::Barrier) => (Op::AllReduce, BARRIER),
            Some(other @ (TraceCollective::Reduce | TraceCollective::Gather | TraceCollective::Scatter)) => {
                let note = format!("{} is priced as a BROADCAST of the same size: the library's files have no figures of its own", other.name());
                if !self.found.notes.contains(&note) && ranks.len() > 1 {
                    self.found.notes.push(note);
                }
                (Op::Broadcast, bytes)
            }
            Some(TraceCollective::AllReduce) | None => (Op::AllReduce, bytes),
        }
    }

    fn stream(&mut self, op: Op, chips: Vec<u32>, bytes: Bytes, who: &str) -> Result<usize, ReplayError> {
        let key = (op, chips, bytes.get().to_bits());
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let priced = self.prices.collective(op, &key.1, bytes).map_err(|error| ReplayError::new(format!("{who}: {error}")))?;
        self.found.streams.push(priced);
        self.known.insert(key, self.found.streams.len() - 1);
        Ok(self.found.streams.len() - 1)
    }

    fn transfers(&mut self) -> Result<(), ReplayError> {
        let mut sends: BTreeMap<(u32, u32, i64), Vec<u32>> = BTreeMap::new();
        let mut receives: BTreeMap<(u32, u32, i64), Vec<u32>> = BTreeMap::new();
        for (traced, &first) in self.trace.ranks.iter().zip(&self.jobs.first) {
            for (index, node) in traced.nodes.iter().enumerate() {
                let lacks = |attribute: &str| ReplayError::new(format!("{} has no `{attribute}`", about(traced.rank, node)));
                let place = narrow(first + index);
                if node.kind == NodeKind::Send {
                    let to = node.destination.ok_or_else(|| lacks("comm_dst"))?;
                    sends.entry((traced.rank, to, node.tag)).or_default().push(place);
                } else if node.kind == NodeKind::Receive {
                    let from = node.source.ok_or_else(|| lacks("comm_src"))?;
                    receives.entry((from, traced.rank, node.tag)).or_default().push(place);
                }
            }
        }
        let mut unread = 0;
        for ((from, to, tag), sent) in sends {
            let mut received = receives.remove(&(from, to, tag)).unwrap_or_default();
            if received.len() > sent.len() {
                let (rank, node) = self.jobs.node(self.trace, received[sent.len()] as usize);
                return Err(never_sent(&about(rank, node), from, tag));
            }
            received.reverse();
            for send in sent {
                let receive = received.pop();
                unread += usize::from(receive.is_none());
                self.transfer((from, to), send, receive)?;
            }
        }
        if let Some(((from, _, tag), places)) = receives.into_iter().next() {
            let (rank, node) = self.jobs.node(self.trace, places[0] as usize);
            return Err(never_sent(&about(rank, node), from, tag));
        }
        if unread > 0 {
            let (have, they) = if unread == 1 { ("has", "it runs") } else { ("have", "they run") };
            self.found.notes.push(format!("{} {have} no receive: {they}, and nobody waits", counted(unread, "send")));
        }
        Ok(())
    }

    fn transfer(&mut self, (from, to): (u32, u32), send: u32, receive: Option<u32>) -> Result<(), ReplayError> {
        let (_, node) = self.jobs.node(self.trace, send as usize);
        if let Some(receive) = receive {
            let (_, other) = self.jobs.node(self.trace, receive as usize);
            if let (Some(sent), Some(expected)) = (node.bytes, other.bytes)
                && sent != expected
            {
                return Err(ReplayError::new(format!("{} sends {sent} B, {} expects {expected} B", about(from, node), about(to, other))));
            }
        }
        let bytes = node.bytes.ok_or_else(|| ReplayError::new(format!("{} has no `comm_size`", about(from, node))))?;
        let chips = vec![self.chip(from)?, self.chip(to)?];
        let stream = if chips[0] == chips[1] || bytes == 0 {
            None
        } else {
            Some(self.stream(Op::Send, chips, Bytes::new(bytes as f64), &about(from, node))?)
        };
        let place = self.found.transfers.len();
        self.found.of_node.insert(send, place);
        self.found.of_node.extend(receive.map(|receive| (receive, place)));
        let continues = !self.before_in_kernel(send).is_empty();
        self.found.transfers.push(TraceTransfer { send, receive, stream, continues });
        Ok(())
    }

    /// Sends and receives of its rank that a node follows directly, or over a computation that states no operations (the reduction of a ring):
    /// they belong to the kernel that runs it.
    fn before_in_kernel(&self, place: u32) -> Vec<u32> {
        let is_transfer = |place: u32| matches!(self.jobs.jobs[place as usize], NodeJob::Send | NodeJob::Receive);
        let is_reduction = |place: u32| {
            let (_, node) = self.jobs.node(self.trace, place as usize);
            node.kind == NodeKind::Compute && node.operations.is_none() && node.on_host.is_none()
        };
        let after = |place: u32| self.jobs.after[place as usize].iter().copied();
        let over = after(place).filter(|&other| is_reduction(other)).flat_map(after);
        after(place).chain(over).filter(|&other| is_transfer(other)).collect()
    }

    /// Sends that one kernel runs use one protocol and fill one pipeline.
    fn kernels(&mut self) {
        // The first node of each node's kernel; nodes that depend on each other are met in any order, so join until nothing moves.
        let mut first: BTreeMap<u32, u32> = self.found.of_node.keys().map(|&place| (place, place)).collect();
        let joins: Vec<(u32, u32)> =
            first.keys().flat_map(|&place| self.before_in_kernel(place).into_iter().map(move |other| (place, other))).collect();
        let is_transfer = |place: &u32| matches!(self.jobs.jobs[*place as usize], NodeJob::Send | NodeJob::Receive);
        let root = |first: &BTreeMap<u32, u32>, mut place: u32| {
            while first[&place] != place {
                place = first[&place];
            }
            place
        };
        for (a, b) in joins.into_iter().filter(|(a, _)| is_transfer(a)) {
            let (a, b) = (root(&first, a), root(&first, b));
            first.insert(a.max(b), a.min(b));
        }
        let mut sends: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (number, transfer) in self.found.transfers.iter().enumerate().filter(|(_, transfer)| transfer.stream.is_some()) {
            sends.entry(root(&first, transfer.send)).or_default().push(number);
        }
        for numbers in sends.into_values().filter(|numbers| numbers.len() > 1) {
            self.kernel(numbers);
        }
    }

    fn kernel(&mut self, mut numbers: Vec<usize>) {
        numbers.sort_by_key(|&number| self.found.transfers[number].send);
        let stream = |number: usize| self.found.transfers[number].stream;
        let streams: Vec<&PricedStream> = numbers.iter().filter_map(|&number| Some(&self.found.streams[stream(number)?])).collect();
        let bytes = |number: usize| self.jobs.node(self.trace, self.found.transfers[number].send as usize).1.bytes.unwrap_or(0);
        let largest = numbers.iter().map(|&number| bytes(number)).max().unwrap_or(0);
        let Some(wire) = self.prices.kernel(&streams, Bytes::new(largest as f64)) else { return };
        let mut restated: BTreeMap<(usize, bool), usize> = BTreeMap::new();
        for (index, &number) in numbers.iter().enumerate() {
            let Some(old) = stream_of(&self.found, number) else { continue };
            let is_first = index == 0;
            let new = match restated.get(&(old, is_first)) {
                Some(&new) => new,
                None => {
                    self.found.streams.push(self.prices.in_kernel(&self.found.streams[old], &wire, is_first));
                    restated.insert((old, is_first), self.found.streams.len() - 1);
                    self.found.streams.len() - 1
                }
            };
            self.found.transfers[number].stream = Some(new);
        }
    }
}

/// The chips with the root's first.
fn rooted(node: &TraceNode, ranks: &[u32], mut chips: Vec<u32>) -> Vec<u32> {
    if let Some(at) = node.root.and_then(|root| ranks.iter().position(|&rank| rank == root)) {
        chips.swap(0, at);
    }
    chips
}

fn stream_of(found: &TraceCommunication, number: usize) -> Option<usize> {
    found.transfers[number].stream
}

fn never_sent(receive: &str, from: u32, tag: i64) -> ReplayError {
    ReplayError::new(format!("{receive} waits for a send of rank {from} with tag {tag}, and there is none"))
        .help("the traces of all ranks must be there")
}

/// What a stream's start takes before its bytes move: all that is fixed, without the launch where the kernel runs already.
pub(super) fn lead(stream: &PricedStream, continues: bool) -> Seconds {
    if continues { (stream.fixed - stream.alone.launch).max(Seconds::ZERO) } else { stream.fixed }
}
