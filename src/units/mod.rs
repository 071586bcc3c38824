//! Physical quantities: one type for each, SI base units inside, and the text form that files use.
//!
//! Uses nothing of the crate. Must never hold: a scale factor anywhere else, or a quantity without its own type.
//!
//! Scale factors live in this module only. `GB` is 10^9 bytes and `GiB` is 2^30; bits are spelt out
//! (`Gbit/s`), and a lone `b` is refused because `400 Gb/s` is read both ways in this field.

mod counted;
mod date;
mod figure;
mod parse;
mod quantile;
mod quantity;
mod random;

pub use counted::counted;
pub use date::Date;
pub use figure::{Confidence, Figure};
pub use parse::{QuantityError, measured, parse, parse_dimension, render, si, split};
pub use quantile::quantile;
pub use quantity::{
    Bytes, BytesPerSecond, Dimension, Flop, FlopPerSecond, Hertz, Joules, JoulesPerBit, JoulesPerFlop, Metres, Quantity, Ratio, Seconds,
    SecondsPerMetre, TokensPerSecond, UsDollars, Watts,
};
pub use random::SplitMix64;
