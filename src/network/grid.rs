//! Groups as boxes of a grid: the ranks of every line, also where chips are lost, and the dimensions whose neighbours links join.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graph::NodeIndex;

use super::algorithm::GridDimension;
use super::group::Group;
use super::network::LONG_MESSAGE;
use crate::fabric::{Fabric, payload_rate};

/// Extent of a group along one digit of the positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    /// Different positions.
    width: u32,
    /// Ranks of the smallest line.
    fewest: u32,
}

/// At each level the ranks of the smallest line; `None` if some rank is alone on a line where others have partners.
pub(super) fn smallest_lines(fabric: &Fabric, group: &Group, level_sizes: &[u32]) -> Option<Vec<u32>> {
    let extents = extents(fabric, group, level_sizes)?;
    let alone = extents.iter().any(|extent| extent.fewest == 1 && extent.width > 1);
    (!alone).then(|| extents.iter().map(|extent| extent.fewest).collect())
}

/// Extents along digits of these ranges, innermost first. Lines may have holes, as where chips are lost.
fn extents(fabric: &Fabric, group: &Group, ranges: &[u32]) -> Option<Vec<Extent>> {
    if fabric.places.is_empty()
        && let Some(widths) = group.as_box(ranges)
    {
        return Some(widths.into_iter().map(|width| Extent { width, fewest: width }).collect());
    }
    let places: Vec<u32> = group.chips().iter().map(|&chip| fabric.place(chip)).collect();
    let mut below = 1;
    let mut found = Vec::with_capacity(ranges.len());
    for &size in ranges {
        let digit = |place: u32| place / below % size;
        let width = places.iter().map(|&place| digit(place)).collect::<BTreeSet<u32>>().len();
        let mut lines: BTreeMap<u32, u32> = BTreeMap::new();
        places.iter().for_each(|&place| *lines.entry(place - digit(place) * below).or_default() += 1);
        let fewest = lines.values().copied().min()?;
        found.push(Extent { width: u32::try_from(width).ok()?, fewest });
        below *= size;
    }
    Some(found)
}

/// Dimensions along which the group extends, innermost first, if links join the neighbours along each of them, and only those: tori, rings and
/// open lines. Empty otherwise, and if fewer than half of the positions are taken.
pub(super) fn grid_dimensions(fabric: &Fabric, group: &Group) -> Vec<GridDimension> {
    let ranges = fabric.radices.concat();
    let chips: u32 = ranges.iter().product();
    let mut below = 1;
    let mut dimensions = Vec::new();
    for &size in &ranges {
        dimensions.push((below, size, neighbour_rates(fabric, below, size)));
        below *= size;
    }
    if dimensions.iter().all(|(_, _, rates)| rates.is_none()) {
        return Vec::new();
    }
    let Some(extents) = extents(fabric, group, &ranges) else { return Vec::new() };
    if extents.iter().map(|extent| u64::from(extent.width)).product::<u64>() > 2 * u64::from(group.ranks()) {
        return Vec::new();
    }
    let extended = dimensions.into_iter().zip(extents).filter(|(_, extent)| extent.width > 1);
    let dimension = |((below, size, rates), Extent { width, .. }): ((u32, u32, Option<[f64; 2]>), Extent)| {
        let [next, closing] = rates?;
        // On an open line what closes the ring goes back over all its links; between two chips both ways use one link.
        let closed = width == size && size > 2 && closing > 0.0;
        // Round a ring a piece goes both ways at once, half of it each.
        let (rate, steps) = if closed { (next + closing, width / 2) } else { (next, width - 1) };
        Some(GridDimension { below, size, steps, rate, outermost: below * size == chips })
    };
    extended.map(dimension).collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// Payload rates from the first position of a line to the next and to the last one, the highest of some lines because links may be lost; `None` if
/// the first two are not joined, or if the first is joined to the third as in a full mesh.
fn neighbour_rates(fabric: &Fabric, below: u32, size: u32) -> Option<[f64; 2]> {
    const LINES: usize = 16;
    if size < 2 {
        return None;
    }
    let chip_at = |place: u32| match fabric.places.as_slice() {
        [] => (place < fabric.chips).then_some(place),
        places => places.binary_search(&place).ok().and_then(|chip| u32::try_from(chip).ok()),
    };
    let firsts = (0..fabric.chips).map(|chip| (chip, fabric.place(chip))).filter(|(_, place)| (place / below).is_multiple_of(size));
    let rates = |(first, place): (u32, u32)| {
        let to = |steps: u32| Some(rate_between(fabric, first, chip_at(place + steps * below)?));
        Some([to(1)?, to(size - 1)?, to(2 % size)?])
    };
    let highest = |a: [f64; 3], b: [f64; 3]| [a[0].max(b[0]), a[1].max(b[1]), a[2].max(b[2])];
    let [next, closing, third] = firsts.filter_map(rates).take(LINES).reduce(highest)?;
    (next > 0.0 && (size < 4 || third == 0.0)).then_some([next, closing])
}

fn rate_between(fabric: &Fabric, from: u32, to: u32) -> f64 {
    let node = |chip: u32| NodeIndex::new(chip as usize);
    let edges = fabric.graph.edges_connecting(node(from), node(to));
    edges.map(|edge| payload_rate(&fabric.links[usize::from(edge.weight().link)], LONG_MESSAGE).get() * f64::from(edge.weight().count)).sum()
}
