//! What a schema says of the size of a figure, beyond its dimension: `x-range` (lowest and highest, SI) and `x-positive`.

use serde_json::Value as Json;

use crate::units::Dimension;

/// Where a figure must lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    range: Option<(f64, f64)>,
    positive: bool,
}

impl Bounds {
    /// The bounds of a key, whose `schema` may refer to the figure's own.
    pub fn of(schema: &Json) -> Self {
        let range = schema.get("x-range").and_then(Json::as_array).and_then(|ends| Some((ends.first()?.as_f64()?, ends.get(1)?.as_f64()?)));
        Self { range, positive: schema.get("x-positive").and_then(Json::as_bool) == Some(true) }
    }

    /// What is wrong with `number`, if anything.
    pub fn complaint(self, number: f64, dimension: Dimension) -> Option<String> {
        if self.positive && number <= 0.0 {
            return Some(format!("must be more than zero, such as {}", dimension.example()));
        }
        let (low, high) = self.range?;
        (!(low..=high).contains(&number)).then(|| format!("expected a {} from {low} to {high}", dimension.name()))
    }

    /// "from 1 to 5", where both ends are given.
    pub fn range_text(self) -> Option<String> {
        self.range.map(|(low, high)| format!("from {low} to {high}"))
    }
}
