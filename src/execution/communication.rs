//! Transfers inside one instance of a model, at the price of the real fabric.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::input::document::{Library, TokenKernel};
use crate::network::{
    AfdTraffic, CollectiveCall, ExpertTraffic, FarMemory, Network, Op, PacketPrices, Profile, Reach, Relay, TransferPrices, computed,
};
use crate::units::{Bytes, Seconds};

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

/// Traffic profiles of one fabric, shared by designs whose traffic is alike. Each is walked when it is first asked for; later calls read it
/// without a lock.
#[derive(Debug)]
struct Walks {
    /// All-to-all over the first n chips, by n.
    all_to_all: Vec<OnceLock<Box<Profile>>>,
    /// Both stages of tokens that are relayed, over the first n ranks, by n; `None` where they fill no several nodes.
    relays: RwLock<BTreeMap<u32, Option<Arc<Relay>>>>,
    prices: TransferPrices,
    afd: RwLock<BTreeMap<AfdSplit, Arc<AfdProfiles>>>,
}

impl Walks {
    fn new(network: &Network<'_>) -> Self {
        let all_to_all = (0..=network.fabric().chips).map(|_| OnceLock::new()).collect();
        Self { all_to_all, relays: RwLock::default(), prices: TransferPrices::new(network), afd: RwLock::default() }
    }
}

/// Tokens of a rank that fit into the buffers of kernels for few tokens: SGLang's default, `SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK` in its
/// `environ.py`. Deployments set 64 to 1 024.
const LOW_LATENCY_TOKENS: f64 = 128.0;

/// Tokens on their way to experts or back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exchange {
    /// Time of the kernel.
    pub time: Seconds,
    /// Bytes that one rank sends.
    pub sent: Bytes,
}

/// Prices of the transfers inside one instance of a model.
#[derive(Clone, Debug)]
pub struct Communication<'a> {
    network: &'a Network<'a>,
    library: &'a Library,
    captured: bool,
    /// Replays transfers with packets and corrects their times; `None` at flow level.
    packets: Option<Arc<PacketPrices<'a>>>,
    walks: Arc<Walks>,
    /// In the order of [`Reach::ALL`]; the rate depends on the library.
    far_memory: [OnceLock<Result<FarMemory, String>>; Reach::ALL.len()],
}

impl<'a> Communication<'a> {
    /// Prices transfers over `network` by `library`, each started by the host.
    #[must_use]
    pub fn new(network: &'a Network<'a>, library: &'a Library) -> Self {
        let walks = network.kept_above(|| Walks::new(network));
        Self { network, library, captured: false, packets: None, walks, far_memory: Default::default() }
    }

    /// The same with transfers inside captured graphs, as serving engines run them.
    #[must_use]
    pub fn in_graph(self) -> Self {
        Self { captured: true, ..self }
    }

    /// The same with transfers replayed with packets.
    #[must_use]
    pub fn with_packets(self, packets: Arc<PacketPrices<'a>>) -> Self {
        Self { packets: Some(packets), ..self }
    }

