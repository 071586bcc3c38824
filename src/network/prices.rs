//! Prices for searches: one op after another among groups of one machine, each group's traffic played once, from any thread.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::computed_once::computed;
use super::cost::{Call, Engines};
use super::group::Group;
use super::network::Network;
use super::op::Op;
use super::plan::{CollectivePlan, Members};
use crate::input::document::Library;
use crate::units::{Bytes, Seconds};

/// A call of a collective, as searches make it: ranks fill chips one after the other, all ranks of a package take part.
#[derive(Clone, Copy, Debug)]
pub struct CollectiveCall<'a> {
    /// Its network.
    pub network: &'a Network<'a>,
    /// Communication library.
    pub library: &'a Library,
    /// Whether it runs in a captured graph, where engines' kernels take part.
    pub captured: bool,
    /// Operation.
    pub op: Op,
    /// Ranks that take part.
    pub ranks: u32,
    /// Size as nccl-tests means it, of one rank.
    pub bytes: Bytes,
}

/// Groups of ranks on one machine and what their transfers cost; each is laid out when it is first asked for.
#[derive(Debug)]
pub struct TransferPrices {
    /// By the number of first ranks: their plan for each op.
    first: Vec<[OnceLock<CollectivePlan>; Op::ALL.len()]>,
    members: Vec<OnceLock<Arc<Members>>>,
    /// By ranks and by the ranks from one to the next: the group of the first rank, beside all groups that lie like it.
    strided: RwLock<BTreeMap<(Op, u32, u32), Arc<CollectivePlan>>>,
}

impl TransferPrices {
    /// Prices of a machine's groups. Nothing is computed yet.
    #[must_use]
    pub fn new(network: &Network<'_>) -> Self {
        let ranks = network.fabric().chips * network.fabric().chip.ranks;
        Self {
            first: (0..=ranks).map(|_| Default::default()).collect(),
            members: (0..=ranks).map(|_| OnceLock::new()).collect(),
            strided: RwLock::default(),
        }
    }

    /// Time of a transfer among the first ranks of the machine: that of the fastest algorithm that the library offers. A single rank needs
    /// none; ranks that no path joins never end.
    ///
    /// # Panics
    /// If the machine has fewer ranks: a fault of the caller.
    #[must_use]
    pub fn time(&self, transfer: &CollectiveCall<'_>) -> Seconds {
        let CollectiveCall { network, op, ranks, bytes, .. } = *transfer;
        if ranks < 2 || bytes <= Bytes::ZERO {
            return Seconds::ZERO;
        }
        let per_chip = network.fabric().chip.ranks;
        let plan = computed(&self.first[ranks as usize][op as usize], || {
            let chips = ranks.div_ceil(per_chip);
            let members = computed(&self.members[ranks as usize], || Arc::new(Members::new(network, Group::first(chips))));
            CollectivePlan::new(op, Arc::clone(members), per_chip.min(ranks))
        });
        time(plan, transfer)
    }

    /// Time among ranks that stand `stride` apart, while all groups of a run of `ranks x stride` ranks do the same.
    #[must_use]
    pub fn strided_time(&self, transfer: &CollectiveCall<'_>, stride: u32) -> Seconds {
        let CollectiveCall { network, op, ranks, bytes, .. } = *transfer;
        if stride < 2 {
            return self.time(transfer);
        }
        if ranks < 2 || bytes <= Bytes::ZERO {
            return Seconds::ZERO;
        }
        let known = self.strided.read().unwrap_or_else(PoisonError::into_inner).get(&(op, ranks, stride)).map(Arc::clone);
        let plan = known.unwrap_or_else(|| {
            let plan = Arc::new(strided_plan(network, op, ranks, stride));
            Arc::clone(self.strided.write().unwrap_or_else(PoisonError::into_inner).entry((op, ranks, stride)).or_insert(plan))
        });
        time(&plan, transfer)
    }
}

/// Ranks of one package that belong to different groups stand on one chip, whose ports their groups share: one group of chips stands for
/// them.
fn strided_plan(network: &Network<'_>, op: Op, ranks: u32, stride: u32) -> CollectivePlan {
    let per_chip = network.fabric().chip.ranks;
    let chips_apart = stride.div_ceil(per_chip);
    let together = (per_chip / stride).clamp(1, ranks);
    let chips = ranks / together;
    let group = |first: u32| Group::of((0..chips).map(|rank| first + rank * chips_apart).collect());
    let members = Members::beside(network, group(0), (1..chips_apart).map(group).collect());
    CollectivePlan::new(op, Arc::new(members), together)
}

fn time(plan: &CollectivePlan, transfer: &CollectiveCall<'_>) -> Seconds {
    let &CollectiveCall { network, library, captured, bytes, .. } = transfer;
    let call = Call { network, library, captured, engines: Engines::All, floors: &[], bytes };
    plan.fastest(&call).and_then(Result::ok).map_or(Seconds::new(f64::INFINITY), |cost| cost.total())
}
