//! Which chips take part, and in what order: the placement of ranks.

use std::fmt;

use crate::fabric::Fabric;
use crate::units::counted;

/// The chips of a group in rank order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    chips: Vec<u32>,
    in_level_order: bool,
    /// Where each chip stood in level order before others were lost; empty if there its number says so.
    places: Vec<u32>,
    /// Whether ranks follow each other in the order of their places.
    rising: bool,
}

/// How ranks are laid on chips.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Placement {
    /// Rank r on chip r: a level fills up before the next begins.
    #[default]
    ByLevel,
    /// Rank r on chip `first + r x stride`.
    Strided {
        /// Chip of rank 0.
        first: u32,
        /// Chips from one rank to the next.
        stride: u32,
    },
    /// Rank r on the r-th chip of the list.
    Explicit(Vec<u32>),
}

/// A placement that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlacementError {
    /// The text is none of the forms.
    NotAPlacement {
        /// As written.
        text: String,
    },
    /// A rank falls outside the machine.
    NoSuchChip {
        /// The rank.
        rank: u32,
        /// Its chip.
        chip: u64,
        /// Chips in the machine.
        chips: u32,
    },
    /// Two ranks on one chip.
    Twice {
        /// The chip.
        chip: u32,
    },
    /// The list and the number of ranks differ.
    Length {
        /// Ranks asked for.
        ranks: u32,
        /// Chips listed.
        listed: usize,
    },
}

impl Placement {
    /// Ranks that the placement itself fixes: the length of an explicit list.
    #[must_use]
    pub fn ranks(&self) -> Option<u32> {
        match self {
            Self::Explicit(chips) => u32::try_from(chips.len()).ok(),
            Self::ByLevel | Self::Strided { .. } => None,
        }
    }

    /// Lays `ranks` ranks on a machine.
    ///
    /// # Errors
    /// Ranks outside the machine or twice on a chip.
    pub fn group(&self, ranks: u32, fabric: &Fabric) -> Result<Group, PlacementError> {
        let chip_of = |rank: u32| match self {
            Self::ByLevel => Some(u64::from(rank)),
            Self::Strided { first, stride } => Some(u64::from(*first) + u64::from(rank) * u64::from(*stride)),
            Self::Explicit(chips) => chips.get(rank as usize).map(|&chip| u64::from(chip)),
        };
        if let Self::Explicit(listed) = self
            && listed.len() != ranks as usize
        {
            return Err(PlacementError::Length { ranks, listed: listed.len() });
        }
        let mut chips = Vec::new();
        let mut taken = vec![false; fabric.chips as usize];
        for rank in 0..ranks {
            let chip = chip_of(rank).unwrap_or(u64::MAX);
            let known = u32::try_from(chip).ok().filter(|&known| known < fabric.chips);
            let known = known.ok_or(PlacementError::NoSuchChip { rank, chip, chips: fabric.chips })?;
            if std::mem::replace(&mut taken[known as usize], true) {
                return Err(PlacementError::Twice { chip: known });
            }
            chips.push(known);
        }
        Ok(Group::of(chips))
    }
}

impl std::str::FromStr for Placement {
    type Err = PlacementError;

    /// Reads `by-level`, `strided:8`, `strided:8+3` (stride 8 from chip 3) or `chips:0,9,18`.
    fn from_str(text: &str) -> Result<Self, PlacementError> {
        let wrong = || PlacementError::NotAPlacement { text: text.to_owned() };
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
        match text.split_once(':') {
            None if text == "by-level" => Ok(Self::ByLevel),
            Some(("strided", numbers)) => {
                let (stride, first) = numbers.split_once('+').unwrap_or((numbers, "0"));
                Ok(Self::Strided { first: number(first)?, stride: number(stride)? })
            }
            Some(("chips", list)) => Ok(Self::Explicit(list.split(',').map(number).collect::<Result<_, _>>()?)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for PlacementError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPlacement { text } => {
                write!(out, "`{text}` is not a placement; use `by-level`, `strided:8`, `strided:8+3` (from chip 3) or `chips:0,9,18`")
            }
            Self::NoSuchChip { rank, chip, chips } => {
                write!(out, "rank {rank} would be on chip {chip}, the machine has chips 0 to {}", chips.saturating_sub(1))
            }
            Self::Twice { chip } => write!(out, "two ranks would be on chip {chip}; every rank needs a chip of its own"),
            Self::Length { ranks, listed } => {
                write!(out, "the list has {} for {}; leave --ranks out to use the whole list", counted(*listed, "chip"), counted(*ranks, "rank"))
            }
        }
    }
}

impl std::error::Error for PlacementError {}

impl Group {
    /// The first `ranks` chips in level order.
    #[must_use]
    pub fn first(ranks: u32) -> Self {
        Self { chips: (0..ranks).collect(), in_level_order: true, places: Vec::new(), rising: true }
    }

