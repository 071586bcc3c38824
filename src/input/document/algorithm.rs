//! Ways of carrying out a collective, as files and the command line name them. What each sends stands in `network/algorithm.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a collective is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Around a ring of neighbours in rank order; over several hosts behind NICs around one ring for each NIC.
    Ring,
    /// Around several rings at once that leave every block of the innermost level by a different chip.
    MultiRing,
    /// In log2 n exchanges, the largest piece with the nearest partner (Rabenseifner, ICCS 2004).
    HalvingDoubling,
    /// Half the data down each of two trees in which every rank is a leaf once; over hosts behind NICs two such trees of hosts on every rail.
    DoubleTree,
    /// Switches add up and copy inside each host, trees on every rail between hosts.
    SwitchTree,
    /// Everybody to everybody at once; an all-reduce in two such rounds (reduce-scatter, all-gather).
    Direct,
    /// All-reduce in one round: every rank sends its whole buffer to every other and adds up what it gets.
    OneShot,
    /// Level by level: inside the innermost first, then between equal positions of its siblings.
    Hierarchical,
    /// Switches add up on the way up and copy on the way down.
    InNetwork,
    /// All-to-all in n - 1 rounds, each rank with one partner at a time.
    Pairwise,
    /// All-to-all in log2 n rounds of half the data each (Bruck et al., IEEE Trans. Parallel Distrib. Syst. 8, 1997).
    Bruck,
    /// An all-reduce kernel that a serving engine puts into its captured graph.
    EngineKernel,
}

impl Algorithm {
    /// All of them with the names used on the command line and in JSON.
    pub const ALL: [(Algorithm, &'static str); 12] = [
        (Algorithm::Ring, "ring"),
        (Algorithm::MultiRing, "multi_ring"),
        (Algorithm::HalvingDoubling, "halving_doubling"),
        (Algorithm::DoubleTree, "double_tree"),
        (Algorithm::SwitchTree, "switch_tree"),
        (Algorithm::Direct, "direct"),
        (Algorithm::OneShot, "one_shot"),
        (Algorithm::Hierarchical, "hierarchical"),
        (Algorithm::InNetwork, "in_network"),
        (Algorithm::Pairwise, "pairwise"),
        (Algorithm::Bruck, "bruck"),
        (Algorithm::EngineKernel, "engine_kernel"),
    ];

    /// Name on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|entry| entry.0 == self).map_or("", |entry| entry.1)
    }
}

/// Algorithms for each op.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Algorithms {
    /// Sum of all buffers, on every rank.
    pub all_reduce: Option<Vec<Algorithm>>,
    /// All parts, on every rank.
    pub all_gather: Option<Vec<Algorithm>>,
    /// A part of the sum, on every rank.
    pub reduce_scatter: Option<Vec<Algorithm>>,
    /// A different part from every rank to every other.
    pub all_to_all: Option<Vec<Algorithm>>,
    /// One rank's buffer, on every rank.
    pub broadcast: Option<Vec<Algorithm>>,
    /// One rank to another.
    pub send: Option<Vec<Algorithm>>,
}
