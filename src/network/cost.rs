//! Time of one call of one algorithm, from the loads of its phases and the constants of the library.
//!
//! With N rounds and T the serialisation of the real fabric (bytes over rate on the most loaded channel), the library's protocols take
//!
//! ```text
//! low latency   launch + N (round + path) + T / e_l
//! bulk          launch + N (round + path) + x + sqrt(D^2 + 2 D x),   x = (T + own / 2) / e,   D = (d - 1) R
//! in switch     reduction launch + path + x + sqrt(D^2 + 2 D x) - D, with e_s for e and without own
//! ```
//!
//! and the fastest is taken. `own` is the copy of a rank's own n-th of the buffer inside the chip, at twice the wire's rate; a send makes
//! none. The root is the ramp of a pipeline over d stages with the best size of chunk: k chunks cost k x o + d T / k. d is 2 between
//! neighbours and the depth of a tree or chain that passes chunks on. Between hosts e, R and the round are those of the library's
//! `across_hosts`, and what moves inside the hosts at the same time counts only where it takes longer. The forms and their constants are
//! fitted to measured tables; see `docs/model/collectives.md`. A chunk that crosses between hosts holds a part for every rank of a host, so that there R
//! counts once a rank.

use super::algorithm::{Carrier, Phase};
use super::collective::{LibraryProtocol, Timing};
use super::network::Network;
use super::op::Op;
use super::profile::Peak;
use crate::fabric::payload_rate_of;
use crate::input::document::{Algorithm, Library};
use crate::units::{Bytes, Seconds};

/// Channels of the library for an all-to-all. The messages of one peer use one channel, so few peers do not fill the wire under the low-latency
/// protocol (NCCL; measured alike on three link generations).
const LOW_LATENCY_CHANNELS: f64 = 32.0;

/// A phase, played.
#[derive(Clone, Debug)]
pub(super) struct PlayedPhase {
    /// The most loaded channels of each kind, inside the domains and between them.
    pub inside: Vec<Peak>,
    pub across: Vec<Peak>,
    pub latency: Seconds,
    /// Fraction of the op's size that one sender sends, and the number of its peers.
    pub sent: f64,
    pub peers: f64,
    pub unreachable: Option<(u32, u32)>,
}

/// Serving engines whose all-reduce kernels may take part in a captured graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engines<'a> {
    /// No engine: the library's algorithms only.
    None,
    /// The kernels of the engine with this name.
    Named(&'a str),
    /// The kernels of all engines in the library's file.
    All,
}

impl Engines<'_> {
    pub(super) fn include(self, engine: &str) -> bool {
        match self {
            Self::None => false,
            Self::Named(wanted) => wanted == engine,
            Self::All => true,
        }
    }
}

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub network: &'a Network<'a>,
    pub library: &'a Library,
    /// Whether it runs in a captured graph.
    pub captured: bool,
    /// Whose all-reduce kernels may take part.
    pub engines: Engines<'a>,
    /// Size as nccl-tests means it, of one rank.
    pub bytes: Bytes,
    /// Times that algorithms are known to take at least.
    pub floors: &'a [(Algorithm, Seconds)],
}

/// Start of a call.
pub(super) fn launch(call: &Call<'_>, reduces: bool, spans_domains: bool) -> Seconds {
    let library = call.library;
    let start = if reduces { library.reduction_launch.as_ref().map_or(library.launch.value, |launch| launch.value) } else { library.launch.value };
    // A captured graph spares the host's part of the start, whatever the algorithm.
    let spared = match &library.captured_launch {
        Some(captured) if call.captured => library.launch.value - captured.value,
        _ => Seconds::ZERO,
    };
    let across = library.across_hosts.as_ref().filter(|_| spans_domains).map_or(Seconds::ZERO, |across| across.launch.value);
    (start - spared).max(Seconds::ZERO) + across
}

/// The largest share of the wire that any of the library's protocols reaches.
pub(super) fn best_efficiency(library: &Library) -> f64 {
    let across = library.across_hosts.as_ref().map(|across| &across.wire_efficiency);
    let figures = [Some(&library.wire_efficiency), library.low_latency_efficiency.as_ref(), library.reduction_efficiency.as_ref(), across];
    figures.into_iter().flatten().map(|figure| figure.value.get()).fold(0.0, f64::max)
}

