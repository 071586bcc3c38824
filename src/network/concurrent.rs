//! Collectives of several groups at the same time: every tensor-parallel group, every expert-parallel group, and other transfers.
//!
//! The traffic of each group is one stream: all pairs of a group have the same rate, phases follow one another, and streams share every channel
//! max-min fairly until they end. The slowdown on the wire is applied to the collective's own time:
//!
//! ```text
//! together = alone + wire x (shared / free - 1)       wire: serialisation and waiting of the collective alone
//!                                                     free, shared: the same bytes at full rates, without and with the others
//! ```
//!
//! Launch, rounds and paths do not change. Packets that queue behind each other in switches would add to this time; they are not modelled.

use super::channel_loads::ChannelLoads;
use super::collective::{Collective, CollectiveError, LevelUse, Timing};
use super::fair_share::completion::Accuracy;
use super::fair_share::sharing::{Sharing, SharingInput};
use super::fair_share::transfers::{Transfers, TransfersInput};
use super::flows::FlowError;
use super::group::{Group, Placement, PlacementError};
use super::network::{LONG_MESSAGE, Network};
use super::plan::rail_ranks;
use super::pricing::Pricing;
use super::profile::Profile;
use crate::fabric::Fabric;
use crate::input::document::{Algorithm, Library};
use crate::units::{Bytes, Seconds};

/// A collective in several groups.
#[derive(Clone, Debug, PartialEq)]
pub struct ConcurrentCollective {
    /// What each group does.
    pub collective: Collective,
    /// The algorithm; `None` takes the fastest for one group alone that applies to all groups.
    pub algorithm: Option<Algorithm>,
    /// How the first group lies on the chips.
    pub placement: Placement,
    /// How many groups; `None` for as many as there is room for.
    pub groups: Option<u32>,
}

/// Times of the groups of a crowd.
#[derive(Clone, Debug, PartialEq)]
pub struct ConcurrentTiming {
    /// How many groups run.
    pub groups: u32,
    /// Time of the first group without other traffic.
    pub alone: Timing,
    /// Time of the group that ends first, with all other traffic.
    pub fastest: Seconds,
    /// Time of the group that ends last.
    pub slowest: Seconds,
}

/// Result of several crowds that run at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct ConcurrentTimings {
    /// In the order asked for.
    pub crowds: Vec<ConcurrentTiming>,
    /// How busy each level is until the last group ends, the busiest first.
    pub levels: Vec<LevelUse>,
}

/// Why crowds cannot be timed.
#[derive(Clone, Debug, PartialEq)]
pub enum ConcurrentError {
    /// One of the collectives.
    Collective(CollectiveError),
    /// More groups than there is room for.
    TooManyGroups {
        /// Asked for.
        groups: u32,
        /// Room for.
        room: u32,
    },
    /// Sizes out of range.
    Flows(FlowError),
}

