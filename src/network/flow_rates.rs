//! What flows do from moment to moment: the rate of each, the channel that holds it back, and how busy every channel is.
//!
//! Between two moments at which some flow starts or ends, rates are constant. The completion times come from the exact engine; here the
//! max-min fair rates of the flows that are under way are solved once for each such interval. The two paths check each other: the rates
//! of a flow times the lengths of their intervals add up to its bytes.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::fair_share::completion::Accuracy;
use super::fair_share::max_min::{Bottleneck, TIE, max_min};
use super::fair_share::sharing::{Sharing, SharingInput};
use super::fair_share::times::Completion;
use super::fair_share::transfers::Transfers;
use super::flows::{Flow, FlowError, FlowSpan, spans};
use super::network::Network;
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// Flows under way, added up over all intervals, up to which rates are worked out: some seconds and some hundred MB.
const MOST_RATES: usize = 10_000_000;

/// What holds a flow back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// This channel is full, and none of its flows is faster.
    Channel(u32),
    /// The flow's own cap.
    Cap,
    /// What its chip keeps under way: its load/store window over a round trip.
    Window,
}

/// A flow runs at one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateStretch {
    /// The flow, by its place in the list.
    pub flow: u32,
    /// From when.
    pub from: Seconds,
    /// Until when.
    pub to: Seconds,
    /// How fast.
    pub rate: BytesPerSecond,
    /// Why not faster.
    pub hold: Hold,
}

/// How much a channel carried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelUse {
    /// The channel.
    pub channel: u32,
    /// Payload of all flows.
    pub bytes: Bytes,
    /// Share of its capacity over the whole run.
    pub busy: f64,
}

/// Flows that one full channel held back at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedBottleneck {
    /// The channel.
    pub channel: u32,
    /// Time for which it was full and held at least two flows.
    pub time: Seconds,
    /// Every flow that it held then, by place in the list.
    pub flows: Vec<u32>,
}

/// Flows from start to end, in detail.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRun {
    /// When each flow runs.
    pub spans: Vec<FlowSpan>,
    /// Channels that carry anything, the busiest first.
    pub channels: Vec<ChannelUse>,
    /// Rates over time, flow by flow; `None` where there would be too many.
    pub rates: Option<Vec<RateStretch>>,
    /// Channels that held several flows at once, the longest first; empty without rates.
    pub bottlenecks: Vec<SharedBottleneck>,
}

impl FlowRun {
    /// When the last flow has arrived.
    #[must_use]
    pub fn makespan(&self) -> Seconds {
        self.spans.iter().map(|span| span.end).fold(Seconds::ZERO, Seconds::max)
    }
}

impl Network<'_> {
    /// As [`Network::run`], exactly, with rates over time and what held each flow back.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub fn run_in_detail(&self, flows: &[Flow]) -> Result<FlowRun, FlowError> {
        let prepared = self.prepare(flows)?;
        let delays = prepared.transfers.delay_s.clone().unwrap_or_default();
        let bytes = prepared.transfers.bytes.clone();
        let sharing = Sharing::new(prepared.sharing)?;
        let completion = Transfers::new(&sharing, prepared.transfers)?.complete(Accuracy::Exact)?;
        let spans = spans(&completion, &delays);
        let channels = channel_use(&sharing, &bytes, completion.makespan_s());
        let solved = intervals(&completion, &bytes).map(|intervals| solve(&sharing, &prepared.windowed, intervals));
        let bottlenecks = solved.as_deref().map(shared_bottlenecks).unwrap_or_default();
        Ok(FlowRun { spans, channels, rates: solved.map(|solved| stretches(&solved, flows.len())), bottlenecks })
    }
}

fn channel_use(sharing: &Sharing, bytes: &[f64], makespan_s: f64) -> Vec<ChannelUse> {
    let mut carried = vec![0.0; sharing.channels()];
    for (flow, bytes) in bytes.iter().enumerate() {
        let (channels, shares) = sharing.row(flow);
        for (channel, share) in channels.iter().zip(shares) {
            carried[*channel as usize] += bytes * share;
        }
    }
    let uses = (0u32..).zip(&carried).zip(sharing.capacity()).filter(|((_, bytes), _)| **bytes > 0.0);
    let mut uses: Vec<ChannelUse> =
        uses.map(|((channel, &bytes), capacity)| ChannelUse { channel, bytes: Bytes::new(bytes), busy: bytes / capacity / makespan_s }).collect();
    uses.sort_by(|a, b| b.busy.total_cmp(&a.busy).then(a.channel.cmp(&b.channel)));
    uses
}

/// A time in which the same flows are under way.
struct Interval {
    from_s: f64,
    to_s: f64,
    flows: Vec<u32>,
}

