//! A fabric with its routes and with the walks that were done already.

use std::any::Any;
use std::sync::Arc;

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::group::Group;
use super::routed::{KnownLoads, PartOfMachine, RoutedFabric, RoutedFabrics};
use crate::fabric::{Endpoint, Fabric, LevelPlaces, Orbits, Router, RoutingPolicy, payload_rate};
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// Messages so long that headers and partly filled packets no longer matter.
pub const LONG_MESSAGE: Bytes = Bytes::new(1e9);

/// A fabric with the routes its traffic takes.
#[derive(Clone, Debug)]
pub struct Network<'a> {
    fabric: &'a Fabric,
    routed: Arc<RoutedFabric>,
    known: Arc<KnownLoads>,
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
    /// Ports of a NIC towards that level.
    ports: u32,
}

impl Nics {
    fn of(fabric: &Fabric) -> Option<Self> {
        let graph = &fabric.graph;
        let stands_between = |node: &NodeIndex| {
            let nic = graph[*node];
            // A NIC that lost its chip or its link stands between nothing.
            matches!(nic.endpoint, Endpoint::Nic(_)) && nic.forwards && graph.edges(*node).count() > 1
        };
        let nic = graph.node_indices().find(stands_between)?;
        let Endpoint::Nic(part) = graph[nic].endpoint else { return None };
        let level = usize::from(graph.edges(nic).map(|edge| edge.weight().level).min()?);
        let message_interval = fabric.nics[part as usize].1.message_interval.as_ref().map_or(Seconds::ZERO, |figure| figure.value);
        let outward = graph.edges(nic).filter(|edge| usize::from(edge.weight().level) == level && graph[edge.target()].endpoint != Endpoint::Chip);
        let ports = outward.map(|edge| edge.weight().count).sum::<u32>().max(1);
        Some(Self { level, domain_chips: fabric.level_sizes[..level].iter().product(), message_interval, ports })
    }
}

/// Payload rate of the first chip's links to what `counts`.
fn ports(fabric: &Fabric, counts: impl Fn(Endpoint) -> bool) -> BytesPerSecond {
    let graph = &fabric.graph;
    let counted = graph.edges(NodeIndex::new(0)).filter(|edge| counts(graph[edge.target()].endpoint));
    counted.map(|edge| payload_rate(&fabric.links[edge.weight().link as usize], LONG_MESSAGE) * f64::from(edge.weight().count)).sum()
}

impl<'a> Network<'a> {
    /// Prepares a fabric under its own routing policy.
    #[must_use]
    pub fn new(fabric: &'a Fabric) -> Self {
        Self::with_routing(fabric, fabric.routing.into())
    }

    /// Prepares a fabric under another routing policy.
    #[must_use]
    pub fn with_routing(fabric: &'a Fabric, policy: RoutingPolicy) -> Self {
        Self::over(fabric, (Arc::new(RoutedFabric::new(fabric, policy)), Arc::default()))
    }

    /// As [`Network::new`], for a series of designs: patterns whose routes do not change are not walked again.
    #[must_use]
    pub fn among(fabric: &'a Fabric, known: &RoutedFabrics) -> Self {
        Self::over(fabric, known.like(RoutedFabric::new(fabric, fabric.routing.into())))
    }

    /// The network of the first children of a machine.
    pub(super) fn of_part(part: &'a PartOfMachine) -> Self {
        Self::over(&part.fabric, (Arc::clone(&part.routed), Arc::clone(&part.known)))
    }

    fn over(fabric: &'a Fabric, (routed, known): (Arc<RoutedFabric>, Arc<KnownLoads>)) -> Self {
        let scale_up = ports(fabric, |endpoint| matches!(endpoint, Endpoint::Switch(_) | Endpoint::Chip));
        let injection = if scale_up > BytesPerSecond::ZERO { scale_up } else { ports(fabric, |endpoint| matches!(endpoint, Endpoint::Nic(_))) };
        let egress = ports(fabric, |endpoint| matches!(endpoint, Endpoint::Switch(_) | Endpoint::Chip | Endpoint::Nic(_)));
        Self { fabric, routed, known, injection, egress, nics: Nics::of(fabric) }
    }

    /// The same network without latencies. Callers that need only bytes on channels use it, because more symmetries hold.
    #[must_use]
    pub fn without_latencies(&self) -> Self {
        Self { routed: Arc::new(RoutedFabric::with_router(self.fabric, self.router().without_latencies())), known: Arc::default(), ..*self }
    }

