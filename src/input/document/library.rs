//! `topologies/parts/libraries/*.toml`: a communication library. What it adds to the wire.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Algorithms, Origin};
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
    /// Algorithms that it offers for an op (`all_reduce = ["ring"]`); every one that applies for an op that is not listed.
    #[serde(default)]
    pub algorithms: Algorithms,
    /// Algorithms that it offers besides where a group spans several hosts.
    #[serde(default)]
    pub algorithms_across_hosts: Algorithms,
    /// Once a call: launch, barrier, finish.
    pub launch: Figure<Seconds>,
    /// Once a round: flag, synchronisation, issue; the path's own latency comes on top.
    pub round: Figure<Seconds>,
    /// Share of the payload rate that its copies reach on long messages.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub wire_efficiency: Figure<Ratio>,
    /// R of the pipeline ramp `sqrt(R^2 + 2 R x)` that a transfer of x seconds adds: filling the first chunk, and for long transfers
    /// the best compromise between handshakes and fill.
    pub ramp: Figure<Seconds>,
    /// Share of the payload rate that the low-latency protocol reaches, whose flags travel with the data; absent if it has none.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub low_latency_efficiency: Option<Figure<Ratio>>,
    /// Share of the payload rate that reduction in the switches reaches; as `wire_efficiency` if absent.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub reduction_efficiency: Option<Figure<Ratio>>,
    /// Once a call inside a captured graph, which spares the host's part; as `launch` if absent.
    pub captured_launch: Option<Figure<Seconds>>,
    /// Once a call whose additions switches do; as `launch` if absent.
    pub reduction_launch: Option<Figure<Seconds>>,
    /// Added to a round for every peer that a rank sends to: descriptors to write, flags to poll; none if absent.
    pub per_peer: Option<Figure<Seconds>>,
    /// What transfers over NICs take instead; as inside a host if absent.
    pub across_hosts: Option<AcrossHosts>,
    /// Share of the matrix cores that communication takes while it runs; 0 where DMA engines copy.
    #[schemars(extend("x-range" = [0.0, 0.99]))]
    pub core_share: Figure<Ratio>,
    /// Sending tokens to experts, few at a time (decode).
    pub dispatch: TokenKernel,
    /// Bringing them back, weighted and added (decode).
    pub combine: TokenKernel,
    /// Sending many tokens (prefill); as `dispatch` if absent.
    pub bulk_dispatch: Option<TokenKernel>,
    /// Bringing many back (prefill); as `combine` if absent.
    pub bulk_combine: Option<TokenKernel>,
    /// Other kernels that move tokens, by name: what a measurement names that is not the default of a phase.
    #[serde(default)]
    pub token_kernels: BTreeMap<String, TokenKernel>,
    /// All-reduce kernels that serving engines put into their captured graphs, by engine.
    #[serde(default)]
    pub captured_all_reduce: BTreeMap<String, CustomAllReduce>,
}

impl Library {
    /// The kernel called `name`: `dispatch`, `combine`, `bulk-dispatch`, `bulk-combine` or one of the others.
    #[must_use]
    pub fn token_kernel(&self, name: &str) -> Option<&TokenKernel> {
        match name {
            "dispatch" => Some(&self.dispatch),
            "combine" => Some(&self.combine),
            "bulk-dispatch" => Some(self.bulk_dispatch.as_ref().unwrap_or(&self.dispatch)),
            "bulk-combine" => Some(self.bulk_combine.as_ref().unwrap_or(&self.combine)),
            other => self.token_kernels.get(other),
        }
    }
}

impl Library {
    /// As [`Library::token_kernel`], to change its constants; a bulk kernel that falls back on another one has none of its own.
    pub fn token_kernel_mut(&mut self, name: &str) -> Option<&mut TokenKernel> {
        match name {
            "dispatch" => Some(&mut self.dispatch),
            "combine" => Some(&mut self.combine),
            "bulk-dispatch" => self.bulk_dispatch.as_mut(),
            "bulk-combine" => self.bulk_combine.as_mut(),
            other => self.token_kernels.get_mut(other),
        }
    }
}

/// Transfers over NICs between hosts or racks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcrossHosts {
    /// Once a call, beside the library's own launch: threads of the host that drive the NICs, registration, the slowest host.
    pub launch: Figure<Seconds>,
    /// Once a round over NICs, in place of the library's own; the path's latency comes on top.
    pub round: Figure<Seconds>,
    /// Share of the NIC's payload rate that long messages reach.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub wire_efficiency: Figure<Ratio>,
    /// R of the pipeline ramp between hosts, for every rank of a host.
    pub ramp: Figure<Seconds>,
    /// Share of the NIC's payload rate under the low-latency protocol; as inside a host if absent.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub low_latency_efficiency: Option<Figure<Ratio>>,
    /// Of the rate at which switches reduce inside a host, what is left while trees join hosts; all of it if absent.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub reduction_share: Option<Figure<Ratio>>,
}

/// A one-shot or two-shot all-reduce inside a captured graph; the form stands in `network/custom_all_reduce.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomAllReduce {
    /// Kernel in a graph with its barrier of flags.
    pub launch: Figure<Seconds>,
    /// Growth with each doubling of the ranks: peers to signal.
    pub fan_out: Figure<Seconds>,
    /// Barrier between reduce-scatter and all-gather of the two-shot form.
    pub second_barrier: Figure<Seconds>,
    /// Share of the payload rate that its stores reach.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub efficiency: Figure<Ratio>,
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
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub efficiency: Figure<Ratio>,
    /// Local pass over the tokens (pack, unpack, add), in token copies on the wire that would take as long.
    #[schemars(extend("x-range" = [0.0, 1000.0]))]
    pub local_copies: Figure<Ratio>,
    /// R of a pipeline ramp `sqrt(R x)` that x seconds of moving add, where the kernel moves tokens chunk by chunk; none if absent.
    pub ramp: Option<Figure<Seconds>>,
    /// Bytes beside the token's elements: scales, indices, padding.
    pub message_overhead: Figure<Bytes>,
    /// Whether copies of a token for two experts on one rank are sent once.
    pub merges_copies: bool,
}
