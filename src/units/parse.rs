//! Text to quantity and back: `"392 GB/s"`, `"112 Gbit/s"`, `"250 ns"`, `"15 pJ/bit"`.

use std::fmt;

use super::quantity::{Dimension, Quantity};

/// Why a text is not a quantity of the wanted dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuantityError {
    /// No number at the front.
    NoNumber,
    /// A number without a unit.
    NoUnit,
    /// `b` could be bit or byte; both readings are offered.
    AmbiguousBit {
        /// The text read as bits.
        bits: String,
        /// The text read as bytes.
        bytes: String,
    },
    /// The unit is known and measures something else.
    WrongDimension {
        /// What the unit measures.
        found: Dimension,
    },
    /// The unit is not known at all.
    UnknownUnit {
        /// The unit as written.
        unit: String,
    },
    /// Below zero.
    Negative,
    /// Infinite, or not a number.
    NotFinite,
}

impl fmt::Display for QuantityError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber => write!(out, "does not start with a number"),
            Self::NoUnit => write!(out, "has no unit"),
            Self::AmbiguousBit { bits, bytes } => write!(out, "`b` is ambiguous: write \"{bits}\" for bits or \"{bytes}\" for bytes"),
            Self::WrongDimension { found } => write!(out, "this unit measures {}", found.name()),
            Self::UnknownUnit { unit } => write!(out, "unknown unit `{unit}`"),
            Self::Negative => write!(out, "must not be negative"),
            Self::NotFinite => write!(out, "must be finite"),
        }
    }
}

/// Powers of ten, largest first, for [`render`]; parsing also knows the powers of two.
const DECIMAL: [(&str, f64); 12] = [
    ("E", 1e18),
    ("P", 1e15),
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("", 1.0),
    ("m", 1e-3),
    ("µ", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("f", 1e-15),
];

const BINARY: [(&str, f64); 5] =
    [("Ki", 1024.0), ("Mi", 1_048_576.0), ("Gi", 1_073_741_824.0), ("Ti", 1_099_511_627_776.0), ("Pi", 1_125_899_906_842_624.0)];

/// How a unit may be scaled by a prefix.
#[derive(Clone, Copy, PartialEq)]
enum Prefixes {
    /// k, M, G ... and Ki, Mi, Gi ...
    Binary,
    /// Powers of ten only.
    Decimal,
    /// None: minutes, days, per cent.
    None,
}

/// unit text, dimension, value of one unit in SI, accepted prefixes.
const UNITS: &[(&str, Dimension, f64, Prefixes)] = &[
    ("B", Dimension::Data, 1.0, Prefixes::Binary),
    ("bit", Dimension::Data, 0.125, Prefixes::Binary),
    ("B/s", Dimension::Bandwidth, 1.0, Prefixes::Binary),
    ("bit/s", Dimension::Bandwidth, 0.125, Prefixes::Binary),
    ("bps", Dimension::Bandwidth, 0.125, Prefixes::Decimal),
    ("s", Dimension::Time, 1.0, Prefixes::Decimal),
    ("min", Dimension::Time, 60.0, Prefixes::None),
    ("h", Dimension::Time, 3600.0, Prefixes::None),
    ("day", Dimension::Time, 86_400.0, Prefixes::None),
    ("year", Dimension::Time, 31_557_600.0, Prefixes::None),
    ("W", Dimension::Power, 1.0, Prefixes::Decimal),
    ("Hz", Dimension::Frequency, 1.0, Prefixes::Decimal),
    ("J", Dimension::Energy, 1.0, Prefixes::Decimal),
    ("Wh", Dimension::Energy, 3600.0, Prefixes::Decimal),
    ("J/bit", Dimension::EnergyPerBit, 1.0, Prefixes::Decimal),
    ("J/FLOP", Dimension::EnergyPerOperation, 1.0, Prefixes::Decimal),
    ("J/OP", Dimension::EnergyPerOperation, 1.0, Prefixes::Decimal),
    ("FLOP/s", Dimension::ComputeRate, 1.0, Prefixes::Decimal),
    ("OP/s", Dimension::ComputeRate, 1.0, Prefixes::Decimal),
    ("FLOPS", Dimension::ComputeRate, 1.0, Prefixes::Decimal),
    ("OPS", Dimension::ComputeRate, 1.0, Prefixes::Decimal),
    ("FLOP", Dimension::Operations, 1.0, Prefixes::Decimal),
    ("OP", Dimension::Operations, 1.0, Prefixes::Decimal),
    ("m", Dimension::Length, 1.0, Prefixes::Decimal),
    ("cm", Dimension::Length, 0.01, Prefixes::None),
    ("s/m", Dimension::DelayPerLength, 1.0, Prefixes::Decimal),
    ("tokens/s", Dimension::TokenRate, 1.0, Prefixes::None),
    ("tokens/min", Dimension::TokenRate, 1.0 / 60.0, Prefixes::None),
    ("tokens/day", Dimension::TokenRate, 1.0 / 86_400.0, Prefixes::None),
    ("tokens/week", Dimension::TokenRate, 1.0 / 604_800.0, Prefixes::None),
    ("tokens/month", Dimension::TokenRate, 12.0 / 31_557_600.0, Prefixes::None),
    ("USD", Dimension::Money, 1.0, Prefixes::Decimal),
    ("%", Dimension::Ratio, 0.01, Prefixes::None),
];

/// What a unit text measures and how much one of it is in SI.
fn unit(text: &str) -> Option<(Dimension, f64)> {
    let exact = UNITS.iter().find(|known| known.0 == text);
    if let Some(&(_, dimension, scale, _)) = exact {
        return Some((dimension, scale));
    }
    let scaled = |prefixes: &[(&str, f64)], binary: bool| {
        prefixes.iter().filter(|prefix| !prefix.0.is_empty()).find_map(|&(prefix, factor)| {
            let base = text.strip_prefix(prefix)?;
            let known = UNITS.iter().find(|known| known.0 == base)?;
            let allowed = if binary { known.3 == Prefixes::Binary } else { known.3 != Prefixes::None };
            // Small prefixes divide: 500.0 / 1e9 is exact where 500.0 * 1e-9 is not.
            allowed.then_some((known.1, known.2 * factor))
        })
    };
    let ascii_micro = [("u", 1e-6)];
    scaled(&BINARY, true).or_else(|| scaled(&DECIMAL, false)).or_else(|| scaled(&ascii_micro, false))
}

/// Splits `"1.5e3 GB/s"` into its number and its unit.
#[must_use]
pub fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    // The longest prefix that reads as a number: "2e9 B" is a number with an exponent, "2 EB" is not.
    let end = (1..=text.len())
        .rev()
        .filter(|&end| text.is_char_boundary(end))
        .find(|&end| text.as_bytes()[end - 1].is_ascii_digit() && text[..end].bytes().all(is_number_byte) && text[..end].parse::<f64>().is_ok())?;
    let number = text[..end].replace('_', "").parse().ok()?;
    Some((number, text[end..].trim()))
}

