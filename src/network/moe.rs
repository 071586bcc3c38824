//! Mixture-of-experts traffic: dispatch sends every token to the ranks of its experts, combine brings the results back. `afd.rs` has the
//! exchange between attention ranks and expert ranks.

use super::group::Group;
use super::network::Network;
use super::packet_level::PacketLevel;
use super::packet_rounds::PacketRounds;
use super::packets::PacketError;
use super::pattern::TrafficPattern;
use super::profile::{Peak, Profile};
use crate::input::document::TokenKernel;
use crate::units::{Bytes, Figure, Seconds};

/// Traffic of dispatch or combine between the ranks of an expert-parallel group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpertTraffic {
    /// Ranks of the group; rank r is on chip r / (ranks per chip).
    pub ranks: u32,
    /// Tokens that each rank sends.
    pub tokens: f64,
    /// Experts that a token goes to.
    pub copies: f64,
    /// Elements of a token in bytes; the kernel adds its overhead.
    pub message: Bytes,
    /// Tokens at the busiest rank over the mean.
    pub imbalance: f64,
    /// Experts of the group that tokens are routed to, copies of one expert counted apart.
    pub routed: f64,
}

/// Expected number of different ranks among `copies` independent, uniform choices of `ranks`: `n (1 - (1 - 1/n)^k)`.
#[must_use]
pub fn distinct_ranks(ranks: f64, copies: f64) -> f64 {
    ranks * (1.0 - (1.0 - 1.0 / ranks).powf(copies))
}

impl ExpertTraffic {
    /// Chips that the group fills.
    #[must_use]
    pub fn chips(&self, ranks_per_chip: u32) -> u32 {
        self.ranks.div_ceil(ranks_per_chip)
    }

    /// Bytes from one rank to one other.
    pub(super) fn pair_bytes(&self, kernel: &TokenKernel) -> Bytes {
        let ranks = f64::from(self.ranks);
        let sent = if kernel.merges_copies { distinct_ranks(ranks, self.copies) } else { self.copies };
        (self.message + kernel.message_overhead.value) * (self.tokens * sent / ranks)
    }

    /// Bytes that one rank sends to others, its own share left out.
    #[must_use]
    pub fn sent_bytes(&self, kernel: &TokenKernel) -> Bytes {
        self.pair_bytes(kernel) * (f64::from(self.ranks) - 1.0)
    }

    /// Time of the kernel, and the fabric's bottleneck:
    /// `base + fan_out log2(ranks) + per_peer (ranks - 1) + per_expert experts + message / token_rate + path + x + sqrt(ramp x)` with
    /// `x = (wire^4 + local^4)^(1/4) + per_token tokens + token_on_core tokens / cores`, where `cores = ceil(experts / ceil(experts / all))` of all cores of the rank.
    ///
    /// `profile` is the all-to-all of [`ExpertTraffic::chips`]. The wire time is the longer of the fabric's and, between ranks of one
    /// package, the die-to-die link's, and inside one scale-up domain that of the loads and stores in flight; the busiest rank receives `imbalance` times the mean. The local pass over the tokens runs beside
    /// the wire and matters when few ranks take part. Form and exponent were chosen on measured kernels (docs/model/experts.md).
    #[must_use]
    pub fn time(&self, network: &Network<'_>, profile: &Profile, kernel: &TokenKernel) -> (Seconds, Option<Peak>) {
        if self.ranks < 2 {
            return (Seconds::ZERO, None);
        }
        let fabric = network.fabric();
        let ranks_per_chip = f64::from(fabric.chip.ranks.min(self.ranks));
        let pair = self.pair_bytes(kernel) * self.imbalance;
        let message = self.message + kernel.message_overhead.value;
        let (outside, bottleneck) = profile.serialisation_of(fabric, pair * (ranks_per_chip * ranks_per_chip), message, kernel.semantics());
        let inside = match &fabric.chip.io.die_to_die {
            Some(rate) => pair * (ranks_per_chip - 1.0) / rate.value,
            None => Seconds::ZERO,
        };
        let window = if self.chips(fabric.chip.ranks) > network.domain_chips() {
            Seconds::ZERO
        } else {
            network.window_time(pair * (ranks_per_chip * (f64::from(self.ranks) - ranks_per_chip)), profile.latency)
        };
        let busy = outside.max(inside).max(window);
        (self.kernel_time(network, kernel, busy, f64::from(self.ranks) - 1.0, profile.latency), bottleneck)
    }

