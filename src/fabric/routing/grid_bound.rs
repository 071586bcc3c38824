//! How many links lie at least between two chips of a torus or mesh.
//!
//! If no link takes traffic farther than to the next position of one line, a path is at least as long as the way along the lines. A search
//! for one pair then leaves out every chip that would make a path longer than that: on a torus of 100 000 chips it looks at the box between
//! the two, not at a ball around each.

use crate::fabric::graph::Fabric;

/// Positions of the chips along every line of a grid.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GridBound {
    /// Positions along each dimension that has several.
    sizes: Vec<u16>,
    /// By chip, one after the other in the order of the dimensions.
    positions: Vec<u16>,
}

impl GridBound {
    /// The bound for a fabric; `None` where other nodes than chips pass traffic on, or where a link leads farther than to the next position.
    pub fn new(fabric: &Fabric) -> Option<Self> {
        let radices: Vec<u32> = fabric.radices.concat();
        let sizes: Vec<u16> = radices.iter().filter(|size| **size > 1).map(|size| u16::try_from(*size).ok()).collect::<Option<_>>()?;
        let only_chips = || fabric.graph.node_indices().skip(fabric.chips as usize).all(|node| !fabric.forwards(node));
        if sizes.is_empty() || !only_chips() {
            return None;
        }
        let mut positions = Vec::with_capacity(sizes.len() * fabric.chips as usize);
        for chip in 0..fabric.chips {
            let mut place = fabric.place(chip);
            for &size in &sizes {
                positions.push(u16::try_from(place % u32::from(size)).ok()?);
                place /= u32::from(size);
            }
        }
        let bound = Self { sizes, positions };
        let next = |[a, b]: [Option<u32>; 2]| a.zip(b).is_none_or(|(a, b)| !bound.holds(a) || !bound.holds(b) || bound.links(a, b) < 2);
        let mut edges = fabric.graph.raw_edges().iter();
        edges.all(|edge| next([edge.source(), edge.target()].map(|end| u32::try_from(end.index()).ok()))).then_some(bound)
    }

    /// Whether a node has a position.
    pub fn holds(&self, node: u32) -> bool {
        (node as usize) < self.positions.len() / self.sizes.len()
    }

    /// Links between two chips at least.
    pub fn links(&self, a: u32, b: u32) -> u32 {
        let [a, b] = [a, b].map(|chip| &self.positions[chip as usize * self.sizes.len()..][..self.sizes.len()]);
        let along = |((a, b), size): ((&u16, &u16), &u16)| u32::from(a.abs_diff(*b).min(size - a.abs_diff(*b)));
        a.iter().zip(b).zip(&self.sizes).map(along).sum()
    }
}

#[cfg(test)]
mod tests {
    use crate::fabric::{Router, RoutingPolicy, build};
    use crate::input::spec::load_supernode;

    /// A torus of chips is bounded, switches are not, and on the torus routes are those of a search without the bound.
    #[test]
    fn the_bound_changes_no_route() {
        let router = |name: &str| Router::new(&build(&load_supernode(name).unwrap()).unwrap(), RoutingPolicy::Spray);
        assert_eq!(router("cloudmatrix384").grid, None);
        let bounded = router("trn2-ultraserver");
        assert!(bounded.grid.is_some());
        let free = Router { grid: None, ..bounded.clone() };
        let (mut bounded, mut free) = (bounded.pathfinder(), free.pathfinder());
        for source in 0..64 {
            for destination in 0..64 {
                let (found, judge) = (bounded.route(source, destination).unwrap(), free.route(source, destination).unwrap());
                assert_eq!((found.length, found.latency), (judge.length, judge.latency), "{source} to {destination}");
                let sorted = |route: &crate::fabric::Route| {
                    let mut hops: Vec<(u32, f64)> = route.hops.iter().map(|hop| (hop.channel, hop.share)).collect();
                    hops.sort_by_key(|hop| hop.0);
                    hops
                };
                for (a, b) in sorted(&found).into_iter().zip(sorted(&judge)) {
                    assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-12, "{source} to {destination}: {a:?}, {b:?}");
                }
                assert_eq!(found.hops.len(), judge.hops.len());
            }
        }
    }
}
