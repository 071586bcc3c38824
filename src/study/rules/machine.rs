//! Whether the parts of a machine fit each other, its racks and what is known of it.

use std::collections::BTreeSet;

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::{RuleFinding, Severity};
use crate::fabric::{Endpoint, Fabric};
use crate::footprint::{Duty, cost, inventory, power};
use crate::input::document::{Cooling, Link, Medium, Prices};
use crate::input::spec::{AttachedPart, PatternSpec, Spec};
use crate::network::Profile;
use crate::units::render;

/// What is known of a machine beside its files.
pub struct MachineFacts<'a> {
    /// Prices in force.
    pub prices: &'a Prices,
    /// Whether measurements of the machine ship with the program.
    pub measured: bool,
}

/// Checks a machine that loads and builds.
#[must_use]
pub fn check_machine(spec: &Spec, fabric: &Fabric, known: &MachineFacts<'_>) -> Vec<RuleFinding> {
    let mut findings = protocols(fabric);
    findings.extend(fabric.links.iter().filter_map(|link| check_link(&link.id, &link.link)));
    findings.extend(hosts(spec));
    findings.extend(lanes(fabric));
    findings.extend(switch_lanes(fabric));
    findings.extend(throughput(fabric));
    findings.extend(racks(spec, fabric));
    let parts = inventory(fabric);
    let drawn = power(spec, fabric, &parts, &Duty::default(), &Profile::silent(fabric));
    if let Some(missing) = cost(spec, fabric, &parts, &drawn, known.prices).missing() {
        findings.push(RuleFinding::new("unpriced", missing));
    }
    if let Some(relative) = &spec.chip.kernels.measured_on {
        findings.push(RuleFinding::new("kernels-of-another", format!("kernel constants of `{}` were measured on {relative}", spec.chip.name)));
    }
    if !known.measured && spec.published.is_none() {
        findings.push(RuleFinding::new("never-validated", format!("no measurements of `{}` are linked", spec.name)));
    }
    findings
}

/// Links whose protocol an end does not speak; once for each pair of parts.
fn protocols(fabric: &Fabric) -> Vec<RuleFinding> {
    let mut seen = BTreeSet::new();
    for edge in fabric.graph.raw_edges() {
        let link = &fabric.links[usize::from(edge.weight.link)];
        let ends = [fabric.graph[edge.source()].endpoint, fabric.graph[edge.target()].endpoint];
        let towards_host = ends.iter().any(|end| matches!(end, Endpoint::Cpu(_) | Endpoint::Nic(_) | Endpoint::Memory(_)));
        for end in ends {
            let (part, spoken) = match end {
                Endpoint::Switch(index) => {
                    let switch = &fabric.switches[usize::from(index)];
                    (format!("switch `{}`", switch.id), &switch.switch.protocols)
                }
                // Hosts and NICs are reached through lanes of their own.
                Endpoint::Chip if !towards_host => (format!("chip `{}`", fabric.chip.name), &fabric.chip.io.protocols),
                _ => continue,
            };
            if !spoken.is_empty() && !spoken.contains(&link.link.protocol) {
                seen.insert(format!("link `{}` is {}, which {part} does not speak ({})", link.id, *link.link.protocol, spoken.join(", ")));
            }
        }
    }
    seen.into_iter().map(|message| RuleFinding::new("protocol-mismatch", message)).collect()
}

/// A gigabit a second, in bytes/s.
const GIGABIT: f64 = 1.25e8;

/// Metres that a medium carries a lane rate, by standard.
fn longest(link: &Link) -> Option<f64> {
    let rate = link.lane_rate.value.get() / GIGABIT;
    if link.lanes == 1 && rate > 448.0 {
        return None;
    }
    let copper = match rate {
        slow if slow < 25.0 => 7.0,
        slow if slow < 50.0 => 5.0,
        middle if middle < 80.0 => 3.0,
        fast if fast < 150.0 => 2.0,
        _ => 1.0,
    };
    Some(match &link.medium {
        Medium::Trace {} => {
            if rate < 16.0 {
                1.5
            } else {
                1.0
            }
        }
        Medium::Copper {} => copper,
        Medium::Retimed { retimers, .. } => copper * f64::from(retimers + 1),
        Medium::Optical { .. } => 2000.0,
    })
}

/// Checks a link part, called `name`.
#[must_use]
pub fn check_link(name: &str, link: &Link) -> Option<RuleFinding> {
    let (longest, length) = (longest(link)?, link.length.value.get());
    // Makers exceed the standard by half.
    if length <= 1.5 * longest {
        return None;
    }
    let (medium, rate) = (link.medium.name(), link.lane_rate.value.get() / GIGABIT);
    let message = format!("link `{name}` is {length} m of {medium}, which carries {rate} Gbit/s a lane over {longest} m");
    let finding = RuleFinding::new("reach", message);
    // A trace or a cable far beyond the standard does not work; some cables of ten metres are active without saying so.
    Some(if length > 10.0 * longest { finding.at_severity(Severity::Error) } else { finding })
}

