//! Hosts that only their network cards join: one of them, and the network as the map says it.

use super::{PartMap, SHOWN};
use crate::input::foreign_graph::{ForeignEdge, ForeignGraph, ForeignKind, ForeignPort};
use crate::input::problem::Problem;
use crate::input::spec::load_link;
use crate::units::{BytesPerSecond, render};

/// Names of the map that say what no source states of a network.
pub(super) const NAMES: [&str; 6] = ["hosts", "nic", "nic_link", "cable", "rail", "spine"];

/// A rate that differs by less is the same, rounded.
const SAME_RATE: f64 = 0.02;
/// Hosts that a slip of the finger does not reach.
const MOST_HOSTS: u32 = 100_000;

/// What joins equal hosts: chip i of every host, through a card of its own, on rail i.
#[derive(Clone, Debug, Default)]
pub struct HostNetwork {
    /// Hosts.
    pub hosts: u32,
    /// NIC part.
    pub nic: String,
    /// Link part from chip to NIC.
    pub nic_link: String,
    /// Link part from NIC to switch.
    pub cable: String,
    /// Switch part of the rails.
    pub rail: String,
    /// Switch part of the spines, how many, and the links from each rail switch to each of them.
    pub spine: Option<(String, u32, u32)>,
    /// Where the source and the parts contradict each other.
    pub conflicts: Vec<String>,
}

/// One host of the graph, and the network of all; the graph as it is where links join its hosts, or there is one.
pub(super) fn of_hosts(graph: &ForeignGraph, map: &PartMap, problems: &mut Vec<Problem>) -> (ForeignGraph, Option<HostNetwork>) {
    let in_file = graph.hosts.iter().max().map_or(1, |last| last + 1);
    let asked = map.of_name.get("hosts").and_then(|mapped| mapped.part.as_deref());
    let wanted = asked.map(|text| text.parse::<u32>().ok().filter(|hosts| (2..=MOST_HOSTS).contains(hosts)));
    if wanted == Some(None) {
        problems.push(Problem::new(format!("--map hosts={}: not a number from 2 to {MOST_HOSTS}", asked.unwrap_or_default())));
    }
    let sides = sides(graph);
    let is_joined = sides.iter().any(Option::is_none);
    if is_joined || (in_file == 1 && asked.is_none()) {
        if asked.is_some() {
            problems.push(Problem::new("--map names `hosts`, and links of the file join its hosts already").help("leave it out"));
        }
        return (graph.clone(), None);
    }
    let first = host(graph, &sides, 0);
    if let Some(other) = (1..in_file).find(|number| !same(&first, &host(graph, &sides, *number))) {
        problems.push(
            Problem::new(format!("host {other} of the file is not built as host 0, and nothing but network cards joins them"))
                .help("only equal hosts become levels; import one of them on its own"),
        );
    }
    if let Some(Some(wanted)) = wanted.filter(|wanted| in_file > 1 && *wanted != Some(in_file)) {
        problems.push(Problem::new(format!("the file has {in_file} hosts where --map hosts says {wanted}")).help("leave it out"));
    }
    let hosts = if in_file > 1 { in_file } else { wanted.flatten().unwrap_or(2) };
    let network = asked_for(&first, map, hosts, problems);
    (first, Some(network))
}

/// The host that every node belongs to; `None` for one that links of several hosts lead to.
fn sides(graph: &ForeignGraph) -> Vec<Option<u32>> {
    let mut sides: Vec<Vec<u32>> = vec![Vec::new(); graph.nodes.len()];
    for (side, host) in sides.iter_mut().zip(&graph.hosts) {
        side.push(*host);
    }
    let chips = graph.hosts.len();
    for edge in &graph.edges {
        let [a, b] = edge.ends.map(|end| end as usize);
        for (from, to) in [(a, b), (b, a)] {
            if from < chips && !sides[to].contains(&graph.hosts[from]) {
                sides[to].push(graph.hosts[from]);
            }
        }
    }
    sides.iter().map(|hosts| if hosts.len() > 1 { None } else { Some(hosts.first().copied().unwrap_or(0)) }).collect()
}

