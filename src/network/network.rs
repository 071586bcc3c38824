//! A fabric ready for traffic.

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::channel_class::channel_classes;
use super::group::Group;
use crate::fabric::{Endpoint, Fabric, Policy, Router, payload_rate};
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// Messages so long that headers and partly filled packets no longer matter.
pub const LONG_MESSAGE: Bytes = Bytes::new(1e9);

/// A fabric with the routes its traffic takes.
#[derive(Clone, Debug)]
pub struct Network<'a> {
    fabric: &'a Fabric,
    router: Router,
    /// By channel; read by every use of symmetry.
    channel_classes: Vec<u32>,
    /// Asked for by every transfer.
    injection: BytesPerSecond,
    egress: BytesPerSecond,
    nics: Option<Nics>,
}

/// NICs that stand between chips and a level.
#[derive(Clone, Copy, Debug)]
struct Nics {
    /// The innermost level behind NICs.
    level: usize,
    /// Chips below it: those of one scale-up domain.
    domain_chips: u32,
    /// Shortest time from one message of a NIC to its next.
    message_interval: Seconds,
}

impl Nics {
    fn of(fabric: &Fabric) -> Option<Self> {
        let graph = &fabric.graph;
        let stands_between = |node: &NodeIndex| matches!(graph[*node].endpoint, Endpoint::Nic(_)) && graph[*node].forwards;
        let nic = graph.node_indices().find(stands_between)?;
        let Endpoint::Nic(part) = graph[nic].endpoint else { return None };
        let level = usize::from(graph.edges(nic).map(|edge| edge.weight().level).min()?);
        let message_interval = fabric.nics[part as usize].1.message_interval.as_ref().map_or(Seconds::ZERO, |figure| figure.value);
        Some(Self { level, domain_chips: fabric.level_sizes[..level].iter().product(), message_interval })
    }
}

/// Payload rate of the first chip's links to what `counts`.
fn ports(fabric: &Fabric, counts: impl Fn(Endpoint) -> bool) -> BytesPerSecond {
    let graph = &fabric.graph;
    let counted = graph.edges(NodeIndex::new(0)).filter(|edge| counts(graph[edge.target()].endpoint));
    counted.map(|edge| payload_rate(&fabric.links[edge.weight().link as usize], LONG_MESSAGE) * f64::from(edge.weight().count)).sum()
}

impl<'a> Network<'a> {
    /// Prepares a fabric whose packets are sprayed over shortest paths.
    #[must_use]
    pub fn new(fabric: &'a Fabric) -> Self {
        Self::with_routing(fabric, Policy::Spray)
    }

    /// Prepares a fabric under another routing policy.
    #[must_use]
    pub fn with_routing(fabric: &'a Fabric, policy: Policy) -> Self {
        let scale_up = ports(fabric, |endpoint| matches!(endpoint, Endpoint::Switch(_) | Endpoint::Chip));
        let injection = if scale_up > BytesPerSecond::ZERO { scale_up } else { ports(fabric, |endpoint| matches!(endpoint, Endpoint::Nic(_))) };
        let egress = ports(fabric, |endpoint| matches!(endpoint, Endpoint::Switch(_) | Endpoint::Chip | Endpoint::Nic(_)));
        let router = Router::new(fabric, policy);
        Self { fabric, router, channel_classes: channel_classes(fabric), injection, egress, nics: Nics::of(fabric) }
    }

