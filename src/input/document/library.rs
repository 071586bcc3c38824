//! `topologies/parts/libraries/*.toml`: a communication library. What it adds to the wire.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use crate::units::{Bytes, Figure, Ratio, Seconds};

/// A communication library on one kind of link.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Library {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Once a call: launch, barrier, finish.
    pub launch: Figure<Seconds>,
    /// Once a round: flag, synchronisation, issue; the path's own latency comes on top.
    pub round: Figure<Seconds>,
    /// Share of the payload rate that its copies reach on long messages.
    pub wire_efficiency: Figure<Ratio>,
    /// R of the pipeline ramp `sqrt(R^2 + 2 R x)` that a transfer of x seconds adds: filling the first chunk, and for long transfers
    /// the best compromise between handshakes and fill.
    pub ramp: Figure<Seconds>,
    /// Share of the payload rate that the low-latency protocol reaches, whose flags travel with the data; absent if it has none.
    pub low_latency_efficiency: Option<Figure<Ratio>>,
    /// Share of the payload rate that reduction in the switches reaches; as `wire_efficiency` if absent.
    pub reduction_efficiency: Option<Figure<Ratio>>,
    /// Whether all-reduce, all-gather and reduce-scatter run on rings and in switches only, as NCCL's do inside one scale-up domain;
    /// false if absent.
    #[serde(default)]
    pub rings_only: bool,
    /// Share of the matrix cores that communication takes while it runs; 0 where DMA engines copy.
    pub core_share: Figure<Ratio>,
    /// Sending tokens to experts, few at a time (decode).
    pub dispatch: TokenKernel,
    /// Bringing them back, weighted and added (decode).
    pub combine: TokenKernel,
    /// Sending many tokens (prefill); as `dispatch` if absent.
    pub bulk_dispatch: Option<TokenKernel>,
    /// Bringing many back (prefill); as `combine` if absent.
    pub bulk_combine: Option<TokenKernel>,
}

/// A kernel that moves tokens between ranks; the form stands in `network/moe.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenKernel {
    /// Launch, routing table, final barrier.
    pub base: Figure<Seconds>,
    /// Growth with each doubling of the ranks: flags to write and to poll.
    pub fan_out: Figure<Seconds>,
    /// Growth with each peer, where the kernel works through its peers one by one.
    pub per_peer: Figure<Seconds>,
    /// Share of the payload rate that the copies reach.
    pub efficiency: Figure<Ratio>,
    /// Local pass over the tokens (pack, unpack, add), in token copies on the wire that would take as long.
    pub local_copies: Figure<Ratio>,
    /// Bytes beside the token's elements: scales, indices, padding.
    pub message_overhead: Figure<Bytes>,
    /// Whether copies of a token for two experts on one rank are sent once.
    pub merges_copies: bool,
}
