//! The event loop over all instances: requests arrive, passes end, caches reach the decoding instances. Events of one moment are handled in a
//! fixed order, so a run is the same on every computer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::clock::Picoseconds;
use super::group::AttentionGroup;
use super::instance::{Instance, PassPricing};
use super::memory::GroupMemory;
use super::pass::Context;
use super::pool::{BlockPool, OutsideTier};
use super::record::{Histogram, OverTime, OverTimeSpan};
use super::router::{RequestRouter, RouterPolicy};
use super::rules::SchedulerRules;
use super::sequence::{Record, RequestProgress, RequestStage, Sequence};
use super::trace::Trace;
use crate::units::SplitMix64;

/// Instances of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSize {
    /// Instances.
    pub instances: u32,
    /// Attention groups of each.
    pub groups: u32,
    /// Cache blocks of a group.
    pub blocks: u64,
}

/// Transfer of a cache from the instance that read the prompt to the instance that answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheTransfer {
    /// Time to start the transfer, and latency of the path.
    pub latency: Picoseconds,
    /// Picoseconds a token while nothing else uses the instance's ports.
    pub per_token: f64,
    /// Layers of the model: each leaves as soon as it is read.
    pub layers: u32,
}

/// A deployment, and how requests arrive.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Rules of the engine.
    pub rules: SchedulerRules,
    /// Instances that read prompts, and, unless others do, answer them.
    pub first: PoolSize,
    /// Instances that only decode, and the way to them.
    pub second: Option<(PoolSize, CacheTransfer)>,
    /// Policy that chooses an instance for a request.
    pub policy: RouterPolicy,
    /// Capacity of the host memory of one group, in units of prompts.
    pub host_units: u64,
    /// Capacity of the memory that all instances share, in units of prompts.
    pub pooled_units: u64,
    /// Number of draft tokens, and the probability that one is accepted if the tokens before it were.
    pub drafts: (u32, f64),
    /// Number of requests in flight (closed loop). If absent, requests arrive at the times of the trace.
    pub concurrency: Option<u32>,
    /// Time from the end of a pass until clients see its tokens. A closed loop does not hold its next request back for it.
    pub front_end: Picoseconds,
    /// Seed of accepted drafts.
    pub seed: u64,
}

/// Result of a run.
#[derive(Clone, Debug)]
pub struct FleetOutcome {
    /// By request.
    pub sequences: Vec<Sequence>,
    /// Gaps between tokens of a request, or between bursts of accepted draft tokens.
    pub gaps: Histogram,
    /// Time series of the run.
    pub over_time: OverTime,
    /// When the last token came.
    pub end: Picoseconds,
    /// Requests that waited when the last one arrived.
    pub backlog: usize,
    /// Requests that waited or ran when half of them had arrived, and when the last one arrived.
    pub in_flight: [usize; 2],
    /// Passes of all instances.
    pub passes: u64,
    /// Instance-seconds with a pass to run.
    pub busy: f64,
    /// Energy of the chips above their idle power, in joules.
    pub energy: f64,
    /// Prompt tokens read from memory outside the chips: `[own hosts, shared]`.
    pub loaded: [u64; 2],
    /// Cache blocks that sequences still hold at the end. Zero unless requests are left unserved.
    pub blocks_left: u64,
    /// Prompt tokens whose caches went to other instances.
    pub transferred: u64,
}

/// An event. Events of one moment are handled in the order of these variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FleetEvent {
    /// The cache of a request has reached the instances that decode.
    Arrived(u32),
    /// A pass of an instance ends.
    PassEnds(u32),
}

/// What schedulers of all instances know: the requests, and memory that all instances share.
struct FleetRequests<'a> {
    trace: &'a Trace,
    rules: &'a SchedulerRules,
    sequences: Vec<RequestProgress>,
    records: Vec<Record>,
    pooled: Option<OutsideTier>,
}

impl FleetRequests<'_> {
    /// As the scheduler of an instance whose decoding sequences check so many draft tokens in a pass sees them.
    fn context(&mut self, drafts: u32) -> Context<'_> {
        let Self { trace, rules, sequences, records, pooled } = self;
        Context { trace, rules, sequences, records, pooled, drafts }
    }
}

