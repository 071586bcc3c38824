//! Which pattern a graph is. A pattern is only claimed where the graph has exactly its links, chip by chip in the order of the file; everything
//! else is written link by link.

use std::collections::{BTreeMap, BTreeSet};

use super::joined::{Joined, JoinedLink};
use crate::units::counted;

/// Dimensions of a grid that are tried.
const MOST_DIMENSIONS: usize = 4;

/// What was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecognisedStructure {
    /// One chip.
    Single,
    /// Every pair of chips.
    FullMesh {
        /// Parallel links.
        links: u32,
    },
    /// A circle of chips, in order.
    Ring {
        /// Parallel links.
        links: u32,
    },
    /// A grid that wraps around.
    Torus {
        /// Chips along each dimension, the first counted fastest.
        dimensions: Vec<u32>,
        /// Parallel links.
        links: u32,
    },
    /// A grid that does not.
    Mesh {
        /// Chips along each dimension, the first counted fastest.
        dimensions: Vec<u32>,
        /// Parallel links.
        links: u32,
    },
    /// Every chip on every switch.
    Switch {
        /// Parallel links from each chip to each switch.
        links: Vec<u32>,
    },
    /// Equal runs of chips on a leaf each, every leaf on every spine.
    Clos {
        /// Chips on a leaf.
        chips_per_leaf: u32,
        /// Leaves.
        leaves: u32,
        /// Links from chip to leaf, and their part.
        down: (u32, String),
        /// Spines.
        spines: u32,
        /// Links from leaf to spine, and their part.
        up: (u32, String),
    },
    /// Equal runs of chips on a switch each, equal runs of switches on a host each.
    PcieTree {
        /// Switches.
        switches: u32,
        /// Hosts.
        hosts: u32,
        /// Link parts from chip to switch, switch to host, host to host, with how many.
        links: [(u32, String); 3],
    },
    /// Link by link.
    Custom,
}

impl RecognisedStructure {
    /// For people.
    #[must_use]
    pub fn words(&self) -> String {
        let product = |dimensions: &[u32]| dimensions.iter().map(u32::to_string).collect::<Vec<_>>().join(" x ");
        match self {
            Self::Single => "one chip".to_owned(),
            Self::FullMesh { links } => format!("full mesh, {} a pair", counted(*links, "link")),
            Self::Ring { links } => format!("ring, {} a pair", counted(*links, "link")),
            Self::Torus { dimensions, links } => format!("torus {}, {} a pair", product(dimensions), counted(*links, "link")),
            Self::Mesh { dimensions, links } => format!("mesh {}, {} a pair", product(dimensions), counted(*links, "link")),
            Self::Switch { links } => {
                format!("every chip on {}, {} a chip", counted(links.len(), "switch"), counted(links.iter().sum::<u32>(), "link"))
            }
            Self::Clos { chips_per_leaf, leaves, spines, .. } => format!("{leaves} leaves of {chips_per_leaf} chips below {spines} spines"),
            Self::PcieTree { switches, hosts, .. } => format!("PCIe tree of {switches} switches below {hosts} hosts"),
            Self::Custom => "no known pattern: link by link".to_owned(),
        }
    }
}

/// Finds the pattern.
#[must_use]
pub fn recognise(joined: &Joined) -> RecognisedStructure {
    let found = if joined.chips == 1 && joined.links.is_empty() {
        Some(RecognisedStructure::Single)
    } else if joined.switches.is_empty() && joined.hosts.is_empty() {
        direct(joined)
    } else if joined.hosts.is_empty() {
        switched(joined).or_else(|| clos(joined))
    } else {
        pcie_tree(joined)
    };
    found.unwrap_or(RecognisedStructure::Custom)
}

/// The part and number that all of some links have.
fn uniform<'a>(mut links: impl Iterator<Item = &'a JoinedLink>) -> Option<(u32, String)> {
    let first = links.next()?;
    links.all(|link| (link.count, &link.part) == (first.count, &first.part)).then(|| (first.count, first.part.clone()))
}

fn pairs(joined: &Joined) -> BTreeSet<[usize; 2]> {
    joined.links.iter().map(|link| link.ends).collect()
}

