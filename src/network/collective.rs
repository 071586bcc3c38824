//! Collectives: what each algorithm sends in each round, and how long that takes.
//!
//! `time = launch + rounds x (round + path latency) + serialisation / efficiency + sqrt(ramp x serialisation / efficiency)`,
//! with the constants of the communication library and the serialisation of the real fabric. The root is the cost of filling a
//! pipeline whose chunk size is chosen best: k chunks cost k x o + T / k, at best 2 sqrt(o T), so `ramp` is four times the cost of a chunk.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::bound::lower_bound;
use super::profile::{Network, Peak, Profile};
use crate::input::document::Library;
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// What a group of chips does together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Every rank ends with the sum of all buffers.
    AllReduce,
    /// Every rank ends with all parts.
    AllGather,
    /// Every rank ends with its part of the sum.
    ReduceScatter,
    /// Every rank sends a different part to every other.
    AllToAll,
    /// The first rank's buffer reaches all.
    Broadcast,
    /// The first rank sends to the last.
    Send,
}

impl Op {
    /// All of them with the names used on the command line and in JSON.
    pub const ALL: [(Op, &'static str); 6] = [
        (Op::AllReduce, "all_reduce"),
        (Op::AllGather, "all_gather"),
        (Op::ReduceScatter, "reduce_scatter"),
        (Op::AllToAll, "all_to_all"),
        (Op::Broadcast, "broadcast"),
        (Op::Send, "send"),
    ];

    /// Name on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|entry| entry.0 == self).map_or("", |entry| entry.1)
    }

    /// Bus bandwidth over algorithm bandwidth, as nccl-tests defines it (its `PERFORMANCE.md`).
    #[must_use]
    pub fn bus_factor(self, ranks: u32) -> f64 {
        let n = f64::from(ranks);
        match self {
            Self::AllReduce => 2.0 * (n - 1.0) / n,
            Self::AllGather | Self::ReduceScatter | Self::AllToAll => (n - 1.0) / n,
            Self::Broadcast | Self::Send => 1.0,
        }
    }
}

/// How a collective is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Around a ring of neighbours in level order.
    Ring,
    /// Everybody to everybody at once; an all-reduce in two such rounds (reduce-scatter, all-gather).
    Direct,
    /// All-reduce in one round: every rank sends its whole buffer to every other and adds up what it gets.
    OneShot,
}

impl Algorithm {
    /// All of them with the names used on the command line and in JSON.
    pub const ALL: [(Algorithm, &'static str); 3] = [(Algorithm::Ring, "ring"), (Algorithm::Direct, "direct"), (Algorithm::OneShot, "one_shot")];

    /// Name on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|entry| entry.0 == self).map_or("", |entry| entry.1)
    }
}

/// A collective over the first `ranks` chips in level order.
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

/// How long a collective takes, and where the time goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// The algorithm priced.
    pub algorithm: Algorithm,
    /// Once a call.
    pub launch: Seconds,
    /// Rounds x what the library spends on each.
    pub synchronisation: Seconds,
    /// Rounds x the longest path.
    pub propagation: Seconds,
    /// Bytes over rates on the most loaded channel, at the library's efficiency.
    pub serialisation: Seconds,
    /// Filling the pipeline.
    pub ramp: Seconds,
    /// The most loaded channel; `None` if nothing moves.
    pub bottleneck: Option<Peak>,
    /// What no algorithm can beat.
    pub lower_bound: Seconds,
}

impl Timing {
    /// Sum of the parts.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.launch + self.synchronisation + self.propagation + self.serialisation + self.ramp
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
    /// Zero bytes, or not a number.
    NoBytes,
    /// The algorithm does not carry out this op.
    DoesNotApply {
        /// Algorithm.
        algorithm: Algorithm,
        /// Op.
        op: Op,
    },
}

impl fmt::Display for CollectiveError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewRanks => write!(out, "a collective needs at least 2 ranks"),
            Self::TooManyRanks { ranks, chips } => write!(out, "{ranks} ranks asked for, the machine has {chips} chips"),
            Self::NoBytes => write!(out, "the size must be more than zero"),
            Self::DoesNotApply { algorithm, op } => {
                let applicable = Algorithm::ALL.iter().filter(|(other, _)| phases(*op, *other, 2.0).is_some());
                let names = applicable.map(|(_, name)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                write!(out, "algorithm `{}` does not do {}; use {names} or `auto`", algorithm.name(), op.name())
            }
        }
    }
}

impl std::error::Error for CollectiveError {}

/// Which pairs talk in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Talk {
    Neighbours,
    AllPairs,
    FromRoot,
    OnePair,
}

/// Rounds of one kind.
struct Phase {
    talk: Talk,
    /// How often.
    rounds: f64,
    /// Of the size S, what each talking pair moves in all these rounds together.
    share: f64,
    /// Of the size S, one contiguous message.
    message: f64,
}

