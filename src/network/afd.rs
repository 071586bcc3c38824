//! Tokens between ranks that run attention and ranks that hold only experts: M ranks send to N other ranks, and the N ranks send back.

use super::moe::{ExpertTraffic, distinct_ranks};
use super::network::Network;
use super::profile::Profile;
use crate::input::document::TokenKernel;
use crate::units::{Bytes, Seconds};

/// Traffic between attention ranks and expert ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AfdTraffic {
    /// Ranks with attention.
    pub attention: u32,
    /// Ranks with experts.
    pub experts: u32,
    /// Tokens that each rank with attention sends.
    pub tokens: f64,
    /// Experts that a token goes to.
    pub copies: f64,
    /// Elements of a token in bytes; the kernel adds its overhead.
    pub message: Bytes,
    /// Tokens at the busiest rank with experts over the mean.
    pub imbalance: f64,
    /// Experts that tokens are routed to, copies of one expert counted apart.
    pub routed: f64,
}

impl AfdTraffic {
    /// The same traffic as an exchange in one group of `ranks` equal ranks, with `tokens` tokens each.
    fn among(&self, ranks: u32, tokens: f64) -> ExpertTraffic {
        let Self { copies, message, imbalance, routed, .. } = *self;
        ExpertTraffic { ranks, tokens, copies, message, imbalance, routed }
    }

    /// Bytes from one attention rank to one expert rank.
    fn pair_bytes(&self, kernel: &TokenKernel) -> Bytes {
        self.among(self.experts, self.tokens).pair_bytes(kernel)
    }

    /// Bytes that one attention rank sends, and receives back.
    #[must_use]
    pub fn attention_bytes(&self, kernel: &TokenKernel) -> Bytes {
        self.pair_bytes(kernel) * f64::from(self.experts)
    }

    /// Bytes that one expert rank receives, and sends back, on average.
    #[must_use]
    pub fn expert_bytes(&self, kernel: &TokenKernel) -> Bytes {
        self.pair_bytes(kernel) * f64::from(self.attention)
    }

    /// Time of one way with `profile`, one byte of each chip of the one kind to each of the other. The form is that of
    /// [`ExpertTraffic::time`]: the busiest rank with experts has `imbalance` times the mean on its wires; flags go to the peers of the
    /// kind that has more, and the local pass is that of the kind whose ranks handle more tokens.
    #[must_use]
    pub fn time(&self, network: &Network<'_>, profile: &Profile, kernel: &TokenKernel) -> Seconds {
        let fabric = network.fabric();
        let on_a_chip = f64::from(fabric.chip.ranks.min(self.attention) * fabric.chip.ranks.min(self.experts));
        let message = self.message + kernel.message_overhead.value;
        let (busy, _) = profile.serialisation_of(fabric, self.pair_bytes(kernel) * (self.imbalance * on_a_chip), message, kernel.semantics());
        let peers = self.attention.max(self.experts);
        let handled = self.tokens * (f64::from(self.attention) / f64::from(self.experts)).max(1.0);
        self.among(peers + 1, handled).kernel_time(network, kernel, busy, f64::from(peers), profile.latency)
    }

    /// The same by way of the nodes of the expert ranks, `node` ranks in each, as [`ExpertTraffic::relayed_over`]: a token goes once to each of the m
    /// nodes that hold some of its experts, and inside the node on to their ranks, whose all-to-all `inside` is. Back, results are added up
    /// in the node first.
    #[must_use]
    pub fn relayed(&self, network: &Network<'_>, [between, inside]: [&Profile; 2], node: u32, kernel: &TokenKernel) -> RelayedAfd {
        let fabric = network.fabric();
        let (nodes, w, per_chip) = (f64::from(self.experts / node), f64::from(node), f64::from(fabric.chip.ranks));
        let message = self.message + kernel.message_overhead.value;
        let of_a_token = message * distinct_ranks(nodes, self.copies);
        let pair = of_a_token * (self.tokens / f64::from(self.experts));
        let on_a_chip = f64::from(fabric.chip.ranks.min(self.attention) * fabric.chip.ranks.min(self.experts));
        let (outer, _) = between.serialisation_of(fabric, pair * on_a_chip, message, kernel.semantics());
        let arriving = self.tokens * f64::from(self.attention) / f64::from(self.experts);
        let copies = if kernel.merges_copies { distinct_ranks(nodes * w, self.copies) } else { self.copies };
        let to_neighbour = message * (arriving * copies / w * self.imbalance);
        let (inner, _) = inside.serialisation_of(fabric, to_neighbour * (per_chip * per_chip), message, kernel.semantics());
        let inner = inner.max(network.window_time(to_neighbour * (per_chip * (w - 1.0)), inside.latency));
        let peers = self.attention.max(self.experts);
        let path = between.latency + inside.latency;
        let time = self.among(peers + 1, arriving.max(self.tokens)).kernel_time(network, kernel, outer.max(inner), nodes + w - 1.0, path);
        let forwarded = to_neighbour * (w - 1.0);
        RelayedAfd { time, attention: of_a_token * self.tokens, experts: of_a_token * arriving, inside: forwarded }
    }
}

/// One way between attention ranks and expert ranks by way of nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelayedAfd {
    /// Time of the kernel.
    pub time: Seconds,
    /// Bytes between one attention rank and all nodes.
    pub attention: Bytes,
    /// Bytes between one expert rank and all attention ranks.
    pub experts: Bytes,
    /// Bytes between one expert rank and the others in its node.
    pub inside: Bytes,
}
