//! The routing policies.

use std::fmt;

use crate::input::document::Routing;

/// How traffic spreads over the ways to its destination.
///
/// The parallel links of one channel are bonded under every policy: a flow that takes a channel uses all of them evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RoutingPolicy {
    /// Packets are sprayed: at every node the traffic splits over all next hops on shortest paths, in proportion to their links.
    #[default]
    Spray,
    /// Equal-cost multi-path: a seeded hash of source, destination and node picks one next hop for the whole flow (RFC 2992).
    Ecmp {
        /// Of the hash.
        seed: u64,
    },
    /// The source cuts a flow into equal stripes, one for each plane; inside a plane each follows one hashed path.
    Striped {
        /// Of the hash.
        seed: u64,
    },
    /// Shortest paths that finish one dimension before the next begins, innermost level first.
    DimensionOrder,
    /// Shortest paths mixed with detours one hop longer, as UB-Mesh does; each pattern gets the mix that serves it best.
    AllPaths,
    /// By way of a switch (where chips forward, a node) anywhere in the machine, all of them equally likely (Valiant, 1982).
    Valiant,
    /// Shortest paths mixed with Valiant's; each pattern gets the mix that serves it best, as ideal UGAL routing would.
    Adaptive,
}

impl From<Routing> for RoutingPolicy {
    fn from(stated: Routing) -> Self {
        match stated {
            Routing::Spray => Self::Spray,
            Routing::Ecmp => Self::Ecmp { seed: 0 },
            Routing::Striped => Self::Striped { seed: 0 },
            Routing::DimensionOrder => Self::DimensionOrder,
            Routing::AllPaths => Self::AllPaths,
            Routing::Valiant => Self::Valiant,
            Routing::Adaptive => Self::Adaptive,
        }
    }
}

/// A policy that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// As written.
    pub name: String,
}

impl RoutingPolicy {
    /// Names on the command line; hashed ones take a seed as in `ecmp:7`.
    pub const NAMES: [&'static str; 7] = ["spray", "ecmp", "striped", "dimension-order", "all-paths", "valiant", "adaptive"];

    /// Whether a symmetry of the machine maps routes onto routes. A hash of node numbers respects none.
    #[must_use]
    pub fn respects_symmetry(self) -> bool {
        !matches!(self, Self::Ecmp { .. } | Self::Striped { .. })
    }

    /// Whether no flow ever takes more hops than it must.
    #[must_use]
    pub fn stays_on_shortest_paths(self) -> bool {
        !matches!(self, Self::AllPaths | Self::Valiant | Self::Adaptive)
    }

    /// What the hash starts from; `None` where nothing is left to chance.
    #[must_use]
    pub fn seed(self) -> Option<u64> {
        match self {
            Self::Ecmp { seed } | Self::Striped { seed } => Some(seed),
            _ => None,
        }
    }
}

impl fmt::Display for RoutingPolicy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spray => write!(out, "spray"),
            Self::Ecmp { seed } => write!(out, "ecmp:{seed}"),
            Self::Striped { seed } => write!(out, "striped:{seed}"),
            Self::DimensionOrder => write!(out, "dimension-order"),
            Self::AllPaths => write!(out, "all-paths"),
            Self::Valiant => write!(out, "valiant"),
            Self::Adaptive => write!(out, "adaptive"),
        }
    }
}

impl std::str::FromStr for RoutingPolicy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let unknown = || PolicyError { name: text.to_owned() };
        let (name, seed) = match text.split_once(':') {
            Some((name, seed)) => (name, Some(seed.parse().map_err(|_| unknown())?)),
            None => (text, None),
        };
        match (name, seed) {
            ("spray", None) => Ok(Self::Spray),
            ("ecmp", seed) => Ok(Self::Ecmp { seed: seed.unwrap_or(0) }),
            ("striped", seed) => Ok(Self::Striped { seed: seed.unwrap_or(0) }),
            ("dimension-order", None) => Ok(Self::DimensionOrder),
            ("all-paths", None) => Ok(Self::AllPaths),
            ("valiant", None) => Ok(Self::Valiant),
            ("adaptive", None) => Ok(Self::Adaptive),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = RoutingPolicy::NAMES.map(|name| format!("`{name}`")).join(", ");
        write!(out, "no routing is called `{}`; use {names}; `ecmp` and `striped` take a seed, as in `ecmp:7`", self.name)
    }
}

impl std::error::Error for PolicyError {}

/// A well-mixed number from a flow, the node it stands at and the seed (the finaliser of `SplitMix64`, Steele et al., OOPSLA 2014).
pub(super) fn mix(seed: u64, source: u32, destination: u32, node: u32) -> u64 {
    let mut state = seed;
    for word in [source, destination, node] {
        state = state.wrapping_add(u64::from(word)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    state
}

/// The finaliser of `SplitMix64` (Steele et al., OOPSLA 2014).
pub(super) fn scrambled(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in RoutingPolicy::NAMES {
            let policy: RoutingPolicy = name.parse().unwrap();
            assert_eq!(policy.to_string().split(':').next(), Some(name));
        }
        assert_eq!("ecmp:7".parse(), Ok(RoutingPolicy::Ecmp { seed: 7 }));
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        let error = "ecmp:x".parse::<RoutingPolicy>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no routing is called `ecmp:x`; use `spray`, `ecmp`, `striped`, `dimension-order`, `all-paths`, `valiant`, `adaptive`; \
             `ecmp` and `striped` take a seed, as in `ecmp:7`"
        );
    }
}
