//! The newtypes and the arithmetic between them.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

use serde::Serialize;

/// What a quantity measures: decides which units its text may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Amount of data.
    Data,
    /// Data per time, one direction.
    Bandwidth,
    /// Time.
    Time,
    /// Energy per time.
    Power,
    /// Cycles per time.
    Frequency,
    /// Energy.
    Energy,
    /// Energy per transferred bit.
    EnergyPerBit,
    /// Energy per floating-point (or integer) operation.
    EnergyPerOperation,
    /// Operations per time.
    ComputeRate,
    /// Operations.
    Operations,
    /// Length.
    Length,
    /// Propagation delay per length.
    DelayPerLength,
    /// Tokens per time.
    TokenRate,
    /// Money.
    Money,
    /// A pure number, written bare or in per cent.
    Ratio,
}

impl Dimension {
    /// Every dimension with its name in schemas and messages, and an example of its text form.
    pub const ALL: [(Dimension, &'static str, &'static str); 15] = [
        (Dimension::Data, "data", "\"128 GB\""),
        (Dimension::Bandwidth, "bandwidth", "\"28 GB/s\" or \"224 Gbit/s\""),
        (Dimension::Time, "time", "\"250 ns\""),
        (Dimension::Power, "power", "\"1.3 kW\""),
        (Dimension::Frequency, "frequency", "\"1.98 GHz\""),
        (Dimension::Energy, "energy", "\"3.6 MJ\""),
        (Dimension::EnergyPerBit, "energy per bit", "\"15 pJ/bit\""),
        (Dimension::EnergyPerOperation, "energy per operation", "\"0.4 pJ/FLOP\""),
        (Dimension::ComputeRate, "compute rate", "\"752 TFLOP/s\""),
        (Dimension::Operations, "operations", "\"2 GFLOP\""),
        (Dimension::Length, "length", "\"3 m\""),
        (Dimension::DelayPerLength, "delay per length", "\"5 ns/m\""),
        (Dimension::TokenRate, "token rate", "\"120e12 tokens/day\""),
        (Dimension::Money, "money", "\"1200 USD\""),
        (Dimension::Ratio, "ratio", "0.87 or \"87 %\""),
    ];

    /// The name used in messages and in the JSON Schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|entry| entry.0 == self).map_or("", |entry| entry.1)
    }

    /// The unit that one is counted in; none for a ratio.
    #[must_use]
    pub fn base_unit(self) -> &'static str {
        match self {
            Self::Data => "B",
            Self::Bandwidth => "B/s",
            Self::Time => "s",
            Self::Power => "W",
            Self::Frequency => "Hz",
            Self::Energy => "J",
            Self::EnergyPerBit => "J/bit",
            Self::EnergyPerOperation => "J/FLOP",
            Self::ComputeRate => "FLOP/s",
            Self::Operations => "FLOP",
            Self::Length => "m",
            Self::DelayPerLength => "s/m",
            Self::TokenRate => "tokens/s",
            Self::Money => "USD",
            Self::Ratio => "",
        }
    }

    /// A well-formed value of this dimension, for messages.
    #[must_use]
    pub fn example(self) -> &'static str {
        Self::ALL.iter().find(|entry| entry.0 == self).map_or("", |entry| entry.2)
    }

    /// What no machine on earth exceeds, in SI units: beyond it a figure is a slip of the finger, and sums would lose their meaning.
    #[must_use]
    pub fn most(self) -> f64 {
        match self {
            // All data of mankind is about 1e24 bytes.
            Self::Data => 1e24,
            // All links on earth together carry less than 1e18 bytes a second.
            Self::Bandwidth => 1e18,
            // Three hundred million years.
            Self::Time => 1e16,
            // Mankind uses 2e13 W, and 6e20 J a year.
            Self::Power => 1e14,
            // A clock of gamma rays.
            Self::Frequency => 1e20,
            Self::Energy => 1e22,
            // A bit, or an operation, that costs more than a kettle of boiling water.
            Self::EnergyPerBit | Self::EnergyPerOperation => 1e5,
            // All computers on earth do less than 1e24 operations a second.
            Self::ComputeRate => 1e24,
            Self::Operations => 1e40,
            // To the moon and back.
            Self::Length => 1e9,
            // A thousandth of a metre a second.
            Self::DelayPerLength => 1e3,
            Self::TokenRate => 1e18,
            // The product of all nations is 1e14 dollars a year.
            Self::Money => 1e16,
            Self::Ratio => 1e12,
        }
    }

    /// The dimension whose [`Dimension::name`] is `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|entry| entry.1 == name).map(|entry| entry.0)
    }
}

