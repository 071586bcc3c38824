//! Prefix cache: the fraction of wanted prefixes that is found, and the time to read them.
//!
//! ```text
//! wanted   W = sessions x prompt x h x cache bytes a token        h: share of a prompt that a cache without bounds finds
//! found    h' = h min(1, C / W)                                   C: room of all tiers; the first one listed is filled first
//! reading  t = max over tiers( prompts x prompt x h'_tier x bytes a token / rate )    beside the pass
//! waited   start + path + t / layers                              the first layer's part, which nothing hides
//! ```
//!
//! `h'` is Che's approximation of a least-recently-used cache (H. Che, Y. Tung, Z. Wang, IEEE JSAC 20, 2002) for sessions that return
//! independently and equally often: one that was seen T ago is still there if fewer than C bytes were touched since, and at equal rates
//! the share of those is C / W. Sessions that differ in how often they return are kept better than that.

use super::infeasible::Infeasible;
use crate::execution::Machine;
use crate::execution::Mapping;
use crate::execution::draft;
use crate::input::document::{CacheTier, PrefixCache};
use crate::network::{FarMemory, Reach};
use crate::units::{Bytes, BytesPerSecond, Seconds};
use crate::workload::{prompt_cache_per_token, sequence_cache};

/// How one mapping uses the prefix cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrefixUse {
    /// Share of a prompt's tokens that is found.
    pub hit: f64,
    /// Room for prefixes on the whole supernode. Absent if the cache is unbounded.
    pub capacity: Option<Bytes>,
    /// Prefixes of all sessions.
    pub wanted: Option<Bytes>,
    /// Rate at which one chip reads while all chips read. Absent if all prefixes are in the chip's own memory.
    pub rate: Option<BytesPerSecond>,
    /// Reading for one pass, beside it.
    pub time: Seconds,
    /// Wait of a prompt before its first layer. Before the times of a pass are known: start and path only.
    pub exposed: Seconds,
}

/// Prompts that start with tokens seen before, under one mapping.
#[derive(Debug)]
pub(super) struct SharedPrefixes<'a> {
    pub machine: &'a Machine<'a>,
    pub mapping: Mapping,
    pub cache: Option<&'a PrefixCache>,
    /// Share of a prompt that a cache without bounds finds.
    pub unbounded: f64,
    /// Tokens of a prompt.
    pub prompt: f64,
    /// Standard deviation of prompts over their mean.
    pub variation: f64,
}

/// Properties of a tier.
struct PrefixTier {
    room: Bytes,
    session: Bytes,
    far: Option<FarMemory>,
}

/// The memory that a tier stands for; `None` for the chip's own.
#[must_use]
pub fn reach(tier: CacheTier) -> Option<Reach> {
    match tier {
        CacheTier::Hbm => None,
        CacheTier::HostDram => Some(Reach::OwnHosts),
        CacheTier::FabricPool => Some(Reach::AllHosts),
        CacheTier::CxlPool => Some(Reach::Expanders),
    }
}

