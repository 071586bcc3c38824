//! Transfers inside one instance of a model, at the price of the real fabric.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::input::document::{Library, TokenKernel};
use crate::network::{AfdTraffic, ExpertTraffic, FarMemory, Network, Profile, Reach, custom_all_reduce};
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// All-reduces of larger groups are not asked for: no model's heads divide further.
const MOST_REDUCING: u32 = 64;

/// Ranks with attention and ranks with experts of attention-FFN disaggregation (AFD), in chips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AfdSplit {
    /// Chips with attention: the first of the instance.
    pub attention: u32,
    /// Chips with experts: those that follow.
    pub experts: u32,
}

/// Traffic of the two directions of attention-FFN disaggregation.
#[derive(Debug)]
struct AfdProfiles {
    dispatch: Profile,
    combine: Profile,
}

/// Traffic profiles of one fabric. Each is walked when it is first asked for; later calls read it without a lock.
#[derive(Debug)]
struct Walks {
    /// All-to-all over the first n chips, by n.
    all_to_all: Vec<OnceLock<Box<Profile>>>,
    /// Reduction of one byte of every chip in the switches, and its way back, over the first n chips; `None` where no switches can.
    in_switch: Vec<OnceLock<Option<Box<Profile>>>>,
    afd: RwLock<BTreeMap<AfdSplit, Arc<AfdProfiles>>>,
}

/// Prices of the transfers inside one instance of a model.
#[derive(Clone, Debug)]
pub struct Communication<'a> {
    network: &'a Network<'a>,
    library: &'a Library,
    walks: Arc<Walks>,
    /// In the order of [`Reach::ALL`]; the rate depends on the library.
    far_memory: [OnceLock<Result<FarMemory, String>>; Reach::ALL.len()],
}

/// The value of `cell`, computed outside of its lock: a walk runs on all threads, and a thread that waits for its parts may be handed a
/// task that asks for the same cell. Two threads may then compute the same value, and one of the two is dropped.
fn computed<T>(cell: &OnceLock<T>, compute: impl FnOnce() -> T) -> &T {
    match cell.get() {
        Some(value) => value,
        None => {
            let value = compute();
            cell.get_or_init(|| value)
        }
    }
}

impl<'a> Communication<'a> {
    /// Prices transfers over `network` by `library`.
    #[must_use]
    pub fn new(network: &'a Network<'a>, library: &'a Library) -> Self {
        let cells = |largest: u32| (0..=largest).map(|_| OnceLock::new()).collect();
        let walks = Walks {
            all_to_all: cells(network.fabric().chips),
            in_switch: (0..=MOST_REDUCING).map(|_| OnceLock::new()).collect(),
            afd: RwLock::default(),
        };
        Self { network, library, walks: Arc::new(walks), far_memory: Default::default() }
    }