/// Chips joined to chips.
fn direct(joined: &Joined) -> Option<RecognisedStructure> {
    let (links, _) = uniform(joined.links.iter())?;
    let found = pairs(joined);
    if found.len() != joined.links.len() {
        return None;
    }
    let chips = joined.chips;
    if found.len() == chips * (chips - 1) / 2 {
        return Some(RecognisedStructure::FullMesh { links });
    }
    let ring: BTreeSet<[usize; 2]> = (0..chips).map(|chip| sorted(chip, (chip + 1) % chips)).collect();
    if found == ring {
        return Some(RecognisedStructure::Ring { links });
    }
    let grids = factors(chips, MOST_DIMENSIONS).into_iter().filter(|dimensions| dimensions.len() > 1);
    for dimensions in grids {
        for wraps in [true, false] {
            if found == grid(&dimensions, wraps) {
                let dimensions = dimensions.iter().map(|&size| u32::try_from(size).unwrap_or(u32::MAX)).collect();
                return Some(if wraps { RecognisedStructure::Torus { dimensions, links } } else { RecognisedStructure::Mesh { dimensions, links } });
            }
        }
    }
    None
}

fn sorted(a: usize, b: usize) -> [usize; 2] {
    [a.min(b), a.max(b)]
}

/// Every way to write a number as a product of numbers above 1, in order.
fn factors(number: usize, most: usize) -> Vec<Vec<usize>> {
    if number == 1 {
        return vec![Vec::new()];
    }
    if most == 0 {
        return Vec::new();
    }
    let divisors = (2..=number).filter(|divisor| number.is_multiple_of(*divisor));
    divisors.flat_map(|first| factors(number / first, most - 1).into_iter().map(move |rest| std::iter::once(first).chain(rest).collect())).collect()
}

/// Pairs of a grid, the first dimension counted fastest; a dimension of two has one link.
fn grid(dimensions: &[usize], wraps: bool) -> BTreeSet<[usize; 2]> {
    let chips: usize = dimensions.iter().product();
    let mut pairs = BTreeSet::new();
    for chip in 0..chips {
        let mut stride = 1;
        for &size in dimensions {
            let at = chip / stride % size;
            let next = if at + 1 < size { Some(chip + stride) } else { wraps.then(|| chip - at * stride) };
            if let Some(next) = next.filter(|next| *next != chip) {
                pairs.insert(sorted(chip, next));
            }
            stride *= size;
        }
    }
    pairs
}

/// Every chip on every switch.
fn switched(joined: &Joined) -> Option<RecognisedStructure> {
    let chips = joined.chips;
    if joined.links.len() != chips * joined.switches.len() || joined.switches.iter().any(|part| *part != joined.switches[0]) {
        return None;
    }
    let mut counts: Vec<BTreeMap<usize, u32>> = vec![BTreeMap::new(); joined.switches.len()];
    for link in &joined.links {
        let [chip, switch] = link.ends;
        if chip >= chips || switch < chips || link.part != joined.links[0].part {
            return None;
        }
        counts[switch - chips].insert(chip, link.count);
    }
    let links = counts.iter().map(|counts| {
        let first = *counts.values().next()?;
        (counts.len() == chips && counts.values().all(|count| *count == first)).then_some(first)
    });
    Some(RecognisedStructure::Switch { links: links.collect::<Option<Vec<u32>>>()? })
}

