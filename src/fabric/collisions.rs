//! Flows that switches place by a hash: several may share an uplink while another stays empty.

use petgraph::graph::{EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

use super::graph::{Endpoint, Fabric};
use crate::input::spec::LevelSpec;

/// Expected number of flows on the fullest of `uplinks` links over their mean, where a hash places each of `flows` flows at random: with
/// Poisson numbers on every link, `sum over k >= 0 of 1 - P(at most k)^uplinks`, over `flows / uplinks`.
///
/// Eight flows on 32 uplinks finish at 60.6 % of the rate of an even spread of one each, 32 at 28.4 % (60.1 and 28.3 % simulated in public).
#[must_use]
pub fn fullest_over_mean(flows: f64, uplinks: f64) -> f64 {
    let mean = flows / uplinks;
    if uplinks <= 1.0 || mean <= 0.0 {
        return 1.0;
    }
    // As a logarithm, since the first terms of a long queue are below the smallest number.
    let (mut log_probability, mut at_most, mut expected, mut number) = (-mean, 0.0, 0.0, 0.0);
    loop {
        at_most += f64::exp(log_probability);
        let above = 1.0 - f64::powf(f64::min(at_most, 1.0), uplinks);
        // Past the mean the terms fall at least geometrically.
        if number > mean && (above < 1e-9 || number > mean * 100.0 + 1000.0) {
            return (expected / mean).max(1.0);
        }
        expected += above;
        number += 1.0;
        log_probability += (mean / number).ln();
    }
}

/// Lowers what links between the switches of hashing levels carry by the expected collisions: a collective waits for the fullest link.
pub(super) fn lower_rates(fabric: &mut Fabric, levels: &[LevelSpec]) {
    for (level, spec) in levels.iter().enumerate() {
        let Some(queue_pairs) = spec.queue_pairs else { continue };
        let is_switch = |node: NodeIndex| matches!(fabric.graph[node].endpoint, Endpoint::Switch(_));
        // The leaf with most flows for each uplink stands for all: patterns draw leaves alike.
        let leaves = fabric.graph.node_indices().filter(|node| is_switch(*node));
        let factor = leaves.map(|leaf| {
            let (mut up, mut down) = (0.0, 0.0);
            for edge in fabric.graph.edges(leaf) {
                // The first node of an edge is the one nearer to the chips.
                let outward = fabric.graph.edge_endpoints(edge.id()).is_some_and(|(first, _)| first == leaf);
                match (outward, usize::from(edge.weight().level)) {
                    (true, own) if own == level => up += f64::from(edge.weight().count),
                    (false, own) if own <= level => down += f64::from(edge.weight().count),
                    _ => {}
                }
            }
            fullest_over_mean(down * f64::from(queue_pairs), up)
        });
        let factor = factor.fold(1.0, f64::max);
        let joins_switches = |edge: &EdgeIndex| {
            let ends = fabric.graph.edge_endpoints(*edge);
            usize::from(fabric.graph[*edge].level) == level && ends.is_some_and(|(a, b)| is_switch(a) && is_switch(b))
        };
        let between: Vec<EdgeIndex> = fabric.graph.edge_indices().filter(joins_switches).collect();
        for edge in between {
            let link = fabric.graph[edge].link;
            fabric.graph[edge].link = hashed(fabric, link, 1.0 / factor);
        }
    }
}

/// The link part with that share of its rate.
fn hashed(fabric: &mut Fabric, link: u16, share: f64) -> u16 {
    let spec = &fabric.links[link as usize];
    if let Some(known) = fabric.links.iter().position(|other| other.id == spec.id && other.share == share) {
        return u16::try_from(known).unwrap_or(link);
    }
    let Ok(next) = u16::try_from(fabric.links.len()) else { return link };
    let lowered = crate::input::spec::LinkSpec { share, ..spec.clone() };
    fabric.links.push(lowered);
    next
}