    /// The exchange with packets: the first chip is the busiest, and the others receive equal parts of the rest. `profile` as for
    /// [`ExpertTraffic::time`]. Traffic between ranks of one package is left out.
    ///
    /// # Errors
    /// As [`PacketLevel::play`].
    pub fn with_packets(
        &self,
        network: &Network<'_>,
        profile: &Profile,
        kernel: &TokenKernel,
        level: &PacketLevel,
    ) -> Result<PacketRounds, PacketError> {
        let fabric = network.fabric();
        let ranks_per_chip = f64::from(fabric.chip.ranks.min(self.ranks));
        let pair = self.pair_bytes(kernel) * (ranks_per_chip * ranks_per_chip);
        let message = self.message + kernel.message_overhead.value;
        let group = Group::first(self.chips(fabric.chip.ranks));
        let mut wire = profile.serialisation(fabric, pair * self.imbalance, message).0;
        if group.ranks() <= network.domain_chips() {
            let partners = f64::from(group.ranks() - 1);
            wire = wire.max(network.window_time(pair * self.imbalance * partners, profile.latency));
        }
        let flows = wire + profile.latency;
        let played = level.play_skewed(&group, TrafficPattern::AllPairs, pair, self.imbalance)?;
        Ok(PacketRounds { packets: played.time, flows, hops: played.hops, extrapolated_from: played.extrapolated_from })
    }

    /// Cores of the rank that work where each serves the same number of experts.
    fn cores(&self, network: &Network<'_>) -> f64 {
        let chip = &network.fabric().chip;
        let each = (self.routed * f64::from(chip.ranks) / f64::from(chip.cores)).ceil().max(1.0);
        (self.routed / each).ceil().max(1.0)
    }

    /// The form of [`ExpertTraffic::time`] for a given time on the wire, number of peers and path.
    pub(super) fn kernel_time(&self, network: &Network<'_>, kernel: &TokenKernel, busy: Seconds, peers: f64, path: Seconds) -> Seconds {
        let message = self.message + kernel.message_overhead.value;
        let efficiency = kernel.efficiency.value.get();
        let wire = busy / efficiency;
        let ranks_per_chip = f64::from(network.fabric().chip.ranks);
        let local = message * (self.tokens * kernel.local_copies.value.get()) / (network.sending_rate() * (efficiency / ranks_per_chip));
        let each = |figure: &Option<Figure<Seconds>>, times: f64| figure.as_ref().map_or(Seconds::ZERO, |figure| figure.value * times);
        let moving = (wire.get().powi(4) + local.get().powi(4)).sqrt().sqrt()
            + each(&kernel.per_token, self.tokens).get()
            + each(&kernel.token_on_core, self.tokens / self.cores(network)).get();
        let waiting = kernel.base.value + kernel.fan_out.value * f64::from(self.ranks).log2() + kernel.per_peer.value * peers;
        let waiting = waiting + each(&kernel.per_expert, self.routed) + kernel.token_rate.as_ref().map_or(Seconds::ZERO, |rate| message / rate.value);
        let ramp = kernel.ramp.as_ref().map_or(0.0, |ramp| (ramp.value.get() * moving).sqrt());
        waiting + path + Seconds::new(moving + ramp)
    }

    /// The same exchange in two stages, like kernels that save bandwidth of the outer levels (DeepEP's for many tokens). A token is sent once to
    /// every node that holds some of its experts, to the rank at the sender's own position; this rank forwards it inside the node. `None` if the
    /// ranks do not fill several nodes (children of the innermost level).
    #[must_use]
    pub fn relayed(&self, network: &Network<'_>, kernel: &TokenKernel) -> Option<Relayed> {
        Relay::new(network, self.ranks).map(|relay| self.relayed_over(network, &relay, kernel))
    }