    /// These chips, all different, in rank order.
    #[must_use]
    pub fn of(chips: Vec<u32>) -> Self {
        let in_level_order = chips.iter().zip(0..).all(|(&chip, rank)| chip == rank);
        let rising = chips.is_sorted();
        Self { chips, in_level_order, places: Vec::new(), rising }
    }

    /// The same ranks, if chips moved up for lost ones: patterns that ask for positions then find the positions that the chips had.
    #[must_use]
    pub(super) fn standing_in(self, fabric: &Fabric) -> Self {
        let places = if fabric.places.is_empty() { Vec::new() } else { self.chips.iter().map(|&chip| fabric.place(chip)).collect() };
        let rising = if places.is_empty() { self.chips.is_sorted() } else { places.is_sorted() };
        Self { places, rising, ..self }
    }

    /// Position of a rank's chip in level order, lost chips counted.
    #[must_use]
    pub(super) fn place(&self, rank: u32) -> u32 {
        self.places.get(rank as usize).copied().unwrap_or_else(|| self.chip(rank))
    }

    /// The rank on a position in level order, if one is there.
    #[must_use]
    pub(super) fn rank_at(&self, place: u32) -> Option<u32> {
        if self.in_level_order && self.places.is_empty() {
            return (place < self.ranks()).then_some(place);
        }
        let places = if self.places.is_empty() { &self.chips } else { &self.places };
        let rank = if self.rising { places.binary_search(&place).ok() } else { places.iter().position(|&taken| taken == place) };
        rank.and_then(|rank| u32::try_from(rank).ok())
    }

    /// Number of ranks.
    #[must_use]
    pub fn ranks(&self) -> u32 {
        u32::try_from(self.chips.len()).unwrap_or(u32::MAX)
    }

    /// Chip of a rank.
    #[must_use]
    pub fn chip(&self, rank: u32) -> u32 {
        self.chips[rank as usize]
    }

    /// Chips in rank order.
    #[must_use]
    pub fn chips(&self) -> &[u32] {
        &self.chips
    }

    /// The ranks at one position of all blocks of so many.
    #[must_use]
    pub fn rail(&self, block: u32, position: u32) -> Self {
        Self::of(self.chips.iter().copied().skip(position as usize).step_by(block as usize).collect())
    }

    /// Whether rank r is on chip r, for all ranks.
    #[must_use]
    pub fn in_level_order(&self) -> bool {
        self.in_level_order
    }

    /// The ranks on some positions of the machine, which rise; in rising order.
    pub(super) fn ranks_on(&self, places: impl Iterator<Item = u32>, mut each: impl FnMut(u32)) {
        if self.in_level_order && self.places.is_empty() {
            places.take_while(|&place| place < self.ranks()).for_each(each);
            return;
        }
        if self.rising {
            // In a large group a line is short.
            places.filter_map(|place| self.rank_at(place)).for_each(each);
            return;
        }
        let wanted: Vec<u32> = places.collect();
        (0..self.ranks()).filter(|&rank| wanted.binary_search(&self.place(rank)).is_ok()).for_each(&mut each);
    }

    /// The group as a box: how many different positions it takes in each level, innermost first, if it takes all their
    /// combinations. Positions are digits of the chip's number, the innermost level's counted fastest.
    #[must_use]
    pub fn as_box(&self, level_sizes: &[u32]) -> Option<Vec<u32>> {
        let mut widths = Vec::with_capacity(level_sizes.len());
        let mut below = 1;
        for &size in level_sizes {
            let mut digits: Vec<u32> = self.chips.iter().map(|&chip| chip / below % size).collect();
            digits.sort_unstable();
            digits.dedup();
            widths.push(u32::try_from(digits.len()).unwrap_or(u32::MAX));
            below *= size;
        }
        // All chips differ, so there are no more of them than combinations; as many means all.
        let combinations: u64 = widths.iter().map(|&width| u64::from(width)).product();
        (combinations == u64::from(self.ranks())).then_some(widths)
    }
}