/// A physical value held in SI base units.
pub trait Quantity: Copy + PartialOrd + std::fmt::Debug + Send + Sync + 'static {
    /// What it measures.
    const DIMENSION: Dimension;
    /// Wraps a value given in SI base units.
    fn from_si(value: f64) -> Self;
    /// The value in SI base units.
    fn si(self) -> f64;
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $dimension:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(f64);

        impl $name {
            /// None of it.
            pub const ZERO: Self = Self(0.0);

            /// Wraps a value given in SI base units.
            #[must_use]
            pub const fn new(si: f64) -> Self {
                Self(si)
            }

            /// The value in SI base units.
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }

            /// The larger of the two.
            #[must_use]
            pub fn max(self, other: Self) -> Self {
                Self(self.0.max(other.0))
            }

            /// The smaller of the two.
            #[must_use]
            pub fn min(self, other: Self) -> Self {
                Self(self.0.min(other.0))
            }
        }

        impl Quantity for $name {
            const DIMENSION: Dimension = Dimension::$dimension;
            fn from_si(value: f64) -> Self {
                Self(value)
            }
            fn si(self) -> f64 {
                self.0
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }
        impl Div<f64> for $name {
            type Output = Self;
            fn div(self, divisor: f64) -> Self {
                Self(self.0 / divisor)
            }
        }
        /// The ratio of two like quantities is a pure number.
        impl Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }
        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
                // From +0: the standard sum of no numbers is -0, which prints as such and divides to minus infinity.
                values.fold(Self::ZERO, Add::add)
            }
        }
    };
}

quantity!(
    /// Bytes. May be fractional: expected values and even splits are exact that way.
    Bytes, Data
);
quantity!(
    /// Bytes per second, one direction.
    BytesPerSecond, Bandwidth
);
quantity!(
    /// Seconds.
    Seconds, Time
);
quantity!(
    /// Watts.
    Watts, Power
);
quantity!(
    /// Cycles per second.
    Hertz, Frequency
);
quantity!(
    /// Joules.
    Joules, Energy
);
quantity!(
    /// Joules per bit.
    JoulesPerBit, EnergyPerBit
);
quantity!(
    /// Joules per operation.
    JoulesPerFlop, EnergyPerOperation
);
quantity!(
    /// Operations per second (a multiply-add is two).
    FlopPerSecond, ComputeRate
);
quantity!(
    /// Operations (a multiply-add is two).
    Flop, Operations
);
quantity!(
    /// Metres.
    Metres, Length
);
quantity!(
    /// Seconds per metre.
    SecondsPerMetre, DelayPerLength
);
quantity!(
    /// Tokens per second.
    TokensPerSecond, TokenRate
);
quantity!(
    /// United States dollars.
    UsDollars, Money
);
quantity!(
    /// A pure number.
    Ratio, Ratio
);

/// `$left / $right` is `$result`, and the two products that follow from it.
macro_rules! quotient {
    ($left:ident / $right:ident = $result:ident) => {
        impl Div<$right> for $left {
            type Output = $result;
            fn div(self, other: $right) -> $result {
                $result(self.0 / other.0)
            }
        }
        impl Div<$result> for $left {
            type Output = $right;
            fn div(self, other: $result) -> $right {
                $right(self.0 / other.0)
            }
        }
        impl Mul<$right> for $result {
            type Output = $left;
            fn mul(self, other: $right) -> $left {
                $left(self.0 * other.0)
            }
        }
        impl Mul<$result> for $right {
            type Output = $left;
            fn mul(self, other: $result) -> $left {
                $left(self.0 * other.0)
            }
        }
    };
}

quotient!(Bytes / BytesPerSecond = Seconds);
quotient!(Flop / FlopPerSecond = Seconds);
quotient!(Joules / Watts = Seconds);
quotient!(Joules / Flop = JoulesPerFlop);
quotient!(Seconds / Metres = SecondsPerMetre);

impl Mul<Bytes> for JoulesPerBit {
    type Output = Joules;
    fn mul(self, bytes: Bytes) -> Joules {
        Joules(self.0 * bytes.0 * 8.0)
    }
}

impl Mul<BytesPerSecond> for JoulesPerBit {
    type Output = Watts;
    fn mul(self, rate: BytesPerSecond) -> Watts {
        Watts(self.0 * rate.0 * 8.0)
    }
}

impl Seconds {
    /// Microseconds, for tables.
    #[must_use]
    pub fn microseconds(self) -> f64 {
        self.0 * 1e6
    }
}