    /// Classes of nodes and channels under the symmetries of the graph, which preserve part, number of links and rate. Latencies are ignored.
    /// `None` if no symmetry is found.
    #[must_use]
    pub fn orbits_of_bytes(&self) -> Option<Orbits> {
        let graph = &self.fabric.graph;
        let rates: Vec<u64> = self.fabric.links.iter().map(|link| payload_rate(link, LONG_MESSAGE).get().to_bits()).collect();
        let part = |node: u32| match graph[NodeIndex::new(node as usize)].endpoint {
            Endpoint::Chip => 0,
            Endpoint::Switch(part) => u64::from(part) << 3 | 1,
            Endpoint::Cpu(part) => u64::from(part) << 3 | 2,
            Endpoint::Nic(part) => u64::from(part) << 3 | 3,
            Endpoint::Memory(part) => u64::from(part) << 3 | 4,
        };
        let places = self.level_places(graph.node_count(), Some);
        self.router().labelled(|channel| rates[channel.link as usize]).orbits(part, Some(&places))
    }

    /// What symmetries map onto each other that keep every level's digit of a chip's number apart from the others'.
    pub(super) fn level_orbits(&self) -> Option<&Orbits> {
        self.known.level_orbits(|| {
            let places = self.level_places(self.router().nodes(), Some).within_levels();
            self.router().orbits_of_moves(&places)
        })
    }

    /// Where the chips stand among the levels, on a graph of so many nodes in which `node_of` tells each chip's, if it has one.
    #[must_use]
    pub fn level_places(&self, nodes: usize, node_of: impl Fn(u32) -> Option<u32>) -> LevelPlaces {
        let chips = (0..self.fabric.chips).filter_map(|chip| Some((self.fabric.place(chip), node_of(chip)?)));
        LevelPlaces::new(&self.fabric.radices, nodes, chips)
    }

