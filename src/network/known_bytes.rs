//! What has been counted on fabrics that differ in latencies alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::computed_once::{kept, open};
use super::pattern::TrafficPattern;
use super::profile::Profile;

/// What is asked of the links of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LevelProperty {
    /// Any two children may be exchanged.
    Interchangeable,
    /// Positions under a cut meet apart from each other further up.
    ReachesAbove,
    /// Traffic among some children does not pass the others.
    ChildrenStayApart,
}

/// Bytes of a pattern on the channels, and the receivers that they were counted for.
#[derive(Clone, Debug)]
pub(super) struct CountedBytes {
    /// Its latency is that of the design that it was counted on.
    pub profile: Profile,
    pub receivers: Vec<u32>,
}

/// What does not depend on latencies.
#[derive(Debug, Default)]
pub(super) struct KnownBytes {
    /// Of patterns over the first ranks in level order.
    counted: Mutex<BTreeMap<(TrafficPattern, u32), CountedBytes>>,
    /// By level, what its links allow a cut to do.
    level_cuts: Mutex<BTreeMap<(usize, LevelProperty), bool>>,
    /// Of machines of their first children.
    parts: Mutex<BTreeMap<u32, Arc<Self>>>,
}

impl KnownBytes {
    /// What has been counted on the machines of the first so many children.
    pub fn part(&self, children: u32) -> Arc<Self> {
        kept(&self.parts, children, Arc::default)
    }

    /// Whether a level has a property.
    pub fn level_has(&self, level: usize, property: LevelProperty, judge: impl FnOnce() -> bool) -> bool {
        kept(&self.level_cuts, (level, property), judge)
    }

    /// The bytes of a pattern over the first `ranks` chips, if they have been counted.
    pub fn of(&self, pattern: TrafficPattern, ranks: u32) -> Option<CountedBytes> {
        open(&self.counted).get(&(pattern, ranks)).cloned()
    }

    /// Keeps them for others.
    pub fn keep(&self, pattern: TrafficPattern, ranks: u32, counted: CountedBytes) {
        kept(&self.counted, (pattern, ranks), || counted);
    }
}