impl SharedPrefixes<'_> {
    fn chips(&self) -> f64 {
        f64::from(self.mapping.chips(self.machine.communication.network().fabric().chip.ranks))
    }

    /// Bytes a token of a prompt's cache.
    fn per_token(&self) -> Bytes {
        let workload = self.machine.workload;
        prompt_cache_per_token(&workload.model, &workload.workload.precision, self.prompt) + draft::cache_per_token(workload, self.prompt)
    }

    /// Prefixes found if each rank has `left` bytes of free memory, without the times of a pass.
    ///
    /// # Errors
    /// A tier that the machine does not have.
    pub fn found(&self, left: Bytes) -> Result<PrefixUse, Infeasible> {
        let all = PrefixUse { hit: self.unbounded, capacity: None, wanted: None, rate: None, time: Seconds::ZERO, exposed: Seconds::ZERO };
        let Some(cache) = self.cache.filter(|_| self.unbounded > 0.0) else { return Ok(all) };
        let share = cache.share.as_ref().map_or(1.0, |share| share.value.get());
        let sessions = cache.sessions.map(f64::from);
        let one = self.per_token() * (self.prompt * self.unbounded);
        let (mut capacity, mut kept, mut time, mut latency) = (Bytes::ZERO, 0.0, 0.0_f64, Seconds::ZERO);
        for tier in &cache.tiers {
            let tier = self.tier(*tier, left)?;
            let room = tier.room * share;
            capacity += room;
            // Of all sessions, those that this tier keeps beside the tiers before it.
            let more = sessions.map_or(1.0, |sessions| room / (tier.session * sessions)).min(1.0 - kept);
            kept += more;
            if let Some(memory) = tier.far.filter(|_| more > 0.0) {
                let rate = cache.bandwidth.as_ref().map_or(memory.rate, |most| memory.rate.min(most.value));
                time = time.max(more / rate.get());
                latency = latency.max(memory.latency);
            }
        }
        let rate = (time > 0.0).then(|| BytesPerSecond::new(kept / time));
        let start = if time > 0.0 { self.machine.communication.library().launch.value + latency } else { Seconds::ZERO };
        Ok(PrefixUse {
            hit: self.unbounded * kept,
            capacity: Some(capacity),
            wanted: sessions.map(|sessions| one * sessions),
            rate,
            exposed: start,
            ..all
        })
    }

    /// Room of a tier on the whole supernode, what one session takes of it, and the memory where it is not the chip's own.
    fn tier(&self, tier: CacheTier, left: Bytes) -> Result<PrefixTier, Infeasible> {
        let prefix = self.prompt * self.unbounded;
        let Some(reach) = reach(tier) else {
            let workload = self.machine.workload;
            let fabric = self.machine.communication.network().fabric();
            let instances = f64::from(fabric.chips / self.mapping.chips(fabric.chip.ranks));
            // Ranks of a TP group hold one session together: as many bytes as all of them give to it.
            let session = sequence_cache(&workload.model, &workload.workload.precision, self.mapping.tp, prefix) * f64::from(self.mapping.tp)
                + draft::sequence_cache(workload, &self.mapping, prefix) * f64::from(self.mapping.group());
            return Ok(PrefixTier { room: left * (f64::from(self.mapping.ranks()) * instances), session, far: None });
        };
        let refuse = |reason: String| Infeasible::Tier { mapping: self.mapping, reason };
        let memory = self.machine.communication.far_memory(reach).map_err(refuse)?;
        Ok(PrefixTier { room: memory.capacity, session: self.per_token() * prefix, far: Some(memory) })
    }

    /// The same with the times of a pass that reads `prompts` prompts on the instance.
    pub fn times(&self, found: PrefixUse, prompts: f64) -> PrefixUse {
        let Some(rate) = found.rate else { return found };
        let time = self.per_token() * (self.prompt * prompts * found.hit) / (rate * self.chips());
        let layers = f64::from(self.machine.workload.model.layers());
        PrefixUse { time, exposed: found.exposed + time / layers, ..found }
    }

    /// Prompt tokens that are not found. Of a prompt that is there whole, the last token is read again to have the first one of the
    /// answer.
    pub fn fresh(&self, hit: f64) -> f64 {
        (self.prompt * (1.0 - hit)).max(1.0)
    }

    /// Tokens that a fresh one sees: the cached prefix and, on average, half of the fresh ones, of which long prompts have more. Of the
    /// prompts whose prefix has been dropped, all tokens are fresh.
    pub fn seen(&self, hit: f64) -> f64 {
        let half = |fresh: f64| fresh / 2.0 * (1.0 + self.variation * self.variation);
        let fresh = self.fresh(self.unbounded);
        let kept = self.prompt * self.unbounded + half(fresh);
        if hit >= self.unbounded {
            return kept;
        }
        // A share `kept_share` of the prompts finds its prefix; weighted by the fresh tokens of each.
        let kept_share = hit / self.unbounded;
        (kept_share * fresh * kept + (1.0 - kept_share) * self.prompt * half(self.prompt)) / self.fresh(hit)
    }
}