    /// The fabric.
    #[must_use]
    pub fn fabric(&self) -> &'a Fabric {
        self.fabric
    }

    /// Its router.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.routed.router
    }

    /// Walks that were done already.
    pub(super) fn known(&self) -> &KnownLoads {
        &self.known
    }

    /// What the floor above keeps of this fabric, shared by all designs whose traffic is alike: it must depend on nothing that such designs
    /// differ in, as rates of links and figures of a library.
    #[must_use]
    pub fn kept_above<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        self.known.kept_above(make)
    }

    /// The same network on which nothing has been walked, to measure what walks cost.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { known: Arc::default(), ..self.clone() }
    }

    pub(super) fn channel_classes(&self) -> &[u32] {
        &self.routed.channel_classes
    }

    /// Plane of a channel.
    pub(super) fn plane(&self, channel: u32) -> u16 {
        self.router().plane(channel)
    }

    /// Bandwidth with which one chip sends into the scale-up fabric, one direction, in long messages: the sum over its links to switches and to
    /// other chips. Links to its own host, memory or NIC do not count; links to NICs count if it has no others. Zero for a machine of one chip.
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

    /// Bandwidth with which one chip sends to other chips by any path: [`Network::injection`] plus its NICs.
    #[must_use]
    pub fn egress(&self) -> BytesPerSecond {
        self.egress
    }

    /// Chips that reach each other without a NIC between them: one host, one rack, or the whole machine.
    #[must_use]
    pub fn domain_chips(&self) -> u32 {
        self.nics.map_or_else(|| self.fabric.level_sizes.iter().product(), |nics| nics.domain_chips).max(1)
    }

    /// The innermost level behind NICs.
    pub(super) fn nic_level(&self) -> Option<usize> {
        self.nics.map(|nics| nics.level)
    }

    /// Shortest time from one message of a NIC between domains to its next.
    pub(super) fn message_interval(&self) -> Seconds {
        self.nics.map_or(Seconds::ZERO, |nics| nics.message_interval)
    }

    /// Ports of a NIC between domains.
    pub(super) fn nic_ports(&self) -> u32 {
        self.nics.map_or(1, |nics| nics.ports)
    }

    /// Number of consecutive chips among which an engine's kernels read each other's memory at a chip's full rate: the innermost level.
    pub(super) fn memory_reach(&self) -> u32 {
        self.fabric.level_sizes.first().map_or(self.fabric.chips, |&size| size.min(self.domain_chips())).max(1)
    }

    /// Rate of one chip's loads and stores over a path of the given one-way latency: bytes in flight divided by the round trip. `None` if the
    /// part states no window, or if the path takes no time.
    #[must_use]
    pub fn window_rate(&self, latency: Seconds) -> Option<BytesPerSecond> {
        let window = self.fabric.chip.io.load_store_window.as_ref()?;
        (latency > Seconds::ZERO).then(|| window.value / (latency * 2.0))
    }

    /// Minimum time for one chip to send `sent` along a path of the given latency, with its limit of loads and stores in flight.
    pub(super) fn window_time(&self, sent: Bytes, latency: Seconds) -> Seconds {
        self.window_rate(latency).map_or(Seconds::ZERO, |rate| sent / rate)
    }

    /// Payload rate of every channel, all its parallel links together, in long messages, bytes/s.
    #[must_use]
    pub fn capacities(&self) -> Vec<f64> {
        let rates: Vec<f64> = self.fabric.links.iter().map(|link| payload_rate(link, LONG_MESSAGE).get()).collect();
        self.router().channels().iter().map(|channel| rates[channel.link as usize] * f64::from(channel.count)).collect()
    }

    /// The switches that serve as roots of in-network reduction for a group: of those that every rank reaches over reducing switches
    /// only, the nearest. Empty if the machine has none.
    #[must_use]
    pub fn aggregation_roots(&self, group: &Group) -> Vec<u32> {
        self.roots(group, false)
    }

    /// The same by way of the NICs that stand before a level: roots of one rail.
    pub(super) fn rail_roots(&self, rail: &Group) -> Vec<u32> {
        self.roots(rail, true)
    }

    fn roots(&self, group: &Group, over_nics: bool) -> Vec<u32> {
        let (graph, switches) = (&self.fabric.graph, &self.fabric.switches);
        let Some((&first, others)) = group.chips().split_first() else { return Vec::new() };
        if !switches.iter().any(|part| part.switch.in_network_reduction) {
            return Vec::new();
        }
        let reduces = |node: u32| match graph[NodeIndex::new(node as usize)].endpoint {
            Endpoint::Switch(part) => switches[part as usize].switch.in_network_reduction,
            _ => false,
        };
        let passes = |node: u32| {
            let node = graph[NodeIndex::new(node as usize)];
            over_nics && node.forwards && matches!(node.endpoint, Endpoint::Nic(_))
        };
        // Farthest rank of every switch so far; a switch that some rank does not reach drops out.
        let mut farthest = self.hops_upwards(first, &reduces, &passes);
        // Chips below the same switches see the same distances; one of each such set is enough, and chips in level order stand together.
        let mut known = first;
        for &chip in others {
            if self.router().neighbours(chip).eq(self.router().neighbours(known)) {
                continue;
            }
            let hops = self.hops_upwards(chip, &reduces, &passes);
            for (farthest, hops) in farthest.iter_mut().zip(hops) {
                *farthest = farthest.zip(hops).map(|(a, b)| a.max(b));
            }
            if farthest.iter().all(Option::is_none) {
                break;
            }
            known = chip;
        }
        let nearest = farthest.iter().flatten().min().copied();
        farthest.iter().zip(0..).filter(|(hops, _)| hops.is_some() && **hops == nearest).map(|(_, node)| node).collect()
    }

    /// Hops from a chip to every reducing switch, through reducing switches only, and through the first node where that `passes`.
    fn hops_upwards(&self, chip: u32, reduces: &impl Fn(u32) -> bool, passes: &impl Fn(u32) -> bool) -> Vec<Option<u32>> {
        let mut hops = vec![None; self.router().nodes()];
        let mut order = vec![(chip, 0)];
        if let Some(nic) = self.router().neighbours(chip).find(|&node| passes(node)) {
            // Whatever the chip's own switches add up, the rail is behind the NIC.
            order = vec![(nic, 1)];
        }
        let mut next = 0;
        while let Some(&(node, distance)) = order.get(next) {
            next += 1;
            for neighbour in self.router().neighbours(node) {
                if reduces(neighbour) && hops[neighbour as usize].is_none() {
                    hops[neighbour as usize] = Some(distance + 1);
                    order.push((neighbour, distance + 1));
                }
            }
        }
        hops
    }
}
