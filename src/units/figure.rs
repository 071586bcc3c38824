//! A value as a part file gives it: with the range in which it may lie, its source and how sure it is.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::parse::parse;
use super::quantity::{Dimension, Quantity};

/// Where a figure comes from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Follows from a public standard.
    Standard,
    /// A benchmark, a paper or a third party reports a measurement.
    Measured,
    /// Published by the maker.
    Vendor,
    /// The maker's figure seen only through a second-hand account.
    SecondHand,
    /// Fitted by this project on measured data named in the source.
    Calibrated,
    /// Arithmetic on sourced figures.
    Derived,
    /// Media or broker note.
    Press,
    /// An analyst's or a model's estimate.
    Estimate,
    /// No source: our own assumption.
    Assumed,
}

impl Confidence {
    /// The word in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Measured => "measured",
            Self::Vendor => "vendor",
            Self::SecondHand => "second-hand",
            Self::Calibrated => "calibrated",
            Self::Derived => "derived",
            Self::Press => "press",
            Self::Estimate => "estimate",
            Self::Assumed => "assumed",
        }
    }
}

/// A quantity with its range and origin.
///
/// In TOML either the bare text, which takes the origin of the whole part, or a table:
/// `{ value = "180 W", range = ["120 W", "260 W"], source = "H3", confidence = "estimate" }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure<Q> {
    /// The value used unless ranges are being drawn.
    pub value: Q,
    /// Lowest and highest plausible value; `None` where sources agree.
    pub range: Option<(Q, Q)>,
    /// Key into the file's `[sources]`; `None` takes the part's own.
    pub source: Option<String>,
    /// `None` takes the part's own.
    pub confidence: Option<Confidence>,
}

impl<Q: Quantity> Figure<Q> {
    /// A figure without range or origin.
    #[must_use]
    pub fn plain(value: Q) -> Self {
        Self { value, range: None, source: None, confidence: None }
    }
}

impl<'de, Q: Quantity> Deserialize<'de> for Figure<Q> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FigureVisitor(PhantomData))
    }
}

struct FigureVisitor<Q>(PhantomData<Q>);

impl<'de, Q: Quantity> Visitor<'de> for FigureVisitor<Q> {
    type Value = Figure<Q>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a {} such as {}", Q::DIMENSION.name(), Q::DIMENSION.example())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Figure<Q>, E> {
        parse(text).map(Figure::plain).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Figure<Q>, E> {
        if Q::DIMENSION == Dimension::Ratio && number >= 0.0 && number.is_finite() {
            Ok(Figure::plain(Q::from_si(number)))
        } else {
            Err(E::invalid_value(de::Unexpected::Float(number), &self))
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Figure<Q>, E> {
        #[expect(clippy::cast_precision_loss, reason = "counts written in files are far below 2^53")]
        self.visit_f64(number as f64)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Figure<Q>, A::Error> {
        let (mut value, mut range, mut source, mut confidence) = (None, None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "value" => value = Some(map.next_value::<Figure<Q>>()?.value),
                "range" => {
                    let [low, high] = map.next_value::<[Figure<Q>; 2]>()?;
                    range = Some((low.value, high.value));
                }
                "source" => source = Some(map.next_value()?),
                "confidence" => confidence = Some(map.next_value()?),
                other => return Err(de::Error::unknown_field(other, &["value", "range", "source", "confidence"])),
            }
        }
        let value = value.ok_or_else(|| de::Error::missing_field("value"))?;
        Ok(Figure { value, range, source, confidence })
    }
}

impl<Q: Quantity> JsonSchema for Figure<Q> {
    fn schema_name() -> Cow<'static, str> {
        format!("figure: {}", Q::DIMENSION.name()).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = if Q::DIMENSION == Dimension::Ratio { json_schema!({ "type": ["number", "string"] }) } else { json_schema!({ "type": "string" }) };
        json_schema!({
            "description": format!("A {} such as {}, or a table with its range and origin.", Q::DIMENSION.name(), Q::DIMENSION.example()),
            "x-quantity": Q::DIMENSION.name(),
            "anyOf": [
                text.clone(),
                {
                    "type": "object",
                    "properties": {
                        "value": text.clone(),
                        "range": { "type": "array", "items": text, "minItems": 2, "maxItems": 2 },
                        "source": { "type": "string" },
                        "confidence": { "type": "string" }
                    },
                    "required": ["value"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
