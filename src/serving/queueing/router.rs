//! Which instance, and which of its attention groups, a request goes to.

use super::group::AttentionGroup;
use super::instance::Instance;
use super::pool::OutsideTier;
use super::trace::{ArrivingRequest, Trace};

/// How requests are spread. Of equals the first is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouterPolicy {
    /// One instance after the other; within it the least loaded group.
    #[default]
    RoundRobin,
    /// The group with the least of 4 x waiting + running requests, as vLLM balances its data-parallel engines.
    LeastLoaded,
    /// The group with the least work: prompt tokens that wait there, tokens of this prompt that it does not have, and tokens in use in its
    /// cache, as Dynamo's KV router weighs them.
    PrefixAware,
    /// The group that has most of the prompt, whatever its load.
    LongestPrefix,
}

impl RouterPolicy {
    /// Every policy with its name on the command line.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::RoundRobin, "round-robin"),
        (Self::LeastLoaded, "least-loaded"),
        (Self::PrefixAware, "prefix-aware"),
        (Self::LongestPrefix, "longest-prefix"),
    ];
}

/// Spreads requests.
#[derive(Debug)]
pub struct RequestRouter {
    /// How.
    pub policy: RouterPolicy,
    next: usize,
}

impl RequestRouter {
    /// A router that has sent nothing yet.
    #[must_use]
    pub fn new(policy: RouterPolicy) -> Self {
        Self { policy, next: 0 }
    }

    /// The instance among `instances`, and its group, that `request` goes to.
    pub fn route(
        &mut self,
        instances: &[Instance],
        trace: &Trace,
        request: &ArrivingRequest,
        block: u32,
        pooled: Option<&OutsideTier>,
    ) -> [usize; 2] {
        let load = |group: &AttentionGroup| 4 * group.queue() as u64 + group.running.len() as u64;
        let least = |cost: &dyn Fn(&AttentionGroup) -> u64| {
            let groups = instances.iter().enumerate().flat_map(|(index, instance)| (0..instance.groups.len()).map(move |group| [index, group]));
            groups.min_by_key(|[index, group]| cost(&instances[*index].groups[*group])).unwrap_or([0, 0])
        };
        let units = trace.prefix(request);
        let found = |group: &AttentionGroup| u64::from(group.memory.find(units, pooled).units * trace.block_tokens).min(u64::from(request.input));
        match self.policy {
            RouterPolicy::RoundRobin => {
                let index = self.next % instances.len();
                self.next += 1;
                let groups = &instances[index].groups;
                [index, (0..groups.len()).min_by_key(|group| load(&groups[*group])).unwrap_or(0)]
            }
            RouterPolicy::LeastLoaded => least(&load),
            RouterPolicy::PrefixAware => least(&|group| {
                let unread = u64::from(request.input) - found(group) + group.unread;
                unread + group.memory.pool.in_use() * u64::from(block)
            }),
            RouterPolicy::LongestPrefix => least(&|group| u64::MAX - found(group)),
        }
    }
}