struct FleetRun<'a> {
    fleet: &'a Fleet,
    trace: &'a Trace,
    instances: Vec<Instance>,
    requests: FleetRequests<'a>,
    routers: [RequestRouter; 2],
    events: BinaryHeap<Reverse<(Picoseconds, FleetEvent)>>,
    /// Idle instances with new work.
    woken: Vec<u32>,
    /// By instance: the moment at which its ports have finished all transfers under way.
    sending: Vec<Picoseconds>,
    /// The next request of the trace.
    next: usize,
    outcome: FleetOutcome,
}

/// Serves `trace` on `fleet`; `prices` gives the cost of each pass.
///
/// # Panics
/// If there is no instance.
#[must_use]
pub fn serve(fleet: &Fleet, trace: &Trace, prices: &mut dyn PassPricing) -> FleetOutcome {
    let mut run = FleetRun::new(fleet, trace);
    let first = fleet.concurrency.map_or(0, |flight| (flight as usize).min(trace.requests.len()));
    for _ in 0..first {
        run.arrive(Picoseconds(0));
    }
    let mut now = Picoseconds(0);
    loop {
        let arrival = trace.requests.get(run.next).filter(|_| fleet.concurrency.is_none()).map(|request| request.arrival);
        let event = run.events.peek().map(|Reverse((time, _))| *time);
        let next = match (arrival, event) {
            (Some(arrival), Some(event)) => Some(arrival.min(event)),
            (arrival, event) => arrival.or(event),
        };
        if !run.woken.is_empty() && next.is_none_or(|next| next > now) {
            run.start_woken(now, prices);
            continue;
        }
        let Some(next) = next else { break };
        now = next;
        if arrival == Some(now) {
            run.arrive(now);
        } else if let Some(Reverse((_, event))) = run.events.pop() {
            run.happen(now, event);
        }
    }
    run.outcome.blocks_left = run.instances.iter().map(|instance| instance.blocks()[0]).sum();
    let sequences = run.requests.sequences.iter().zip(&run.requests.records);
    run.outcome.sequences = sequences.map(|(progress, record)| Sequence::of(progress, record).seen_after(fleet.front_end)).collect();
    run.outcome.end += fleet.front_end;
    run.outcome
}

impl<'a> FleetRun<'a> {
    fn new(fleet: &'a Fleet, trace: &'a Trace) -> Self {
        let pools = std::iter::once(fleet.first).chain(fleet.second.map(|(pool, _)| pool));
        let mut instances = Vec::new();
        for (number, size) in pools.enumerate() {
            let group = || {
                AttentionGroup::new(GroupMemory::new(
                    BlockPool::new(size.blocks, trace.distinct),
                    (fleet.host_units > 0).then(|| OutsideTier::new(fleet.host_units, trace.distinct)),
                ))
            };
            instances.extend((0..size.instances).map(|_| Instance::new(number, (0..size.groups).map(|_| group()).collect())));
        }
        assert!(!instances.is_empty(), "someone serves");
        let sequences =
            trace.requests.iter().map(|request| RequestProgress { input: request.input, output: request.output, ..RequestProgress::default() });
        let outcome = FleetOutcome {
            sequences: Vec::new(),
            gaps: Histogram::default(),
            over_time: OverTime::default(),
            end: Picoseconds(0),
            backlog: 0,
            in_flight: [0; 2],
            passes: 0,
            busy: 0.0,
            energy: 0.0,
            loaded: [0; 2],
            blocks_left: 0,
            transferred: 0,
        };
        Self {
            fleet,
            trace,
            sending: vec![Picoseconds(0); instances.len()],
            instances,
            requests: FleetRequests {
                trace,
                rules: &fleet.rules,
                sequences: sequences.collect(),
                records: vec![Record::default(); trace.requests.len()],
                pooled: (fleet.pooled_units > 0).then(|| OutsideTier::new(fleet.pooled_units, trace.distinct)),
            },
            routers: [RequestRouter::new(fleet.policy), RequestRouter::new(RouterPolicy::LeastLoaded)],
            events: BinaryHeap::new(),
            woken: Vec::new(),
            next: 0,
            outcome,
        }
    }

    /// Instances that read prompts come first.
    fn readers(&self) -> usize {
        self.fleet.first.instances as usize
    }