/// The graph of one host.
fn host(graph: &ForeignGraph, sides: &[Option<u32>], number: u32) -> ForeignGraph {
    let kept: Vec<u32> = (0u32..).zip(sides).filter(|(_, side)| **side == Some(number)).map(|(place, _)| place).collect();
    let new = |place: u32| kept.iter().position(|known| *known == place).and_then(|place| u32::try_from(place).ok());
    let edges = graph.edges.iter().filter_map(|edge| Some(ForeignEdge { ends: [new(edge.ends[0])?, new(edge.ends[1])?], ..*edge }));
    ForeignGraph {
        nodes: kept.iter().map(|place| graph.nodes[*place as usize].clone()).collect(),
        edges: edges.collect(),
        ports: graph.ports.iter().filter(|port| port.host == number).cloned().collect(),
        hosts: Vec::new(),
        ..graph.clone()
    }
}

/// Whether two hosts have the same links between the same places, and ports of the same rates.
fn same(a: &ForeignGraph, b: &ForeignGraph) -> bool {
    let kinds = |graph: &ForeignGraph| graph.nodes.iter().map(|node| (node.component.clone(), node.kind)).collect::<Vec<_>>();
    let rates = |graph: &ForeignGraph| graph.ports.iter().map(|port| (port.name.clone(), port.bytes_per_s.to_bits())).collect::<Vec<_>>();
    kinds(a) == kinds(b) && a.edges == b.edges && rates(a) == rates(b)
}

/// The network as the map says it, and what it does not say.
fn asked_for(host: &ForeignGraph, map: &PartMap, hosts: u32, problems: &mut Vec<Problem>) -> HostNetwork {
    let chips = host.nodes.iter().filter(|node| node.kind == ForeignKind::Chip).count();
    let is_omitted = |port: &&ForeignPort| map.of_name.get(&port.name).is_some_and(|mapped| mapped.part.is_none());
    let ports: Vec<&ForeignPort> = host.ports.iter().filter(|port| !is_omitted(port)).collect();
    if !ports.is_empty() && ports.len() != chips {
        let rate = |port: &&ForeignPort| format!("`{}` ({})", port.name, render(BytesPerSecond::new(port.bytes_per_s)));
        let listed: Vec<String> = ports.iter().take(2 * SHOWN).map(rate).collect();
        let message = format!("a host has {chips} chips and {} network ports: {}", ports.len(), listed.join(", "));
        problems.push(Problem::new(message).help("a rail has a port for every chip: leave out those that join no hosts, --map NAME=omit"));
    }
    let mut part = |name: &str, what: &str, kind: &str| {
        map.of_name.get(name).and_then(|mapped| mapped.part.clone()).unwrap_or_else(|| {
            let problem = Problem::new(format!("the file does not say {what}"));
            problems.push(problem.help(format!("add --map {name}=PART (`supernode list {kind}`)")));
            String::new()
        })
    };
    let mut network = HostNetwork {
        hosts,
        nic: part("nic", "which network card each chip has", "nics"),
        nic_link: part("nic_link", "by which link a network card hangs on its chip", "links"),
        cable: part("cable", "which link joins the network cards to switches", "links"),
        rail: part("rail", "which switches join the hosts: chip i of every host on rail i", "switches"),
        spine: None,
        conflicts: Vec::new(),
    };
    if let Some(mapped) = map.of_name.get("spine") {
        match (&mapped.part, &mapped.counts[..]) {
            (Some(part), [count, uplinks]) => network.spine = Some((part.clone(), *count, *uplinks)),
            _ => problems.push(
                Problem::new("--map spine: how many, and with how many links each?").help("spine=PART:SPINES,LINKS, such as spine=quantum-2:4,2"),
            ),
        }
    }
    network.conflicts = conflicts(&ports, &network.cable);
    network
}

/// Where the ports state another rate than the cable has.
fn conflicts(ports: &[&ForeignPort], cable: &str) -> Vec<String> {
    let Ok(spec) = load_link(cable) else { return Vec::new() };
    let signalling = spec.link.lane_rate.value * f64::from(spec.link.lanes);
    let differs = |port: &&&ForeignPort| (port.bytes_per_s / signalling.get() - 1.0).abs() > SAME_RATE;
    let first = ports.iter().find(differs);
    let text = |port: &&ForeignPort| {
        format!(
            "the file gives port `{}` {} one way; `{cable}` signals at {}",
            port.name,
            render(BytesPerSecond::new(port.bytes_per_s)),
            render(signalling)
        )
    };
    first.map(text).into_iter().collect()
}