fn is_number_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E')
}

/// Reads `text` as a value of `dimension`, in SI base units.
///
/// # Errors
/// A [`QuantityError`] that says what is wrong with the number or the unit.
pub fn parse_dimension(text: &str, dimension: Dimension) -> Result<f64, QuantityError> {
    let (number, unit_text) = split(text).ok_or(QuantityError::NoNumber)?;
    if !number.is_finite() {
        return Err(QuantityError::NotFinite);
    }
    if unit_text.is_empty() {
        return if dimension == Dimension::Ratio { non_negative(number) } else { Err(QuantityError::NoUnit) };
    }
    let Some((found, scale)) = unit(unit_text) else {
        return Err(unknown_unit(text, unit_text));
    };
    if found != dimension {
        return Err(QuantityError::WrongDimension { found });
    }
    let value = if scale < 1.0 { number / (1.0 / scale).round_if_close() } else { number * scale };
    if value.is_finite() { non_negative(value) } else { Err(QuantityError::NotFinite) }
}

trait RoundIfClose {
    /// The nearest whole number where rounding noise is all that separates from it: 1/1e-9 is 999999999.9999999.
    fn round_if_close(self) -> f64;
}

impl RoundIfClose for f64 {
    fn round_if_close(self) -> f64 {
        let whole = self.round();
        if ((self - whole) / whole).abs() < 1e-14 { whole } else { self }
    }
}

fn non_negative(value: f64) -> Result<f64, QuantityError> {
    if value < 0.0 { Err(QuantityError::Negative) } else { Ok(value) }
}

fn unknown_unit(text: &str, unit_text: &str) -> QuantityError {
    let prefix_and_b = |suffix: &str| unit_text.strip_suffix(suffix).is_some_and(|prefix| unit(&format!("{prefix}B")).is_some());
    for (written, bits, bytes) in [("b/s", "bit/s", "B/s"), ("b", "bit", "B")] {
        if prefix_and_b(written) {
            let stem = text.trim().strip_suffix(written).unwrap_or_default();
            return QuantityError::AmbiguousBit { bits: format!("{stem}{bits}"), bytes: format!("{stem}{bytes}") };
        }
    }
    QuantityError::UnknownUnit { unit: unit_text.to_owned() }
}

/// A number, or a quantity of whatever dimension, in SI base units; `None` if `text` is neither.
#[must_use]
pub fn si(text: &str) -> Option<f64> {
    measured(text).map(|(value, _)| value)
}

