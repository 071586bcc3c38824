//! The trace in time, event by event.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::jobs::{Jobs, NodeJob, narrow};
use super::matching::{TraceCommunication, lead};
use super::{PlayedNode, ReplayError};
use crate::input::chakra::ChakraTrace;
use crate::network::{Network, SharedChannels};
use crate::units::{Bytes, Seconds};

/// Nodes that a message about a circle names.
const SHOWN: usize = 4;

/// What happens at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReplayEvent {
    /// A node that keeps a thread busy ends.
    Ends(u32),
    /// The bytes of a stream begin to move: the phase of that number.
    Moves(u32),
}

/// A moment; of equal ones the one noted first.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moment {
    at_s: f64,
    number: u64,
    event: ReplayEvent,
}

impl Eq for Moment {}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at_s.total_cmp(&other.at_s).then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whose stream it is.
#[derive(Clone, Copy, Debug)]
enum StreamOwner {
    Instance(usize),
    Transfer(usize),
}

/// A stream under way.
#[derive(Clone, Copy, Debug)]
struct RunningStream {
    owner: StreamOwner,
    stream: usize,
    phase: usize,
}

/// A thread, stream of a device, or communicator: one thing at a time.
#[derive(Clone, Debug, Default)]
struct NodeQueue {
    busy: bool,
    waiting: VecDeque<u32>,
}

pub(super) struct ReplayRun<'a> {
    trace: &'a ChakraTrace,
    jobs: &'a Jobs,
    communication: &'a TraceCommunication,
    now_s: f64,
    moments: BinaryHeap<Reverse<Moment>>,
    noted: u64,
    channels: SharedChannels,
    streams: Vec<RunningStream>,
    awaited: Vec<u32>,
    threads: Vec<NodeQueue>,
    communicators: Vec<NodeQueue>,
    /// Ranks that have not come to each collective.
    absent: Vec<usize>,
    arrived: Vec<bool>,
    nodes: Vec<PlayedNode>,
    ended: Vec<bool>,
    left: usize,
}

impl<'a> ReplayRun<'a> {
    pub fn new(network: &Network<'_>, trace: &'a ChakraTrace, jobs: &'a Jobs, communication: &'a TraceCommunication) -> Self {
        let node = |place: usize| {
            let (rank, node) = jobs.node(trace, place);
            let zero = Seconds::ZERO;
            let bytes = node.bytes.map(|bytes| Bytes::new(bytes as f64));
            let name = node.name.clone();
            PlayedNode {
                rank,
                id: node.id,
                name,
                kind: jobs.kinds[place],
                ready: zero,
                start: zero,
                end: zero,
                bytes,
                thread: node.thread,
                cause: None,
            }
        };
        let count = jobs.jobs.len();
        Self {
            trace,
            jobs,
            communication,
            now_s: 0.0,
            moments: BinaryHeap::new(),
            noted: 0,
            channels: SharedChannels::new(network),
            streams: Vec::new(),
            awaited: jobs.awaited.clone(),
            threads: vec![NodeQueue::default(); jobs.resources],
            communicators: vec![NodeQueue::default(); communication.communicators],
            absent: communication.instances.iter().map(|instance| instance.members.len()).collect(),
            arrived: vec![false; communication.transfers.len()],
            nodes: (0..count).map(node).collect(),
            ended: vec![false; count],
            left: count,
        }
    }

    /// Plays everything. Each turn handles a moment or ends a phase, of which there are finitely many.
    pub fn finish(mut self) -> Result<Vec<PlayedNode>, ReplayError> {
        for place in 0..self.nodes.len() {
            // As the trace has it: what becomes ready meanwhile, since a node ends at once, has been told.
            if self.jobs.awaited[place] == 0 {
                self.becomes_ready(place);
            }
        }
        loop {
            let next_s = self.moments.peek().map_or(f64::INFINITY, |moment| moment.0.at_s);
            let end_s = self.channels.next_end_s();
            if next_s == f64::INFINITY && end_s == f64::INFINITY {
                break;
            }
            self.now_s = next_s.min(end_s).max(self.now_s);
            let ended = self.channels.advance(self.now_s);
            for stream in ended {
                self.phase_ends(stream);
            }
            while let Some(Reverse(moment)) = self.moments.peek().copied().filter(|moment| moment.0.at_s <= self.now_s) {
                self.moments.pop();
                match moment.event {
                    ReplayEvent::Ends(place) => self.busy_ends(place as usize),
                    ReplayEvent::Moves(stream) => self.phase_starts(stream),
                }
            }
        }
        if self.left == 0 { Ok(self.nodes) } else { Err(self.stuck()) }
    }

