//! `topologies/parts/libraries/*.toml`: a communication library. What it adds to the wire.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Algorithms, Origin, Semantics};
use crate::units::{Bytes, BytesPerSecond, Figure, Ratio, Seconds};

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
    /// Whether its kernels load and store over the link instead of posting messages: packets are then those of loads and stores.
    #[serde(default)]
    pub loads_and_stores: bool,
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
    /// What every engine puts into its captured graphs where the ranks stand in several hosts of one scale-up domain, whose switches copy:
    /// the kernels of `captured_all_reduce` open each other's memory inside one host alone.
    pub multicast_all_reduce: Option<MulticastAllReduce>,
    /// The library's own all-reduce of registered buffers inside a captured graph, among ranks of several hosts of one scale-up domain.
    pub registered_all_reduce: Option<MulticastAllReduce>,
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
    /// Once a step of a ring over NICs in long messages, in place of `round`: a step's piece is not cut further, so that nothing hides
    /// its wait; as `round` if absent.
    pub ring_step: Option<Figure<Seconds>>,
    /// The same for the steps of such a ring inside the hosts, in place of the library's own round.
    pub ring_step_inside: Option<Figure<Seconds>>,
    /// Ports of its NIC that one rank's all-to-all uses; all of them if absent.
    #[schemars(extend("x-range" = [1.0, 1024.0]))]
    pub all_to_all_ports: Option<u32>,
    /// Neighbouring ranks that an all-to-all sends to at once, one such group after the other; all ranks at once if absent.
    #[schemars(extend("x-range" = [1.0, 1000000.0]))]
    pub all_to_all_group: Option<u32>,
    /// Whether it lets the switches behind the NICs add up, where they can.
    #[serde(default)]
    pub reduces_in_switches: bool,
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

/// An all-reduce kernel that lets switches copy, and add up if it can; the form stands in `network/custom_all_reduce.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MulticastAllReduce {
    /// Kernel in a graph that stores its whole buffer into all others, flags in the data.
    pub launch: Figure<Seconds>,
    /// What the form in two shots takes longer: a second pass of flags.
    pub second_shot: Figure<Seconds>,
    /// Share of the payload rate that it reaches.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub efficiency: Figure<Ratio>,
    /// Whether the switches add up in its two-shot form; they only copy if not.
    #[serde(default)]
    pub adds_in_switch: bool,
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
    /// Growth with each expert of the group, where the kernel counts and flags tokens expert by expert; none if absent.
    pub per_expert: Option<Figure<Seconds>>,
    /// Rate at which the threads that serve one token move it: what the first token takes on its way, through all stages; none if absent.
    pub token_rate: Option<Figure<BytesPerSecond>>,
    /// Time that the cores of a rank take for each of its tokens beside moving its bytes: indices, queue heads and tails; none if absent.
    pub per_token: Option<Figure<Seconds>>,
    /// Time that one core takes for a token, where the kernel runs on as many cores as there are experts, or on the largest equal part of them that the
    /// chip has; none if absent.
    pub token_on_core: Option<Figure<Seconds>>,
    /// Share of the payload rate that the copies reach.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub efficiency: Figure<Ratio>,
    /// Local pass over the tokens (pack, unpack, add), in token copies on the wire that would take as long.
    #[schemars(extend("x-range" = [0.0, 1000.0]))]
    pub local_copies: Figure<Ratio>,
    /// R of a pipeline ramp `sqrt(R x)` that x seconds of moving add, where the kernel moves tokens chunk by chunk; none if absent.
    pub ramp: Option<Figure<Seconds>>,
    /// Share of the payload rate that copies reach inside the node, if the kernel relays them there; `efficiency` if absent.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub relay_efficiency: Option<Figure<Ratio>>,
    /// Bytes a second that the cores of one rank pass on inside the node, if the kernel relays copies there and its cores bound it.
    pub relay_rate: Option<Figure<BytesPerSecond>>,
    /// Bytes beside the token's elements: scales, indices, padding.
    pub message_overhead: Figure<Bytes>,
    /// Whether copies of a token for two experts on one rank are sent once.
    pub merges_copies: bool,
    /// As [`Library::loads_and_stores`].
    #[serde(default)]
    pub loads_and_stores: bool,
}

fn semantics(loads_and_stores: bool) -> Semantics {
    if loads_and_stores { Semantics::LoadsAndStores } else { Semantics::Messages }
}

impl Library {
    /// What its collectives consist of.
    #[must_use]
    pub fn semantics(&self) -> Semantics {
        semantics(self.loads_and_stores)
    }
}

impl TokenKernel {
    /// What its transfers consist of.
    #[must_use]
    pub fn semantics(&self) -> Semantics {
        semantics(self.loads_and_stores)
    }
}
