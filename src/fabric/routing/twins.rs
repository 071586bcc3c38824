//! Nodes to which all routes are the same.
//!
//! Two nodes are *twins* if neither passes traffic on and both have the same neighbours over links of the same number, latency and
//! dimension. Exchanging them changes nothing else in the fabric, so whatever leads to one leads to the other, up to the last hop. The
//! chips below one switch, or below the same set of switches, are twins, whatever the rest of the machine looks like.

use super::router::{HalfEdge, Router};

impl Router {
    /// Groups the given nodes into sets of twins, in the order of their first members. A node without a twin is a set of its own.
    #[must_use]
    pub fn twins(&self, nodes: impl Iterator<Item = u32>) -> Vec<Vec<u32>> {
        let mut sets: Vec<(Vec<HalfEdge>, Vec<u32>)> = Vec::new();
        // Only nodes with the same lowest neighbour are compared.
        let mut sets_at = vec![Vec::new(); self.nodes()];
        for node in nodes {
            let links = self.sorted_half_edges(node);
            let known: &[usize] = links.first().map_or(&[], |half| &sets_at[half.neighbour as usize]);
            let is_twin = |&&set: &&usize| {
                let (other_links, others) = &sets[set];
                !self.forwards[node as usize]
                    && !self.forwards[others[0] as usize]
                    && self.end_latency[node as usize] == self.end_latency[others[0] as usize]
                    && links.len() == other_links.len()
                    && links.iter().zip(other_links).all(|(a, b)| self.kind(a) == self.kind(b))
            };
            if let Some(&set) = known.iter().find(is_twin) {
                sets[set].1.push(node);
                continue;
            }
            if let Some(half) = links.first() {
                sets_at[half.neighbour as usize].push(sets.len());
            }
            sets.push((links, vec![node]));
        }
        sets.into_iter().map(|(_, members)| members).collect()
    }

    /// The links of a node in an order that twins share.
    pub(super) fn sorted_half_edges(&self, node: u32) -> Vec<HalfEdge> {
        let mut links = self.half_edges(node).to_vec();
        links.sort_unstable_by_key(|half| (self.kind(half), half.channel));
        links
    }

    /// All that a route to a node sees of its link.
    fn kind(&self, half: &HalfEdge) -> (u32, u32, u16, u64) {
        (half.neighbour, half.count, half.latency_back, self.dimension[half.channel as usize / 2])
    }
}