/// What an algorithm does for an op among `n` ranks; `None` if it does not apply.
fn phases(op: Op, algorithm: Algorithm, n: f64) -> Option<Vec<Phase>> {
    let around = |rounds: f64| Phase { talk: Talk::Neighbours, rounds, share: rounds / n, message: 1.0 / n };
    let direct = || Phase { talk: Talk::AllPairs, rounds: 1.0, share: 1.0 / n, message: 1.0 / n };
    let whole = |talk, rounds| Phase { talk, rounds, share: 1.0, message: 1.0 };
    Some(match (op, algorithm) {
        (Op::AllReduce, Algorithm::Ring) => vec![around(2.0 * (n - 1.0))],
        (Op::AllGather | Op::ReduceScatter, Algorithm::Ring) => vec![around(n - 1.0)],
        // A chain: every link carries the whole buffer once, the last rank starts n - 1 hops later.
        (Op::Broadcast, Algorithm::Ring) => vec![whole(Talk::Neighbours, n - 1.0)],
        (Op::AllReduce, Algorithm::Direct) => vec![direct(), direct()],
        (Op::AllReduce, Algorithm::OneShot) => vec![whole(Talk::AllPairs, 1.0)],
        (Op::AllGather | Op::ReduceScatter | Op::AllToAll, Algorithm::Direct) => vec![direct()],
        // The root scatters, then all gather.
        (Op::Broadcast, Algorithm::Direct) => vec![Phase { talk: Talk::FromRoot, rounds: 1.0, share: 1.0 / n, message: 1.0 / n }, direct()],
        (Op::Send, Algorithm::Direct) => vec![whole(Talk::OnePair, 1.0)],
        _ => return None,
    })
}

/// Prices collectives on one network with one library; walks each traffic pattern once.
#[derive(Debug)]
pub struct Pricing<'a> {
    network: &'a Network<'a>,
    library: &'a Library,
    profiles: BTreeMap<(Talk, u32), Profile>,
}

impl<'a> Pricing<'a> {
    /// No pattern walked yet.
    #[must_use]
    pub fn new(network: &'a Network<'a>, library: &'a Library) -> Self {
        Self { network, library, profiles: BTreeMap::new() }
    }

    fn profile(&mut self, talk: Talk, ranks: u32) -> &Profile {
        let network = self.network;
        self.profiles.entry((talk, ranks)).or_insert_with(|| match talk {
            Talk::Neighbours => network.ring(ranks),
            Talk::AllPairs => network.all_to_all(ranks),
            Talk::FromRoot => network.from_root(ranks),
            Talk::OnePair => network.pair(0, ranks - 1),
        })
    }

    /// Prices `collective` with the given algorithm, or with the fastest that applies.
    ///
    /// # Errors
    /// A group, a size or an algorithm that makes no sense here.
    pub fn price(&mut self, collective: &Collective, algorithm: Option<Algorithm>) -> Result<Timing, CollectiveError> {
        self.check(collective)?;
        match algorithm {
            Some(algorithm) => self.with(collective, algorithm).ok_or(CollectiveError::DoesNotApply { algorithm, op: collective.op }),
            None => Ok(self.ranking(collective)[0]),
        }
    }

    /// Every algorithm that applies, fastest first; ties keep the order of [`Algorithm::ALL`].
    pub fn ranking(&mut self, collective: &Collective) -> Vec<Timing> {
        let mut timings: Vec<Timing> = Algorithm::ALL.iter().filter_map(|(algorithm, _)| self.with(collective, *algorithm)).collect();
        timings.sort_by(|a, b| a.total().get().total_cmp(&b.total().get()));
        timings
    }

    fn check(&self, collective: &Collective) -> Result<(), CollectiveError> {
        let chips = self.network.fabric().chips;
        if collective.ranks < 2 {
            return Err(CollectiveError::TooFewRanks);
        }
        if collective.ranks > chips {
            return Err(CollectiveError::TooManyRanks { ranks: collective.ranks, chips });
        }
        if collective.bytes > Bytes::ZERO && collective.bytes.get().is_finite() { Ok(()) } else { Err(CollectiveError::NoBytes) }
    }

    fn with(&mut self, collective: &Collective, algorithm: Algorithm) -> Option<Timing> {
        let phases = phases(collective.op, algorithm, f64::from(collective.ranks))?;
        let fabric = self.network.fabric();
        let library = self.library;
        let (mut propagation, mut wire, mut rounds, mut worst) = (Seconds::ZERO, Seconds::ZERO, 0.0, (Seconds::ZERO, None));
        for phase in &phases {
            let profile = self.profile(phase.talk, collective.ranks);
            let (time, peak) = profile.serialisation(fabric, collective.bytes * phase.share, collective.bytes * phase.message);
            wire += time;
            propagation += profile.latency * phase.rounds;
            rounds += phase.rounds;
            if time > worst.0 {
                worst = (time, peak);
            }
        }
        let serialisation = wire / library.wire_efficiency.value.get();
        let farthest = match collective.op {
            Op::Broadcast => self.profile(Talk::FromRoot, collective.ranks).latency,
            Op::Send => self.profile(Talk::OnePair, collective.ranks).latency,
            _ => self.profile(Talk::AllPairs, collective.ranks).latency,
        };
        Some(Timing {
            algorithm,
            launch: library.launch.value,
            synchronisation: library.round.value * rounds,
            propagation,
            serialisation,
            ramp: Seconds::new((library.ramp.value.get() * serialisation.get()).sqrt()),
            bottleneck: worst.1,
            lower_bound: lower_bound(self.network, collective, farthest),
        })
    }
}