    /// The same walks with another library.
    #[must_use]
    pub fn with_library<'b>(&self, library: &'b Library) -> Communication<'b>
    where
        'a: 'b,
    {
        Communication { network: self.network, library, walks: Arc::clone(&self.walks), far_memory: Default::default() }
    }

    /// Memory of `reach`.
    ///
    /// # Errors
    /// That the machine has none.
    pub fn far_memory(&self, reach: Reach) -> Result<FarMemory, String> {
        computed(&self.far_memory[reach as usize], || self.network.far_memory(reach, self.library.wire_efficiency.value.get())).clone()
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &'a Network<'a> {
        self.network
    }

    /// The library.
    #[must_use]
    pub fn library(&self) -> &'a Library {
        self.library
    }

    /// The all-to-all profile of the first `chips` chips.
    ///
    /// # Panics
    /// If the machine has fewer chips: a fault of the caller.
    #[must_use]
    pub fn profile(&self, chips: u32) -> &Profile {
        let walk = || Box::new(self.network.all_to_all(chips));
        computed(&self.walks.all_to_all[chips as usize], walk).as_ref()
    }

    /// The all-reduce by switches over the first `chips` chips, where they can.
    fn in_switch(&self, chips: u32) -> Option<&Profile> {
        let cell = self.walks.in_switch.get(chips as usize)?;
        computed(cell, || self.network.in_switch_all_reduce(chips).map(Box::new)).as_deref()
    }

    fn afd_profiles(&self, split: AfdSplit) -> Arc<AfdProfiles> {
        let walks = &self.walks.afd;
        if let Some(known) = walks.read().unwrap_or_else(PoisonError::into_inner).get(&split) {
            return Arc::clone(known);
        }
        let (first, next) = (0..split.attention, split.attention..split.attention + split.experts);
        let walked = AfdProfiles { dispatch: self.network.between(first.clone(), next.clone()), combine: self.network.between(next, first) };
        Arc::clone(walks.write().unwrap_or_else(PoisonError::into_inner).entry(split).or_insert_with(|| Arc::new(walked)))
    }

    /// What one chip sends in a second, one way, while every chip of the machine sends as much to every other.
    #[must_use]
    pub fn chip_to_all(&self) -> BytesPerSecond {
        self.chip_among(self.network.fabric().chips)
    }

    /// The same among the first `chips` chips alone; what a chip's ports carry if it is the only one.
    #[must_use]
    pub fn chip_among(&self, chips: u32) -> BytesPerSecond {
        let fabric = self.network.fabric();
        let others = f64::from(chips.saturating_sub(1));
        let pair = Bytes::new(1e9);
        let time = if chips > 1 { self.profile(chips).serialisation(fabric, pair, pair).0 } else { Seconds::ZERO };
        let carried = if time > Seconds::ZERO { pair * others / time } else { self.network.sending_rate() };
        carried.min(self.network.sending_rate()) * self.library.wire_efficiency.value.get()
    }

    /// Latency of the longest path of the machine.
    #[must_use]
    pub fn farthest(&self) -> Seconds {
        self.profile(self.network.fabric().chips).latency
    }

    /// All-reduce of `bytes` among the first `ranks` ranks, inside a captured graph: the fastest engine kernel that the library has; or
    /// else the faster of reduce-scatter and all-gather, all pairs at once, and of one trip through switches that reduce.
    #[must_use]
    pub fn all_reduce(&self, ranks: u32, bytes: Bytes) -> Seconds {
        if ranks < 2 || bytes <= Bytes::ZERO {
            return Seconds::ZERO;
        }
        let fabric = self.network.fabric();
        // Engines bring kernels of their own for groups inside the innermost level, where all reach each other at full rate.
        let inside_one_level = fabric.chip.ranks == 1 && ranks <= fabric.level_sizes[0];
        let captured = self.library.captured_all_reduce.values().map(|kernel| custom_all_reduce(self.network, kernel, ranks, bytes));
        if let Some(fastest) = captured.reduce(Seconds::min).filter(|_| inside_one_level) {
            return fastest;
        }
        let (busy, latency) = self.exchange_pairs(ranks, bytes / f64::from(ranks));
        let (launch, round, efficiency) = (self.library.launch.value, self.library.round.value, self.library.wire_efficiency.value.get());
        let by_pairs = launch + (round + latency) * 2.0 + busy * (2.0 / efficiency);
        // Ranks that share a chip add up there first: such machines do not ask.
        match Some(ranks).filter(|_| fabric.chip.ranks == 1).and_then(|ranks| self.in_switch(ranks)) {
            Some(profile) => {
                let efficiency = self.library.reduction_efficiency.as_ref().map_or(efficiency, |figure| figure.value.get());
                let busy = profile.serialisation(fabric, bytes, bytes).0;
                by_pairs.min(launch + round + profile.latency + busy / efficiency)
            }
            None => by_pairs,
        }
    }

    /// Time on the busiest wire while each of the first `ranks` ranks sends `pair` to each other, and the latency of the longest path.
    fn exchange_pairs(&self, ranks: u32, pair: Bytes) -> (Seconds, Seconds) {
        let fabric = self.network.fabric();
        let per_chip = fabric.chip.ranks.min(ranks);
        let inside = match &fabric.chip.io.die_to_die {
            Some(rate) => pair * f64::from(per_chip - 1) / rate.value,
            None => Seconds::ZERO,
        };
        let chips = ranks.div_ceil(fabric.chip.ranks);
        let (outside, latency) = if chips > 1 {
            let profile = self.profile(chips);
            let squared = f64::from(per_chip * per_chip);
            (profile.serialisation(fabric, pair * squared, pair).0, profile.latency)
        } else {
            (Seconds::ZERO, Seconds::ZERO)
        };
        (outside.max(inside), latency)
    }

    /// All-to-all in which each of the first `ranks` ranks sends `pair` to each other, all at once.
    #[must_use]
    pub fn all_to_all(&self, ranks: u32, pair: Bytes) -> Seconds {
        if ranks < 2 {
            return Seconds::ZERO;
        }
        let (wire, latency) = self.exchange_pairs(ranks, pair);
        self.library.launch.value + self.library.round.value + latency + wire / self.library.wire_efficiency.value.get()
    }

    /// Hands `bytes` of each rank to its peer in the next pipeline stage of an instance of `chips` chips. All ranks send at once, each
    /// over its share of the chip's ports; the path is the instance's longest.
    #[must_use]
    pub fn send(&self, chips: u32, bytes: Bytes) -> Seconds {
        let ports = self.network.sending_rate() / f64::from(self.network.fabric().chip.ranks);
        let wire = bytes / (ports * self.library.wire_efficiency.value.get());
        self.library.launch.value + self.library.round.value + self.profile(chips).latency + wire
    }

    /// Dispatch of tokens to experts; `bulk` picks the kernels for many tokens.
    #[must_use]
    pub fn dispatch(&self, traffic: &ExpertTraffic, bulk: bool) -> Seconds {
        let kernel = self.dispatch_kernel(bulk);
        self.exchange(traffic, kernel)
    }

    /// Combine of the experts' results.
    #[must_use]
    pub fn combine(&self, traffic: &ExpertTraffic, bulk: bool) -> Seconds {
        let kernel = self.combine_kernel(bulk);
        self.exchange(traffic, kernel)
    }

    /// The dispatch kernel for few or many tokens.
    #[must_use]
    pub fn dispatch_kernel(&self, bulk: bool) -> &'a TokenKernel {
        self.library.bulk_dispatch.as_ref().filter(|_| bulk).unwrap_or(&self.library.dispatch)
    }

    /// The combine kernel for few or many tokens.
    #[must_use]
    pub fn combine_kernel(&self, bulk: bool) -> &'a TokenKernel {
        self.library.bulk_combine.as_ref().filter(|_| bulk).unwrap_or(&self.library.combine)
    }

    /// Tokens from ranks with attention to ranks with experts (`there`), and their results back, each at the size that goes that way.
    #[must_use]
    pub fn afd_exchange(&self, there: &AfdTraffic, back: &AfdTraffic) -> [Seconds; 2] {
        let ranks = self.network.fabric().chip.ranks;
        let profiles = self.afd_profiles(AfdSplit { attention: there.attention.div_ceil(ranks), experts: there.experts.div_ceil(ranks) });
        [there.time(self.network, &profiles.dispatch, &self.library.dispatch), back.time(self.network, &profiles.combine, &self.library.combine)]
    }

    fn exchange(&self, traffic: &ExpertTraffic, kernel: &TokenKernel) -> Seconds {
        let chips = traffic.chips(self.network.fabric().chip.ranks);
        traffic.time(self.network, self.profile(chips), kernel).0
    }
}