/// Demands of an algorithm's phases on the fabric, added up from the last phase to the first.
pub(super) struct PhaseWork {
    op: Op,
    launch: Seconds,
    waits: Seconds,
    propagation: Seconds,
    /// Shares of the wire under the bulk and the low-latency protocol, inside the domains and between them.
    bulk: [f64; 2],
    quick: Option<[f64; 2]>,
    /// Time on the wire of all phases whose group is complete, and of the group that is open: at full rate, on the chips' own ports, under the
    /// bulk and under the low-latency protocol.
    done: [f64; 4],
    open: [f64; 4],
    /// Deepest pipeline inside and between domains.
    stages: [f64; 2],
    /// Ranks of a domain, where a chunk between domains is cut into as many parts, and domains; one of each where the ranks do not spread
    /// evenly over several.
    width: f64,
    domains: f64,
    /// What carries the pieces, and what the steps of a ring wait longer in long messages.
    carrier: Carrier,
    long_waits: Seconds,
    spans_domains: bool,
    bottleneck: Option<Peak>,
    longest: Seconds,
}

impl PhaseWork {
    pub fn new(call: &Call<'_>, op: Op, algorithm: Algorithm, (width, domains): (f64, f64)) -> Self {
        let library = call.library;
        let bulk = library.wire_efficiency.value.get();
        let across = library.across_hosts.as_ref();
        let outside = across.map_or(bulk, |across| across.wire_efficiency.value.get());
        let reduction = library.reduction_efficiency.as_ref().map_or(bulk, |figure| figure.value.get());
        let with_trees = across.and_then(|across| across.reduction_share.as_ref()).map_or(1.0, |figure| figure.value.get());
        let carrier = Carrier::of(algorithm);
        let inside = match carrier {
            Carrier::Rings | Carrier::Peers => bulk,
            Carrier::Switches => reduction,
            Carrier::SwitchesBelowTrees => reduction * with_trees,
        };
        let quick = library.low_latency_efficiency.as_ref().filter(|_| !carrier.reduces()).map(|figure| {
            let quick = figure.value.get();
            [quick, across.and_then(|across| across.low_latency_efficiency.as_ref()).map_or(quick, |figure| figure.value.get())]
        });
        Self {
            op,
            launch: launch(call, carrier.reduces(), false),
            waits: Seconds::ZERO,
            propagation: Seconds::ZERO,
            bulk: [inside, outside],
            quick,
            done: [0.0; 4],
            open: [0.0; 4],
            stages: [1.0; 2],
            width,
            domains,
            carrier,
            long_waits: Seconds::ZERO,
            spans_domains: false,
            bottleneck: None,
            longest: Seconds::ZERO,
        }
    }

    pub fn add(&mut self, call: &Call<'_>, phase: &Phase, played: &PlayedPhase, bytes: Bytes, message: Bytes) {
        let (network, library) = (call.network, call.library);
        let fabric = network.fabric();
        let time_of = |peak: &Peak| {
            bytes * (phase.share * peak.bytes_per_link) / payload_rate_of(&fabric.links[peak.link as usize], message, library.semantics())
        };
        let mut times = [Seconds::ZERO; 2];
        let mut ports = Seconds::ZERO;
        for (place, peaks) in [&played.inside, &played.across].into_iter().enumerate() {
            for peak in peaks {
                let time = time_of(peak);
                times[place] = times[place].max(time);
                if peak.at_chip {
                    ports = ports.max(time);
                }
                if time > self.longest {
                    (self.longest, self.bottleneck) = (time, Some(*peak));
                }
            }
        }
        let leaves = !played.across.is_empty();
        if leaves {
            let messages = if phase.message > 0.0 { played.sent / phase.message } else { 0.0 };
            times[1] = times[1].max(network.message_interval() * messages);
            let longer = self.all_to_all_share(call);
            (times[1], ports) = (times[1] * longer, if longer > 1.0 { times[1] * longer } else { ports });
        } else {
            // Loads and stores in flight hold each sender back on its own ports.
            let window = network.window_time(bytes * played.sent, played.latency);
            (times[0], ports) = (times[0].max(window), ports.max(window));
        }
        let across = library.across_hosts.as_ref().filter(|_| leaves);
        let round = across.map_or(library.round.value, |across| across.round.value);
        let per_peer = library.per_peer.as_ref().map_or(Seconds::ZERO, |figure| figure.value);
        if !phase.pattern.is_reduced_by_switches() {
            self.waits += (round + per_peer * played.peers) * phase.rounds;
        }
        self.long_waits += self.ring_wait(library, leaves) * phase.rounds;
        self.propagation += played.latency * phase.rounds;
        self.spans_domains |= leaves;
        self.stages[usize::from(leaves)] = self.stages[usize::from(leaves)].max(phase.stages);
        let [inside, outside] = times.map(Seconds::get);
        let under = |shares: [f64; 2]| (inside / shares[0]).max(outside / shares[1]);
        let phase_times = [inside.max(outside), ports.get(), under(self.bulk), self.quick.map_or(f64::INFINITY, under)];
        for (open, time) in self.open.iter_mut().zip(phase_times) {
            *open = open.max(time);
        }
        if !phase.beside {
            for (done, open) in self.done.iter_mut().zip(std::mem::take(&mut self.open)) {
                *done += open;
            }
        }
    }