    /// The next request of the trace arrives. In a closed loop, a request that can never be served is replaced at once.
    fn arrive(&mut self, now: Picoseconds) {
        while self.next < self.trace.requests.len() {
            let request = self.next;
            self.next += 1;
            let accepted = self.accept(now, request);
            let all = self.trace.requests.len();
            if self.next == all.div_ceil(2) || self.next == all {
                let [waiting, running] = self.instances.iter().fold([0, 0], |sums, instance| {
                    let counts = instance.counts();
                    [sums[0] + counts[0], sums[1] + counts[1]]
                });
                self.outcome.backlog = waiting;
                self.outcome.in_flight[usize::from(self.next == all)] = waiting + running;
            }
            if accepted || self.fleet.concurrency.is_none() {
                break;
            }
        }
    }

    /// Sends a request to an instance, unless its cache is too large for every instance.
    fn accept(&mut self, now: Picoseconds, request: usize) -> bool {
        let asked = &self.trace.requests[request];
        let block = self.fleet.rules.block;
        let sequence = &mut self.requests.sequences[request];
        self.requests.records[request].arrived = now;
        let fits = |tokens: u32, pool: PoolSize| u64::from(tokens.div_ceil(block)) <= pool.blocks;
        let served = match self.fleet.second {
            Some((second, _)) => fits(sequence.input, self.fleet.first) && fits(sequence.longest(), second),
            None => fits(sequence.longest(), self.fleet.first),
        };
        if !served {
            self.requests.records[request].stage = RequestStage::Rejected;
            return false;
        }
        if self.fleet.second.is_some() {
            sequence.output = 1;
        }
        let readers = self.readers();
        let place = self.routers[0].route(&self.instances[..readers], self.trace, asked, block, self.requests.pooled.as_ref());
        self.enqueue(now, u32::try_from(request).unwrap_or(u32::MAX), place);
        true
    }

    /// In a closed loop, a request that leaves lets the next one arrive.
    fn arrive_after(&mut self, now: Picoseconds) {
        if self.fleet.concurrency.is_some() {
            self.arrive(now);
        }
    }

