//! Moves of chips that the levels of a machine suggest as symmetries.
//!
//! A chip's number in level order is written in digits, one for each level and for each dimension of a grid. Where the values of a digit look
//! alike, shifting them in a circle is likely to be a symmetry: of a full mesh, of chips below a switch, of racks below spines. On a ring a
//! reflection is, and so is the exchange of two digits of equal range. What the machine has lost shows in the colours of its chips, so values
//! that differ stay where they are. A move is only a suggestion: the search checks each link by link ([`super::symmetries`]).

use std::collections::BTreeMap;

use super::policy::scrambled;
use super::router::narrow;

/// No node, or no chip.
const NONE: u32 = u32::MAX;

/// Reflections of one digit that are suggested at most.
const REFLECTIONS_MAX: usize = 2;

/// Where the chips of a graph stand among the levels.
#[derive(Clone, Debug)]
pub struct LevelPlaces {
    /// Range of every digit, innermost first.
    radices: Vec<u32>,
    /// Level of every digit.
    levels: Vec<usize>,
    /// Whether digits of two levels may be exchanged.
    mixes_levels: bool,
    /// By node, the chip's number in level order with lost chips counted; [`NONE`] for what is no chip.
    place_of: Vec<u32>,
    /// By that number, the node; [`NONE`] for a lost chip.
    node_at: Vec<u32>,
}

impl LevelPlaces {
    /// `radices` are the ranges of the digits by level; `chips` are a chip's number and the node that stands for it; several may share a node, of `nodes` in all.
    #[must_use]
    pub fn new(radices: &[Vec<u32>], nodes: usize, chips: impl Iterator<Item = (u32, u32)>) -> Self {
        let levels = radices.iter().enumerate().flat_map(|(level, digits)| vec![level; digits.len()]).collect();
        let radices: Vec<u32> = radices.concat();
        let (mut place_of, mut node_at) = (vec![NONE; nodes], vec![NONE; radices.iter().product::<u32>() as usize]);
        for (place, node) in chips {
            place_of[node as usize] = place_of[node as usize].min(place);
            if let Some(at) = node_at.get_mut(place as usize) {
                *at = node;
            }
        }
        Self { radices, levels, mixes_levels: true, place_of, node_at }
    }

    /// The same for traffic that tells levels apart: chips that differ at one level only keep doing so.
    #[must_use]
    pub fn within_levels(self) -> Self {
        Self { mixes_levels: false, ..self }
    }

    fn chips(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0u32..).zip(&self.place_of).filter(|(_, place)| **place != NONE).map(|(node, place)| (node, *place))
    }

    /// Whether a node is a chip.
    pub(super) fn is_chip(&self, node: u32) -> bool {
        self.place_of[node as usize] != NONE
    }

    /// Where a digit stands in a chip's number: chips between two of its values.
    fn stride(&self, digit: usize) -> u32 {
        self.radices[..digit].iter().product()
    }

    /// What the chips with each value of a digit look like together.
    fn looks(&self, digit: usize, colours: &[u64]) -> Vec<u64> {
        let (stride, radix) = (self.stride(digit), self.radices[digit]);
        let mut looks = vec![0u64; radix as usize];
        for (node, place) in self.chips() {
            let look = &mut looks[(place / stride % radix) as usize];
            *look = look.wrapping_add(scrambled(colours[node as usize]));
        }
        looks
    }

    /// Suggested images of the chips, by node; other nodes are left at [`NONE`].
    pub(super) fn suggestions(&self, colours: &[u64]) -> Vec<Vec<u32>> {
        let looks: Vec<Vec<u64>> = (0..self.radices.len()).map(|digit| self.looks(digit, colours)).collect();
        let mut found = Vec::new();
        for (digit, looks) in looks.iter().enumerate().filter(|(digit, _)| self.radices[*digit] > 1) {
            let values = shifts(looks).into_iter().chain(reflections(looks));
            let (stride, radix) = (self.stride(digit), self.radices[digit]);
            let moved = |values: Vec<u32>| {
                self.moved(|place| {
                    let value = place / stride % radix;
                    place - value * stride + values[value as usize] * stride
                })
            };
            found.extend(values.filter_map(moved));
        }
        for second in 1..self.radices.len() {
            let like = |&first: &usize| self.radices[first] == self.radices[second] && self.radices[first] > 1;
            let may = |&first: &usize| self.mixes_levels || self.levels[first] == self.levels[second];
            for first in (0..second).filter(like).filter(may) {
                let Some(offset) = offset(&looks[first], &looks[second]) else { continue };
                found.extend(self.moved(|place| self.exchanged(place, [first, second], offset)));
            }
        }
        found
    }

    /// A place with two digits exchanged; the second counts from `offset` where the first counts from 0.
    fn exchanged(&self, place: u32, [first, second]: [usize; 2], offset: u32) -> u32 {
        let radix = self.radices[first];
        let (strides, digit) = ([self.stride(first), self.stride(second)], |stride: u32| place / stride % radix);
        let (a, b) = (digit(strides[0]), digit(strides[1]));
        let (new_a, new_b) = ((b + radix - offset) % radix, (a + offset) % radix);
        place - a * strides[0] - b * strides[1] + new_a * strides[0] + new_b * strides[1]
    }

    fn moved(&self, to: impl Fn(u32) -> u32) -> Option<Vec<u32>> {
        let mut image = vec![NONE; self.place_of.len()];
        let mut taken = vec![false; self.place_of.len()];
        for (node, place) in self.chips() {
            let onto = *self.node_at.get(to(place) as usize)?;
            if onto == NONE || std::mem::replace(&mut taken[onto as usize], true) {
                return None;
            }
            image[node as usize] = onto;
        }
        Some(image)
    }
}

