//! Mixture-of-experts traffic: dispatch sends every token to the ranks of its experts, combine brings the results back.

use super::network::Network;
use super::profile::{Peak, Profile};
use crate::input::document::TokenKernel;
use crate::units::{Bytes, Seconds};

/// Tokens on their way between the ranks of an expert-parallel group.
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
    fn pair_bytes(&self, kernel: &TokenKernel) -> Bytes {
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
    /// `base + fan_out log2(ranks) + per_peer (ranks - 1) + path + (wire^4 + local^4)^(1/4)`.
    ///
    /// `profile` is the all-to-all of [`ExpertTraffic::chips`]. The wire time is the longer of the fabric's and, between ranks of one
    /// package, the die-to-die link's; the busiest rank receives `imbalance` times the mean. The local pass over the tokens runs beside
    /// the wire and matters when few ranks take part. Form and exponent were chosen on measured kernels (docs/model.md, "Experts").
    #[must_use]
    pub fn time(&self, network: &Network<'_>, profile: &Profile, kernel: &TokenKernel) -> (Seconds, Option<Peak>) {
        if self.ranks < 2 {
            return (Seconds::ZERO, None);
        }
        let fabric = network.fabric();
        let ranks_per_chip = f64::from(fabric.chip.ranks.min(self.ranks));
        let pair = self.pair_bytes(kernel) * self.imbalance;
        let message = self.message + kernel.message_overhead.value;
        let (outside, bottleneck) = profile.serialisation(fabric, pair * (ranks_per_chip * ranks_per_chip), message);
        let inside = match &fabric.chip.io.die_to_die {
            Some(rate) => pair * (ranks_per_chip - 1.0) / rate.value,
            None => Seconds::ZERO,
        };
        let efficiency = kernel.efficiency.value.get();
        let wire = outside.max(inside) / efficiency;
        let local = message * (self.tokens * kernel.local_copies.value.get()) / (network.injection() * (efficiency / f64::from(fabric.chip.ranks)));
        let moving = (wire.get().powi(4) + local.get().powi(4)).powf(0.25);
        let peers = f64::from(self.ranks) - 1.0;
        let waiting = kernel.base.value + kernel.fan_out.value * f64::from(self.ranks).log2() + kernel.per_peer.value * peers;
        (waiting + profile.latency + Seconds::new(moving), bottleneck)
    }
}