    fn wake(&mut self, instance: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "instances are counted in u32")]
        if !self.instances[instance].busy {
            self.woken.push(instance as u32);
        }
    }

    fn start_woken(&mut self, now: Picoseconds, prices: &mut dyn PassPricing) {
        let mut woken = std::mem::take(&mut self.woken);
        woken.sort_unstable();
        woken.dedup();
        for index in woken {
            let instance = &mut self.instances[index as usize];
            let mut context = self.requests.context(self.fleet.drafts.0);
            if !instance.start(&mut context, now, prices) {
                continue;
            }
            let end = now + instance.cost.time;
            self.events.push(Reverse((end, FleetEvent::PassEnds(index))));
            self.note(index, now, end);
        }
    }

    /// Adds a pass to the time series.
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn note(&mut self, index: u32, from: Picoseconds, to: Picoseconds) {
        let instance = &self.instances[index as usize];
        let ([waiting, running], [used, all], time) = (instance.counts(), instance.blocks(), (to - from).seconds());
        let share = if all > 0 { used as f64 / all as f64 } else { 0.0 };
        let span = OverTimeSpan {
            waiting: waiting as f64 * time,
            running: running as f64 * time,
            busy: time,
            blocks: share * time,
            wire: instance.cost.wire * time,
            energy: instance.cost.energy,
            ..OverTimeSpan::default()
        };
        self.outcome.over_time.add(from, to, &span);
        self.outcome.passes += 1;
        self.outcome.busy += time;
        self.outcome.energy += instance.cost.energy;
        self.outcome.loaded = [self.outcome.loaded[0] + instance.loaded[0], self.outcome.loaded[1] + instance.loaded[1]];
    }

    fn happen(&mut self, now: Picoseconds, event: FleetEvent) {
        match event {
            FleetEvent::PassEnds(index) => self.pass_ends(now, index),
            FleetEvent::Arrived(request) => self.cache_arrives(now, request),
        }
    }

    fn pass_ends(&mut self, now: Picoseconds, index: u32) {
        let Fleet { drafts: (drafts, chance), seed, front_end, .. } = *self.fleet;
        // A stream for every pass of every sequence: what is accepted does not depend on what else runs.
        let mut accepted = |request: u32, sequence: &RequestProgress| {
            if drafts == 0 {
                return 0;
            }
            let mut stream = SplitMix64::new(seed, (u64::from(request) << 32) | u64::from(sequence.made));
            (0..drafts).take_while(|_| stream.uniform() < chance).count() as u32
        };
        let mut ended = Vec::new();
        let (gaps, mut tokens, mut first) = (&mut self.outcome.gaps, 0.0, [0.0; 2]);
        // Most gaps are the pass itself: they are counted together.
        let (mut common, mut times) = (Picoseconds(0), 0);
        let mut emit = |request: u32, (sequence, record): (&RequestProgress, &Record), gap: Picoseconds, made: u32| {
            tokens += f64::from(made);
            if sequence.made == made {
                first = [first[0] + (now + front_end).since(record.arrived).seconds(), first[1] + 1.0];
            } else if gap == common {
                times += 1;
            } else {
                if times > 0 {
                    gaps.add(common, times);
                }
                (common, times) = (gap, 1);
            }
            if sequence.ended() {
                ended.push(request);
            }
        };
        let instance = &mut self.instances[index as usize];
        let mut context = self.requests.context(drafts);
        let counted = instance.finish(&mut context, now, &mut accepted, &mut emit);
        instance.busy = false;
        if times > 0 {
            gaps.add(common, times);
        }
        for (gap, count) in counted {
            gaps.add(gap, count);
            #[expect(clippy::cast_precision_loss, reason = "a count")]
            let made = count as f64;
            tokens += made;
        }
        self.outcome.over_time.add(now, now, &OverTimeSpan { tokens, first_token: first, ..OverTimeSpan::default() });
        for request in ended {
            self.ends(now, index as usize, request);
        }
        self.wake(index as usize);
    }

    /// A request leaves an instance: it has ended, or it moves to a decoding instance.
    fn ends(&mut self, now: Picoseconds, instance: usize, request: u32) {
        self.outcome.end = self.outcome.end.max(now);
        let wanted = self.trace.requests[request as usize].output;
        let sequence = &mut self.requests.sequences[request as usize];
        let Some((_, transfer)) = self.fleet.second.filter(|_| sequence.made < wanted) else {
            self.arrive_after(now);
            return;
        };
        self.requests.records[request as usize].stage = RequestStage::Open;
        sequence.output = wanted;
        // Of the ports' rate, the passes of the instance leave this share; caches leave one after the other.
        let left = (1.0 - self.instances[instance].cost.wire).max(0.05);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let time = Picoseconds((f64::from(sequence.input) * transfer.per_token / left) as u64);
        // Layer by layer the cache leaves beside the pass that fills it: what remains after it is the last layer's part, or what the ports
        // still have to send.
        let sent = self.sending[instance].max(now - self.instances[instance].cost.time) + time;
        self.sending[instance] = sent;
        let sent = sent.max(now + Picoseconds(time.0 / u64::from(transfer.layers.max(1))));
        self.outcome.transferred += u64::from(sequence.input);
        self.events.push(Reverse((sent + transfer.latency, FleetEvent::Arrived(request))));
    }

    /// The cache of a request has reached a decoding instance.
    fn cache_arrives(&mut self, now: Picoseconds, request: u32) {
        let readers = self.readers();
        let [reader, group] = self.requests.records[request as usize].at.map(|index| index as usize);
        let mut context = self.requests.context(0);
        self.instances[reader].groups[group].leave(&mut context, request);
        self.wake(reader);
        let asked = &self.trace.requests[request as usize];
        let [instance, group] = self.routers[1].route(&self.instances[readers..], self.trace, asked, self.fleet.rules.block, None);
        self.enqueue(now, request, [readers + instance, group]);
    }

    fn enqueue(&mut self, now: Picoseconds, request: u32, [instance, group]: [usize; 2]) {
        let sequence = &mut self.requests.sequences[request as usize];
        self.requests.records[request as usize].at = [instance, group].map(|index| u32::try_from(index).unwrap_or(u32::MAX));
        self.instances[instance].groups[group].enqueue(now, request, sequence);
        self.wake(instance);
    }
}