    /// The same walks with another library, at flow level.
    #[must_use]
    pub fn with_library<'b>(&self, library: &'b Library) -> Communication<'b>
    where
        'a: 'b,
    {
        Communication {
            network: self.network,
            library,
            captured: self.captured,
            packets: None,
            walks: Arc::clone(&self.walks),
            far_memory: Default::default(),
        }
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

    fn afd_profiles(&self, split: AfdSplit) -> Arc<AfdProfiles> {
        let walks = &self.walks.afd;
        if let Some(known) = walks.read().unwrap_or_else(PoisonError::into_inner).get(&split) {
            return Arc::clone(known);
        }
        let (first, next) = (0..split.attention, split.attention..split.attention + split.experts);
        let walked = AfdProfiles { dispatch: self.network.between(first.clone(), next.clone()), combine: self.network.between(next, first) };
        Arc::clone(walks.write().unwrap_or_else(PoisonError::into_inner).entry(split).or_insert_with(|| Arc::new(walked)))
    }

    /// `op` among the first `ranks` ranks of the machine.
    #[must_use]
    pub fn collective(&self, op: Op, ranks: u32, bytes: Bytes) -> Seconds {
        let flow = self.walks.prices.time(&self.transfer(op, ranks, bytes));
        self.packets.as_ref().filter(|_| ranks > 1 && bytes > Bytes::ZERO).map_or(flow, |packets| packets.collective(op, ranks, bytes, flow))
    }

    /// `op` among ranks that stand `stride` apart, while all groups of the first `ranks x stride` ranks do the same.
    #[must_use]
    pub fn strided_collective(&self, op: Op, ranks: u32, stride: u32, bytes: Bytes) -> Seconds {
        let flow = self.walks.prices.strided_time(&self.transfer(op, ranks, bytes), stride);
        self.left_out(op.name(), flow, "its ranks do not stand together")
    }

    /// A transfer that packets do not replay.
    fn left_out(&self, what: &str, flow: Seconds, why: &str) -> Seconds {
        self.packets.as_ref().map_or(flow, |packets| packets.left_out(what, flow, why))
    }

    fn transfer(&self, op: Op, ranks: u32, bytes: Bytes) -> CollectiveCall<'_> {
        CollectiveCall { network: self.network, library: self.library, captured: self.captured, op, ranks, bytes }
    }

    /// All-to-all in which each of the first `ranks` ranks sends `pair` to each other, all at once.
    #[must_use]
    pub fn all_to_all(&self, ranks: u32, pair: Bytes) -> Seconds {
        self.collective(Op::AllToAll, ranks, pair * f64::from(ranks))
    }

    /// Dispatch of tokens to experts; `bulk` picks the kernels for many tokens, unless so few come that those for few tokens take them sooner.
    #[must_use]
    pub fn dispatch(&self, traffic: &ExpertTraffic, bulk: bool) -> Exchange {
        sooner(traffic, bulk, |bulk| {
            self.exchange("dispatch", traffic, self.dispatch_kernel(bulk), if bulk { "relayed-dispatch" } else { "rdma-dispatch" }, bulk)
        })
    }

    /// Combine of the experts' results, by kernels as for [`Communication::dispatch`].
    #[must_use]
    pub fn combine(&self, traffic: &ExpertTraffic, bulk: bool) -> Exchange {
        sooner(traffic, bulk, |bulk| {
            self.exchange("combine", traffic, self.combine_kernel(bulk), if bulk { "relayed-combine" } else { "rdma-combine" }, bulk)
        })
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

    /// Tokens from ranks with attention to ranks with experts (`there`), and their results back, each at the size that goes that way, with what one
    /// rank sends: between hosts by the faster of the library's kernels, straight to the experts' ranks or by way of their nodes.
    #[must_use]
    pub fn afd_exchange(&self, there: &AfdTraffic, back: &AfdTraffic) -> [Exchange; 2] {
        let ranks = self.network.fabric().chip.ranks;
        let profiles = self.afd_profiles(AfdSplit { attention: there.attention.div_ceil(ranks), experts: there.experts.div_ceil(ranks) });
        [self.afd_way(there, &profiles.dispatch, true), self.afd_way(back, &profiles.combine, false)]
    }

    /// One way of it, `out` to the experts or home.
    fn afd_way(&self, traffic: &AfdTraffic, between: &Profile, out: bool) -> Exchange {
        let (name, own, [direct, by_nodes]) = if out {
            ("dispatch", &self.library.dispatch, ["rdma-dispatch", "relayed-dispatch"])
        } else {
            ("combine", &self.library.combine, ["rdma-combine", "relayed-combine"])
        };
        let fabric = self.network.fabric();
        let (node, per_chip) = (fabric.level_sizes[0], fabric.chip.ranks);
        let spans = traffic.attention.div_ceil(per_chip) + traffic.experts.div_ceil(per_chip) > self.network.domain_chips();
        let across = |name: &str| self.library.token_kernel(name).filter(|_| spans);
        let kernel = across(direct).unwrap_or(own);
        let sent = if out { traffic.attention_bytes(kernel) } else { traffic.expert_bytes(kernel) };
        let mut best = Exchange { time: traffic.time(self.network, between, kernel), sent };
        if let Some(kernel) = across(by_nodes).filter(|_| node > 1 && traffic.experts.is_multiple_of(node * per_chip)) {
            let relayed = traffic.relayed(self.network, [between, self.profile(node)], node * per_chip, kernel);
            if relayed.time < best.time {
                best = Exchange { time: relayed.time, sent: if out { relayed.attention } else { relayed.experts + relayed.inside } };
            }
        }
        Exchange { time: self.left_out(name, best.time, "its ranks are of two kinds"), ..best }
    }

    /// The kernel of one domain; where the ranks span several and the library has a kernel for that, that one: straight to the experts' ranks
    /// for few tokens, by way of the equal rank of their node for many.
    fn exchange(&self, name: &str, traffic: &ExpertTraffic, kernel: &TokenKernel, across: &str, bulk: bool) -> Exchange {
        let chips = traffic.chips(self.network.fabric().chip.ranks);
        let across = self.library.token_kernel(across).filter(|_| chips > self.network.domain_chips());
        if let Some((kernel, relay)) = across.filter(|_| bulk).zip(self.relay(traffic.ranks)) {
            let relayed = traffic.relayed_over(self.network, &relay, kernel);
            let time = self.left_out(name, relayed.time, "tokens go by way of equal ranks in two stages");
            return Exchange { time, sent: relayed.across + relayed.inside };
        }
        let kernel = across.filter(|_| !bulk).unwrap_or(kernel);
        let profile = self.profile(chips);
        let flow = traffic.time(self.network, profile, kernel).0;
        let replayed = self.packets.as_ref().filter(|_| chips > 1).map(|packets| packets.exchange(name, traffic, profile, kernel, flow));
        Exchange { time: replayed.unwrap_or(flow), sent: traffic.sent_bytes(kernel) }
    }

    fn relay(&self, ranks: u32) -> Option<Arc<Relay>> {
        let relays = &self.walks.relays;
        if let Some(known) = relays.read().unwrap_or_else(PoisonError::into_inner).get(&ranks) {
            return known.clone();
        }
        let walked = Relay::new(self.network, ranks).map(Arc::new);
        relays.write().unwrap_or_else(PoisonError::into_inner).entry(ranks).or_insert(walked).clone()
    }
}

/// Kernels for many tokens start once for every peer, which a pass that ends a prompt does not pay back.
fn sooner(traffic: &ExpertTraffic, bulk: bool, exchange: impl Fn(bool) -> Exchange) -> Exchange {
    let usual = exchange(bulk);
    if !bulk || traffic.tokens > LOW_LATENCY_TOKENS {
        return usual;
    }
    let quick = exchange(false);
    if quick.time < usual.time { quick } else { usual }
}