    fn note(&mut self, after: Seconds, event: ReplayEvent) {
        self.moments.push(Reverse(Moment { at_s: self.now_s + after.get(), number: self.noted, event }));
        self.noted += 1;
    }

    fn now(&self) -> Seconds {
        Seconds::new(self.now_s)
    }

    fn becomes_ready(&mut self, place: usize) {
        let now = self.now();
        (self.nodes[place].ready, self.nodes[place].start) = (now, now);
        match self.jobs.jobs[place] {
            NodeJob::Busy { resource, .. } => {
                self.threads[resource].waiting.push_back(narrow(place));
                self.next_on_thread(resource, None);
            }
            NodeJob::Collective => {
                let instance = self.communication.of_node[&narrow(place)];
                self.absent[instance] -= 1;
                if self.absent[instance] == 0 {
                    // The last to come is why the others start.
                    for &member in self.communication.instances[instance].members.iter().filter(|member| **member as usize != place) {
                        self.nodes[member as usize].cause = Some(place);
                    }
                    let communicator = self.communication.instances[instance].communicator;
                    self.communicators[communicator].waiting.push_back(narrow(instance));
                    self.next_of_communicator(communicator, None);
                }
            }
            NodeJob::Send => {
                let transfer = self.communication.of_node[&narrow(place)];
                let found = &self.communication.transfers[transfer];
                match found.stream {
                    None => self.transfer_ends(transfer),
                    Some(stream) => {
                        let continues = found.continues;
                        self.start(StreamOwner::Transfer(transfer), stream, continues);
                    }
                }
            }
            NodeJob::Receive => {
                let transfer = self.communication.of_node[&narrow(place)];
                if self.arrived[transfer] {
                    self.ends(place);
                }
            }
        }
    }

    /// Gives a thread its next node; `freed` is the node that left it.
    fn next_on_thread(&mut self, resource: usize, freed: Option<usize>) {
        let queue = &mut self.threads[resource];
        if queue.busy {
            return;
        }
        let Some(place) = queue.waiting.pop_front() else { return };
        queue.busy = true;
        let now = self.now();
        let node = &mut self.nodes[place as usize];
        node.start = now;
        if freed.is_some() && node.ready < now {
            node.cause = freed;
        }
        if let NodeJob::Busy { time, .. } = self.jobs.jobs[place as usize] {
            self.note(time, ReplayEvent::Ends(place));
        }
    }

    fn busy_ends(&mut self, place: usize) {
        let NodeJob::Busy { resource, .. } = self.jobs.jobs[place] else { return };
        self.threads[resource].busy = false;
        self.ends(place);
        self.next_on_thread(resource, Some(place));
    }

    fn next_of_communicator(&mut self, communicator: usize, freed: Option<usize>) {
        let queue = &mut self.communicators[communicator];
        if queue.busy {
            return;
        }
        let Some(instance) = queue.waiting.pop_front() else { return };
        queue.busy = true;
        let now = self.now();
        let found = &self.communication.instances[instance as usize];
        for &member in &found.members {
            let node = &mut self.nodes[member as usize];
            node.start = now;
        }
        if let Some(freed) = freed {
            for &member in &found.members {
                self.nodes[member as usize].cause = Some(freed);
            }
        }
        match found.stream {
            Some(stream) => self.start(StreamOwner::Instance(instance as usize), stream, false),
            None => self.instance_ends(instance as usize),
        }
    }

