//! One instance of a model. Its attention groups run each layer together, so the group with the most work sets the pace.

use super::clock::Picoseconds;
use super::group::AttentionGroup;
use super::pass::{Context, PassLoad};
use super::sequence::{Record, RequestProgress};

/// What a pass costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PassCost {
    /// From start to end.
    pub time: Picoseconds,
    /// Energy of all chips of the instance above their idle power, in joules.
    pub energy: f64,
    /// Fraction of the rate of the chips' ports that the pass uses.
    pub wire: f64,
}

/// Prices passes. `pool` is 0 for instances that read prompts and 1 for instances that only decode.
pub trait PassPricing {
    /// Cost of a pass whose group with the most work has this load.
    fn price(&mut self, pool: usize, load: &PassLoad) -> PassCost;
}

/// One instance.
#[derive(Debug)]
pub struct Instance {
    /// Its attention groups.
    pub groups: Vec<AttentionGroup>,
    /// 0 if it reads prompts, 1 if it only decodes.
    pub pool: usize,
    /// Whether a pass runs.
    pub busy: bool,
    /// When the last pass started.
    started: Picoseconds,
    /// Cost of the running pass.
    pub cost: PassCost,
    /// Prompt tokens that all groups read for the running pass from memory outside the chips: `[own hosts, shared]`.
    pub loaded: [u64; 2],
}

impl Instance {
    /// An idle instance.
    #[must_use]
    pub fn new(pool: usize, groups: Vec<AttentionGroup>) -> Self {
        Self { groups, pool, busy: false, started: Picoseconds(0), cost: PassCost::default(), loaded: [0; 2] }
    }

    /// Starts the next pass at `now`, if there is anything to do.
    pub fn start(&mut self, context: &mut Context<'_>, now: Picoseconds, prices: &mut dyn PassPricing) -> bool {
        let seen = if context.rules.overlapped { self.started } else { now };
        let mut load = self.schedule(context, now, seen);
        if self.has_nothing() && context.rules.overlapped {
            // The host waits for the results of the last pass and looks again.
            self.groups.iter_mut().for_each(|group| group.give_back(context));
            load = self.schedule(context, now, now);
        }
        if self.has_nothing() {
            self.busy = false;
            return false;
        }
        (self.busy, self.started, self.cost) = (true, now, prices.price(self.pool, &load));
        true
    }

    fn has_nothing(&self) -> bool {
        !self.groups.iter().any(AttentionGroup::has_work)
    }

    /// Plans every group's part of a pass. Returns the maximum over the groups of each figure, and the tokens of all.
    fn schedule(&mut self, context: &mut Context<'_>, now: Picoseconds, seen: Picoseconds) -> PassLoad {
        let mut fullest = PassLoad::default();
        self.loaded = [0; 2];
        for group in &mut self.groups {
            let load = group.schedule(context, now, seen);
            self.loaded = [self.loaded[0] + load.loaded[0], self.loaded[1] + load.loaded[1]];
            fullest = PassLoad {
                decoding: fullest.decoding.max(load.decoding),
                context: fullest.context.max(load.context),
                prompt_tokens: fullest.prompt_tokens.max(load.prompt_tokens),
                twice_seen: fullest.twice_seen.max(load.twice_seen),
                tokens_of_all_groups: fullest.tokens_of_all_groups
                    + u64::from(load.decoding) * u64::from(1 + context.drafts)
                    + u64::from(load.prompt_tokens),
                prompts: fullest.prompts.max(load.prompts),
                loaded: [fullest.loaded[0].max(load.loaded[0]), fullest.loaded[1].max(load.loaded[1])],
            };
        }
        fullest
    }

    /// Ends the pass that runs; see [`AttentionGroup::finish`]. Returns the tokens that many
    /// sequences made at once: the time since the one before, and how many.
    pub fn finish(
        &mut self,
        context: &mut Context<'_>,
        now: Picoseconds,
        accepted: &mut impl FnMut(u32, &RequestProgress) -> u32,
        emit: &mut impl FnMut(u32, (&RequestProgress, &Record), Picoseconds, u32),
    ) -> Vec<(Picoseconds, u64)> {
        let counted = self.groups.iter_mut().map(|group| group.finish(context, now, accepted, emit));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// Numbers of waiting and of running requests.
    #[must_use]
    pub fn counts(&self) -> [usize; 2] {
        let waiting = self.groups.iter().map(AttentionGroup::queue).sum();
        [waiting, self.groups.iter().map(|group| group.running.len()).sum()]
    }

    /// Numbers of used cache blocks and of all cache blocks.
    #[must_use]
    pub fn blocks(&self) -> [u64; 2] {
        let sum = |of: fn(&AttentionGroup) -> u64| self.groups.iter().map(of).sum();
        [sum(|group| group.memory.pool.in_use()), sum(|group| group.memory.pool.capacity())]
    }
}
