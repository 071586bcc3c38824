//! Ways of carrying out a collective, as files and the command line name them. What each sends stands in `network/algorithm.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes the algorithms from one list: variant, name in files and on the command line, meaning.
macro_rules! define_algorithms {
    ($($variant:ident, $name:literal, $about:literal;)+) => {
        /// How a collective is carried out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Algorithm {
            $(#[doc = $about] #[serde(rename = $name)] $variant,)+
        }

        impl Algorithm {
            /// All of them with the names used on the command line and in JSON.
            pub const ALL: [(Algorithm, &'static str); [$($name),+].len()] = [$((Algorithm::$variant, $name)),+];
        }
    };
}

define_algorithms! {
    Ring, "ring", "Around a ring of neighbours in rank order; over several hosts behind NICs around one ring for each NIC.";
    MultiRing, "multi_ring", "Around several rings at once that leave every block of the innermost level by a different chip.";
    HalvingDoubling, "halving_doubling", "In log2 n exchanges, the largest piece with the nearest partner (Rabenseifner, ICCS 2004).";
    DoubleTree, "double_tree", "Half the data down each of two trees in which every rank is a leaf once; over hosts behind NICs two such trees of hosts on every rail.";
    SwitchTree, "switch_tree", "Switches add up and copy inside each host, trees on every rail between hosts.";
    Direct, "direct", "Everybody to everybody at once; an all-reduce in two such rounds (reduce-scatter, all-gather).";
    OneShot, "one_shot", "All-reduce in one round: every rank sends its whole buffer to every other and adds up what it gets.";
    Hierarchical, "hierarchical", "Level by level: inside the innermost first, then between equal positions of its siblings.";
    InNetwork, "in_network", "Switches add up on the way up and copy on the way down.";
    Pairwise, "pairwise", "All-to-all in n - 1 rounds, each rank with one partner at a time.";
    Bruck, "bruck", "All-to-all in log2 n rounds of half the data each (Bruck et al., IEEE Trans. Parallel Distrib. Syst. 8, 1997).";
    EngineKernel, "engine_kernel", "An all-reduce kernel that a serving engine puts into its captured graph.";
}

impl Algorithm {
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
