//! Figures of the fabric itself.

use petgraph::visit::EdgeRef;

use super::bench::{Bench, share_in, time_in};
use crate::fabric::Endpoint;
use crate::input::cases::Case;
use crate::network::{Network, Pricing};
use crate::units::Bytes;

/// Capacity from chips to the first switches over capacity from those to the next tier.
pub fn oversubscription(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&[])?;
    let fabric = bench.network.fabric();
    let capacity = |level: u8, from_chips: bool| -> f64 {
        let edges = fabric.graph.edge_references().filter(|edge| {
            let is_chip = matches!(fabric.graph[edge.source()].endpoint, Endpoint::Chip);
            edge.weight().level == level && (is_chip || !from_chips)
        });
        edges
            .map(|edge| {
                let link = &fabric.links[edge.weight().link as usize].link;
                f64::from(edge.weight().count) * f64::from(link.lanes) * link.lane_rate.value.get()
            })
            .sum()
    };
    let upper = capacity(1, false);
    if upper > 0.0 { share_in(case.unit, capacity(0, true) / upper) } else { Err("one tier only".into()) }
}

/// Extra one-way latency of a pair in different nodes over one in the same node.
pub fn node_boundary(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&[])?;
    let (near, far) = neighbours(bench.network)?;
    time_in(case.unit, bench.network.pair(0, far).latency - bench.network.pair(0, near).latency)
}

/// Share of the bandwidth that a pair loses when it is in different nodes.
pub fn node_loss(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&[])?;
    let (near, far) = neighbours(bench.network)?;
    let long = Bytes::new(1e9);
    let time = |other: u32| bench.network.pair(0, other).serialisation(bench.network.fabric(), long, long).0;
    share_in(case.unit, 1.0 - time(near) / time(far))
}

/// A chip in the node of chip 0 and one in another node.
fn neighbours(network: &Network<'_>) -> Result<(u32, u32), String> {
    let fabric = network.fabric();
    let node = fabric.level_sizes[0];
    if node > 1 && node < fabric.chips { Ok((1, node)) } else { Err("one level only".into()) }
}