    fn start(&mut self, owner: StreamOwner, stream: usize, continues: bool) {
        let number = narrow(self.streams.len());
        self.streams.push(RunningStream { owner, stream, phase: 0 });
        let lead = lead(&self.communication.streams[stream], continues);
        self.note(lead, ReplayEvent::Moves(number));
    }

    fn phase_starts(&mut self, number: u32) {
        let RunningStream { owner, stream, phase } = self.streams[number as usize];
        match self.communication.streams[stream].phases.get(phase) {
            Some(next) => self.channels.start(number, next.row.clone(), next.bytes),
            None => match owner {
                StreamOwner::Instance(instance) => self.instance_ends(instance),
                StreamOwner::Transfer(transfer) => self.transfer_ends(transfer),
            },
        }
    }

    fn phase_ends(&mut self, number: u32) {
        self.streams[number as usize].phase += 1;
        self.phase_starts(number);
    }

    fn instance_ends(&mut self, instance: usize) {
        let found = &self.communication.instances[instance];
        self.communicators[found.communicator].busy = false;
        for &member in &found.members {
            self.ends(member as usize);
        }
        self.next_of_communicator(found.communicator, found.members.first().map(|&member| member as usize));
    }

    fn transfer_ends(&mut self, transfer: usize) {
        self.arrived[transfer] = true;
        let found = &self.communication.transfers[transfer];
        self.ends(found.send as usize);
        if let Some(receive) = found.receive.map(|receive| receive as usize).filter(|&receive| self.awaited[receive] == 0 && !self.ended[receive]) {
            // It waited for these bytes.
            self.nodes[receive].cause = Some(found.send as usize);
            self.ends(receive);
        }
    }

    fn ends(&mut self, place: usize) {
        if std::mem::replace(&mut self.ended[place], true) {
            return;
        }
        self.left -= 1;
        self.nodes[place].end = self.now();
        for index in 0..self.jobs.waiters[place].len() {
            let waiter = self.jobs.waiters[place][index] as usize;
            self.awaited[waiter] -= 1;
            if self.awaited[waiter] == 0 {
                self.nodes[waiter].cause = Some(place);
                self.becomes_ready(waiter);
            }
        }
    }

    /// Why some nodes never start.
    fn stuck(&self) -> ReplayError {
        let name = |place: usize| {
            let (rank, node) = self.jobs.node(self.trace, place);
            format!("node {} (`{}`) of rank {rank}", node.id, node.name)
        };
        let waits: Vec<usize> = (0..self.nodes.len()).filter(|&place| !self.ended[place] && self.awaited[place] > 0).collect();
        // Walk to what each waits for, from a receive to its send; after as many steps as there are nodes the walk is on a circle, if it leads to one.
        let found = self.communication.transfers.iter();
        let sends: BTreeMap<usize, usize> = found.filter_map(|found| Some((found.receive? as usize, found.send as usize))).collect();
        let before = |place: usize| self.jobs.after[place].iter().map(|&other| other as usize).find(|&other| !self.ended[other]);
        let blocker = |place: usize| before(place).or_else(|| sends.get(&place).copied().filter(|&send| !self.ended[send]));
        let mut at = waits.first().copied();
        for _ in 0..self.nodes.len() {
            at = at.and_then(blocker);
        }
        let message = format!("{} nodes never end", self.left);
        match at {
            Some(start) => {
                let mut circle = vec![start];
                while let Some(next) = circle.last().copied().and_then(blocker).filter(|next| *next != start && circle.len() < SHOWN) {
                    circle.push(next);
                }
                let names = circle.into_iter().map(name).collect::<Vec<_>>().join(", which waits for ");
                ReplayError::new(format!("{message}: {names}, in a circle"))
            }
            None => {
                let come = (0..self.nodes.len()).filter(|&place| !self.ended[place] && self.awaited[place] == 0).take(SHOWN).map(name);
                let names = come.collect::<Vec<_>>().join(", ");
                ReplayError::new(format!("{message}: {names} wait for ranks that never come"))
                    .help("do all ranks call their collectives in the same order?")
            }
        }
    }
}