/// The same with what it measures.
#[must_use]
pub fn measured(text: &str) -> Option<(f64, Dimension)> {
    Dimension::ALL.iter().find_map(|(dimension, ..)| Some((parse_dimension(text, *dimension).ok()?, *dimension)))
}

/// Reads `text` as a `Q`.
///
/// # Errors
/// A [`QuantityError`] that says what is wrong with the number or the unit.
pub fn parse<Q: Quantity>(text: &str) -> Result<Q, QuantityError> {
    parse_dimension(text, Q::DIMENSION).map(Q::from_si)
}

/// A quantity for people: three significant digits and the prefix that keeps the number between 1 and 1000.
#[must_use]
pub fn render<Q: Quantity>(quantity: Q) -> String {
    let base = Q::DIMENSION.base_unit();
    // A sum of nothing may be minus zero.
    let value = quantity.si() + 0.0;
    if value == 0.0 || base.is_empty() || !value.is_finite() {
        return format!("{} {base}", digits(value)).trim().to_owned();
    }
    // 999.7 would print as 1000 with three digits: choose the prefix for the rounded number.
    let chosen = DECIMAL.iter().find(|(_, factor)| value.abs() >= factor * 0.9995).unwrap_or(&DECIMAL[DECIMAL.len() - 1]);
    format!("{} {}{base}", digits(value / chosen.1), chosen.0)
}

/// Three significant digits without an exponent for numbers from 1 to 999.
fn digits(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = if magnitude >= 99.95 || magnitude == 0.0 {
        0
    } else if magnitude >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::super::quantity::{Bytes, BytesPerSecond, FlopPerSecond, JoulesPerBit, Ratio, Seconds, TokensPerSecond};
    use super::*;

    #[test]
    fn text_becomes_si_exactly() {
        assert_eq!(parse::<BytesPerSecond>("392 GB/s").map(Quantity::si), Ok(392e9));
        assert_eq!(parse::<BytesPerSecond>("112 Gbit/s").map(Quantity::si), Ok(14e9));
        assert_eq!(parse::<BytesPerSecond>("400Gbps").map(Quantity::si), Ok(50e9));
        assert_eq!(parse::<FlopPerSecond>("989 TFLOPS").map(Quantity::si), Ok(989e12));
        assert_eq!(parse::<FlopPerSecond>("2 POPS").map(Quantity::si), Ok(2e15));
        assert_eq!(parse::<Seconds>("500 ns").map(Quantity::si), Ok(500e-9));
        // 2.1 itself is not a binary fraction: the quotient is the nearest to 2.1 / 10^6, one unit in the last place from 2.1e-6.
        assert_eq!(parse::<Seconds>("2.1 us").map(Quantity::si), Ok(2.1 / 1e6));
        assert_eq!(parse::<Bytes>("1 GiB").map(Quantity::si), Ok(1_073_741_824.0));
        assert_eq!(parse::<JoulesPerBit>("15 pJ/bit").map(Quantity::si), Ok(15e-12));
        assert_eq!(parse::<Ratio>("87 %").map(Quantity::si), Ok(0.87));
        assert_eq!(parse::<TokensPerSecond>("120e12 tokens/day").map(|rate| rate.si().round()), Ok(1_388_888_889.0));
    }

    #[test]
    fn each_slip_is_named() {
        let bandwidth = |text| parse::<BytesPerSecond>(text).map(Quantity::si);
        assert_eq!(bandwidth("fast"), Err(QuantityError::NoNumber));
        assert_eq!(bandwidth(""), Err(QuantityError::NoNumber));
        assert_eq!(bandwidth("400"), Err(QuantityError::NoUnit));
        assert_eq!(bandwidth("-1 GB/s"), Err(QuantityError::Negative));
        assert_eq!(bandwidth("1e400 GB/s"), Err(QuantityError::NotFinite));
        assert_eq!(bandwidth("3 m"), Err(QuantityError::WrongDimension { found: Dimension::Length }));
        assert_eq!(bandwidth("3 GX/s"), Err(QuantityError::UnknownUnit { unit: "GX/s".into() }));
        assert_eq!(
            bandwidth("400 Gb/s").map_err(|error| error.to_string()),
            Err("`b` is ambiguous: write \"400 Gbit/s\" for bits or \"400 GB/s\" for bytes".into())
        );
    }

    #[test]
    fn people_see_three_digits() {
        assert_eq!(render(BytesPerSecond::new(392e9)), "392 GB/s");
        assert_eq!(render(Seconds::new(999.7e-9)), "1.00 µs");
        assert_eq!(render(Seconds::new(49.4e-3)), "49.4 ms");
        assert_eq!(render(Bytes::ZERO), "0 B");
    }
}
