//! Operations of a collective.

use serde::Serialize;

/// Operation of a collective.
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