    /// The fabric.
    #[must_use]
    pub fn fabric(&self) -> &'a Fabric {
        self.fabric
    }

    /// Its router.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    pub(super) fn channel_classes(&self) -> &[u32] {
        &self.channel_classes
    }

    /// Plane of a channel.
    pub(super) fn plane(&self, channel: u32) -> u16 {
        self.router.plane(channel)
    }

    /// What one chip can send on the scale-up fabric, one direction, in long messages: the sum over its links to switches and to other
    /// chips. Links to its own host, memory or NIC are not counted; those to NICs are where it has no others. Zero for a chip alone.
    #[must_use]
    pub fn injection(&self) -> BytesPerSecond {
        self.injection
    }

    /// Rate at which the ranks of one chip send: [`Network::injection`]; for a package alone that of the link between its dies, without
    /// limit where it names none.
    #[must_use]
    pub fn sending_rate(&self) -> BytesPerSecond {
        let between_dies = || self.fabric.chip.io.die_to_die.as_ref().map_or(BytesPerSecond::new(f64::INFINITY), |rate| rate.value);
        if self.injection > BytesPerSecond::ZERO { self.injection } else { between_dies() }
    }

    /// What one chip can send by all ways that can lead to another chip: [`Network::injection`] and its NICs.
    #[must_use]
    pub fn egress(&self) -> BytesPerSecond {
        self.egress
    }

    /// Chips that reach each other without a NIC between them: one host, one rack, or the whole machine.
    #[must_use]
    pub fn domain_chips(&self) -> u32 {
        self.nics.map_or(self.fabric.chips, |nics| nics.domain_chips).max(1)
    }

    /// The innermost level behind NICs.
    pub(super) fn nic_level(&self) -> Option<usize> {
        self.nics.map(|nics| nics.level)
    }

    /// Shortest time from one message of a NIC between domains to its next.
    pub(super) fn message_interval(&self) -> Seconds {
        self.nics.map_or(Seconds::ZERO, |nics| nics.message_interval)
    }

    /// Equal runs of chips inside which an engine's kernels read each other's memory at the full rate of a chip: the innermost level.
    pub(super) fn memory_reach(&self) -> u32 {
        self.fabric.level_sizes.first().map_or(self.fabric.chips, |&size| size.min(self.domain_chips())).max(1)
    }

    /// What one chip can move with its loads and stores over a path of the given latency one way: bytes in flight over the round trip.
    /// `None` where its part names no window, or the path takes no time.
    #[must_use]
    pub fn window_rate(&self, latency: Seconds) -> Option<BytesPerSecond> {
        let window = self.fabric.chip.io.load_store_window.as_ref()?;
        (latency > Seconds::ZERO).then(|| window.value / (latency * 2.0))
    }

    /// Time that loads and stores in flight leave one chip at least for sending `sent` along a path of the given latency.
    pub(super) fn window_time(&self, sent: Bytes, latency: Seconds) -> Seconds {
        self.window_rate(latency).map_or(Seconds::ZERO, |rate| sent / rate)
    }

    /// Payload rate of every channel, all its parallel links together, in long messages, bytes/s.
    #[must_use]
    pub fn capacities(&self) -> Vec<f64> {
        let rates: Vec<f64> = self.fabric.links.iter().map(|link| payload_rate(link, LONG_MESSAGE).get()).collect();
        self.router.channels().iter().map(|channel| rates[channel.link as usize] * f64::from(channel.count)).collect()
    }

    /// The switches that serve as roots of in-network reduction for a group: of those that every rank reaches over reducing switches
    /// only, the nearest. Empty if the machine has none.
    #[must_use]
    pub fn aggregation_roots(&self, group: &Group) -> Vec<u32> {
        let graph = &self.fabric.graph;
        let reduces = |node: u32| match graph[petgraph::graph::NodeIndex::new(node as usize)].endpoint {
            Endpoint::Switch(part) => self.fabric.switches[part as usize].switch.in_network_reduction,
            _ => false,
        };
        let Some((&first, others)) = group.chips().split_first() else { return Vec::new() };
        // Farthest rank of every switch so far; a switch that some rank does not reach drops out.
        let mut farthest = self.hops_upwards(first, &reduces);
        // Chips below the same switches see the same distances; one of each such set is enough, and chips in level order stand together.
        let neighbours = |chip: u32| self.router.neighbours(chip);
        let mut known: Vec<u32> = neighbours(first).collect();
        for &chip in others {
            let own: Vec<u32> = neighbours(chip).collect();
            if own == known {
                continue;
            }
            let hops = self.hops_upwards(chip, &reduces);
            for (farthest, hops) in farthest.iter_mut().zip(hops) {
                *farthest = farthest.zip(hops).map(|(a, b)| a.max(b));
            }
            known = own;
        }
        let nearest = farthest.iter().flatten().min().copied();
        farthest.iter().zip(0..).filter(|(hops, _)| hops.is_some() && **hops == nearest).map(|(_, node)| node).collect()
    }

    /// Hops from a chip to every reducing switch, through reducing switches only.
    fn hops_upwards(&self, chip: u32, reduces: &impl Fn(u32) -> bool) -> Vec<Option<u32>> {
        let mut hops = vec![None; self.router.nodes()];
        let mut order = vec![(chip, 0)];
        let mut next = 0;
        while let Some(&(node, distance)) = order.get(next) {
            next += 1;
            for neighbour in self.router.neighbours(node) {
                if reduces(neighbour) && hops[neighbour as usize].is_none() {
                    hops[neighbour as usize] = Some(distance + 1);
                    order.push((neighbour, distance + 1));
                }
            }
        }
        hops
    }
}
