//! Patterns of traffic played on a network: by symmetry where the fabric has it, else by a walk for each destination.

use std::sync::Arc;

use super::channel_loads::ChannelLoads;
use super::group::Group;
use super::known_bytes::LevelProperty;
use super::network::Network;
use super::pattern::TrafficPattern;
use super::profile::Profile;
use super::routed::{KnownLoads, PartOfMachine, RoutedFabric};

/// A machine of the first children is laid out if it is smaller by this factor.
const SMALLER: u32 = 4;

impl Network<'_> {
    /// Plays a pattern once and sums up what it does to the fabric.
    #[must_use]
    pub fn play(&self, group: &Group, pattern: TrafficPattern) -> Profile {
        if group.ranks() < 2 {
            return Profile::silent(self.fabric());
        }
        let play = || match self.collapsed(group, pattern) {
            Some(collapsed) => {
                let profile = collapsed.profile(self);
                self.keep_bytes(group, pattern, collapsed.receivers(), &profile);
                profile
            }
            None => self.profile(&self.uncollapsed(group, pattern)),
        };
        let play = || self.with_known_bytes(group, pattern).unwrap_or_else(play);
        let play = || self.with_fan_in(play(), group, pattern);
        let play = || self.play_on_first_children(group, pattern).unwrap_or_else(play);
        if group.in_level_order() { self.known().profile(pattern, group.ranks(), play) } else { play() }
    }

    /// Plays a pattern among the first chips on a machine of just the children that hold them, and at least one more, so that the group is as
    /// little a whole machine there as here; `None` where that is not much smaller or not the same.
    fn play_on_first_children(&self, group: &Group, pattern: TrafficPattern) -> Option<Profile> {
        let fabric = self.fabric();
        let (level, children) = (fabric.level_sizes.len().checked_sub(1)?, *fabric.level_sizes.last()?);
        let few = (group.ranks().div_ceil(fabric.child_chips()) + 1).next_power_of_two();
        let policy = self.router().policy();
        if few > children / SMALLER || !group.in_level_order() || !(policy.respects_symmetry() && policy.stays_on_shortest_paths()) {
            return None;
        }
        if !self.known().level_has(level, LevelProperty::ChildrenStayApart, || fabric.children_stay_apart()) {
            return None;
        }
        let part = self.known().part(few, || {
            let fabric = fabric.first_children(few);
            let known = KnownLoads::with_bytes(self.known().bytes().part(few));
            PartOfMachine { routed: Arc::new(RoutedFabric::new(&fabric, policy)), known: Arc::new(known), fabric }
        });
        Some(Network::of_part(&part).play(group, pattern))
    }

    /// Sums up channel loads.
    #[must_use]
    pub fn profile(&self, loads: &ChannelLoads) -> Profile {
        Profile::new(self.fabric(), loads)
    }

    /// Every one of the first `members` chips sends one byte to every other.
    #[must_use]
    pub fn all_to_all(&self, members: u32) -> Profile {
        self.play(&Group::first(members), TrafficPattern::AllPairs)
    }

    /// Each of the first `members` chips sends one byte up to switches that reduce, and the sum comes back to all; `None` if no switches
    /// that do so join them.
    #[must_use]
    pub fn in_switch_all_reduce(&self, members: u32) -> Option<Profile> {
        let group = Group::first(members);
        (!self.aggregation_roots(&group).is_empty()).then(|| self.play(&group, TrafficPattern::Aggregate { up: true, down: true }))
    }

    /// As [`Network::all_to_all`] over all chips, for those who ask only how many bytes go where: the profile's latency is zero, and more
    /// symmetries hold.
    #[must_use]
    pub fn bytes_of_all_pairs(&self) -> &Profile {
        self.known().bytes_of_all_pairs(|| self.without_latencies().all_to_all(self.fabric().chips))
    }

    /// The same if they have been counted.
    pub(super) fn known_bytes_of_all_pairs(&self) -> Option<&Profile> {
        self.known().counted_bytes_of_all_pairs()
    }

    /// As [`Network::all_to_all`] without use of symmetry.
    #[must_use]
    pub fn full_all_to_all(&self, members: u32) -> Profile {
        if members < 2 {
            return Profile::silent(self.fabric());
        }
        self.profile(&self.full_loads(&Group::first(members), TrafficPattern::AllPairs))
    }

    /// Each of the first `members` chips sends one byte to the next, the last one to the first.
    #[must_use]
    pub fn ring(&self, members: u32) -> Profile {
        self.play(&Group::first(members), TrafficPattern::Ring)
    }

    /// Every chip of `sources` sends one byte to every chip of `destinations`; the two do not overlap.
    #[must_use]
    pub fn between(&self, sources: std::ops::Range<u32>, destinations: std::ops::Range<u32>) -> Profile {
        self.known().one_sided(&sources, &destinations, || {
            let senders = sources.end - sources.start;
            let group = Group::of(sources.clone().chain(destinations.clone()).collect());
            self.profile(&self.loads(&group, TrafficPattern::OneSided { senders }))
        })
    }

    /// One chip sends one byte to another.
    #[must_use]
    pub fn pair(&self, source: u32, destination: u32) -> Profile {
        self.between(source..source + 1, destination..destination + 1)
    }
}
