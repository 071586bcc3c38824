//! Collectives: the request and its result.

use std::fmt;

use serde::Serialize;

use super::algorithm::Obstacle;
use super::group::PlacementError;
use super::op::Op;
use super::profile::Peak;
use crate::input::document::Algorithm;
use crate::units::{Bytes, BytesPerSecond, Seconds, counted};

/// A collective over a group of chips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Collective {
    /// What is done.
    pub op: Op,
    /// How many chips take part.
    pub ranks: u32,
    /// What nccl-tests calls size: the buffer of an all-reduce or broadcast, the gathered output of an all-gather, the input of a
    /// reduce-scatter, the send buffer of one rank of an all-to-all.
    pub bytes: Bytes,
}

/// How the library moves bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LibraryProtocol {
    /// Flags travel with the data: no handshake, but a small share of the wire.
    LowLatency,
    /// Chunks with handshakes: a large share of the wire.
    Bulk,
    /// Switches add up and copy.
    InSwitch,
}

impl LibraryProtocol {
    /// Name in tables and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LowLatency => "low_latency",
            Self::Bulk => "bulk",
            Self::InSwitch => "in_switch",
        }
    }
}

/// How long a collective takes, and where the time goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// The algorithm priced.
    pub algorithm: Algorithm,
    /// The fastest protocol of the library.
    pub protocol: LibraryProtocol,
    /// Start of a call.
    pub launch: Seconds,
    /// Rounds times the library's time for a round.
    pub synchronisation: Seconds,
    /// Rounds times the latency of the longest path.
    pub propagation: Seconds,
    /// Time on the most loaded ports of the chips, at the library's efficiency.
    pub serialisation: Seconds,
    /// Additional time if a channel inside the fabric is more loaded than the ports of the chips.
    pub waiting: Seconds,
    /// Filling the pipeline, chunk by chunk.
    pub ramp: Seconds,
    /// The most loaded channel; `None` if nothing moves.
    pub bottleneck: Option<Peak>,
}

/// How busy the links of a level are while a collective runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelUse {
    /// The channels, and how many of them carry the largest load.
    pub peak: Peak,
    /// Share of the whole time in which the most loaded channels carry data.
    pub busiest: f64,
    /// The same, as a mean over all channels that carry anything.
    pub mean: f64,
}

impl Timing {
    /// Sum of the parts.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.launch + self.synchronisation + self.propagation + self.serialisation + self.waiting + self.ramp
    }

    /// Size over time.
    #[must_use]
    pub fn algorithm_bandwidth(&self, collective: &Collective) -> BytesPerSecond {
        collective.bytes / self.total()
    }

    /// Algorithm bandwidth times the op's factor.
    #[must_use]
    pub fn bus_bandwidth(&self, collective: &Collective) -> BytesPerSecond {
        self.algorithm_bandwidth(collective) * collective.op.bus_factor(collective.ranks)
    }
}

/// Why a collective cannot be priced.
#[derive(Clone, Debug, PartialEq)]
pub enum CollectiveError {
    /// Fewer than two ranks.
    TooFewRanks,
    /// More ranks than chips.
    TooManyRanks {
        /// Asked for.
        ranks: u32,
        /// In the machine.
        chips: u32,
    },
    /// Ranks that cannot be placed.
    Placement(PlacementError),
    /// Zero bytes, or not a number.
    NoBytes,
    /// More bytes than arithmetic on times can hold.
    TooManyBytes,
    /// No path joins two chips of the group.
    Unreachable {
        /// Sending chip.
        from: u32,
        /// Receiving chip.
        to: u32,
    },
    /// Hosts hold unequal numbers of ranks, so only a part of the group takes part in some rounds. The packet level does not support this.
    UnevenRails,
    /// No engine's all-reduce kernel takes part.
    NoEngineKernel,
    /// The algorithm does not carry out this op on this group.
    DoesNotApply {
        /// Algorithm.
        algorithm: Algorithm,
        /// Op.
        op: Op,
        /// Why.
        obstacle: Obstacle,
        /// Algorithms that do apply.
        instead: Vec<Algorithm>,
    },
}

/// A yottabyte: far beyond any collective, far below where times lose their meaning.
pub const BYTES_MAX: Bytes = Bytes::new(1e24);

impl fmt::Display for CollectiveError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewRanks => write!(out, "a collective needs at least 2 ranks"),
            Self::TooManyRanks { ranks, chips } => write!(out, "{} asked for, the machine has {}", counted(*ranks, "rank"), counted(*chips, "chip")),
            Self::Placement(error) => error.fmt(out),
            Self::NoBytes => write!(out, "the size must be more than zero"),
            Self::TooManyBytes => write!(out, "the size must be at most 1e24 B"),
            Self::Unreachable { from, to } => {
                write!(out, "no path leads from chip {from} to chip {to}; join their switches, or choose ranks that are joined")
            }
            Self::UnevenRails => write!(out, "hosts hold unequal numbers of ranks, which packets do not follow; choose as many in each"),
            Self::NoEngineKernel => write!(
                out,
                "algorithm `engine_kernel` needs a captured graph (--graph), a library with `captured_all_reduce`, and ranks in the innermost level"
            ),
            Self::DoesNotApply { algorithm, op, obstacle, instead } => {
                match obstacle {
                    Obstacle::Op => write!(out, "algorithm `{}` does not do {}", algorithm.name(), op.name())?,
                    Obstacle::PowerOfTwo { below, above } => {
                        write!(out, "algorithm `{}` needs a power of two of ranks, such as {below} or {above}", algorithm.name())?;
                    }
                    Obstacle::Uneven { group } => {
                        write!(out, "algorithm `{}` needs ranks that fill whole groups, such as a multiple of {group}", algorithm.name())?;
                    }
                    Obstacle::OneLevel => write!(out, "algorithm `{}` needs ranks in several groups of a level", algorithm.name())?,
                    Obstacle::OneDomain => {
                        write!(out, "algorithm `{}` needs ranks in equal numbers in several hosts behind NICs", algorithm.name())?;
                    }
                    Obstacle::NoReducingSwitch => {
                        write!(out, "algorithm `{}` needs switches with in_network_reduction that reach all ranks", algorithm.name())?;
                    }
                }
                let names = instead.iter().map(|other| format!("`{}`", other.name())).collect::<Vec<_>>().join(", ");
                write!(out, "; here {names} and `auto` work")
            }
        }
    }
}

impl std::error::Error for CollectiveError {}

impl From<PlacementError> for CollectiveError {
    fn from(error: PlacementError) -> Self {
        Self::Placement(error)
    }
}