/// The intervals between starts and ends; `None` if too many flows are under way in too many of them.
fn intervals(completion: &Completion, bytes: &[f64]) -> Option<Vec<Interval>> {
    let moving = || (0u32..).zip(bytes).filter(|(_, bytes)| **bytes > 0.0).map(|(flow, _)| flow);
    let mut events: Vec<(f64, bool, u32)> = moving().map(|flow| (completion.start_s[flow as usize], true, flow)).collect();
    events.extend(moving().map(|flow| (completion.end_s[flow as usize], false, flow)));
    events.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut active = std::collections::BTreeSet::new();
    let (mut intervals, mut rates) = (Vec::new(), 0);
    let mut next = 0;
    while let Some(&(now_s, ..)) = events.get(next) {
        // Ends that the engine took as one differ by rounding.
        while let Some(&(_, starts, flow)) = events.get(next).filter(|event| event.0 <= now_s * (1.0 + 4.0 * TIE)) {
            if starts {
                active.insert(flow)
            } else {
                active.remove(&flow)
            };
            next += 1;
        }
        let Some(&(to_s, ..)) = events.get(next) else { break };
        if !active.is_empty() {
            rates += active.len();
            if rates > MOST_RATES {
                return None;
            }
            intervals.push(Interval { from_s: now_s, to_s, flows: active.iter().copied().collect() });
        }
    }
    Some(intervals)
}

/// An interval with the rate of each of its flows.
struct Solved {
    interval: Interval,
    rates: Vec<(f64, Hold)>,
}

fn solve(sharing: &Sharing, windowed: &[bool], intervals: Vec<Interval>) -> Vec<Solved> {
    // A large machine has far more channels than the flows cross.
    let mut used: Vec<u32> = (0..sharing.flows()).flat_map(|flow| sharing.row(flow).0.iter().copied()).collect();
    used.sort_unstable();
    used.dedup();
    let place = |channel: &u32| used.binary_search(channel).map_or(0, |place| place as u32);
    let capacity: Vec<f64> = used.iter().map(|&channel| sharing.capacity()[channel as usize]).collect();
    let one = |interval: Interval| {
        let mut input = SharingInput::new(capacity.clone());
        for &flow in &interval.flows {
            let (channels, shares) = sharing.row(flow as usize);
            input.push_flow(channels.iter().map(place).zip(shares.iter().copied()));
        }
        input.cap = Some(interval.flows.iter().map(|&flow| sharing.cap(flow as usize)).collect());
        let rates = max_min(&Sharing::from_checked(input));
        let hold = |(&flow, bottleneck): (&u32, Bottleneck)| match bottleneck {
            Bottleneck::Channel(place) => Hold::Channel(used[place as usize]),
            Bottleneck::Cap if windowed[flow as usize] => Hold::Window,
            Bottleneck::Cap => Hold::Cap,
        };
        let rates = rates.rate.into_iter().zip(interval.flows.iter().zip(rates.bottleneck).map(hold)).collect();
        Solved { interval, rates }
    };
    intervals.into_par_iter().map(one).collect()
}

/// Flow by flow, equal rates that follow each other taken together.
fn stretches(solved: &[Solved], flows: usize) -> Vec<RateStretch> {
    let mut of_flow: Vec<Vec<RateStretch>> = vec![Vec::new(); flows];
    for interval in solved {
        for (&flow, &(rate, hold)) in interval.interval.flows.iter().zip(&interval.rates) {
            let (from, to) = (Seconds::new(interval.interval.from_s), Seconds::new(interval.interval.to_s));
            let known = &mut of_flow[flow as usize];
            match known.last_mut() {
                Some(last) if last.to == from && last.hold == hold && (last.rate.get() - rate).abs() <= TIE * rate => last.to = to,
                _ => known.push(RateStretch { flow, from, to, rate: BytesPerSecond::new(rate), hold }),
            }
        }
    }
    of_flow.into_iter().flatten().collect()
}

fn shared_bottlenecks(solved: &[Solved]) -> Vec<SharedBottleneck> {
    let mut of_channel: BTreeMap<u32, (f64, Vec<u32>)> = BTreeMap::new();
    for interval in solved {
        let mut held: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (&flow, (_, hold)) in interval.interval.flows.iter().zip(&interval.rates) {
            if let Hold::Channel(channel) = hold {
                held.entry(*channel).or_default().push(flow);
            }
        }
        for (channel, flows) in held.into_iter().filter(|(_, flows)| flows.len() > 1) {
            let known = of_channel.entry(channel).or_default();
            known.0 += interval.interval.to_s - interval.interval.from_s;
            known.1.extend(flows);
        }
    }
    let shared = |(channel, (time_s, mut flows)): (u32, (f64, Vec<u32>))| {
        flows.sort_unstable();
        flows.dedup();
        SharedBottleneck { channel, time: Seconds::new(time_s), flows }
    };
    let mut shared: Vec<SharedBottleneck> = of_channel.into_iter().map(shared).collect();
    shared.sort_by(|a, b| b.time.get().total_cmp(&a.time.get()).then(a.channel.cmp(&b.channel)));
    shared
}