    /// As [`ExpertTraffic::relayed`], over the relay of its ranks.
    ///
    /// With w ranks in each of m nodes of which a token goes to at most g, d(x) the expected distinct among k choices of x: to each equal in
    /// another node `tokens d(g) / m` messages, and from each rank to each inside its node `tokens d(g w) / w`, of which the busiest rank receives `imbalance` times
    /// the mean. Chunks flow through both stages at once, so the longer one counts, and the paths add up. Inside the node copies reach a share of
    /// the wire of their own, and no more than the cores pass on. The other constants are those of the direct form: peers are then m - 1 + w - 1.
    #[must_use]
    pub fn relayed_over(&self, network: &Network<'_>, relay: &Relay, kernel: &TokenKernel) -> Relayed {
        let fabric = network.fabric();
        let Relay { across, inside, nodes: m, reached, ranks_of_node: w } = relay;
        let message = self.message + kernel.message_overhead.value;
        let per_chip = f64::from(fabric.chip.ranks);
        let copies = if kernel.merges_copies { distinct_ranks(reached * w, self.copies) } else { self.copies };
        let to_equal = message * (self.tokens * distinct_ranks(*reached, self.copies) / *m);
        let to_neighbour = message * (self.tokens * copies / *w * self.imbalance);
        let (outer, outer_peak) = across.serialisation_of(fabric, to_equal * per_chip, message, kernel.semantics());
        let (mut inner, inner_peak) = inside.serialisation_of(fabric, to_neighbour * (per_chip * per_chip), message, kernel.semantics());
        if let Some(rate) = &fabric.chip.io.die_to_die {
            inner = inner.max(to_neighbour * (per_chip - 1.0) / rate.value);
        }
        inner = inner.max(network.window_time(to_neighbour * (per_chip * (w - 1.0)), inside.latency));
        let path = across.latency + inside.latency;
        let share = kernel.efficiency.value.get();
        inner = inner * (share / kernel.relay_efficiency.as_ref().map_or(share, |figure| figure.value.get()));
        // What the cores pass on comes at a rate of its own, not at a share of the wire.
        if let Some(rate) = &kernel.relay_rate {
            inner = inner.max(to_neighbour * (w - 1.0) / rate.value * share);
        }
        let time = self.kernel_time(network, kernel, outer.max(inner), m - 1.0 + w - 1.0, path);
        let bottleneck = if outer > inner { outer_peak } else { inner_peak };
        Relayed { time, across: to_equal * (m - 1.0), inside: to_neighbour * (w - 1.0), bottleneck }
    }
}

/// Ranks in nodes of equal size, for relayed traffic.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Every rank to the ranks at the same position of the other nodes.
    across: Profile,
    /// Every rank to the others in its node.
    inside: Profile,
    nodes: f64,
    /// Number of nodes that may hold the experts of one token: all, or the limit of the router.
    reached: f64,
    ranks_of_node: f64,
}

impl Relay {
    /// Walks both stages of the first `ranks` ranks; `None` where they do not fill several nodes, children of the innermost level.
    #[must_use]
    pub fn new(network: &Network<'_>, ranks: u32) -> Option<Self> {
        let fabric = network.fabric();
        let (node, per_chip) = (fabric.level_sizes[0], fabric.chip.ranks);
        let chips = ranks.div_ceil(per_chip);
        if !ranks.is_multiple_of(node * per_chip) || chips < 2 * node || node < 2 {
            return None;
        }
        let across = network.play(&Group::first(chips), TrafficPattern::Equals { node });
        let inside = network.all_to_all(node);
        let nodes = f64::from(chips / node);
        Some(Self { across, inside, nodes, reached: nodes, ranks_of_node: f64::from(node * per_chip) })
    }

    /// The same, if the router limits the experts of a token to this many nodes.
    #[must_use]
    pub fn within(self, nodes: f64) -> Self {
        Self { reached: self.reached.min(nodes.max(1.0)), ..self }
    }
}

/// Dispatch or combine in two stages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relayed {
    /// Time of the kernel.
    pub time: Seconds,
    /// Bytes that one rank sends to other nodes.
    pub across: Bytes,
    /// Bytes that the busiest rank receives from others in its node.
    pub inside: Bytes,
    /// The most loaded channel.
    pub bottleneck: Option<Peak>,
}
