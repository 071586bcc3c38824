//! Profiles of designs that differ in latencies alone.
//!
//! Routes follow links, not latencies: where bytes go is the same in all such designs, and only the longest path is looked for anew, from the
//! receivers that stood for all others when the bytes were counted.

use super::channel_loads::ChannelLoads;
use super::group::Group;
use super::known_bytes::CountedBytes;
use super::loads::is_dense;
use super::network::Network;
use super::pattern::TrafficPattern;
use super::profile::Profile;
use super::receiver_walk::ReceiverWalk;
use crate::fabric::RoutingPolicy;

impl Network<'_> {
    /// Keeps a profile that was counted for these receivers, for designs of other latencies. Policies that weigh ways against each other are left out.
    pub(super) fn keep_bytes(&self, group: &Group, pattern: TrafficPattern, receivers: &[u32], profile: &Profile) {
        let by_links = matches!(self.router().policy(), RoutingPolicy::Spray | RoutingPolicy::DimensionOrder);
        if by_links && profile.unreachable.is_none() {
            let counted = CountedBytes { profile: profile.clone(), receivers: receivers.to_vec() };
            self.known().bytes().keep(pattern, group.ranks(), counted);
        }
    }

    /// The profile of a pattern whose bytes were counted on a fabric of other latencies.
    pub(super) fn with_known_bytes(&self, group: &Group, pattern: TrafficPattern) -> Option<Profile> {
        let CountedBytes { profile, receivers } = self.known().bytes().of(pattern, group.ranks()).filter(|_| group.in_level_order())?;
        let mut longest = ChannelLoads::silent(0);
        if is_dense(group, pattern) {
            let mut walk = ReceiverWalk::new(self.router());
            for &receiver in &receivers {
                walk.aim(group, pattern, receiver, 1.0);
                walk.lengthen(&mut longest);
            }
        } else {
            let mut paths = self.router().pathfinder();
            for &receiver in &receivers {
                pattern.each_sender(group, receiver, |sender, _| {
                    if let Some(route) = paths.route(group.chip(sender), group.chip(receiver)) {
                        longest.lengthen(route.latency, route.length);
                    }
                });
            }
        }
        Some(Profile { latency: longest.latency, hops: longest.hops, ..profile })
    }
}
