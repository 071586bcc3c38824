//! Recorded or generated execution traces played on a machine: every rank's computations, sends, receives and collectives, in the order
//! that their dependencies leave.
//!
//! | question | file |
//! | --- | --- |
//! | how long does a node take, and what must be free for it? | `jobs.rs` |
//! | which nodes of several ranks are one collective or one transfer? | `matching.rs` |
//! | what runs when? | `run.rs` |
//! | what does that come to for a rank, and which nodes decide the end? | `summary.rs` |
//!
//! Rules:
//! - A thread of the host and a stream of the device do one thing at a time. Nodes that are ready wait in the order in which they became so.
//! - A collective starts when every rank of its group has come to it; collectives of one group follow each other, as those of one
//!   communicator do. Collectives of different groups, sends and receives run at once and share the channels max-min fairly.
//! - A send starts when its rank has come to it, whether or not the receiver waits; a receive ends when the bytes are there.
//! - Sends and receives of a rank that follow each other directly, or with a computation of no stated operations between (the reduction of a ring),
//!   are one kernel, as an interpreter of collective plans runs them: one launch, one protocol, one pipeline to fill.

mod jobs;
mod matching;
mod run;
mod summary;

use std::collections::BTreeSet;
use std::fmt;

use crate::input::chakra::ChakraTrace;
use crate::input::document::{Library, Precision};
use crate::network::Network;
use crate::units::{Bytes, Seconds};
use crate::workload::Device;

/// Ranks that a message names.
const SHOWN: usize = 8;

/// How long computations take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ComputeTimes {
    /// As recorded; priced where nothing was.
    #[default]
    Recorded,
    /// From operations and bytes; as recorded where a node has neither.
    Priced,
    /// No time at all: communication alone.
    None,
}

/// What the size of an all-gather means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GatherSize {
    /// What one rank brings, as ASTRA-sim has it.
    #[default]
    Input,
    /// What every rank ends with, as nccl-tests has it.
    Total,
}

/// How a trace is played.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// How long computations take.
    pub compute: ComputeTimes,
    /// What an all-gather's size means.
    pub gather: GatherSize,
    /// Format in which operations are counted against the chip's peak.
    pub precision: Precision,
    /// Chip of each rank.
    pub chips: Vec<u32>,
}

/// Kinds of what takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlayedKind {
    /// On the device.
    Compute,
    /// On the host.
    Host,
    /// Reading or writing memory.
    Memory,
    /// A collective, send or receive.
    Communication,
}

impl PlayedKind {
    /// Name in tables and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Host => "host",
            Self::Memory => "memory",
            Self::Communication => "communication",
        }
    }
}

/// A node that was played.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayedNode {
    /// Rank.
    pub rank: u32,
    /// Number in its trace.
    pub id: u64,
    /// Name in its trace.
    pub name: String,
    /// What it is.
    pub kind: PlayedKind,
    /// When everything that it waits for had ended.
    pub ready: Seconds,
    /// When it starts: for a collective, when the last rank has come and its group is free.
    pub start: Seconds,
    /// When it ends.
    pub end: Seconds,
    /// Bytes that the trace gives to a communication.
    pub bytes: Option<Bytes>,
    /// Thread of the host or stream of the device.
    pub thread: u64,
    /// What let it start, by place among the nodes.
    pub(super) cause: Option<usize>,
}

/// One rank's share of the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankTimes {
    /// Rank.
    pub rank: u32,
    /// When its last node ends.
    pub end: Seconds,
    /// Time in which host, device or memory work.
    pub compute: Seconds,
    /// Time in which it communicates or waits for others to.
    pub communication: Seconds,
    /// Of that, time in which nothing else runs.
    pub exposed: Seconds,
    /// Time in which nothing at all runs before its end.
    pub idle: Seconds,
}

/// Where the times of computations are from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComputeSources {
    /// Nodes with their recorded duration.
    pub recorded: usize,
    /// Nodes priced from operations and bytes.
    pub priced: usize,
    /// Nodes with neither: they take no time.
    pub empty: usize,
}

/// A collective that the trace gives no size: it takes the time that was recorded, and nobody waits for anybody.
#[derive(Clone, Debug, PartialEq)]
pub struct UnsizedNode {
    /// Rank.
    pub rank: u32,
    /// Number in its trace.
    pub id: u64,
    /// Name in its trace.
    pub name: String,
    /// Whether it is the host's call alone.
    pub on_host: bool,
    /// Recorded duration.
    pub recorded: Option<Seconds>,
}

/// A trace, played.
#[derive(Clone, Debug)]
pub struct TraceReplay {
    /// Every node, rank by rank, in the order of its file.
    pub nodes: Vec<PlayedNode>,
    /// Each rank's times.
    pub ranks: Vec<RankTimes>,
    /// Nodes that decide when the last one ends, in time, by place among the nodes.
    pub critical_path: Vec<usize>,
    /// Collectives and transfers that moved something.
    pub collectives: usize,
    /// Sends that reached a receive.
    pub transfers: usize,
    /// Where the times of computations are from.
    pub compute: ComputeSources,
    /// Collectives without a size.
    pub unsized_nodes: Vec<UnsizedNode>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

impl TraceReplay {
    /// When the last node ends.
    #[must_use]
    pub fn makespan(&self) -> Seconds {
        self.ranks.iter().map(|rank| rank.end).fold(Seconds::ZERO, Seconds::max)
    }
}

/// Why a trace cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayError {
    /// What is wrong, in one line.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl ReplayError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for ReplayError {}

/// Plays a trace.
///
/// # Errors
/// Nodes that wait for each other in a circle, groups that are not given, ranks that do not agree, sizes that make no sense.
pub fn replay(
    network: &Network<'_>,
    library: &Library,
    device: &Device,
    trace: &ChakraTrace,
    options: &ReplayOptions,
) -> Result<TraceReplay, ReplayError> {
    let mut jobs = jobs::Jobs::new(device, trace, options)?;
    let communication = matching::match_nodes(network, library, trace, options, &mut jobs)?;
    let nodes = run::ReplayRun::new(network, trace, &jobs, &communication).finish()?;
    let ranks = summary::rank_times(trace, &nodes);
    let critical_path = summary::critical_path(&nodes);
    let (collectives, transfers) = communication.counts();
    Ok(TraceReplay {
        nodes,
        ranks,
        critical_path,
        collectives,
        transfers,
        compute: jobs.compute,
        unsized_nodes: jobs.unsized_nodes,
        notes: absent_ranks(trace).into_iter().chain(jobs.notes).chain(communication.notes).collect(),
    })
}

/// Ranks below the last one that have no trace.
fn absent_ranks(trace: &ChakraTrace) -> Option<String> {
    let there: BTreeSet<u32> = trace.ranks.iter().map(|rank| rank.rank).collect();
    let absent = (0..there.last().copied().unwrap_or(0)).filter(|rank| !there.contains(rank));
    let absent: Vec<String> = absent.take(SHOWN + 1).map(|rank| rank.to_string()).collect();
    let listed = absent[..absent.len().min(SHOWN)].join(", ");
    let more = if absent.len() > SHOWN { ", ..." } else { "" };
    (there.len() > 1 && !absent.is_empty())
        .then(|| format!("no trace of rank {listed}{more} is there; collectives without a group are among the {} ranks that have one", there.len()))
}