/// Chips on one leaf each, every leaf on every spine.
fn clos(joined: &Joined) -> Option<RecognisedStructure> {
    let chips = joined.chips;
    let down = || joined.links.iter().filter(|link| link.ends[0] < chips);
    let up = || joined.links.iter().filter(|link| link.ends[0] >= chips);
    if down().any(|link| link.ends[1] < chips) || down().count() != chips {
        return None;
    }
    let leaf_of: BTreeMap<usize, usize> = down().map(|link| (link.ends[0], link.ends[1])).collect();
    let mut leaves: Vec<usize> = Vec::new();
    for chip in 0..chips {
        let leaf = *leaf_of.get(&chip)?;
        if leaves.last() != Some(&leaf) {
            leaves.push(leaf);
        }
    }
    let spines: BTreeSet<usize> = (chips..chips + joined.switches.len()).filter(|switch| !leaves.contains(switch)).collect();
    let per_leaf = chips / leaves.len();
    let equal = chips.is_multiple_of(leaves.len()) && (0..chips).all(|chip| leaf_of[&chip] == leaves[chip / per_leaf]);
    let distinct: BTreeSet<usize> = leaves.iter().copied().collect();
    let part = |switch: usize| &joined.switches[switch - chips];
    let alike = leaves.iter().all(|leaf| part(*leaf) == part(leaves[0]))
        && spines.iter().all(|spine| Some(part(*spine)) == spines.first().map(|first| part(*first)));
    let found: BTreeSet<[usize; 2]> = up().map(|link| link.ends).collect();
    let expected: BTreeSet<[usize; 2]> = leaves.iter().flat_map(|&leaf| spines.iter().map(move |&spine| sorted(leaf, spine))).collect();
    if !equal || !alike || distinct.len() != leaves.len() || leaves.len() < 2 || spines.is_empty() || found != expected || found.len() != up().count()
    {
        return None;
    }
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Some(RecognisedStructure::Clos {
        chips_per_leaf: narrow(per_leaf),
        leaves: narrow(leaves.len()),
        down: uniform(down())?,
        spines: narrow(spines.len()),
        up: uniform(up())?,
    })
}

/// Chips on one switch each, switches on one host each, every pair of hosts joined.
fn pcie_tree(joined: &Joined) -> Option<RecognisedStructure> {
    let (chips, switches, hosts) = (joined.chips, joined.switches.len(), joined.hosts.len());
    let first_host = chips + switches;
    let kind = |node: usize| usize::from(node >= chips) + usize::from(node >= first_host);
    let of = |kinds: [usize; 2]| joined.links.iter().filter(move |link| link.ends.map(kind) == kinds);
    let [down, up, across] = [of([0, 1]), of([1, 2]), of([2, 2])].map(|links| links.collect::<Vec<_>>());
    let whole = down.len() + up.len() + across.len() == joined.links.len();
    let counts = down.len() == chips && up.len() == switches && across.len() == hosts * (hosts - 1) / 2;
    let equal = switches > 0 && chips.is_multiple_of(switches) && switches.is_multiple_of(hosts);
    let one_part = |parts: &[String]| parts.iter().all(|part| *part == parts[0]);
    if !whole || !counts || !equal || !one_part(&joined.switches) || !one_part(&joined.hosts) {
        return None;
    }
    let in_order = down.iter().all(|link| link.ends[1] - chips == link.ends[0] / (chips / switches))
        && up.iter().all(|link| link.ends[1] - first_host == (link.ends[0] - chips) / (switches / hosts));
    let distinct: BTreeSet<[usize; 2]> = across.iter().map(|link| link.ends).collect();
    if !in_order || distinct.len() != across.len() {
        return None;
    }
    let up = uniform(up.into_iter())?;
    let across = if across.is_empty() { up.clone() } else { uniform(across.into_iter())? };
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Some(RecognisedStructure::PcieTree { switches: narrow(switches), hosts: narrow(hosts), links: [uniform(down.into_iter())?, up, across] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_a_number() {
        assert_eq!(factors(8, 4), [vec![2, 2, 2], vec![2, 4], vec![4, 2], vec![8]]);
        assert_eq!(factors(7, 2), [vec![7]]);
    }

    /// 64 chips in 4 x 4 x 4 have 3 x 64 links; a line of 3 has 2, a ring of 3 has 3, a dimension of two has one.
    #[test]
    fn links_of_grids() {
        assert_eq!(grid(&[4, 4, 4], true).len(), 192);
        assert_eq!(grid(&[4, 4, 4], false).len(), 144);
        assert_eq!(grid(&[3, 2], true), BTreeSet::from([[0, 1], [1, 2], [0, 2], [3, 4], [4, 5], [3, 5], [0, 3], [1, 4], [2, 5]]));
    }
}