fn hosts(spec: &Spec) -> Option<RuleFinding> {
    let attached = spec.levels.iter().flat_map(|level| &level.attach).any(|attach| matches!(attach.part, AttachedPart::Cpu(_)));
    let in_tree = spec.levels.iter().any(|level| matches!(level.pattern, PatternSpec::PcieTree(_)));
    let missing = !attached && !in_tree && spec.auxiliaries.is_empty();
    missing.then(|| RuleFinding::new("no-hosts", format!("`{}` has no CPUs and no other parts beside its fabric", spec.name)))
}

/// Lanes of a node's links to nodes of some kinds.
fn lanes_used(fabric: &Fabric, node: NodeIndex, to: impl Fn(Endpoint) -> bool) -> u32 {
    let edges = fabric.graph.edges(node).filter(|edge| to(fabric.graph[edge.target()].endpoint));
    edges.map(|edge| edge.weight().count * fabric.links[usize::from(edge.weight().link)].link.lanes).sum()
}

/// Lanes of the chip with most links.
fn lanes(fabric: &Fabric) -> Vec<RuleFinding> {
    let own = |endpoint| matches!(endpoint, Endpoint::Switch(_) | Endpoint::Chip);
    let chips = || fabric.graph.node_indices().filter(|node| fabric.graph[*node].endpoint == Endpoint::Chip);
    let used = chips().map(|chip| lanes_used(fabric, chip, own)).max().unwrap_or(0);
    let host_used = chips().any(|chip| lanes_used(fabric, chip, |endpoint| !own(endpoint)) > 0);
    let io = &fabric.chip.io;
    let idle = (used < io.lanes).then(|| format!("no chip uses more than {used} of its {} lanes", io.lanes));
    let hosts = (io.host_lanes > 0 && !host_used).then(|| format!("no link uses the {} host lanes of a chip", io.host_lanes));
    idle.into_iter().chain(hosts).map(|message| RuleFinding::new("idle-lanes", message)).collect()
}

/// Lanes of the switch with most links, of each part.
fn switch_lanes(fabric: &Fabric) -> Vec<RuleFinding> {
    let mut most = vec![0; fabric.switches.len()];
    for node in fabric.graph.node_indices() {
        if let Endpoint::Switch(part) = fabric.graph[node].endpoint {
            let used = lanes_used(fabric, node, |_| true);
            most[usize::from(part)] = most[usize::from(part)].max(used);
        }
    }
    let idle = fabric.switches.iter().zip(most).filter(|(part, used)| *used < part.switch.lanes);
    idle.map(|(part, used)| {
        RuleFinding::new("idle-ports", format!("no switch `{}` uses more than {used} of its {} lanes", part.id, part.switch.lanes))
    })
    .collect()
}

/// What the fullest switch chip of each part carries.
fn throughput(fabric: &Fabric) -> Vec<RuleFinding> {
    const LARGEST: f64 = 102.4e12 / 8.0;
    let mut most: Vec<f64> = vec![0.0; fabric.switches.len()];
    for node in fabric.graph.node_indices() {
        let Endpoint::Switch(index) = fabric.graph[node].endpoint else { continue };
        let carried: f64 = fabric
            .graph
            .edges(node)
            .map(|edge| {
                let link = &fabric.links[usize::from(edge.weight().link)].link;
                f64::from(edge.weight().count * link.lanes) * link.lane_rate.value.get()
            })
            .sum();
        most[usize::from(index)] = most[usize::from(index)].max(carried);
    }
    let beyond = fabric.switches.iter().zip(most).filter(|(_, carried)| *carried > 2.0 * LARGEST);
    beyond
        .map(|(switch, carried)| {
            let terabits = carried * 8.0 / 1e12;
            let finding = RuleFinding::new("switch-throughput", format!("the links of a switch `{}` carry {terabits:.0} Tbit/s", switch.id));
            finding.at_severity(if carried > 5.0 * LARGEST { Severity::Error } else { Severity::Warning })
        })
        .collect()
}

/// Power of a rack and of a chip against supply and cooling.
fn racks(spec: &Spec, fabric: &Fabric) -> Vec<RuleFinding> {
    let drawn = power(spec, fabric, &inventory(fabric), &Duty::default(), &Profile::silent(fabric));
    let mut findings = Vec::new();
    if let Some(racks) = &spec.supply.racks {
        let each = drawn.rated() * (1.0 / f64::from(racks.count));
        if let Some(limit) = racks.limit.as_ref().filter(|limit| each > limit.value) {
            findings.push(RuleFinding::new("rack-power", format!("a rack is rated {}, its limit is {}", render(each), render(limit.value))));
        }
        if spec.supply.cooling == Some(Cooling::Air) && each.get() > 60e3 {
            findings.push(RuleFinding::new("cooling", format!("a rack of {} is cooled by air", render(each))));
        }
    }
    let limit = spec.chip.power.limit();
    if spec.supply.cooling == Some(Cooling::Air) && limit.get() > 1100.0 {
        findings.push(RuleFinding::new("cooling", format!("`{}` of {} is cooled by air", spec.chip.name, render(limit))));
    }
    findings
}
