//! The integer clock of a simulation in time: sums of times are exact, so that the same run gives the same bytes everywhere.

use std::ops::{Add, AddAssign, Sub};

use crate::units::Seconds;

/// A moment since the start, or a span of time, in whole picoseconds; 64 bits last for 213 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Picoseconds(pub u64);

impl Picoseconds {
    /// Never.
    pub const NEVER: Self = Self(u64::MAX);

    /// The nearest whole number of picoseconds.
    #[must_use]
    pub fn of(time: Seconds) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times are not negative; beyond u64 they saturate")]
        let picoseconds = (time.get() * 1e12).round() as u64;
        Self(picoseconds)
    }

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits of a time are enough to print it")]
        let picoseconds = self.0 as f64;
        picoseconds / 1e12
    }

    /// From `earlier` to this, or nothing if that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Picoseconds {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Picoseconds {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Picoseconds {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}
