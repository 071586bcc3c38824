//! The committed medians: validation/medians.csv says how well each quantity was predicted on each machine when it was last looked at.

use std::sync::Arc;

use super::Score;
use crate::input::catalog::{Mention, find_in};
use crate::input::problem::{Place, Problem, Problems};

/// How much a median may worsen before it counts: two points.
pub const TOLERANCE: f64 = 0.02;

/// A median that was reached.
#[derive(Clone, Debug, PartialEq)]
pub struct MedianBound {
    /// The machine.
    pub system: String,
    /// What was measured.
    pub quantity: String,
    /// Median absolute error.
    pub median: f64,
}

/// Reads `system,quantity,median_percent` lines of the shipped file, or of another.
///
/// # Errors
/// A line that is not such.
pub fn load_bounds(name: &str) -> Result<Vec<MedianBound>, Problems> {
    let found = find_in(name, &Mention::on_command_line(), "validation", "table of medians", "csv")?;
    let source = &found.source;
    let (mut bounds, mut problems, mut start) = (Vec::new(), Vec::new(), 0);
    for (number, line) in source.text.split_inclusive('\n').enumerate() {
        let fields: Vec<&str> = line.trim().split(',').collect();
        match (number, fields.as_slice()) {
            (0, ["system", "quantity", "median_percent"]) => {}
            (1.., [system, quantity, median]) if median.parse::<f64>().is_ok_and(|median| median >= 0.0) => bounds.push(MedianBound {
                system: (*system).to_owned(),
                quantity: (*quantity).to_owned(),
                median: median.parse::<f64>().unwrap_or_default() / 100.0,
            }),
            _ => {
                let place = Place { source: Arc::clone(source), span: start..start + line.trim_end().len() };
                problems.push(Problem::new("this is not a line of medians").at(place, "expected system,quantity,median_percent"));
            }
        }
        start += line.len();
    }
    Problems::check(problems, bounds)
}

/// The medians of each machine and quantity as such a table, in per cent with one decimal.
#[must_use]
pub fn bounds_text(scores: &[Score]) -> String {
    let rows =
        scores.iter().filter_map(|score| Some(format!("{},{},{:.1}\n", score.system.as_ref()?, score.quantity.as_ref()?, 100.0 * score.median)));
    std::iter::once("system,quantity,median_percent\n".to_owned()).chain(rows).collect()
}

/// The scores that are worse than their bound by more than the tolerance, with the bound; machines and quantities without one pass.
#[must_use]
pub fn exceeded<'a>(scores: &'a [Score], bounds: &'a [MedianBound]) -> Vec<(&'a Score, &'a MedianBound)> {
    let bound_of =
        |score: &Score| bounds.iter().find(|bound| score.system.as_ref() == Some(&bound.system) && score.quantity.as_ref() == Some(&bound.quantity));
    let pairs = scores.iter().filter_map(|score| Some((score, bound_of(score)?)));
    pairs.filter(|(score, bound)| score.median > bound.median + TOLERANCE).collect()
}
