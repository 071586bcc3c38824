//! Transfers inside one instance of a model, at the price of the real fabric.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::input::document::{Library, TokenKernel};
use crate::network::{ExpertTraffic, FarMemory, Network, Profile, Reach, TrafficApart, captured_all_reduce};
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// Traffic profiles of the group sizes in use, walked once.
#[derive(Clone, Debug)]
pub struct Communication<'a> {
    network: &'a Network<'a>,
    library: &'a Library,
    /// All-to-all over the first n chips, by n; that of the whole machine is always there.
    all_to_all: BTreeMap<u32, Profile>,
    /// Reduction of one byte of every chip in the switches, and its way back, over the first n chips; where the switches can.
    in_switch: BTreeMap<u32, Profile>,
    /// The first chips to the next ones and back, by the number of each: attention and experts on chips of their own.
    apart: BTreeMap<[u32; 2], [Profile; 2]>,
    /// Memory that prefixes are read from, or why there is none.
    far_memory: BTreeMap<Reach, Result<FarMemory, String>>,
}

/// All-reduces of larger groups are not asked for: no model's heads divide further.
const MOST_REDUCING: u32 = 64;

impl<'a> Communication<'a> {
    /// Walks the all-to-all of every group size in `chips`.
    #[must_use]
    pub fn new(network: &'a Network<'a>, library: &'a Library, chips: impl IntoIterator<Item = u32>) -> Self {
        let (mut all_to_all, mut in_switch) = (BTreeMap::new(), BTreeMap::new());
        for size in chips.into_iter().chain([network.fabric().chips]) {
            all_to_all.entry(size).or_insert_with(|| network.all_to_all(size));
            // Ranks that share a chip add up there first: such machines do not ask.
            let asks = network.fabric().chip.ranks == 1 && (2..=MOST_REDUCING).contains(&size);
            if asks && !in_switch.contains_key(&size) {
                in_switch.extend(network.in_switch_all_reduce(size).map(|profile| (size, profile)));
            }
        }
        Self { network, library, all_to_all, in_switch, apart: BTreeMap::new(), far_memory: BTreeMap::new() }
    }

    /// The same groups on the same fabric with another library.
    #[must_use]
    pub fn with_library<'b>(&self, library: &'b Library) -> Communication<'b>
    where
        'a: 'b,
    {
        Communication { library, ..self.clone() }
    }

    /// The same with the memory of `reach` walked.
    #[must_use]
    pub fn with_far_memory(mut self, reach: Reach) -> Self {
        let efficiency = self.library.wire_efficiency.value.get();
        self.far_memory.insert(reach, self.network.far_memory(reach, efficiency));
        self
    }

    /// The same with the ways walked between the first chips and the next ones, so many of each.
    #[must_use]
    pub fn with_chips_apart(mut self, mut splits: Vec<[u32; 2]>) -> Self {
        splits.sort_unstable();
        splits.dedup();
        let network = self.network;
        let walk = |[attention, experts]: [u32; 2]| {
            let (first, next) = (0..attention, attention..attention + experts);
            ([attention, experts], [network.between(first.clone(), next.clone()), network.between(next, first)])
        };
        self.apart = splits.into_par_iter().map(walk).collect();
        self
    }

    /// Memory that prefixes are read from.
    ///
    /// # Errors
    /// That the machine has none.
    ///
    /// # Panics
    /// If it was not named when this was made: a fault of the caller.
    pub fn far_memory(&self, reach: Reach) -> &Result<FarMemory, String> {
        self.far_memory.get(&reach).expect("the tiers of a prefix cache are named up front")
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

    /// Whether the all-to-all of the first `chips` chips was named when this was made.
    #[must_use]
    pub fn has_profile(&self, chips: u32) -> bool {
        self.all_to_all.contains_key(&chips)
    }

    /// The all-to-all profile of the first `chips` chips.
    ///
    /// # Panics
    /// If the size was not named when this was made: a fault of the caller.
    #[must_use]
    pub fn profile(&self, chips: u32) -> &Profile {
        self.all_to_all.get(&chips).expect("every group size is named up front")
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
        let captured = self.library.captured_all_reduce.values().map(|kernel| captured_all_reduce(self.network, kernel, ranks, bytes));
        if let Some(fastest) = captured.reduce(Seconds::min).filter(|_| inside_one_level) {
            return fastest;
        }
        let (busy, latency) = self.exchange_pairs(ranks, bytes / f64::from(ranks));
        let (launch, round, efficiency) = (self.library.launch.value, self.library.round.value, self.library.wire_efficiency.value.get());
        let by_pairs = launch + (round + latency) * 2.0 + busy * (2.0 / efficiency);
        match self.in_switch.get(&ranks).filter(|_| fabric.chip.ranks == 1) {
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

    /// Tokens from ranks with attention to ranks with experts, and back, each at the size that goes that way.
    ///
    /// # Panics
    /// If the split was not named when this was made: a fault of the caller.
    #[must_use]
    pub fn exchange_apart(&self, there: &TrafficApart, back: &TrafficApart) -> [Seconds; 2] {
        let ranks = self.network.fabric().chip.ranks;
        let split = [there.attention, there.experts].map(|count| count.div_ceil(ranks));
        let [out, home] = self.apart.get(&split).expect("every split is named up front");
        [there.time(self.network, out, &self.library.dispatch), back.time(self.network, home, &self.library.combine)]
    }

    fn exchange(&self, traffic: &ExpertTraffic, kernel: &TokenKernel) -> Seconds {
        let chips = traffic.chips(self.network.fabric().chip.ranks);
        traffic.time(self.network, self.profile(chips), kernel).0
    }
}