    /// Factor by which an all-to-all between domains takes longer than its bytes over all ports of the NIC. It uses only some of the ports. If it
    /// sends to one group of g neighbouring ranks after the other, then in every step but one some rank of the domain has a partner outside, and
    /// the others wait for it: 1 of n / g steps runs inside, where w / g steps could (w ranks in a domain).
    fn all_to_all_share(&self, call: &Call<'_>) -> f64 {
        let Some(across) = call.library.across_hosts.as_ref().filter(|_| self.op == Op::AllToAll) else { return 1.0 };
        let ports = f64::from(call.network.nic_ports());
        let fewer_ports = across.all_to_all_ports.map_or(1.0, |used| (ports / f64::from(used)).max(1.0));
        let group = across.all_to_all_group.map_or(self.width, f64::from).min(self.width);
        let (steps, inside) = (self.width * self.domains / group, self.width / group);
        let waiting = if steps > inside { (steps - 1.0) / (steps - inside) } else { 1.0 };
        fewer_ports * waiting.max(1.0)
    }

    /// Additional wait of a ring's step over NICs in long messages, compared with short ones.
    fn ring_wait(&self, library: &Library, leaves: bool) -> Seconds {
        let Some(across) = library.across_hosts.as_ref().filter(|_| self.carrier == Carrier::Rings && self.domains > 1.0) else {
            return Seconds::ZERO;
        };
        let (long, short) = if leaves { (&across.ring_step, across.round.value) } else { (&across.ring_step_inside, library.round.value) };
        long.as_ref().map_or(Seconds::ZERO, |long| (long.value - short).max(Seconds::ZERO))
    }

    /// Lower bound of the time of the phases added so far.
    pub fn least(&self) -> Seconds {
        self.launch + self.waits + self.propagation + Seconds::new(self.done[2].min(self.done[3]))
    }

    pub fn total(self, call: &Call<'_>, algorithm: Algorithm, ranks: f64, (dies, die_rounds): (Seconds, f64), own: Seconds) -> Timing {
        let library = call.library;
        let [wire, ports, bulk, quick] = self.done;
        let inside = library.wire_efficiency.value.get();
        let across_ramp = library.across_hosts.as_ref().map_or(library.ramp.value, |across| across.ramp.value * self.width);
        let [fill, far_fill] = [library.ramp.value * (self.stages[0] - 1.0), across_ramp * (self.stages[1] - 1.0)];
        let fill = (fill + far_fill).get();
        let ramp = |busy: f64| (fill * fill + 2.0 * fill * busy).sqrt();
        // Over dies before and after, but for an all-to-all, which runs on both at once.
        let with_dies = |busy: f64| {
            let dies = dies.get() / inside;
            if self.op == Op::AllToAll { busy.max(dies) } else { busy + dies }
        };
        let mut waits = self.waits + self.long_waits;
        let reduces = self.carrier.reduces();
        let mut chosen = if reduces {
            // A few bytes through switches alone fill no pipeline.
            let spared = if self.carrier == Carrier::Switches { fill } else { 0.0 };
            (LibraryProtocol::InSwitch, with_dies(bulk), ramp(bulk) - spared)
        } else {
            let busy = bulk + own.get() / inside;
            (LibraryProtocol::Bulk, with_dies(busy), ramp(busy))
        };
        if self.quick.is_some() && !reduces {
            let crowding = if self.op == Op::AllToAll { (LOW_LATENCY_CHANNELS / (ranks - 1.0)).max(1.0) } else { 1.0 };
            let quick = with_dies(quick * crowding);
            if quick < chosen.1 + chosen.2 + self.long_waits.get() {
                (chosen, waits) = ((LibraryProtocol::LowLatency, quick, 0.0), self.waits);
            }
        }
        let (protocol, stretched, ramp) = chosen;
        let on_ports = if wire > 0.0 { (ports / wire).min(1.0) } else { 1.0 };
        Timing {
            algorithm,
            protocol,
            launch: launch(call, reduces, self.spans_domains),
            synchronisation: waits + library.round.value * die_rounds,
            propagation: self.propagation,
            serialisation: Seconds::new(stretched * on_ports),
            waiting: Seconds::new(stretched * (1.0 - on_ports)),
            ramp: Seconds::new(ramp),
            bottleneck: self.bottleneck,
        }
    }
}