impl std::fmt::Display for ConcurrentError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Collective(error) => error.fmt(out),
            Self::TooManyGroups { groups, room } => {
                write!(out, "{groups} groups asked for, the machine has room for {room} that share no chip; `all` takes as many as fit")
            }
            Self::Flows(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for ConcurrentError {}

impl From<CollectiveError> for ConcurrentError {
    fn from(error: CollectiveError) -> Self {
        Self::Collective(error)
    }
}

impl From<PlacementError> for ConcurrentError {
    fn from(error: PlacementError) -> Self {
        Self::Collective(error.into())
    }
}

impl From<FlowError> for ConcurrentError {
    fn from(error: FlowError) -> Self {
        Self::Flows(error)
    }
}

/// The first group, and every other that lies on the machine as it does without sharing a chip: by level, the next `ranks` chips and so
/// on; strided, the chips beside it until the stride is used up, then the next stretch.
///
/// # Errors
/// A first group that cannot be placed, or more groups than there is room for.
pub fn groups(placement: &Placement, ranks: u32, count: Option<u32>, fabric: &Fabric) -> Result<Vec<Group>, ConcurrentError> {
    let first = placement.group(ranks, fabric)?;
    let chips = u64::from(fabric.chips);
    let (ranks_wide, stride, start) = match placement {
        Placement::ByLevel => (u64::from(ranks), 1, 0),
        Placement::Strided { first, stride } => (u64::from(ranks), u64::from(*stride), u64::from(*first)),
        Placement::Explicit(_) => {
            let room = 1;
            return if count.unwrap_or(room) == room {
                Ok(vec![first])
            } else {
                Err(ConcurrentError::TooManyGroups { groups: count.unwrap_or(0), room })
            };
        }
    };
    let stretch = ranks_wide * stride;
    let first_chips = (0..).map(|group: u64| start + group / stride * stretch + group % stride);
    // The last group of a stretch reaches furthest, so groups that fit come before those that do not.
    let fits = |chip: &u64| chip + (ranks_wide - 1) * stride < chips;
    let all: Vec<u64> = first_chips.take_while(fits).collect();
    let room = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let groups = count.unwrap_or(room);
    if groups == 0 || groups > room {
        return Err(ConcurrentError::TooManyGroups { groups, room });
    }
    let group = |first: &u64| Group::of((0..ranks_wide).filter_map(|rank| u32::try_from(first + rank * stride).ok()).collect());
    Ok(all[..groups as usize].iter().map(group).collect())
}

/// Runs crowds side by side, all from the same instant, each once.
///
/// # Errors
/// Collectives, placements and sizes that make no sense here.
pub fn concurrent_timings(network: &Network<'_>, library: &Library, crowds: &[ConcurrentCollective]) -> Result<ConcurrentTimings, ConcurrentError> {
    let mut streams = GroupStreams::new(network);
    let mut timings = Vec::new();
    for crowd in crowds {
        let collective = &crowd.collective;
        let mut pricing = Pricing::placed(network, library, crowd.placement.clone());
        pricing.check(collective)?;
        let groups = groups(&crowd.placement, collective.ranks, crowd.groups, network.fabric())?;
        let alone = pricing.price_in(collective, crowd.algorithm, &groups)?;
        let first = streams.last_phases.len();
        for group in &groups {
            let phases = pricing.phases_in(collective, alone.algorithm, group)?;
            let rails = if phases.iter().any(|phase| phase.on_rails) { rail_ranks(network, group) } else { None };
            streams.push(collective, phases.iter().map(|phase| (phase.pattern, phase.share)), rails.as_ref().unwrap_or(group));
        }
        timings.push((alone, first..streams.last_phases.len()));
    }
    let shared = streams.ends(|_| true)?;
    let mut answer = ConcurrentTimings { crowds: Vec::new(), levels: Vec::new() };
    for (alone, streams_of) in timings {
        let free = streams.ends(|stream| stream == streams_of.start)?[streams_of.start];
        let wire = alone.serialisation + alone.waiting;
        let total = |stream: usize| alone.total() + wire * (shared[stream] / free - 1.0);
        answer.crowds.push(ConcurrentTiming {
            groups: u32::try_from(streams_of.len()).unwrap_or(u32::MAX),
            fastest: streams_of.clone().map(total).fold(alone.total() * f64::INFINITY, Seconds::min),
            slowest: streams_of.map(total).fold(Seconds::ZERO, Seconds::max),
            alone,
        });
    }
    let last = answer.crowds.iter().map(|crowd| crowd.slowest).fold(Seconds::ZERO, Seconds::max);
    answer.levels = streams.levels(last);
    Ok(answer)
}

/// The traffic of all groups, phase by phase.
struct GroupStreams<'a> {
    network: &'a Network<'a>,
    sharing: SharingInput,
    transfers: TransfersInput,
    /// Which stream each phase belongs to.
    stream_of: Vec<usize>,
    /// The last phase of every stream.
    last_phases: Vec<u32>,
    total: ChannelLoads,
}

impl<'a> GroupStreams<'a> {
    fn new(network: &'a Network<'a>) -> Self {
        Self {
            network,
            sharing: SharingInput::new(network.capacities()),
            transfers: TransfersInput::default(),
            stream_of: Vec::new(),
            last_phases: Vec::new(),
            total: ChannelLoads::silent(network.router().channels().len()),
        }
    }

    /// `phases` gives each pattern with the part of the collective's size that one unit of its weight moves.
    fn push(&mut self, collective: &Collective, phases: impl Iterator<Item = (super::pattern::TrafficPattern, f64)>, group: &Group) {
        let mut previous = None;
        for (pattern, share) in phases {
            let loads = self.network.loads(group, pattern);
            let bytes = collective.bytes.get() * share;
            let phase = self.stream_of.len() as u32;
            self.sharing.push_flow((0u32..).zip(&loads.bytes).filter(|(_, bytes)| **bytes > 0.0).map(|(channel, &bytes)| (channel, bytes)));
            self.transfers.bytes.push(bytes);
            self.transfers.waits_for.extend(previous.map(|previous| (phase, previous)));
            self.stream_of.push(self.last_phases.len());
            self.total.add(&loads, bytes);
            previous = Some(phase);
        }
        self.last_phases.extend(previous);
    }

    /// When each stream ends, seconds, if only those that `runs` names carry anything.
    fn ends(&self, runs: impl Fn(usize) -> bool) -> Result<Vec<f64>, FlowError> {
        let mut transfers = self.transfers.clone();
        for (bytes, &stream) in transfers.bytes.iter_mut().zip(&self.stream_of) {
            *bytes = if runs(stream) { *bytes } else { 0.0 };
        }
        let sharing = Sharing::new(self.sharing.clone())?;
        let completion = Transfers::new(&sharing, transfers)?.complete(Accuracy::Exact)?;
        Ok(self.last_phases.iter().map(|&phase| completion.end_s[phase as usize]).collect())
    }

    /// Share of `time` in which each level carries data.
    fn levels(&self, time: Seconds) -> Vec<LevelUse> {
        let fabric = self.network.fabric();
        let busy = |peak: &super::profile::Peak| peak.time(fabric, Bytes::new(1.0), LONG_MESSAGE) / time;
        let profile = Profile::new(fabric, &self.total);
        let level = |peak: &super::profile::Peak| LevelUse {
            peak: *peak,
            busiest: busy(peak),
            mean: busy(peak) * peak.mean_bytes_per_link / peak.bytes_per_link,
        };
        let mut levels: Vec<LevelUse> = profile.peaks.iter().map(level).collect();
        levels.sort_by(|a, b| b.busiest.total_cmp(&a.busiest));
        levels
    }
}