/// The values that look alike, each kind shifted in a circle while the others stay.
fn shifts(looks: &[u64]) -> Vec<Vec<u32>> {
    let mut alike: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    (0u32..).zip(looks).for_each(|(value, look)| alike.entry(*look).or_default().push(value));
    let mut kinds: Vec<Vec<u32>> = alike.into_values().filter(|values| values.len() > 1).collect();
    kinds.sort_unstable();
    let shift = |values: Vec<u32>| {
        let mut onto: Vec<u32> = (0..narrow(looks.len())).collect();
        values.iter().zip(values.iter().cycle().skip(1)).for_each(|(&from, &to)| onto[from as usize] = to);
        onto
    };
    kinds.into_iter().map(shift).collect()
}

/// Reflections `value -> centre - value` of a ring that keep what its values look like.
fn reflections(looks: &[u64]) -> impl Iterator<Item = Vec<u32>> + '_ {
    let size = looks.len();
    let reflected = move |centre: usize, value: usize| (centre + size - value) % size;
    let keeps = move |centre: &usize| (0..size).all(|value| looks[value] == looks[reflected(*centre, value)]);
    (0..size).filter(keeps).take(REFLECTIONS_MAX).map(move |centre| (0..size).map(|value| narrow(reflected(centre, value))).collect())
}

/// By how much the second digit's values are ahead of the first's that look the same.
fn offset(first: &[u64], second: &[u64]) -> Option<u32> {
    let size = first.len();
    (0..size).find(|offset| (0..size).all(|value| first[value] == second[(value + offset) % size])).map(narrow)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two digits of three values, chip 4 = (1, 1) lost: the values 0 and 2 of each change places, by shift or by reflection, and the digits too.
    #[test]
    fn a_lost_chip_keeps_its_values_in_place() {
        let chips: Vec<u32> = (0..9).filter(|chip| *chip != 4).collect();
        let places = LevelPlaces::new(&[vec![3], vec![3]], 8, chips.iter().copied().zip(0..));
        let found = places.suggestions(&[7; 8]);
        let named: Vec<Vec<u32>> = found.iter().map(|image| image.iter().map(|&node| chips[node as usize]).collect()).collect();
        let swapped_inside = vec![2, 1, 0, 5, 3, 8, 7, 6];
        let swapped_outside = vec![6, 7, 8, 3, 5, 0, 1, 2];
        let exchanged = vec![0, 3, 6, 1, 7, 2, 5, 8];
        let shifts = vec![swapped_inside.clone(), swapped_inside, swapped_outside.clone(), swapped_outside];
        assert_eq!(named, [shifts, vec![exchanged]].concat());
        assert_eq!(places.within_levels().suggestions(&[7; 8]).len(), 4);
    }
}
